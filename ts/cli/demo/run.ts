import { setTimeout as pause } from 'node:timers/promises'
import { PushConsumer } from '../../consumer/push-consumer.js'
import { TimeoutError } from '../../errors.js'
import { Producer } from '../../producer/producer.js'
import { startServer } from '../../server/server.js'
import { counted, print, printError } from '../terminal.js'
import { Arrivals } from './arrivals.js'
import { showProgress } from './progress.js'
import { report } from './report.js'
import { SendLoad } from './send-load.js'

/** What the demo is asked to do. */
export interface DemoOptions {
  readonly messages: number
  readonly bytes: number
  readonly window: number
  readonly consumers: number
  /** Use this server and start none. */
  readonly nameServer?: readonly string[]
}

/** Queues of the topic, so that several consumers have something each. */
const MIN_QUEUES = 8
/** Time for the consumers to share the queues. */
const SHARE_TIMEOUT_MS = 30_000
/** What has not arrived when nothing arrived for this long is lost. */
const SILENCE_MS = 10_000
const POLL_MS = 5

/** Runs it and prints what came of it; resolves to whether every message arrived unharmed. */
export async function runDemo(options: DemoOptions, stop: AbortSignal): Promise<boolean> {
  await using server = options.nameServer === undefined ? await startServer() : undefined
  const namesrvAddr = options.nameServer ?? server!.nameServerAddress
  const where = server === undefined ? `at ${options.nameServer!.join(';')}` : `on a server in this process`
  const topic = `demo_${Date.now().toString(36)}_${process.pid}`
  const what = `${counted(options.messages, 'message')} of ${counted(options.bytes, 'byte')}`
  print(`${what}, ${options.window} at once, ${counted(options.consumers, 'consumer')}, ${where}, topic ${topic}`)
  // Bodies are random: compressed they would be larger, the largest ones too large for the broker.
  const compressMsgBodyOverHowmuch = options.bytes + 1
  const producerOptions = { namesrvAddr, producerGroup: topic, compressMsgBodyOverHowmuch, onError: reportError }
  await using producer = new Producer(producerOptions)
  await producer.start()
  const queues = Math.max(MIN_QUEUES, options.consumers)
  await producer.createTopic('TBW102', topic, queues)
  const arrivals = new Arrivals(options.messages, options.bytes)
  const consumers = Array.from({ length: options.consumers }, () => newConsumer(namesrvAddr, topic, arrivals))
  try {
    await Promise.all(consumers.map(consumer => consumer.start()))
    const brokerQueues = (await producer.fetchPublishMessageQueues(topic)).length
    await untilShared(consumers, topic, brokerQueues, stop)
    const { messages, bytes: bodyBytes, window } = options
    const load = new SendLoad({ producer, topic, messages, bodyBytes, window, stop })
    await transfer(load, arrivals, messages)
    if (stop.aborted) {
      print(
        `interrupted: ${counted(load.acknowledged, 'message')} sent, ${counted(arrivals.distinct, 'message')} received`
      )
      return false
    }
    return report(load, arrivals)
  } finally {
    await Promise.all(consumers.map(consumer => consumer.shutdown()))
  }
}

function newConsumer(namesrvAddr: string | readonly string[], topic: string, arrivals: Arrivals): PushConsumer {
  const consumer = new PushConsumer({
    namesrvAddr,
    consumerGroup: topic,
    consumeFromWhere: 'CONSUME_FROM_FIRST_OFFSET',
    consumeMessageBatchMaxSize: 32,
    onError: reportError
  })
  consumer.subscribe(topic)
  consumer.registerMessageListener(arrivals.take)
  return consumer
}

/** Sends everything while consumers read, then waits for what has been acknowledged but not read yet. */
async function transfer(load: SendLoad, arrivals: Arrivals, messages: number): Promise<void> {
  const { stop } = load.options
  const hideProgress = showProgress(messages, {
    sent: () => load.acknowledged,
    received: () => arrivals.distinct
  })
  try {
    await load.run()
    const sentAt = performance.now()
    const silent = (): boolean => performance.now() - Math.max(arrivals.lastAt, sentAt) > SILENCE_MS
    while (arrivals.distinct < load.acknowledged && !stop.aborted && !silent()) await pause(POLL_MS)
  } finally {
    hideProgress()
  }
}

/** Sends that begin while queues still change hands would be delivered twice now and then. */
async function untilShared(
  consumers: readonly PushConsumer[],
  topic: string,
  queues: number,
  stop: AbortSignal
): Promise<void> {
  const end = performance.now() + SHARE_TIMEOUT_MS
  for (;;) {
    // Besides, one of them gets the group's retry topic, sooner or later.
    const shares = consumers.map(consumer => {
      return consumer.assignedMessageQueues.filter(queue => queue.topic === topic).map(queue => queue.key)
    })
    const keys = new Set(shares.flat())
    const idle = shares.filter(share => share.length === 0).length
    if (keys.size === queues && shares.flat().length === queues && idle === 0) return
    if (stop.aborted) return
    if (performance.now() > end) {
      throw new TimeoutError(`the consumers did not share the queues within ${SHARE_TIMEOUT_MS} ms`, SHARE_TIMEOUT_MS)
    }
    await pause(POLL_MS)
  }
}

function reportError(error: Error, doing: string): void {
  printError(`warning: ${doing}: ${error.message}`)
}

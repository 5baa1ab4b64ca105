/** Producers and consumers as the integration tests use them. */
import {
  type MessageExt,
  type MessageListenerConcurrently,
  type MessageQueue,
  Producer,
  type ProducerOptions,
  PushConsumer,
  type PushConsumerOptions,
  type Server
} from '../../../ts/index.js'
import { until } from '../../interop/helpers/until.js'

/** A producer that is started. */
export async function startProducer(
  server: Pick<Server, 'nameServerAddress'>,
  options: Partial<ProducerOptions> = {}
): Promise<Producer & AsyncDisposable> {
  const producer = new Producer({ namesrvAddr: server.nameServerAddress, producerGroup: 'producers', ...options })
  await producer.start()
  return producer
}

/** The queues of a topic that was just made: brokers tell name servers of it a moment later. */
export function queuesOf(producer: Producer, topic: string): Promise<MessageQueue[]> {
  return until(`${topic} has a route`, () => producer.fetchPublishMessageQueues(topic))
}

/** What a consumer is to do. */
export interface ConsumerOptions extends Partial<PushConsumerOptions> {
  readonly topic: string
  /** Tags. */
  readonly expression?: string
  /** Called before the message counts as received. */
  readonly listener?: MessageListenerConcurrently
}

/** A consumer that is started, and what it has received. It reads new groups from the first message. */
export class TestConsumer {
  readonly received: MessageExt[] = []
  readonly consumer: PushConsumer

  private constructor(server: Server, { topic, expression, listener, ...options }: ConsumerOptions) {
    this.consumer = new PushConsumer({
      namesrvAddr: server.nameServerAddress,
      consumerGroup: 'consumers',
      consumeFromWhere: 'CONSUME_FROM_FIRST_OFFSET',
      ...options
    })
    this.consumer.subscribe(topic, expression)
    this.consumer.registerMessageListener(async (messages, context) => {
      const result = await listener?.(messages, context)
      this.received.push(...messages)
      return result
    })
  }

  static async start(server: Server, options: ConsumerOptions): Promise<TestConsumer> {
    const consumer = new TestConsumer(server, options)
    await consumer.consumer.start()
    return consumer
  }

  /** The bodies received so far, as text, sorted. */
  get bodies(): string[] {
    return this.received.map(message => message.body.toString()).toSorted()
  }

  /** Waits for so many messages. */
  async untilReceived(count: number): Promise<MessageExt[]> {
    await until(`${count} messages are received`, () => this.received.length >= count, { everyMs: 5 })
    return this.received
  }

  /** Waits until it has this many queues. */
  async untilAssigned(count: number): Promise<void> {
    const assigned = (): boolean => this.consumer.assignedMessageQueues.length === count
    await until(`${count} queues are assigned`, assigned, { everyMs: 5 })
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.consumer.shutdown()
  }
}

/** Sends texts to a topic, in order, each to the queue whose turn it is. */
export async function sendTexts(producer: Producer, topic: string, texts: readonly string[]): Promise<void> {
  for (const body of texts) await producer.send({ topic, body })
}

/** `prefix0`, `prefix1`, ... */
export function numbered(prefix: string, count: number, from = 0): string[] {
  return Array.from({ length: count }, (_, i) => `${prefix}${String(from + i).padStart(4, '0')}`)
}

/** A message of this many bytes that compresses well. */
export function repetitive(bytes: number): Buffer {
  return Buffer.alloc(bytes, 'all work and no play makes Jack a dull boy; ')
}

/** Something to wait at until somebody opens it. */
export interface Gateway {
  readonly passed: Promise<void>
  readonly open: () => void
}

/** A closed gateway. */
export function gateway(): Gateway {
  const executor: { resolve?: () => void } = {}
  const passed = new Promise<void>(resolve => (executor.resolve = resolve))
  return { passed, open: () => executor.resolve?.() }
}

/** Apache's broker leaves in order and asks clients to go away (1500) before it does, while our producer sends. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { type ClientEvent, MessageQueue, Producer, RocketMQError, SendError } from '../../ts/index.js'
import { ApacheBroker, type ApacheBrokerOptions, ApacheNameServer } from './helpers/apache-server.js'
import { bodyOf, crcOf } from './helpers/bodies.js'
import { type SentRow } from './helpers/client.js'
import { NativeClient, sentRow } from './helpers/native-client.js'
import { TemporaryDirectory } from './helpers/owned.js'
import { rawCommand } from './helpers/raw-command.js'
import { updateTopic } from './helpers/topics.js'
import { until } from './helpers/until.js'

const TOPIC = 'GoAway'
const BYTES = 100
const SENDERS = 8
const GO_AWAY = 1500

/** What was sent to whom, and how it ended. */
class Load {
  readonly acknowledged: SentRow[] = []
  readonly errors: RocketMQError[] = []
  #stopped = false

  constructor(
    private readonly producer: Producer,
    private readonly queue: MessageQueue | undefined,
    private readonly nextIndex: () => number
  ) {}

  stop(): void {
    this.#stopped = true
  }

  async run(): Promise<void> {
    while (!this.#stopped) {
      const index = this.nextIndex()
      const message = { topic: TOPIC, body: bodyOf(index, BYTES) }
      try {
        const sent = this.queue === undefined ? this.producer.send(message) : this.producer.send(message, this.queue)
        this.acknowledged.push(sentRow(index, await sent))
      } catch (error) {
        assert.ok(error instanceof RocketMQError)
        this.errors.push(error)
        // One that fails at once must not keep the other senders waiting.
        await new Promise(setImmediate)
      }
    }
  }
}

describe("a producer whose broker of Apache's shuts down gracefully", () => {
  const directory = new TemporaryDirectory()
  let nameServer: ApacheNameServer
  let leaving: ApacheBroker
  let staying: ApacheBroker
  let leavingOptions: ApacheBrokerOptions
  let producer: Producer
  let client: NativeClient
  const events: ClientEvent[] = []
  const answers: number[] = []

  before(async () => {
    nameServer = await ApacheNameServer.start()
    leavingOptions = {
      nameServerPort: nameServer.port,
      storeDirectory: directory.path,
      properties: { brokerName: 'leaving', enableShutdownGracefully: true, shutdownWaitTimeSeconds: 1 }
    }
    ;[leaving, staying] = await Promise.all([
      ApacheBroker.start(leavingOptions),
      ApacheBroker.start({ nameServerPort: nameServer.port, properties: { brokerName: 'staying' } })
    ])
    for (const { port } of [leaving, staying]) {
      await until('the topic is there', () => updateTopic(port, { topic: TOPIC, perm: 6, queues: 2 }).then(() => true))
    }
    producer = new Producer({
      namesrvAddr: nameServer.address,
      producerGroup: 'going_away',
      onError: () => undefined,
      rpcHook: {
        doBeforeRequest: () => undefined,
        doAfterResponse: (address, _request, { code }) => void (address === leaving.address && answers.push(code))
      }
    })
    void (async () => {
      for await (const event of producer.status()) events.push(event)
    })()
    await producer.start()
    client = new NativeClient()
  })

  after(async () => {
    await producer?.shutdown()
    for (const each of [client, leaving, staying, nameServer]) await each?.[Symbol.asyncDispose]()
    directory[Symbol.dispose]()
  })

  it('loses no message, repeats sends elsewhere, says what it cannot do, and comes back to the broker', async () => {
    let index = 0
    const nextIndex = (): number => ++index
    const anywhere = new Load(producer, undefined, nextIndex)
    const there = new Load(producer, new MessageQueue(TOPIC, 'leaving', 0), nextIndex)
    const loads = [anywhere, there]
    const senders = loads.flatMap(load => Array.from({ length: SENDERS }, () => load.run()))
    const onLeaving = (load: Load) => load.acknowledged.filter(({ brokerName }) => brokerName === 'leaving').length
    try {
      await until('the broker takes messages', () => loads.every(load => onLeaving(load) > 100))
      const stopped = leaving.stop()
      await until('the broker asks to go away', () => answers.includes(GO_AWAY))
      const old = await rawCommand(leaving.port, 105, { topic: TOPIC })
      assert.notEqual(old.code, GO_AWAY, 'clients before 5.3.1 are served on')
      await stopped
      const before = anywhere.acknowledged.length
      await until('the other broker takes all', () => anywhere.acknowledged.length > before + 100)
      await leaving[Symbol.asyncDispose]()
      leaving = await ApacheBroker.start({ ...leavingOptions, port: leaving.port })
      const counts = loads.map(onLeaving)
      await until('the broker takes messages again', () => loads.every((load, i) => onLeaving(load) > counts[i]! + 100))
    } finally {
      for (const load of loads) load.stop()
      await Promise.all(senders)
    }
    const told = (load: Load): Record<string, number> => {
      const counted: Record<string, number> = {}
      for (const error of load.errors) {
        const text =
          error instanceof SendError
            ? error.attempts.map(a => `${a.brokerName} ${a.error.message}`).join(' | ')
            : error.message
        counted[text] = (counted[text] ?? 0) + 1
      }
      return counted
    }
    console.log(
      told(anywhere),
      told(there),
      anywhere.acknowledged.length,
      there.acknowledged.length,
      answers.filter(c => c === GO_AWAY).length,
      events
    )
    await using member = await client.join({ nameServer: nameServer.address, topic: TOPIC, group: 'after_going' })
    const acknowledged = loads.flatMap(load => load.acknowledged)
    const received = await until(`all ${acknowledged.length} acknowledged messages arrive`, async () => {
      const rows = new Map((await member.received(0)).map(row => [row.index, row]))
      return acknowledged.every(row => rows.has(row.index)) && rows
    })
    for (const row of acknowledged) assert.equal(received.get(row.index)!.crc32, crcOf(row.index, BYTES))
  })
})

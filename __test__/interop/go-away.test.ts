/** Apache's broker leaves in order and asks clients to go away (1500) before it does, while our producer sends. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
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
/** Between the sends of one sender: a light load will do. */
const PAUSE_MS = 5
const GO_AWAY = 1500
const GET_BROKER_CONFIG = 26
const GET_ROUTEINFO_BY_TOPIC = 105
/** On a slow machine it would say that it is busy (TIMEOUT_CLEAN_QUEUE). */
const PATIENT = { waitTimeMillsInSendQueue: 10_000 }

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
      }
      await pause(PAUSE_MS)
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
      properties: { ...PATIENT, brokerName: 'leaving', enableShutdownGracefully: true, shutdownWaitTimeSeconds: 1 }
    }
    ;[leaving, staying] = await Promise.all([
      ApacheBroker.start(leavingOptions),
      ApacheBroker.start({ nameServerPort: nameServer.port, properties: { ...PATIENT, brokerName: 'staying' } })
    ])
    for (const { port } of [leaving, staying]) {
      // One of them may still be starting: the first to register lets both pass.
      const settings = { topic: TOPIC, perm: 6, queues: 2 }
      await until('the topic is made', () => updateTopic(port, settings).then(() => true))
    }
    await until('the route names both brokers', async () => {
      const { body } = await rawCommand(nameServer.port, GET_ROUTEINFO_BY_TOPIC, { topic: TOPIC })
      return ['leaving', 'staying'].every(name => body.includes(`"${name}"`))
    })
    producer = new Producer({
      namesrvAddr: nameServer.address,
      producerGroup: 'going_away',
      sendMsgTimeout: 10_000,
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
      await until('the broker takes messages', () => loads.every(load => onLeaving(load) > 20))
      const stopped = leaving.stop()
      await until('the broker asks to go away', () => answers.includes(GO_AWAY))
      const old = await rawCommand(leaving.port, GET_BROKER_CONFIG)
      assert.equal(old.code, 0, 'clients that do not know the answer are served on')
      await until('the broker has left its port', () =>
        rawCommand(leaving.port, GET_BROKER_CONFIG).then(
          () => false,
          () => true
        )
      )
      // The rest of its leaving takes it 15 s, in which it serves nobody.
      await leaving.process.kill()
      await stopped
      const soFar = anywhere.acknowledged.length
      await until('the other broker takes all', () => anywhere.acknowledged.length > soFar + 20)
      await leaving[Symbol.asyncDispose]()
      leaving = await ApacheBroker.start({ ...leavingOptions, port: leaving.port })
      const counts = loads.map(onLeaving)
      await until('the broker takes messages again', () => loads.every((load, i) => onLeaving(load) > counts[i]! + 20))
    } finally {
      for (const load of loads) load.stop()
      await Promise.all(senders)
    }
    assert.deepEqual(anywhere.errors, [], 'there was another broker all the time')
    const reasons = there.errors.map(error => {
      assert.ok(error instanceof SendError, String(error))
      assert.deepEqual(
        error.attempts.map(({ brokerName, queueId }) => [brokerName, queueId]),
        [['leaving', 0]]
      )
      return error.attempts[0]!.error
    })
    for (const reason of reasons) assert.match(reason.code, /^RMQ_(?:CONNECTION|ROUTE)$/, String(reason))
    assert.ok(reasons.some(({ message }) => message === 'broker leaving is going away (GO_AWAY)'))
    const end = events.find(event => event.type === 'disconnect' && event.address === leaving.address)
    assert.match((end as { reason: string }).reason, /asked for another connection \(GO_AWAY\)/)
    await using member = await client.join({ nameServer: nameServer.address, topic: TOPIC, group: 'after_going' })
    const acknowledged = loads.flatMap(load => load.acknowledged)
    const received = await until(`all ${acknowledged.length} acknowledged messages arrive`, async () => {
      const rows = new Map((await member.received(0)).map(row => [row.index, row]))
      return acknowledged.every(row => rows.has(row.index)) && rows
    })
    for (const row of acknowledged) assert.equal(received.get(row.index)!.crc32, crcOf(row.index, BYTES))
  })
})

/** What Apache's broker asks of our clients, set going by Apache's admin client, and what it knows of them. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { type ClientEvent, Producer, PushConsumer } from '../../ts/index.js'
import { ClientRegistry } from '../../ts/client/client-registry.js'
import { RemotingClient } from '../../ts/remoting/remoting-client.js'
import { ApacheBroker, ApacheNameServer } from './helpers/apache-server.js'
import { peerClassPath } from './helpers/java-peer.js'
import { LineProcess } from './helpers/line-process.js'
import { TemporaryDirectory } from './helpers/owned.js'
import { rawCommand } from './helpers/raw-command.js'
import { until } from './helpers/until.js'

const TOPIC = 'ClientRequests'
const GROUP = 'asked'
const COUNT = 8

describe("a consumer of ours on Apache's broker, asked by Apache's admin client", () => {
  const home = new TemporaryDirectory()
  const received: string[] = []
  const events: ClientEvent[] = []
  let fail: string | undefined
  let nameServer: ApacheNameServer
  let broker: ApacheBroker
  let admin: LineProcess
  let producer: Producer
  let consumer: PushConsumer
  let msgIds: string[] = []

  before(async () => {
    nameServer = await ApacheNameServer.start()
    // Otherwise the broker resets offsets by itself and asks no client.
    const properties = { useServerSideResetOffset: false }
    broker = await ApacheBroker.start({ nameServerPort: nameServer.port, properties })
    const flags = ['-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', `-Duser.home=${home.path}`]
    const classPath = await peerClassPath()
    admin = new LineProcess('ClientRequests', 'java', [
      ...flags,
      '-cp',
      classPath,
      'ClientRequests',
      nameServer.address
    ])
    const options = { namesrvAddr: () => Promise.resolve(nameServer.address), useHeartbeatV2: true }
    producer = new Producer({
      ...options,
      producerGroup: 'asking',
      vipChannelEnabled: true,
      compressMsgBodyOverHowmuch: 100
    })
    void (async () => {
      for await (const event of producer.status()) events.push(event)
    })()
    await producer.start()
    consumer = new PushConsumer({ ...options, consumerGroup: GROUP, consumeFromWhere: 'CONSUME_FROM_FIRST_OFFSET' })
    consumer.subscribe(TOPIC)
    consumer.registerMessageListener(messages => {
      if (fail !== undefined) throw new TypeError(fail)
      received.push(...messages.map(({ body }) => body.toString()))
    })
    for (let i = 0; i < COUNT; i++) {
      const { offsetMsgId } = await producer.send({ topic: TOPIC, body: `${i} ${'x'.repeat(200)}` })
      msgIds = [...msgIds, offsetMsgId]
    }
    await consumer.start()
    await until('all messages are received', () => received.length === COUNT)
  })

  after(async () => {
    for (const each of [producer, consumer, admin, broker, nameServer]) await each?.[Symbol.asyncDispose]()
    home[Symbol.dispose]()
  })

  const about = () => ({ topic: TOPIC, group: GROUP, clientId: consumer.clientId })

  const consume = () =>
    admin.ask<{ consumeResult: string; remark?: string }>('consumeMessageDirectly', { ...about(), msgId: msgIds[3] })

  it('tells its offsets (consumerStatus, 221)', async () => {
    const offsets = await admin.ask<Record<string, number>>('consumerStatus', about())
    assert.equal(Object.keys(offsets).length, 4)
    assert.equal(
      Object.values(offsets).reduce((sum, offset) => sum + offset, 0),
      COUNT
    )
  })

  it('tells what it is doing (consumerStatus -i, 307)', async () => {
    const info = await admin.ask<{
      properties: Record<string, string>
      topics: string[]
      offsets: Record<string, number>
      jstack: string
      text: string
    }>('runningInfo', about())
    assert.equal(info.properties['PROP_CONSUME_TYPE'], 'CONSUME_PASSIVELY')
    assert.equal(info.properties['PROP_CLIENT_VERSION'], 'V5_5_0')
    assert.equal(info.properties['PROP_NAMESERVER_ADDR'], `${nameServer.address};`)
    assert.equal(info.properties['pullBatchSize'], '32')
    assert.deepEqual(info.topics.toSorted(), [`%RETRY%${GROUP}`, TOPIC])
    const offsets = Object.entries(info.offsets).filter(([queue]) => queue.startsWith(`${TOPIC} `))
    assert.equal(
      offsets.reduce((sum, [, offset]) => sum + offset, 0),
      COUNT
    )
    assert.match(info.jstack, /Node\.js/)
    // Topic, pull RT, pull TPS, consume RT, consume OK TPS, ...
    assert.match(
      info.text,
      new RegExp(`#Consumer RT&TPS#[^]*${TOPIC} +\\d+\\.\\d\\d +(?!0\\.00)\\d+\\.\\d\\d +\\d+\\.\\d\\d +(?!0\\.00)`)
    )
    assert.match(info.text, /#Consumer MQ Detail#[^]*ClientRequests/)
  })

  it('consumes one message again when told to (consumeMessageDirectly, 309), a compressed one', async () => {
    received.length = 0
    assert.deepEqual(await consume(), { consumeResult: 'CR_SUCCESS' })
    assert.deepEqual(received, [`3 ${'x'.repeat(200)}`])
    fail = 'not now'
    assert.deepEqual(await consume(), { consumeResult: 'CR_THROW_EXCEPTION', remark: 'TypeError: not now' })
    fail = undefined
  })

  it('starts over where it is told to (resetOffsetByTime, 220)', async () => {
    received.length = 0
    // The broker knows the offsets of the group once they were stored.
    const reset = await until('the offsets can be reset', () =>
      admin.ask<Record<string, number>>('resetOffsetByTime', { ...about(), timestamp: 0 })
    )
    assert.deepEqual(reset, { 0: 0, 1: 0, 2: 0, 3: 0 })
    await until('all messages are received again', () => received.length === COUNT)
    const offsets = await admin.ask<Record<string, number>>('consumerStatus', about())
    assert.equal(
      Object.values(offsets).reduce((sum, offset) => sum + offset, 0),
      COUNT
    )
  })

  it("is known with the producers of both, among them each instance's own", async () => {
    assert.deepEqual(await admin.ask('producers', { group: 'asking', topic: TOPIC }), [producer.clientId])
    const inner = await admin.ask<string[]>('producers', { group: 'CLIENT_INNER_PRODUCER', topic: TOPIC })
    for (const { clientId } of [producer, consumer]) assert.ok(inner.includes(clientId!))
    assert.deepEqual(await admin.ask('members', { group: GROUP }), [consumer.clientId])
  })

  it('is in the list of its group once for each process that has its id', async () => {
    const registry = new ClientRegistry(() => new RemotingClient())
    await using twin = new PushConsumer(
      { namesrvAddr: nameServer.address, consumerGroup: GROUP, instanceName: consumer.clientId!.split('@')[1]! },
      registry
    )
    twin.subscribe(TOPIC)
    twin.registerMessageListener(() => undefined)
    await twin.start()
    assert.equal(twin.clientId, consumer.clientId)
    const { body } = await rawCommand(broker.port, 38, { consumerGroup: GROUP })
    const { consumerIdList } = JSON.parse(body.toString()) as { consumerIdList: string[] }
    assert.deepEqual(consumerIdList, [twin.clientId, twin.clientId])
    await twin.shutdown()
    const name = { instanceName: producer.clientId!.split('@')[1]!, producerGroup: 'asking' }
    await using second = new Producer({ namesrvAddr: nameServer.address, ...name }, registry)
    await second.start()
    await second.send({ topic: TOPIC, body: 'greets the broker' })
    await until('both are listed', async () => {
      const { body: list } = await rawCommand(broker.port, 204, { producerGroup: 'asking' })
      const { connectionSet } = JSON.parse(list.toString()) as { connectionSet: { clientId: string }[] }
      return connectionSet.filter(({ clientId }) => clientId === second.clientId).length === 2
    })
  })

  it('gets what it cannot give back as a new message, some seconds later', async () => {
    await using sender = new Producer({ namesrvAddr: nameServer.address, producerGroup: 'retrying' })
    await sender.start()
    const again: string[] = []
    let attempts = 0
    const heartbeats: string[] = []
    await using other = new PushConsumer({
      namesrvAddr: nameServer.address,
      consumerGroup: 'sends_back',
      consumeFromWhere: 'CONSUME_FROM_FIRST_OFFSET',
      onError: () => undefined,
      useHeartbeatV2: true,
      heartbeatBrokerInterval: 500,
      rpcHook: {
        doBeforeRequest: (_address, { code }) => {
          if (code === 36) throw new Error('lost on the way')
        },
        doAfterResponse: (_address, { code, body }, { extFields }) => {
          if (code !== 34) return
          const { withoutSub } = JSON.parse(Buffer.from(body!).toString()) as { withoutSub: boolean }
          heartbeats.push(`${withoutSub} ${extFields['IS_SUPPORT_HEART_BEAT_V2']} ${extFields['IS_SUB_CHANGE']}`)
        }
      }
    })
    const topic = 'SendsBack'
    const sent = await sender.send({ topic, body: 'again', keys: 'k', properties: { city: 'Zürich' } })
    other.subscribe(topic)
    other.registerMessageListener(([message]) => {
      attempts++
      if (message!.reconsumeTimes === 0) return 'RECONSUME_LATER'
      again.push([message!.topic, message!.body, message!.msgId, message!.keys, message!.properties.get('city')].join())
      return undefined
    })
    await other.start()
    await until('it comes again', () => again.length === 1)
    assert.deepEqual(again, [[topic, 'again', sent.msgId, 'k', 'Zürich'].join()])
    assert.equal(attempts, 2)
    assert.ok(heartbeats.includes('true true false'), 'subscriptions were left out, and the broker was content')
  })

  it('hears of the end of a broker, and goes on when it is back elsewhere', async () => {
    const { storeDirectory } = broker
    const first = broker.address
    await broker.process.kill()
    await until('the end is told', () => events.some(event => event.type === 'disconnect' && event.address === first))
    broker = await ApacheBroker.start({ nameServerPort: nameServer.port, storeDirectory })
    await until('a send succeeds', () => producer.send({ topic: TOPIC, body: 'after' }, 1_000))
    const { address } = broker
    await until('the move is told', () =>
      events.some(event => event.type === 'routeChange' && event.brokers['broker-apache'] === address)
    )
    // Messages go through another port, so by the next heartbeat.
    await until('the connection is told', () =>
      events.some(event => event.type === 'connect' && event.address === address)
    )
  })
})

/** Every form of a send, on Apache's broker; Apache's consumer reads what was sent. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { after, before, describe, it } from 'node:test'
import { promisify } from 'node:util'
import { BrokerApi } from '../../ts/client/broker-api.js'
import { RemotingClient } from '../../ts/remoting/remoting-client.js'
import type { ProducerOptions, RocketMQError, SendCallback, SendResult } from '../../ts/index.js'
import {
  MessageQueue,
  Producer,
  decodeOffsetMessageId,
  jsonSerializer,
  selectMessageQueueByHash,
  selectMessageQueueByRandom
} from '../../ts/index.js'
import { FakeCluster } from '../integration/helpers/fake-server.js'
import { ApacheBroker, ApacheNameServer } from './helpers/apache-server.js'
import { bodyOf, crcOf } from './helpers/bodies.js'
import type { GroupMember, ReceivedRow } from './helpers/client.js'
import { JavaClient } from './helpers/java-client.js'
import { peerClassPath } from './helpers/java-peer.js'
import { TemporaryDirectory } from './helpers/owned.js'
import { storedRecord } from './helpers/raw-command.js'
import { until } from './helpers/until.js'

const TOPIC = 'SendForms'
const BYTES = 200
const SYS_FLAG_AT = 36

let nameServer: ApacheNameServer
let broker: ApacheBroker
let java: JavaClient
let member: GroupMember
let producer: Producer
let queue: MessageQueue
let index = 0

before(async () => {
  nameServer = await ApacheNameServer.start()
  // More than one thread would store what arrives together in any order.
  const properties = { sendMessageThreadPoolNums: 1 }
  const starting = ApacheBroker.start({ nameServerPort: nameServer.port, properties })
  ;[broker, java] = await Promise.all([starting, JavaClient.start()])
  producer = await start()
  queue = (await producer.send(message())).messageQueue
  member = await java.join({ nameServer: nameServer.address, topic: TOPIC, group: 'send_forms' })
})

after(async () => {
  await producer?.shutdown()
  for (const each of [member, java, broker, nameServer]) await each?.[Symbol.asyncDispose]()
})

async function start(options: Partial<ProducerOptions> = {}): Promise<Producer> {
  const limits = { sendMsgTimeout: 10_000, compressMsgBodyOverHowmuch: 1_000_000 }
  const all = { namesrvAddr: nameServer.address, producerGroup: `p${++index}`, ...limits, ...options }
  const started = new Producer(all)
  await started.start()
  return started
}

/** A message with an index of its own, in the body. */
function message(bytes = BYTES): { topic: string; body: Buffer; tags: string } {
  return { topic: TOPIC, body: bodyOf(++index, bytes), tags: 'TagS' }
}

/** What Apache's consumer was given of the message with this index, its body unharmed. */
async function received(wanted: number, bytes = BYTES): Promise<ReceivedRow> {
  const row = await until(`message ${wanted} arrives`, async () =>
    (await member.received(0)).find(each => each.index === wanted)
  )
  assert.deepEqual([row.bytes, row.crc32, row.tags], [bytes, crcOf(wanted, bytes), 'TagS'])
  return row
}

/** The message is where the result says. */
async function assertStored(result: SendResult, wanted = index, bytes = BYTES): Promise<ReceivedRow> {
  const row = await received(wanted, bytes)
  assert.equal(result.sendStatus, 'SEND_OK')
  const place = [row.msgId, row.queueId, row.queueOffset]
  assert.deepEqual(place, [result.msgId, result.messageQueue.queueId, result.queueOffset.toNumber()])
  assert.equal(decodeOffsetMessageId(result.offsetMsgId).port, broker.port)
  return row
}

function called(send: (callback: SendCallback) => void): Promise<SendResult> {
  return new Promise((resolve, reject) => {
    send((error: RocketMQError | undefined, result) => (result === undefined ? reject(error) : resolve(result)))
  })
}

describe("a send to Apache's broker, read by Apache's consumer", () => {
  const forms: Record<string, (given: ReturnType<typeof message>) => Promise<SendResult>> = {
    '(msg)': given => producer.send(given),
    '(msg, timeout)': given => producer.send(given, 10_000),
    '(msg, queue)': given => producer.send(given, queue),
    '(msg, queue, timeout)': given => producer.send(given, queue, 10_000),
    '(msg, queue, callback)': given => called(callback => producer.send(given, queue, callback)),
    '(msg, selector, arg)': given => producer.send(given, selectMessageQueueByHash, 'order-1'),
    '(msg, selector, arg, timeout)': given => producer.send(given, selectMessageQueueByRandom, undefined, 10_000),
    '(msg, selector, arg, callback)': given =>
      called(callback => producer.send(given, selectMessageQueueByHash, 'order-1', callback)),
    '(msg, callback)': given => called(callback => producer.send(given, callback))
  }
  for (const [form, send] of Object.entries(forms)) {
    it(`as ${form}`, async () => {
      await assertStored(await send(message()))
    })
  }

  const onewayForms: Record<string, (given: ReturnType<typeof message>) => Promise<void>> = {
    '(msg)': given => producer.sendOneway(given),
    '(msg, queue)': given => producer.sendOneway(given, queue),
    '(msg, selector, arg)': given => producer.sendOneway(given, selectMessageQueueByHash, 7)
  }
  for (const [form, send] of Object.entries(onewayForms)) {
    it(`oneway as ${form}`, async () => {
      await send(message())
      await received(index)
    })
  }

  it('as a batch, to a queue in turn, to a given one, and by callback', async () => {
    for (const send of [
      (list: ReturnType<typeof message>[]) => producer.send(list),
      (list: ReturnType<typeof message>[]) => producer.send(list, queue),
      (list: ReturnType<typeof message>[]) => called(callback => producer.send(list, callback))
    ]) {
      const first = index + 1
      const result = await send([message(), message(), message()])
      for (const [i, msgId] of result.msgId.split(',').entries()) {
        const row = await received(first + i)
        const place = [row.msgId, row.queueId, row.queueOffset]
        assert.deepEqual(place, [msgId, result.messageQueue.queueId, result.queueOffset.toNumber() + i])
      }
    }
  })

  it('as a batch that is split by bytes, each message with its own result', async () => {
    const first = index + 1
    const results = await producer.sendBatch(
      Array.from({ length: 50 }, () => message()),
      { maxBytes: 4_000 }
    )
    assert.equal(results.length, 50)
    for (const [i, result] of results.entries()) await assertStored(result, first + i)
  })

  for (const [compressType, bits] of [
    ['ZLIB', 0x301],
    ['LZ4', 0x101],
    ['ZSTD', 0x201]
  ] as const) {
    it(`compressed with ${compressType} off the main thread, in order with small ones of the same tick`, async () => {
      const compressing = await start({ compressType, compressMsgBodyOverHowmuch: 10_000 })
      const first = index + 1
      const sizes = Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? 50_000 : BYTES))
      const results = await Promise.all(sizes.map(bytes => compressing.send(message(bytes), queue)))
      for (const [i, result] of results.entries()) {
        await assertStored(result, first + i, sizes[i])
        const record = await storedRecord(broker.port, TOPIC, queue.queueId, result.queueOffset.toNumber())
        assert.equal(record.readInt32BE(SYS_FLAG_AT) & 0x701, i % 2 === 0 ? bits : 0)
      }
      const offsets = results.map(result => result.queueOffset.toNumber())
      assert.deepEqual(
        offsets,
        [...offsets].sort((a, b) => a - b)
      )
      await compressing.shutdown()
    })
  }

  it('with latency fault tolerance and the detector on', async () => {
    const careful = await start({ sendLatencyFaultEnable: true, startDetectorEnable: true })
    for (let i = 0; i < 5; i++) await assertStored(await careful.send(message()))
    await careful.shutdown()
  })
})

describe('the look of the reachability detector', () => {
  it("is answered by Apache's broker", async () => {
    const remoting = new RemotingClient()
    const api = new BrokerApi(remoting)
    const offset = await api.maxOffset(broker.address, new MessageQueue(TOPIC, '', 0), { timeoutMs: 10_000 })
    assert.ok(offset.gte(0))
    await remoting.close()
  })
})

/** Runs SendInterop.java. */
async function sendInterop(...command: string[]): Promise<Record<string, unknown>[]> {
  using home = new TemporaryDirectory()
  const flags = ['-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', `-Duser.home=${home.path}`]
  const all = [...flags, '-cp', await peerClassPath(), 'SendInterop', ...command]
  const { stdout } = await promisify(execFile)('java', all)
  return JSON.parse(stdout.trim().split('\n').at(-1)!) as Record<string, unknown>[]
}

/** Java's unique ids have an IPv6 address in them where there is one, 24 digits more. */
function ids(value: unknown): string {
  return String(value).replace(/\b[0-9A-F]{32}(?:[0-9A-F]{24})?\b/g, 'ID')
}

/** A result in the words of SendInterop.java, ids and places by their shape. */
function shape(result: Record<string, unknown>): Record<string, unknown> {
  const { msgId, offsetMsgId, transactionId, queueOffset } = result
  const isOwn = transactionId === msgId
  return {
    ...result,
    msgId: ids(msgId),
    offsetMsgId: ids(offsetMsgId),
    queueOffset: typeof queueOffset,
    transactionId: transactionId === null ? null : isOwn ? 'the msgId' : ids(transactionId)
  }
}

function ours(result: SendResult): Record<string, unknown> {
  const { sendStatus, msgId, offsetMsgId, messageQueue, transactionId, recallHandle, regionId, traceOn } = result
  const { topic } = messageQueue
  const queueOffset = result.queueOffset.toNumber()
  return {
    sendStatus,
    msgId,
    offsetMsgId,
    topic,
    queueOffset,
    transactionId,
    recallHandle: recallHandle ?? null,
    regionId,
    traceOn
  }
}

describe('a result', () => {
  for (const namespace of [undefined, 'NS']) {
    it(`says what Java's says, for one message and for a batch${namespace ? ' in a namespace' : ''}`, async () => {
      const topic = 'Results'
      const args = namespace === undefined ? [] : [namespace]
      const byJava = await sendInterop('results', nameServer.address, topic, ...args)
      const sender = await start({ namespace })
      const results = [
        await sender.send({ topic, body: 'single' }),
        await sender.send([
          { topic, body: 'b0' },
          { topic, body: 'b1' }
        ])
      ]
      assert.deepEqual(
        results.map(result => shape(ours(result))),
        byJava.map(shape)
      )
      await sender.shutdown()
    })
  }
})

describe('a producer in a namespace', () => {
  it("is read by Apache's consumer in that namespace", async () => {
    const namespace = 'NS_Interop'
    const sender = new Producer<{ n: number }>({
      namesrvAddr: nameServer.address,
      producerGroup: 'in_namespace',
      namespace,
      serializer: jsonSerializer(),
      sendMsgTimeout: 10_000
    })
    await sender.start()
    const results = [
      await sender.send({ topic: 'Orders', body: { n: 1 } }),
      ...(await sender.sendBatch([{ topic: 'Orders', body: { n: 2 } }]))
    ]
    for (const { messageQueue } of results) assert.equal(messageQueue.topic, 'Orders')
    const rows = await sendInterop('consume', nameServer.address, 'Orders', namespace, '2')
    assert.deepEqual(rows.map(row => row['body']).sort(), ['{"n":1}', '{"n":2}'])
    for (const row of rows) assert.deepEqual([row['topic'], row['instanceId']], ['Orders', namespace])
    await sender.shutdown()
  })
})

/** Of the requests with each code: what the fields of the namespace say. */
async function told(run: (nameServer: string) => Promise<unknown>): Promise<Record<number, unknown>> {
  await using cluster = await FakeCluster.start('a')
  await run(cluster.nameServerAddress)
  const requests = cluster.requests.filter(({ code }) => [105, 310, 320, 35].includes(code))
  return Object.fromEntries(requests.map(({ code, extFields: { nsd, ns } }) => [code, [nsd, ns]]))
}

describe('a producer with namespaceV2', () => {
  it("tells it with the requests with which Java's does", async () => {
    const byJava = await told(nameServerAddress => sendInterop('namespaceV2', nameServerAddress, 'T', 'V2'))
    const byUs = await told(async namesrvAddr => {
      const sender = new Producer({ namesrvAddr, producerGroup: 'v2', namespaceV2: 'V2' })
      await sender.start()
      await sender.send({ topic: 'T', body: 'single' })
      await sender.send([{ topic: 'T', body: 'b0' }])
      await sender.shutdown()
    })
    assert.deepEqual(byUs[310], ['true', 'V2'])
    assert.deepEqual(byUs, byJava)
  })
})

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { gzipSync } from 'node:zlib'
import type { RocketMQError } from '../../../ts/errors.js'
import { AbortedError, ClientStateError, InvalidArgumentError, SendError, TimeoutError } from '../../../ts/errors.js'
import { compressBody } from '../../../ts/message/compression.js'
import { Message, withProperties } from '../../../ts/message/message.js'
import type { MessageExt } from '../../../ts/message/message-ext.js'
import { MessageQueue } from '../../../ts/message/message-queue.js'
import { decodeProperties, encodeProperty } from '../../../ts/message/properties.js'
import { Producer } from '../../../ts/producer/producer.js'
import { createReplyMessage, getReplyToClient } from '../../../ts/producer/reply.js'
import type { FakeSend } from '../helpers/fake-remoting.js'
import { FakeRemoting, registryOf, settle } from '../helpers/fake-remoting.js'

const MESSAGE = { topic: 'T', body: 'ping' }
const OFFSET_ID = '0A00000100002A9F0000000000000001'

async function setUp() {
  const remoting = new FakeRemoting()
  remoting.route({ T: { a: 4 } })
  remoting.onSend = send => send.pending.onSent(0, send.template.queueId, 7, 0, OFFSET_ID, true, undefined)
  const options = { namesrvAddr: '127.0.0.1:9876', producerGroup: 'pg', instanceName: 'shared' }
  const registry = registryOf(remoting)
  const producer = new Producer(options, registry)
  await producer.start()
  return { remoting, producer, awaited: registry.getOrCreate(producer.options, true).awaitedReplies }
}

const second = (queues: readonly MessageQueue[]) => queues[2]!

const never = (): Promise<never> => new Promise(() => undefined)

const propertiesOf = (send: FakeSend): Map<string, string> => decodeProperties(send.fields.properties)

/** A broker pushes this reply. */
function push(remoting: FakeRemoting, correlationId: string, body: Buffer, sysFlag = 0) {
  return remoting.requestHandler('a:10911', {
    code: 326,
    version: 513,
    remark: undefined,
    extFields: {
      producerGroup: 'replier',
      topic: 'C_REPLY_TOPIC',
      queueId: '0',
      sysFlag: String(sysFlag),
      bornTimestamp: '5',
      flag: '1',
      properties: encodeProperty('MSG_TYPE', 'reply') + `CORRELATION_ID\u0001${correlationId}`,
      bornHost: '10.0.0.1:4000',
      storeHost: '0:0:0:0:0:0:0:1:10911',
      storeTimestamp: '6'
    },
    body
  })
}

/** Pushes the reply to the last send. */
function reply(remoting: FakeRemoting, body: Buffer = Buffer.from('pong'), sysFlag = 0) {
  return push(remoting, propertiesOf(remoting.sends.at(-1)!).get('CORRELATION_ID')!, body, sysFlag)
}

describe('a request', () => {
  it('makes the brokers know the client, then travels with a correlation id, and gets its reply', async () => {
    const { remoting, producer } = await setUp()
    const requesting = producer.request(MESSAGE, 5_000)
    await settle()
    assert.ok(remoting.requestsOf(34).length > 0)
    const properties = propertiesOf(remoting.sends[0]!)
    assert.equal(properties.get('REPLY_TO_CLIENT'), producer.clientId)
    assert.equal(properties.get('TTL'), '5000')
    assert.match(properties.get('CORRELATION_ID')!, /^[\da-f-]{36}$/)
    assert.deepEqual(await reply(remoting), { code: 0 })
    const answer = await requesting
    assert.deepEqual([answer.body.toString(), answer.topic, answer.flag], ['pong', 'C_REPLY_TOPIC', 1])
    assert.deepEqual([answer.bornHost, answer.storeHost], ['10.0.0.1:4000', '[0:0:0:0:0:0:0:1]:10911'])
    assert.ok(Number(answer.getProperty('ARRIVE_TIME')) > 0)
    await producer.shutdown()
  })

  it('goes to a queue, or where a selector says, and may tell a callback', async () => {
    const { remoting, producer } = await setUp()
    const forms: ((callback?: (error?: RocketMQError, reply?: MessageExt) => void) => unknown)[] = [
      () => producer.request(MESSAGE, new MessageQueue('T', 'a', 2)),
      () => producer.request(MESSAGE, second, 'arg', { timeoutMs: 900 }),
      callback => producer.request(MESSAGE, new MessageQueue('T', 'a', 2), 900, callback!),
      callback => producer.request(MESSAGE, second, 'arg', callback!),
      callback => producer.request(MESSAGE, second, 'arg', 900, callback!)
    ]
    for (const form of forms) {
      const told: unknown[] = []
      const returned = form((error, answer) => told.push(error, String(answer?.body)))
      await settle()
      assert.equal(remoting.sends.at(-1)!.template.queueId, 2)
      await reply(remoting)
      if (returned === undefined) assert.deepEqual(told, [undefined, 'pong'])
      else assert.equal(String((await (returned as Promise<MessageExt>)).body), 'pong')
    }
    await producer.shutdown()
  })

  it('takes a reply that comes before the answer to the send, and inflates it', async () => {
    const { remoting, producer } = await setUp()
    remoting.onSend = () => undefined
    const requesting = producer.request(MESSAGE)
    await settle()
    await reply(remoting, compressBody('LZ4', Buffer.alloc(3_000, 'x')), 0x101)
    assert.equal((await requesting).body.length, 3_000)
    remoting.sends[0]!.pending.onSent(0, 0, 7, 0, OFFSET_ID, true, undefined)
    await producer.shutdown()
  })

  it('fails with 10006 when no reply comes in time, and what comes later is dropped', async t => {
    const { remoting, producer, awaited } = await setUp()
    t.mock.timers.enable({ apis: ['setTimeout'] })
    const requesting = producer.request(MESSAGE, 700)
    const failed = assert.rejects(requesting, (error: Error) => {
      assert.match(error.message, /was sent, but got no reply within 700 ms: nobody consumes it/)
      return error instanceof TimeoutError && error.clientErrorCode === 10006 && error.timeoutMs === 700
    })
    await settle()
    assert.equal(awaited.size, 1)
    t.mock.timers.tick(700)
    await failed
    assert.equal(awaited.size, 0)
    assert.deepEqual(await reply(remoting), { code: 0 })
    await producer.shutdown()
  })

  for (const [what, stuck, said] of [
    [
      'the route',
      (remoting: FakeRemoting) => remoting.answers.set(105, never),
      /not sent: it found no route.*127\.0\.0\.1:9876/
    ],
    ['a heartbeat', (remoting: FakeRemoting) => remoting.answers.set(34, never), /not sent: .*heartbeat/],
    [
      'the send',
      (remoting: FakeRemoting) => (remoting.onSend = () => undefined),
      /no broker acknowledged it within 700 ms/
    ]
  ] as const) {
    it(`that was not acknowledged in time does not blame the consumer: no answer to ${what}`, async t => {
      const { remoting, producer } = await setUp()
      stuck(remoting)
      t.mock.timers.enable({ apis: ['setTimeout'] })
      const failed = assert.rejects(producer.request(MESSAGE, 700), (error: Error) => {
        assert.ok(error instanceof TimeoutError && error.clientErrorCode === 10002)
        assert.match(error.message, said)
        assert.doesNotMatch(error.message, /consume/)
        return true
      })
      await settle()
      t.mock.timers.tick(700)
      await failed
      t.mock.timers.reset()
      producer.shutdown().catch(() => undefined)
    })
  }

  it('fails as its send does', async () => {
    const { remoting, producer } = await setUp()
    remoting.onSend = send =>
      send.pending.onResponse({ code: 13, version: 0, remark: 'illegal', extFields: {}, body: Buffer.alloc(0) })
    await assert.rejects(producer.request(MESSAGE), SendError)
    await assert.rejects(producer.request({ topic: 'Missing', body: 'x' }), { code: 'RMQ_ROUTE' })
    await assert.rejects(producer.request(MESSAGE, new MessageQueue('Other', 'a', 0)), InvalidArgumentError)
    const told: unknown[] = []
    producer.request({ topic: 'T', body: '' }, error => told.push(error))
    await settle()
    assert.match(String(told), /body is empty/)
    await producer.shutdown()
  })

  it('ends by its signal, before or after it was sent', async () => {
    const { producer } = await setUp()
    await assert.rejects(producer.request(MESSAGE, { signal: AbortSignal.abort() }), AbortedError)
    const controller = new AbortController()
    const requesting = producer.request(MESSAGE, { signal: controller.signal })
    const failed = assert.rejects(requesting, AbortedError)
    await settle()
    controller.abort()
    await failed
    await producer.shutdown()
  })

  it('is failed by the shutdown, and by one before the start', async () => {
    const { producer } = await setUp()
    const failed = assert.rejects(producer.request(MESSAGE, 60_000), ClientStateError)
    await settle()
    await producer.shutdown()
    await failed
    await assert.rejects(producer.request(MESSAGE), ClientStateError)
  })
})

describe('a reply', () => {
  const request = withProperties(new Message(MESSAGE), {
    CLUSTER: 'C',
    CORRELATION_ID: 'id-1',
    REPLY_TO_CLIENT: 'client-1',
    TTL: '3000'
  })

  it('goes to the reply topic of the cluster with SEND_REPLY_MESSAGE_V2, and names who waits', async () => {
    const { remoting, producer } = await setUp()
    remoting.route({ C_REPLY_TOPIC: { a: 1 } })
    assert.equal(getReplyToClient(request), 'client-1')
    await producer.send(createReplyMessage(request, 'pong'))
    await producer.sendOneway(createReplyMessage(request, 'pong'))
    const { template, fields } = remoting.sends[0]!
    assert.deepEqual([template.topic, template.reply, template.batch], ['C_REPLY_TOPIC', true, false])
    const properties = decodeProperties(fields.properties)
    assert.deepEqual(
      ['MSG_TYPE', 'CORRELATION_ID', 'REPLY_TO_CLIENT', 'TTL'].map(name => properties.get(name)),
      ['reply', 'id-1', 'client-1', '3000']
    )
    assert.equal(remoting.onewaySends[0]!.template.reply, true)
    await producer.send({ topic: 'C_REPLY_TOPIC', body: 'no reply' })
    assert.equal(remoting.sends.at(-1)!.template.reply, false)
    await producer.shutdown()
  })

  it('cannot be made for a message that says no cluster: 10007', () => {
    assert.throws(
      () => createReplyMessage(new Message(MESSAGE), 'pong'),
      (error: Error) => error instanceof InvalidArgumentError && error.clientErrorCode === 10007
    )
  })

  it('that holds no message is answered with an error', async () => {
    const { remoting, producer } = await setUp()
    const rubbish = Promise.resolve().then(() => push(remoting, 'id', gzipSync('x').subarray(0, 9), 0x301))
    await assert.rejects(rubbish, { code: 'RMQ_PROTOCOL' })
    await producer.shutdown()
  })
})

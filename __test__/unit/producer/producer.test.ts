import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, it } from 'node:test'
import { gunzipSync, inflateSync } from 'node:zlib'
import {
  ClientStateError,
  ConfigError,
  ConnectionError,
  InvalidArgumentError,
  RouteError,
  TimeoutError
} from '../../../ts/errors.js'
import { Message } from '../../../ts/message/message.js'
import { MessageQueue } from '../../../ts/message/message-queue.js'
import { decodeProperties } from '../../../ts/message/properties.js'
import type { ProducerOptions } from '../../../ts/producer/options.js'
import { Producer } from '../../../ts/producer/producer.js'
import { selectMessageQueueByHash, selectMessageQueueByRandom } from '../../../ts/producer/queue-selector.js'
import type { SendCallback, SendResult } from '../../../ts/producer/types.js'
import type { FakeSend } from '../helpers/fake-remoting.js'
import { FakeRemoting, registryOf, settle } from '../helpers/fake-remoting.js'

const OFFSET_ID = '0A00000100002A9F0000000000000001'
const OPTIONS: ProducerOptions = { namesrvAddr: '127.0.0.1:9876', producerGroup: 'pg' }

/** Answers a send as a broker that stored it. */
function stored(send: FakeSend, queueOffset = 7): void {
  send.pending.onSent(0, send.template.queueId, queueOffset, 0, OFFSET_ID, true, undefined)
}

async function started(remoting: FakeRemoting, options: Partial<ProducerOptions> = {}): Promise<Producer> {
  const producer = new Producer({ ...OPTIONS, ...options }, registryOf(remoting))
  await producer.start()
  return producer
}

const byIndex = (queues: readonly MessageQueue[], _message: Message, index: number) => queues[index]!

const thrower = (): MessageQueue => {
  throw new Error('mine')
}

const firstQueue = (queues: readonly MessageQueue[]) => queues[0]!

/** The end of a send with a callback; nothing else may come back from it. */
function resultOf(send: (callback: SendCallback) => unknown): Promise<SendResult> {
  return new Promise((resolve, reject) => {
    const returned = send((error, value) => (value === undefined ? reject(error) : resolve(value)))
    assert.equal(returned, undefined)
  })
}

function routed(brokers: Record<string, number> = { a: 2, b: 2 }): FakeRemoting {
  const remoting = new FakeRemoting()
  remoting.route({ T: brokers })
  remoting.onSend = send => stored(send)
  return remoting
}

describe('the life of a producer', () => {
  it('goes from CREATE_JUST over RUNNING to SHUTDOWN_ALREADY', async () => {
    const remoting = routed()
    const producer = new Producer(OPTIONS, registryOf(remoting))
    await producer.shutdown()
    assert.equal(producer.state, 'CREATE_JUST')
    await producer.start()
    assert.equal(producer.state, 'RUNNING')
    await producer.shutdown()
    await producer.shutdown()
    assert.equal(producer.state, 'SHUTDOWN_ALREADY')
    assert.equal(remoting.closed, true)
  })

  it('refuses sends before the start and after the end, and a second start', async () => {
    const producer = new Producer(OPTIONS, registryOf(routed()))
    const send = () => producer.send({ topic: 'T', body: 'b' })
    await assert.rejects(send(), /not running \(CREATE_JUST\): call start/)
    await producer.start()
    await assert.rejects(producer.start(), ClientStateError)
    await producer.shutdown()
    await assert.rejects(send(), /not running \(SHUTDOWN_ALREADY\)/)
    await assert.rejects(producer.start(), ClientStateError)
    await assert.rejects(producer.sendOneway({ topic: 'T', body: 'b' }), ClientStateError)
    await assert.rejects(producer.fetchPublishMessageQueues('T'), ClientStateError)
  })

  it('ends in START_FAILED, with nothing left behind, when the group is unfit or no name server is known', async () => {
    const registry = registryOf(routed())
    for (const [options, type] of [
      [{ ...OPTIONS, producerGroup: 'DEFAULT_PRODUCER' }, ConfigError],
      [{ ...OPTIONS, namesrvAddr: () => Promise.reject(new Error('nowhere')) }, RouteError]
    ] as const) {
      const producer = new Producer(options, registry)
      await assert.rejects(producer.start(), type)
      assert.equal(producer.state, 'START_FAILED')
      assert.equal(registry.size, 0)
    }
  })

  it('fails for a group that exists on its client, and may be started once the other is gone', async () => {
    const registry = registryOf(routed())
    const options = { ...OPTIONS, instanceName: 'shared' }
    const first = new Producer(options, registry)
    const second = new Producer(options, registry)
    await first.start()
    await assert.rejects(second.start(), /group pg exists on client .*@shared/)
    assert.equal(second.state, 'CREATE_JUST')
    await first.shutdown()
    await second.start()
    assert.equal(second.state, 'RUNNING')
    await second.shutdown()
  })

  it('does not wait at its end for what was refused', async () => {
    const producer = await started(routed())
    const anything = producer.send.bind(producer) as (...args: unknown[]) => Promise<SendResult>
    await assert.rejects(anything([{ topic: 'T', body: 'b' }], firstQueue, 0), /a batch cannot be sent by a selector/)
    await producer.shutdown()
    assert.equal(producer.state, 'SHUTDOWN_ALREADY')
  })

  it('waits at its end for the sends under way', async () => {
    const remoting = routed()
    remoting.onSend = () => undefined
    const producer = await started(remoting)
    const sending = producer.send({ topic: 'T', body: 'b' })
    await settle()
    let ended = false
    const ending = producer.shutdown().then(() => (ended = true))
    await settle()
    assert.equal(ended, false)
    stored(remoting.sends[0]!)
    assert.equal((await sending).sendStatus, 'SEND_OK')
    await ending
    assert.equal(remoting.closed, true)
  })

  it('does not wait at its end when the signal says so', async () => {
    const remoting = routed()
    remoting.onSend = () => undefined
    const producer = await started(remoting)
    const sending = producer.send({ topic: 'T', body: 'b' })
    await settle()
    await producer.shutdown({ signal: AbortSignal.abort() })
    assert.equal(remoting.closed, true)
    remoting.sends[0]!.pending.onFailed(new ClientStateError('closed'))
    await assert.rejects(sending, ClientStateError)
  })

  it('is disposed of by await using', async () => {
    const remoting = routed()
    {
      await using producer = await started(remoting)
      await producer.send({ topic: 'T', body: 'b' })
    }
    assert.equal(remoting.closed, true)
  })
})

describe('the forms of send', () => {
  it('one queue object given to several producers: each sends with a header of its own', async () => {
    const remoting = routed()
    const registry = registryOf(remoting)
    const producers = ['one', 'two'].map(producerGroup => new Producer({ ...OPTIONS, producerGroup }, registry))
    for (const producer of producers) await producer.start()
    const mq = new MessageQueue('T', 'a', 1)
    for (const producer of [...producers, ...producers]) await producer.send({ topic: 'T', body: 'b' }, mq)
    assert.deepEqual(
      remoting.sends.map(({ template }) => template.producerGroup),
      ['one', 'two', 'one', 'two']
    )
    for (const producer of producers) await producer.shutdown()
  })

  it('a list after a message, and a message after it, to one queue object: each as what it is', async () => {
    const remoting = routed()
    await using producer = await started(remoting)
    const mq = new MessageQueue('T', 'a', 1)
    const message = { topic: 'T', body: 'b' }
    for (const sent of [message, [message, message], message]) await producer.send(sent as typeof message, mq)
    assert.deepEqual(
      remoting.sends.map(({ template }) => template.batch),
      [false, true, false]
    )
  })

  it('to a topic that nobody may send to: refused each time, also where its route is known', async () => {
    const remoting = routed()
    remoting.route({ SELF_TEST_TOPIC: { a: 1 } })
    await using producer = await started(remoting, { topics: ['SELF_TEST_TOPIC'] })
    await settle()
    for (let tries = 0; tries < 2; tries++) {
      await assert.rejects(producer.send({ topic: 'SELF_TEST_TOPIC', body: 'b' }), /SELF_TEST_TOPIC is forbidden/)
    }
  })

  it('a topic that has moved: sends go where the new route says', async () => {
    const remoting = routed({ a: 1 })
    await using producer = await started(remoting, { retryTimesWhenSendFailed: 0 })
    await producer.send({ topic: 'T', body: 'b' })
    remoting.route({ T: { b: 1 } })
    remoting.onSend = send => send.pending.onFailed(new ConnectionError('gone', send.address))
    // The route is asked for anew after that.
    await assert.rejects(producer.send({ topic: 'T', body: 'b' }))
    await settle()
    remoting.onSend = send => stored(send)
    await producer.send({ topic: 'T', body: 'b' })
    assert.deepEqual(
      remoting.sends.map(({ template }) => template.brokerName),
      ['a', 'a', 'b']
    )
  })

  it('a message: next queue in turn, header template, properties and result', async t => {
    t.mock.timers.enable({ apis: ['Date'], now: 1_000_000 })
    const remoting = routed()
    await using producer = await started(remoting)
    const message = new Message({ topic: 'T', body: 'hello', tags: 'TagA', keys: 'k', flag: 5 })
    const result = await producer.send(message)
    const send = remoting.sends[0]!
    const { brokerName, queueId } = send.template
    assert.deepEqual(send.template, {
      producerGroup: 'pg',
      topic: 'T',
      defaultTopic: 'TBW102',
      defaultTopicQueueNums: 4,
      queueId,
      brokerName,
      unitMode: false,
      batch: false,
      reply: false
    })
    assert.equal(send.address, `${brokerName}:10911`)
    assert.equal(send.timeoutMs, 3000)
    assert.deepEqual([send.fields.flag, send.fields.sysFlag, String(send.fields.body)], [5, 0, 'hello'])
    const properties = decodeProperties(send.fields.properties)
    assert.equal(properties.get('UNIQ_KEY'), result.msgId)
    assert.equal(properties.get('TAGS'), 'TagA')
    assert.deepEqual(
      [result.sendStatus, result.offsetMsgId, result.queueOffset.toNumber(), result.regionId, result.traceOn],
      ['SEND_OK', OFFSET_ID, 7, 'DefaultRegion', true]
    )
    assert.deepEqual([result.messageQueue.brokerName, result.messageQueue.queueId], [brokerName, queueId])
    assert.equal(result.transactionId, result.msgId)
  })

  it('leaves the message as it was, and gives each send an id of its own', async () => {
    const remoting = routed()
    await using producer = await started(remoting)
    const message = new Message({ topic: 'T', body: 'b' })
    const before = message.properties
    const [first, second] = [await producer.send(message), await producer.send(message)]
    assert.deepEqual(message.properties, before)
    assert.notEqual(first.msgId, second.msgId)
  })

  it('goes round the queues and registers one header template for each', async () => {
    const remoting = routed()
    await using producer = await started(remoting)
    for (let times = 0; times < 8; times++) await producer.send({ topic: 'T', body: 'b' })
    const keys = remoting.sends.map(({ template }) => `${template.brokerName}${template.queueId}`)
    assert.deepEqual(new Set(keys.slice(0, 4)), new Set(['a0', 'a1', 'b0', 'b1']))
    assert.deepEqual(keys.slice(0, 4), keys.slice(4))
    assert.equal(remoting.templateCount, 4)
  })

  it('to a queue the caller names', async () => {
    const remoting = routed()
    await using producer = await started(remoting)
    const [, , queue] = await producer.fetchPublishMessageQueues('T')
    assert.equal((await producer.send({ topic: 'T', body: 'b' }, queue!)).messageQueue, queue)
    assert.equal((await producer.send({ topic: 'T', body: 'b' }, queue!, 100)).messageQueue, queue)
    assert.equal(remoting.sends[1]!.timeoutMs, 100)
    await assert.rejects(producer.send({ topic: 'T', body: 'b' }, new MessageQueue('U', 'a', 0)), /cannot be sent to/)
    await assert.rejects(producer.send({ topic: 'T', body: 'b' }, new MessageQueue('T', 'zz', 0)), /broker zz/)
  })

  it('to the queue a selector chooses', async () => {
    const remoting = routed()
    await using producer = await started(remoting)
    const message = { topic: 'T', body: 'b' }
    assert.equal((await producer.send(message, byIndex, 1)).messageQueue.key, 'T@a@1')
    assert.equal((await producer.send(message, byIndex, 2, { timeoutMs: 50 })).messageQueue.key, 'T@b@0')
    assert.equal(remoting.sends[1]!.timeoutMs, 50)
    await producer.send(message, selectMessageQueueByRandom, undefined)
    const hashed = await Promise.all([1, 2].map(() => producer.send(message, selectMessageQueueByHash, 'order-1')))
    assert.equal(hashed[0]!.messageQueue.key, hashed[1]!.messageQueue.key)
    await assert.rejects(producer.send(message, byIndex, 9), InvalidArgumentError)
    await assert.rejects(producer.send(message, thrower, 0), { code: 'RMQ_ARGUMENT', message: /selector threw/ })
  })

  it('with a callback in the last place, for all of them', async () => {
    const remoting = routed()
    await using producer = await started(remoting)
    const queue = new MessageQueue('T', 'a', 1)
    const message = { topic: 'T', body: 'b' }
    assert.equal((await resultOf(callback => producer.send(message, callback))).sendStatus, 'SEND_OK')
    assert.equal((await resultOf(callback => producer.send(message, 77, callback))).sendStatus, 'SEND_OK')
    assert.equal(remoting.sends.at(-1)!.timeoutMs, 77)
    assert.equal((await resultOf(callback => producer.send(message, queue, callback))).messageQueue, queue)
    assert.equal(
      (await resultOf(callback => producer.send(message, queue, { timeoutMs: 5 }, callback))).messageQueue,
      queue
    )
    assert.equal(
      (await resultOf(callback => producer.send(message, firstQueue, 0, callback))).messageQueue.key,
      'T@a@0'
    )
    assert.equal(
      (await resultOf(callback => producer.send(message, firstQueue, 0, 9, callback))).messageQueue.key,
      'T@a@0'
    )
    await assert.rejects(
      resultOf(callback => producer.send({ topic: '', body: 'b' }, callback)),
      InvalidArgumentError
    )
  })

  it('refuses arguments that fit no form', async () => {
    await using producer = await started(routed())
    const send = producer.send.bind(producer) as (...args: unknown[]) => Promise<unknown>
    for (const args of [[0], [{ timeoutMs: -1 }], ['x'], [{}, {}], [NaN]]) {
      await assert.rejects(send({ topic: 'T', body: 'b' }, ...args), InvalidArgumentError)
    }
    await assert.rejects(send(undefined), InvalidArgumentError)
  })

  it('a batch: one request, comma-joined ids, no compression', async () => {
    const remoting = routed()
    await using producer = await started(remoting, { compressMsgBodyOverHowmuch: 10 })
    const result = await producer.send([
      { topic: 'T', body: 'x'.repeat(20) },
      { topic: 'T', body: 'y'.repeat(20) }
    ])
    const [send] = remoting.sends
    assert.equal(send!.template.batch, true)
    assert.equal(send!.fields.sysFlag, 0)
    assert.match(result.msgId, /^[0-9A-F]{32,56},[0-9A-F]{32,56}$/)
    assert.ok(!result.msgId.includes(result.transactionId))
    await assert.rejects(producer.send([]), InvalidArgumentError)
    await assert.rejects(producer.send([{ topic: 'T', body: '' }]), /body is empty/)
  })

  it('oneway: in turn, to a queue, by a selector; nobody answers', async () => {
    const remoting = routed()
    await using producer = await started(remoting)
    const message = { topic: 'T', body: 'b' }
    await producer.sendOneway(message)
    await producer.sendOneway(message, new MessageQueue('T', 'b', 1))
    await producer.sendOneway(message, queues => queues[0]!, undefined)
    assert.equal(remoting.sends.length, 0)
    const keys = remoting.onewaySends.map(({ template }) => `${template.brokerName}${template.queueId}`)
    assert.deepEqual(keys.slice(1), ['b1', 'a0'])
    await assert.rejects(producer.sendOneway({ topic: 'T', body: '' }), InvalidArgumentError)
  })

  it('leaves a body as it is that compression makes no shorter, and says so', async () => {
    const remoting = routed()
    const body = randomBytes(5_000)
    for (const compressType of ['ZLIB', 'LZ4', 'ZSTD'] as const) {
      await using producer = await started(remoting, { compressType })
      await producer.send({ topic: 'T', body })
      const { fields } = remoting.sends.at(-1)!
      assert.equal(fields.sysFlag, 0)
      assert.equal(fields.body, body)
    }
  })

  it('compresses bodies from compressMsgBodyOverHowmuch on and says how in the system flag', async () => {
    const remoting = routed()
    await using producer = await started(remoting)
    const body = Buffer.alloc(4096, 'z')
    await producer.send({ topic: 'T', body: body.subarray(1) })
    await producer.send({ topic: 'T', body })
    const [plain, compressed] = remoting.sends.map(send => send.fields)
    assert.deepEqual([plain!.sysFlag, plain!.body.length], [0, 4095])
    assert.equal(compressed!.sysFlag, 0x1 | 0x300)
    assert.deepEqual(inflateSync(compressed!.body), body)
    assert.throws(() => gunzipSync(compressed!.body))
  })
})

describe('the route of a topic', () => {
  it('that does not exist is that of the template, clipped, until the topic exists', async () => {
    const remoting = routed()
    remoting.route({ TBW102: { a: 8 } })
    await using producer = await started(remoting)
    const queues = new Set<number>()
    for (let times = 0; times < 8; times++)
      queues.add((await producer.send({ topic: 'New', body: 'b' })).messageQueue.queueId)
    assert.deepEqual([...queues].sort(), [0, 1, 2, 3])
    assert.equal(remoting.sends[0]!.template.topic, 'New')
  })

  it('is asked for once, however many sends wait for it', async () => {
    const remoting = routed()
    await using producer = await started(remoting)
    await Promise.all(Array.from({ length: 10 }, () => producer.send({ topic: 'T', body: 'b' })))
    assert.equal(remoting.requestsOf(105).length, 1)
  })

  it('that nobody knows is an error that says why', async () => {
    const remoting = routed()
    remoting.route({})
    await using producer = await started(remoting)
    await assert.rejects(
      producer.send({ topic: 'Nowhere', body: 'b' }),
      (error: unknown) =>
        error instanceof RouteError && error.clientErrorCode === 10005 && /does not exist/.test(error.message)
    )
  })

  it('that does not come in time ends the send', async t => {
    const remoting = routed()
    t.mock.method(remoting, 'invoke', () => new Promise(() => undefined))
    await using producer = await started(remoting)
    t.mock.timers.enable({ apis: ['setTimeout', 'Date'], now: 5_000 })
    const sends = [
      producer.send({ topic: 'T', body: 'b' }),
      producer.send({ topic: 'T', body: 'b' }, queues => queues[0]!, 0)
    ]
    t.mock.timers.tick(3000)
    for (const send of sends) await assert.rejects(send, TimeoutError)
    const named = producer.send({ topic: 'T', body: 'b' }, new MessageQueue('T', 'a', 0), 200)
    t.mock.timers.tick(200)
    await assert.rejects(named, TimeoutError)
  })

  it('that does not come in time is missed by an error that names the name servers waited for', async t => {
    const remoting = routed()
    t.mock.method(remoting, 'invoke', () => new Promise(() => undefined))
    await using producer = await started(remoting, { namesrvAddr: '127.0.0.1:9876;127.0.0.2:9876' })
    t.mock.timers.enable({ apis: ['setTimeout', 'Date'], now: 5_000 })
    const message = { topic: 'T', body: 'b' }
    const waiting = [producer.send(message, 200), producer.send(message, new MessageQueue('T', 'a', 0), 200)]
    t.mock.timers.tick(200)
    for (const [index, what] of ['found no route within 200 ms', 'whose address is not known'].entries()) {
      await assert.rejects(waiting[index]!, (error: Error) => {
        assert.ok(error instanceof TimeoutError)
        assert.ok(error.message.includes(what), error.message)
        assert.match(error.message, /\(127\.0\.0\.1:9876, 127\.0\.0\.2:9876; 127\.0\.0\.[12]:9876 is being asked\)/)
        assert.match(error.message, /addresses are from the option namesrvAddr: check/)
        return true
      })
    }
  })
})

describe('questions about queues', () => {
  it('offsets are asked of the master of the queue', async () => {
    const remoting = routed()
    for (const [code, offset] of [
      [29, '11'],
      [30, '12'],
      [31, '9007199254740993']
    ] as const) {
      remoting.answers.set(code, () => ({ extFields: { offset } }))
    }
    await using producer = await started(remoting)
    const queue = new MessageQueue('T', 'b', 1)
    assert.equal(String(await producer.searchOffset(queue, new Date(1234))), '11')
    assert.equal(String(await producer.maxOffset(queue)), '12')
    assert.equal(String(await producer.minOffset(queue)), '9007199254740993')
    const [search] = remoting.requestsOf(29)
    assert.equal(search!.address, 'b:10911')
    assert.deepEqual(search!.extFields, { topic: 'T', queueId: 1, bname: 'b', timestamp: 1234 })
  })

  it('an answer without an offset is a protocol error, an error answer a broker error', async () => {
    const remoting = routed()
    remoting.answers.set(30, () => ({}))
    remoting.answers.set(31, () => ({ code: 17, remark: 'no topic' }))
    await using producer = await started(remoting)
    await assert.rejects(producer.maxOffset(new MessageQueue('T', 'a', 0)), { code: 'RMQ_PROTOCOL' })
    await assert.rejects(producer.minOffset(new MessageQueue('T', 'a', 0)), { code: 'RMQ_BROKER', responseCode: 17 })
  })

  it('a topic is created on all brokers of its template, each asked up to five times', async () => {
    const remoting = new FakeRemoting()
    remoting.route({ TBW102: { a: 8, b: 8 } })
    remoting.answers.set(17, ({ address }) => (address === 'a:10911' ? { code: 1, remark: 'no' } : {}))
    await using producer = await started(remoting)
    await producer.createTopic('TBW102', 'New', 3)
    const asked = remoting.requestsOf(17)
    assert.equal(asked.filter(request => request.address === 'a:10911').length, 5)
    const created = asked.find(request => request.address === 'b:10911')!
    const { topic, readQueueNums, writeQueueNums, perm, defaultTopic } = created.extFields
    assert.deepEqual([topic, readQueueNums, writeQueueNums, perm, defaultTopic], ['New', 3, 3, 6, 'TBW102'])
    remoting.answers.set(17, () => ({ code: 1, remark: 'no' }))
    await assert.rejects(producer.createTopic('TBW102', 'New', 3), { code: 'RMQ_BROKER', responseCode: 1 })
    await assert.rejects(producer.createTopic('TBW102', 'SELF_TEST_TOPIC', 3), InvalidArgumentError)
    await assert.rejects(producer.createTopic('Missing', 'New', 3), RouteError)
  })
})

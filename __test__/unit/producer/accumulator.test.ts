import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { AbortedError, ConnectionError, InvalidArgumentError, ProtocolError, SendError } from '../../../ts/errors.js'
import { Message } from '../../../ts/message/message.js'
import { MessageQueue } from '../../../ts/message/message-queue.js'
import { decodeProperties } from '../../../ts/message/properties.js'
import type { ProducerOptions } from '../../../ts/producer/options.js'
import { Producer } from '../../../ts/producer/producer.js'
import type { SendResult } from '../../../ts/producer/types.js'
import type { FakeSend } from '../helpers/fake-remoting.js'
import { FakeRemoting, registryOf, settle } from '../helpers/fake-remoting.js'

const OPTIONS: ProducerOptions = { namesrvAddr: '127.0.0.1:9876', producerGroup: 'pg', autoBatch: true }

/** Bodies and properties of the messages in a batch. */
function elementsOf({ fields: { body } }: FakeSend): { body: string; properties: Map<string, string> }[] {
  const batch = Buffer.from(body)
  const elements = []
  for (let at = 0; at < batch.length; at += batch.readInt32BE(at)) {
    const propertiesAt = at + 20 + batch.readInt32BE(at + 16)
    const properties = batch.toString('utf8', propertiesAt + 2, at + batch.readInt32BE(at))
    elements.push({ body: batch.toString('utf8', at + 20, propertiesAt), properties: decodeProperties(properties) })
  }
  return elements
}

const bodiesOf = (send: FakeSend): string[] => elementsOf(send).map(({ body }) => body)

const byIndex = (queues: readonly MessageQueue[], _message: Message, index: number) => queues[index]!

/** Answers a batch, or a single message, as a broker that stored it. */
function stored(send: FakeSend, queueOffset = 100): void {
  const count = send.template.batch ? elementsOf(send).length : 1
  const ids = Array.from({ length: count }, (_, index) => `ID${queueOffset + index}`)
  send.pending.onSent(0, send.template.queueId, queueOffset, 0, ids.join(','), true, undefined)
}

/** A started producer that knows the route of T. */
async function started(
  options: Partial<ProducerOptions> = {},
  brokers: Record<string, number> = { a: 2 }
): Promise<{ remoting: FakeRemoting; producer: Producer }> {
  const remoting = new FakeRemoting()
  remoting.route({ T: brokers })
  remoting.onSend = send => stored(send)
  const producer = new Producer({ ...OPTIONS, ...options }, registryOf(remoting))
  await producer.start()
  await producer.send({ topic: 'T', body: 'first' })
  remoting.sends.length = 0
  return { remoting, producer }
}

const hold = (remoting: FakeRemoting): void => void (remoting.onSend = () => undefined)

describe('automatic batching', () => {
  it('lets the messages of one tick travel as one request, and gives each its own result', async () => {
    const { remoting, producer } = await started()
    const results = await Promise.all(['a', 'b', 'c'].map(body => producer.send({ topic: 'T', body, tags: 'x' })))
    assert.equal(remoting.sends.length, 1)
    const [send] = remoting.sends
    assert.equal(send!.template.batch, true)
    assert.deepEqual(bodiesOf(send!), ['a', 'b', 'c'])
    assert.deepEqual(
      results.map(({ msgId }) => msgId),
      elementsOf(send!).map(({ properties }) => properties.get('UNIQ_KEY'))
    )
    assert.deepEqual(
      results.map(({ offsetMsgId, queueOffset, messageQueue, sendStatus }) => [
        offsetMsgId,
        queueOffset.toNumber(),
        messageQueue.queueId,
        sendStatus
      ]),
      [0, 1, 2].map(index => [`ID${100 + index}`, 100 + index, send!.template.queueId, 'SEND_OK'])
    )
    await producer.shutdown()
  })

  it('is off by default', async () => {
    const { remoting, producer } = await started({ autoBatch: false })
    await Promise.all(['a', 'b'].map(body => producer.send({ topic: 'T', body })))
    assert.deepEqual(
      remoting.sends.map(({ template }) => template.batch),
      [false, false]
    )
    await producer.shutdown()
  })

  it('counts queue offsets beyond 32 bits', async () => {
    const { remoting, producer } = await started()
    remoting.onSend = send => send.pending.onSent(0, 0, -1, 2, 'A,B', true, undefined)
    const results = await Promise.all([1, 2].map(() => producer.send({ topic: 'T', body: 'b' })))
    assert.deepEqual(
      results.map(({ queueOffset }) => queueOffset.toString()),
      [String(3 * 2 ** 32 - 1), String(3 * 2 ** 32)]
    )
    await producer.shutdown()
  })

  it('keeps apart what differs in topic, queue, tags, waitStoreMsgOK, or way of answering', async () => {
    const { remoting, producer } = await started()
    remoting.route({ T: { a: 2 }, U: { a: 2 } })
    const mq = new MessageQueue('T', 'a', 1)
    const message = { topic: 'T', body: 'b' }
    const called = new Promise<SendResult>((resolve, reject) =>
      producer.send(message, (error: unknown, result?: SendResult) =>
        result === undefined ? reject(error) : resolve(result)
      )
    )
    const kinds: Promise<SendResult>[] = [called]
    for (let times = 0; times < 2; times++) {
      kinds.push(
        producer.send(message),
        producer.send({ ...message, topic: 'U' }),
        producer.send(message, mq),
        producer.send({ ...message, tags: 'x' }),
        producer.send({ ...message, waitStoreMsgOK: false })
      )
    }
    await Promise.all(kinds)
    assert.deepEqual(remoting.sends.map(send => elementsOf(send).length).sort(), [1, 2, 2, 2, 2, 2])
    await producer.shutdown()
  })

  it('sends to the queue that a selector chooses', async () => {
    const { remoting, producer } = await started({}, { a: 4 })
    await Promise.all([3, 3, 1, 3].map(index => producer.send({ topic: 'T', body: `${index}` }, byIndex, index)))
    assert.deepEqual(
      remoting.sends.map(send => [send.template.queueId, bodiesOf(send)]),
      [
        [3, ['3', '3', '3']],
        [1, ['1']]
      ]
    )
    await producer.shutdown()
  })

  it('leaves alone what may not be batched, is compressed, or has a timeout of its own', async () => {
    const { remoting, producer } = await started()
    remoting.route({ T: { a: 2 }, '%RETRY%g': { a: 1 } })
    const prioritized = new Message({ topic: 'T', body: 'p' })
    prioritized.priority = 3
    const large = await started({ maxMessageSize: 1000 })
    await Promise.all([
      producer.send({ topic: 'T', body: 'd', delayTimeLevel: 1 }),
      producer.send({ topic: '%RETRY%g', body: 'r' }),
      producer.send({ topic: 'T', body: Buffer.alloc(4096) }),
      large.producer.send({ topic: 'T', body: Buffer.alloc(500) }),
      producer.send(prioritized),
      producer.send({ topic: 'T', body: 't' }, 1000)
    ])
    assert.equal(remoting.sends.length, 5)
    assert.ok([...remoting.sends, ...large.remoting.sends].every(({ template }) => !template.batch))
    await large.producer.shutdown()
    await producer.shutdown()
  })

  it('keeps the order of messages to a chosen queue that differ in tags', async () => {
    const { remoting, producer } = await started()
    const mq = new MessageQueue('T', 'a', 1)
    const other = new MessageQueue('T', 'a', 0)
    const tags = ['x', 'x', 'y', 'x']
    await Promise.all([
      ...tags.map((tag, index) => producer.send({ topic: 'T', body: `${index}`, tags: tag }, mq)),
      producer.send({ topic: 'T', body: 'elsewhere', tags: 'y' }, other)
    ])
    assert.deepEqual(remoting.sends.map(bodiesOf), [['0', '1'], ['2'], ['3'], ['elsewhere']])
    await producer.shutdown()
  })

  it('lets no message to a chosen queue overtake those held for it', async () => {
    const { remoting, producer } = await started()
    const mq = new MessageQueue('T', 'a', 1)
    await Promise.all([
      producer.send({ topic: 'T', body: '1' }, mq),
      producer.send({ topic: 'T', body: Buffer.alloc(5000) }, mq)
    ])
    assert.deepEqual(
      remoting.sends.map(({ template }) => template.batch),
      [true, false]
    )
    await producer.shutdown()
  })

  it('sends a batch at once that has enough messages', async () => {
    const { remoting, producer } = await started({ batchMaxMessages: 2 })
    const sends = Array.from({ length: 5 }, (_, index) => producer.send({ topic: 'T', body: `${index}` }))
    assert.deepEqual(remoting.sends.map(bodiesOf), [
      ['0', '1'],
      ['2', '3']
    ])
    await Promise.all(sends)
    assert.deepEqual(bodiesOf(remoting.sends[2]!), ['4'])
    await producer.shutdown()
  })

  it('never lets a batch of several messages grow beyond its bytes', async () => {
    const { remoting, producer } = await started({ batchMaxBytes: 1000 })
    const bodies = ['a', 'b', 'c', 'd', 'e'].map(letter => letter.repeat(letter === 'c' ? 499 : 200))
    await Promise.all(bodies.map(body => producer.send({ topic: 'T', body })))
    assert.deepEqual(
      remoting.sends.map(send => bodiesOf(send).map(body => body[0])),
      [['a', 'b'], ['c', 'd'], ['e']]
    )
    assert.ok(remoting.sends.every(({ fields }) => fields.body.length <= 1000))
    await producer.shutdown()
  })

  it('makes messages wait while four batches of their kind are under way, and lets them go with the next answer', async t => {
    t.mock.timers.enable({ apis: ['setTimeout'] })
    const { remoting, producer } = await started()
    hold(remoting)
    const all: Promise<SendResult>[] = []
    for (let index = 0; index < 7; index++) {
      all.push(producer.send({ topic: 'T', body: `${index}` }))
      await settle()
    }
    assert.deepEqual(remoting.sends.map(bodiesOf), [['0'], ['1'], ['2'], ['3']])
    stored(remoting.sends[1]!)
    await all[1]
    all.push(producer.send({ topic: 'T', body: 'sent when 1 was answered' }))
    await settle()
    assert.deepEqual(bodiesOf(remoting.sends[4]!), ['4', '5', '6', 'sent when 1 was answered'])
    for (const send of [0, 2, 3, 4]) stored(remoting.sends[send]!)
    await Promise.all(all)
    await producer.shutdown()
  })

  it('makes messages wait no longer than batchMaxDelayMs', async t => {
    t.mock.timers.enable({ apis: ['setTimeout'] })
    const { remoting, producer } = await started({ batchMaxDelayMs: 25 })
    hold(remoting)
    const all: Promise<SendResult>[] = []
    for (let index = 0; index < 5; index++) {
      all.push(producer.send({ topic: 'T', body: `${index}` }))
      await settle()
    }
    t.mock.timers.tick(24)
    await settle()
    assert.equal(remoting.sends.length, 4)
    t.mock.timers.tick(1)
    await settle()
    assert.equal(remoting.sends.length, 5)
    remoting.sends.forEach(send => stored(send))
    await Promise.all(all)
    await producer.shutdown()
  })

  it('sends one by one while totalBatchMaxBytes are under way in batches', async () => {
    const { remoting, producer } = await started({ totalBatchMaxBytes: 200 })
    hold(remoting)
    const send = () => producer.send({ topic: 'T', body: Buffer.alloc(300) })
    const all = [send()]
    await settle()
    all.push(send())
    await settle()
    assert.deepEqual(
      remoting.sends.map(({ template }) => template.batch),
      [true, false]
    )
    remoting.sends.forEach(each => stored(each))
    await Promise.all(all)
    all.push(send())
    await settle()
    assert.equal(remoting.sends[2]!.template.batch, true)
    stored(remoting.sends[2]!)
    await Promise.all(all)
    await producer.shutdown()
  })

  it('tells every sender of a batch that failed, after the attempts of any send', async () => {
    const { remoting, producer } = await started({}, { a: 1, b: 1 })
    remoting.onSend = ({ pending }) => pending.onFailed(new ConnectionError('gone', 'a:10911'))
    const outcomes = await Promise.allSettled(['1', '2'].map(body => producer.send({ topic: 'T', body })))
    for (const outcome of outcomes) {
      assert.ok(outcome.status === 'rejected' && outcome.reason instanceof SendError)
      assert.equal(outcome.reason.attempts.length, 3)
    }
    assert.deepEqual(remoting.sends.map(bodiesOf), [
      ['1', '2'],
      ['1', '2'],
      ['1', '2']
    ])
    await producer.shutdown()
  })

  it('lets every message go by itself when a broker refuses the batch for one of them', async () => {
    const { remoting, producer } = await started()
    let offset = 100
    remoting.onSend = send => {
      if (!bodiesOf(send).includes('bad')) return stored(send, offset++)
      send.pending.onResponse({ code: 13, version: 0, remark: 'bad', extFields: {}, body: Buffer.alloc(0) })
    }
    const bodies = ['a', 'bad', 'b']
    const queue = new MessageQueue('T', 'a', 1)
    const [a, bad, b] = await Promise.allSettled(bodies.map(body => producer.send({ topic: 'T', body }, queue)))
    assert.deepEqual(remoting.sends.map(bodiesOf), [bodies, ['a'], ['bad'], ['b']])
    assert.ok(a?.status === 'fulfilled' && b?.status === 'fulfilled' && bad?.status === 'rejected')
    assert.deepEqual([a.value.queueOffset.toNumber(), b.value.queueOffset.toNumber()], [100, 101])
    const ids = remoting.sends.map(send => elementsOf(send)[0]!.properties.get('UNIQ_KEY'))
    assert.deepEqual([a.value.msgId, b.value.msgId], [ids[1], ids[3]])
    assert.equal((bad.reason as SendError).responseCode, 13)
    const told = await Promise.all(
      bodies.map(
        body =>
          new Promise(resolve =>
            producer.send({ topic: 'T', body }, error => resolve((error as SendError)?.responseCode))
          )
      )
    )
    assert.deepEqual(told, [undefined, 13, undefined])
    await producer.shutdown()
  })

  it('settles callbacks, and passes on what one throws without keeping it from the others', async t => {
    const { producer } = await started()
    const uncaught: unknown[] = []
    const listeners = process.listeners('uncaughtException')
    process.removeAllListeners('uncaughtException')
    process.once('uncaughtException', error => uncaught.push(error))
    t.after(() => listeners.forEach(listener => process.on('uncaughtException', listener)))
    const ids: string[] = []
    producer.send({ topic: 'T', body: '1' }, () => {
      throw new Error('mine')
    })
    producer.send({ topic: 'T', body: '2' }, (_error, result) => ids.push(result!.offsetMsgId))
    await settle()
    assert.deepEqual(ids, ['ID101'])
    assert.equal((uncaught[0] as Error).message, 'mine')
    await producer.shutdown()
  })

  it('gives an own id and offset to each message of a topic whose queues are of type BatchCQ', async () => {
    const { remoting, producer } = await started()
    remoting.onSend = ({ pending }) =>
      pending.onResponse({
        code: 0,
        version: 0,
        remark: undefined,
        body: Buffer.alloc(0),
        extFields: { msgId: 'ONE', queueId: '0', queueOffset: '40', batchUniqId: 'BATCH' }
      })
    const results = await Promise.all(['1', '2'].map(body => producer.send({ topic: 'T', body })))
    assert.deepEqual(
      results.map(({ msgId, offsetMsgId, queueOffset }) => [msgId, offsetMsgId, queueOffset.toNumber()]),
      elementsOf(remoting.sends[0]!).map(({ properties }, index) => [properties.get('UNIQ_KEY'), 'ONE', 40 + index])
    )
    await producer.shutdown()
  })

  it('gives tags and the keys of all messages to the batch, for topics that store it as one message', async () => {
    const { remoting, producer } = await started()
    await Promise.all(['k1', 'k2 k1'].map(keys => producer.send({ topic: 'T', body: 'b', tags: 'x', keys })))
    const outer = decodeProperties(remoting.sends[0]!.fields.properties)
    assert.deepEqual([outer.get('TAGS'), outer.get('KEYS'), outer.get('WAIT')], ['x', 'k1 k2', 'true'])
    assert.match(outer.get('UNIQ_KEY')!, /^[0-9A-F]{32}$/)
    await producer.shutdown()
  })

  it('takes no more messages into a batch than the keys of all of them leave room for', async () => {
    const { remoting, producer } = await started({ batchMaxBytes: 1024 * 1024 })
    const keys = [1, 2, 3, 4, 5, 6].map(index => `${index}`.repeat(1000))
    await Promise.all(keys.map(each => producer.send({ topic: 'T', body: 'b', keys: each })))
    await producer.send({ topic: 'T', body: 'b', keys: 'k'.repeat(30_000) })
    assert.deepEqual(
      remoting.sends.map(send => [elementsOf(send).length, Buffer.byteLength(send.fields.properties) <= 32767]),
      [
        [5, true],
        [1, true],
        [1, true]
      ]
    )
    await producer.shutdown()
  })

  it('takes a batch with an unequal number of ids for an error', async () => {
    const { remoting, producer } = await started()
    remoting.onSend = ({ pending }) => pending.onSent(0, 0, 1, 0, 'A,B,C', true, undefined)
    await assert.rejects(
      producer.send({ topic: 'T', body: 'b' }),
      (error: unknown) => error instanceof ProtocolError && /1 messages with 3 ids/.test(error.message)
    )
    await producer.shutdown()
  })

  it('ends the wait of one message by its signal, and that of no other', async () => {
    const { remoting, producer } = await started()
    hold(remoting)
    const abort = new AbortController()
    const { signal } = abort
    const errors: unknown[] = []
    const aborted = producer.send({ topic: 'T', body: '1' }, { signal })
    producer.send({ topic: 'T', body: '2' }, { signal }, error => errors.push(error))
    const other = producer.send({ topic: 'T', body: '3' })
    await settle()
    abort.abort()
    await assert.rejects(aborted, AbortedError)
    await settle()
    assert.ok(errors[0] instanceof AbortedError)
    await assert.rejects(producer.send({ topic: 'T', body: '4' }, { signal }), AbortedError)
    remoting.sends.forEach(send => stored(send))
    assert.equal((await other).sendStatus, 'SEND_OK')
    assert.equal(errors.length, 1)
    await producer.shutdown()
  })

  it('refuses by itself a message that is not acceptable', async () => {
    const { remoting, producer } = await started()
    const outcomes = await Promise.allSettled(['', 'good'].map(body => producer.send({ topic: 'T', body })))
    assert.ok(outcomes[0]!.status === 'rejected' && outcomes[0]!.reason instanceof InvalidArgumentError)
    assert.equal(outcomes[1]!.status, 'fulfilled')
    assert.deepEqual(bodiesOf(remoting.sends[0]!), ['good'])
    await producer.shutdown()
  })

  it('forgets kinds that nobody sends any more, and loses nothing by that', async () => {
    const { remoting, producer } = await started()
    const tags = Array.from({ length: 1_500 }, (_, index) => `tag${index}`)
    hold(remoting)
    const sends = tags.map(tag => producer.send({ topic: 'T', body: 'b', tags: tag }))
    await settle()
    remoting.sends
      .splice(0)
      .toReversed()
      .forEach(send => stored(send)) // the kind that was used last is forgotten
    await Promise.all(sends)
    const sending = producer.send({ topic: 'T', body: 'last', tags: tags.at(-1) })
    const ending = producer.shutdown()
    assert.deepEqual(remoting.sends.map(bodiesOf), [['last']])
    stored(remoting.sends[0]!)
    await Promise.all([sending, ending])
  })

  it('sends at its end what is held', async () => {
    const { remoting, producer } = await started()
    hold(remoting)
    const sending = producer.send({ topic: 'T', body: 'held' })
    const ending = producer.shutdown()
    assert.deepEqual(remoting.sends.map(bodiesOf), [['held']])
    stored(remoting.sends[0]!)
    assert.equal((await sending).sendStatus, 'SEND_OK')
    await ending
  })
})

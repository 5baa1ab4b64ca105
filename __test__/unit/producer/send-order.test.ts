import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { describe, it } from 'node:test'
import { InvalidArgumentError, SendError, TimeoutError } from '../../../ts/errors.js'
import { decompressBody } from '../../../ts/message/compression.js'
import { MessageQueue } from '../../../ts/message/message-queue.js'
import type { ProducerOptions } from '../../../ts/producer/options.js'
import { Producer } from '../../../ts/producer/producer.js'
import { selectMessageQueueByHash } from '../../../ts/producer/queue-selector.js'
import { FakeRemoting, registryOf, settle } from '../helpers/fake-remoting.js'
import { until } from '../../interop/helpers/until.js'

const binding = createRequire(__filename)('#binding') as { compressAsync(): Promise<Buffer> }
const LARGE = Buffer.alloc(100_000, 'large message ')
const Q0 = new MessageQueue('T', 'a', 0)
const Q1 = new MessageQueue('T', 'a', 1)

async function setUp(options: Partial<ProducerOptions> = {}) {
  const remoting = new FakeRemoting()
  remoting.route({ T: { a: 4 } })
  remoting.onSend = send =>
    send.pending.onSent(0, send.template.queueId, 0, 0, '0A00000100002A9F0000000000000001', true, undefined)
  const producer = new Producer(
    { namesrvAddr: '127.0.0.1:9876', producerGroup: 'pg', ...options },
    registryOf(remoting)
  )
  await producer.start()
  // From now on the route is known, and nothing waits for it.
  await producer.send({ topic: 'T', body: 'first' })
  remoting.sends.length = 0
  return { remoting, producer }
}

/** What went out, in order: the queue and the first word of the body. */
function went(remoting: FakeRemoting): string[] {
  return remoting.sends.map(({ template, fields }) => {
    const body = (fields.sysFlag & 1) === 0 ? Buffer.from(fields.body) : decompressBody('ZLIB', fields.body)
    return `${template.queueId} ${body.toString('latin1', 0, 5)}`
  })
}

describe('a large message', () => {
  it('is compressed off the main thread: small ones for other queues do not wait for it', async () => {
    const { remoting, producer } = await setUp()
    const sends = [producer.send({ topic: 'T', body: LARGE }, Q0), producer.send({ topic: 'T', body: 'small' }, Q1)]
    assert.deepEqual(went(remoting), ['1 small'])
    await Promise.all(sends)
    assert.deepEqual(went(remoting), ['1 small', '0 large'])
    await producer.shutdown()
  })

  it('keeps its place among the messages for its queue, whoever chose it', async () => {
    const { remoting, producer } = await setUp()
    const sends = ['one', 'two', 'three'].flatMap(word => [
      producer.send({ topic: 'T', body: `${word}  ${LARGE}` }, Q0),
      producer.send({ topic: 'T', body: `${word}  ` }, selectMessageQueueByHash, 0),
      producer.sendOneway({ topic: 'T', body: `${word}  ` }, Q0)
    ])
    // A oneway message went to queue 0 as well, so the recorded sends are those that wait for answers.
    await Promise.all(sends)
    const words = went(remoting).map(text => text.trim())
    assert.deepEqual(words, ['0 one', '0 one', '0 two', '0 two', '0 three', '0 three'])
    assert.equal(remoting.onewaySends.length, 3)
    assert.equal(producer.state, 'RUNNING')
    await producer.shutdown()
  })

  it('is compressed once, however often it is tried', async () => {
    const { remoting, producer } = await setUp()
    let attempts = 0
    const { onSend } = remoting
    remoting.onSend = send => {
      if (++attempts < 3) {
        send.pending.onResponse({ code: 2, version: 0, remark: 'busy', extFields: {}, body: Buffer.alloc(0) })
      } else onSend(send)
    }
    await producer.send({ topic: 'T', body: LARGE })
    const [first, ...more] = remoting.sends.map(send => send.fields.body)
    assert.equal(more.length, 2)
    for (const body of more) assert.equal(body, first)
    await producer.shutdown()
  })

  it('fails alone when it cannot be compressed, and lets go what waited behind it', async t => {
    const { remoting, producer } = await setUp()
    t.mock.method(binding, 'compressAsync', () => Promise.reject(new Error('no memory')))
    const large = producer.send({ topic: 'T', body: LARGE }, Q0)
    const small = producer.send({ topic: 'T', body: 'small' }, Q0)
    await assert.rejects(large, /no memory/)
    assert.equal((await small).sendStatus, 'SEND_OK')
    assert.deepEqual(went(remoting), ['0 small'])
    await producer.shutdown()
  })

  it('ends in time, like what waits behind it, though compression takes longer', async t => {
    const { remoting, producer } = await setUp()
    t.mock.timers.enable({ apis: ['setTimeout', 'Date'], now: Date.now() })
    const sends = ['large', 'small'].map((_, i) =>
      producer.send({ topic: 'T', body: i === 0 ? LARGE : 'small' }, Q0, { timeoutMs: 5 })
    )
    t.mock.timers.tick(5)
    for (const send of sends) await assert.rejects(send, TimeoutError)
    const after = producer.send({ topic: 'T', body: 'after' }, Q0)
    t.mock.timers.reset()
    assert.equal((await after).sendStatus, 'SEND_OK')
    assert.deepEqual(went(remoting), ['0 after'])
    await producer.shutdown()
  })

  it('holds up the shutdown until it was sent', async () => {
    const { remoting, producer } = await setUp()
    const sending = producer.send({ topic: 'T', body: LARGE })
    await producer.shutdown()
    assert.equal((await sending).sendStatus, 'SEND_OK')
    assert.equal(remoting.closed, true)
  })

  it('goes oneway compressed, too', async () => {
    const { remoting, producer } = await setUp({ compressType: 'LZ4' })
    await producer.sendOneway({ topic: 'T', body: LARGE })
    const { fields } = await until('it is handed over', async () => remoting.onewaySends[0])
    assert.equal(fields.sysFlag, 0x101)
    assert.deepEqual(decompressBody('LZ4', fields.body), LARGE)
    await producer.shutdown()
  })
})

describe('a oneway message', () => {
  it('waits for its route no longer than sendMsgTimeout', async t => {
    const remoting = new FakeRemoting()
    const producer = new Producer({ namesrvAddr: '127.0.0.1:9876', producerGroup: 'pg' }, registryOf(remoting))
    await producer.start()
    t.mock.method(remoting, 'invoke', () => new Promise(() => undefined))
    t.mock.timers.enable({ apis: ['setTimeout', 'Date'] })
    const sending = producer.sendOneway({ topic: 'T', body: 'b' })
    await settle()
    t.mock.timers.tick(3_000)
    await assert.rejects(sending, TimeoutError)
    t.mock.restoreAll()
    await producer.shutdown()
  })

  it('is tried once', async () => {
    const { remoting, producer } = await setUp()
    const body = Buffer.from('{"orderTopicConf":"ghost:1","brokerDatas":[],"queueDatas":[]}')
    remoting.answers.set(105, () => ({ body }))
    await assert.rejects(producer.sendOneway({ topic: 'Ordered', body: 'b' }), (error: unknown) => {
      assert.ok(error instanceof SendError)
      assert.equal(error.attempts.length, 1)
      assert.match(error.message, /the broker ghost has no master/)
      return true
    })
    await producer.shutdown()
  })

  it('is one message, without a callback', async () => {
    const { producer } = await setUp()
    const anything = producer.sendOneway.bind(producer) as (...args: unknown[]) => Promise<void>
    await assert.rejects(
      anything({ topic: 'T', body: 'b' }, () => undefined),
      InvalidArgumentError
    )
    await assert.rejects(anything([{ topic: 'T', body: 'b' }]), InvalidArgumentError)
    await producer.shutdown()
  })
})

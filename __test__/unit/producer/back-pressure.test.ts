import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { AbortedError, BusyError, ClientStateError, ConfigError, ConnectionError } from '../../../ts/errors.js'
import { MessageQueue } from '../../../ts/message/message-queue.js'
import type { ProducerOptions } from '../../../ts/producer/options.js'
import { Producer } from '../../../ts/producer/producer.js'
import type { FakeSend } from '../helpers/fake-remoting.js'
import { FakeRemoting, registryOf, settle } from '../helpers/fake-remoting.js'

const MIB = 1024 * 1024
const OPTIONS: ProducerOptions = {
  namesrvAddr: '127.0.0.1:9876',
  producerGroup: 'pg',
  backPressureForAsyncSendNum: 10,
  compressMsgBodyOverHowmuch: 10 * MIB
}

function stored({ pending, template }: FakeSend): void {
  pending.onSent(0, template.queueId, 1, 0, 'ID', true, undefined)
}

/** A producer that knows the route of T and has `count` sends under way, which nobody answers. */
async function busy(count = 10, options: Partial<ProducerOptions> = {}, body: string | Buffer = 'b') {
  const remoting = new FakeRemoting()
  remoting.route({ T: { a: 2 } })
  remoting.onSend = stored
  const producer = new Producer({ ...OPTIONS, ...options }, registryOf(remoting))
  await producer.start()
  await producer.send({ topic: 'T', body: 'finds the route' })
  remoting.onSend = () => undefined
  remoting.sends.length = 0
  const sends = Array.from({ length: count }, () => producer.send({ topic: 'T', body }))
  return { remoting, producer, sends }
}

const bodies = (sends: readonly FakeSend[]): string[] => sends.map(({ fields }) => fields.body.toString())

describe('back-pressure', () => {
  it('makes sends beyond the limit wait, and begins them in order as others end', async () => {
    const { remoting, producer, sends } = await busy(9)
    assert.equal(producer.writableNeedDrain, false)
    sends.push(producer.send({ topic: 'T', body: 'b' }))
    assert.equal(producer.writableNeedDrain, true)
    const mq = new MessageQueue('T', 'a', 1)
    sends.push(producer.send({ topic: 'T', body: '1' }))
    sends.push(producer.send({ topic: 'T', body: '2' }, mq))
    sends.push(producer.send({ topic: 'T', body: '3' }, queues => queues[0]!, undefined))
    assert.equal(remoting.sends.length, 10)
    stored(remoting.sends[0]!)
    assert.deepEqual(bodies(remoting.sends.slice(10)), ['1'])
    stored(remoting.sends[1]!)
    stored(remoting.sends[2]!)
    assert.deepEqual(bodies(remoting.sends.slice(10)), ['1', '2', '3'])
    assert.equal(remoting.sends[11]!.template.queueId, 1)
    remoting.sends.slice(3).forEach(stored)
    await Promise.all(sends)
    assert.equal(producer.writableNeedDrain, false)
    await producer.shutdown()
  })

  it('counts bytes too, and lets through a body that is larger than the limit', async () => {
    const { remoting, producer, sends } = await busy(1, { backPressureForAsyncSendSize: MIB }, Buffer.alloc(2 * MIB))
    sends.push(producer.send({ topic: 'T', body: 'waits' }))
    assert.equal(remoting.sends.length, 1)
    stored(remoting.sends[0]!)
    assert.equal(remoting.sends.length, 2)
    stored(remoting.sends[1]!)
    await Promise.all(sends)
    await producer.shutdown()
  })

  it('has limits even if none are given', async () => {
    const producer = new Producer(
      { namesrvAddr: '127.0.0.1:9876', producerGroup: 'pg' },
      registryOf(new FakeRemoting())
    )
    const { backPressureForAsyncSendNum, backPressureForAsyncSendSize, onBackPressure } = producer.options
    assert.deepEqual(
      [backPressureForAsyncSendNum, backPressureForAsyncSendSize, onBackPressure],
      [32_768, 100 * MIB, 'wait']
    )
    for (const wrong of [{ backPressureForAsyncSendNum: 9 }, { backPressureForAsyncSendSize: MIB - 1 }]) {
      assert.throws(() => new Producer({ ...OPTIONS, ...wrong }), ConfigError)
    }
  })

  it('is not there when it is switched off', async () => {
    const { remoting, producer, sends } = await busy(30, { enableBackpressureForAsyncMode: false })
    assert.equal(remoting.sends.length, 30)
    remoting.sends.forEach(stored)
    await Promise.all(sends)
    await producer.shutdown()
  })

  it('fails sends at once with onBackPressure: fail, and says which limit it is', async () => {
    const { remoting, producer, sends } = await busy(10, { onBackPressure: 'fail' })
    await assert.rejects(
      producer.send({ topic: 'T', body: 'b' }),
      (error: unknown) =>
        error instanceof BusyError &&
        error.retryable &&
        /10 sends with 10 bytes are under way.*backPressureForAsyncSendNum 10/.test(error.message)
    )
    const errors: unknown[] = []
    producer.send({ topic: 'T', body: 'b' }, error => errors.push(error))
    assert.equal(errors.length, 0)
    await settle()
    assert.ok(errors[0] instanceof BusyError)
    remoting.sends.forEach(stored)
    await Promise.all(sends)
    assert.equal(remoting.sends.length, 10)
    await producer.shutdown()
  })

  it('ends the wait of a send when its time is over, and says so', async t => {
    t.mock.timers.enable({ apis: ['setTimeout'] })
    const { remoting, producer, sends } = await busy()
    const late = assert.rejects(producer.send({ topic: 'T', body: 'late' }, 50), /waited 50 ms for its turn/)
    t.mock.timers.tick(50)
    await late
    remoting.sends.forEach(stored)
    await Promise.all(sends)
    assert.equal(remoting.sends.length, 10)
    await producer.shutdown()
  })

  it('gives a send that waited the time it has left', async t => {
    t.mock.timers.enable({ apis: ['Date', 'setTimeout'] })
    const { remoting, producer, sends } = await busy()
    sends.push(producer.send({ topic: 'T', body: 'late' }, 1000))
    t.mock.timers.tick(400)
    stored(remoting.sends[0]!)
    assert.equal(remoting.sends[10]!.timeoutMs, 600)
    remoting.sends.slice(1).forEach(stored)
    await Promise.all(sends)
    await producer.shutdown()
  })

  it('forgets a send whose signal fires while it waits', async () => {
    const { remoting, producer, sends } = await busy()
    const abort = new AbortController()
    const aborted = producer.send({ topic: 'T', body: 'aborted' }, { signal: abort.signal })
    abort.abort()
    await assert.rejects(aborted, AbortedError)
    assert.equal(producer.writableNeedDrain, true)
    remoting.sends.forEach(stored)
    await Promise.all(sends)
    assert.equal(remoting.sends.length, 10)
    assert.equal(producer.writableNeedDrain, false)
    await producer.shutdown()
  })

  it('gives back the room of sends that fail', async () => {
    const { remoting, producer, sends } = await busy(10, { retryTimesWhenSendFailed: 0 })
    const outcomes = Promise.allSettled(sends)
    const waiting = producer.send({ topic: 'T', body: 'waits' })
    remoting.sends.slice(0, 10).forEach(({ pending }) => pending.onFailed(new ConnectionError('gone', 'a:10911')))
    assert.ok((await outcomes).every(({ status }) => status === 'rejected'))
    stored(remoting.sends[10]!)
    await waiting
    await producer.shutdown()
  })

  it('makes batches of automatic batching wait as one send each', async () => {
    const { remoting, producer, sends } = await busy(0, { autoBatch: true, batchMaxMessages: 2 })
    for (let index = 0; index < 24; index++) sends.push(producer.send({ topic: 'T', body: 'b' }))
    assert.equal(remoting.sends.length, 10)
    remoting.onSend = ({ pending }) => pending.onSent(0, 0, 1, 0, 'A,B', true, undefined)
    remoting.sends.forEach(remoting.onSend)
    await Promise.all(sends)
    assert.equal(remoting.sends.length, 12)
    await producer.shutdown()
  })

  it('lets no send behind at the end of the producer', async () => {
    const { remoting, producer, sends } = await busy()
    for (let index = 0; index < 1000; index++) sends.push(producer.send({ topic: 'T', body: 'waits' }))
    const ending = producer.shutdown()
    remoting.onSend = stored
    remoting.sends.slice(0, 10).forEach(stored)
    await Promise.all(sends)
    await ending
    assert.equal(remoting.sends.length, 1010)
  })

  it('fails what waits when the connections are closed under it', async () => {
    const { remoting, producer, sends } = await busy()
    for (let index = 0; index < 20_000; index++) sends.push(producer.send({ topic: 'T', body: 'waits' }))
    remoting.send = () => {
      throw new ClientStateError('closed')
    }
    const outcomes = Promise.allSettled(sends)
    remoting.sends.forEach(({ pending }) => pending.onFailed(new ClientStateError('closed')))
    assert.ok((await outcomes).every(({ status }) => status === 'rejected'))
    await producer.shutdown()
  })
})

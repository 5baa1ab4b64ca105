import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { BusyError, ConfigError, ConnectionError } from '../../../ts/errors.js'
import type { ProducerOptions } from '../../../ts/producer/options.js'
import { Producer } from '../../../ts/producer/producer.js'
import { MQFaultStrategy } from '../../../ts/route/fault-strategy.js'
import type { FakeSend } from '../helpers/fake-remoting.js'
import { FakeRemoting, registryOf, settle } from '../helpers/fake-remoting.js'

const MESSAGE = { topic: 'T', body: 'b' }
const BASE = { namesrvAddr: '127.0.0.1:9876', producerGroup: 'pg' }

async function setUp(outcome: (send: FakeSend) => void, options: Partial<ProducerOptions> = {}) {
  const remoting = new FakeRemoting()
  remoting.route({ T: { a: 2, b: 2 } })
  remoting.onSend = outcome
  const all = { ...BASE, sendLatencyFaultEnable: true, ...options }
  const producer = new Producer(all, registryOf(remoting))
  await producer.start()
  /** The brokers of the next eight sends. */
  const brokers = async () => {
    const from = remoting.sends.length
    for (let i = 0; i < 8; i++) await producer.send(MESSAGE)
    return new Set(remoting.sends.slice(from).map(send => send.template.brokerName))
  }
  return { remoting, producer, brokers }
}

function stored(send: FakeSend): void {
  send.pending.onSent(0, send.template.queueId, 0, 0, '0A00000100002A9F0000000000000001', true, undefined)
}

function broken(send: FakeSend): void {
  send.pending.onFailed(new ConnectionError('refused', send.address))
}

function refuses(send: FakeSend): void {
  send.pending.onResponse({ code: 14, version: 0, remark: 'no', extFields: {}, body: Buffer.alloc(0) })
}

function busy(send: FakeSend): void {
  send.pending.onFailed(new BusyError('too many'))
}

function failing(broker: string, fail: (send: FakeSend) => void): (send: FakeSend) => void {
  return send => (send.template.brokerName === broker ? fail(send) : stored(send))
}

const unreachable = failing('a', broken)
const refused = failing('a', refuses)

describe('a producer with sendLatencyFaultEnable', () => {
  for (const [what, outcome] of [
    ['cannot be reached', unreachable],
    ['refuses', refused]
  ] as const) {
    it(`leaves a broker alone for 10 s that ${what}`, async t => {
      t.mock.timers.enable({ apis: ['Date'], now: 1_000_000 })
      const { remoting, producer, brokers } = await setUp(outcome)
      while (!remoting.sends.some(send => send.template.brokerName === 'a')) await producer.send(MESSAGE)
      assert.deepEqual(await brokers(), new Set(['b']))
      t.mock.timers.tick(10_000)
      assert.deepEqual(await brokers(), new Set(['a', 'b']))
      await producer.shutdown()
    })
  }

  it('leaves a slow broker alone by latencyMax and notAvailableDuration', async t => {
    t.mock.timers.enable({ apis: ['Date'], now: 1_000_000 })
    const { producer, brokers } = await setUp(
      failing('a', send => {
        t.mock.timers.tick(30)
        stored(send)
      }),
      { latencyMax: [30], notAvailableDuration: [500] }
    )
    await brokers()
    assert.deepEqual(await brokers(), new Set(['b']))
    t.mock.timers.tick(500)
    assert.deepEqual(await brokers(), new Set(['a', 'b']))
    await producer.shutdown()
  })

  it('chooses the queues of oneway messages so, too', async () => {
    const { remoting, producer, brokers } = await setUp(unreachable)
    while (!remoting.sends.some(send => send.template.brokerName === 'a')) await brokers()
    for (let i = 0; i < 8; i++) await producer.sendOneway(MESSAGE)
    assert.deepEqual(new Set(remoting.onewaySends.map(send => send.template.brokerName)), new Set(['b']))
    await producer.shutdown()
  })

  it('watches a broker that cannot be reached by GET_MAX_OFFSET when startDetectorEnable is on', async t => {
    t.mock.timers.enable({ apis: ['setInterval'], now: 1_000_000 })
    const { remoting, producer, brokers } = await setUp(unreachable, { startDetectorEnable: true })
    while (!remoting.sends.some(send => send.template.brokerName === 'a')) await brokers()
    remoting.answers.set(30, () => ({ extFields: { offset: '0' } }))
    t.mock.timers.tick(3_000)
    await settle()
    const [look, ...more] = remoting.requestsOf(30)
    assert.equal(look?.address, 'a:10911')
    assert.equal(look?.extFields['topic'], 'T')
    assert.deepEqual(more, [])
    await producer.shutdown()
    t.mock.timers.tick(30_000)
    await settle()
    assert.equal(remoting.requestsOf(30).length, 1)
  })

  // Error, whether the send has a callback and the detector is on; then isolation and reachable of updateFaultItem.
  const notes: [string, (send: FakeSend) => void, { callback: boolean; detector: boolean }, boolean[][]][] = [
    ['a success', stored, { callback: false, detector: true }, [[false, true]]],
    ['a success', stored, { callback: true, detector: true }, [[false, true]]],
    ['a connection error', broken, { callback: false, detector: false }, [[true, true]]],
    ['a connection error', broken, { callback: false, detector: true }, [[true, false]]],
    ['a connection error', broken, { callback: true, detector: true }, [[true, true]]],
    ['an error of the broker', refuses, { callback: false, detector: false }, [[true, false]]],
    ['an error of the broker', refuses, { callback: true, detector: true }, [[true, true]]],
    ['a local limit', busy, { callback: false, detector: true }, []]
  ]
  for (const [what, outcome, { callback, detector }, expected] of notes) {
    const form = `${callback ? 'with a callback' : 'with a promise'}${detector ? ', the detector on' : ''}`
    it(`notes ${what} as Java does, ${form}`, async t => {
      const update = t.mock.method(MQFaultStrategy.prototype, 'updateFaultItem')
      const { producer } = await setUp(outcome, {
        startDetectorEnable: detector,
        retryTimesWhenSendFailed: 0,
        retryTimesWhenSendAsyncFailed: 0
      })
      await new Promise<void>(resolve => {
        if (callback) producer.send(MESSAGE, () => resolve())
        else
          void producer.send(MESSAGE).then(
            () => resolve(),
            () => resolve()
          )
      })
      const noted = update.mock.calls.map(call => call.arguments.slice(2))
      assert.deepEqual(noted, expected)
      await producer.shutdown()
    })
  }

  it('refuses tables that do not fit together', () => {
    for (const wrong of [
      { latencyMax: [1, 2] },
      { latencyMax: [2, 1], notAvailableDuration: [0, 0] },
      { latencyMax: [-1], notAvailableDuration: [0] }
    ]) {
      assert.throws(() => new Producer({ ...BASE, ...wrong }), ConfigError)
    }
  })
})

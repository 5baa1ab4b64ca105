import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { describe, it } from 'node:test'
import type { FaultStrategyOptions } from '../../../ts/route/fault-strategy.js'
import { MQFaultStrategy } from '../../../ts/route/fault-strategy.js'
import { TopicPublishInfo } from '../../../ts/route/topic-publish-info.js'
import { parseTopicRouteData } from '../../../ts/route/topic-route-data.js'
import { routeBody, settle } from '../helpers/fake-remoting.js'

const APACHE: FaultStrategyOptions = {
  latencyMax: [50, 100, 550, 1800, 3000, 5000, 15000],
  notAvailableDuration: [0, 0, 2000, 5000, 6000, 10000, 30000],
  startDetectorEnable: false,
  detectTimeout: 200,
  detectInterval: 2000
}

function setUp(t: TestContext, options: Partial<FaultStrategyOptions> = {}) {
  t.mock.timers.enable({ apis: ['Date', 'setInterval'], now: 1_000_000 })
  const asked: [string, number][] = []
  const up = new Set<string>()
  const gone = new Set<string>()
  const strategy = new MQFaultStrategy(
    { ...APACHE, ...options },
    {
      resolve: brokerName => (gone.has(brokerName) ? undefined : `${brokerName}:10911`),
      detect: async (address, timeoutMs) => {
        asked.push([address, timeoutMs])
        return up.has(address)
      }
    }
  )
  const info = new TopicPublishInfo('T', parseTopicRouteData(routeBody({ a: 2, b: 2, c: 2 })))
  /** The brokers of as many choices as there are queues. */
  const chosen = (last?: string) =>
    new Set(info.messageQueues.map(() => strategy.selectOneMessageQueue(info, last, false).brokerName))
  return { strategy, info, chosen, asked, up, gone, tick: (ms: number) => t.mock.timers.tick(ms) }
}

describe('the fault strategy', () => {
  for (const [latencyMs, isolatedMs] of [
    [49, 0],
    [50, 0],
    [549, 0],
    [550, 2000],
    [1799, 2000],
    [1800, 5000],
    [3000, 6000],
    [5000, 10000],
    [14999, 10000],
    [15000, 30000]
  ] as const) {
    it(`leaves a broker alone for ${isolatedMs} ms after ${latencyMs} ms`, t => {
      const { strategy, chosen, tick } = setUp(t)
      strategy.updateFaultItem('a', latencyMs, false, true)
      if (isolatedMs > 0) {
        tick(isolatedMs - 1)
        assert.deepEqual(chosen(), new Set(['b', 'c']))
        tick(1)
      }
      assert.deepEqual(chosen(), new Set(['a', 'b', 'c']))
    })
  }

  it('counts a failed attempt as one of 10 s', t => {
    const { strategy, chosen, tick } = setUp(t)
    strategy.updateFaultItem('a', 1, true, true)
    tick(9_999)
    assert.deepEqual(chosen(), new Set(['b', 'c']))
    tick(1)
    assert.deepEqual(chosen(), new Set(['a', 'b', 'c']))
  })

  it('keeps an isolation that a faster send would shorten', t => {
    const { strategy, chosen, tick } = setUp(t)
    strategy.updateFaultItem('a', 15_000, false, true)
    strategy.updateFaultItem('a', 600, false, true)
    tick(29_999)
    assert.deepEqual(chosen(), new Set(['b', 'c']))
  })

  it('avoids the broker that failed last as well', t => {
    const { strategy, chosen } = setUp(t)
    strategy.updateFaultItem('a', 1, true, true)
    assert.deepEqual(chosen('b'), new Set(['c']))
  })

  it('takes brokers that can be reached when none is available, any when none can be reached', t => {
    const { strategy, chosen } = setUp(t)
    strategy.updateFaultItem('a', 1, true, false)
    strategy.updateFaultItem('b', 1, true, true)
    strategy.updateFaultItem('c', 1, true, true)
    assert.deepEqual(chosen(), new Set(['b', 'c']))
    assert.deepEqual(chosen('b'), new Set(['c']))
    strategy.updateFaultItem('b', 1, true, false)
    strategy.updateFaultItem('c', 1, true, false)
    assert.deepEqual(chosen(), new Set(['a', 'b', 'c']))
  })

  it('begins turns anew for further attempts', t => {
    const { strategy, info } = setUp(t)
    t.mock.method(Math, 'random', () => 0)
    assert.equal(strategy.selectOneMessageQueue(info, undefined, true), info.messageQueues[1])
    assert.equal(strategy.selectOneMessageQueue(info, undefined, true), info.messageQueues[1])
    assert.equal(strategy.selectOneMessageQueue(info, undefined, false), info.messageQueues[2])
  })
})

describe('the reachability detector', () => {
  const enabled = { startDetectorEnable: true }

  it('looks every 3 s at brokers that cannot be reached, and only at them, until they can', async t => {
    const { strategy, chosen, asked, up, tick } = setUp(t, enabled)
    strategy.start()
    strategy.updateFaultItem('a', 1, true, false)
    for (const broker of ['b', 'c']) strategy.updateFaultItem(broker, 1, true, true)
    tick(3_000)
    await settle()
    assert.deepEqual(asked, [['a:10911', 200]])
    assert.deepEqual(chosen(), new Set(['b', 'c']))
    up.add('a:10911')
    tick(3_000)
    await settle()
    assert.deepEqual(chosen(), new Set(['a', 'b', 'c']))
    tick(3_000)
    await settle()
    assert.equal(asked.length, 2)
    strategy.shutdown()
  })

  it('looks at a broker no more often than detectInterval', async t => {
    const { strategy, asked, tick } = setUp(t, { ...enabled, detectInterval: 5_000 })
    strategy.start()
    strategy.updateFaultItem('a', 1, true, false)
    for (let round = 0; round < 4; round++) tick(3_000)
    await settle()
    assert.equal(asked.length, 2)
    strategy.shutdown()
  })

  it('forgets a broker that is in no route', async t => {
    const { strategy, chosen, gone, tick } = setUp(t, enabled)
    strategy.start()
    strategy.updateFaultItem('a', 15_000, false, true)
    gone.add('a')
    tick(3_000)
    await settle()
    assert.deepEqual(chosen(), new Set(['a', 'b', 'c']))
    strategy.shutdown()
  })

  it('does nothing when it is not enabled, or after the shutdown', async t => {
    for (const options of [APACHE, enabled]) {
      const { strategy, asked, tick } = setUp(t, options)
      strategy.start()
      strategy.updateFaultItem('a', 1, true, false)
      strategy.shutdown()
      tick(9_000)
      await settle()
      assert.deepEqual(asked, [])
      t.mock.timers.reset()
    }
  })
})

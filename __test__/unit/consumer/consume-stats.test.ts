import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { describe, it } from 'node:test'
import { ConsumeStats } from '../../../ts/consumer/consume-stats.js'

function mockDate(t: TestContext): void {
  t.mock.timers.enable({ apis: ['Date'], now: 1_000_000 })
}

describe('what is counted of a topic', () => {
  it('is nothing at first', t => {
    mockDate(t)
    assert.deepEqual(new ConsumeStats().status(), {
      pullRT: 0,
      pullTPS: 0,
      consumeRT: 0,
      consumeOKTPS: 0,
      consumeFailedTPS: 0,
      consumeFailedMsgs: 0
    })
  })

  it('is told as rates of the last minute, at first of the time there was, ten seconds at the least', t => {
    mockDate(t)
    const stats = new ConsumeStats()
    Object.assign(stats, { pulls: 4, pullMs: 10, pulledMessages: 100, calls: 50, callMs: 25, consumed: 80, failed: 20 })
    t.mock.timers.tick(1_000)
    const expected = { pullRT: 2.5, consumeRT: 0.5, consumeFailedMsgs: 20 }
    assert.deepEqual(stats.status(), { ...expected, pullTPS: 10, consumeOKTPS: 8, consumeFailedTPS: 2 })
    t.mock.timers.tick(19_000)
    assert.deepEqual(stats.status(), { ...expected, pullTPS: 5, consumeOKTPS: 4, consumeFailedTPS: 1 })
  })

  it('counts no longer when it is past, but for the time of a call and the failures of the hour', t => {
    mockDate(t)
    const stats = new ConsumeStats()
    Object.assign(stats, { pulls: 1, pullMs: 5, pulledMessages: 9, calls: 2, callMs: 8, consumed: 6, failed: 3 })
    for (let seconds = 0; seconds < 90; seconds += 10) {
      t.mock.timers.tick(10_000)
      stats.sample(Date.now())
    }
    const nothing = { pullRT: 0, pullTPS: 0, consumeOKTPS: 0, consumeFailedTPS: 0 }
    assert.deepEqual(stats.status(), { ...nothing, consumeRT: 4, consumeFailedMsgs: 3 })
    for (let minutes = 0; minutes < 80; minutes += 10) {
      t.mock.timers.tick(600_000)
      stats.sample(Date.now())
    }
    assert.deepEqual(stats.status(), { ...nothing, consumeRT: 0, consumeFailedMsgs: 0 })
  })
})

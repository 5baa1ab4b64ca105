import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Latencies } from '../../../ts/cli/demo/latencies.js'

describe('the latencies of the demo', () => {
  it('give percentiles that are right to 0.4 % over the whole range', () => {
    for (const scaleMs of [0.001, 0.05, 1, 37, 1_000, 36_000]) {
      const latencies = new Latencies()
      for (let i = 1; i <= 1_000; i++) latencies.add((i * scaleMs) / 10)
      for (const fraction of [0.5, 0.99, 0.999]) {
        const exact = (Math.ceil(1_000 * fraction) * scaleMs) / 10
        const off = Math.abs(latencies.percentileMs(fraction) - exact)
        assert.ok(off <= exact * 0.004 + 0.0005, `p${fraction} of ${scaleMs}: ${latencies.percentileMs(fraction)}`)
      }
      assert.equal(latencies.maxMs, 100 * scaleMs)
    }
  })

  it('never give a percentile above the maximum', () => {
    const latencies = new Latencies()
    latencies.add(1_234.5)
    assert.equal(latencies.percentileMs(0.5), 1_234.5)
  })

  it('are 0 when nothing was measured', () => {
    assert.equal(new Latencies().percentileMs(0.99), 0)
  })
})

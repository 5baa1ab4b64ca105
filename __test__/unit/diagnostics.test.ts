import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { warningReporter } from '../../ts/diagnostics.js'
import { BusyError } from '../../ts/errors.js'

describe('the reporter for who gave none', () => {
  it('warns of each kind of failure at most once in 30 s', t => {
    t.mock.timers.enable({ apis: ['Date'], now: 1_000_000 })
    const warnings = t.mock.method(process, 'emitWarning', () => undefined)
    const report = warningReporter()
    report(new BusyError('full', { cause: new Error('why') }), 'pulling')
    report(new BusyError('full'), 'pulling')
    report(new BusyError('full'), 'rebalancing')
    t.mock.timers.tick(30_000)
    report(new BusyError('full'), 'pulling')
    const calls: unknown[][] = warnings.mock.calls.map(call => call.arguments)
    assert.deepEqual(
      calls.map(([text]) => text),
      ['pulling: full', 'rebalancing: full', 'pulling: full']
    )
    assert.deepEqual(calls[0]![1], { type: 'BusyError', detail: 'because: why' })
  })
})

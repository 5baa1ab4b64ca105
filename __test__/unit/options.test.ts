import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ConfigError } from '../../ts/errors.js'
import { bool, int, nearest, oneOf, readOptions, str } from '../../ts/options.js'

const TABLE = {
  retryTimes: int(2, 0, 10),
  group: str('g'),
  enabled: bool(false),
  type: oneOf(['ZLIB', 'LZ4'], 'ZLIB')
}

describe('options', () => {
  it('fills in defaults, and undefined counts as not given', () => {
    const values = readOptions('X', TABLE, { enabled: true, group: undefined })
    assert.deepEqual({ ...values }, { retryTimes: 2, group: 'g', enabled: true, type: 'ZLIB' })
    assert.ok(Object.isFrozen(values))
  })

  it('names the nearest known key for one that is unknown', () => {
    const given = { retrytime: 1 } as object
    assert.throws(
      () => readOptions('Producer', TABLE, given),
      /Producer has no option retrytime; did you mean retryTimes/
    )
    assert.equal(nearest('sendMsgTimeoutMs', ['sendMsgTimeout', 'maxMessageSize']), 'sendMsgTimeout')
  })

  const wrong: [object, RegExp][] = [
    [{ retryTimes: 11 }, /retryTimes must be between 0 and 10, not 11/],
    [{ retryTimes: 1.5 }, /retryTimes must be a whole number, not 1.5/],
    [{ retryTimes: '1' }, /retryTimes must be a whole number, not "1"/],
    [{ enabled: 'yes' }, /enabled must be true or false/],
    [{ group: '' }, /group must be a text/],
    [{ type: 'BZIP' }, /type must be one of ZLIB, LZ4/]
  ]
  for (const [given, text] of wrong) {
    it(`refuses ${JSON.stringify(given)}`, () => {
      assert.throws(
        () => readOptions('X', TABLE, given),
        (error: unknown) => error instanceof ConfigError && text.test(error.message)
      )
    })
  }
})

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { addresses, port, whole } from '../../../ts/cli/arguments.js'

describe('the arguments of the command line', () => {
  it('are whole numbers within their limits, or refused', () => {
    assert.equal(whole(1, 10)('10'), 10)
    assert.equal(port('0'), 0)
    for (const text of ['', ' ', '1.5', '-1', '1e3', '0x10', 'ten', '65536', '99999999999999999999']) {
      assert.throws(() => port(text), /whole number from 0 to 65535/, text)
    }
  })

  it('are lists of addresses, or refused', () => {
    assert.deepEqual(addresses('a:1; 10.0.0.1:9876,[::1]:3'), ['a:1', '10.0.0.1:9876', '[::1]:3'])
    assert.deepEqual(addresses('a:1;'), ['a:1'])
    for (const text of ['', 'a', 'a:', ':1', ';', 'a b:1', 'a:123456']) {
      assert.throws(() => addresses(text), /host:port/, text)
    }
  })
})

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { table } from '../../../ts/cli/store/table.js'

describe('a table', () => {
  it('has columns as wide as their widest cell, numbers to the right', () => {
    const rows = [
      ['Orders', '1'],
      ['T', '1,000']
    ]
    assert.deepEqual(table(['topic', 'max'], rows), ['topic     max', 'Orders      1', 'T       1,000'])
  })

  it('takes any number of rows', () => {
    const rows = Array.from({ length: 300_000 }, (_, i) => ['T', String(i)])
    assert.equal(table(['topic', 'queue'], rows).length, 300_001)
  })

  it('shows control characters as what they are', () => {
    assert.deepEqual(table(['topic'], [['a\u001b[31m\u009b\nb']]), ['topic', 'a\\x1b[31m\\x9b\\x0ab'])
  })
})

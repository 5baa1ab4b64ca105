import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { InvalidArgumentError } from '../../../ts/errors.js'
import {
  MAX_PROPERTIES_BYTES,
  checkPropertiesLength,
  decodeProperties,
  encodeProperty
} from '../../../ts/message/properties.js'
import { golden, goldenLines } from '../helpers/repository.js'

describe('properties', () => {
  for (const [, line] of goldenLines('texts.txt').filter(([kind]) => kind === 'parsed')) {
    const [hex = '', expected = ''] = line.split(' ')
    it(`reads ${hex} as Java does: ${expected || 'nothing'}`, () => {
      const read = decodeProperties(Buffer.from(hex, 'hex').toString())
      assert.equal([...read].map(([name, value]) => `${name}=${value};`).join(''), expected)
    })
  }

  it('writes what Java writes', () => {
    assert.equal(encodeProperty('TAGS', 'TagA') + encodeProperty('emoji', '🚀'), golden('texts.txt', 'properties'))
  })

  it('allows 32767 bytes of UTF-8 and no more', () => {
    assert.equal(checkPropertiesLength('a'.repeat(MAX_PROPERTIES_BYTES)).length, MAX_PROPERTIES_BYTES)
    assert.throws(() => checkPropertiesLength('a'.repeat(MAX_PROPERTIES_BYTES + 1)), InvalidArgumentError)
    assert.throws(() => checkPropertiesLength('世'.repeat(10923)), /32769 bytes/)
  })
})

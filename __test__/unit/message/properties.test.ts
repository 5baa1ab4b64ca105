import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { InvalidArgumentError } from '../../../ts/errors.js'
import {
  MAX_PROPERTIES_BYTES,
  checkPropertiesLength,
  decodeProperties,
  encodeProperty,
  findProperty
} from '../../../ts/message/properties.js'
import { golden, goldenLines } from '../helpers/repository.js'

/** The property, found among bytes that are not of the properties. */
function found(encoded: string, name: string): string | undefined {
  const around = Buffer.from('KEYS\u0001before\u0002')
  const bytes = Buffer.concat([around, Buffer.from(encoded), around])
  const place = findProperty(bytes, around.length, bytes.length - around.length, name)
  return place && bytes.toString('utf8', place.start, place.end)
}

function isAscii(text: string): boolean {
  return Buffer.byteLength(text) === text.length
}

describe('properties', () => {
  for (const [, line] of goldenLines('texts.txt').filter(([kind]) => kind === 'parsed')) {
    const [hex = '', expected = ''] = line.split(' ')
    it(`reads ${hex} as Java does: ${expected || 'nothing'}`, () => {
      const encoded = Buffer.from(hex, 'hex').toString()
      const read = decodeProperties(encoded)
      assert.equal([...read].map(([name, value]) => `${name}=${value};`).join(''), expected)
      for (const [name, value] of read) if (isAscii(name)) assert.equal(found(encoded, name), value)
      assert.equal(found(encoded, 'missing'), undefined)
    })
  }

  it('finds one property as if all were decoded: whole names only, the last of several, none without a value', () => {
    const encoded = 'XKEYS\u0001no\u0002KEYS\u0001a\u0001KEYS\u0001b\u0002KEYS\u0001\u0002TAGS\u0001A\u0002TAGS\u0001B'
    for (const name of ['KEYS', 'XKEYS', 'TAGS', 'EYS', 'AGS']) {
      assert.equal(found(encoded, name), decodeProperties(encoded).get(name), name)
    }
    assert.equal(found(encoded, 'KEYS'), 'a\u0001KEYS\u0001b')
    assert.equal(found(encoded, 'TAGS'), 'B')
  })

  it('writes what Java writes', () => {
    assert.equal(encodeProperty('TAGS', 'TagA') + encodeProperty('emoji', '🚀'), golden('texts.txt', 'properties'))
  })

  it('allows 32767 bytes of UTF-8 and no more', () => {
    assert.equal(checkPropertiesLength('a'.repeat(MAX_PROPERTIES_BYTES)).length, MAX_PROPERTIES_BYTES)
    assert.throws(() => checkPropertiesLength('a'.repeat(MAX_PROPERTIES_BYTES + 1)), InvalidArgumentError)
    assert.throws(() => checkPropertiesLength('世'.repeat(10923)), /32769 bytes/)
  })
})

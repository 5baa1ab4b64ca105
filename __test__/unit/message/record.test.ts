import assert from 'node:assert/strict'
import { test } from 'node:test'
import Long from 'long'
import { InvalidArgumentError, ProtocolError } from '../../../ts/errors.js'
import { bodyCrc, compressBody, decompressBody } from '../../../ts/message/compression.js'
import { decodeRecord, encodeRecord } from '../../../ts/message/record.js'
import type { CompressionType } from '../../../ts/message/sys-flag.js'
import { goldenLines } from '../helpers/repository.js'

/** The file also holds bodies and batches; records have the magic of their version behind the length. */
const RECORDS = goldenLines('records.txt')
  .map(([name, hex]) => [name, Buffer.from(hex, 'hex')] as const)
  .filter(([, bytes]) => bytes.toString('hex', 4, 7) === 'daa320')

test('records made by Java are read, and have the same bytes when they are written again', () => {
  assert.ok(RECORDS.length > 5)
  for (const [name, bytes] of RECORDS) assert.ok(encodeRecord(decodeRecord(bytes)).equals(bytes), name)
})

test('offsets may be given as Long, bigint or number and come back as Long', () => {
  const record = decodeRecord(RECORDS[0]![1])
  assert.deepEqual(record.queueOffset, Long.fromNumber(41))
  const expected = encodeRecord(record)
  for (const queueOffset of [41, 41n]) {
    assert.ok(encodeRecord({ ...record, queueOffset }).equals(expected))
  }
})

test('a record that is cut short, or whose body was changed, is refused', () => {
  const bytes = RECORDS[0]![1]
  for (let length = 0; length < bytes.length; length++) {
    assert.throws(() => decodeRecord(bytes.subarray(0, length)), ProtocolError)
  }
  const changed = Buffer.from(bytes)
  changed[88]! ^= 1
  assert.throws(() => decodeRecord(changed), ProtocolError)
})

test('what the record format cannot hold is refused by name', () => {
  const record = decodeRecord(RECORDS[0]![1])
  assert.throws(() => encodeRecord({ ...record, properties: 'x'.repeat(32768) }), InvalidArgumentError)
  assert.throws(() => encodeRecord({ ...record, bornHost: 'localhost' }), InvalidArgumentError)
})

test('a field that is missing is refused by name', () => {
  const record = decodeRecord(RECORDS[0]![1])
  for (const field of ['queueOffset', 'physicalOffset', 'preparedTransactionOffset', 'body', 'topic', 'bornHost']) {
    assert.throws(() => encodeRecord({ ...record, [field]: undefined }), {
      name: 'InvalidArgumentError',
      message: new RegExp(`\\b${field}\\b`)
    })
  }
})

for (const type of ['ZLIB', 'LZ4', 'ZSTD'] satisfies CompressionType[]) {
  test(`a body compressed with ${type} comes back, within the limit only`, () => {
    const body = Buffer.from('a body that repeats itself, '.repeat(500))
    const compressed = compressBody(type, body)
    assert.ok(compressed.length < body.length / 10)
    assert.ok(decompressBody(type, compressed).equals(body))
    assert.throws(() => decompressBody(type, compressed, body.length - 1), ProtocolError)
    assert.throws(() => decompressBody(type, compressed.subarray(0, compressed.length / 2)), ProtocolError)
    assert.throws(() => decompressBody(type, Buffer.from('this was never compressed')), ProtocolError)
  })
}

test('the CRC of a body is CRC-32 without its top bit', () => {
  assert.equal(bodyCrc(Buffer.from('123456789')), 0xcbf43926 & 0x7fffffff)
})

import assert from 'node:assert/strict'
import type { NativeRecord } from '#binding'
import { decodePulledBody, decodeRecordBytes, encodeRecordBytes } from '../../ts/native.js'
import type { MicroCase } from './case.js'
import * as plain from './plain-record.js'

const PULLED = 32
const MAX_BODY_BYTES = 4 * 1024 * 1024

const record: NativeRecord = {
  topic: 'Load',
  queueId: 2,
  flag: 0,
  queueOffset: 1_234_567n,
  physicalOffset: 987_654_321n,
  sysFlag: 0,
  bornTimestamp: 1_700_000_000_000,
  bornHost: '127.0.0.1',
  bornPort: 54_321,
  storeTimestamp: 1_700_000_000_001,
  storeHost: '127.0.0.1',
  storePort: 10_911,
  reconsumeTimes: 0,
  preparedTransactionOffset: 0n,
  body: Buffer.alloc(128, 'x'),
  properties: 'UNIQ_KEY\u00017F000001000A4A0C9D3B1C2D3E4F0001\u0002WAIT\u0001true\u0002TAGS\u0001TagA\u0002'
}
const bytes = plain.encodeRecord(record)
const pulled = Buffer.concat(Array.from({ length: PULLED }, () => bytes))

/** Stored messages with bodies of 128 bytes. */
export const recordCases: readonly MicroCase[] = [
  {
    name: 'encode a record, 128 B',
    native: () => encodeRecordBytes(record),
    plain: { by: 'Buffer', run: () => plain.encodeRecord(record) },
    check: () => assert.deepEqual(encodeRecordBytes(record), bytes)
  },
  {
    name: 'decode a record, 128 B',
    native: () => decodeRecordBytes(bytes),
    plain: { by: 'Buffer', run: () => plain.decodeRecord(bytes) },
    check: () => assert.deepEqual({ ...decodeRecordBytes(bytes) }, plain.decodeRecord(bytes))
  },
  {
    name: `take in a pull of ${PULLED} records, 128 B each`,
    native: () => decodePulledBody(pulled, undefined, MAX_BODY_BYTES),
    plain: { by: 'Buffer', run: () => plain.decodePulled(pulled) },
    check: () => {
      const records = plain.decodePulled(decodePulledBody(pulled, undefined, MAX_BODY_BYTES))
      assert.deepEqual(records, plain.decodePulled(pulled))
    }
  }
]

import assert from 'node:assert/strict'
import { crc32, decodePulledBody, encodeFrame } from '../../ts/native.js'
import type { MicroCase } from './case.js'

const EMPTY = Buffer.alloc(0)
const BARE_FRAME = {
  serializeType: 'ROCKETMQ',
  code: 0,
  language: 0,
  version: 0,
  opaque: 0,
  flag: 0,
  extFields: {},
  body: EMPTY
}

function answerZero(bytes: Buffer): number {
  return bytes.length
}

/** What it costs to go into the addon and back, by what is carried: next to nothing is done there. */
export const crossingCases: readonly MicroCase[] = [
  {
    name: 'call: a buffer in, a number out',
    native: () => crc32(EMPTY),
    plain: { by: 'a function', run: () => answerZero(EMPTY) },
    check: () => assert.equal(crc32(EMPTY), answerZero(EMPTY))
  },
  {
    name: 'call: a buffer in, a new buffer out',
    native: () => decodePulledBody(EMPTY, undefined, 0),
    plain: { by: 'Buffer.alloc', run: () => Buffer.alloc(0) },
    check: () => assert.deepEqual(decodePulledBody(EMPTY, undefined, 0), Buffer.alloc(0))
  },
  {
    name: 'call: an object of 8 members in, a new buffer out',
    native: () => encodeFrame(BARE_FRAME),
    plain: { by: 'Buffer.alloc', run: () => Buffer.alloc(29) },
    check: () => assert.equal(encodeFrame(BARE_FRAME).length, 29)
  }
]

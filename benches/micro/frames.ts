import assert from 'node:assert/strict'
import type { NativeFrame } from '#binding'
import { decodeFrame, encodeFrame } from '../../ts/native.js'
import type { MicroCase } from './case.js'
import * as plain from './plain-frame.js'

function sendRequest(bodyBytes: number): NativeFrame {
  return {
    serializeType: 'ROCKETMQ',
    code: 310,
    language: 13,
    version: 513,
    opaque: 123_456,
    flag: 0,
    extFields: {
      a: 'load_producer',
      b: 'Load',
      c: 'TBW102',
      d: '4',
      e: '2',
      f: '0',
      g: '1700000000000',
      h: '0',
      i: 'UNIQ_KEY\u00017F000001000A4A0C9D3B1C2D3E4F0001\u0002WAIT\u0001true\u0002TAGS\u0001TagA\u0002',
      j: '0',
      k: 'false',
      m: 'false',
      n: 'broker-a'
    },
    body: Buffer.alloc(bodyBytes, 'x')
  }
}

function parse(frame: NativeFrame) {
  const { remark, ...rest } = frame
  return { ...rest, ...(remark ? { remark } : {}), extFields: { ...frame.extFields } }
}

/** A send request with 13 header fields, as objects: the way of tools and tests, not of the client's hot path. */
export const frameCases: readonly MicroCase[] = [128, 4_096].flatMap(bodyBytes => {
  const frame = sendRequest(bodyBytes)
  const bytes = plain.encodeFrame(frame)
  return [
    {
      name: `encode a send frame, ${bodyBytes} B`,
      native: () => encodeFrame(frame),
      plain: { by: 'Buffer', run: () => plain.encodeFrame(frame) },
      check: () => assert.deepEqual(encodeFrame(frame), bytes)
    },
    {
      name: `decode a send frame, ${bodyBytes} B`,
      native: () => decodeFrame(bytes),
      plain: { by: 'Buffer', run: () => plain.decodeFrame(bytes) },
      check: () => assert.deepEqual(parse(decodeFrame(bytes)), parse(plain.decodeFrame(bytes)))
    }
  ]
})

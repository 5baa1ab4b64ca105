import assert from 'node:assert/strict'
import { test } from 'node:test'
import { InvalidArgumentError, ProtocolError } from '../../../ts/errors.js'
import { decodeFrame, encodeFrame } from '../../../ts/remoting/frame.js'
import { goldenLines } from '../helpers/repository.js'

const FRAMES = goldenLines('frames.txt').map(([name, hex]) => [name, Buffer.from(hex, 'hex')] as const)

test('frames made by Java are read, and say the same when they were written again in either encoding', () => {
  assert.ok(FRAMES.length > 20)
  for (const [name, bytes] of FRAMES) {
    const frame = decodeFrame(bytes)
    assert.equal(frame.serializeType, name.endsWith('.json') ? 'JSON' : 'ROCKETMQ', name)
    for (const serializeType of ['JSON', 'ROCKETMQ'] as const) {
      // The binary header has 16 bits for the code, so it is JSON that carries a larger one.
      const written = frame.code > 0x7fff ? 'JSON' : serializeType
      const again = decodeFrame(encodeFrame({ ...frame, serializeType }))
      assert.deepEqual(again, { ...frame, serializeType: written }, `${name} as ${serializeType}`)
    }
  }
})

test('a frame that is cut short at any byte, or has a byte too many, is no frame', () => {
  for (const [, bytes] of FRAMES.slice(0, 6)) {
    for (let length = 0; length < bytes.length; length++) {
      assert.throws(() => decodeFrame(bytes.subarray(0, length)), ProtocolError)
    }
    assert.throws(() => decodeFrame(Buffer.concat([bytes, Buffer.alloc(1)])), ProtocolError)
  }
})

test('a frame above 16 MiB is refused', () => {
  const frame = decodeFrame(FRAMES[0]![1])
  assert.throws(() => encodeFrame({ ...frame, body: Buffer.alloc(16 * 1024 * 1024) }), InvalidArgumentError)
})

import assert from 'node:assert/strict'
import { crc32 as crc32OfNode, deflateSync, inflateSync } from 'node:zlib'
import { compress, crc32, decompress } from '../../ts/native.js'
import type { MicroCase } from './case.js'

const LEVEL = 5
const MAX_BODY_BYTES = 4 * 1024 * 1024

/** Text that compresses to about a third, like most JSON. */
function textOf(bytes: number): Buffer {
  let text = ''
  for (let i = 0; text.length < bytes; i++) {
    text += `{"orderId":${(i * 7919) % 100_003},"customer":"c-${(i * 31) % 997}","amount":${(i * 137) % 9_973}},`
  }
  return Buffer.from(text.slice(0, bytes))
}

function compressionCases(bytes: number): MicroCase[] {
  const body = textOf(bytes)
  const kib = `${bytes / 1_024} KiB`
  return ['ZLIB', 'LZ4', 'ZSTD'].flatMap(kind => {
    const packed = compress(kind, LEVEL, body)
    const zlib = kind === 'ZLIB'
    const check = () => assert.deepEqual(decompress(kind, packed, MAX_BODY_BYTES), body)
    return [
      {
        name: `compress ${kib} with ${kind}, to ${((packed.length / bytes) * 100).toFixed(0)} %`,
        native: () => compress(kind, LEVEL, body),
        ...(zlib ? { plain: { by: 'node:zlib', run: () => deflateSync(body, { level: LEVEL }) } } : {}),
        check: () => {
          check()
          if (zlib) assert.deepEqual(inflateSync(packed), body)
        }
      },
      {
        name: `inflate ${kib} of ${kind}`,
        native: () => decompress(kind, packed, MAX_BODY_BYTES),
        ...(zlib ? { plain: { by: 'node:zlib', run: () => inflateSync(packed) } } : {}),
        check
      }
    ]
  })
}

function crcCase(bytes: number): MicroCase {
  const body = textOf(bytes)
  return {
    name: `CRC-32 of ${bytes} B`,
    native: () => crc32(body),
    plain: { by: 'node:zlib', run: () => crc32OfNode(body) & 0x7fff_ffff },
    check: () => assert.equal(crc32(body), crc32OfNode(body) & 0x7fff_ffff)
  }
}

/** Compression of bodies, synchronous, and their checksums. */
export const bodyCases: readonly MicroCase[] = [
  ...compressionCases(4 * 1_024),
  ...compressionCases(64 * 1_024),
  crcCase(128),
  crcCase(4_096)
]

/** The bodies of the interop messages, a function of their index; Bodies.java computes the same. */
import { crc32 } from 'node:zlib'

/** Four bytes of index, big endian, then bytes that depend on the index, repetitive enough to compress. */
export function bodyOf(index: number, bytes: number): Buffer {
  const body = Buffer.alloc(bytes)
  for (let i = 4; i < bytes; i++) body[i] = (index * 7 + (i >> 3)) & 0xff
  if (bytes >= 4) body.writeInt32BE(index)
  return body
}

/** CRC-32 of the body of message `index`. */
export function crcOf(index: number, bytes: number): number {
  return crc32(bodyOf(index, bytes))
}

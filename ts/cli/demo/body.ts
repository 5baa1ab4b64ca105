import { randomFillSync } from 'node:crypto'

/**
 * Bodies that can be told from all others: the index of the message (u32, little endian), a checksum over index and the
 * rest (u32), the rest.
 *
 * @packageDocumentation
 */

const CHECKSUM_AT = 4
const REST_AT = 8

/** Index and checksum. */
export const MIN_BODY_BYTES = REST_AT

/** A body whose rest is made once, so that giving it another index costs next to nothing. */
export class ReusableBody {
  /** What is sent. Not to be touched between {@link setIndex} and the end of the send. */
  readonly bytes: Buffer
  readonly #restHash: number

  /** @param length bytes of the body, at least {@link MIN_BODY_BYTES} */
  constructor(length: number) {
    this.bytes = Buffer.alloc(length)
    randomFillSync(this.bytes, REST_AT)
    this.#restHash = hashOfRest(this.bytes)
  }

  /** Makes it the body of this message. */
  setIndex(index: number): void {
    this.bytes.writeUInt32LE(index, 0)
    this.bytes.writeUInt32LE(checksum(this.#restHash, index), CHECKSUM_AT)
  }
}

/** The index in a received body; −1 when length or checksum are wrong. */
export function readIndex(body: Buffer, length: number): number {
  if (body.length !== length) return -1
  const index = body.readUInt32LE(0)
  return body.readUInt32LE(CHECKSUM_AT) === checksum(hashOfRest(body), index) ? index : -1
}

/** FNV-1a over the rest. For bodies of the demo's size faster than crossing to native code for a CRC. */
function hashOfRest(body: Buffer): number {
  let hash = 0x811c9dc5
  for (let i = REST_AT; i < body.length; i++) hash = Math.imul(hash ^ body[i]!, 0x01000193)
  return hash
}

/** Mixes the index in, so that a change of any of its bits changes the checksum. */
function checksum(restHash: number, index: number): number {
  const mixed = Math.imul(restHash ^ index, 0x9e3779b1)
  return (mixed ^ (mixed >>> 15)) >>> 0
}

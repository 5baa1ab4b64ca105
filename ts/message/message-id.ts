import { randomBytes } from 'node:crypto'
import Long from 'long'
import { InvalidArgumentError } from '../errors.js'
import { ipBytes, ipText, localAddress } from './local-address.js'

/**
 * The two kinds of message ids. The unique id is given by the sender and travels as property `UNIQ_KEY`; the offset id is
 * given by the broker and says where the message lies.
 *
 * @packageDocumentation
 */

const HEX_DIGITS = Buffer.from('0123456789ABCDEF')
const HEX_BYTES = Array.from({ length: 256 }, (_, byte) => byte.toString(16).toUpperCase().padStart(2, '0'))

/** Address, process id, four random bytes where Java has the hash of its class loader. */
function uniqueIdPrefix(): string {
  const tail = Buffer.alloc(6)
  tail.writeUInt16BE(process.pid & 0xffff)
  randomBytes(4).copy(tail, 2)
  return Buffer.concat([ipBytes(localAddress()), tail])
    .toString('hex')
    .toUpperCase()
}

const PREFIX = uniqueIdPrefix()
let monthStartMs = 0
let nextMonthStartMs = 0
/** The millisecond that `currentHead` was made for. */
let currentMs = -1
/** Prefix and time part, made once a millisecond. */
let currentHead = ''
let counter = 0

function newHead(nowMs: number): string {
  if (nowMs >= nextMonthStartMs || nowMs < monthStartMs) {
    const now = new Date(nowMs)
    monthStartMs = new Date(now.getFullYear(), now.getMonth(), 1).getTime()
    nextMonthStartMs = new Date(now.getFullYear(), now.getMonth() + 1, 1).getTime()
  }
  const elapsedMs = (nowMs - monthStartMs) | 0
  return PREFIX + (elapsedMs >>> 0).toString(16).toUpperCase().padStart(8, '0')
}

/**
 * A new unique message id, upper-case hexadecimal: address (4 or 16 bytes), process id (2), a constant of this process
 * (4), milliseconds since the start of the month in local time (4), a counter (2)
 * (`common/message/MessageClientIDSetter.java#createUniqID`).
 *
 * @param nowMs the wall clock, ms since 1970
 */
export function createUniqueId(nowMs: number): string {
  return uniqueIdHead(nowMs) + uniqueIdTail(nextUniqueCount())
}

/** All of a unique id but its counter: the same text for all ids of a millisecond. */
export function uniqueIdHead(nowMs: number): string {
  if (nowMs !== currentMs) {
    currentHead = newHead(nowMs)
    currentMs = nowMs
  }
  return currentHead
}

/** The counter of the next unique id, 16 bits. */
export function nextUniqueCount(): number {
  const count = counter
  counter = (count + 1) & 0xffff
  return count
}

/** The counter as it stands in a unique id: {@link UNIQUE_ID_TAIL_LENGTH} digits. */
export function uniqueIdTail(count: number): string {
  return HEX_BYTES[count >> 8]! + HEX_BYTES[count & 0xff]!
}

/** {@link uniqueIdTail}, into `bytes`. */
export function writeUniqueIdTail(bytes: Uint8Array, at: number, count: number): void {
  bytes[at] = HEX_DIGITS[count >>> 12]!
  bytes[at + 1] = HEX_DIGITS[(count >>> 8) & 15]!
  bytes[at + 2] = HEX_DIGITS[(count >>> 4) & 15]!
  bytes[at + 3] = HEX_DIGITS[count & 15]!
}

/** Length of the part of a unique id that differs within a millisecond. */
export const UNIQUE_ID_TAIL_LENGTH = 4
/** No id, but as long as all of this process. */
export const SOME_UNIQUE_ID = '0'.repeat(PREFIX.length + 8 + UNIQUE_ID_TAIL_LENGTH)

/** Where a message lies. */
export interface OffsetMessageId {
  /** IP address of the broker that stored it. */
  host: string
  /** Its port. */
  port: number
  /** Position in its commit log. */
  commitLogOffset: Long
}

/** Encodes an offset id: address (4 or 16 bytes), port (4), commit-log offset (8), in upper-case hexadecimal. */
export function encodeOffsetMessageId(host: Uint8Array, port: number, commitLogOffset: Long): string {
  const tail = Buffer.allocUnsafe(12)
  tail.writeInt32BE(port, 0)
  tail.writeInt32BE(commitLogOffset.high, 4)
  tail.writeInt32BE(commitLogOffset.low, 8)
  return Buffer.concat([host, tail]).toString('hex').toUpperCase()
}

/**
 * Decodes an offset id (`common/message/MessageDecoder.java#decodeMessageId`).
 *
 * @throws InvalidArgumentError when it is not 32 or 56 hexadecimal digits
 */
export function decodeOffsetMessageId(id: string): OffsetMessageId {
  if (!/^(?:[0-9A-Fa-f]{32}|[0-9A-Fa-f]{56})$/.test(id)) {
    throw new InvalidArgumentError(`an offset message id has 32 or 56 hexadecimal digits, not ${JSON.stringify(id)}`)
  }
  const bytes = Buffer.from(id, 'hex')
  const tail = bytes.length - 12
  return {
    host: ipText(bytes.subarray(0, tail)),
    port: bytes.readInt32BE(tail),
    commitLogOffset: new Long(bytes.readInt32BE(tail + 8), bytes.readInt32BE(tail + 4))
  }
}

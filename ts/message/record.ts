import { inspect } from 'node:util'
import Long from 'long'
import { InvalidArgumentError, ProtocolError, toError } from '../errors.js'
import { decodeRecordBytes, encodeRecordBytes } from '../native.js'

/** A 64-bit number as callers may have it. */
export type LongLike = Long | bigint | number

/** A message as the commit log has it and pulls carry it (`common/message/MessageDecoder.java`). */
export interface MessageRecord {
  /** Above 127 bytes the record is of version 2. */
  readonly topic: string
  readonly queueId: number
  /** The user's flag. */
  readonly flag: number
  readonly queueOffset: LongLike
  /** Where the record begins in the commit log. */
  readonly physicalOffset: LongLike
  /** Bits of `MessageSysFlag`; those of the hosts follow from the hosts. */
  readonly sysFlag: number
  /** Milliseconds since 1970 at the producer. */
  readonly bornTimestamp: number
  /** IP address of the producer. */
  readonly bornHost: string
  readonly bornPort: number
  /** Milliseconds since 1970 at the broker. */
  readonly storeTimestamp: number
  /** IP address of the broker. */
  readonly storeHost: string
  readonly storePort: number
  readonly reconsumeTimes: number
  readonly preparedTransactionOffset: LongLike
  /** As stored: compressed when `sysFlag` says so. */
  readonly body: Uint8Array
  /** `name 0x01 value 0x02` repeated. */
  readonly properties: string
}

/** A record that was decoded: its numbers are `Long`s and its body a Buffer of its own. */
export interface DecodedMessageRecord extends MessageRecord {
  readonly queueOffset: Long
  readonly physicalOffset: Long
  readonly preparedTransactionOffset: Long
  readonly body: Buffer
}

/**
 * Encodes a record, with the CRC of its body.
 * @throws InvalidArgumentError for a topic, body or properties that the format cannot hold, a host that is no IP address, or
 * a field that is missing
 */
export function encodeRecord(record: MessageRecord): Buffer {
  try {
    const { body } = record
    if (!(body instanceof Uint8Array)) {
      const shown = inspect(body, { depth: -1, maxStringLength: 100 })
      throw new InvalidArgumentError(`body must be a Uint8Array, not ${shown}`)
    }
    return encodeRecordBytes({
      ...record,
      queueOffset: toBigInt('queueOffset', record.queueOffset),
      physicalOffset: toBigInt('physicalOffset', record.physicalOffset),
      preparedTransactionOffset: toBigInt('preparedTransactionOffset', record.preparedTransactionOffset),
      body: Buffer.from(body)
    })
  } catch (error) {
    if (error instanceof InvalidArgumentError) throw error
    throw new InvalidArgumentError(toError(error).message, { cause: error })
  }
}

/**
 * Decodes the record at the start of `bytes` and checks the CRC of its body.
 * @throws ProtocolError when there is no whole, sound record
 */
export function decodeRecord(bytes: Uint8Array): DecodedMessageRecord {
  try {
    const record = decodeRecordBytes(bytes)
    return {
      ...record,
      queueOffset: toLong('queueOffset', record.queueOffset),
      physicalOffset: toLong('physicalOffset', record.physicalOffset),
      preparedTransactionOffset: toLong('preparedTransactionOffset', record.preparedTransactionOffset)
    }
  } catch (error) {
    throw new ProtocolError(toError(error).message, { cause: error })
  }
}

function toBigInt(what: string, value: LongLike): bigint {
  return BigInt(toLong(what, value).toString())
}

/**
 * Any 64-bit number as a Long.
 *
 * @param what its name, for the error
 * @throws InvalidArgumentError for what is none, or a number above 2^53 whose last digits are lost already
 */
export function toLong(what: string, value: LongLike): Long {
  if (typeof value === 'number' && Number.isSafeInteger(value)) return Long.fromNumber(value)
  if (typeof value === 'bigint' && BigInt.asIntN(64, value) === value) return Long.fromString(value.toString())
  if (Long.isLong(value)) return value
  const shown = inspect(value, { depth: -1, maxStringLength: 100 })
  throw new InvalidArgumentError(`${what} must be a whole number of 64 bits (Long, bigint or number), not ${shown}`)
}

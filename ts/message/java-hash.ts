import Long from 'long'
import { InvalidArgumentError } from '../errors.js'

/** Java's `String.hashCode()`: 32 bits with sign. Consumers and brokers compare tags by it. */
export function javaStringHash(text: string): number {
  let hash = 0
  for (let i = 0; i < text.length; i++) hash = (Math.imul(hash, 31) + text.charCodeAt(i)) | 0
  return hash
}

/** A value that has a counterpart in Java, and therefore a hash of its own there. */
export type JavaHashable = string | number | bigint | boolean | Long

/**
 * Java's `hashCode()` of the counterpart of a value: a whole number is an `Integer` if it fits one, else (up to
 * 2^53) a `Long`, as bigint and Long always are; any other number is a `Double`.
 *
 * @throws InvalidArgumentError for a value without counterpart
 */
export function javaHashCode(value: JavaHashable): number {
  switch (typeof value) {
    case 'string':
      return javaStringHash(value)
    case 'number':
      if (!Number.isSafeInteger(value)) return doubleHash(value)
      return (value | 0) === value ? value : longHash(Long.fromNumber(value))
    case 'bigint':
      return longHash(Long.fromBigInt(value))
    case 'boolean':
      return value ? 1231 : 1237
    default:
      if (Long.isLong(value)) return longHash(value)
      throw new InvalidArgumentError(
        `a text, number, boolean, bigint or Long is wanted for a hash, not ${String(value)}`
      )
  }
}

function longHash(value: Long): number {
  return value.low ^ value.high
}

function doubleHash(value: number): number {
  const bits = new DataView(new ArrayBuffer(8))
  bits.setFloat64(0, value)
  return bits.getInt32(0) ^ bits.getInt32(4)
}

import { golden } from './repository.js'

/** Where the queue offset lies in a record. */
const QUEUE_OFFSET_AT = 20

/** Apache's golden record with these queue offsets, one after the other, as an answer to a pull brings them. */
export function recordsAt(offsets: readonly number[], name = 'v1'): Buffer {
  return Buffer.concat(
    offsets.map(offset => {
      const record = Buffer.from(golden('records.txt', name), 'hex')
      record.writeBigInt64BE(BigInt(offset), QUEUE_OFFSET_AT)
      return record
    })
  )
}

/** The whole numbers from `first`, `count` of them. */
export function range(first: number, count: number): number[] {
  return Array.from({ length: count }, (_, index) => first + index)
}

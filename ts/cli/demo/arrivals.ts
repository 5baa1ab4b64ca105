import type { MessageExt } from '../../message/message-ext.js'
import { readIndex } from './body.js'

/** Checks every message that arrives and remembers which did, one bit for each. */
export class Arrivals {
  /** Messages that arrived at least once and unharmed. */
  distinct = 0
  /** Deliveries of a message that had arrived before. */
  duplicates = 0
  /** Deliveries with a wrong length, checksum or index. */
  corrupt = 0
  /** Time of the first and of the latest arrival, `performance.now()`; 0 before. */
  firstAt = 0
  lastAt = 0
  readonly #messages: number
  readonly #bodyBytes: number
  readonly #seen: Uint32Array

  /** @param messages how many there are to be, with the indexes from 0 */
  constructor(messages: number, bodyBytes: number) {
    this.#messages = messages
    this.#bodyBytes = bodyBytes
    this.#seen = new Uint32Array(Math.ceil(messages / 32))
  }

  /** Takes what a consumer was given; a message listener. */
  readonly take = (messages: readonly MessageExt[]): void => {
    this.lastAt = performance.now()
    if (this.firstAt === 0) this.firstAt = this.lastAt
    for (const message of messages) this.#take(message.body)
  }

  /** The indexes that did not arrive, as ranges like `12, 15-17`; at most `limit` ranges. */
  missing(limit: number): string {
    const ranges: string[] = []
    for (let index = 0; index < this.#messages; index++) {
      if (this.#has(index)) continue
      const first = index
      while (index + 1 < this.#messages && !this.#has(index + 1)) index++
      if (ranges.length === limit) return `${ranges.join(', ')}, ...`
      ranges.push(first === index ? String(first) : `${first}-${index}`)
    }
    return ranges.join(', ')
  }

  #take(body: Buffer): void {
    const index = readIndex(body, this.#bodyBytes)
    if (index < 0 || index >= this.#messages) {
      this.corrupt++
      return
    }
    const bit = 1 << (index & 31)
    const word = this.#seen[index >>> 5]!
    if ((word & bit) !== 0) {
      this.duplicates++
      return
    }
    this.#seen[index >>> 5] = word | bit
    this.distinct++
  }

  #has(index: number): boolean {
    return (this.#seen[index >>> 5]! & (1 << (index & 31))) !== 0
  }
}

import type { MessageExt } from '../message/message-ext.js'
import type { MessageQueue } from '../message/message-queue.js'
import type { ConsumeStats } from './consume-stats.js'

const INITIAL_SLOTS = 64
/** A queue that was not pulled for this long has lost its pull loop (`impl/consumer/ProcessQueue.java#PULL_MAX_IDLE_TIME`). */
const PULL_MAX_IDLE_MS = 120_000

/**
 * The messages of a queue that were pulled and are not yet consumed (`impl/consumer/ProcessQueue.java`). Java keeps them in
 * a sorted tree; since offsets arrive in order, a ring of offsets does: slots are taken at its end, marked when their
 * message is done, and given back at its start, which is the offset to commit.
 */
export class ProcessQueue {
  /** Which queue. */
  readonly messageQueue: MessageQueue
  /** Counts of its topic. */
  readonly stats: ConsumeStats
  /** Set when the queue belongs to somebody else now: what is still consumed counts no more. */
  dropped = false
  /** When it was last pulled, ms since 1970. */
  lastPullTimestamp = Date.now()
  /** When messages of it were last done, ms since 1970. */
  lastConsumeTimestamp = Date.now()
  #offsets = new Float64Array(INITIAL_SLOTS)
  #sizes = new Int32Array(INITIAL_SLOTS)
  #done = new Uint8Array(INITIAL_SLOTS)
  /** Number of the first slot in use, counted from the beginning of time; its place is this modulo the capacity. */
  #head = 0
  #tail = 0
  #messageCount = 0
  #messageBytes = 0
  #maxOffset = -1

  constructor(messageQueue: MessageQueue, stats: ConsumeStats) {
    this.messageQueue = messageQueue
    this.stats = stats
  }

  /** Messages that are not done. */
  get messageCount(): number {
    return this.#messageCount
  }

  /** Bytes of their bodies. */
  get messageBytes(): number {
    return this.#messageBytes
  }

  /** Offset of the oldest message that is not done, 0 when there is none. */
  get minOffset(): number {
    return this.#messageCount === 0 ? 0 : this.#offset(this.#head)
  }

  /** Offset of the newest message, 0 when none is held. */
  get maxOffset(): number {
    return this.#messageCount === 0 ? 0 : this.#maxOffset
  }

  /** Distance between the oldest message that is not done and the newest one. */
  get maxSpan(): number {
    return this.#messageCount === 0 ? 0 : this.#maxOffset - this.#offset(this.#head)
  }

  /** Whether its pull loop has stopped moving. */
  get pullExpired(): boolean {
    return Date.now() - this.lastPullTimestamp > PULL_MAX_IDLE_MS
  }

  /**
   * Takes messages in, in the order of their offsets. Those that are not beyond what was taken before are left out.
   *
   * @returns how many were taken; 0 to all, always the last ones of `messages`
   */
  put(messages: readonly MessageExt[]): number {
    let taken = 0
    for (const message of messages) {
      const offset = message.queueOffsetNumber
      if (offset <= this.#maxOffset) continue
      if (this.#tail - this.#head === this.#offsets.length) this.#grow()
      const slot = this.#tail & (this.#offsets.length - 1)
      const bytes = message.bodyLength
      this.#offsets[slot] = offset
      this.#sizes[slot] = bytes
      this.#done[slot] = 0
      this.#tail++
      this.#maxOffset = offset
      this.#messageBytes += bytes
      taken++
    }
    this.#messageCount += taken
    return taken
  }

  /**
   * Marks messages as done.
   *
   * @returns the offset up to which everything is done, to be committed; −1 when nothing was held
   */
  remove(messages: readonly MessageExt[]): number {
    this.lastConsumeTimestamp = Date.now()
    if (this.#messageCount === 0) return -1
    for (const message of messages) {
      const index = this.#find(message.queueOffsetNumber)
      if (index < 0) continue
      const slot = index & (this.#offsets.length - 1)
      if (this.#done[slot] === 1) continue
      this.#done[slot] = 1
      this.#messageCount--
      this.#messageBytes -= this.#sizes[slot]!
    }
    while (this.#head < this.#tail && this.#done[this.#head & (this.#offsets.length - 1)] === 1) this.#head++
    return this.#head === this.#tail ? this.#maxOffset + 1 : this.#offset(this.#head)
  }

  /** Whether a message is held and not done. */
  contains(message: MessageExt): boolean {
    const index = this.#find(message.queueOffsetNumber)
    return index >= 0 && this.#done[index & (this.#offsets.length - 1)] === 0
  }

  #offset(index: number): number {
    return this.#offsets[index & (this.#offsets.length - 1)]!
  }

  /** Number of the slot with this offset, −1 if there is none. Without gaps the first guess is right. */
  #find(offset: number): number {
    if (this.#head === this.#tail) return -1
    const guess = this.#head + (offset - this.#offset(this.#head))
    let low = this.#head
    let high = Math.min(guess, this.#tail - 1)
    if (high >= low && this.#offset(high) === offset) return high
    while (low <= high) {
      const middle = Math.floor((low + high) / 2)
      const found = this.#offset(middle)
      if (found === offset) return middle
      if (found < offset) low = middle + 1
      else high = middle - 1
    }
    return -1
  }

  #grow(): void {
    const capacity = this.#offsets.length * 2
    const offsets = new Float64Array(capacity)
    const sizes = new Int32Array(capacity)
    const done = new Uint8Array(capacity)
    for (let index = this.#head; index < this.#tail; index++) {
      const from = index & (this.#offsets.length - 1)
      const to = index & (capacity - 1)
      offsets[to] = this.#offsets[from]!
      sizes[to] = this.#sizes[from]!
      done[to] = this.#done[from]!
    }
    this.#offsets = offsets
    this.#sizes = sizes
    this.#done = done
  }
}

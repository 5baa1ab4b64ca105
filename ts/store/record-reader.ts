import Long from 'long'
import { type MessageExt, type ReceivedFrom, viewOf, viewRecords } from '../message/message-ext.js'

/** Records of several reads share a buffer of this size; a message that is kept keeps it. */
const SLAB_BYTES = 256 * 1024
const HEAD_BYTES = 32

/** There is no broker, and nothing is added to what is stored. */
export const FROM_STORE: ReceivedFrom = {
  brokerName: '',
  offsetDelta: 0,
  minOffset: undefined,
  maxOffset: undefined,
  retryTopic: undefined
}

/** One read's answer. */
export interface Answer {
  readonly status: number
  readonly messages: MessageExt[]
  readonly next: Long
  readonly min: Long
  readonly max: Long
}

/** Gives room for the answers of reads, and reads them. */
export class RecordReader {
  #slab = Buffer.allocUnsafeSlow(SLAB_BYTES)
  #view = viewOf(this.#slab)
  #used = 0

  /**
   * @param read writes head and records behind one another into the buffer at the position, and returns their bytes; if they
   * do not fit, `take` is asked once there is room
   */
  answer(read: (into: Buffer, at: number) => number, take: (into: Buffer, at: number) => number): Answer {
    let bytes = read(this.#slab, this.#used)
    if (bytes > this.#slab.length - this.#used) {
      this.#slab = Buffer.allocUnsafeSlow(Math.max(bytes, SLAB_BYTES))
      this.#view = viewOf(this.#slab)
      this.#used = 0
      bytes = take(this.#slab, 0)
    }
    const view = this.#view
    const at = this.#used
    this.#used = at + bytes
    return {
      status: view.getUint32(at, true),
      messages: viewRecords(this.#slab, FROM_STORE, view, at + HEAD_BYTES, at + bytes),
      next: longAt(view, at + 8),
      min: longAt(view, at + 16),
      max: longAt(view, at + 24)
    }
  }
}

function longAt(view: DataView, at: number): Long {
  return new Long(view.getInt32(at, true), view.getInt32(at + 4, true))
}

import Long from 'long'
import { OffsetIdText } from './offset-id-text.js'
import type { PulledBatch, RemotingCommand } from './types.js'

/** "None" where a length, an index or a count stands. */
const NONE = 0xffffffff
const EMPTY = Buffer.alloc(0)

/** Why a request ended without an answer; the numbers of `crates/node/src/completions.rs`. */
export const enum FailureKind {
  ConnectFailed = 0,
  ConnectionLost = 1,
  TimedOut = 2,
  TooManyRequests = 3,
  Closed = 4,
  Malformed = 5,
  Unsendable = 6
}

/** Where completions go, one call each. */
export interface CompletionSink {
  sent(
    token: number,
    code: number,
    queueId: number,
    queueOffsetLow: number,
    queueOffsetHigh: number,
    offsetMsgId: string,
    traceOn: boolean,
    regionId: string | undefined
  ): void
  responded(token: number, response: RemotingCommand): void
  pulled(token: number, batch: PulledBatch): void
  failed(token: number, kind: FailureKind, message: string): void
  requested(channel: number, opaque: number, oneway: boolean, request: RemotingCommand): void
  closed(address: string, reason: string): void
}

/** Reads packed completions. The layout, little endian, is drawn in `crates/node/src/completions.rs`. */
export class CompletionReader {
  readonly #sink: CompletionSink
  readonly #takeBody: (index: number) => Buffer | null
  readonly #offsetIds = new OffsetIdText()
  #buffer: Buffer = EMPTY
  #view: DataView = new DataView(new ArrayBuffer(0))

  constructor(sink: CompletionSink, takeBody: (index: number) => Buffer | null) {
    this.#sink = sink
    this.#takeBody = takeBody
  }

  /** Uses `buffer` from now on; it must own its whole ArrayBuffer. */
  use(buffer: Buffer): void {
    this.#buffer = buffer
    this.#view = new DataView(buffer.buffer)
  }

  /** Tells the sink of every record among the first `bytes`. */
  read(bytes: number): void {
    const view = this.#view
    for (let start = 0; start < bytes;) {
      const next = start + view.getUint32(start + 4, true)
      const token = view.getUint32(start + 8, true)
      switch (view.getUint32(start, true)) {
        case 1:
          this.#sent(token, start + 12)
          break
        case 2:
          this.#sink.responded(token, this.#response(start + 12))
          break
        case 3:
          this.#sink.pulled(token, this.#pulled(start + 12))
          break
        case 4:
          this.#sink.failed(token, view.getUint32(start + 12, true), this.#text(start + 20, this.#u32(start + 16)))
          break
        case 5:
          this.#requested(token, start + 12)
          break
        default: {
          const reasonStart = start + 20 + this.#u32(start + 12)
          this.#sink.closed(
            this.#text(start + 20, this.#u32(start + 12)),
            this.#text(reasonStart, this.#u32(start + 16))
          )
        }
      }
      start = next
    }
  }

  #sent(token: number, at: number): void {
    const view = this.#view
    const flags = view.getUint32(at + 16, true)
    const msgIdEnd = at + 28 + view.getUint32(at + 20, true)
    const offsetMsgId = this.#offsetIds.read(this.#buffer, view, at + 28, msgIdEnd)
    const regionId = flags & 2 ? this.#text(msgIdEnd, view.getUint32(at + 24, true)) : undefined
    this.#sink.sent(
      token,
      view.getInt32(at, true),
      view.getInt32(at + 4, true),
      view.getInt32(at + 8, true),
      view.getInt32(at + 12, true),
      offsetMsgId,
      (flags & 1) !== 0,
      regionId
    )
  }

  #response(at: number): RemotingCommand {
    return this.#command(at, at + 20, this.#u32(at + 8), this.#u32(at + 12), this.#u32(at + 16))
  }

  #requested(opaque: number, at: number): void {
    const oneway = this.#u32(at + 8) !== 0
    const request = this.#command(at, at + 28, this.#u32(at + 16), this.#u32(at + 20), this.#u32(at + 24))
    this.#sink.requested(this.#u32(at + 12), opaque, oneway, request)
  }

  #command(at: number, dataStart: number, remarkBytes: number, extCount: number, body: number): RemotingCommand {
    let position = dataStart
    let remark: string | undefined
    if (remarkBytes !== NONE) {
      remark = this.#text(position, remarkBytes)
      position += remarkBytes
    }
    const extFields: Record<string, string> = {}
    for (let index = 0; index < extCount; index++) {
      const valueStart = position + 8 + this.#u32(position)
      const end = valueStart + this.#u32(position + 4)
      extFields[this.#text(position + 8, valueStart - position - 8)] = this.#text(valueStart, end - valueStart)
      position = end
    }
    return {
      code: this.#view.getInt32(at, true),
      version: this.#view.getInt32(at + 4, true),
      remark,
      extFields,
      body: this.#body(body)
    }
  }

  #pulled(at: number): PulledBatch {
    const view = this.#view
    const remarkBytes = view.getUint32(at + 48, true)
    const unreadableBytes = view.getUint32(at + 52, true)
    const unreadableAt = at + 56 + (remarkBytes === NONE ? 0 : remarkBytes)
    return {
      code: view.getInt32(at, true),
      suggestWhichBrokerId: view.getInt32(at + 4, true),
      nextBeginOffset: this.#long(at + 8),
      minOffset: this.#long(at + 16),
      maxOffset: this.#long(at + 24),
      offsetDelta: this.#long(at + 32),
      messageCount: view.getUint32(at + 40, true),
      messages: this.#body(view.getUint32(at + 44, true)),
      unreadable: unreadableBytes === NONE ? undefined : this.#text(unreadableAt, unreadableBytes),
      remark: remarkBytes === NONE ? undefined : this.#text(at + 56, remarkBytes)
    }
  }

  #body(index: number): Buffer {
    return index === NONE ? EMPTY : (this.#takeBody(index) ?? EMPTY)
  }

  #u32(at: number): number {
    return this.#view.getUint32(at, true)
  }

  #long(at: number): Long {
    return new Long(this.#view.getInt32(at, true), this.#view.getInt32(at + 4, true))
  }

  #text(start: number, bytes: number): string {
    return this.#buffer.toString('utf8', start, start + bytes)
  }
}

import type { ExtField, RemotingResponse, SendFields, SendTemplate } from './types.js'

/** A token that stands for nobody: the request is oneway. */
export const NO_TOKEN = 0xffffffff

const enum Kind {
  Send = 1,
  Invoke = 2,
  Respond = 3,
  Pull = 4
}

const INITIAL_BYTES = 64 * 1024
/** A buffer that one large request made grow beyond this is given back. */
const KEEP_BYTES = 1024 * 1024
/** kind, record bytes, token, timeout. */
const HEAD_BYTES = 16
const EMPTY = new Uint8Array(0)

/**
 * Writes requests one after the other into one buffer that is kept and reused, so that all requests of a tick cross into
 * Rust by one call. The layout, little endian, is drawn in `crates/node/src/submission.rs`.
 */
export class SubmissionWriter {
  #buffer = Buffer.allocUnsafeSlow(INITIAL_BYTES)
  #view = new DataView(this.#buffer.buffer)
  #used = 0
  #records = 0

  /** Records written since the last `reset()`. */
  get records(): number {
    return this.#records
  }

  /** Bytes written since the last `reset()`. */
  get used(): number {
    return this.#used
  }

  /** The buffer; its first `used` bytes are the records. */
  get bytes(): Buffer {
    return this.#buffer
  }

  /** Forgets what was written. */
  reset(): void {
    this.#used = 0
    this.#records = 0
    if (this.#buffer.length > KEEP_BYTES) this.#replace(INITIAL_BYTES)
  }

  /** A send whose constant header fields were registered as `template`. */
  send(token: number, timeoutMs: number, template: SendTemplate, fields: SendFields): void {
    const { properties, body } = fields
    const bodyBytes = body.length
    const units = typeof properties === 'string' ? properties.length : properties.unitsAtMost
    this.#reserve(HEAD_BYTES + 32 + units * 3 + bodyBytes)
    const view = this.#view
    const start = this.#used
    view.setUint32(start, Kind.Send, true)
    view.setUint32(start + 8, token, true)
    view.setUint32(start + 12, timeoutMs, true)
    view.setUint32(start + 16, template, true)
    view.setInt32(start + 20, fields.sysFlag, true)
    view.setInt32(start + 24, fields.flag, true)
    view.setInt32(start + 28, fields.reconsumeTimes, true)
    view.setFloat64(start + 32, fields.bornTimestampMs, true)
    const propertiesStart = start + HEAD_BYTES + 32
    const propertiesBytes =
      typeof properties === 'string'
        ? this.#buffer.write(properties, propertiesStart, 'utf8')
        : properties.writeTo(this.#buffer, propertiesStart)
    view.setUint32(start + 40, propertiesBytes, true)
    view.setUint32(start + 44, bodyBytes, true)
    this.#buffer.set(body, propertiesStart + propertiesBytes)
    this.#used = propertiesStart + propertiesBytes + bodyBytes
    this.#end(start)
  }

  /** Any request; `NO_TOKEN` makes it oneway. */
  invoke(
    token: number,
    timeoutMs: number,
    code: number,
    extFields: Readonly<Record<string, ExtField>> | undefined,
    body: Uint8Array = EMPTY,
    remark = ''
  ): void {
    const start = this.#begin(Kind.Invoke, token, timeoutMs)
    this.#int32(code)
    const counts = this.#skip(12)
    const remarkBytes = this.#text(remark)
    const extCount = this.#extFields(extFields)
    this.#bytes(body)
    this.#view.setUint32(counts, remarkBytes, true)
    this.#view.setUint32(counts + 4, extCount, true)
    this.#view.setUint32(counts + 8, body.length, true)
    this.#end(start)
  }

  /** The answer to the broker's request `opaque`. */
  respond(opaque: number, response: RemotingResponse): void {
    const body = response.body ?? EMPTY
    const start = this.#begin(Kind.Respond, opaque, 0)
    this.#int32(response.code)
    const counts = this.#skip(12)
    const remarkBytes = this.#text(response.remark ?? '')
    const extCount = this.#extFields(response.extFields)
    this.#bytes(body)
    this.#view.setUint32(counts, remarkBytes, true)
    this.#view.setUint32(counts + 4, extCount, true)
    this.#view.setUint32(counts + 8, body.length, true)
    this.#end(start)
  }

  /** A pull; messages with other tags than `tags` (none: all pass) are left out of the answer. */
  pull(
    token: number,
    timeoutMs: number,
    extFields: Readonly<Record<string, ExtField>>,
    tags: readonly string[] | undefined
  ): void {
    const start = this.#begin(Kind.Pull, token, timeoutMs)
    const counts = this.#skip(8)
    const extCount = this.#extFields(extFields)
    for (const tag of tags ?? []) {
      const length = this.#skip(4)
      const bytes = this.#text(tag)
      this.#view.setUint32(length, bytes, true)
    }
    this.#view.setUint32(counts, extCount, true)
    this.#view.setUint32(counts + 4, tags?.length ?? 0, true)
    this.#end(start)
  }

  #begin(kind: Kind, token: number, timeoutMs: number): number {
    this.#reserve(HEAD_BYTES)
    const start = this.#used
    this.#view.setUint32(start, kind, true)
    this.#view.setUint32(start + 8, token, true)
    this.#view.setUint32(start + 12, timeoutMs, true)
    this.#used = start + HEAD_BYTES
    return start
  }

  #end(start: number): void {
    this.#records++
    this.#view.setUint32(start + 4, this.#used - start, true)
  }

  #extFields(fields: Readonly<Record<string, ExtField>> | undefined): number {
    let count = 0
    for (const key in fields) {
      const value = fields[key]
      if (value === undefined) continue
      const lengths = this.#skip(8)
      const keyBytes = this.#text(key)
      const valueBytes = this.#text(typeof value === 'string' ? value : String(value))
      this.#view.setUint32(lengths, keyBytes, true)
      this.#view.setUint32(lengths + 4, valueBytes, true)
      count++
    }
    return count
  }

  #int32(value: number): void {
    this.#reserve(4)
    this.#view.setInt32(this.#used, value, true)
    this.#used += 4
  }

  #skip(bytes: number): number {
    this.#reserve(bytes)
    const at = this.#used
    this.#used += bytes
    return at
  }

  #text(text: string): number {
    this.#reserve(text.length * 3)
    const bytes = this.#buffer.write(text, this.#used, 'utf8')
    this.#used += bytes
    return bytes
  }

  #bytes(bytes: Uint8Array): void {
    this.#reserve(bytes.length)
    this.#buffer.set(bytes, this.#used)
    this.#used += bytes.length
  }

  #reserve(bytes: number): void {
    const needed = this.#used + bytes
    if (needed <= this.#buffer.length) return
    let capacity = this.#buffer.length * 2
    while (capacity < needed) capacity *= 2
    const old = this.#buffer
    this.#replace(capacity)
    old.copy(this.#buffer, 0, 0, this.#used)
  }

  #replace(capacity: number): void {
    this.#buffer = Buffer.allocUnsafeSlow(capacity)
    this.#view = new DataView(this.#buffer.buffer)
  }
}

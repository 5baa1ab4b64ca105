import Long from 'long'
import { UNIQ_KEY_HEAD } from '../message/message.js'
import {
  KEY_SEPARATOR,
  MessageConst,
  PROPERTY_SEPARATOR,
  checkPropertyText,
  encodeProperty
} from '../message/properties.js'
import {
  UNIQUE_ID_TAIL_LENGTH,
  nextUniqueCount,
  uniqueIdHead,
  uniqueIdTail,
  writeUniqueIdTail
} from '../message/message-id.js'
import { toLong } from '../message/record.js'
import { checkAttached } from '../message/serializer.js'
import { checkProperties, checkText, checkTexts, int32, refuse } from './arguments.js'
import { hostBytes, type Host } from './host.js'
import { PutResult, type StoreMessage } from './types.js'

const INITIAL_BYTES = 64 * 1024
/** A buffer that one large put made grow beyond this is given back. */
const KEEP_BYTES = 1024 * 1024
const HEAD_BYTES = 52
const MAX_HOST_BYTES = 20
const TAGS_HEAD = '\u0002TAGS\u0001'
const KEYS_HEAD = '\u0002KEYS\u0001'
const WAIT_FALSE = '\u0002WAIT\u0001false'
/** Texts up to here are written a unit at a time: to call the runtime takes as long as 50 of those. */
const SHORT_TEXT_UNITS = 64

/**
 * Writes messages one after the other into one buffer that is kept and reused, so that a put crosses into Rust by one
 * call. The layout, little endian, is drawn in `crates/node/src/store_put.rs`.
 */
export class PutWriter {
  #buffer = Buffer.allocUnsafeSlow(INITIAL_BYTES)
  #view = new DataView(this.#buffer.buffer)
  /** The same memory, kept, as making a view takes longer than reading through it. */
  #numbers = new Int32Array(this.#buffer.buffer)
  #used = 0
  #waits = false
  /** What the bytes of the property were made for. */
  #idHead = ''
  #uniqueKey = Buffer.alloc(0)

  /** The buffer; its first `used` bytes are the messages, and after the put where they went. */
  get bytes(): Buffer {
    return this.#buffer
  }

  get used(): number {
    return this.#used
  }

  /**
   * Whether any of the messages is to be waited for until it is on disk: all that do not say WAIT=false
   * (`common/message/Message.java#isWaitStoreMsgOK`).
   */
  get waits(): boolean {
    return this.#waits
  }

  /** Forgets what was written. */
  reset(): void {
    this.#used = 0
    this.#waits = false
    if (this.#buffer.length > KEEP_BYTES) this.#replace(INITIAL_BYTES)
  }

  /** Where the log ends after the put. */
  get end(): number {
    return this.#view.getInt32(12, true) * 0x1_0000_0000 + this.#view.getUint32(8, true)
  }

  /** What became of message `index` of the put, whose unique key is given. */
  result(index: number, msgId: string, host: string | Host): PutResult {
    return new PutResult(this.#numbers, 4 + index * 4, this.#view.getFloat64(0, true), msgId, host)
  }

  /**
   * Adds a message for a queue of the topic with that number.
   *
   * @returns its unique key
   * @throws InvalidArgumentError for a message that cannot be stored
   */
  write(topic: number, message: StoreMessage, nowMs: number): string {
    const { body, properties } = message
    if (properties !== undefined) checkProperties(properties)
    if (typeof body !== 'string' && !(body instanceof Uint8Array))
      refuse('body', 'a string, Buffer or Uint8Array', body)
    if (typeof body !== 'string' && body.length === 0) checkAttached(body.buffer)
    const start = this.#used
    let at = start + HEAD_BYTES
    this.#reserve(at, MAX_HOST_BYTES * 2)
    this.#view.setUint32(start + 32, 0, true)
    if (message.bornHost !== undefined) at = this.#host(start + 32, at, 'bornHost', message.bornHost)
    if (message.storeHost !== undefined) at = this.#host(start + 33, at, 'storeHost', message.storeHost)
    const propertiesAt = at
    const given = givenUniqueKey(properties)
    let uniqueKey: string
    if (given === undefined) {
      const [idHead, count] = [uniqueIdHead(nowMs), nextUniqueCount()]
      uniqueKey = idHead + uniqueIdTail(count)
      at = this.#newUniqueKey(at, idHead, count)
    } else {
      uniqueKey = given
      at = this.#text(this.#text(at, UNIQ_KEY_HEAD), given)
    }
    at = this.#properties(at, message)
    const bodyAt = at
    at = typeof body === 'string' ? this.#text(at, body) : this.#bytes(at, body)
    this.#view.setUint32(start, at - start, true)
    this.#view.setUint32(start + 44, bodyAt - propertiesAt, true)
    this.#view.setUint32(start + 48, at - bodyAt, true)
    this.#fields(start, topic, message, nowMs)
    this.#used = at
    return uniqueKey
  }

  #fields(start: number, topic: number, message: StoreMessage, nowMs: number): void {
    const { queueId = 0, flag = 0, sysFlag = 0, reconsumeTimes = 0, preparedTransactionOffset, bornTimestamp } = message
    const view = this.#view
    view.setUint32(start + 4, topic, true)
    view.setInt32(start + 8, queueId, true)
    view.setInt32(start + 12, int32('flag', flag), true)
    view.setInt32(start + 16, int32('sysFlag', sysFlag), true)
    view.setInt32(start + 20, int32('reconsumeTimes', reconsumeTimes), true)
    const prepared =
      preparedTransactionOffset === undefined
        ? Long.ZERO
        : toLong('preparedTransactionOffset', preparedTransactionOffset)
    view.setInt32(start + 24, prepared.low, true)
    view.setInt32(start + 28, prepared.high, true)
    view.setFloat64(start + 36, bornTimestamp === undefined ? nowMs : time('bornTimestamp', bornTimestamp), true)
  }

  /** A unique key that is made here: the same bytes for all of a millisecond, but for the count. */
  #newUniqueKey(at: number, idHead: string, count: number): number {
    if (idHead !== this.#idHead) {
      this.#idHead = idHead
      this.#uniqueKey = Buffer.from(UNIQ_KEY_HEAD + idHead + uniqueIdTail(count))
    }
    const end = this.#bytes(at, this.#uniqueKey)
    writeUniqueIdTail(this.#buffer, end - UNIQUE_ID_TAIL_LENGTH, count)
    return end
  }

  /** All but the unique key, and the separator behind that. */
  #properties(start: number, { tags, keys, waitStoreMsgOK, properties }: StoreMessage): number {
    let at = start
    let waits = true
    if (tags !== undefined) {
      checkText('tags', tags)
      if (tags !== '') at = this.#text(this.#text(at, TAGS_HEAD), checkPropertyText('tags', tags))
    }
    if (keys !== undefined) {
      checkTexts('keys', keys)
      const text = typeof keys === 'string' ? keys : keys.join(KEY_SEPARATOR)
      if (text !== '') at = this.#text(this.#text(at, KEYS_HEAD), checkPropertyText('keys', text))
    }
    if (waitStoreMsgOK !== undefined) {
      if (typeof waitStoreMsgOK !== 'boolean') refuse('waitStoreMsgOK', 'true or false', waitStoreMsgOK)
      waits = waitStoreMsgOK
      if (!waits) at = this.#text(at, WAIT_FALSE)
    }
    at = this.#text(at, PROPERTY_SEPARATOR)
    if (properties !== undefined) {
      const entries = properties instanceof Map ? properties : Object.entries(properties)
      for (const [name, value] of entries as Iterable<[string, string]>) {
        if (name === MessageConst.UNIQ_KEY) continue
        if (typeof name !== 'string' || name === '') refuse('the name of a property', 'a text that is not empty', name)
        if (typeof value !== 'string' || value === '') refuse(`property ${name}`, 'a text that is not empty', value)
        const one = encodeProperty(checkPropertyText('the name of a property', name), checkPropertyText(name, value))
        at = this.#text(at, one)
        // Of two the last counts for every reader.
        if (name === MessageConst.WAIT) waits = value.toLowerCase() === 'true'
      }
    }
    this.#waits ||= waits
    return at
  }

  /** Each of these writes at a position, and returns that behind it. */
  #text(at: number, text: string): number {
    this.#reserve(at, text.length * 3)
    const buffer = this.#buffer
    let written = 0
    if (text.length <= SHORT_TEXT_UNITS) {
      for (; written < text.length; written++) {
        const unit = text.charCodeAt(written)
        if (unit >= 0x80) break
        buffer[at + written] = unit
      }
    }
    return written === text.length ? at + written : at + buffer.write(text, at, 'utf8')
  }

  #bytes(at: number, bytes: Uint8Array): number {
    this.#reserve(at, bytes.length)
    this.#buffer.set(bytes, at)
    return at + bytes.length
  }

  #host(lengthAt: number, at: number, what: string, host: string): number {
    const { address, port } = hostBytes(what, host)
    this.#buffer[lengthAt] = address.length
    this.#buffer.set(address, at)
    this.#view.setInt32(at + address.length, port, true)
    return at + address.length + 4
  }

  /** Makes room behind what is written up to `at`. */
  #reserve(at: number, bytes: number): void {
    const needed = at + bytes
    if (needed <= this.#buffer.length) return
    let capacity = this.#buffer.length * 2
    while (capacity < needed) capacity *= 2
    const old = this.#buffer
    this.#replace(capacity)
    old.copy(this.#buffer, 0, 0, at)
  }

  #replace(capacity: number): void {
    this.#buffer = Buffer.allocUnsafeSlow(capacity)
    this.#view = new DataView(this.#buffer.buffer)
    this.#numbers = new Int32Array(this.#buffer.buffer)
  }
}

function givenUniqueKey(properties: StoreMessage['properties']): string | undefined {
  if (properties === undefined) return undefined
  const given =
    properties instanceof Map
      ? (properties as ReadonlyMap<string, string>).get(MessageConst.UNIQ_KEY)
      : (properties as Readonly<Record<string, string>>)[MessageConst.UNIQ_KEY]
  if (given === undefined || given === '') return undefined
  checkText('property UNIQ_KEY', given)
  return checkPropertyText('property UNIQ_KEY', given)
}

function time(what: string, value: number): number {
  if (!Number.isSafeInteger(value)) refuse(what, 'milliseconds since 1970', value)
  return value
}

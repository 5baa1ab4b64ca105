import { KEY_SEPARATOR, MessageConst, checkPropertyText, encodeProperty } from '../message/properties.js'
import { createUniqueId } from '../message/message-id.js'
import { toLong } from '../message/record.js'
import { checkProperties, checkText, checkTexts, int32, refuse } from './arguments.js'
import { hostBytes, type Host } from './host.js'
import { PutResult, type StoreMessage } from './types.js'

const INITIAL_BYTES = 64 * 1024
/** A buffer that one large put made grow beyond this is given back. */
const KEEP_BYTES = 1024 * 1024
const HEAD_BYTES = 48
const UNIQ_KEY_HEAD = 'UNIQ_KEY\u0001'
const TAGS_HEAD = '\u0002TAGS\u0001'
const KEYS_HEAD = '\u0002KEYS\u0001'
const WAIT_FALSE = '\u0002WAIT\u0001false'

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
   * Adds a message for a queue of that number.
   *
   * @returns its unique key
   * @throws InvalidArgumentError for a message that cannot be stored
   */
  write(queue: number, message: StoreMessage, nowMs: number): string {
    const { body, properties: given } = message
    if (given !== undefined) checkProperties(given)
    const uniqueKey = givenUniqueKey(given) ?? createUniqueId(nowMs)
    const properties = this.#encodeProperties(message, given, uniqueKey)
    const isText = typeof body === 'string'
    if (!isText && !(body instanceof Uint8Array)) refuse('body', 'a string, Buffer or Uint8Array', body)
    this.#reserve(HEAD_BYTES + 40 + properties.length * 3 + body.length * (isText ? 3 : 1))
    const view = this.#view
    const start = this.#used
    view.setUint32(start + 4, queue, true)
    view.setInt32(start + 8, message.flag === undefined ? 0 : int32('flag', message.flag), true)
    view.setInt32(start + 12, message.sysFlag === undefined ? 0 : int32('sysFlag', message.sysFlag), true)
    const { reconsumeTimes, preparedTransactionOffset } = message
    view.setInt32(start + 16, reconsumeTimes === undefined ? 0 : int32('reconsumeTimes', reconsumeTimes), true)
    const prepared =
      preparedTransactionOffset === undefined
        ? undefined
        : toLong('preparedTransactionOffset', preparedTransactionOffset)
    view.setInt32(start + 20, prepared === undefined ? 0 : prepared.low, true)
    view.setInt32(start + 24, prepared === undefined ? 0 : prepared.high, true)
    view.setUint32(start + 28, 0, true)
    view.setFloat64(
      start + 32,
      message.bornTimestamp === undefined ? nowMs : time('bornTimestamp', message.bornTimestamp),
      true
    )
    let at = start + HEAD_BYTES
    if (message.bornHost !== undefined) at = this.#host(start + 28, at, 'bornHost', message.bornHost)
    if (message.storeHost !== undefined) at = this.#host(start + 29, at, 'storeHost', message.storeHost)
    const propertiesBytes = this.#buffer.write(properties, at, 'utf8')
    at += propertiesBytes
    let bodyBytes: number
    if (isText) {
      bodyBytes = this.#buffer.write(body, at, 'utf8')
    } else {
      bodyBytes = body.length
      this.#buffer.set(body, at)
    }
    at += bodyBytes
    view.setUint32(start + 40, propertiesBytes, true)
    view.setUint32(start + 44, bodyBytes, true)
    view.setUint32(start, at - start, true)
    this.#used = at
    return uniqueKey
  }

  #encodeProperties(
    { tags, keys, waitStoreMsgOK }: StoreMessage,
    properties: StoreMessage['properties'],
    uniqueKey: string
  ): string {
    let encoded = UNIQ_KEY_HEAD + uniqueKey
    let waits = true
    if (tags !== undefined) {
      checkText('tags', tags)
      if (tags !== '') encoded += TAGS_HEAD + checkPropertyText('tags', tags)
    }
    if (keys !== undefined) {
      checkTexts('keys', keys)
      const text = typeof keys === 'string' ? keys : keys.join(KEY_SEPARATOR)
      if (text !== '') encoded += KEYS_HEAD + checkPropertyText('keys', text)
    }
    if (waitStoreMsgOK !== undefined) {
      if (typeof waitStoreMsgOK !== 'boolean') refuse('waitStoreMsgOK', 'true or false', waitStoreMsgOK)
      waits = waitStoreMsgOK
      if (!waits) encoded += WAIT_FALSE
    }
    encoded += '\u0002'
    if (properties !== undefined) {
      const entries = properties instanceof Map ? properties : Object.entries(properties)
      for (const [name, value] of entries as Iterable<[string, string]>) {
        if (name === MessageConst.UNIQ_KEY) continue
        if (typeof name !== 'string' || name === '') refuse('the name of a property', 'a text that is not empty', name)
        if (typeof value !== 'string' || value === '') refuse(`property ${name}`, 'a text that is not empty', value)
        encoded += encodeProperty(checkPropertyText('the name of a property', name), checkPropertyText(name, value))
        // Of two the last counts for every reader.
        if (name === MessageConst.WAIT) waits = value.toLowerCase() === 'true'
      }
    }
    this.#waits ||= waits
    return encoded
  }

  #host(lengthAt: number, at: number, what: string, host: string): number {
    const { address, port } = hostBytes(what, host)
    this.#buffer[lengthAt] = address.length
    this.#buffer.set(address, at)
    this.#view.setInt32(at + address.length, port, true)
    return at + address.length + 4
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

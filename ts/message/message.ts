import { InvalidArgumentError } from '../errors.js'
import type { MessageBody } from './serializer.js'
import { bodyBytes } from './serializer.js'
import {
  KEY_SEPARATOR,
  MessageConst,
  RESERVED_PROPERTIES,
  checkPropertiesLength,
  checkPropertyText,
  encodeProperty,
  isBlank
} from './properties.js'

/** What a message is made of. `Body` is what the serializer of a producer takes, if it has one. */
export interface MessageInit<Body = MessageBody> {
  /** Where it goes. */
  topic: string
  /** What it says; a string travels as UTF-8. Buffers are not copied: leave them alone until the send has ended. */
  body: Body
  /** For filtering by consumers; one tag as a rule. */
  tags?: string | undefined
  /** For finding it again; several keys are joined by a blank. */
  keys?: string | readonly string[] | undefined
  /** User properties, by name; see {@link Message.putUserProperty}. */
  properties?: Readonly<Record<string, string>> | ReadonlyMap<string, string> | undefined
  /** A number of the user's of 32 bits with a sign, stored with the message. @default 0 */
  flag?: number | undefined
  /** Whether the answer waits for flush and replication as the broker is configured. @default true */
  waitStoreMsgOK?: boolean | undefined
  /** Delay level from 1; 0 is none. See the broker's `messageDelayLevel`. Of the delays one at most. @default 0 */
  delayTimeLevel?: number | undefined
  /** Delivery this many seconds after the broker got it; 0 is at once. @default 0 */
  delayTimeSec?: number | undefined
  /** Delivery this many milliseconds after the broker got it, by the broker's precision (1 s); 0 is at once. @default 0 */
  delayTimeMs?: number | undefined
  /** Another word for `delayTimeMs`. @default 0 */
  delayMs?: number | undefined
  /** Delivery at this time, ms since 1970, by the broker's clock; 0 is at once. @default 0 */
  deliverTimeMs?: number | undefined
  /** Another word for `deliverTimeMs`, which takes a Date as well. @default 0 */
  deliverAt?: Date | number | undefined
}

/** The properties that delay a message; brokers look at them in this order (`store/hook/HookUtils.java`). */
const DELAYS = [
  MessageConst.DELAY,
  MessageConst.TIMER_DELAY_SEC,
  MessageConst.TIMER_DELAY_MS,
  MessageConst.TIMER_DELIVER_MS
] as const

/** Set by the class, whose private fields it needs. */
let copyWith: (message: Message, properties: Readonly<Record<string, string | undefined>>) => Message

/** A message to be sent (`common/message/Message.java`). */
export class Message {
  /** Where it goes. */
  topic: string
  /** A number of the user's, stored with the message. */
  flag: number
  /** Whether the answer waits for flush and replication as the broker is configured. */
  waitStoreMsgOK: boolean
  /** While its local transaction runs: the transaction's id. */
  transactionId: string | undefined
  #body: Buffer
  #tags: string | undefined
  #keys: string | undefined
  /** All other properties. */
  #properties: Map<string, string> | undefined

  /** @throws InvalidArgumentError for a property that is reserved, blank, or contains a separator, and for two delays */
  constructor(init: MessageInit) {
    this.topic = init.topic
    this.flag = init.flag === undefined ? 0 : checkFlag(init.flag)
    this.waitStoreMsgOK = init.waitStoreMsgOK ?? true
    this.transactionId = undefined
    this.#body = bodyBytes(init.body)
    this.#tags = undefined
    this.#keys = undefined
    this.#properties = undefined
    if (init.tags !== undefined) this.tags = init.tags
    if (init.keys !== undefined) this.setKeys(init.keys)
    if (init.delayTimeLevel !== undefined) this.delayTimeLevel = init.delayTimeLevel
    if (init.delayTimeSec !== undefined) this.delayTimeSec = init.delayTimeSec
    if (init.delayTimeMs !== undefined) this.delayTimeMs = init.delayTimeMs
    if (init.delayMs !== undefined) this.delayTimeMs = init.delayMs
    if (init.deliverTimeMs !== undefined) this.deliverTimeMs = init.deliverTimeMs
    if (init.deliverAt !== undefined) this.deliverTimeMs = Number(init.deliverAt)
    if (init.properties !== undefined) this.#putUserProperties(init.properties)
  }

  /** The body; a string given is turned into UTF-8. */
  get body(): Buffer {
    return this.#body
  }
  set body(body: MessageBody) {
    this.#body = bodyBytes(body)
  }

  /** For filtering by consumers; undefined and the empty text mean none. */
  get tags(): string | undefined {
    return this.#tags
  }
  set tags(tags: string | undefined) {
    this.#tags = tags === undefined || tags === '' ? undefined : checkPropertyText('tags', tags)
  }

  /** For finding the message again; several keys joined by blanks. */
  get keys(): string | undefined {
    return this.#keys
  }
  set keys(keys: string | undefined) {
    this.#keys = keys === undefined || keys === '' ? undefined : checkPropertyText('keys', keys)
  }

  /** Sets one key or several. */
  setKeys(keys: string | readonly string[]): this {
    if (typeof keys !== 'string' && !(Array.isArray(keys) && keys.every(key => typeof key === 'string'))) {
      throw new InvalidArgumentError(`keys must be a text or a list of texts, not ${String(keys)}`)
    }
    this.keys = typeof keys === 'string' ? keys : keys.join(KEY_SEPARATOR)
    return this
  }

  /** Delay level from 1, 0 for none. */
  get delayTimeLevel(): number {
    return this.#number(MessageConst.DELAY)
  }
  set delayTimeLevel(level: number) {
    this.#putDelay(MessageConst.DELAY, 'delayTimeLevel', level)
  }

  /** Delivery this many seconds after the broker got it, 0 for none. */
  get delayTimeSec(): number {
    return this.#number(MessageConst.TIMER_DELAY_SEC)
  }
  set delayTimeSec(seconds: number) {
    this.#putDelay(MessageConst.TIMER_DELAY_SEC, 'delayTimeSec', seconds)
  }

  /** Delivery this many milliseconds after the broker got it, 0 for none. */
  get delayTimeMs(): number {
    return this.#number(MessageConst.TIMER_DELAY_MS)
  }
  set delayTimeMs(ms: number) {
    this.#putDelay(MessageConst.TIMER_DELAY_MS, 'delayTimeMs', ms)
  }

  /** Delivery at this time (ms since 1970), 0 for none. */
  get deliverTimeMs(): number {
    return this.#number(MessageConst.TIMER_DELIVER_MS)
  }
  set deliverTimeMs(ms: number) {
    this.#putDelay(MessageConst.TIMER_DELIVER_MS, 'deliverTimeMs', ms)
  }

  /** Priority from 0, −1 when none is set; for brokers and topics that know priorities. */
  get priority(): number {
    return this.#properties?.has(MessageConst.PRIORITY) === true ? this.#number(MessageConst.PRIORITY) : -1
  }
  set priority(priority: number) {
    this.#putNumber(MessageConst.PRIORITY, 'priority', priority)
  }

  /** Apache's property `BUYER_ID`. */
  get buyerId(): string | undefined {
    return this.getProperty(MessageConst.BUYER_ID)
  }
  set buyerId(buyerId: string | undefined) {
    if (buyerId === undefined) this.#properties?.delete(MessageConst.BUYER_ID)
    else this.#put(MessageConst.BUYER_ID, checkPropertyText('buyerId', buyerId))
  }

  /** Whether any kind of delay is asked for. */
  get delayed(): boolean {
    return this.#properties !== undefined && DELAYS.some(name => this.#properties!.has(name))
  }

  /**
   * Adds a property of the user's.
   *
   * @throws InvalidArgumentError when the name is reserved (`MessageConst`), name or value is blank, or one contains
   * U+0001 or U+0002 (`common/message/Message.java#putUserProperty`)
   */
  putUserProperty(name: string, value: string): this {
    if (RESERVED_PROPERTIES.has(name)) {
      throw new InvalidArgumentError(`the property ${name} is used by the system, take another name`)
    }
    if (typeof name !== 'string' || typeof value !== 'string' || isBlank(name) || isBlank(value)) {
      throw new InvalidArgumentError(`name and value of a property must be texts that are not blank (${name}=${value})`)
    }
    this.#put(checkPropertyText('the name of a property', name), checkPropertyText(`property ${name}`, value))
    return this
  }

  /** A property of the user's. */
  getUserProperty(name: string): string | undefined {
    return this.getProperty(name)
  }

  /** Any property, reserved ones too. */
  getProperty(name: string): string | undefined {
    switch (name) {
      case MessageConst.TAGS:
        return this.#tags
      case MessageConst.KEYS:
        return this.#keys
      case MessageConst.WAIT:
        return String(this.waitStoreMsgOK)
      default:
        return this.#properties?.get(name)
    }
  }

  /** All properties as they are sent, but for the unique id. A copy. */
  get properties(): Map<string, string> {
    const all = new Map(this.#properties)
    if (this.#keys !== undefined) all.set(MessageConst.KEYS, this.#keys)
    if (this.#tags !== undefined) all.set(MessageConst.TAGS, this.#tags)
    all.set(MessageConst.WAIT, String(this.waitStoreMsgOK))
    return all
  }

  /** A copy; the body is shared. */
  clone(): Message {
    const copy = new Message({ topic: this.topic, body: this.#body })
    copy.flag = this.flag
    copy.waitStoreMsgOK = this.waitStoreMsgOK
    copy.#tags = this.#tags
    copy.#keys = this.#keys
    if (this.#properties !== undefined) copy.#properties = new Map(this.#properties)
    return copy
  }

  /**
   * The encoded properties with the unique id of this send.
   *
   * @throws InvalidArgumentError above 32767 bytes
   */
  encodeProperties(uniqueId: string): string {
    const head = encodePropertiesHead(uniqueId, this.waitStoreMsgOK, this.#tags)
    return checkPropertiesLength(head + this.encodePropertiesRest())
  }

  /** What stands in the encoded properties behind the {@link encodePropertiesHead head}: often nothing. */
  encodePropertiesRest(): string {
    let encoded = this.#keys === undefined ? '' : KEYS_HEAD + this.#keys + '\u0002'
    if (this.#properties !== undefined) {
      for (const [name, value] of this.#properties) encoded += encodeProperty(name, value)
    }
    return encoded
  }

  #putUserProperties(properties: Readonly<Record<string, string>> | ReadonlyMap<string, string>): void {
    if (typeof properties !== 'object' || properties === null) {
      throw new InvalidArgumentError(
        `properties must be an object with texts, or a Map of them, not ${String(properties)}`
      )
    }
    const entries: Iterable<[string, string]> =
      properties instanceof Map ? properties : Object.entries(properties as Readonly<Record<string, string>>)
    for (const [name, value] of entries) this.putUserProperty(name, value)
  }

  #put(name: string, value: string): void {
    this.#properties ??= new Map()
    this.#properties.set(name, value)
  }

  #number(name: string): number {
    return Number(this.#properties?.get(name) ?? 0)
  }

  /** Of two delays brokers would obey one and say nothing of the other. */
  #putDelay(name: (typeof DELAYS)[number], what: string, value: number): void {
    checkNumber(what, value)
    const other = DELAYS.find(delay => delay !== name && this.#properties?.has(delay) === true)
    if (value === 0) this.#properties?.delete(name)
    else if (other === undefined) this.#put(name, String(value))
    else throw new InvalidArgumentError(`${what} cannot be set beside the delay ${other}; a message has one delay`)
  }

  #putNumber(name: string, what: string, value: number): void {
    checkNumber(what, value)
    this.#put(name, String(value))
  }

  static {
    copyWith = (message, properties) => {
      const { topic, flag, waitStoreMsgOK } = message
      const copy = new Message({ topic, body: message.#body, flag, waitStoreMsgOK })
      copy.#tags = message.#tags
      copy.#keys = message.#keys
      copy.#properties = new Map(message.#properties)
      for (const name in properties) {
        const value = properties[name]
        if (value !== undefined) copy.#properties.set(name, checkPropertyText(name, value))
      }
      return copy
    }
  }
}

function checkFlag(flag: number): number {
  if (flag === (flag | 0)) return flag
  throw new InvalidArgumentError(`flag must be a whole number of 32 bits with a sign, not ${String(flag)}`)
}

function checkNumber(what: string, value: number): void {
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new InvalidArgumentError(`${what} must be a whole number from 0, not ${value}`)
  }
}

/**
 * A message with further properties, reserved ones too (`common/message/MessageAccessor.java#putProperty`). The given
 * message stays as it is; the two share the body.
 */
export function withProperties(message: Message, properties: Readonly<Record<string, string | undefined>>): Message {
  return copyWith(message, properties)
}

/** The beginning of the encoded properties of every message: what messages of one kind share, but for the id. */
export function encodePropertiesHead(uniqueId: string, waitStoreMsgOK: boolean, tags: string | undefined): string {
  const encoded = UNIQ_KEY_HEAD + uniqueId + (waitStoreMsgOK ? WAIT_TRUE_TAIL : WAIT_FALSE_TAIL)
  return tags === undefined ? encoded : encoded + TAGS_HEAD + tags + '\u0002'
}

/** What comes before the unique id in the encoded properties. */
export const UNIQ_KEY_HEAD = 'UNIQ_KEY\u0001'
const WAIT_TRUE_TAIL = '\u0002WAIT\u0001true\u0002'
const WAIT_FALSE_TAIL = '\u0002WAIT\u0001false\u0002'
const TAGS_HEAD = 'TAGS\u0001'
const KEYS_HEAD = 'KEYS\u0001'

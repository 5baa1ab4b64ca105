import { type InspectOptions, inspect } from 'node:util'
import Long from 'long'
import { ProtocolError } from '../errors.js'
import { MessageConst, type Place, decodeProperties, findProperty } from './properties.js'
import { encodeOffsetMessageId } from './message-id.js'
import { ipText } from './local-address.js'
import { MessageSysFlag } from './sys-flag.js'

/** What the messages of one answer have in common. One object per answer, shared by its messages. */
export interface ReceivedFrom {
  /** The broker that answered. */
  readonly brokerName: string
  /** Added to the stored queue offset; 0 but for static topics. */
  readonly offsetDelta: number
  /** Oldest and next offset of the queue when the broker answered; undefined where that is not known. */
  readonly minOffset: Long | undefined
  readonly maxOffset: Long | undefined
  /** Set when the queue is the group's retry queue: then `topic` is the one the message had before. */
  readonly retryTopic: string | undefined
  /** Set when the program knows the topic by another name than the record: without its namespace. */
  readonly topic?: string
  /** Set when a broker asks for the state of its transaction: the record itself does not say so any more. */
  readonly transactionCheck?: boolean
}

const MAGIC_V2 = 0xdaa320ab | 0
const SYS_FLAG = 36
const BORN_HOST = 48

/**
 * A stored message, read in place: fixed fields come straight out of the received buffer, topic, properties and body are
 * looked up when first asked for (layout: `store/CommitLog.java`, decoding: `common/message/MessageDecoder.java#decode`).
 *
 * The view keeps the whole received buffer alive (up to 256 KiB with the defaults). To hold a message for long, hold
 * {@link MessageExt.clone} instead.
 */
export class MessageExt {
  readonly #buffer: Buffer
  readonly #view: DataView
  readonly #start: number
  readonly #from: ReceivedFrom
  /** Where the i32 body length lies, found once: it depends on the address families of the two hosts. */
  readonly #bodyLengthAt: number
  #topic: string | undefined
  #body: Buffer | undefined
  #properties: ReadonlyMap<string, string> | undefined
  #redeliveries = 0

  /**
   * @param buffer holds the record, in Apache's layout, its body already inflated
   * @param start where the record begins
   * @param view of the same bytes, for its numbers: the messages of an answer share one
   */
  constructor(buffer: Buffer, start: number, from: ReceivedFrom, view = viewOf(buffer)) {
    this.#buffer = buffer
    this.#view = view
    this.#start = start
    this.#from = from
    const sysFlag = view.getInt32(start + SYS_FLAG)
    this.#bodyLengthAt =
      start +
      84 +
      ((sysFlag & MessageSysFlag.BORNHOST_V6) === 0 ? 0 : 12) +
      ((sysFlag & MessageSysFlag.STOREHOST_V6) === 0 ? 0 : 12)
  }

  /** Bytes of the record. */
  get storeSize(): number {
    return this.#view.getInt32(this.#start)
  }

  /**
   * The value that the body is the JSON of. What it is is the sender's word; nothing is checked.
   *
   * @throws ProtocolError when the body is no JSON
   */
  json<T = unknown>(): T {
    try {
      return JSON.parse(this.body.toString()) as T
    } catch (error) {
      throw new ProtocolError(`the body of message ${this.msgId} of topic ${this.topic} is no JSON`, { cause: error })
    }
  }

  /** CRC-32 of the body as stored, without its highest bit. */
  get bodyCRC(): number {
    return this.#view.getInt32(this.#start + 8)
  }

  /** The queue it was in. */
  get queueId(): number {
    return this.#view.getInt32(this.#start + 12)
  }

  /** The sender's flag. */
  get flag(): number {
    return this.#view.getInt32(this.#start + 16)
  }

  /** Its place in the queue. */
  get queueOffset(): Long {
    const stored = this.#long(20)
    return this.#from.offsetDelta === 0 ? stored : stored.add(this.#from.offsetDelta)
  }

  /** {@link queueOffset} as a number, exact up to 2^53; what the consumer counts with. */
  get queueOffsetNumber(): number {
    return this.#number(20) + this.#from.offsetDelta
  }

  /** Its place in the broker's commit log. */
  get commitLogOffset(): Long {
    return this.#long(28)
  }

  /** Bits of `MessageSysFlag`. */
  get sysFlag(): number {
    return this.#view.getInt32(this.#start + SYS_FLAG)
  }

  /** When the sender made it, ms since 1970 by the sender's clock. */
  get bornTimestamp(): number {
    return this.#number(40)
  }

  /** The sender, `ip:port`. */
  get bornHost(): string {
    return this.#host(BORN_HOST, this.#bornHostBytes())
  }

  /** When the broker stored it, ms since 1970 by the broker's clock. */
  get storeTimestamp(): number {
    return this.#number(BORN_HOST + this.#bornHostBytes())
  }

  /** The broker, `ip:port`. */
  get storeHost(): string {
    return this.#host(this.#storeHostAt(), this.#storeHostBytes())
  }

  /** How often it was delivered to this group before, without success. */
  get reconsumeTimes(): number {
    return this.#view.getInt32(this.#bodyLengthAt - 12) + this.#redeliveries
  }

  /** For transactions: where its half message lies in the commit log. */
  get preparedTransactionOffset(): Long {
    return new Long(this.#view.getInt32(this.#bodyLengthAt - 4), this.#view.getInt32(this.#bodyLengthAt - 8))
  }

  /** The broker it was read from. */
  get brokerName(): string {
    return this.#from.brokerName
  }

  /** Bytes of the body. */
  get bodyLength(): number {
    return this.#view.getInt32(this.#bodyLengthAt)
  }

  /** The body: a part of the received buffer, not a copy. */
  get body(): Buffer {
    return (this.#body ??= bufferOf(this.#view, this.#bodyLengthAt + 4, this.bodyLength))
  }

  /** The topic; for a message that came through the retry topic, the one it was sent to. */
  get topic(): string {
    if (this.#topic === undefined) {
      const stored = this.#from.topic ?? this.storedTopic
      this.#topic = stored === this.#from.retryTopic ? (this.#property(MessageConst.RETRY_TOPIC) ?? stored) : stored
    }
    return this.#topic
  }

  /** The topic in the record. */
  get storedTopic(): string {
    const at = this.#topicLengthAt()
    return topicText(this.#buffer, at + this.#topicLengthBytes(), this.#topicLength(at))
  }

  /** All properties. */
  get properties(): ReadonlyMap<string, string> {
    return (this.#properties ??= this.#decodeProperties())
  }

  /** One property, reserved ones too. */
  getProperty(name: string): string | undefined {
    return this.properties.get(name)
  }

  /** A property of the sender's. */
  getUserProperty(name: string): string | undefined {
    return this.properties.get(name)
  }

  /** The sender's tags. */
  get tags(): string | undefined {
    return this.#property(MessageConst.TAGS)
  }

  /** The sender's keys, joined by blanks. */
  get keys(): string | undefined {
    return this.#property(MessageConst.KEYS)
  }

  /** Delay level it was sent with, 0 for none. */
  get delayTimeLevel(): number {
    return Number(this.#property(MessageConst.DELAY) ?? 0)
  }

  /** Whether the sender wanted to wait for flush and replication. */
  get waitStoreMsgOK(): boolean {
    return (this.#property(MessageConst.WAIT) ?? 'true').toLowerCase() === 'true'
  }

  /** The sender's unique id; the offset id when there is none. */
  get msgId(): string {
    return this.#property(MessageConst.UNIQ_KEY) ?? this.offsetMsgId
  }

  /** Where it lies: broker and commit-log offset in one. */
  get offsetMsgId(): string {
    const hostAt = this.#start + this.#storeHostAt()
    const addressBytes = this.#storeHostBytes() - 4
    const host = this.#buffer.subarray(hostAt, hostAt + addressBytes)
    return encodeOffsetMessageId(host, this.#view.getInt32(hostAt + addressBytes), this.commitLogOffset)
  }

  /** For a half message, its transaction's id. */
  get transactionId(): string | undefined {
    const type = this.sysFlag & MessageSysFlag.TRANSACTION_ROLLBACK
    const isHalf = type === MessageSysFlag.TRANSACTION_PREPARED || this.#from.transactionCheck === true
    return isHalf ? this.#property(MessageConst.UNIQ_KEY) : undefined
  }

  /** The same message, in a program that knows its topic by this name. */
  withTopic(topic: string): MessageExt {
    return new MessageExt(this.#buffer, this.#start, { ...this.#from, topic }, this.#view)
  }

  /** A copy with memory of its own, for keeping. */
  clone(): MessageExt {
    const copy = new MessageExt(Buffer.from(this.#buffer.subarray(this.#start, this.#start + this.storeSize)), 0, {
      ...this.#from
    })
    copy.#redeliveries = this.#redeliveries
    return copy
  }

  /** Counts a delivery that failed and will be repeated by this client, not by the broker. */
  countRedelivery(): void {
    this.#redeliveries++
  }

  /** Identity, without the body. */
  toString(): string {
    return `MessageExt [topic=${this.topic}, brokerName=${this.brokerName}, queueId=${this.queueId}, queueOffset=${this.queueOffset}, msgId=${this.msgId}]`
  }

  /** What is known of the message but its body, for logs: 64-bit numbers as text, since those of JSON lose digits. */
  toJSON(): object {
    return {
      topic: this.topic,
      ...(this.brokerName === '' ? {} : { brokerName: this.brokerName }),
      queueId: this.queueId,
      queueOffset: this.queueOffset.toString(),
      commitLogOffset: this.commitLogOffset.toString(),
      msgId: this.msgId,
      offsetMsgId: this.offsetMsgId,
      bornTimestamp: this.bornTimestamp,
      bornHost: this.bornHost,
      storeTimestamp: this.storeTimestamp,
      storeHost: this.storeHost,
      flag: this.flag,
      sysFlag: this.sysFlag,
      reconsumeTimes: this.reconsumeTimes,
      preparedTransactionOffset: this.preparedTransactionOffset.toString(),
      properties: Object.fromEntries(this.properties),
      bodyLength: this.bodyLength
    }
  }

  /** What `util.inspect` and `console.log` print: {@link toJSON}. */
  [inspect.custom](_depth: number, options: InspectOptions): string {
    return `MessageExt ${inspect(this.toJSON(), options)}`
  }

  /** One property that is only ever that of the record; cheaper than all of them. */
  #property(name: string): string | undefined {
    if (this.#properties !== undefined) return this.#properties.get(name)
    const { start, end } = this.#propertiesPlace()
    const value = findProperty(this.#buffer, start, end, name)
    return value === undefined ? undefined : this.#buffer.toString('utf8', value.start, value.end)
  }

  #propertiesPlace(): Place {
    const topicLengthAt = this.#topicLengthAt()
    const lengthAt = topicLengthAt + this.#topicLengthBytes() + this.#topicLength(topicLengthAt)
    const start = lengthAt + 2
    return { start, end: start + this.#view.getInt16(lengthAt) }
  }

  #decodeProperties(): Map<string, string> {
    const { start, end } = this.#propertiesPlace()
    const properties = decodeProperties(this.#buffer.toString('utf8', start, end))
    const { minOffset, maxOffset } = this.#from
    if (minOffset !== undefined) properties.set(MessageConst.MIN_OFFSET, minOffset.toString())
    if (maxOffset !== undefined) properties.set(MessageConst.MAX_OFFSET, maxOffset.toString())
    return properties
  }

  #isV2(): boolean {
    return this.#view.getInt32(this.#start + 4) === MAGIC_V2
  }

  #topicLengthAt(): number {
    return this.#bodyLengthAt + 4 + this.bodyLength
  }

  #topicLengthBytes(): number {
    return this.#isV2() ? 2 : 1
  }

  #topicLength(at: number): number {
    return this.#isV2() ? this.#view.getInt16(at) : this.#view.getUint8(at)
  }

  #bornHostBytes(): number {
    return (this.sysFlag & MessageSysFlag.BORNHOST_V6) === 0 ? 8 : 20
  }

  #storeHostBytes(): number {
    return (this.sysFlag & MessageSysFlag.STOREHOST_V6) === 0 ? 8 : 20
  }

  #storeHostAt(): number {
    return BORN_HOST + this.#bornHostBytes() + 8
  }

  #host(offset: number, length: number): string {
    const at = this.#start + offset
    const ip = ipText(this.#buffer.subarray(at, at + length - 4))
    const port = this.#view.getInt32(at + length - 4)
    return length === 8 ? `${ip}:${port}` : `[${ip}]:${port}`
  }

  #long(offset: number): Long {
    const at = this.#start + offset
    return new Long(this.#view.getInt32(at + 4), this.#view.getInt32(at))
  }

  #number(offset: number): number {
    const at = this.#start + offset
    return this.#view.getInt32(at) * 0x1_0000_0000 + this.#view.getUint32(at + 4)
  }
}

/**
 * Views of all records in a buffer, one after the other.
 *
 * @param view of the buffer; whoever has one saves the making of another
 * @param start and `end`: where the records lie in it
 */
export function viewRecords(
  buffer: Buffer,
  from: ReceivedFrom,
  view = viewOf(buffer),
  start = 0,
  end = buffer.length
): MessageExt[] {
  const messages: MessageExt[] = []
  for (let at = start; at < end; at += view.getInt32(at)) messages.push(new MessageExt(buffer, at, from, view))
  return messages
}

/**
 * What `new` makes a Buffer over a part of memory: the constructor that `subarray()` of typed arrays asks for. Buffer's own
 * `subarray()` makes the same in three times the time, as it asks for the memory by a call into the runtime.
 */
const BufferOf: new (memory: ArrayBufferLike, at: number, length: number) => Buffer = Reflect.get(
  Buffer,
  // Every constructor of typed arrays has it (ECMA-262); Node's types do not say so of Buffer.
  Symbol.species
)

function bufferOf(view: DataView, at: number, length: number): Buffer {
  return new BufferOf(view.buffer, view.byteOffset + at, length)
}

/** Reads numbers in a third of the time of the Buffer's own methods. */
export function viewOf(buffer: Buffer): DataView {
  return new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength)
}

let lastTopic = ''
let lastTopicBytes = new Uint8Array(0)

/** A topic as text. Neighbours have the same: to compare costs less than to make another text. */
function topicText(buffer: Buffer, start: number, length: number): string {
  if (length === lastTopicBytes.length) {
    let same = 0
    while (same < length && buffer[start + same] === lastTopicBytes[same]) same++
    if (same === length) return lastTopic
  }
  lastTopicBytes = new Uint8Array(length)
  let allBits = 0
  for (let i = 0; i < length; i++) allBits |= lastTopicBytes[i] = buffer[start + i]!
  // Java writes topics as UTF-8; ASCII, what nearly all of them are, is read faster as Latin-1.
  lastTopic = buffer.toString(allBits < 0x80 ? 'latin1' : 'utf8', start, start + length)
  return lastTopic
}

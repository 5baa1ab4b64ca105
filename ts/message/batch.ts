import { InvalidArgumentError } from '../errors.js'
import type { Message } from './message.js'
import { SOME_UNIQUE_ID, nextUniqueCount, uniqueIdHead, uniqueIdTail } from './message-id.js'
import { MessageConst, REPLY_MESSAGE_FLAG } from './properties.js'
import { checkedPropertiesRest, propertiesUnitsAtMost } from './sent-properties.js'
import { SharedHead } from './shared-head.js'

/** Length, magic, CRC, flag, body length, properties length. */
const FIXED_BYTES = 4 + 4 + 4 + 4 + 4 + 2

/** The body of a SEND_BATCH_MESSAGE request and what it is known by. */
export interface EncodedBatch {
  /** The encoded messages one after the other. */
  body: Buffer
  /** The unique ids of the messages, in order, separated by commas. */
  uniqueIds: string
}

/**
 * Checks that messages may travel as one batch: one topic, one `waitStoreMsgOK`, no delay, no retry topic
 * (`common/message/MessageBatch.java#generateFromList`).
 *
 * @throws InvalidArgumentError naming the rule that is broken
 */
export function checkBatch(messages: readonly Message[]): Message {
  const first = messages[0]
  if (first === undefined) throw new InvalidArgumentError('a batch needs at least one message')
  for (const message of messages) {
    if (message.delayed) throw new InvalidArgumentError('delayed messages cannot be sent in a batch')
    // The batch would be stored like any other, and nobody would get the reply.
    if (message.getProperty(MessageConst.MESSAGE_TYPE) === REPLY_MESSAGE_FLAG) {
      throw new InvalidArgumentError('replies cannot be sent in a batch')
    }
    if (message.topic.startsWith('%RETRY%')) {
      throw new InvalidArgumentError(`messages for the retry topic ${message.topic} cannot be sent in a batch`)
    }
    if (message.topic !== first.topic) {
      throw new InvalidArgumentError(
        `all messages of a batch must be for one topic, these are for ${first.topic} and ${message.topic}`
      )
    }
    if (message.waitStoreMsgOK !== first.waitStoreMsgOK) {
      throw new InvalidArgumentError('all messages of a batch must have the same waitStoreMsgOK')
    }
  }
  return first
}

/**
 * Parts of a list, in order, whose encoded batches have at most `maxBytes` each; a message that is larger by itself is a
 * part of its own (as in the `ListSplitter` of Apache's batch example).
 */
export function* splitBatch(messages: readonly Message[], maxBytes: number): Generator<readonly Message[]> {
  let start = 0
  let bytes = 0
  for (let end = 0; end < messages.length; end++) {
    const message = messages[end]!
    const encoded = message.encodeProperties(SOME_UNIQUE_ID)
    const messageBytes = FIXED_BYTES + message.body.length + Buffer.byteLength(encoded)
    if (end > start && bytes + messageBytes > maxBytes) {
      yield messages.slice(start, end)
      start = end
      bytes = 0
    }
    bytes += messageBytes
  }
  if (start < messages.length) yield messages.slice(start)
}

/**
 * Encodes messages as Apache does for a batch (`common/message/MessageDecoder.java#encodeMessages`). Each gets a unique
 * id of its own: brokers add none to the messages of a batch.
 *
 * @throws InvalidArgumentError when the result would be larger than `maxBytes`
 */
export function encodeBatch(messages: readonly Message[], nowMs: number, maxBytes: number): EncodedBatch {
  let bodyBytes = 0
  for (const message of messages) bodyBytes += FIXED_BYTES + message.body.length
  if (bodyBytes > maxBytes) throw tooLarge(messages.length, bodyBytes, maxBytes)
  const encoder = (idleEncoder ??= new BatchEncoder(SLAB_BYTES))
  const idHead = uniqueIdHead(nowMs)
  const nextIdHead = `,${idHead}`
  // Grown piece by piece it is a tree of strings, which nobody pays for who does not look at it.
  let uniqueIds = ''
  encoder.reset()
  for (const message of messages) {
    const count = nextUniqueCount()
    uniqueIds += (uniqueIds === '' ? idHead : nextIdHead) + uniqueIdTail(count)
    encoder.append(message, idHead, count, checkedPropertiesRest(message))
  }
  if (encoder.used > maxBytes) throw tooLarge(messages.length, encoder.used, maxBytes)
  return { body: encoder.take(), uniqueIds }
}

function tooLarge(count: number, bytes: number, maxBytes: number): InvalidArgumentError {
  return new InvalidArgumentError(
    `the batch of ${count} messages takes ${bytes} bytes, maxMessageSize is ${maxBytes}; sendBatch() sends it in parts`
  )
}

/** The messages of an encoded batch, each as it would be encoded alone. */
export function* messagesOf(batch: Buffer): Generator<Buffer> {
  for (let at = 0; at < batch.length;) {
    const end = at + batch.readInt32BE(at)
    yield batch.subarray(at, end)
    at = end
  }
}

/** Batches one after the other share a buffer of this size: to get memory for each took a tenth of a send. */
const SLAB_BYTES = 256 * 1024
/** A buffer that one large batch made grow beyond this is given back. */
const KEEP_BYTES = 1024 * 1024

/** Used by one batch after the other: a batch is encoded at a stretch. */
let idleEncoder: BatchEncoder | undefined

/** The most bytes that a message may take in a batch; UTF-8 needs at most three for a UTF-16 unit. */
export function batchBytesAtMost(message: Message, rest: string): number {
  return FIXED_BYTES + message.body.length + propertiesUnitsAtMost(message.tags, rest) * 3
}

/** Writes the messages of a batch one after the other into a buffer that is kept and reused. */
export class BatchEncoder {
  readonly #slabBytes: number
  #buffer: Buffer
  #view: DataView
  /** Where the batch begins. */
  #start = 0
  /** Where it ends. */
  #end = 0
  readonly #head = new SharedHead()

  constructor(slabBytes: number) {
    this.#slabBytes = slabBytes
    this.#buffer = Buffer.allocUnsafeSlow(slabBytes)
    this.#view = new DataView(this.#buffer.buffer)
  }

  /** Bytes written since the last `reset()` or `take()`. */
  get used(): number {
    return this.#end - this.#start
  }

  /** Forgets what was written. */
  reset(): void {
    this.#end = this.#start
    if (this.#buffer.length > Math.max(KEEP_BYTES, this.#slabBytes)) this.#replace(this.#slabBytes)
  }

  /** What was written, in memory of its own. */
  copy(): Buffer {
    const copy = Buffer.allocUnsafe(this.used)
    copy.set(this.#buffer.subarray(this.#start, this.#end))
    return copy
  }

  /** What was written, which this does not touch any more: the next batch begins behind it. It keeps the buffer in memory. */
  take(): Buffer {
    const taken = this.#buffer.subarray(this.#start, this.#end)
    this.#start = this.#end
    return taken
  }

  /**
   * Writes a message: total length, magic, CRC, flag, body with its length, properties with theirs.
   *
   * @param idHead and `count`: its unique id (`uniqueIdHead`, `nextUniqueCount`)
   * @param rest `checkedPropertiesRest(message)`
   */
  append(message: Message, idHead: string, count: number, rest: string): void {
    const { body } = message
    this.#reserve(batchBytesAtMost(message, rest))
    const start = this.#end
    const bodyStart = start + FIXED_BYTES - 2
    const view = this.#view
    view.setInt32(start + 4, 0)
    view.setInt32(start + 8, 0)
    view.setInt32(start + 12, message.flag)
    view.setInt32(start + 16, body.length)
    const buffer = this.#buffer
    buffer.set(body, bodyStart)
    const propertiesStart = bodyStart + body.length + 2
    const propertiesBytes = this.#head.write(buffer, propertiesStart, message, idHead, count, rest)
    view.setInt16(propertiesStart - 2, propertiesBytes)
    const end = propertiesStart + propertiesBytes
    this.#end = end
    view.setInt32(start, end - start)
  }

  #reserve(bytes: number): void {
    if (this.#end + bytes <= this.#buffer.length) return
    const written = this.#buffer.subarray(this.#start, this.#end)
    const needed = written.length + bytes
    this.#replace(needed <= this.#slabBytes ? this.#slabBytes : Math.max(needed, written.length * 2))
    this.#buffer.set(written)
    this.#end = written.length
  }

  #replace(capacity: number): void {
    this.#buffer = Buffer.allocUnsafeSlow(capacity)
    this.#view = new DataView(this.#buffer.buffer)
    this.#start = 0
    this.#end = 0
  }
}

import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import Long from 'long'
import { ClientStateError, ConfigError, InvalidArgumentError, StoreError, toError } from '../errors.js'
import { decodeOffsetMessageId } from '../message/message-id.js'
import { MessageExt } from '../message/message-ext.js'
import { KEY_SEPARATOR } from '../message/properties.js'
import { type LongLike, toLong } from '../message/record.js'
import { type NativeMessageStore, type NativeStoredQueue, openMessageStore } from '../native.js'
import { readOptions } from '../options.js'
import {
  checkObject,
  checkQueue,
  checkText,
  checkTexts,
  checkTime,
  checkWellFormed,
  limit,
  refuse
} from './arguments.js'
import { filesUnder } from './files.js'
import { FlushWaiter } from './flush-waiter.js'
import { type Host, hostBytes, splitHost } from './host.js'
import { type MessageStoreOptions, STORE_OPTIONS, type StoreSettings } from './options.js'
import { PutWriter } from './put-writer.js'
import { FROM_STORE, RecordReader } from './record-reader.js'
import {
  GET_STATUSES,
  type GetMessageResult,
  type GetRequest,
  type PutMessageStatus,
  PutResult,
  type QueryMessageResult,
  type QueryRequest,
  type Range,
  type StoreMessage,
  type StoreStats,
  type StoredQueue
} from './types.js'

const NO_TOPIC = 0xffffffff
const DEFAULT_COUNT = 32
const DEFAULT_BYTES = 256 * 1024
/** Messages read at a time by an iteration. */
const ITERATION_COUNT = 256

/**
 * The native message store with no broker: Apache's files, written and read by this process.
 *
 * Puts and gets are carried out at once, on the calling thread: a put copies to the page cache, a get reads mapped files.
 * Only opening, closing, and waiting for the disk take other threads.
 *
 * ```ts
 * await using store = await MessageStore.open({ directory: 'data' })
 * await store.put({ topic: 'Orders', body: 'first', keys: 'order-1' })
 * for await (const message of store.queue('Orders', 0)) console.log(message.body.toString())
 * ```
 */
export class MessageStore {
  /** Its directory. */
  readonly directory: string
  /** Whether it was opened only to be read. */
  readonly readOnly: boolean
  readonly #native: NativeMessageStore
  readonly #host: Host
  readonly #waitsForDisk: boolean
  readonly #syncFlushTimeoutMs: number
  /** Undefined while a put uses it: a getter of its message may put another one. */
  #writer: PutWriter | undefined = new PutWriter()
  readonly #reader = new RecordReader()
  readonly #flush: FlushWaiter
  /** Numbers of topics. Those of queues would be one object more on the way: with many topics each is an access to memory. */
  readonly #topics = new Map<string, number>()
  /** End of the last put. */
  #end = 0
  /** Whether the last put is waited for until it is on disk. */
  #waits = false
  #closed: Promise<void> | undefined

  private constructor(native: NativeMessageStore, settings: StoreSettings) {
    this.#native = native
    this.directory = settings.directory
    this.readOnly = settings.readOnly
    this.#host = hostBytes('storeHost', settings.storeHost)
    this.#waitsForDisk = settings.flushDiskType === 'SYNC_FLUSH'
    this.#syncFlushTimeoutMs = settings.syncFlushTimeoutMs
    this.#end = toLongOf(native.positions().max).toNumber()
    this.#flush = new FlushWaiter(position => this.#waitFlushed(position))
  }

  /**
   * Opens a store, made if there is none; resolves when recovery has ended.
   *
   * @throws ConfigError for a wrong option
   * @throws StoreError when another process has the directory open, it cannot be read or written, its files are of another
   * size than given, or recovery would have to cut acknowledged messages
   */
  static async open(options: MessageStoreOptions): Promise<MessageStore> {
    const settings = readOptions('MessageStore', STORE_OPTIONS, options ?? {})
    if (settings.directory === '') throw new ConfigError('MessageStore needs the option directory')
    const { ip, port } = splitHost('storeHost', settings.storeHost)
    const { commitLogFileBytes, consumeQueueFileBytes, fileReservedTimeHours, diskFullRatio } = settings
    const native = await openMessageStore(
      {
        directory: settings.directory,
        readOnly: settings.readOnly,
        syncFlush: settings.flushDiskType === 'SYNC_FLUSH',
        ...(commitLogFileBytes === undefined ? {} : { commitLogFileBytes }),
        ...(consumeQueueFileBytes === undefined ? {} : { consumeQueueFileBytes }),
        ...(fileReservedTimeHours === undefined ? {} : { fileReservedTimeHours }),
        ...(diskFullRatio === undefined ? {} : { diskFullRatio }),
        maxMessageBytes: settings.maxMessageBytes,
        flushIntervalMs: settings.flushIntervalMs,
        host: ip,
        port
      },
      progress => settings.onRecovery?.(progress)
    ).catch(rethrow)
    return new MessageStore(native, settings)
  }

  /**
   * Stores a message and resolves when it counts as stored: at once with ASYNC_FLUSH, when an fdatasync covers it with
   * SYNC_FLUSH. All puts of a tick share one. If that takes longer than `syncFlushTimeoutMs`, the message is stored all the
   * same, and the result's `status` is FLUSH_DISK_TIMEOUT. A message with `waitStoreMsgOK: false` is not waited for
   * (`store/CommitLog.java#handleDiskFlush`); the disk has it within `flushIntervalMs`.
   *
   * @throws InvalidArgumentError for a message that cannot be stored; nothing is
   * @throws StoreError when it could not be written, or (SYNC_FLUSH) the fdatasync failed: it can be read, but is not known to
   * be on disk
   */
  async put(message: StoreMessage): Promise<PutResult> {
    const result = this.#append(message, this.#waitsForDisk)
    if (this.#waits) setStatus(result, await this.#flush.until(this.#end))
    return result
  }

  /** Stores several messages, all or none; else as {@link put}. */
  async putBatch(messages: readonly StoreMessage[]): Promise<PutResult[]> {
    const results = this.#appendBatch(messages, this.#waitsForDisk)
    if (this.#waits && results.length > 0) {
      const status = await this.#flush.until(this.#end)
      for (const result of results) setStatus(result, status)
    }
    return results
  }

  /**
   * Stores a message in the page cache, whatever `flushDiskType` says: it can be read, and outlives this process, but not
   * yet a power cut. See {@link flush}.
   *
   * @throws as {@link put}
   */
  append(message: StoreMessage): PutResult {
    return this.#append(message, false)
  }

  #append(message: StoreMessage, mayWait: boolean): PutResult {
    this.#writable()
    const writer = this.#takeWriter()
    try {
      const msgId = writer.write(this.#topicFor(message), message, Date.now())
      this.#store(writer, mayWait)
      return writer.result(0, msgId, message.storeHost ?? this.#host)
    } finally {
      this.#writer = writer
    }
  }

  /** Stores several messages in the page cache, all or none; else as {@link append}. */
  appendBatch(messages: readonly StoreMessage[]): PutResult[] {
    return this.#appendBatch(messages, false)
  }

  #appendBatch(messages: readonly StoreMessage[], mayWait: boolean): PutResult[] {
    this.#writable()
    if (!Array.isArray(messages)) refuse('messages', 'an array', messages)
    if (messages.length === 0) return []
    const writer = this.#takeWriter()
    try {
      const nowMs = Date.now()
      const ids: string[] = []
      for (const message of messages) ids.push(writer.write(this.#topicFor(message), message, nowMs))
      this.#store(writer, mayWait)
      return ids.map((id, i) => writer.result(i, id, messages[i]!.storeHost ?? this.#host))
    } finally {
      this.#writer = writer
    }
  }

  /** The writer, empty; for a put within a put another one. */
  #takeWriter(): PutWriter {
    const writer = this.#writer ?? new PutWriter()
    this.#writer = undefined
    writer.reset()
    return writer
  }

  /**
   * Resolves once everything stored so far is on disk.
   *
   * @throws StoreError when the disk failed, or did not answer within `syncFlushTimeoutMs`; then it may still
   */
  async flush(): Promise<void> {
    this.#open()
    if ((await this.#flush.until(this.#end)) === 'PUT_OK') return
    throw new StoreError(`what was stored in ${this.directory} was not on disk within ${this.#syncFlushTimeoutMs} ms`)
  }

  async #waitFlushed(position: number): Promise<PutMessageStatus> {
    const { low, high } = Long.fromNumber(position)
    const isInTime = await this.#native.waitFlushed(low, high, this.#syncFlushTimeoutMs).catch(rethrow)
    return isInTime ? 'PUT_OK' : 'FLUSH_DISK_TIMEOUT'
  }

  /**
   * Messages of a queue from an offset on. They are views: keep `clone()`s, not many of themselves. Compressed bodies come
   * inflated, and one that cannot be inflated as it is stored, with the flag `COMPRESSED` still in its `sysFlag`.
   *
   * @throws InvalidArgumentError for a request that is none
   * @throws StoreError when a file cannot be read or a record is damaged
   */
  get(request: GetRequest): GetMessageResult {
    this.#open()
    checkObject('request', request)
    const { topic, queueId = 0, maxCount = DEFAULT_COUNT, maxBytes = DEFAULT_BYTES } = request
    const { low, high } = toLong('offset', request.offset)
    if (request.tags !== undefined) checkTexts('tags', request.tags)
    const tags = typeof request.tags === 'string' ? [request.tags] : (request.tags as string[] | undefined)
    const number = this.#find(topic, queueId)
    if (number === NO_TOPIC) {
      const zero = Long.ZERO
      return { status: 'NO_MATCHED_LOGIC_QUEUE', messages: [], nextBeginOffset: zero, minOffset: zero, maxOffset: zero }
    }
    const [count, bytes] = [limit('maxCount', maxCount), limit('maxBytes', maxBytes)]
    const { status, messages, next, min, max } = this.#read((into, at) =>
      this.#native.get(number, queueId, low, high, count, bytes, tags, into, at)
    )
    return { status: GET_STATUSES[status]!, messages, nextBeginOffset: next, minOffset: min, maxOffset: max }
  }

  /** The message at a commit log offset, or of an offset message id; undefined if none begins there. */
  messageAt(place: LongLike | string): MessageExt | undefined {
    this.#open()
    const { low, high } =
      typeof place === 'string' ? decodeOffsetMessageId(place).commitLogOffset : toLong('place', place)
    const record = attempt(() => this.#native.recordAt(low, high))
    return record === null ? undefined : new MessageExt(record, 0, FROM_STORE)
  }

  /**
   * Messages by one of their keys, or by their unique key, through the index. A store that is written to finds everything
   * put before, unless the index is more than 32 MiB of log behind; a read-only one whose index is behind makes up for as
   * much in memory with each call. `indexLastUpdatePhyOffset` says how far the index reaches.
   *
   * @throws InvalidArgumentError for a request that is none
   * @throws StoreError when the index or the log cannot be read
   */
  query(request: QueryRequest): QueryMessageResult {
    this.#open()
    checkObject('request', request)
    const { topic, key, maxCount = DEFAULT_COUNT, begin = 0, end = Number.MAX_SAFE_INTEGER } = request
    checkText('topic', topic)
    if (typeof key !== 'string' || key === '') refuse('key', 'a text that is not empty', key)
    checkTime('begin', begin)
    checkTime('end', end)
    const wanted = limit('maxCount', maxCount)
    return attempt(() => {
      for (let asked = wanted; ; asked *= 2) {
        const count = Math.min(asked, 0xffffffff)
        const found = this.#native.query(topic, key, count, begin, end)
        const messages = this.#withKey(found.offsets, topic, key)
        // Keys share hashes: what is not meant takes the places of what is.
        if (messages.length < wanted && found.offsets.length >= count && count < 0xffffffff) continue
        return {
          messages: messages.slice(-wanted),
          indexLastUpdateTimestamp: found.lastUpdateTimestamp,
          indexLastUpdatePhyOffset: toLongOf(found.lastUpdateOffset)
        }
      }
    })
  }

  #withKey(offsets: readonly number[], topic: string, key: string): MessageExt[] {
    const messages: MessageExt[] = []
    let last = -1
    for (const offset of offsets) {
      if (offset === last) continue
      last = offset
      const { low, high } = Long.fromNumber(offset)
      const record = this.#native.recordAt(low, high)
      if (record === null) continue
      const message = new MessageExt(record, 0, FROM_STORE)
      if (message.topic === topic && hasKey(message, key)) messages.push(message)
    }
    return messages
  }

  /**
   * The offset a time stands for: of the first message stored at or after it, or with `'upper'` of the last at or before it.
   * 0 if there is no such queue.
   *
   * @throws InvalidArgumentError for what is no queue, time or boundary
   */
  offsetByTime(topic: string, queueId: number, timestampMs: number, boundary: 'lower' | 'upper' = 'lower'): Long {
    this.#open()
    checkTime('timestampMs', timestampMs)
    if (boundary !== 'lower' && boundary !== 'upper') refuse('boundary', "'lower' or 'upper'", boundary)
    const number = this.#find(topic, queueId)
    if (number === NO_TOPIC) return Long.ZERO
    return toLongOf(attempt(() => this.#native.offsetByTime(number, queueId, timestampMs, boundary === 'upper')))
  }

  /** First offset of a queue; 0 if there is no such queue. */
  minOffset(topic: string, queueId = 0): Long {
    return this.#offsets(topic, queueId)?.minOffset ?? Long.ZERO
  }

  /** One more than the last offset of a queue; 0 if there is no such queue. */
  maxOffset(topic: string, queueId = 0): Long {
    return this.#offsets(topic, queueId)?.maxOffset ?? Long.ZERO
  }

  /** All queues that have, or had, a message, by topic and number. */
  queues(): StoredQueue[] {
    this.#open()
    // One at 0 was made for a message that was refused, or that no queue has: a prepared one.
    return this.#native.queues().flatMap(queue => (queue.maxOffset === 0n ? [] : storedQueue(queue)))
  }

  /** All topics that have a queue. */
  topics(): string[] {
    return [...new Set(this.queues().map(({ topic }) => topic))]
  }

  /** Messages of a queue, one after the other. Offsets whose messages are gone are passed over. */
  async *queue(topic: string, queueId = 0, range: Range = {}): AsyncGenerator<MessageExt, void, void> {
    checkObject('range', range)
    const end = range.to === undefined ? this.maxOffset(topic, queueId) : toLong('to', range.to)
    let offset = range.from === undefined ? this.minOffset(topic, queueId) : toLong('from', range.from)
    while (offset.lt(end)) {
      const { messages, nextBeginOffset } = this.get({ topic, queueId, offset, maxCount: ITERATION_COUNT })
      for (const message of messages) {
        if (message.queueOffset.gte(end)) return
        yield message
      }
      if (nextBeginOffset.lte(offset)) return
      offset = nextBeginOffset
      await nextTurn()
    }
  }

  /**
   * All records of the commit log, one after the other, whatever queue they belong to, prepared messages too.
   *
   * @throws InvalidArgumentError when no record begins at `from`
   * @throws StoreError when a file cannot be read or a record is damaged
   */
  async *log(range: Range = {}): AsyncGenerator<MessageExt, void, void> {
    this.#open()
    checkObject('range', range)
    const { min, max } = this.#native.positions()
    const end = range.to === undefined ? toLongOf(max) : toLong('to', range.to)
    let position = range.from === undefined ? toLongOf(min) : toLong('from', range.from)
    let isGiven = range.from !== undefined
    while (position.lt(end)) {
      this.#open()
      const { low, high } = position
      const { messages, next } = this.#read(
        (into, at) => this.#native.readLog(low, high, ITERATION_COUNT, DEFAULT_BYTES, into, at),
        isGiven
      )
      isGiven = false
      for (const message of messages) {
        if (message.commitLogOffset.gte(end)) return
        yield message
      }
      if (next.lte(position)) return
      position = next
      await nextTurn()
    }
  }

  /** Figures of the store and each of its queues. */
  async stats(): Promise<StoreStats> {
    this.#open()
    const { min, max, flushed } = this.#native.positions()
    const queues = this.queues().map(queue => ({ ...queue, depth: queue.maxOffset.sub(queue.minOffset) }))
    const [commitLog, consumeQueue, index] = await Promise.all(
      ['commitlog', 'consumequeue', 'index'].map(async name => {
        const files = await filesUnder(join(this.directory, name))
        return { files: files.length, bytes: files.reduce((sum, { bytes }) => sum + bytes, 0) }
      })
    )
    return {
      directory: this.directory,
      commitLog: {
        minOffset: toLongOf(min),
        maxOffset: toLongOf(max),
        flushedOffset: toLongOf(flushed),
        ...commitLog!
      },
      consumeQueue: consumeQueue!,
      index: index!,
      topics: new Set(queues.map(({ topic }) => topic)).size,
      depth: queues.reduce((sum, { depth }) => sum.add(depth), Long.ZERO),
      queues
    }
  }

  /**
   * Refuses further calls, flushes everything and gives the directory back. Idempotent.
   *
   * @throws StoreError when something could not be flushed; the next open recovers
   */
  close(): Promise<void> {
    this.#closed ??= this.#native.close().catch(rethrow)
    return this.#closed
  }

  /** `close()`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #open(): void {
    if (this.#closed !== undefined) throw new ClientStateError('the message store is closed')
  }

  #writable(): void {
    this.#open()
    if (this.readOnly) throw new ClientStateError('the message store was opened read-only')
  }

  #store(writer: PutWriter, mayWait: boolean): void {
    const waits = mayWait && writer.waits
    try {
      this.#native.put(writer.bytes, writer.used, waits)
    } catch (error) {
      throw storeError(error)
    }
    this.#end = writer.end
    this.#waits = waits
  }

  #read(read: (into: Buffer, at: number) => number, isGiven = true): ReturnType<RecordReader['answer']> {
    return attempt(() => this.#reader.answer(read, (into, at) => this.#native.take(into, at)), isGiven)
  }

  /** The number of a message's topic; its queue is there, or is made by the put. */
  #topicFor(message: StoreMessage): number {
    checkObject('message', message)
    const { topic, queueId = 0 } = message
    checkQueue(topic, queueId)
    const known = this.#topics.get(topic)
    if (known !== undefined) return known
    checkWellFormed(topic)
    return this.#remember(
      topic,
      attempt(() => this.#native.topic(topic, queueId))
    )
  }

  /** The number of a topic, whether it has this queue or not, or `NO_TOPIC`. */
  #find(topic: string, queueId: number): number {
    checkQueue(topic, queueId)
    const known = this.#topics.get(topic)
    if (known !== undefined) return known
    checkWellFormed(topic)
    const number = attempt(() => this.#native.findTopic(topic, queueId))
    return number === NO_TOPIC ? number : this.#remember(topic, number)
  }

  #remember(topic: string, number: number): number {
    this.#topics.set(topic, number)
    return number
  }

  #offsets(topic: string, queueId: number): StoredQueue | undefined {
    this.#open()
    const number = this.#find(topic, queueId)
    const queue = number === NO_TOPIC ? null : attempt(() => this.#native.offsets(number, queueId))
    return queue === null ? undefined : storedQueue(queue)
  }
}

/** Whether a message is to be found by a key: one of its keys, or its unique key. */
export function hasKey(message: MessageExt, key: string): boolean {
  return message.msgId === key || (message.keys?.split(KEY_SEPARATOR).includes(key) ?? false)
}

function storedQueue({ topic, queueId, minOffset, maxOffset }: NativeStoredQueue): StoredQueue {
  return { topic, queueId, minOffset: toLongOf(minOffset), maxOffset: toLongOf(maxOffset) }
}

function setStatus(result: PutResult, status: PutMessageStatus): void {
  if (status !== result.status) Object.assign(result, { status })
}

function toLongOf(value: bigint): Long {
  return toLong('offset', value)
}

/** What the addon threw, as an error of this package; `isGiven` if what it was asked for is an argument of the caller's. */
export function storeError(thrown: unknown, isGiven = true): Error {
  const error = toError(thrown) as NodeJS.ErrnoException
  const Class = isGiven && error.code === 'InvalidArg' ? InvalidArgumentError : StoreError
  return new Class(error.message, { cause: error })
}

function rethrow(thrown: unknown): never {
  throw storeError(thrown)
}

function attempt<T>(call: () => T, isGiven = true): T {
  try {
    return call()
  } catch (error) {
    throw storeError(error, isGiven)
  }
}

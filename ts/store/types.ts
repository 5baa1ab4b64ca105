import Long from 'long'
import type { MessageExt } from '../message/message-ext.js'
import { encodeOffsetMessageId } from '../message/message-id.js'
import { type Host, hostBytes } from './host.js'
import type { LongLike } from '../message/record.js'

/** A message to be stored. What a broker would be told by the producer, or find out itself, may be given. */
export interface StoreMessage {
  readonly topic: string
  /** @default 0 */
  readonly queueId?: number | undefined
  /** A string is stored as UTF-8. Compressed only if the caller compressed it, and `sysFlag` says so. */
  readonly body: string | Uint8Array
  readonly tags?: string | undefined
  /** For finding it again by key; several keys are joined by a blank. */
  readonly keys?: string | readonly string[] | undefined
  /**
   * Further properties, reserved ones too, but not those of inner batches (`INNER_NUM`) and of light queues
   * (`INNER_MULTI_DISPATCH` with a `%LMQ%` name). Without `UNIQ_KEY` the message gets a new unique key, as from a producer.
   */
  readonly properties?: Readonly<Record<string, string>> | ReadonlyMap<string, string> | undefined
  /** A number of the user's. @default 0 */
  readonly flag?: number | undefined
  /** Bits of `MessageSysFlag`, not those of inner batches; those of the hosts follow from the hosts. @default 0 */
  readonly sysFlag?: number | undefined
  /** Milliseconds since 1970. @default now */
  readonly bornTimestamp?: number | undefined
  /** `ip:port` or `[ip]:port`. @default the option `storeHost` */
  readonly bornHost?: string | undefined
  /** `ip:port` or `[ip]:port`. @default the option `storeHost` */
  readonly storeHost?: string | undefined
  /** @default 0 */
  readonly reconsumeTimes?: number | undefined
  /** @default 0 */
  readonly preparedTransactionOffset?: LongLike | undefined
  /**
   * Whether a put waits for the disk with SYNC_FLUSH; false is stored as the property WAIT, which may be given instead. A batch
   * waits when one of its messages does. @default true
   */
  readonly waitStoreMsgOK?: boolean | undefined
}

/**
 * How a put ended, in Apache's words (`store/PutMessageStatus.java`). With FLUSH_DISK_TIMEOUT the message is stored, has its
 * offsets and can be read, but the fdatasync that SYNC_FLUSH waits for did not end in time; it may still.
 */
export type PutMessageStatus = 'PUT_OK' | 'FLUSH_DISK_TIMEOUT'

/** Where a message went. */
export class PutResult {
  /** Whether it is on disk as far as `flushDiskType` wants. */
  readonly status: PutMessageStatus = 'PUT_OK'
  /** When it was stored, milliseconds since 1970. */
  readonly storeTimestamp: number
  /** Its unique key. */
  readonly msgId: string
  readonly #queueLow: number
  readonly #queueHigh: number
  readonly #low: number
  readonly #high: number
  readonly #host: string | Host

  constructor(at: Int32Array, index: number, storeTimestamp: number, msgId: string, host: string | Host) {
    this.storeTimestamp = storeTimestamp
    this.msgId = msgId
    this.#queueLow = at[index]!
    this.#queueHigh = at[index + 1]!
    this.#low = at[index + 2]!
    this.#high = at[index + 3]!
    this.#host = host
  }

  /** Its place in the queue; 0 for prepared and rolled back messages, which have none. */
  get queueOffset(): Long {
    return new Long(this.#queueLow, this.#queueHigh)
  }

  /** Its place in the commit log. */
  get commitLogOffset(): Long {
    return new Long(this.#low, this.#high)
  }

  /** Store host and commit log offset in one; {@link MessageStore.messageAt} takes it. */
  get offsetMsgId(): string {
    const { address, port } = typeof this.#host === 'string' ? hostBytes('storeHost', this.#host) : this.#host
    return encodeOffsetMessageId(address, port, this.commitLogOffset)
  }
}

/** How a get ended, in Apache's words (`GetMessageStatus`), in the order of the addon. */
export const GET_STATUSES = [
  'FOUND',
  'NO_MATCHED_MESSAGE',
  'MESSAGE_WAS_REMOVING',
  'OFFSET_FOUND_NULL',
  'OFFSET_OVERFLOW_BADLY',
  'OFFSET_OVERFLOW_ONE',
  'OFFSET_TOO_SMALL',
  'NO_MATCHED_LOGIC_QUEUE',
  'NO_MESSAGE_IN_QUEUE'
] as const
/** One of Apache's words for how a get ended. */
export type GetMessageStatus = (typeof GET_STATUSES)[number]

/** What to read of a queue. */
export interface GetRequest {
  readonly topic: string
  /** @default 0 */
  readonly queueId?: number | undefined
  /** Offset of the first message wanted. */
  readonly offset: LongLike
  /** Most messages. @default 32 */
  readonly maxCount?: number | undefined
  /** Most bytes of records as stored; the first message always comes. @default 262144 */
  readonly maxBytes?: number | undefined
  /** Only messages with one of these tags; others that share the hash of one, too, are passed over. */
  readonly tags?: string | readonly string[] | undefined
}

/** What a get found. */
export interface GetMessageResult {
  readonly status: GetMessageStatus
  readonly messages: MessageExt[]
  /** Where the next get should start. */
  readonly nextBeginOffset: Long
  readonly minOffset: Long
  /** One more than the last offset. */
  readonly maxOffset: Long
}

/** What to look for in the index. */
export interface QueryRequest {
  readonly topic: string
  /** One of the message's keys, or its unique key. */
  readonly key: string
  /** Most messages: the newest. @default 32 */
  readonly maxCount?: number | undefined
  /** Stored at this time or later, milliseconds since 1970. @default 0 */
  readonly begin?: number | undefined
  /** Stored at this time or earlier, milliseconds since 1970. @default no end */
  readonly end?: number | undefined
}

/** What a query found (`QueryMessageResult`). */
export interface QueryMessageResult {
  /** In the order of the commit log. */
  readonly messages: MessageExt[]
  /** When the last message that is indexed was stored, milliseconds since 1970; 0 if none is. */
  readonly indexLastUpdateTimestamp: number
  /** Its place in the commit log. */
  readonly indexLastUpdatePhyOffset: Long
}

/** A part of a queue or of the commit log. */
export interface Range {
  /** First offset. @default the oldest */
  readonly from?: LongLike | undefined
  /** First offset that is not wanted any more. @default the end as it is when the iteration starts */
  readonly to?: LongLike | undefined
}

/** A queue and its offsets. */
export interface StoredQueue {
  readonly topic: string
  readonly queueId: number
  readonly minOffset: Long
  /** One more than the last offset. */
  readonly maxOffset: Long
}

/** Figures of a store. */
export interface StoreStats {
  readonly directory: string
  readonly commitLog: {
    readonly minOffset: Long
    readonly maxOffset: Long
    /** Everything below is on disk. */
    readonly flushedOffset: Long
    readonly files: number
    /** Length of its files. */
    readonly bytes: number
  }
  readonly consumeQueue: { readonly files: number; readonly bytes: number }
  readonly index: { readonly files: number; readonly bytes: number }
  readonly topics: number
  /** Messages in all queues. */
  readonly depth: Long
  readonly queues: readonly (StoredQueue & {
    /** Messages in it. */
    readonly depth: Long
  })[]
}

import type Long from 'long'
import type { RocketMQError } from '../errors.js'
import type { Message } from '../message/message.js'
import type { MessageQueue } from '../message/message-queue.js'
import { ResponseCode } from '../remoting/request-code.js'

/** What became of a message that was stored (`client/producer/SendStatus.java`). */
export const SendStatus = {
  /** Stored as the broker is configured. */
  SEND_OK: 'SEND_OK',
  /** Stored, but not on disk in time. */
  FLUSH_DISK_TIMEOUT: 'FLUSH_DISK_TIMEOUT',
  /** Stored, but not on the slave in time. */
  FLUSH_SLAVE_TIMEOUT: 'FLUSH_SLAVE_TIMEOUT',
  /** Stored, but there is no slave. */
  SLAVE_NOT_AVAILABLE: 'SLAVE_NOT_AVAILABLE'
} as const
/** One of {@link SendStatus}. */
export type SendStatus = (typeof SendStatus)[keyof typeof SendStatus]

/** Codes that say the message was stored (`impl/MQClientAPIImpl.java#processSendResponse`). */
export function sendStatusOf(code: number): SendStatus | undefined {
  switch (code) {
    case ResponseCode.SUCCESS:
      return SendStatus.SEND_OK
    case ResponseCode.FLUSH_DISK_TIMEOUT:
      return SendStatus.FLUSH_DISK_TIMEOUT
    case ResponseCode.FLUSH_SLAVE_TIMEOUT:
      return SendStatus.FLUSH_SLAVE_TIMEOUT
    case ResponseCode.SLAVE_NOT_AVAILABLE:
      return SendStatus.SLAVE_NOT_AVAILABLE
    default:
      return undefined
  }
}

/** The answer to a send (`client/producer/SendResult.java`). */
export interface SendResult {
  /** Whether it is as safe as the broker was told to make it. */
  readonly sendStatus: SendStatus
  /** The unique id given by this client; for a batch those of all messages, separated by commas. */
  readonly msgId: string
  /** The broker's id: where the message lies. For a batch those of all messages, separated by commas. */
  readonly offsetMsgId: string
  /** The queue it is in. */
  readonly messageQueue: MessageQueue
  /** Its place in the queue; for a batch that of the first message. */
  readonly queueOffset: Long
  /** The id of its transaction. */
  readonly transactionId: string
  /** For a delayed message: what `recall` needs. */
  readonly recallHandle: string | undefined
  /** The broker's region. */
  readonly regionId: string
  /** Whether the broker wants traces. */
  readonly traceOn: boolean
}

/** Told the end of a send: an error, or a result. */
export type SendCallback = (error: RocketMQError | undefined, result: SendResult | undefined) => void

/** What limits one send. */
export interface SendOptions {
  /** Time allowed, all attempts together. @default the producer's sendMsgTimeout */
  timeoutMs?: number | undefined
  /** Ends the wait with `RMQ_ABORTED`; the message may still be stored. */
  signal?: AbortSignal | undefined
}

/** Chooses the queue for a message (`client/producer/MessageQueueSelector.java`). */
export type MessageQueueSelector<A> = (queues: readonly MessageQueue[], message: Message, arg: A) => MessageQueue

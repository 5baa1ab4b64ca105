import type Long from 'long'
import type { RocketMQError } from '../errors.js'
import type { SentProperties } from '../message/sent-properties.js'
import type { RPCHook } from './rpc-hook.js'
import type { SessionCredentials } from './session-credentials.js'
import type { TlsSettings } from './tls-settings.js'

/** One remoting frame as JavaScript sees it. Header values travel as strings, as they do on the wire. */
export interface RemotingCommand {
  /** Request or response code (`RequestCode`, `ResponseCode`). */
  readonly code: number
  /** Ordinal of the sender's version (`MQVersion`), 0 when unknown. */
  readonly version: number
  /** Free text, the reason of an error as a rule. */
  readonly remark: string | undefined
  /** Header fields by their names on the wire. */
  readonly extFields: Readonly<Record<string, string>>
  /** Empty when the frame has none. Owns its memory. */
  readonly body: Buffer
}

/** A value of a request's header. `undefined` is not sent; everything else is sent as its text. */
export type ExtField = string | number | bigint | boolean | Long | undefined

/** A request to be sent. */
export interface RemotingRequest {
  readonly code: number
  /** Free text; for END_TRANSACTION why the local transaction failed. */
  readonly remark?: string | undefined
  readonly extFields?: Readonly<Record<string, ExtField>>
  readonly body?: Uint8Array
}

/** An answer to a request that came from the broker. */
export interface RemotingResponse {
  readonly code: number
  readonly remark?: string
  readonly extFields?: Readonly<Record<string, ExtField>>
  readonly body?: Uint8Array
}

/** What limits one call. */
export interface InvokeOptions {
  /** Milliseconds from now until the call fails with `RMQ_TIMEOUT`, connecting included. */
  readonly timeoutMs: number
  /** Ends the wait with `RMQ_ABORTED`; the broker may still act on the request. */
  readonly signal?: AbortSignal | undefined
}

/** The parts of a send request's header that stay the same from message to message (SendMessageRequestHeaderV2). */
export interface SendTemplateFields {
  readonly producerGroup: string
  readonly topic: string
  readonly defaultTopic: string
  readonly defaultTopicQueueNums: number
  readonly queueId: number
  readonly brokerName: string
  readonly unitMode: boolean
  /** True for SEND_BATCH_MESSAGE (320): the body is a sequence of encoded messages. */
  readonly batch: boolean
  /** True for SEND_REPLY_MESSAGE_V2 (325): the broker pushes it to the client that waits for it. */
  readonly reply?: boolean
  readonly maxReconsumeTimes?: number
}

/** A header registered with `RemotingClient.sendTemplate()`; only meaningful to the client that gave it. */
export type SendTemplate = number & { readonly __sendTemplate: unique symbol }

/** The parts of a send request that change from message to message. */
export interface SendFields {
  /** Bits of the system flag: compression and its type, transaction type. */
  readonly sysFlag: number
  /** The user's flag. */
  readonly flag: number
  readonly bornTimestampMs: number
  /** Encoded properties: `name 0x01 value 0x02` repeated. */
  readonly properties: string | SentProperties
  readonly body: Uint8Array
  readonly reconsumeTimes: number
}

/** Called exactly once, by one of its three methods, when a send has ended. Implemented by the producer, once per send. */
export interface PendingSend {
  /**
   * The broker stored the message: response code 0, or 10, 11, 12 (stored, yet not flushed or replicated in time).
   * `queueOffset` comes as two signed 32-bit halves; `regionId` is undefined for the default region.
   */
  onSent(
    code: number,
    queueId: number,
    queueOffsetLow: number,
    queueOffsetHigh: number,
    offsetMsgId: string,
    traceOn: boolean,
    regionId: string | undefined
  ): void
  /** Any other answer: an error code, or a success with header fields beyond those of `onSent`. */
  onResponse(response: RemotingCommand): void
  /** No answer: no connection, connection lost, or no time left. */
  onFailed(error: RocketMQError): void
}

/** The answer to a pull, decoded off the main thread. */
export interface PulledBatch {
  /** Response code: 0 found, 19 not found, 20 retry immediately, 21 offset moved; others are errors, see `remark`. */
  readonly code: number
  readonly remark: string | undefined
  readonly nextBeginOffset: Long
  readonly minOffset: Long
  readonly maxOffset: Long
  readonly suggestWhichBrokerId: number
  /** Added to each message's queue offset; 0 but for static topics. */
  readonly offsetDelta: Long
  /** Messages in `messages`, after the tag filter. */
  readonly messageCount: number
  /**
   * The stored records one after the other (Apache's layout; each begins with its own length as int32 BE), bodies
   * already inflated but for `unreadable` ones, messages that the tags exclude left out. Walk it with `start += buffer.readInt32BE(start)`.
   */
  readonly messages: Buffer
  /**
   * Which of the messages come as stored, with the COMPRESSED flag still in their sysFlag, because their body does not
   * inflate: `queueOffset: cause`, several with `; ` between; undefined when there are none.
   */
  readonly unreadable: string | undefined
}

/** How a RemotingClient behaves. */
export interface RemotingClientOptions {
  /** @default 3000 */
  readonly connectTimeoutMs?: number
  /** Header encoding of requests; answers are read in both. @default 'ROCKETMQ' */
  readonly serializeType?: 'JSON' | 'ROCKETMQ'
  /** See every request and answer. @default none */
  readonly rpcHooks?: readonly RPCHook[]
  /** Told with every request, in the fields `nsd` and `ns` (`client/rpchook/NamespaceRpcHook.java`). @default none */
  readonly namespaceV2?: string | undefined
  /** Frames larger than this end their connection. @default 16777216 */
  readonly maxFrameBytes?: number
  /** Requests waiting for an answer, in all; one more fails at once with a retryable error. @default 65535 */
  readonly maxPendingRequests?: number
  /** Bytes waiting for a socket; more fails at once with a retryable error. @default 134217728 */
  readonly maxPendingBytes?: number
  /** Connect with TLS. @default plain TCP */
  readonly tls?: TlsSettings | undefined
  /** Sign every request for this user. @default requests are not signed */
  readonly credentials?: SessionCredentials | undefined
}

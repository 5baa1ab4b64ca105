import type { MessageType } from '../message/message-type.js'

/**
 * Records of message trace (`client/trace/TraceContext.java` and the one `TraceBean` in it, together). `undefined` stands
 * for Java's null, which is written as the text `null`.
 */
export type TraceContext = PubTraceContext | EndTransactionTraceContext

/** What all records say. */
interface TraceRecord {
  /** When it began, ms since 1970. */
  readonly timeStamp: number
  /** The broker's region. */
  readonly regionId: string
  readonly groupName: string
  readonly topic: string
  /** The unique id; for a batch those of all messages, separated by commas. */
  readonly msgId: string
  readonly tags: string | undefined
  /** Separated by blanks. */
  readonly keys: string | undefined
  /** `host:port` of the broker. */
  readonly storeHost: string
  readonly msgType: MessageType
}

/** A message was sent. */
export interface PubTraceContext extends TraceRecord {
  readonly traceType: 'Pub'
  /** Bytes of the body as it was sent. */
  readonly bodyLength: number
  /** How long it took, in milliseconds. */
  readonly costTime: number
  /** The broker's id; undefined in records of old clients. */
  readonly offsetMsgId: string | undefined
  /** Whether the status was SEND_OK. */
  readonly success: boolean
}

/** A transaction was ended. */
export interface EndTransactionTraceContext extends TraceRecord {
  readonly traceType: 'EndTransaction'
  readonly transactionId: string | undefined
  readonly transactionState: 'COMMIT_MESSAGE' | 'ROLLBACK_MESSAGE' | 'UNKNOW'
  /** Whether the broker had asked. */
  readonly fromTransactionCheck: boolean
}

/** Where records go when nothing else is said (`common/topic/TopicValidator.java`). */
export const RMQ_SYS_TRACE_TOPIC = 'RMQ_SYS_TRACE_TOPIC'
/** Of the trace topics of regions (`client/trace/TraceConstants.java`). */
export const TRACE_TOPIC_PREFIX = 'rmq_sys_TRACE_DATA_'
/** Of the groups of producers that send trace messages (`client/trace/TraceConstants.java#GROUP_NAME_PREFIX`). */
export const TRACE_GROUP_PREFIX = '_INNER_TRACE_PRODUCER'

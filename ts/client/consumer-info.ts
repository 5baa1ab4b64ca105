import type { MessageQueue } from '../message/message-queue.js'
import { encodeQueueTable } from '../route/queue-table.js'
import type { ConsumeType, SubscriptionData } from './heartbeat.js'

/** An offset of a queue. */
export interface QueueOffset {
  readonly mq: MessageQueue
  readonly offset: number
}

/** What a consumer holds of a queue (`remoting/protocol/body/ProcessQueueInfo.java`); the misspelling is Java's. */
export interface ProcessQueueInfo {
  readonly commitOffset: number
  readonly cachedMsgMinOffset: number
  readonly cachedMsgMaxOffset: number
  readonly cachedMsgCount: number
  readonly cachedMsgSizeInMiB: number
  readonly transactionMsgMinOffset: number
  readonly transactionMsgMaxOffset: number
  readonly transactionMsgCount: number
  readonly locked: boolean
  readonly tryUnlockTimes: number
  readonly lastLockTimestamp: number
  readonly droped: boolean
  readonly lastPullTimestamp: number
  readonly lastConsumeTimestamp: number
}

/** How a consumer gets on with a topic (`remoting/protocol/body/ConsumeStatus.java`): milliseconds, messages a second. */
export interface ConsumeStatus {
  readonly pullRT: number
  readonly pullTPS: number
  readonly consumeRT: number
  readonly consumeOKTPS: number
  readonly consumeFailedTPS: number
  /** In the last hour. */
  readonly consumeFailedMsgs: number
}

/** What a consumer tells of itself (`remoting/protocol/body/ConsumerRunningInfo.java`). */
export interface ConsumerRunningInfo {
  /** Its options, as texts, besides what the instance adds. */
  readonly properties: Readonly<Record<string, string>>
  readonly consumeType: ConsumeType
  readonly consumeOrderly: boolean
  /** Calls of the listener that may be under way at once. */
  readonly threadPoolCoreSize: number
  readonly startTimestampMs: number
  readonly subscriptions: readonly SubscriptionData[]
  readonly queues: readonly (readonly [MessageQueue, ProcessQueueInfo])[]
  /** By topic. */
  readonly status: Readonly<Record<string, ConsumeStatus>>
}

/** How a message was consumed that a broker asked to have consumed (`remoting/protocol/body/CMResult.java`). */
export type CMResult = 'CR_SUCCESS' | 'CR_LATER' | 'CR_ROLLBACK' | 'CR_COMMIT' | 'CR_THROW_EXCEPTION' | 'CR_RETURN_NULL'

/** `remoting/protocol/body/ConsumeMessageDirectlyResult.java` */
export interface ConsumeMessageDirectlyResult {
  readonly order: boolean
  readonly autoCommit: boolean
  readonly consumeResult: CMResult
  readonly remark?: string
  /** Milliseconds. */
  readonly spentTimeMills: number
}

/**
 * The body of the answer to 307 (`impl/factory/MQClientInstance.java#consumerRunningInfo`).
 *
 * @param jstack what stands in for Java's stacks of threads, if that was asked for
 */
export function encodeConsumerRunningInfo(
  info: ConsumerRunningInfo,
  nameServers: readonly string[],
  clientVersion: string,
  jstack: string | undefined
): Buffer {
  const properties = {
    ...info.properties,
    PROP_CLIENT_VERSION: clientVersion,
    PROP_CONSUME_TYPE: info.consumeType,
    PROP_CONSUMEORDERLY: String(info.consumeOrderly),
    PROP_CONSUMER_START_TIMESTAMP: String(info.startTimestampMs),
    PROP_NAMESERVER_ADDR: nameServers.map(address => `${address};`).join(''),
    PROP_THREADPOOL_CORE_SIZE: String(info.threadPoolCoreSize)
  }
  const parts = [
    ...(jstack === undefined ? [] : [`"jstack":${JSON.stringify(jstack)}`]),
    '"mqPopTable":{}',
    `"mqTable":${encodeQueueTable(info.queues)}`,
    `"properties":${JSON.stringify(properties)}`,
    `"statusTable":${JSON.stringify(info.status)}`,
    `"subscriptionSet":${JSON.stringify(info.subscriptions)}`,
    '"userConsumerInfo":{}'
  ]
  return Buffer.from(`{${parts.join(',')}}`)
}

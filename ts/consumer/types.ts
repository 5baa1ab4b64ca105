import type { MessageExt } from '../message/message-ext.js'
import type { MessageQueue } from '../message/message-queue.js'

/** What a listener says of the messages it was given (`client/consumer/listener/ConsumeConcurrentlyStatus.java`). */
export const ConsumeConcurrentlyStatus = {
  /** Done with them. */
  CONSUME_SUCCESS: 'CONSUME_SUCCESS',
  /** Deliver them again, later. */
  RECONSUME_LATER: 'RECONSUME_LATER'
} as const
/** One of {@link ConsumeConcurrentlyStatus}. */
export type ConsumeConcurrentlyStatus = (typeof ConsumeConcurrentlyStatus)[keyof typeof ConsumeConcurrentlyStatus]

/** What a listener is told, and may say, beside its messages (`listener/ConsumeConcurrentlyContext.java`). */
export class ConsumeConcurrentlyContext {
  /** The queue the messages are from. */
  readonly messageQueue: MessageQueue
  /**
   * When to deliver again what failed: −1 not at all (into the dead letter queue), 0 as the broker sees fit, above 0 that
   * delay level.
   */
  delayLevelWhenNextConsume = 0
  /** Index of the last message that succeeded; those after it count as failed even with CONSUME_SUCCESS. */
  ackIndex = Number.MAX_SAFE_INTEGER

  constructor(messageQueue: MessageQueue) {
    this.messageQueue = messageQueue
  }
}

/**
 * Consumes messages. Returning nothing, or a promise of nothing, is success; throwing or rejecting is
 * `RECONSUME_LATER`. Up to `consumeThreadMax` calls are under way at once, each with up to `consumeMessageBatchMaxSize`
 * messages of one queue.
 */
export type MessageListenerConcurrently = (
  messages: readonly MessageExt[],
  context: ConsumeConcurrentlyContext
) => ListenerResult | Promise<ListenerResult>

/** What a listener may return. */
export type ListenerResult = ConsumeConcurrentlyStatus | undefined | void

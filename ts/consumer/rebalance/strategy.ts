import type { MessageQueue } from '../../message/message-queue.js'

/** Shares out the queues of a topic among the members of a group (`client/consumer/AllocateMessageQueueStrategy.java`). */
export interface AllocateMessageQueueStrategy {
  /** Apache's name of it; all members of a group must use the same. */
  readonly name: string
  /**
   * The queues of one member. Must depend on nothing but its arguments: every member works it out for itself.
   *
   * @param currentCID the member
   * @param mqAll all queues, sorted
   * @param cidAll all members, sorted
   */
  allocate(
    consumerGroup: string,
    currentCID: string,
    mqAll: readonly MessageQueue[],
    cidAll: readonly string[]
  ): MessageQueue[]
}

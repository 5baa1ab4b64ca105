import type { MessageQueue } from '../message/message-queue.js'
import type { TopicRouteData } from './topic-route-data.js'
import { publishQueues } from './topic-route-data.js'

/** What a producer knows of a topic: the queues it may write to and whose turn it is. */
export class TopicPublishInfo {
  /** The topic. */
  readonly topic: string
  /** The queues, sorted by broker name and queue id. */
  readonly messageQueues: readonly MessageQueue[]
  /** Whether somebody has found that the topic may be sent to. */
  isChecked = false
  /** The last index given out; starts anywhere, so that producers do not all begin with the same queue. */
  #index = Math.floor(Math.random() * 0x1_0000_0000) | 0

  constructor(topic: string, route: TopicRouteData) {
    this.topic = topic
    this.messageQueues = publishQueues(topic, route)
  }

  /** Whether there is a queue to write to. */
  get ok(): boolean {
    return this.messageQueues.length > 0
  }

  /**
   * The next queue in turn; one of another broker than `lastBrokerName` if there is one
   * (`latency/MQFaultStrategy.java#selectOneMessageQueue` without fault tolerance). Only to be called while {@link ok}.
   */
  selectOneMessageQueue(lastBrokerName?: string): MessageQueue {
    const queues = this.messageQueues
    if (lastBrokerName === undefined) return this.#next(queues)
    return this.selectAmong(lastBrokerName) ?? this.#next(queues)
  }

  /**
   * The next queue in turn of a broker that is not `lastBrokerName` and passes the filter; undefined when there is none
   * (`impl/producer/TopicPublishInfo.java#selectOneMessageQueue` with filters).
   */
  selectAmong(lastBrokerName: string | undefined, passes?: (brokerName: string) => boolean): MessageQueue | undefined {
    const queues = this.messageQueues
    for (let tries = 0; tries < queues.length; tries++) {
      const queue = this.#next(queues)
      const { brokerName } = queue
      if (brokerName !== lastBrokerName && (passes === undefined || passes(brokerName))) return queue
    }
    return undefined
  }

  /** Turns begin anew at a place by chance (`#resetIndex`). */
  resetIndex(): void {
    this.#index = Math.floor(Math.random() * 0x7fffffff)
  }

  /** `client/common/ThreadLocalIndex.java#incrementAndGet`: a 32-bit counter without its sign. */
  #next(queues: readonly MessageQueue[]): MessageQueue {
    this.#index = (this.#index + 1) | 0
    return queues[(this.#index & 0x7fffffff) % queues.length]!
  }
}

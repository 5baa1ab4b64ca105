import type { MessageQueue } from '../message/message-queue.js'
import type { TopicRouteData } from './topic-route-data.js'
import { publishQueues } from './topic-route-data.js'

/** What a producer knows of a topic: the queues it may write to and whose turn it is. */
export class TopicPublishInfo {
  /** The topic. */
  readonly topic: string
  /** The queues, sorted by broker name and queue id. */
  readonly messageQueues: readonly MessageQueue[]
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
   * (`impl/producer/TopicPublishInfo.java#selectOneMessageQueue` with the filter of `latency/MQFaultStrategy.java`).
   * Only to be called while {@link ok}.
   */
  selectOneMessageQueue(lastBrokerName?: string): MessageQueue {
    const queues = this.messageQueues
    if (lastBrokerName !== undefined) {
      for (let tries = 0; tries < queues.length; tries++) {
        const queue = this.#next(queues)
        if (queue.brokerName !== lastBrokerName) return queue
      }
    }
    return this.#next(queues)
  }

  /** `common/ThreadLocalIndex.java#incrementAndGet`: a 32-bit counter without its sign. */
  #next(queues: readonly MessageQueue[]): MessageQueue {
    this.#index = (this.#index + 1) | 0
    return queues[(this.#index & 0x7fffffff) % queues.length]!
  }
}

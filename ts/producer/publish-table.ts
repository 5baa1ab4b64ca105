import { toError } from '../errors.js'
import { withoutNamespace, wrapNamespace } from '../client/namespace.js'
import { MessageQueue, keepTemplate, templateOf } from '../message/message-queue.js'
import type { SendTemplate } from '../remoting/types.js'
import type { ClientInstance, ProducerInner } from '../client/client-instance.js'
import type { ClientStatus } from '../client/client-status.js'
import { noQueueToWriteTo } from '../route/no-queue.js'
import { ServiceState } from '../client/service-state.js'
import type { TopicRouteData } from '../route/topic-route-data.js'
import { TopicPublishInfo } from '../route/topic-publish-info.js'
import type { ProducerConfig } from './options.js'

const REFRESH_INTERVAL_MS = 1_000

/** How many tables there were. */
let tables = 0

/**
 * The topics a producer sends to: their queues, and the header templates of its sends. It knows topics by their names on
 * the wire; queues have the names of topics that the user sees.
 */
export class PublishTable implements ProducerInner {
  readonly status: ClientStatus | undefined
  /** What its templates are kept under, from 1. */
  readonly #number = ++tables
  readonly #instance: ClientInstance
  readonly #config: ProducerConfig
  readonly #infos = new Map<string, TopicPublishInfo | undefined>()
  /** What was asked for last: most sends are for one topic. */
  #lastTopic: string | undefined
  #lastInfo: TopicPublishInfo | undefined
  #refreshedMs = 0
  readonly #templates = new Map<string, SendTemplate>()
  readonly #batchTemplates = new Map<string, SendTemplate>()
  readonly #replyTemplates = new Map<string, SendTemplate>()

  constructor(instance: ClientInstance, config: ProducerConfig, status?: ClientStatus) {
    this.status = status
    this.#instance = instance
    this.#config = config
  }

  publishTopics(): Iterable<string> {
    return this.#infos.keys()
  }

  isPublishTopicNeedUpdate(topic: string): boolean {
    return this.#infos.has(topic) && this.#usable(topic) === undefined
  }

  updateTopicRoute(topic: string, route: TopicRouteData): void {
    if (!this.#infos.has(topic)) return
    const name = this.userTopic(topic)
    this.#lastTopic = undefined
    this.#lastInfo = undefined
    this.#infos.set(topic, new TopicPublishInfo(name, route))
  }

  /** The name of a topic on the wire. */
  wireTopic(topic: string): string {
    const { namespace } = this.#config
    return namespace === undefined ? topic : wrapNamespace(namespace, topic)
  }

  /** The name of a topic as the user sees it. */
  userTopic(topic: string): string {
    const { namespace } = this.#config
    return namespace === undefined ? topic : withoutNamespace(namespace, topic)
  }

  /** The queue with the name of its topic on the wire. */
  wireQueue(mq: MessageQueue): MessageQueue {
    const topic = this.wireTopic(mq.topic)
    return topic === mq.topic ? mq : new MessageQueue(topic, mq.brokerName, mq.queueId)
  }

  /** The queue as the user sees it. */
  userQueue(mq: MessageQueue): MessageQueue {
    const topic = this.userTopic(mq.topic)
    return topic === mq.topic ? mq : new MessageQueue(topic, mq.brokerName, mq.queueId)
  }

  /** What is known of a topic, if there is a queue to send to. */
  get(topic: string): TopicPublishInfo | undefined {
    if (topic === this.#lastTopic) return this.#lastInfo
    const info = this.#usable(this.wireTopic(topic))
    this.#lastTopic = topic
    this.#lastInfo = info
    return info
  }

  /**
   * Asks the name server for a topic; for one that does not exist, for the topic new ones are made after
   * (`impl/producer/DefaultMQProducerImpl.java#tryToFindTopicPublishInfo`).
   *
   * @throws RouteError when there is no queue to send to
   */
  async find(name: string): Promise<TopicPublishInfo> {
    const topic = this.wireTopic(name)
    if (!this.#infos.has(topic)) this.#infos.set(topic, undefined)
    const { createTopicKey, defaultTopicQueueNums } = this.#config
    const own = await this.#instance.updateTopicRoute(topic)
    // The lookup was shared and had told everybody before this topic was one of ours.
    if (own !== undefined && this.#usable(topic) === undefined) this.updateTopicRoute(topic, own)
    if (own === undefined && this.#usable(topic) === undefined) {
      await this.#instance.updateTopicRoute(topic, { createTopicKey, defaultTopicQueueNums })
    }
    const found = this.#usable(topic)
    if (found !== undefined) return found
    throw noQueueToWriteTo(topic, own, createTopicKey)
  }

  /**
   * Asks for the route of a topic anew, at most once in a second: a broker of it cannot be reached and may have moved. Java
   * waits for the next regular look, up to `pollNameServerInterval`.
   */
  refresh(topic: string): void {
    const nowMs = Date.now()
    if (nowMs - this.#refreshedMs < REFRESH_INTERVAL_MS) return
    this.#refreshedMs = nowMs
    const instance = this.#instance
    instance.updateTopicRoute(this.wireTopic(topic)).catch((error: unknown) => {
      if (instance.state === ServiceState.RUNNING) instance.report(toError(error), 'refreshing topic routes')
    })
  }

  /** The header template for sends to a queue. */
  template(mq: MessageQueue, batch: boolean, reply = false): SendTemplate {
    const plain = !batch && !reply
    const kept = plain ? templateOf(mq, this.#number) : undefined
    if (kept !== undefined) return kept as SendTemplate
    const templates = batch ? this.#batchTemplates : reply ? this.#replyTemplates : this.#templates
    let template = templates.get(mq.key)
    if (template === undefined) {
      const { producerGroup, createTopicKey, defaultTopicQueueNums, unitMode } = this.#config
      template = this.#instance.remoting.sendTemplate({
        producerGroup,
        topic: this.wireTopic(mq.topic),
        defaultTopic: createTopicKey,
        defaultTopicQueueNums,
        queueId: mq.queueId,
        brokerName: mq.brokerName,
        unitMode,
        batch,
        reply
      })
      templates.set(mq.key, template)
    }
    if (plain) keepTemplate(mq, this.#number, template)
    return template
  }

  #usable(topic: string): TopicPublishInfo | undefined {
    const info = this.#infos.get(topic)
    return info?.ok === true ? info : undefined
  }
}

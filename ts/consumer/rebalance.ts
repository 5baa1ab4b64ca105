import type { ClientInstance } from '../client/client-instance.js'
import type { SubscriptionData } from '../client/heartbeat.js'
import { ConsumeFromWhere, MessageModel } from '../client/heartbeat.js'
import { TwinWatch } from '../client/twin-watch.js'
import type { ErrorReporter } from '../diagnostics.js'
import { toError } from '../errors.js'
import type { MessageQueue } from '../message/message-queue.js'
import { compareMessageQueues, compareText } from '../message/message-queue.js'
import type { TopicRouteData } from '../route/topic-route-data.js'
import { subscribeQueues } from '../route/topic-route-data.js'
import { ConsumeStats } from './consume-stats.js'
import type { OffsetStore } from './offset-store.js'
import type { PushConsumerConfig } from './options.js'
import type { PullContext } from './pull-task.js'
import { PullTask } from './pull-task.js'

/** A queue that is new here is pulled first after this long, when its former owner has had time to let go. */
const FIRST_PULL_DELAY_MS = 500
/** How many rounds look for the retry topic before it may take until the next regular round. */
const QUICK_LOOKUPS = 5
const BYTES_PER_MIB = 1024 * 1024
/** Where CONSUME_FROM_TIMESTAMP begins when no time is given: this long before the consumer was made. */
const DEFAULT_CONSUME_BACK_MS = 30 * 60 * 1000

/**
 * Which queues are ours: works out the share of this member and starts and ends pull loops accordingly
 * (`impl/consumer/RebalanceImpl.java`, `RebalancePushImpl.java`).
 */
export class Rebalance {
  /** What is subscribed, by topic; what heartbeats say. */
  readonly subscriptions = new Map<string, SubscriptionData>()
  /** What brokers have heard of by now: they refuse pulls with a newer version. */
  #announced: ReadonlyMap<string, SubscriptionData> = new Map()
  /** Limits of one queue; see `pullThresholdForTopic`. */
  readonly thresholds: { messages: number; bytes: number }
  readonly #instance: ClientInstance
  readonly #config: PushConsumerConfig
  readonly #offsetStore: OffsetStore
  readonly #report: ErrorReporter
  readonly #retryTopic: string
  readonly #createdMs = Date.now()
  readonly #queues = new Map<string, readonly MessageQueue[]>()
  readonly #stats = new Map<string, ConsumeStats>()
  readonly #tasks = new Map<string, PullTask>()
  readonly #lookups = new Map<string, number>()
  readonly #twins: TwinWatch
  #pullContext: PullContext | undefined

  constructor(
    instance: ClientInstance,
    config: PushConsumerConfig,
    offsetStore: OffsetStore,
    retryTopic: string,
    report: ErrorReporter
  ) {
    this.#instance = instance
    this.#config = config
    this.#offsetStore = offsetStore
    this.#retryTopic = retryTopic
    this.#report = report
    this.#twins = new TwinWatch(instance.clientId, 'both get the same queues, and others are read by nobody', report)
    this.thresholds = {
      messages: config.pullThresholdForQueue,
      bytes: config.pullThresholdSizeForQueue * BYTES_PER_MIB
    }
  }

  /** From now on queues may be taken; their pull loops use this. */
  open(context: PullContext): void {
    this.#pullContext = context
  }

  /** Counts of a topic. */
  stats(topic: string): ConsumeStats {
    let stats = this.#stats.get(topic)
    if (stats === undefined) this.#stats.set(topic, (stats = new ConsumeStats()))
    return stats
  }

  /** What pulls of a topic go by; undefined when it is not subscribed. */
  subscription(topic: string): SubscriptionData | undefined {
    const current = this.subscriptions.get(topic)
    return current === undefined ? undefined : (this.#announced.get(topic) ?? current)
  }

  /** Tells the brokers what is subscribed; false when there is no broker to tell. */
  async announce(): Promise<boolean> {
    const said = new Map(this.subscriptions)
    const told = await this.#instance.sendHeartbeatToAllBrokers()
    this.#announced = said
    return told
  }

  /** Keys of the queues that are ours. */
  get queueKeys(): ReadonlySet<string> {
    return new Set(this.#tasks.keys())
  }

  /** The queues that are ours. */
  get assigned(): MessageQueue[] {
    return [...this.#tasks.values()].map(task => task.messageQueue).sort(compareMessageQueues)
  }

  /** The pull loops of the queues that are ours. */
  get tasks(): readonly PullTask[] {
    return [...this.#tasks.values()]
  }

  /**
   * Goes on from another offset in a queue that is ours: what is held of it counts no more, and the offset is stored
   * (`impl/factory/MQClientInstance.java#resetOffset`). Java waits ten seconds for its listeners and then for the next
   * rebalancing; here what they still do with a dropped queue changes nothing, so the next pull begins at once.
   */
  restart(task: PullTask, offset: number): void {
    const mq = task.messageQueue
    task.drop()
    this.#offsetStore.remove(mq)
    this.#offsetStore.update(mq, offset, false)
    this.#offsetStore.persist(mq)
    if (this.#pullContext === undefined || this.#tasks.get(mq.key) !== task) return
    const restarted = new PullTask(this.#pullContext, mq, offset)
    this.#tasks.set(mq.key, restarted)
    restarted.pullLater(FIRST_PULL_DELAY_MS)
  }

  /** Notes the queues of a topic; tells whether they are others than before. */
  updateTopicRoute(topic: string, route: TopicRouteData): boolean {
    const queues = subscribeQueues(topic, route).sort(compareMessageQueues)
    const before = this.#queues.get(topic)
    this.#queues.set(topic, queues)
    return before === undefined || keysOf(before).join() !== keysOf(queues).join()
  }

  /** Shares out the queues of all topics; tells whether everything settled. */
  async doRebalance(): Promise<boolean> {
    let balanced = true
    for (const topic of this.subscriptions.keys()) {
      try {
        if (!(await this.#rebalanceByTopic(topic))) balanced = false
      } catch (error) {
        this.#report(toError(error), `rebalancing topic ${topic}`)
        if (topic !== this.#retryTopic) balanced = false
      }
    }
    for (const task of this.#tasks.values()) {
      if (!this.subscriptions.has(task.messageQueue.topic)) this.remove(task)
    }
    return balanced
  }

  /** Gives a queue up: its offset is stored and forgotten. */
  remove(task: PullTask): void {
    const mq = task.messageQueue
    task.drop()
    this.#offsetStore.persist(mq)
    this.#offsetStore.remove(mq)
    if (this.#tasks.get(mq.key) === task) this.#tasks.delete(mq.key)
  }

  /** Ends all pull loops; offsets must have been stored before. */
  close(): void {
    this.#pullContext = undefined
    for (const task of this.#tasks.values()) task.drop()
    this.#tasks.clear()
  }

  async #rebalanceByTopic(topic: string): Promise<boolean> {
    const all = this.#queues.get(topic) ?? []
    if (all.length === 0) return this.#lookForTopic(topic)
    if (this.#config.messageModel === MessageModel.BROADCASTING) return this.#update(topic, all)
    const members = await this.#members(topic)
    if (members.length === 0) return false
    const { clientId } = this.#instance
    const { consumerGroup, allocateMessageQueueStrategy } = this.#config
    return this.#update(topic, allocateMessageQueueStrategy.allocate(consumerGroup, clientId, all, members))
  }

  /**
   * A topic without queues is asked for again in each round, every second for a topic that somebody is yet to send to, and
   * the first few times for the group's retry topic, which comes into being with our first heartbeat; Java finds both half a
   * minute later. What is found starts another round.
   */
  async #lookForTopic(topic: string): Promise<boolean> {
    const lookups = (this.#lookups.get(topic) ?? 0) + 1
    this.#lookups.set(topic, lookups)
    await this.#instance.updateTopicRoute(topic)
    if ((this.#queues.get(topic)?.length ?? 0) > 0) return true
    return topic === this.#retryTopic && lookups >= QUICK_LOOKUPS
  }

  /** `impl/factory/MQClientInstance.java#findConsumerIdList`: any broker of the topic knows all members. */
  async #members(topic: string): Promise<string[]> {
    const instance = this.#instance
    if (instance.routes.anyBrokerAddress(topic) === undefined) await instance.updateTopicRoute(topic)
    const address = instance.routes.anyBrokerAddress(topic)
    if (address === undefined) return []
    const { consumerGroup } = this.#config
    const members = await instance.brokerApi.getConsumerIdList(address, consumerGroup, instance.waitOptions())
    this.#twins.look(consumerGroup, members)
    return members.sort(compareText)
  }

  /** `RebalanceImpl.java#updateProcessQueueTableInRebalance` */
  async #update(topic: string, allocated: readonly MessageQueue[]): Promise<boolean> {
    let changed = false
    const wanted = new Set(keysOf(allocated))
    for (const task of this.#tasks.values()) {
      if (task.messageQueue.topic !== topic) continue
      if (wanted.has(task.messageQueue.key) && !task.processQueue.pullExpired) continue
      this.remove(task)
      changed = true
    }
    const added = allocated.filter(mq => !this.#tasks.has(mq.key))
    const results = await Promise.all(added.map(mq => this.#add(mq)))
    if (results.includes(true)) changed = true
    if (changed) this.#messageQueueChanged(topic)
    return !results.includes(false)
  }

  async #add(mq: MessageQueue): Promise<boolean> {
    this.#offsetStore.remove(mq)
    let offset: number
    try {
      offset = await this.#computePullFromWhere(mq)
    } catch (error) {
      this.#report(toError(error), `finding where to begin in ${mq.toString()}`)
      return false
    }
    if (this.#pullContext === undefined) return false
    const task = new PullTask(this.#pullContext, mq, offset)
    this.#tasks.set(mq.key, task)
    task.pullLater(FIRST_PULL_DELAY_MS)
    return true
  }

  /** `RebalancePushImpl.java#computePullFromWhereWithException` */
  async #computePullFromWhere(mq: MessageQueue): Promise<number> {
    const stored = await this.#offsetStore.readFromStore(mq)
    if (stored >= 0) return stored
    const retry = mq.topic === this.#retryTopic
    const { consumeFromWhere, consumeTimestamp } = this.#config
    if (consumeFromWhere === ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET) return 0
    const { brokerApi } = this.#instance
    const options = this.#instance.waitOptions()
    if (consumeFromWhere === ConsumeFromWhere.CONSUME_FROM_TIMESTAMP && !retry) {
      const timestampMs = consumeTimestamp ?? this.#createdMs - DEFAULT_CONSUME_BACK_MS
      const address = await this.#instance.masterAddress(mq)
      return (await brokerApi.searchOffset(address, mq, timestampMs, options)).toNumber()
    }
    if (consumeFromWhere === ConsumeFromWhere.CONSUME_FROM_LAST_OFFSET && retry) return 0
    return (await brokerApi.maxOffset(await this.#instance.masterAddress(mq), mq, options)).toNumber()
  }

  /** `RebalancePushImpl.java#messageQueueChanged`: brokers hear of it by a newer version of the subscription. */
  #messageQueueChanged(topic: string): void {
    const subscription = this.subscriptions.get(topic)
    if (subscription !== undefined) this.subscriptions.set(topic, { ...subscription, subVersion: Date.now() })
    const { pullThresholdForTopic, pullThresholdSizeForTopic } = this.#config
    const count = this.#tasks.size
    if (count > 0) {
      if (pullThresholdForTopic > 0) this.thresholds.messages = Math.max(1, Math.floor(pullThresholdForTopic / count))
      if (pullThresholdSizeForTopic > 0) {
        this.thresholds.bytes = Math.max(1, Math.floor(pullThresholdSizeForTopic / count)) * BYTES_PER_MIB
      }
    }
    void this.announce()
  }
}

function keysOf(queues: readonly MessageQueue[]): string[] {
  return queues.map(mq => mq.key)
}

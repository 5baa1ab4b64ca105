import { checkedSignal } from '../abort-listeners.js'
import { join } from 'node:path'
import { abortable } from '../client/abortable.js'
import type { ClientInstance, ConsumerInner } from '../client/client-instance.js'
import type { ClientRegistry } from '../client/client-registry.js'
import { clientRegistry } from '../client/client-registry.js'
import type { ConsumerData, SubscriptionData } from '../client/heartbeat.js'
import { MessageModel } from '../client/heartbeat.js'
import type { Promised } from '../client/promised.js'
import { ServiceState, notRunning, notStartable } from '../client/service-state.js'
import { checkGroup, checkTopic } from '../client/validators.js'
import { ClientStatus } from '../client/client-status.js'
import type { ClientEvent, ErrorReporter } from '../diagnostics.js'
import { ClientStateError, ConfigError, InvalidArgumentError, TimeoutError, toError } from '../errors.js'
import type { MessageExt } from '../message/message-ext.js'
import type { MessageQueue } from '../message/message-queue.js'
import { readOptions } from '../options.js'
import type { TopicRouteData } from '../route/topic-route-data.js'
import { brokerRequests } from './broker-requests.js'
import { ConsumeConcurrentlyService } from './consume-service.js'
import { LocalFileOffsetStore } from './local-file-offset-store.js'
import type { OffsetStore } from './offset-store.js'
import { RemoteBrokerOffsetStore } from './offset-store.js'
import type { PushConsumerConfig, PushConsumerOptions } from './options.js'
import { PUSH_CONSUMER_OPTIONS } from './options.js'
import type { PullContext, PullTask } from './pull-task.js'
import { Rebalance } from './rebalance.js'
import { cannotBeDelayed, sendBackAsNormalMessage } from './send-back.js'
import { SUB_ALL, buildSubscriptionData, retryTopicOf } from './subscription.js'
import type { ListenerResult, MessageListenerConcurrently } from './types.js'

/** Time allowed for giving a message back (`DefaultMQPushConsumerImpl.java#sendMessageBack`). */
const SEND_BACK_TIMEOUT_MS = 5_000
/** What `maxReconsumeTimes` −1 means for a concurrent listener. */
const DEFAULT_MAX_RECONSUME_TIMES = 16

/** All that exists while a consumer runs. */
interface Running {
  readonly instance: ClientInstance
  readonly report: ErrorReporter
  readonly offsetStore: OffsetStore
  readonly rebalance: Rebalance
  readonly consumeService: ConsumeConcurrentlyService
}

/**
 * Receives the messages of a group and gives them to a listener (`client/consumer/DefaultMQPushConsumer.java`).
 *
 * ```ts
 * await using consumer = new PushConsumer({ namesrvAddr: '127.0.0.1:9876', consumerGroup: 'billing' })
 * consumer.subscribe('TopicTest', 'TagA || TagB')
 * consumer.registerMessageListener(async messages => {
 *   for (const message of messages) await handle(message.body)
 * })
 * await consumer.start()
 * ```
 *
 * A message is delivered at least once. What the listener fails at is given back to its broker, which delivers it again
 * later; if the broker refuses, that is reported (`onError`), the message stays here, its queue's offset does not pass
 * it, and the listener gets it again after 5 s. A running consumer keeps the process alive.
 */
export class PushConsumer {
  readonly #config: PushConsumerConfig
  readonly #registry: ClientRegistry
  readonly #retryTopic: string
  readonly #subscriptions = new Map<string, SubscriptionData>()
  readonly #status: ClientStatus
  #listener: MessageListenerConcurrently | undefined
  #state: ServiceState = ServiceState.CREATE_JUST
  #running: Running | undefined
  #starting: Promise<void> | undefined
  #shutdown = Promise.resolve()
  /** Whether a broker has heard of us, so that it can tell who is in the group. */
  #greeted = false
  /** Whether `start()` has done its part; brokers that were not known then are greeted when a route names them. */
  #joined = false

  /**
   * Checks the options; connects to nothing.
   *
   * @param registry where client instances live; for tests
   * @throws ConfigError for an option that is unknown or wrong
   */
  constructor(options: PushConsumerOptions, registry: ClientRegistry = clientRegistry) {
    this.#config = readOptions('PushConsumer', PUSH_CONSUMER_OPTIONS, options)
    this.#registry = registry
    this.#status = new ClientStatus(this.#config)
    this.#retryTopic = retryTopicOf(this.#config.consumerGroup)
  }

  /** Where it is in its life. */
  get state(): ServiceState {
    return this.#state
  }

  /** The checked options. */
  get options(): PushConsumerConfig {
    return this.#config
  }

  /** `ip@instanceName` once started. */
  get clientId(): string | undefined {
    return this.#running?.instance.clientId
  }

  /**
   * What happens from now on, as it happens: connections, routes, name servers, failures in the background. Ends when the
   * loop over it is left, when the signal fires, and with the consumer. May be called before `start()`, and several times. A reader
   * that is slow misses the oldest events and is told how many.
   *
   * ```ts
   * for await (const event of consumer.status()) if (event.type === 'disconnect') console.log(event.address, event.reason)
   * ```
   */
  status(options: { signal?: AbortSignal } = {}): AsyncIterableIterator<ClientEvent> {
    return this.#status.stream(options.signal)
  }

  /** The queues this member has at the moment, sorted. */
  get assignedMessageQueues(): MessageQueue[] {
    return this.#running?.rebalance.assigned ?? []
  }

  /**
   * Wants the messages of a topic, all or those with certain tags. May be called before and after `start()`; a second
   * call for a topic replaces the first. All members of a group must subscribe to the same.
   *
   * @param expression `*` for all, or tags: `TagA || TagB`
   * @throws InvalidArgumentError when topic or expression is unfit
   */
  subscribe(topic: string, expression: string = SUB_ALL): void {
    checkTopic(topic)
    const subscription = buildSubscriptionData(topic, expression, Date.now())
    this.#subscriptions.set(topic, subscription)
    const running = this.#running
    if (running === undefined) return
    running.rebalance.subscriptions.set(topic, subscription)
    running.instance
      .updateTopicRoute(topic)
      .then(() => this.#greet(running))
      .catch((error: unknown) => running.report(toError(error), `subscribing to ${topic}`))
  }

  /** Does not want the messages of a topic any more. */
  unsubscribe(topic: string): void {
    this.#subscriptions.delete(topic)
    const running = this.#running
    if (running === undefined) return
    running.rebalance.subscriptions.delete(topic)
    void this.#greet(running)
  }

  /**
   * Sets who consumes the messages; before `start()`. A message whose body does not inflate is reported and goes to the dead
   * letter queue without being consumed (broadcasting has none: it is dropped); Java drops it, and what came with it behind it.
   *
   * @throws ClientStateError after `start()`
   */
  registerMessageListener(
    listener: (...given: Parameters<MessageListenerConcurrently>) => Promised<ListenerResult>
  ): void
  registerMessageListener(listener: MessageListenerConcurrently): void
  registerMessageListener(listener: MessageListenerConcurrently): void {
    if (this.#state !== ServiceState.CREATE_JUST) throw notStartable('push consumer', this.#state)
    if (typeof listener !== 'function') throw new InvalidArgumentError('the message listener must be a function')
    this.#listener = listener
  }

  /**
   * Joins the group: finds the topics, greets the brokers, and asks for a share of the queues
   * (`impl/consumer/DefaultMQPushConsumerImpl.java#start`). Once only. A topic that does not exist yet is no failure.
   *
   * @throws ClientStateError when it was started before, or its group is taken on its client instance
   * @throws ConfigError when group, listener or name servers are missing or unfit
   * @throws RouteError when no name server answers
   * @throws AbortedError when the signal fires; the consumer is shut down then
   */
  start(options: { signal?: AbortSignal } = {}): Promise<void> {
    const isFirst = this.#state === ServiceState.CREATE_JUST
    const starting = this.#start(options)
    if (isFirst) this.#starting = starting
    return starting
  }

  async #start(options: { signal?: AbortSignal }): Promise<void> {
    if (this.#state !== ServiceState.CREATE_JUST) throw notStartable('push consumer', this.#state)
    this.#state = ServiceState.START_FAILED
    const { consumerGroup, messageModel } = this.#config
    checkGroup('consumerGroup', consumerGroup, 'DEFAULT_CONSUMER')
    const listener = this.#listener
    if (listener === undefined) throw new ConfigError('the consumer has no message listener')
    const clustering = messageModel === MessageModel.CLUSTERING
    const instance = this.#registry.getOrCreate(this.#config, clustering)
    const running = await this.#create(instance, listener, clustering).catch(async (error: unknown) => {
      await instance.shutdownIfUnused()
      throw error
    })
    if (!instance.registerConsumer(consumerGroup, this.#inner(running))) {
      this.#state = ServiceState.CREATE_JUST
      throw new ClientStateError(
        `the consumer group ${consumerGroup} exists on client ${instance.clientId} already; take another group or instanceName`
      )
    }
    try {
      await abortable('starting the push consumer', instance.start(), options.signal)
    } catch (error) {
      await instance.discard({ consumerGroup })
      this.#status.end()
      throw error
    }
    this.#running = running
    this.#state = ServiceState.RUNNING
    try {
      await abortable('starting the push consumer', this.#join(running), options.signal)
    } catch (error) {
      await this.shutdown()
      throw error
    }
  }

  /**
   * Takes no more messages, waits for the listener (at most `awaitTerminationMillisWhenShutdown`), stores the offsets and
   * waits for the brokers to say so (5 s at most), leaves the group, and closes connections that nobody else uses. One that
   * is starting is started first. May be called again; does nothing while it does not run.
   *
   * @param options a signal ends the wait for the listener
   */
  shutdown(options: { signal?: AbortSignal } = {}): Promise<void> {
    if (this.#state === ServiceState.RUNNING) this.#shutdown = this.#end(this.#running!, options.signal)
    else if (this.#state === ServiceState.START_FAILED && this.#starting !== undefined) {
      return this.#starting.then(
        () => this.shutdown(options),
        () => undefined
      )
    }
    return this.#shutdown
  }

  /** The same as {@link shutdown}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.shutdown()
  }

  /**
   * Asks the broker to deliver a message to the group again (`CONSUMER_SEND_MSG_BACK`).
   *
   * @param delayLevel −1 dead letter queue, 0 as the broker sees fit, above 0 that delay level
   * @throws BrokerError when the broker refuses, RouteError, ConnectionError, TimeoutError, ClientStateError
   */
  async sendMessageBack(message: MessageExt, delayLevel = 0, options: { signal?: AbortSignal } = {}): Promise<void> {
    if (this.#running === undefined) throw notRunning('push consumer', this.#state)
    const signal = checkedSignal(options.signal)
    await this.#sendMessageBack(this.#running.instance, message, delayLevel, signal)
  }

  async #sendMessageBack(
    instance: ClientInstance,
    message: MessageExt,
    delayLevel: number,
    signal?: AbortSignal
  ): Promise<void> {
    const { consumerGroup, maxReconsumeTimes } = this.#config
    const retry = {
      delayLevel,
      maxReconsumeTimes: maxReconsumeTimes < 0 ? DEFAULT_MAX_RECONSUME_TIMES : maxReconsumeTimes
    }
    const options = { timeoutMs: SEND_BACK_TIMEOUT_MS, signal }
    try {
      const address = instance.routes.masterAddress(message.brokerName)
      if (address === undefined) throw instance.brokerNotExist(message.brokerName)
      await instance.brokerApi.consumerSendMessageBack(address, consumerGroup, message, retry, options)
    } catch (error) {
      if (signal?.aborted === true || cannotBeDelayed(error)) throw error
      this.#status.report(
        toError(error),
        `giving ${message.toString()} back; it is sent to the group as a new message instead`
      )
      await sendBackAsNormalMessage(instance.innerProducer, this.#retryTopic, message, retry.maxReconsumeTimes)
    }
  }

  async #create(
    instance: ClientInstance,
    listener: MessageListenerConcurrently,
    clustering: boolean
  ): Promise<Running> {
    const config = this.#config
    const { report } = this.#status
    const offsetStore = clustering
      ? new RemoteBrokerOffsetStore(instance, config.consumerGroup, report)
      : await LocalFileOffsetStore.load(
          join(config.localOffsetStoreDir, instance.clientId, config.consumerGroup),
          report
        )
    const rebalance = new Rebalance(instance, config, offsetStore, this.#retryTopic, report)
    for (const [topic, subscription] of this.#subscriptions) rebalance.subscriptions.set(topic, subscription)
    if (clustering) {
      const retry = buildSubscriptionData(this.#retryTopic, SUB_ALL, Date.now())
      rebalance.subscriptions.set(this.#retryTopic, retry)
    }
    const consumeService = new ConsumeConcurrentlyService({
      listener,
      concurrency: config.consumeThreadMax,
      batchMaxSize: config.consumeMessageBatchMaxSize,
      sendMessageBack: clustering
        ? (message, delayLevel) => this.#sendMessageBack(instance, message, delayLevel)
        : undefined,
      commit: (processQueue, offset) => offsetStore.update(processQueue.messageQueue, offset, true),
      report
    })
    const running = { instance, report, offsetStore, rebalance, consumeService }
    rebalance.open(this.#pullContext(running, clustering))
    return running
  }

  #pullContext(running: Running, clustering: boolean): PullContext {
    const { instance, report, offsetStore, rebalance, consumeService } = running
    return {
      instance,
      report,
      config: this.#config,
      retryTopic: this.#retryTopic,
      thresholds: rebalance.thresholds,
      isRunning: () => this.#state === ServiceState.RUNNING,
      subscription: topic => rebalance.subscription(topic),
      stats: topic => rebalance.stats(topic),
      committedOffset: mq => (clustering ? offsetStore.readFromMemory(mq) : -1),
      deliver: (messages, processQueue) => consumeService.submit(messages, processQueue),
      skipTo: (mq, offset) => offsetStore.update(mq, offset, true),
      offsetIllegal: (task, offset) => this.#offsetIllegal(running, task, offset)
    }
  }

  /** The case OFFSET_ILLEGAL of `DefaultMQPushConsumerImpl.java#pullMessage`. */
  #offsetIllegal({ offsetStore, rebalance, instance }: Running, task: PullTask, offset: number): void {
    offsetStore.updateAndFreeze(task.messageQueue, offset)
    rebalance.remove(task)
    instance.rebalanceImmediately()
  }

  #inner(running: Running): ConsumerInner {
    const { rebalance, offsetStore, instance } = running
    return {
      consumerData: () => this.#consumerData(rebalance),
      subscribedTopics: () => rebalance.subscriptions.keys(),
      updateTopicRoute: (topic: string, route: TopicRouteData) => {
        if (!rebalance.subscriptions.has(topic) || !rebalance.updateTopicRoute(topic, route)) return
        if (this.#greeted) instance.rebalanceImmediately()
        else if (this.#joined) void this.#greet(running)
      },
      doRebalance: async () => (this.#state === ServiceState.RUNNING ? rebalance.doRebalance() : true),
      persistConsumerOffset: () => offsetStore.persistAll(rebalance.queueKeys),
      ...brokerRequests(this.#config, this.#listener!, rebalance, offsetStore, this.#retryTopic),
      status: this.#status
    }
  }

  #consumerData(rebalance: Rebalance): ConsumerData {
    const { consumerGroup, messageModel, consumeFromWhere, unitMode } = this.#config
    return {
      groupName: consumerGroup,
      consumeType: 'CONSUME_PASSIVELY',
      messageModel,
      consumeFromWhere,
      subscriptionDataSet: [...rebalance.subscriptions.values()],
      unitMode
    }
  }

  async #join(running: Running): Promise<void> {
    const topics = [...running.rebalance.subscriptions.keys()]
    await Promise.all(topics.map(topic => running.instance.updateTopicRoute(topic)))
    await this.#greet(running)
    this.#joined = true
    // Looks for topics that do not exist yet, when there was no broker to greet.
    running.instance.rebalanceImmediately()
  }

  /** Brokers must know of a consumer before it asks them who else is in the group. */
  async #greet({ instance, rebalance }: Running): Promise<void> {
    if (!(await rebalance.announce())) return
    this.#greeted = true
    instance.rebalanceImmediately()
  }

  async #end(running: Running, signal: AbortSignal | undefined): Promise<void> {
    this.#state = ServiceState.SHUTDOWN_ALREADY
    const { instance, report, offsetStore, rebalance, consumeService } = running
    const { awaitTerminationMillisWhenShutdown, consumerGroup } = this.#config
    // Aborted or not, the rest of the shutdown is the same.
    if (!(await consumeService.stop(awaitTerminationMillisWhenShutdown, signal).catch(() => true))) {
      const text = `the message listener did not end within ${awaitTerminationMillisWhenShutdown} ms`
      report(new TimeoutError(text, awaitTerminationMillisWhenShutdown), 'shutting down')
    }
    const stored = offsetStore.flush(rebalance.queueKeys)
    rebalance.close()
    await stored
    await instance.unregisterConsumer(consumerGroup)
    this.#status.end()
  }
}

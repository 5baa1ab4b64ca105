import type { ErrorReporter } from '../diagnostics.js'
import { warningReporter } from '../diagnostics.js'
import { ClientErrorCode, RouteError, toError } from '../errors.js'
import type { MessageQueue } from '../message/message-queue.js'
import type { RemotingCommand, RemotingResponse } from '../remoting/types.js'
import { RequestCode } from '../remoting/request-code.js'
import type { TopicRouteData } from '../route/topic-route-data.js'
import { clipQueueNums } from '../route/topic-route-data.js'
import { BrokerApi } from './broker-api.js'
import type { ClientConfig } from './client-config.js'
import { nameServersOf } from './client-config.js'
import type { ConsumerData } from './heartbeat.js'
import { encodeHeartbeat } from './heartbeat.js'
import { NameServerApi } from './name-server-api.js'
import type { WaitOptions } from './name-server-api.js'
import { receiveReply } from './reply-receiver.js'
import type { ReplyWaiter } from './reply-receiver.js'
import { RebalanceService } from './rebalance-service.js'
import type { Remoting } from './remoting.js'
import { RouteTable } from './route-table.js'
import { ServiceState, notRunning } from './service-state.js'
import { receiveTransactionCheck } from './transaction-check.js'
import type { TransactionCheckHandler } from './transaction-check.js'

/** What a client instance asks of its producers (`impl/producer/MQProducerInner.java`). */
export interface ProducerInner {
  /** The topics it has sent to. */
  publishTopics(): Iterable<string>
  /** Whether it waits for the route of this topic. */
  isPublishTopicNeedUpdate(topic: string): boolean
  /** The route of a topic is known, or has changed. */
  updateTopicRoute(topic: string, route: TopicRouteData): void
}

/** What a client instance asks of its consumers (`impl/consumer/MQConsumerInner.java`). */
export interface ConsumerInner {
  /** What heartbeats say of it. */
  consumerData(): ConsumerData
  /** The topics it wants. */
  subscribedTopics(): Iterable<string>
  /** The route of a topic is known, or has changed. */
  updateTopicRoute(topic: string, route: TopicRouteData): void
  /** Shares out the queues again; tells whether everything settled. Never rejects. */
  doRebalance(): Promise<boolean>
  /** Stores the offsets of all its queues. */
  persistConsumerOffset(): void
}

/** The topic whose route stands in for that of a topic to be created, and how many queues to take. */
export interface TopicTemplate {
  readonly createTopicKey: string
  readonly defaultTopicQueueNums: number
}

/** The first of the regular heartbeats comes early (`#startScheduledTask`). */
const FIRST_HEARTBEAT_MS = 1_000
/** A broker whose connection broke is greeted again after this long, and so on until it answers. */
const RECONNECT_INTERVAL_MS = 1_000

/**
 * What all producers and consumers with one client id share: connections, routes, heartbeats, scheduled duties
 * (`impl/factory/MQClientInstance.java`).
 */
export class ClientInstance {
  /** `ip@instanceName[@unitName]`. */
  readonly clientId: string
  /** Options of the client that made it. */
  readonly config: ClientConfig
  /** The connections. */
  readonly remoting: Remoting
  /** Requests to brokers. */
  readonly brokerApi: BrokerApi
  /** Requests to name servers. */
  readonly nameServerApi: NameServerApi
  /** Routes and broker addresses. */
  readonly routes = new RouteTable()
  /** Who answers for the transactions of a producer group, by group. */
  readonly transactionChecks = new Map<string, TransactionCheckHandler>()
  /** Requests that wait for a reply, by correlation id. */
  readonly awaitedReplies = new Map<string, ReplyWaiter>()
  /** Told of failures in the background. */
  readonly report: ErrorReporter
  readonly #producers = new Map<string, ProducerInner>()
  readonly #consumers = new Map<string, ConsumerInner>()
  readonly #rebalanceService = new RebalanceService(() => this.#doRebalance())
  readonly #onEnd: () => void
  readonly #timers: NodeJS.Timeout[] = []
  readonly #routeLookups = new Map<string, Promise<TopicRouteData | undefined>>()
  readonly #greeting = new Set<string>()
  #heartbeats: Promise<boolean> = Promise.resolve(false)
  #state: ServiceState = ServiceState.CREATE_JUST

  /**
   * @param onEnd called when the instance shuts down
   * @throws ConfigError when no name server is known
   */
  constructor(clientId: string, config: ClientConfig, createRemoting: () => Remoting, onEnd: () => void) {
    this.clientId = clientId
    this.config = config
    const nameServers = nameServersOf(config)
    this.remoting = createRemoting()
    this.brokerApi = new BrokerApi(this.remoting)
    this.nameServerApi = new NameServerApi(this.remoting, nameServers)
    this.report = config.onError ?? warningReporter()
    this.#onEnd = onEnd
  }

  /** Its state. */
  get state(): ServiceState {
    return this.#state
  }

  /** The usual limits of a request that is neither a send nor a pull. */
  waitOptions(signal?: AbortSignal): WaitOptions {
    return { timeoutMs: this.config.mqClientApiTimeout, signal }
  }

  /** Begins its scheduled duties; does nothing when it runs already. */
  start(): void {
    if (this.#state === ServiceState.RUNNING) return
    if (this.#state !== ServiceState.CREATE_JUST) throw notRunning('client instance', this.#state)
    this.remoting.setRequestHandler((address, request) => this.#onRequest(address, request))
    this.remoting.setCloseHandler(address => this.#onClosed(address))
    const { pollNameServerInterval, heartbeatBrokerInterval, persistConsumerOffsetInterval } = this.config
    this.#every(pollNameServerInterval, () => void this.#refreshAllRoutes())
    const heartbeat = (): void => {
      this.routes.cleanOfflineBrokers()
      void this.sendHeartbeatToAllBrokers()
    }
    this.#timers.push(setTimeout(heartbeat, FIRST_HEARTBEAT_MS).unref())
    this.#every(heartbeatBrokerInterval, heartbeat)
    this.#every(persistConsumerOffsetInterval, () => this.#persistAllConsumerOffsets())
    this.#state = ServiceState.RUNNING
  }

  /** Adds a producer; false when its group is taken. */
  registerProducer(group: string, producer: ProducerInner): boolean {
    if (this.#producers.has(group)) return false
    this.#producers.set(group, producer)
    return true
  }

  /** Adds a consumer; false when its group is taken. From now on the process stays alive. */
  registerConsumer(group: string, consumer: ConsumerInner): boolean {
    if (this.#consumers.has(group)) return false
    this.#consumers.set(group, consumer)
    this.#rebalanceService.start()
    return true
  }

  /** Removes a producer, tells the brokers, and shuts down with the last. */
  async unregisterProducer(group: string): Promise<void> {
    this.#producers.delete(group)
    await this.#unregister({ producerGroup: group })
    await this.shutdownIfUnused()
  }

  /** Removes a consumer, tells the brokers, and shuts down with the last. */
  async unregisterConsumer(group: string): Promise<void> {
    this.#consumers.delete(group)
    if (this.#consumers.size === 0) await this.#rebalanceService.stop()
    await this.#unregister({ consumerGroup: group })
    await this.shutdownIfUnused()
  }

  /** Undoes a registration that led to nothing: no broker has heard of it. */
  async discard(group: string): Promise<void> {
    this.#producers.delete(group)
    if (this.#consumers.delete(group) && this.#consumers.size === 0) await this.#rebalanceService.stop()
    await this.shutdownIfUnused()
  }

  /**
   * Asks for the route of a topic and tells those who wait for it. Calls for one topic share one lookup.
   *
   * @param template used when the topic does not exist
   * @returns undefined when neither the topic nor the template exists
   * @throws RouteError, BrokerError, ProtocolError
   */
  updateTopicRoute(topic: string, template?: TopicTemplate): Promise<TopicRouteData | undefined> {
    const key = template === undefined ? topic : `${topic} ${template.createTopicKey}`
    let lookup = this.#routeLookups.get(key)
    if (lookup === undefined) {
      lookup = this.#lookUpRoute(topic, template).finally(() => this.#routeLookups.delete(key))
      this.#routeLookups.set(key, lookup)
    }
    return lookup
  }

  /**
   * The master of the broker that has this queue; asks for the route when it is not known.
   *
   * @throws RouteError when there is none
   */
  async masterAddress(mq: MessageQueue): Promise<string> {
    const known = this.routes.masterAddress(mq.brokerName)
    if (known !== undefined) return known
    await this.updateTopicRoute(mq.topic)
    const found = this.routes.masterAddress(mq.brokerName)
    if (found === undefined) throw this.brokerNotExist(mq.brokerName)
    return found
  }

  /** The error for a broker that is in no route. */
  brokerNotExist(brokerName: string): RouteError {
    return new RouteError(`the broker ${brokerName} has no master in any route that is known`, {
      clientErrorCode: ClientErrorCode.BROKER_NOT_EXIST_EXCEPTION
    })
  }

  /**
   * Tells all brokers who we are: masters only, and slaves too when there are consumers. Rounds do not overlap; each
   * says what is true when it begins.
   *
   * @returns false when there was nobody to tell or nothing to say
   */
  sendHeartbeatToAllBrokers(): Promise<boolean> {
    this.#heartbeats = this.#heartbeats.then(() => this.#sendHeartbeats())
    return this.#heartbeats
  }

  /** Shares out the queues soon. */
  rebalanceImmediately(): void {
    this.#rebalanceService.wakeup()
  }

  async #sendHeartbeats(): Promise<boolean> {
    const addresses = this.routes.addresses(this.#consumers.size === 0)
    if (addresses.length === 0 || this.#producers.size + this.#consumers.size === 0) return false
    await Promise.all(addresses.map(address => this.#sendHeartbeat(address)))
    return true
  }

  async #sendHeartbeat(address: string): Promise<boolean> {
    const consumers = [...this.#consumers.values()].map(consumer => consumer.consumerData())
    const body = encodeHeartbeat(this.clientId, [...this.#producers.keys()], consumers)
    try {
      await this.brokerApi.heartbeat(address, body, this.waitOptions())
      return true
    } catch (error) {
      if (this.#state === ServiceState.RUNNING) this.report(toError(error), `heartbeat to ${address}`)
      return false
    }
  }

  async #unregister(group: { producerGroup?: string; consumerGroup?: string }): Promise<void> {
    const requests = this.routes
      .addresses(false)
      .map(address => this.brokerApi.unregisterClient(address, this.clientId, group, this.waitOptions()))
    // A broker that cannot be told finds out by itself when the connection ends.
    await Promise.allSettled(requests)
  }

  /** Ends the instance when it has no member. */
  async shutdownIfUnused(): Promise<void> {
    if (this.#producers.size + this.#consumers.size > 0 || this.#state === ServiceState.SHUTDOWN_ALREADY) return
    this.#state = ServiceState.SHUTDOWN_ALREADY
    this.#onEnd()
    for (const timer of this.#timers) clearInterval(timer)
    await this.remoting.close()
  }

  /** Duties do not keep the process alive by themselves. */
  #every(intervalMs: number, duty: () => void): void {
    this.#timers.push(setInterval(duty, intervalMs).unref())
  }

  async #lookUpRoute(topic: string, template: TopicTemplate | undefined): Promise<TopicRouteData | undefined> {
    const found = await this.nameServerApi.getTopicRoute(template?.createTopicKey ?? topic, this.waitOptions())
    if (found === undefined) return undefined
    const route = template === undefined ? found : clipQueueNums(found, template.defaultTopicQueueNums)
    const changed = this.routes.put(topic, route)
    for (const producer of this.#producers.values()) {
      if (changed || producer.isPublishTopicNeedUpdate(topic)) producer.updateTopicRoute(topic, route)
    }
    for (const consumer of this.#consumers.values()) consumer.updateTopicRoute(topic, route)
    return route
  }

  async #refreshAllRoutes(): Promise<void> {
    const topics = new Set<string>()
    for (const producer of this.#producers.values()) for (const topic of producer.publishTopics()) topics.add(topic)
    for (const consumer of this.#consumers.values()) for (const topic of consumer.subscribedTopics()) topics.add(topic)
    await Promise.all(
      [...topics].map(topic =>
        this.updateTopicRoute(topic).catch((error: unknown) => {
          if (this.#state === ServiceState.RUNNING) this.report(toError(error), 'refreshing topic routes')
        })
      )
    )
  }

  #persistAllConsumerOffsets(): void {
    for (const consumer of this.#consumers.values()) consumer.persistConsumerOffset()
  }

  async #doRebalance(): Promise<boolean> {
    const results = await Promise.all([...this.#consumers.values()].map(consumer => consumer.doRebalance()))
    return results.every(balanced => balanced)
  }

  /** `impl/ClientRemotingProcessor.java#processRequest`; codes of later features are answered as not supported. */
  #onRequest(address: string, request: RemotingCommand): RemotingResponse | undefined {
    switch (request.code) {
      case RequestCode.NOTIFY_CONSUMER_IDS_CHANGED:
        this.rebalanceImmediately()
        return { code: 0 }
      case RequestCode.CHECK_TRANSACTION_STATE:
        return receiveTransactionCheck(this.transactionChecks, this.report, address, request)
      case RequestCode.PUSH_REPLY_MESSAGE_TO_CLIENT:
        return receiveReply(this.awaitedReplies, request)
      default:
        return undefined
    }
  }

  /**
   * A broker that lost us has forgotten us as well. Java sends a heartbeat when the channel is active again
   * (`ChannelEventListener#onChannelActive`); here it is the heartbeat that makes the new connection.
   */
  #onClosed(address: string): void {
    if (this.#state !== ServiceState.RUNNING || this.#greeting.has(address)) return
    if (!this.routes.addresses(this.#consumers.size === 0).includes(address)) return
    this.#greeting.add(address)
    setTimeout(() => void this.#greet(address), RECONNECT_INTERVAL_MS).unref()
  }

  async #greet(address: string): Promise<void> {
    this.#greeting.delete(address)
    if (this.#state !== ServiceState.RUNNING) return
    if (await this.#sendHeartbeat(address)) this.rebalanceImmediately()
    else this.#onClosed(address)
  }
}

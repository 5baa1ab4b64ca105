import { checkedSignal } from '../abort-listeners.js'
import type { ClientEvent, ErrorReporter } from '../diagnostics.js'
import { ClientErrorCode, RouteError, toError } from '../errors.js'
import type { MessageQueue } from '../message/message-queue.js'
import type { TopicRouteData } from '../route/topic-route-data.js'
import { MASTER_ID } from '../route/topic-route-data.js'
import { BrokerApi } from './broker-api.js'
import type { ClientConfig } from './client-config.js'
import { ClientRemotingProcessor } from './client-remoting-processor.js'
import { ClientStatus } from './client-status.js'
import type { ConsumeMessageDirectlyResult, ConsumerRunningInfo, QueueOffset } from './consumer-info.js'
import type { ConsumerData } from './heartbeat.js'
import { HeartbeatService } from './heartbeat-service.js'
import { CLIENT_INNER_PRODUCER_GROUP, InnerProducer } from './inner-producer.js'
import { NameServerApi } from './name-server-api.js'
import type { WaitOptions } from './name-server-api.js'
import type { NameServerSource } from './name-server-source.js'
import { NameServers } from './name-servers.js'

import type { ReplyWaiter } from './reply-receiver.js'
import { RebalanceService } from './rebalance-service.js'
import type { Remoting } from './remoting.js'
import { RouteTable } from './route-table.js'
import { ScheduledDuties } from './scheduled-duties.js'
import { ServiceState, notRunning } from './service-state.js'
import type { TransactionCheckHandler } from './transaction-check.js'
import { TopicRouteService } from './topic-route-service.js'
import { TwinWatch } from './twin-watch.js'

/** What a client instance asks of its producers (`impl/producer/MQProducerInner.java`). */
export interface ProducerInner {
  /** The topics it has sent to. */
  publishTopics(): Iterable<string>
  /** Whether it waits for the route of this topic. */
  isPublishTopicNeedUpdate(topic: string): boolean
  /** The route of a topic is known, or has changed. */
  updateTopicRoute(topic: string, route: TopicRouteData): void
  /** Who is told what happens to the instance. */
  readonly status?: ClientStatus | undefined
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
  /** Goes on from these offsets in the queues of a topic that are its own (request 220); never rejects. */
  resetOffset(topic: string, offsets: readonly QueueOffset[]): Promise<void>
  /** The offsets of the queues of a topic (request 221). */
  offsetsOf(topic: string): readonly QueueOffset[]
  /** What it is doing (request 307). */
  runningInfo(): Promise<ConsumerRunningInfo>
  /** Has its listener consume this stored message now (request 309). */
  consumeMessageDirectly(record: Buffer, brokerName: string): Promise<ConsumeMessageDirectlyResult>
  /** Who is told what happens to the instance. */
  readonly status?: ClientStatus | undefined
}

/** The topic whose route stands in for that of a topic to be created, and how many queues to take. */
export interface TopicTemplate {
  readonly createTopicKey: string
  readonly defaultTopicQueueNums: number
}

/** A producer's group, or a consumer's; both may have the same name. */
interface GroupOfOne {
  readonly producerGroup?: string
  readonly consumerGroup?: string
}

/** When each duty begins, and how often the source of the name servers is asked (`#startScheduledTask`). */
const FIRST_NAME_SERVERS_MS = 10_000
const NAME_SERVERS_INTERVAL_MS = 120_000
const FIRST_ROUTES_MS = 10
const FIRST_HEARTBEAT_MS = 1_000
const FIRST_OFFSETS_MS = 10_000
/** How often a producer with a name that was given asks whether another has it too; nothing that Java does. */
const TWINS_INTERVAL_MS = 60_000
/** How often it looks at all clients of a broker, and not only at those of its own group. */
const TWIN_LOOKS_AT_ALL = 3

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
  /** Sends what consumers give back and brokers do not take. */
  readonly innerProducer: InnerProducer
  /** Who answers for the transactions of a producer group, by group. */
  readonly transactionChecks = new Map<string, TransactionCheckHandler>()
  /** Requests that wait for a reply, by correlation id. */
  readonly awaitedReplies = new Map<string, ReplyWaiter>()
  /** Told of failures in the background; tells all members. */
  readonly report: ErrorReporter = (error, doing) => this.emit({ type: 'fault', error, doing })
  readonly #producers = new Map<string, ProducerInner>()
  readonly #consumers = new Map<string, ConsumerInner>()
  readonly #rebalanceService = new RebalanceService(() => this.#doRebalance())
  readonly #heartbeats: HeartbeatService
  /** Told when no member is there to be told. */
  readonly #ownStatus: ClientStatus
  readonly #onEnd: () => void
  readonly #duties = new ScheduledDuties()
  readonly #topicRoutes: TopicRouteService
  /** Name servers that have answered on the connection there is. */
  readonly #nameServersConnected = new Set<string>()
  #looksForTwins = 0
  #starting: Promise<void> | undefined
  #state: ServiceState = ServiceState.CREATE_JUST

  /** @param onEnd called when the instance shuts down, or could not be started */
  constructor(
    clientId: string,
    config: ClientConfig,
    nameServerSource: NameServerSource,
    createRemoting: () => Remoting,
    onEnd: () => void
  ) {
    this.clientId = clientId
    this.config = config
    this.remoting = createRemoting()
    this.brokerApi = new BrokerApi(this.remoting)
    const nameServers = new NameServers(nameServerSource, (addresses, before) => {
      this.emit({ type: 'nameServerChange', addresses, before })
      for (const address of before) if (!addresses.includes(address)) this.remoting.leave(address)
    })
    this.nameServerApi = new NameServerApi(this.remoting, nameServers, address => this.#nameServerAnswered(address))
    this.innerProducer = new InnerProducer(this)
    this.#ownStatus = new ClientStatus(config)
    this.#heartbeats = this.#heartbeatService()
    this.#topicRoutes = this.#topicRouteService()
    this.#onEnd = onEnd
  }

  /** Its state. */
  get state(): ServiceState {
    return this.#state
  }

  /** The usual limits of a request that is neither a send nor a pull. @throws InvalidArgumentError when the signal is none */
  waitOptions(signal?: AbortSignal): WaitOptions {
    return { timeoutMs: this.config.mqClientApiTimeout, signal: checkedSignal(signal) }
  }

  /**
   * Finds the name servers and begins the scheduled duties (`#start`): once, whoever asks; later callers wait for the
   * same, or for nothing when it runs. After a failure it is of no use any more, and no longer in the registry.
   *
   * @throws RouteError when no name server can be found
   */
  start(): Promise<void> {
    this.#starting ??= this.#start().catch(async (error: unknown) => {
      if (!this.#ended) await this.#end(ServiceState.START_FAILED)
      throw error
    })
    return this.#starting
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

  /** Removes a producer, tells the brokers (unless the signal fires), and shuts down with the last. */
  async unregisterProducer(group: string, signal?: AbortSignal): Promise<void> {
    this.#producers.delete(group)
    await this.#leave({ producerGroup: group }, signal)
  }

  /** Removes a consumer, tells the brokers, and shuts down with the last. */
  async unregisterConsumer(group: string): Promise<void> {
    this.#consumers.delete(group)
    if (this.#consumers.size === 0) await this.#rebalanceService.stop()
    await this.#leave({ consumerGroup: group })
  }

  /** Undoes a registration that led to nothing: no broker has heard of it. */
  async discard({ producerGroup, consumerGroup }: GroupOfOne): Promise<void> {
    if (producerGroup !== undefined) this.#producers.delete(producerGroup)
    if (consumerGroup !== undefined) this.#consumers.delete(consumerGroup)
    if (this.#consumers.size === 0) await this.#rebalanceService.stop()
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
    return this.#topicRoutes.update(topic, template)
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

  /** Where sends to a broker go: to its VIP channel, if that is wanted (`common/MixAll.java#brokerVIPChannel`). */
  sendAddress(address: string): string {
    if (!this.config.vipChannelEnabled) return address
    const colon = address.lastIndexOf(':')
    return `${address.slice(0, colon)}:${Number(address.slice(colon + 1)) - 2}`
  }

  /** The error for a broker that is in no route. */
  brokerNotExist(brokerName: string): RouteError {
    const text = `the broker ${brokerName} has no master in any route that is known: it is down, or not registered with the name server`
    return new RouteError(text, {
      clientErrorCode: ClientErrorCode.BROKER_NOT_EXIST_EXCEPTION
    })
  }

  /**
   * Tells all brokers who we are; see {@link HeartbeatService.toAll}.
   *
   * @returns false when there was nobody to tell or nothing to say
   */
  sendHeartbeatToAllBrokers(): Promise<boolean> {
    return this.#heartbeats.toAll()
  }

  /** Shares out the queues soon. */
  rebalanceImmediately(): void {
    this.#rebalanceService.wakeup()
  }

  /** Tells the brokers that a group is not here any more, and with the last that the inner producer's is not either. */
  async #leave(group: GroupOfOne, signal?: AbortSignal): Promise<void> {
    const last = this.#unused && this.#state === ServiceState.RUNNING
    const groups = last ? [group, { producerGroup: CLIENT_INNER_PRODUCER_GROUP }] : [group]
    await Promise.all(groups.map(each => this.#unregister(each, signal)))
    // Somebody may have joined meanwhile.
    await this.shutdownIfUnused()
  }

  async #unregister(group: GroupOfOne, signal: AbortSignal | undefined): Promise<void> {
    const requests = this.routes
      .addresses(false)
      .map(address => this.brokerApi.unregisterClient(address, this.clientId, group, this.waitOptions(signal)))
    // A broker that cannot be told finds out by itself when the connection ends.
    await Promise.allSettled(requests)
  }

  /** Ends the instance when it has no member. */
  async shutdownIfUnused(): Promise<void> {
    if (this.#unused && !this.#ended) await this.#end(ServiceState.SHUTDOWN_ALREADY)
  }

  /** The consumer of this group. */
  selectConsumer(group: string): ConsumerInner | undefined {
    return this.#consumers.get(group)
  }

  /** Tells every member of an event. */
  emit(event: ClientEvent): void {
    const told = new Set<ClientStatus>()
    for (const member of [...this.#producers.values(), ...this.#consumers.values()]) {
      if (member !== this.innerProducer) told.add(member.status ?? this.#ownStatus)
    }
    if (told.size === 0) told.add(this.#ownStatus)
    for (const status of told) status.emit(event)
  }

  get #unused(): boolean {
    const own = this.#producers.has(CLIENT_INNER_PRODUCER_GROUP) ? 1 : 0
    return this.#producers.size - own + this.#consumers.size === 0
  }

  get #ended(): boolean {
    return this.#state === ServiceState.SHUTDOWN_ALREADY || this.#state === ServiceState.START_FAILED
  }

  async #start(): Promise<void> {
    await this.nameServerApi.nameServers.refresh()
    if (this.#state !== ServiceState.CREATE_JUST) throw notRunning('client instance', this.#state)
    const processor = new ClientRemotingProcessor(this)
    this.remoting.setRequestHandler((address, request) => processor.processRequest(address, request))
    this.remoting.setCloseHandler((address, reason) => this.#closed(address, reason))
    this.#schedule()
    this.#producers.set(CLIENT_INNER_PRODUCER_GROUP, this.innerProducer)
    this.#state = ServiceState.RUNNING
  }

  /** Leaves nothing behind, whatever there was. */
  async #end(state: ServiceState): Promise<void> {
    this.#state = state
    this.#onEnd()
    this.#duties.stop()
    this.#heartbeats.stop()
    await this.remoting.close()
  }

  /** `#startScheduledTask` */
  #schedule(): void {
    const { pollNameServerInterval, heartbeatBrokerInterval, persistConsumerOffsetInterval } = this.config
    const { nameServers } = this.nameServerApi
    if (nameServers.source.mayChange) {
      this.#duties.every(FIRST_NAME_SERVERS_MS, NAME_SERVERS_INTERVAL_MS, () => {
        nameServers.refresh().catch((error: unknown) => this.#failed(error, 'finding the name servers'))
      })
    }
    this.#duties.every(FIRST_ROUTES_MS, pollNameServerInterval, () => void this.#topicRoutes.refreshAll())
    this.#duties.every(FIRST_HEARTBEAT_MS, heartbeatBrokerInterval, () => {
      this.routes.cleanOfflineBrokers()
      void this.#heartbeats.toAll()
    })
    this.#duties.every(FIRST_OFFSETS_MS, persistConsumerOffsetInterval, () => this.#persistAllConsumerOffsets())
    // A name of our own making is nobody else's. Consumers see twins whenever they share out queues.
    if (this.config.instanceName !== 'DEFAULT') {
      const consequence = 'replies and checks of transactions for one of them reach the other'
      const twins = new TwinWatch(this.clientId, consequence, this.report)
      this.#duties.every(TWINS_INTERVAL_MS, TWINS_INTERVAL_MS, () => void this.#lookForTwins(twins))
    }
  }

  async #lookForTwins(twins: TwinWatch): Promise<void> {
    // All clients are in the inner producer's group, which makes that list long: it is asked for at the beginning only. A twin
    // that comes later looks there itself.
    const isNew = this.#looksForTwins++ < TWIN_LOOKS_AT_ALL
    const own = [...this.#producers.keys()].find(name => name !== CLIENT_INNER_PRODUCER_GROUP)
    const group = isNew ? CLIENT_INNER_PRODUCER_GROUP : own
    const [address] = this.routes.addresses(true)
    if (group === undefined || address === undefined) return
    try {
      twins.look(group, await this.brokerApi.getProducerIdList(address, group, this.waitOptions()))
    } catch {
      // A broker that does not tell, or not us, is no fault: nothing depends on it.
    }
  }

  #topicRouteService(): TopicRouteService {
    return new TopicRouteService({
      nameServerApi: this.nameServerApi,
      routes: this.routes,
      waitOptions: () => this.waitOptions(),
      producers: () => this.#producers.values(),
      consumers: () => this.#consumers.values(),
      changed: (topic, route) => {
        const brokers = route.brokerDatas.map(data => [data.brokerName, data.brokerAddrs.get(MASTER_ID) ?? ''])
        this.emit({ type: 'routeChange', topic, brokers: Object.fromEntries(brokers) as Record<string, string> })
        this.#heartbeats.toNew()
      },
      failed: (error, doing) => this.#failed(error, doing)
    })
  }

  #heartbeatService(): HeartbeatService {
    const { clientId, routes, brokerApi, report } = this
    return new HeartbeatService({
      clientId,
      routes,
      brokerApi,
      report,
      v2: this.config.useHeartbeatV2,
      producerGroups: () => [...this.#producers.keys()],
      consumers: () => [...this.#consumers.values()].map(consumer => consumer.consumerData()),
      waitOptions: () => this.waitOptions(),
      isRunning: () => this.#state === ServiceState.RUNNING,
      emit: event => this.emit(event),
      reconnected: () => this.rebalanceImmediately(),
      // At the first, second, fourth, eighth ... attempt: it may be gone, or be elsewhere by now.
      unreachable: tries => {
        if ((tries & (tries - 1)) === 0) void this.#topicRoutes.refreshAll()
      }
    })
  }

  #failed(error: unknown, doing: string): void {
    if (this.#state === ServiceState.RUNNING) this.report(toError(error), doing)
  }

  #nameServerAnswered(address: string): void {
    if (this.#nameServersConnected.has(address)) return
    this.#nameServersConnected.add(address)
    this.emit({ type: 'connect', peer: 'nameServer', address })
  }

  #closed(address: string, reason: string): void {
    if (this.#state !== ServiceState.RUNNING) return
    if (this.#nameServersConnected.delete(address)) {
      this.emit({ type: 'disconnect', peer: 'nameServer', address, reason })
    }
    this.#heartbeats.closed(address, reason)
  }

  #persistAllConsumerOffsets(): void {
    for (const consumer of this.#consumers.values()) consumer.persistConsumerOffset()
  }

  async #doRebalance(): Promise<boolean> {
    const results = await Promise.all([...this.#consumers.values()].map(consumer => consumer.doRebalance()))
    return results.every(balanced => balanced)
  }
}

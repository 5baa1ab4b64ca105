import type Long from 'long'
import {
  AbortedError,
  ClientErrorCode,
  ClientStateError,
  InvalidArgumentError,
  RouteError,
  asRocketMQError,
  toError
} from '../errors.js'
import { readOptions } from '../options.js'
import { abortable } from '../client/abortable.js'
import type { ClientInstance } from '../client/client-instance.js'
import type { ClientRegistry } from '../client/client-registry.js'
import { clientRegistry } from '../client/client-registry.js'
import { ServiceState, notRunning, notStartable } from '../client/service-state.js'
import { checkGroup, checkNotSystemTopic, checkTopic } from '../client/validators.js'
import type { Message } from '../message/message.js'
import type { MessageExt } from '../message/message-ext.js'
import type { MessageQueue } from '../message/message-queue.js'
import type { TopicPublishInfo } from '../route/topic-publish-info.js'
import { MASTER_ID, publishQueues } from '../route/topic-route-data.js'
import type { ProducerConfig, ProducerOptions } from './options.js'
import { PRODUCER_OPTIONS } from './options.js'
import type { ChooseQueue, SendContext } from './pending-send.js'
import { PendingSend, tell } from './pending-send.js'
import { PublishTable } from './publish-table.js'
import { recallMessage } from './recall.js'
import type { RequestCallback, SendTo } from './request.js'
import { PendingRequests } from './request.js'
import type { SendArguments } from './send-arguments.js'
import { readSendArguments } from './send-arguments.js'
import type { SendContent, Sendable } from './send-content.js'
import { batchContent, isList, messageContent, toMessage } from './send-content.js'
import type { MessageQueueSelector, SendCallback, SendOptions, SendResult } from './types.js'

const NO_ARGUMENTS: SendArguments = {}
const DONE = Promise.resolve()
/** A broker that fails to create a topic is asked this often (`impl/MQAdminImpl.java#createTopic`). */
const CREATE_TOPIC_TRIES = 5

/**
 * Sends messages (`client/producer/DefaultMQProducer.java`).
 *
 * ```ts
 * await using producer = new Producer({ namesrvAddr: '127.0.0.1:9876', producerGroup: 'orders' })
 * await producer.start()
 * const result = await producer.send({ topic: 'TopicTest', body: 'hello', tags: 'TagA' })
 * ```
 */
export class Producer {
  readonly #config: ProducerConfig
  readonly #registry: ClientRegistry
  #state: ServiceState = ServiceState.CREATE_JUST
  #instance: ClientInstance | undefined
  #context: SendContext | undefined
  #inFlight = 0
  #onIdle: (() => void) | undefined
  #shutdown = Promise.resolve()
  readonly #requests = new PendingRequests()

  /**
   * Checks the options; connects to nothing.
   *
   * @param registry where client instances live; for tests
   * @throws ConfigError for an option that is unknown or wrong
   */
  constructor(options: ProducerOptions, registry: ClientRegistry = clientRegistry) {
    this.#config = readOptions('Producer', PRODUCER_OPTIONS, options)
    this.#registry = registry
  }

  /** Where it is in its life. */
  get state(): ServiceState {
    return this.#state
  }

  /** The checked options. */
  get options(): ProducerConfig {
    return this.#config
  }

  /** `ip@instanceName` once started. */
  get clientId(): string | undefined {
    return this.#instance?.clientId
  }

  /**
   * Makes it ready. Brokers and name servers are connected when first needed. Once only: after a failure, and after
   * `shutdown()`, make a new one (`impl/producer/DefaultMQProducerImpl.java#start`).
   *
   * @throws ClientStateError when it was started before, or its group is taken on its client instance
   * @throws ConfigError when the group is unfit or no name server is known
   */
  // Asynchronous for what is to come before the first send (name servers by HTTP); callers await it already.
  async start(): Promise<void> {
    if (this.#state !== ServiceState.CREATE_JUST) throw notStartable('producer', this.#state)
    this.#state = ServiceState.START_FAILED
    const { producerGroup } = this.#config
    checkGroup('producerGroup', producerGroup, 'DEFAULT_PRODUCER')
    const instance = this.#registry.getOrCreate(this.#config, true)
    const table = new PublishTable(instance, this.#config)
    if (!instance.registerProducer(producerGroup, table)) {
      this.#state = ServiceState.CREATE_JUST
      throw new ClientStateError(
        `the producer group ${producerGroup} exists on client ${instance.clientId} already; take another group or instanceName`
      )
    }
    try {
      instance.start()
    } catch (error) {
      await instance.discard(producerGroup)
      throw error
    }
    this.#instance = instance
    this.#context = { instance, config: this.#config, table, sendEnded: () => this.#sendEnded() }
    this.onStart(this.#context)
    await this.#findTopics(instance, table)
    this.#state = ServiceState.RUNNING
    void instance.sendHeartbeatToAllBrokers()
  }

  /**
   * Waits for the sends that are on their way, leaves its brokers, and closes connections that nobody else uses. New
   * sends fail at once. May be called again; does nothing while it does not run.
   *
   * @param options a signal ends the wait for sends; they are failed then
   */
  shutdown(options: { signal?: AbortSignal } = {}): Promise<void> {
    if (this.#state === ServiceState.RUNNING) this.#shutdown = this.#end(options.signal)
    return this.#shutdown
  }

  /** The same as {@link shutdown}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.shutdown()
  }

  /**
   * Sends a message, or several as one batch, to a queue in turn, to a given queue, or to the one a selector chooses.
   *
   * With a promise: rejects with SendError when all attempts failed (retried on other brokers unless the caller chose
   * the queue), RouteError when the topic cannot be found, InvalidArgumentError when the message is not acceptable,
   * TimeoutError, AbortedError, ClientStateError. With a callback in the last place nothing is returned, and failures
   * of the transport only are retried, as with Java's asynchronous sends.
   */
  send(message: Sendable | readonly Sendable[], limits?: SendOptions | number): Promise<SendResult>
  send(message: Sendable | readonly Sendable[], mq: MessageQueue, limits?: SendOptions | number): Promise<SendResult>
  send<A>(
    message: Sendable,
    selector: MessageQueueSelector<A>,
    arg: A,
    limits?: SendOptions | number
  ): Promise<SendResult>
  send(message: Sendable | readonly Sendable[], callback: SendCallback): void
  send(message: Sendable | readonly Sendable[], limits: SendOptions | number, callback: SendCallback): void
  send(message: Sendable | readonly Sendable[], mq: MessageQueue, callback: SendCallback): void
  send(
    message: Sendable | readonly Sendable[],
    mq: MessageQueue,
    limits: SendOptions | number,
    callback: SendCallback
  ): void
  send<A>(message: Sendable, selector: MessageQueueSelector<A>, arg: A, callback: SendCallback): void
  send<A>(
    message: Sendable,
    selector: MessageQueueSelector<A>,
    arg: A,
    limits: SendOptions | number,
    callback: SendCallback
  ): void
  send(message: Sendable | readonly Sendable[], ...args: unknown[]): Promise<SendResult> | undefined {
    let read = NO_ARGUMENTS
    try {
      if (args.length > 0) read = readSendArguments(args)
      return this.#send(message, read)
    } catch (thrown) {
      const error = asRocketMQError(thrown)
      const { callback } = read
      if (callback === undefined) return Promise.reject(error)
      process.nextTick(tell, callback, error, undefined)
      return undefined
    }
  }

  /**
   * Sends without an answer: nobody learns whether the message was stored. Settles when it was handed to the connection.
   *
   * @throws the errors of {@link send} that are found before anything is sent
   */
  sendOneway(message: Sendable): Promise<void>
  sendOneway(message: Sendable, mq: MessageQueue): Promise<void>
  sendOneway<A>(message: Sendable, selector: MessageQueueSelector<A>, arg: A): Promise<void>
  sendOneway(message: Sendable, ...given: unknown[]): Promise<void> {
    try {
      const context = this.#running()
      const args = readSendArguments(given)
      const checked = toMessage(message)
      const content = messageContent(checked, this.#config, Date.now())
      if (args.mq !== undefined) return this.#oneway(context, content, args.mq)
      const choose = chooser(args, checked)
      const handTo = (info: TopicPublishInfo): Promise<void> =>
        this.#oneway(context, content, choose?.(info.messageQueues) ?? info.selectOneMessageQueue())
      const info = context.table.get(checked.topic)
      return info === undefined ? context.table.find(checked.topic).then(handTo) : handTo(info)
    } catch (error) {
      return Promise.reject(asRocketMQError(error))
    }
  }

  /**
   * Sends a request and waits for the reply, which a consumer makes by {@link createReplyMessage} and sends. Goes where
   * {@link send} goes; `timeoutMs` is for the send and the wait together.
   *
   * With a promise: rejects with TimeoutError (`clientErrorCode` 10006) when no reply came in time, AbortedError,
   * ClientStateError when the producer is shut down meanwhile, and the errors of {@link send} when the request could not be
   * sent. The send itself is retried as one with a callback. With a callback in the last place nothing is returned.
   */
  request(message: Sendable, limits?: SendOptions | number): Promise<MessageExt>
  request(message: Sendable, mq: MessageQueue, limits?: SendOptions | number): Promise<MessageExt>
  request<A>(
    message: Sendable,
    selector: MessageQueueSelector<A>,
    arg: A,
    limits?: SendOptions | number
  ): Promise<MessageExt>
  request(message: Sendable, callback: RequestCallback): void
  request(message: Sendable, limits: SendOptions | number, callback: RequestCallback): void
  request(message: Sendable, mq: MessageQueue, callback: RequestCallback): void
  request(message: Sendable, mq: MessageQueue, limits: SendOptions | number, callback: RequestCallback): void
  request<A>(message: Sendable, selector: MessageQueueSelector<A>, arg: A, callback: RequestCallback): void
  request<A>(
    message: Sendable,
    selector: MessageQueueSelector<A>,
    arg: A,
    limits: SendOptions | number,
    callback: RequestCallback
  ): void
  request(message: Sendable, ...args: unknown[]): Promise<MessageExt> | undefined {
    const last = args.at(-1)
    if (typeof last === 'function' && (args.length !== 2 || typeof args[0] !== 'function')) {
      this.#request(message, args.slice(0, -1), last as RequestCallback)
      return undefined
    }
    return new Promise((resolve, reject) => {
      this.#request(message, args, (error, reply) => (reply === undefined ? reject(error!) : resolve(reply)))
    })
  }

  /**
   * Takes a delayed message back: it is not delivered, if it is still in the broker's timer.
   *
   * @param recallHandle that of its SendResult
   * @returns its unique id
   * @throws InvalidArgumentError for a handle that is none
   * @throws BrokerError when the broker does not let messages be recalled (16, `recallMessageEnable`), or it is too late (604)
   * @throws NotSupportedError when the broker does not know recalls
   */
  async recallMessage(topic: string, recallHandle: string, options: SendOptions = {}): Promise<string> {
    const { timeoutMs = this.#config.sendMsgTimeout, signal } = options
    return recallMessage(this.#running(), topic, recallHandle, { timeoutMs, signal })
  }

  /**
   * The queues of a topic that may be written to, asked from the name server.
   *
   * @throws RouteError when there are none
   */
  async fetchPublishMessageQueues(topic: string, options: { signal?: AbortSignal } = {}): Promise<MessageQueue[]> {
    const { instance } = this.#running()
    const route = await instance.nameServerApi.getTopicRoute(topic, instance.waitOptions(options.signal))
    const queues = route === undefined ? [] : publishQueues(topic, route)
    if (queues.length === 0) {
      const reason = route === undefined ? 'name servers know no such topic (yet)' : 'no queue of it may be written to'
      throw new RouteError(`topic ${topic} has no queues: ${reason}`, {
        clientErrorCode: ClientErrorCode.NOT_FOUND_TOPIC_EXCEPTION
      })
    }
    return queues
  }

  /**
   * Creates a topic on every broker that has the topic `key` (`TBW102` is on all of them by default)
   * (`impl/MQAdminImpl.java#createTopic`).
   *
   * @param queueNum queues on each broker, for reading and for writing
   * @throws RouteError when `key` is unknown, the last broker's error when no broker created it
   */
  async createTopic(
    key: string,
    newTopic: string,
    queueNum: number,
    options: { topicSysFlag?: number; signal?: AbortSignal } = {}
  ): Promise<void> {
    const { instance } = this.#running()
    checkTopic(newTopic)
    checkNotSystemTopic(newTopic)
    const route = await instance.nameServerApi.getTopicRoute(key, instance.waitOptions(options.signal))
    const addresses = (route?.brokerDatas ?? []).flatMap(broker => broker.brokerAddrs.get(MASTER_ID) ?? [])
    if (addresses.length === 0)
      throw new RouteError(`no broker has the topic ${key} after which ${newTopic} is to be made`)
    const settings = {
      topic: newTopic,
      readQueueNums: queueNum,
      writeQueueNums: queueNum,
      defaultTopic: key,
      topicSysFlag: options.topicSysFlag ?? 0
    }
    const results = await Promise.allSettled(
      addresses.map(address => this.#createTopicOn(instance, address, settings, options.signal))
    )
    const failed = results.filter(result => result.status === 'rejected')
    if (failed.length === results.length) throw failed.at(-1)!.reason
  }

  /** The first offset of a queue stored at or after a time. */
  async searchOffset(mq: MessageQueue, time: Date | number, options: { signal?: AbortSignal } = {}): Promise<Long> {
    const { instance } = this.#running()
    const address = await instance.masterAddress(mq)
    return instance.brokerApi.searchOffset(address, mq, Number(time), instance.waitOptions(options.signal))
  }

  /** The offset the next message of a queue will get. */
  async maxOffset(mq: MessageQueue, options: { signal?: AbortSignal } = {}): Promise<Long> {
    const { instance } = this.#running()
    return instance.brokerApi.maxOffset(await instance.masterAddress(mq), mq, instance.waitOptions(options.signal))
  }

  /** The oldest offset of a queue that is still stored. */
  async minOffset(mq: MessageQueue, options: { signal?: AbortSignal } = {}): Promise<Long> {
    const { instance } = this.#running()
    return instance.brokerApi.minOffset(await instance.masterAddress(mq), mq, instance.waitOptions(options.signal))
  }

  /** Called when it is known to its client instance, before any broker hears of it. */
  protected onStart(_context: SendContext): void {}

  /** Called at the end, when no send is under way any more and connections are still there. */
  protected async onEnd(_context: SendContext, _signal: AbortSignal | undefined): Promise<void> {}

  #running(): SendContext {
    if (this.#state !== ServiceState.RUNNING) throw notRunning('producer', this.#state)
    return this.#context!
  }

  #send(given: Sendable | readonly Sendable[], args: SendArguments): Promise<SendResult> | undefined {
    const context = this.#running()
    const { mq, signal, callback } = args
    const nowMs = Date.now()
    const message = isList(given) ? undefined : toMessage(given)
    const content =
      message === undefined
        ? batchContent(given as readonly Sendable[], this.#config, nowMs)
        : messageContent(message, this.#config, nowMs)
    if (mq !== undefined && mq.topic !== content.topic) throw wrongTopic(mq, content.topic)
    if (signal?.aborted === true) throw new AbortedError(`the send to topic ${content.topic}`, signal)
    const timeoutMs = args.timeoutMs ?? this.#config.sendMsgTimeout
    const pending = new PendingSend(context, content, nowMs, timeoutMs, signal, callback)
    this.#inFlight++
    const promise = callback === undefined ? pending.promise() : undefined
    if (mq !== undefined) pending.startTo(mq)
    else pending.start(chooser(args, message))
    return promise
  }

  #oneway(context: SendContext, content: SendContent, mq: MessageQueue): Promise<void> {
    if (mq.topic !== content.topic) throw wrongTopic(mq, content.topic)
    const { instance, table } = context
    const fields = { ...content, bornTimestampMs: Date.now(), reconsumeTimes: 0 }
    const hand = (address: string): void =>
      instance.remoting.sendOneway(address, table.template(mq, false, content.reply), fields)
    const address = instance.routes.masterAddress(mq.brokerName)
    if (address === undefined) return instance.masterAddress(mq).then(hand)
    hand(address)
    return DONE
  }

  async #createTopicOn(
    instance: ClientInstance,
    address: string,
    settings: Parameters<ClientInstance['brokerApi']['createTopic']>[1],
    signal: AbortSignal | undefined
  ): Promise<void> {
    for (let tries = 1; ; tries++) {
      try {
        await instance.brokerApi.createTopic(address, settings, instance.waitOptions(signal))
        return
      } catch (error) {
        if (tries === CREATE_TOPIC_TRIES || signal?.aborted === true) throw error
      }
    }
  }

  #request(given: Sendable, args: readonly unknown[], callback: RequestCallback): void {
    try {
      const read = readSendArguments(args)
      const context = this.#running()
      const message = toMessage(given)
      const { timeoutMs = this.#config.sendMsgTimeout, signal, mq } = read
      if (mq !== undefined && mq.topic !== message.topic) throw wrongTopic(mq, message.topic)
      if (signal?.aborted === true) throw new AbortedError(`the request to topic ${message.topic}`, signal)
      this.#requests.start(context, this.#sendTo, message, { ...read, timeoutMs }, callback)
    } catch (error) {
      process.nextTick(tell, callback, asRocketMQError(error), undefined)
    }
  }

  readonly #sendTo: SendTo = (message, { mq, selector, arg }, limits, callback) => {
    if (mq !== undefined) this.send(message, mq, limits, callback)
    else if (selector !== undefined) this.send(message, selector, arg, limits, callback)
    else this.send(message, limits, callback)
  }

  /** `impl/producer/DefaultMQProducerImpl.java#initTopicRoute`: what is not there yet is found by the first send. */
  async #findTopics(instance: ClientInstance, table: PublishTable): Promise<void> {
    const { topics } = this.#config
    await Promise.all(
      topics.map(topic =>
        table.find(topic).catch((error: unknown) => instance.report(toError(error), `the route of topic ${topic}`))
      )
    )
  }

  #sendEnded(): void {
    this.#inFlight--
    if (this.#inFlight === 0) this.#onIdle?.()
  }

  async #end(signal: AbortSignal | undefined): Promise<void> {
    this.#state = ServiceState.SHUTDOWN_ALREADY
    this.#requests.failAll()
    if (this.#inFlight > 0) {
      const idle = new Promise<void>(resolve => (this.#onIdle = resolve))
      // Aborted or not, the rest of the shutdown is the same.
      await abortable('waiting for sends', idle, signal).catch(() => undefined)
    }
    await this.onEnd(this.#context!, signal)
    await this.#instance!.unregisterProducer(this.#config.producerGroup)
  }
}

function wrongTopic(mq: MessageQueue, topic: string): InvalidArgumentError {
  return new InvalidArgumentError(`a message for topic ${topic} cannot be sent to ${mq.toString()}`)
}

/** The selector of a call, checked: one attempt, on the queue it names (`DefaultMQProducerImpl.java#sendSelectImpl`). */
function chooser({ selector, arg }: SendArguments, message: Message | undefined): ChooseQueue | undefined {
  if (selector === undefined) return undefined
  if (message === undefined) throw new InvalidArgumentError('a batch cannot be sent by a selector')
  return queues => {
    let mq: MessageQueue | undefined
    try {
      mq = selector(queues, message, arg)
    } catch (error) {
      throw new InvalidArgumentError('the queue selector threw', { cause: error })
    }
    if (mq?.topic !== message.topic) {
      throw new InvalidArgumentError(`the selector chose no queue of topic ${message.topic}: ${String(mq)}`)
    }
    return mq
  }
}

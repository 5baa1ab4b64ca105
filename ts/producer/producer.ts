import type Long from 'long'
import type { RocketMQError } from '../errors.js'
import { AbortedError, ClientStateError, InvalidArgumentError, asRocketMQError, toError } from '../errors.js'
import type { ClientEvent } from '../diagnostics.js'
import { readOptions } from '../options.js'
import { checkedSignal } from '../abort-listeners.js'
import { abortable } from '../client/abortable.js'
import type { ClientInstance } from '../client/client-instance.js'
import type { ClientRegistry } from '../client/client-registry.js'
import { clientRegistry } from '../client/client-registry.js'
import { ClientStatus } from '../client/client-status.js'
import { ServiceState, notRunning, notStartable } from '../client/service-state.js'
import { checkGroup } from '../client/validators.js'
import type { MessageExt } from '../message/message-ext.js'
import type { MessageQueue } from '../message/message-queue.js'
import type { MessageBody } from '../message/serializer.js'
import type { AsyncTraceDispatcher } from '../trace/async-trace-dispatcher.js'
import { BackPressure } from './back-pressure.js'
import type { CheckForbiddenHook, SendMessageHook } from './hooks.js'
import { ProducerHooks, hookOwner } from './hooks.js'
import {
  EndTransactionTraceHook,
  SendMessageTraceHook,
  producerTraceDispatcher,
  traceProducerOptions
} from './message-trace.js'
import type { ProducerConfig, ProducerOptions } from './options.js'
import { PRODUCER_OPTIONS, checkProducerConfig } from './options.js'
import { startFaultStrategy } from './fault-tolerance.js'
import { wrongTopic } from './choose-queue.js'
import type { ResultListener } from './callback.js'
import { Callback } from './callback.js'
import type { SendContext } from './pending-send.js'
import { PublishTable } from './publish-table.js'
import { recallMessage } from './recall.js'
import type { RequestCallback, SendTo } from './request.js'
import { PendingRequests } from './request.js'
import type { SendArguments } from './send-arguments.js'
import { readLimits, readSendArguments } from './send-arguments.js'
import type { Sendable } from './send-content.js'
import { checkedMessages, isList, toMessage } from './send-content.js'
import type { SendBatchOptions } from './send-batch.js'
import { sendInParts } from './send-batch.js'
import { SendOrder } from './send-order.js'
import { Sending } from './sending.js'
import { askOfQueue, checkQueue, createTopic, fetchPublishQueues } from './topics.js'
import type { MessageQueueSelector, SendCallback, SendOptions, SendResult } from './types.js'
import type { WritableOptions } from './writable.js'
import { MessageWritable } from './writable.js'

const NO_ARGUMENTS: SendArguments = {}

/**
 * Sends messages (`client/producer/DefaultMQProducer.java`).
 *
 * ```ts
 * await using producer = new Producer({ namesrvAddr: '127.0.0.1:9876', producerGroup: 'orders' })
 * await producer.start()
 * const result = await producer.send({ topic: 'TopicTest', body: 'hello', tags: 'TagA' })
 * ```
 *
 * @typeParam Body what messages are made from: text or bytes, or what the option `serializer` takes
 */
export class Producer<Body = MessageBody> {
  readonly #config: ProducerConfig
  /** The options as they were given. */
  readonly #given: ProducerOptions<Body>
  readonly #registry: ClientRegistry
  readonly #status: ClientStatus
  readonly #hooks = new ProducerHooks()
  #state: ServiceState = ServiceState.CREATE_JUST
  #instance: ClientInstance | undefined
  #sending: Sending<Body> | undefined
  #trace: AsyncTraceDispatcher | undefined
  readonly #backPressure: BackPressure
  #starting: Promise<void> | undefined
  #shutdown = Promise.resolve()
  readonly #requests = new PendingRequests()

  /**
   * Checks the options; connects to nothing.
   *
   * @param registry where client instances live; for tests
   * @throws ConfigError for an option that is unknown or wrong
   */
  constructor(options: ProducerOptions<Body>, registry: ClientRegistry = clientRegistry) {
    this.#config = checkProducerConfig(readOptions('Producer', PRODUCER_OPTIONS, options))
    this.#given = { ...options }
    this.#registry = registry
    this.#status = new ClientStatus(this.#config)
    this.#backPressure = new BackPressure(this.#config)
  }

  /** Where it is in its life. */
  get state(): ServiceState {
    return this.#state
  }

  /** The checked options. */
  get options(): ProducerConfig {
    return this.#config
  }

  /** Whether so much is under way that the next send waits for its turn, or fails; see `backPressureForAsyncSendNum`. */
  get writableNeedDrain(): boolean {
    return this.#backPressure.full
  }

  /** `ip@instanceName` once started. */
  get clientId(): string | undefined {
    return this.#instance?.clientId
  }

  /**
   * What happens from now on, as it happens: connections, routes, name servers, failures in the background. Ends when the
   * loop over it is left, when the signal fires, and with the producer. May be called before `start()`, and several times. A reader
   * that is slow misses the oldest events and is told how many.
   *
   * ```ts
   * for await (const event of producer.status()) if (event.type === 'disconnect') console.log(event.address, event.reason)
   * ```
   */
  status(options: { signal?: AbortSignal } = {}): AsyncIterableIterator<ClientEvent> {
    return this.#status.stream(options.signal)
  }

  /**
   * Makes it ready. Brokers and name servers are connected when first needed. Once only: after a failure, and after
   * `shutdown()`, make a new one (`impl/producer/DefaultMQProducerImpl.java#start`).
   *
   * @throws ClientStateError when it was started before, or its group is taken on its client instance
   * @throws ConfigError when the group is unfit
   * @throws RouteError when no name server is known: none was given, and no address server tells
   */
  start(): Promise<void> {
    const isFirst = this.#state === ServiceState.CREATE_JUST
    const starting = this.#start()
    if (isFirst) this.#starting = starting
    return starting
  }

  async #start(): Promise<void> {
    if (this.#state !== ServiceState.CREATE_JUST) throw notStartable('producer', this.#state)
    this.#state = ServiceState.START_FAILED
    let started: { instance: ClientInstance; table: PublishTable }
    try {
      started = await this.#startInstance()
    } catch (error) {
      // One whose group is taken may be started again.
      if (this.#state === ServiceState.START_FAILED) this.#status.end()
      throw error
    }
    const { instance, table } = started
    this.#instance = instance
    const context: SendContext = {
      instance,
      config: this.#config,
      table,
      faults: startFaultStrategy(this.#config, instance, table),
      order: new SendOrder(),
      hooks: this.#hooks,
      hookOwner: hookOwner(this.#config, instance),
      sendEnded: send => this.#sending!.ended(send)
    }
    this.#sending = new Sending(context, this.#backPressure)
    this.onStart(context)
    if (this.#config.enableTrace) await this.#startTrace(instance)
    await this.#findTopics(instance, table)
    this.#state = ServiceState.RUNNING
    void instance.sendHeartbeatToAllBrokers()
  }

  /** Joins, or makes, the client instance and starts it; leaves nothing behind when that fails. */
  async #startInstance(): Promise<{ instance: ClientInstance; table: PublishTable }> {
    const { producerGroup } = this.#config
    checkGroup('producerGroup', producerGroup, 'DEFAULT_PRODUCER')
    const instance = this.#registry.getOrCreate(this.#config, true)
    const table = new PublishTable(instance, this.#config, this.#status)
    if (!instance.registerProducer(producerGroup, table)) {
      this.#state = ServiceState.CREATE_JUST
      throw new ClientStateError(
        `the producer group ${producerGroup} exists on client ${instance.clientId} already; take another group or instanceName`
      )
    }
    try {
      await instance.start()
    } catch (error) {
      await instance.discard({ producerGroup })
      throw error
    }
    return { instance, table }
  }

  /**
   * Waits for the sends that are on their way, leaves its brokers, and closes connections that nobody else uses. New
   * sends fail at once. One that is starting is started first. May be called again; does nothing while it does not run.
   *
   * @param options a signal ends the wait for sends, which are failed then (on connections that others use when their own time
   * is over), and for brokers; and the wait for a start that has not ended: what it leads to is shut down as soon as it has
   */
  async shutdown(options: { signal?: AbortSignal } = {}): Promise<void> {
    const signal = checkedSignal(options.signal)
    if (this.#state === ServiceState.RUNNING) this.#shutdown = this.#end(signal)
    else if (this.#state === ServiceState.START_FAILED && this.#starting !== undefined) {
      const shutdown = this.#starting.then(
        () => this.shutdown(options),
        () => undefined
      )
      return abortable('waiting for the start', shutdown, signal).catch(() => undefined)
    }
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
   * TimeoutError, AbortedError, ClientStateError, BusyError when it found no turn (see `backPressureForAsyncSendNum`). With a
   * callback in the last place nothing is returned, and failures of the transport only are retried, as with Java's
   * asynchronous sends.
   *
   * First attempts leave for one queue in the order of the calls, awaited or not: bodies are compressed off the main
   * thread, and what is called behind a large message for the same queue waits for it. An attempt that is tried again
   * comes later, and a broker with several threads for sends (Apache's, by default) may store what is under way together
   * in another order: who needs order there awaits each send.
   */
  // Forms with a callback come first, so that its parameters get their types.
  send(message: Sendable<Body> | readonly Sendable<Body>[], callback: SendCallback): void
  send(message: Sendable<Body> | readonly Sendable<Body>[], mq: MessageQueue, callback: SendCallback): void
  send(
    message: Sendable<Body> | readonly Sendable<Body>[],
    mq: MessageQueue,
    limits: SendOptions | number,
    callback: SendCallback
  ): void
  send<A>(message: Sendable<Body>, selector: MessageQueueSelector<A>, arg: A, callback: SendCallback): void
  send<A>(
    message: Sendable<Body>,
    selector: MessageQueueSelector<A>,
    arg: A,
    limits: SendOptions | number,
    callback: SendCallback
  ): void
  send(message: Sendable<Body> | readonly Sendable<Body>[], limits?: SendOptions | number): Promise<SendResult>
  send(
    message: Sendable<Body> | readonly Sendable<Body>[],
    mq: MessageQueue,
    limits?: SendOptions | number
  ): Promise<SendResult>
  send<A>(
    message: Sendable<Body>,
    selector: MessageQueueSelector<A>,
    arg: A,
    limits?: SendOptions | number
  ): Promise<SendResult>
  send(message: Sendable<Body> | readonly Sendable<Body>[], limits: SendOptions | number, callback: SendCallback): void
  send(message: Sendable<Body> | readonly Sendable<Body>[], ...args: unknown[]): Promise<SendResult> | undefined {
    const read: SendArguments = args.length > 0 ? {} : NO_ARGUMENTS
    try {
      if (args.length > 0) readSendArguments(args, read)
      return this.#running().send(message, read)
    } catch (thrown) {
      const error = asRocketMQError(thrown)
      const { callback } = read
      if (callback === undefined) return Promise.reject(error)
      process.nextTick(() => callback.tell(error, undefined))
      return undefined
    }
  }

  /**
   * Sends many messages of one topic as batches, as large as `maxBytes` allows, one request after the other; a message
   * that fits into no batch goes alone. Unlike `send(list)`, which is one request, or an error, for all.
   *
   * @returns a result for each message, in their order
   * @throws InvalidArgumentError before anything is sent when a message is not acceptable or they do not fit together;
   * PartialBatchError when some are stored and the next request fails; else the errors of {@link send}
   */
  async sendBatch(messages: Iterable<Sendable<Body>>, options: SendBatchOptions = {}): Promise<SendResult[]> {
    const sending = this.#running()
    if (typeof options !== 'object' || options === null) {
      throw new InvalidArgumentError(`the options of sendBatch must be an object, not ${String(options)}`)
    }
    const { messageQueue, maxBytes = this.#config.maxMessageSize, ...limits } = options
    const read: SendArguments = {}
    readLimits(limits, read)
    if (messageQueue !== undefined) read.mq = checkQueue(messageQueue)
    if (!Number.isSafeInteger(maxBytes) || maxBytes < 1 || maxBytes > this.#config.maxMessageSize) {
      throw new InvalidArgumentError(
        `maxBytes must be a whole number from 1 to maxMessageSize (${this.#config.maxMessageSize}), not ${maxBytes}`
      )
    }
    if (typeof messages !== 'object' || messages === null || !(Symbol.iterator in messages)) {
      throw new InvalidArgumentError('sendBatch takes a list, or another iterable, of messages')
    }
    const list = checkedMessages([...messages], this.#config)
    return sendInParts(list, maxBytes, async part => (await sending.send(part, read))!)
  }

  /**
   * Sends without an answer: nobody learns whether the message was stored, and nothing is tried again. Resolves when it was
   * handed to the connection; a route that is not known yet is looked for within `sendMsgTimeout`.
   *
   * @throws the errors of {@link send} that are found before anything is sent
   */
  sendOneway(message: Sendable<Body>): Promise<void>
  sendOneway(message: Sendable<Body>, mq: MessageQueue): Promise<void>
  sendOneway<A>(message: Sendable<Body>, selector: MessageQueueSelector<A>, arg: A): Promise<void>
  sendOneway(message: Sendable<Body>, ...given: unknown[]): Promise<unknown> {
    try {
      const args: SendArguments = given.length > 0 ? {} : NO_ARGUMENTS
      if (given.length > 0) readSendArguments(given, args)
      if (args.callback !== undefined || isList(message)) {
        throw new InvalidArgumentError('a oneway send takes one message and no callback')
      }
      return this.#running().sendOneway(message, args)
    } catch (error) {
      return Promise.reject(asRocketMQError(error))
    }
  }

  /** Adds a hook around the attempts to send; see {@link SendMessageHook}. */
  registerSendMessageHook(hook: SendMessageHook): void {
    this.#hooks.addSendMessageHook(hook)
  }

  /** Adds a hook that may forbid a send; see {@link CheckForbiddenHook}. */
  registerCheckForbiddenHook(hook: CheckForbiddenHook): void {
    this.#hooks.addCheckForbiddenHook(hook)
  }

  /**
   * Sends a request and waits for the reply, which a consumer makes by {@link createReplyMessage} and sends. Goes where
   * {@link send} goes; `timeoutMs` is for the send and the wait together.
   *
   * With a promise: rejects with TimeoutError when the time is over (`clientErrorCode` 10006 when the request was sent and no
   * reply came, 10002 when no broker had acknowledged it by then), AbortedError, ClientStateError when the producer is shut
   * down meanwhile, and the errors of {@link send} when the request could not be sent. The send itself is retried as one
   * with a callback. With a callback in the last place nothing is returned.
   */
  request(message: Sendable<Body>, limits?: SendOptions | number): Promise<MessageExt>
  request(message: Sendable<Body>, mq: MessageQueue, limits?: SendOptions | number): Promise<MessageExt>
  request<A>(
    message: Sendable<Body>,
    selector: MessageQueueSelector<A>,
    arg: A,
    limits?: SendOptions | number
  ): Promise<MessageExt>
  request(message: Sendable<Body>, callback: RequestCallback): void
  request(message: Sendable<Body>, limits: SendOptions | number, callback: RequestCallback): void
  request(message: Sendable<Body>, mq: MessageQueue, callback: RequestCallback): void
  request(message: Sendable<Body>, mq: MessageQueue, limits: SendOptions | number, callback: RequestCallback): void
  request<A>(message: Sendable<Body>, selector: MessageQueueSelector<A>, arg: A, callback: RequestCallback): void
  request<A>(
    message: Sendable<Body>,
    selector: MessageQueueSelector<A>,
    arg: A,
    limits: SendOptions | number,
    callback: RequestCallback
  ): void
  request(message: Sendable<Body>, ...args: unknown[]): Promise<MessageExt> | undefined {
    const last = args.at(-1)
    if (typeof last === 'function' && (args.length !== 2 || typeof args[0] !== 'function')) {
      this.#request(message, args.slice(0, -1), new Callback(last as RequestCallback))
      return undefined
    }
    return new Promise((resolve, reject) => {
      const tell = (error: RocketMQError | undefined, reply: MessageExt | undefined): void =>
        reply === undefined ? reject(error!) : resolve(reply)
      this.#request(message, args, { tell })
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
    const limits: Pick<SendArguments, 'timeoutMs' | 'signal'> = {}
    readLimits(options, limits)
    const { timeoutMs = this.#config.sendMsgTimeout, signal } = limits
    return recallMessage(this.#running().context, topic, recallHandle, { timeoutMs, signal })
  }

  /**
   * A Writable in object mode that sends what is written to it: messages, and with a `topic` bodies alone. For `pipeline()`:
   *
   * ```ts
   * await pipeline(lines, producer.asWritable({ topic: 'Lines' }))
   * ```
   *
   * @throws ConfigError for an option that is unknown or wrong
   */
  asWritable(options: WritableOptions = {}): MessageWritable<Body> {
    return new MessageWritable<Body>(message => this.send(message), this.#config.serializer, options)
  }

  /**
   * The queues of a topic that may be written to, asked from the name server.
   *
   * @throws RouteError when there are none
   */
  async fetchPublishMessageQueues(topic: string, options: { signal?: AbortSignal } = {}): Promise<MessageQueue[]> {
    return fetchPublishQueues(this.#running().context, topic, options.signal)
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
    await createTopic(this.#running().context, key, newTopic, queueNum, options)
  }

  /** The first offset of a queue stored at or after a time. */
  async searchOffset(mq: MessageQueue, time: Date | number, options: { signal?: AbortSignal } = {}): Promise<Long> {
    const timestampMs = Number(time)
    if (!Number.isSafeInteger(timestampMs)) {
      throw new InvalidArgumentError(`the time must be a Date or whole milliseconds, not ${String(time)}`)
    }
    return askOfQueue(this.#running().context, mq, options.signal, (api, address, queue, wait) =>
      api.searchOffset(address, queue, timestampMs, wait)
    )
  }

  /** The offset the next message of a queue will get. */
  async maxOffset(mq: MessageQueue, options: { signal?: AbortSignal } = {}): Promise<Long> {
    return askOfQueue(this.#running().context, mq, options.signal, (api, address, queue, wait) =>
      api.maxOffset(address, queue, wait)
    )
  }

  /** The oldest offset of a queue that is still stored. */
  async minOffset(mq: MessageQueue, options: { signal?: AbortSignal } = {}): Promise<Long> {
    return askOfQueue(this.#running().context, mq, options.signal, (api, address, queue, wait) =>
      api.minOffset(address, queue, wait)
    )
  }

  /** What is told of its sends. */
  protected get hooks(): ProducerHooks {
    return this.#hooks
  }

  /** Called when it is known to its client instance, before any broker hears of it. */
  protected onStart(_context: SendContext): void {}

  /** Called at the end, when no send is under way any more and connections are still there. */
  protected async onEnd(_context: SendContext, _signal: AbortSignal | undefined): Promise<void> {}

  #running(): Sending<Body> {
    if (this.#state !== ServiceState.RUNNING) throw notRunning('producer', this.#state)
    return this.#sending!
  }

  #request(given: Sendable<Body>, args: readonly unknown[], callback: ResultListener<MessageExt>): void {
    try {
      const read: SendArguments = {}
      readSendArguments(args, read)
      const { context } = this.#running()
      const message = toMessage(given, this.#config.serializer)
      const { timeoutMs = this.#config.sendMsgTimeout, signal, mq } = read
      if (mq !== undefined && mq.topic !== message.topic) throw wrongTopic(mq, message.topic)
      if (signal?.aborted === true) throw new AbortedError(`the request to topic ${message.topic}`, signal)
      this.#requests.start(context, this.#sendTo, message, { ...read, timeoutMs }, callback)
    } catch (error) {
      process.nextTick(() => callback.tell(asRocketMQError(error), undefined))
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

  /** Tracing never keeps a producer from its work: what fails here is reported (`DefaultMQProducer.java#start`). */
  async #startTrace(instance: ClientInstance): Promise<void> {
    try {
      const options = traceProducerOptions(this.#given, instance.nameServerApi.nameServers.addresses)
      const dispatcher = producerTraceDispatcher(this.#config, new Producer(options, this.#registry), instance.report)
      await dispatcher.start()
      this.#hooks.addSendMessageHook(new SendMessageTraceHook(dispatcher))
      this.#hooks.addEndTransactionHook(new EndTransactionTraceHook(dispatcher, this.#config.namespace))
      this.#trace = dispatcher
    } catch (error) {
      instance.report(toError(error), 'starting the message trace')
    }
  }

  async #end(signal: AbortSignal | undefined): Promise<void> {
    this.#state = ServiceState.SHUTDOWN_ALREADY
    this.#requests.failAll()
    const { context } = this.#sending!
    // Aborted or not, the rest of the shutdown is the same.
    await abortable('waiting for sends', this.#sending!.drained(), signal).catch(() => undefined)
    context.faults?.shutdown()
    await this.onEnd(context, signal)
    await this.#instance!.unregisterProducer(this.#config.producerGroup, signal)
    await this.#trace?.shutdown(signal)
    this.#status.end()
  }
}

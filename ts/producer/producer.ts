import type Long from 'long'
import {
  AbortedError,
  ClientErrorCode,
  ClientStateError,
  InvalidArgumentError,
  RouteError,
  asRocketMQError
} from '../errors.js'
import { readOptions } from '../options.js'
import { abortable } from '../client/abortable.js'
import type { ClientInstance } from '../client/client-instance.js'
import type { ClientRegistry } from '../client/client-registry.js'
import { clientRegistry } from '../client/client-registry.js'
import { ServiceState, notRunning, notStartable } from '../client/service-state.js'
import { checkGroup, checkNotSystemTopic, checkTopic } from '../client/validators.js'
import type { Message } from '../message/message.js'
import type { MessageQueue } from '../message/message-queue.js'
import type { MessageBody } from '../message/serializer.js'
import { MASTER_ID, publishQueues } from '../route/topic-route-data.js'
import type { ProducerConfig, ProducerOptions } from './options.js'
import { PRODUCER_OPTIONS, checkProducerConfig } from './options.js'
import { startFaultStrategy } from './fault-tolerance.js'
import type { ChooseQueue, SendContext } from './pending-send.js'
import { PendingSend, tell } from './pending-send.js'
import { PublishTable } from './publish-table.js'
import type { SendArguments } from './send-arguments.js'
import { readSendArguments } from './send-arguments.js'
import type { Sendable } from './send-content.js'
import { batchContent, checkedMessages, isList, messageContent, toMessage } from './send-content.js'
import type { SendBatchOptions } from './send-batch.js'
import { sendInParts } from './send-batch.js'
import { SendOrder } from './send-order.js'
import type { MessageQueueSelector, SendCallback, SendOptions, SendResult } from './types.js'

const NO_ARGUMENTS: SendArguments = {}
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
 *
 * @typeParam Body what messages are made from: text or bytes, or what the option `serializer` takes
 */
export class Producer<Body = MessageBody> {
  readonly #config: ProducerConfig
  readonly #registry: ClientRegistry
  #state: ServiceState = ServiceState.CREATE_JUST
  #instance: ClientInstance | undefined
  #context: SendContext | undefined
  #inFlight = 0
  #onIdle: (() => void) | undefined
  #shutdown = Promise.resolve()

  /**
   * Checks the options; connects to nothing.
   *
   * @param registry where client instances live; for tests
   * @throws ConfigError for an option that is unknown or wrong
   */
  constructor(options: ProducerOptions<Body>, registry: ClientRegistry = clientRegistry) {
    this.#config = checkProducerConfig(readOptions('Producer', PRODUCER_OPTIONS, options))
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
    const faults = startFaultStrategy(this.#config, instance, table)
    this.#context = {
      instance,
      config: this.#config,
      table,
      faults,
      order: new SendOrder(),
      sendEnded: () => this.#sendEnded()
    }
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
    let read = NO_ARGUMENTS
    try {
      if (args.length > 0) read = readSendArguments(args)
      return this.#send(message, read, false) as Promise<SendResult> | undefined
    } catch (thrown) {
      const error = asRocketMQError(thrown)
      const { callback } = read
      if (callback === undefined) return Promise.reject(error)
      process.nextTick(tell, callback, error, undefined)
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
    this.#running()
    const { messageQueue, maxBytes = this.#config.maxMessageSize, ...limits } = options
    if (!Number.isSafeInteger(maxBytes) || maxBytes < 1 || maxBytes > this.#config.maxMessageSize) {
      throw new InvalidArgumentError(
        `maxBytes must be a whole number from 1 to maxMessageSize (${this.#config.maxMessageSize}), not ${maxBytes}`
      )
    }
    const list = checkedMessages([...messages], this.#config)
    const args = messageQueue === undefined ? [limits] : [messageQueue, limits]
    const read = readSendArguments(args)
    return sendInParts(list, maxBytes, async part => (await this.#send(part, read, false))!)
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
      const args = given.length > 0 ? readSendArguments(given) : NO_ARGUMENTS
      if (args.callback !== undefined || isList(message)) {
        throw new InvalidArgumentError('a oneway send takes one message and no callback')
      }
      return this.#send(message, args, true)!
    } catch (error) {
      return Promise.reject(asRocketMQError(error))
    }
  }

  /**
   * The queues of a topic that may be written to, asked from the name server.
   *
   * @throws RouteError when there are none
   */
  async fetchPublishMessageQueues(topic: string, options: { signal?: AbortSignal } = {}): Promise<MessageQueue[]> {
    const { instance, table } = this.#running()
    const route = await instance.nameServerApi.getTopicRoute(
      table.wireTopic(topic),
      instance.waitOptions(options.signal)
    )
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
    const { instance, table } = this.#running()
    const topic = table.wireTopic(newTopic)
    checkTopic(topic)
    checkNotSystemTopic(topic)
    const route = await instance.nameServerApi.getTopicRoute(key, instance.waitOptions(options.signal))
    const addresses = (route?.brokerDatas ?? []).flatMap(broker => broker.brokerAddrs.get(MASTER_ID) ?? [])
    if (addresses.length === 0)
      throw new RouteError(`no broker has the topic ${key} after which ${newTopic} is to be made`)
    const settings = {
      topic,
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
    const { instance, table } = this.#running()
    const queue = table.wireQueue(mq)
    const address = await instance.masterAddress(queue)
    return instance.brokerApi.searchOffset(address, queue, Number(time), instance.waitOptions(options.signal))
  }

  /** The offset the next message of a queue will get. */
  async maxOffset(mq: MessageQueue, options: { signal?: AbortSignal } = {}): Promise<Long> {
    const { instance, table } = this.#running()
    const queue = table.wireQueue(mq)
    return instance.brokerApi.maxOffset(
      await instance.masterAddress(queue),
      queue,
      instance.waitOptions(options.signal)
    )
  }

  /** The oldest offset of a queue that is still stored. */
  async minOffset(mq: MessageQueue, options: { signal?: AbortSignal } = {}): Promise<Long> {
    const { instance, table } = this.#running()
    const queue = table.wireQueue(mq)
    return instance.brokerApi.minOffset(
      await instance.masterAddress(queue),
      queue,
      instance.waitOptions(options.signal)
    )
  }

  #running(): SendContext {
    if (this.#state !== ServiceState.RUNNING) throw notRunning('producer', this.#state)
    return this.#context!
  }

  /** The promise of a oneway message is one of nothing, that of any other message one of its result. */
  #send(
    given: Sendable<Body> | readonly Sendable<Body>[],
    args: SendArguments,
    oneway: boolean
  ): Promise<SendResult | undefined> | undefined {
    const context = this.#running()
    const { signal, callback } = args
    const mq = args.mq === undefined ? undefined : context.table.userQueue(args.mq)
    const nowMs = Date.now()
    const message = isList(given) ? undefined : toMessage(given, this.#config.serializer)
    const content =
      message === undefined
        ? batchContent(given as readonly Sendable<Body>[], this.#config, nowMs)
        : messageContent(message, this.#config, nowMs)
    if (mq !== undefined && mq.topic !== content.topic) throw wrongTopic(mq, content.topic)
    if (signal?.aborted === true) throw new AbortedError(`the send to topic ${content.topic}`, signal)
    const timeoutMs = args.timeoutMs ?? this.#config.sendMsgTimeout
    // Whatever may throw comes before the send counts as under way.
    const choose = chooser(args, message, content.topic)
    const pending = new PendingSend(context, content, nowMs, timeoutMs, signal, callback, oneway)
    this.#inFlight++
    const promise = callback === undefined ? pending.promise() : undefined
    if (content.compress) void pending.compress()
    if (mq !== undefined) pending.startTo(mq)
    else pending.start(choose)
    return promise
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

  #sendEnded(): void {
    this.#inFlight--
    if (this.#inFlight === 0) this.#onIdle?.()
  }

  async #end(signal: AbortSignal | undefined): Promise<void> {
    this.#state = ServiceState.SHUTDOWN_ALREADY
    if (this.#inFlight > 0) {
      const idle = new Promise<void>(resolve => (this.#onIdle = resolve))
      // Aborted or not, the rest of the shutdown is the same.
      await abortable('waiting for sends', idle, signal).catch(() => undefined)
    }
    this.#context!.faults?.shutdown()
    await this.#instance!.unregisterProducer(this.#config.producerGroup)
  }
}

function wrongTopic(mq: MessageQueue, topic: string): InvalidArgumentError {
  return new InvalidArgumentError(`a message for topic ${topic} cannot be sent to ${mq.toString()}`)
}

/** The selector of a call, checked: one attempt, on the queue it names (`DefaultMQProducerImpl.java#sendSelectImpl`). */
function chooser(
  { selector, arg }: SendArguments,
  message: Message | undefined,
  topic: string
): ChooseQueue | undefined {
  if (selector === undefined) return undefined
  if (message === undefined) throw new InvalidArgumentError('a batch cannot be sent by a selector')
  return queues => {
    let mq: MessageQueue | undefined
    try {
      mq = selector(queues, message, arg)
    } catch (error) {
      throw new InvalidArgumentError('the queue selector threw', { cause: error })
    }
    if (mq?.topic !== topic) {
      throw new InvalidArgumentError(`the selector chose no queue of topic ${topic}: ${String(mq)}`)
    }
    return mq
  }
}

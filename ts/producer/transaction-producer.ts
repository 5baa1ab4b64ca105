import { ConfigError, InvalidArgumentError, RouteError, toError } from '../errors.js'
import { readOptions } from '../options.js'
import { abortable } from '../client/abortable.js'
import type { EndTransactionHeader } from '../client/broker-api.js'
import type { ClientRegistry } from '../client/client-registry.js'
import { clientRegistry } from '../client/client-registry.js'
import type { Promised } from '../client/promised.js'
import { withoutNamespace } from '../client/namespace.js'
import type { TransactionCheck } from '../client/transaction-check.js'
import type { Message } from '../message/message.js'
import { withProperties } from '../message/message.js'
import { decodeOffsetMessageId } from '../message/message-id.js'
import type { MessageBody } from '../message/serializer.js'
import type { MessageExt } from '../message/message-ext.js'
import { MessageConst } from '../message/properties.js'
import { greetBrokersOf } from './greet-brokers.js'
import type { ProducerOptions } from './options.js'
import type { EndTransactionHook } from './hooks.js'
import type { SendContext } from './pending-send.js'
import { Producer } from './producer.js'
import type { Sendable } from './send-content.js'
import { toMessage } from './send-content.js'
import { TransactionChecks } from './transaction-checks.js'
import type { TransactionProducerConfig, TransactionProducerOptions } from './transaction-options.js'
import { TRANSACTION_OPTIONS, TRANSACTION_PRODUCER_OPTIONS } from './transaction-options.js'
import type {
  ExecuteLocalTransaction,
  LocalTransactionOutcome,
  TransactionArgument,
  TransactionListener,
  TransactionSendResult
} from './transaction-types.js'
import { LocalTransactionState, commitOrRollback } from './transaction-types.js'
import type { SendResult } from './types.js'
import { SendStatus } from './types.js'

const UNKNOW = { state: LocalTransactionState.UNKNOW, error: undefined } as const

/** How a local transaction, or its check, ended. */
interface Ended {
  readonly state: LocalTransactionState
  readonly error: Error | undefined
}

/**
 * Sends messages that are delivered when a local transaction commits (`client/producer/TransactionMQProducer.java`). The broker
 * stores the message out of sight, the local transaction runs, and its end decides. When the broker hears of no end,
 * because this process crashed or nobody knows yet, it asks a producer of the group, whichever lives.
 *
 * ```ts
 * const producer = new TransactionProducer({
 *   namesrvAddr: '127.0.0.1:9876',
 *   producerGroup: 'orders',
 *   transactionListener: { checkLocalTransaction: async message => (await isPaid(message.keys)) ? 'COMMIT_MESSAGE' : 'UNKNOW' }
 * })
 * await producer.start()
 * await producer.sendMessageInTransaction({ topic: 'Orders', body: 'paid', keys: '1' }, async message => {
 *   await pay(message.keys)
 *   return 'COMMIT_MESSAGE'
 * })
 * ```
 */
export class TransactionProducer<Body = MessageBody> extends Producer<Body> {
  readonly #config: TransactionProducerConfig
  readonly #listener: TransactionListener
  readonly #running = new Set<Promise<unknown>>()
  readonly #greeted = new Set<string>()
  #context: SendContext | undefined
  #checks: TransactionChecks | undefined

  /**
   * Checks the options; connects to nothing.
   *
   * @param registry where client instances live; for tests
   * @throws ConfigError for an option that is unknown or wrong, and for a missing listener
   */
  constructor(options: TransactionProducerOptions<Body, Promised<LocalTransactionOutcome>>, registry?: ClientRegistry)
  constructor(options: TransactionProducerOptions<Body>, registry?: ClientRegistry)
  constructor(options: TransactionProducerOptions<Body>, registry: ClientRegistry = clientRegistry) {
    super(withoutTransactionOptions(options), registry)
    this.#config = readConfig(options)
    const { transactionListener, checkThreadPoolMinSize, checkThreadPoolMaxSize } = this.#config
    if (transactionListener === undefined) throw new ConfigError('option transactionListener is missing')
    if (checkThreadPoolMaxSize < checkThreadPoolMinSize) {
      throw new ConfigError(
        `option checkThreadPoolMaxSize (${checkThreadPoolMaxSize}) must not be below checkThreadPoolMinSize (${checkThreadPoolMinSize})`
      )
    }
    this.#listener = transactionListener
  }

  override get options(): TransactionProducerConfig {
    return this.#config
  }

  /**
   * Stores a half message, runs the local transaction, and tells the broker how it ended
   * (`impl/producer/DefaultMQProducerImpl.java#sendMessageInTransaction`). A local transaction that throws leaves the state
   * `UNKNOW`, and the error in the result; a half message that is stored less safely than asked for is rolled back, and
   * no local transaction runs.
   *
   * @param message one that is not delayed; the local transaction gets a copy with its `transactionId`
   * @param execute the local transaction; without it that of the listener
   * @param arg given to the local transaction; must not be a function
   * @throws NotSupportedError when the broker has no transactions
   * @throws SendError and whatever else `send` throws, when the half message was not stored: no local transaction ran
   */
  sendMessageInTransaction<A>(
    message: Sendable<Body>,
    execute: ExecuteLocalTransaction<A, Promised<LocalTransactionOutcome>>,
    arg: A
  ): Promise<TransactionSendResult>
  sendMessageInTransaction<A>(
    message: Sendable<Body>,
    execute: ExecuteLocalTransaction<A>,
    arg: A
  ): Promise<TransactionSendResult>
  sendMessageInTransaction(
    message: Sendable<Body>,
    execute: ExecuteLocalTransaction<undefined, Promised<LocalTransactionOutcome>>
  ): Promise<TransactionSendResult>
  sendMessageInTransaction(
    message: Sendable<Body>,
    execute: ExecuteLocalTransaction<undefined>
  ): Promise<TransactionSendResult>
  sendMessageInTransaction(message: Sendable<Body>, arg?: TransactionArgument): Promise<TransactionSendResult>
  sendMessageInTransaction(message: Sendable<Body>, first?: unknown, arg?: unknown): Promise<TransactionSendResult> {
    const transaction =
      typeof first === 'function'
        ? this.#transact(message, first as ExecuteLocalTransaction, arg)
        : this.#transact(message, this.#listener.executeLocalTransaction?.bind(this.#listener), first)
    const ended: Promise<unknown> = transaction.then(
      () => this.#running.delete(ended),
      () => this.#running.delete(ended)
    )
    this.#running.add(ended)
    return transaction
  }

  /** Adds a hook that is told how transactions end; see {@link EndTransactionHook}. */
  registerEndTransactionHook(hook: EndTransactionHook): void {
    this.hooks.addEndTransactionHook(hook)
  }

  protected override onStart(context: SendContext): void {
    const { instance, config } = context
    this.#context = context
    const { report } = instance
    this.#checks = new TransactionChecks(this.#config, check => this.#check(context, check), report)
    instance.transactionChecks.set(config.producerGroup, check => this.#checks!.add(check))
  }

  /** Brokers must hear of the transactions that were begun while there is still a connection. */
  protected override async onEnd({ instance, config }: SendContext, signal: AbortSignal | undefined): Promise<void> {
    instance.transactionChecks.delete(config.producerGroup)
    const ended = Promise.all([this.#checks!.end(), ...this.#running])
    // Aborted or not, the rest of the shutdown is the same.
    await abortable('waiting for local transactions', ended, signal).catch(() => undefined)
  }

  async #transact(
    given: Sendable<Body>,
    execute: ExecuteLocalTransaction | undefined,
    arg: unknown
  ): Promise<TransactionSendResult> {
    if (execute === undefined) {
      throw new InvalidArgumentError('there is no local transaction: give a function, or a listener that has one')
    }
    const message = toMessage(given, this.#config.serializer)
    if (message.delayed) throw new InvalidArgumentError('messages of transactions cannot be delayed')
    const half = withProperties(message, {
      [MessageConst.TRANSACTION_PREPARED]: 'true',
      // As it is on the wire, in its namespace.
      [MessageConst.PRODUCER_GROUP]: super.options.producerGroup
    })
    const sent = await this.send(half)
    const context = this.#context!
    this.#greet(context, half.topic)
    half.transactionId = sent.transactionId === '' ? sent.msgId : sent.transactionId
    const { state, error } = await this.#execute(half, sent, execute, arg)
    try {
      this.#endTransaction(context, half, sent, state, error)
    } catch (failure) {
      context.instance.report(toError(failure), `ending the transaction ${sent.transactionId} with ${state}`)
    }
    return { ...sent, localTransactionState: state, localTransactionError: error }
  }

  async #execute(
    half: Message,
    { sendStatus }: SendResult,
    execute: ExecuteLocalTransaction,
    arg: unknown
  ): Promise<Ended> {
    if (sendStatus !== SendStatus.SEND_OK) return { state: LocalTransactionState.ROLLBACK_MESSAGE, error: undefined }
    return outcomeOf('the local transaction', () => execute(half, arg))
  }

  /** `impl/producer/DefaultMQProducerImpl.java#endTransaction`. */
  #endTransaction(
    context: SendContext,
    half: Message,
    sent: SendResult,
    state: LocalTransactionState,
    error: Error | undefined
  ): void {
    const { instance, config, table } = context
    const { brokerName } = sent.messageQueue
    const address = instance.routes.masterAddress(brokerName)
    if (address === undefined) throw new RouteError(`the broker ${brokerName} is not known any more; it will ask`)
    const header: EndTransactionHeader = {
      topic: table.wireTopic(half.topic),
      producerGroup: config.producerGroup,
      tranStateTableOffset: sent.queueOffset,
      commitLogOffset: decodeOffsetMessageId(sent.offsetMsgId).commitLogOffset,
      commitOrRollback: commitOrRollback(state),
      fromTransactionCheck: false,
      msgId: sent.msgId,
      transactionId: sent.transactionId,
      bname: brokerName
    }
    const remark = error === undefined ? undefined : `executeLocalTransactionBranch exception: ${String(error)}`
    tellEnd(context, address, header, half, state)
    instance.brokerApi.endTransaction(address, header, remark)
  }

  /**
   * `impl/producer/DefaultMQProducerImpl.java#checkTransactionState`. Java gives back the topic that the check names, which is that
   * of all half messages: a broker with authorization ignores the end then, unless one may send to that. This names the
   * message's own, as an end without a check does.
   */
  async #check(context: SendContext, check: TransactionCheck): Promise<void> {
    const { instance, config } = context
    const { address, tranStateTableOffset, commitLogOffset, transactionId, bname } = check
    const { namespace } = config
    const { storedTopic } = check.message
    const message =
      namespace === undefined ? check.message : check.message.withTopic(withoutNamespace(namespace, storedTopic))
    const { state, error } = await outcomeOf('checkLocalTransaction', () =>
      this.#listener.checkLocalTransaction(message)
    )
    if (error !== undefined) instance.report(error, `checkLocalTransaction of ${message.msgId}`)
    const header: EndTransactionHeader = {
      topic: storedTopic,
      producerGroup: config.producerGroup,
      tranStateTableOffset,
      commitLogOffset,
      commitOrRollback: commitOrRollback(state),
      fromTransactionCheck: true,
      msgId: message.msgId,
      transactionId,
      bname
    }
    const remark = error === undefined ? undefined : `checkLocalTransactionState Exception: ${simpleDescription(error)}`
    tellEnd(context, address, header, message, state)
    instance.brokerApi.endTransaction(address, header, remark)
  }

  /** A broker that is to ask must know who belongs to the group; without this it learns by the next regular heartbeat. */
  #greet(context: SendContext, topic: string): void {
    if (this.#greeted.has(topic)) return
    this.#greeted.add(topic)
    greetBrokersOf(context, topic).catch((error: unknown) => context.instance.report(toError(error), 'a heartbeat'))
  }
}

/** `impl/producer/DefaultMQProducerImpl.java#doExecuteEndTransactionHook`. */
function tellEnd(
  { hooks, instance, config }: SendContext,
  brokerAddr: string,
  { msgId, transactionId, fromTransactionCheck }: EndTransactionHeader,
  message: Message | MessageExt,
  transactionState: LocalTransactionState
): void {
  if (!hooks.anyEndTransaction) return
  const { producerGroup } = config
  hooks.endTransaction(
    { producerGroup, message, brokerAddr, msgId, transactionId, transactionState, fromTransactionCheck },
    instance.report
  )
}

/** What the user's function said; what it threw, and what is no state, stands for `UNKNOW`. */
async function outcomeOf(
  what: string,
  ask: () => LocalTransactionOutcome | Promise<LocalTransactionOutcome>
): Promise<Ended> {
  try {
    const state = (await ask()) ?? undefined
    if (state === undefined) return UNKNOW
    if (Object.values(LocalTransactionState).includes(state)) return { state, error: undefined }
    throw new InvalidArgumentError(`${what} must give a LocalTransactionState, not ${String(state)}`)
  } catch (error) {
    return { state: LocalTransactionState.UNKNOW, error: toError(error) }
  }
}

/** The error and where it was thrown (`common/UtilAll.java#exceptionSimpleDesc`). */
function simpleDescription(error: Error): string {
  const where = error.stack?.split('\n').find(line => /^\s+at /.test(line))
  return where === undefined ? String(error) : `${String(error)}, ${where.trim()}`
}

function readConfig<Body>(options: TransactionProducerOptions<Body>): TransactionProducerConfig {
  return readOptions('TransactionProducer', TRANSACTION_PRODUCER_OPTIONS, options)
}

/** The part that every producer has, once the whole was found good: an error should name the class that was made. */
function withoutTransactionOptions<Body>(options: TransactionProducerOptions<Body>): ProducerOptions<Body> {
  readConfig(options)
  const rest: Record<string, unknown> = { ...options }
  for (const key of Object.keys(TRANSACTION_OPTIONS)) delete rest[key]
  return rest as ProducerOptions<Body>
}

import Long from 'long'
import type { NotSupportedError, RocketMQError, SendAttempt, SendError } from '../errors.js'
import {
  AbortedError,
  BrokerError,
  ClientStateError,
  ConnectionError,
  ProtocolError,
  TimeoutError,
  asRocketMQError
} from '../errors.js'
import type { AbortListener } from '../abort-listeners.js'
import { listenToAbort, stopListening } from '../abort-listeners.js'
import type { ClientInstance } from '../client/client-instance.js'
import { compressBodyAsync } from '../message/compression.js'
import { MessageQueue } from '../message/message-queue.js'
import { COMPRESSION_TYPE_FLAGS, MessageSysFlag } from '../message/sys-flag.js'
import { RequestCode, ResponseCode } from '../remoting/request-code.js'
import type { PendingSend as RemotingPendingSend, RemotingCommand, SendFields } from '../remoting/types.js'
import type { MQFaultStrategy } from '../route/fault-strategy.js'
import type { TopicPublishInfo } from '../route/topic-publish-info.js'
import type { ResultListener } from './callback.js'
import { noteFailure } from './fault-tolerance.js'
import type { ProducerConfig } from './options.js'
import type { HookOwner, ProducerHooks } from './hooks.js'
import type { PublishTable } from './publish-table.js'
import { DEFAULT_REGION, readSendResult } from './send-answer.js'
import type { SendContent } from './send-content.js'
import { isRetryable, sendError } from './send-failure.js'
import type { HeldSend, SendOrder } from './send-order.js'
import type { SendObserver } from './send-observer.js'
import type { SendResult } from './types.js'
import { SendStatus, sendStatusOf } from './types.js'

/** What the sends of a producer share. */
export interface SendContext {
  readonly instance: ClientInstance
  readonly config: ProducerConfig
  readonly table: PublishTable
  /** Only when `sendLatencyFaultEnable` is on. */
  readonly faults: MQFaultStrategy | undefined
  /** Who waits for a large message that is being compressed. */
  readonly order: SendOrder
  readonly hooks: ProducerHooks
  readonly hookOwner: HookOwner
  /** Called at the end of each send. */
  sendEnded(send: PendingSend): void
}

/** Chooses among the queues of a topic; throws when it chooses none of them. */
export type ChooseQueue = (queues: readonly MessageQueue[]) => MessageQueue

/** The queue whose turn it is, for a first attempt (`lastBrokerName` undefined) or a further one. */
function nextQueue(
  { faults }: SendContext,
  info: TopicPublishInfo,
  lastBrokerName?: string,
  resetIndex = false
): MessageQueue {
  if (faults === undefined) return info.selectOneMessageQueue(lastBrokerName)
  return faults.selectOneMessageQueue(info, lastBrokerName, resetIndex)
}

/**
 * One send on its way: the fields of its request, its promise or callback, and what is needed to try again. One object a
 * send, and nothing else: no closure, no timer, no list before something has failed.
 *
 * Retries follow `impl/producer/DefaultMQProducerImpl.java#sendDefaultImpl` for promises and
 * `impl/MQClientAPIImpl.java#onExceptionImpl` for callbacks. Where Java repeats an asynchronous send on another broker
 * under the queue id first chosen, the queue id of the queue chosen anew is used here; where Java chooses again
 * among the queues it knew at first, those that are known by then are used; and where Java ends with
 * `RemotingTooMuchRequestException` because no time is left, the SendError here tells of the attempts that were made.
 */
export class PendingSend implements RemotingPendingSend, SendFields, HeldSend, AbortListener {
  /** Says that the body is compressed until it turns out that it is not. */
  sysFlag: number
  readonly flag: number
  readonly bornTimestampMs: number
  /** Hooks may add to them. */
  properties: SendContent['properties']
  body: Buffer
  readonly reconsumeTimes = 0
  /** Bytes that count as under way, below 0 for a send that is not; for `BackPressure`. */
  admittedBytes = -1
  readonly #context: SendContext
  readonly #topic: string
  readonly #msgId: string
  readonly #uniqueId: string
  readonly #batch: boolean
  readonly #reply: boolean
  readonly #oneway: boolean
  readonly #timeoutMs: number
  readonly #signal: AbortSignal | undefined
  readonly #callback: ResultListener<SendResult> | undefined
  readonly #observer: SendObserver | undefined
  #resolve: ((result: SendResult | undefined) => void) | undefined
  #reject: ((error: RocketMQError) => void) | undefined
  #settled = false
  #compressing = false
  #late = false
  #askedToGo = false
  /** Queues to choose from again; undefined when the caller chose the queue. */
  #info: TopicPublishInfo | undefined
  #choose: ChooseQueue | undefined
  #mq: MessageQueue | undefined
  #attemptStartMs: number
  #attempts: SendAttempt[] | undefined
  /** Stored, but less safe than wanted: given back when no further attempt does better. */
  #notStoreOk: SendResult | undefined
  #routeTimer: NodeJS.Timeout | undefined

  constructor(
    context: SendContext,
    content: SendContent,
    nowMs: number,
    timeoutMs: number,
    signal: AbortSignal | undefined,
    callback: ResultListener<SendResult> | undefined,
    oneway: boolean,
    observer: SendObserver | undefined
  ) {
    this.sysFlag = content.sysFlag
    this.flag = content.flag
    this.bornTimestampMs = nowMs
    this.properties = content.properties
    this.body = content.body
    this.#context = context
    this.#topic = content.topic
    this.#msgId = content.msgId
    this.#uniqueId = content.uniqueId
    this.#batch = content.batch
    this.#reply = content.reply
    this.#oneway = oneway
    this.#timeoutMs = timeoutMs
    this.#signal = signal
    this.#callback = callback
    this.#observer = observer
    this.#attemptStartMs = nowMs
    if (signal !== undefined) listenToAbort(signal, this)
  }

  /** The promise of the result, of nothing for a oneway message; only for sends without a callback, and once. */
  promise(): Promise<SendResult | undefined> {
    return new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
  }

  /**
   * Compresses the body; to be called before the send is started. Never rejects. One that would not get shorter goes as it is,
   * where Java's may get longer than brokers take (`DefaultMQProducerImpl.java#tryToCompressMessage`).
   */
  async compress(): Promise<void> {
    const { compressType, compressLevel } = this.#context.config
    this.#compressing = true
    try {
      const compressed = await compressBodyAsync(compressType, this.body, compressLevel)
      if (compressed.length < this.body.length) this.body = compressed
      else this.sysFlag &= ~(MessageSysFlag.COMPRESSED | COMPRESSION_TYPE_FLAGS[compressType])
    } catch (error) {
      this.fail(asRocketMQError(error))
    }
    this.#compressing = false
    // Not yet held when its route is still being looked for.
    if (this.#mq !== undefined) this.#context.order.release(this.#mq)
  }

  /** Whether the body is as it will be sent (or will not be sent at all). */
  get ready(): boolean {
    return !this.#compressing
  }

  /** Its turn has come, after a wait for its own body or for those before it. */
  go(): void {
    if (!this.#settled) this.#startAttempt(this.#mq!)
  }

  /** Sends to the queue that `choose` names, else to the one whose turn it is; a new topic's route is asked for first. */
  start(choose: ChooseQueue | undefined): void {
    this.#choose = choose
    const info = this.#context.table.get(this.#topic)
    if (info === undefined) this.#awaitRoute()
    else this.#startAmong(info)
  }

  /** Sends to this queue. */
  startTo(mq: MessageQueue): void {
    this.#attempt(mq)
  }

  /** Starts a send that had to wait for its turn: some of its time is over. */
  startLate(mq: MessageQueue | undefined, choose: ChooseQueue | undefined): void {
    this.#late = true
    if (mq === undefined) this.start(choose)
    else this.startTo(mq)
  }

  onSent(
    code: number,
    queueId: number,
    queueOffsetLow: number,
    queueOffsetHigh: number,
    offsetMsgId: string,
    traceOn: boolean,
    regionId: string | undefined
  ): void {
    const mq = this.#mq!
    this.#stored({
      sendStatus: code === ResponseCode.SUCCESS ? SendStatus.SEND_OK : sendStatusOf(code)!,
      msgId: this.#msgId,
      offsetMsgId,
      messageQueue: mq.queueId === queueId ? mq : new MessageQueue(mq.topic, mq.brokerName, queueId),
      queueOffset: new Long(queueOffsetLow, queueOffsetHigh),
      transactionId: this.#uniqueId,
      recallHandle: undefined,
      regionId: regionId ?? DEFAULT_REGION,
      traceOn
    })
  }

  onResponse(response: RemotingCommand): void {
    if (response.code === ResponseCode.GO_AWAY) {
      this.#onGoAway()
      return
    }
    const sendStatus = sendStatusOf(response.code)
    if (sendStatus === undefined) {
      const address = this.#context.instance.routes.masterAddress(this.#mq!.brokerName) ?? this.#mq!.brokerName
      this.onFailed(new BrokerError(response.code, response.remark, address, this.#requestCode()))
      return
    }
    const result = readSendResult(response.extFields, sendStatus, this.#mq!, this.#msgId)
    if (result instanceof ProtocolError) this.onFailed(result)
    else this.#stored(result)
  }

  /**
   * The broker is about to go and wants another connection, which the channel makes: sent there once more, as part of the
   * same attempt. A second time it is a failure of the transport (`remoting/netty/NettyRemotingClient.java#invokeImpl`).
   */
  #onGoAway(): void {
    const mq = this.#mq!
    const address = this.#context.instance.routes.masterAddress(mq.brokerName)
    if (this.#askedToGo || address === undefined) {
      this.onFailed(new ConnectionError(`broker ${mq.brokerName} is going away (GO_AWAY)`, address ?? ''))
      return
    }
    if (this.#settled) return
    this.#askedToGo = true
    const leftMs = this.#leftMs(Date.now())
    if (leftMs <= 0) this.#noTimeLeft(Date.now())
    else this.#hand(mq, address, this.#limitToRequest(leftMs))
  }

  onFailed(error: RocketMQError): void {
    if (this.#settled) return
    const nowMs = Date.now()
    const { faults, table } = this.#context
    if (faults !== undefined) {
      const { brokerName } = this.#mq!
      noteFailure(faults, brokerName, nowMs - this.#attemptStartMs, error, this.#callback !== undefined)
    }
    if (error instanceof ConnectionError) table.refresh(this.#topic)
    this.#attemptFailed(error, nowMs)
  }

  /** The master of the broker is not known, and name servers did not tell. */
  #lookupFailed(error: RocketMQError): void {
    if (this.#settled) return
    this.#noteEnd()
    this.#attemptFailed(error, Date.now())
  }

  #attemptFailed(error: RocketMQError, nowMs: number): void {
    const { brokerName, queueId } = this.#mq!
    if (this.#observer !== undefined) this.#observer.attemptEnded(error, undefined)
    clearTimeout(this.#routeTimer)
    this.#attempts ??= []
    this.#attempts.push({ brokerName, queueId, durationMs: nowMs - this.#attemptStartMs, error })
    if (this.#mayRetry(error, nowMs)) this.#retry(nowMs)
    else if (this.#notStoreOk !== undefined) this.#succeed(this.#notStoreOk)
    else this.fail(error instanceof ClientStateError ? error : this.#sendError(nowMs))
  }

  /** Ends the send with an error. */
  fail(error: RocketMQError): void {
    if (this.#settled) return
    this.#end(error, undefined)
    if (this.#callback === undefined) this.#reject!(error)
    else this.#callback.tell(error, undefined)
  }

  /** The signal fired. */
  handleAbort(): void {
    this.#noteEnd()
    this.fail(new AbortedError(`the send to topic ${this.#topic}`, this.#signal!))
  }

  #startAmong(info: TopicPublishInfo): void {
    if (this.#choose === undefined) {
      this.#info = info
      this.#attempt(nextQueue(this.#context, info))
      return
    }
    let mq: MessageQueue
    try {
      mq = this.#choose(info.messageQueues)
    } catch (error) {
      this.fail(asRocketMQError(error))
      return
    }
    this.#attempt(mq)
  }

  #attempt(mq: MessageQueue): void {
    this.#mq = mq
    const { order } = this.#context
    if (this.#compressing || (!order.empty && order.holds(mq))) {
      this.#limitWait()
      order.hold(mq, this)
    } else {
      this.#startAttempt(mq)
    }
  }

  #startAttempt(mq: MessageQueue): void {
    const { instance, table } = this.#context
    const address = instance.routes.masterAddress(mq.brokerName)
    if (address === undefined) {
      this.#limitWait()
      instance.masterAddress(table.wireQueue(mq)).then(
        found => this.#send(mq, found, Date.now()),
        (error: unknown) => this.#lookupFailed(asRocketMQError(error))
      )
      return
    }
    if (this.#attempts === undefined && this.#routeTimer === undefined && !this.#late) {
      this.#hand(mq, address, this.#firstTimeoutMs())
    } else {
      this.#send(mq, address, Date.now())
    }
  }

  /** Any attempt but the first of a send that had to wait for nothing. */
  #send(mq: MessageQueue, address: string, nowMs: number): void {
    if (this.#settled) return
    clearTimeout(this.#routeTimer)
    const leftMs = this.#leftMs(nowMs)
    if (leftMs <= 0) {
      this.#noTimeLeft(nowMs)
      return
    }
    this.#attemptStartMs = nowMs
    this.#hand(mq, address, this.#limitToRequest(leftMs))
  }

  #hand(mq: MessageQueue, address: string, timeoutMs: number): void {
    const { instance, table } = this.#context
    try {
      const to = instance.sendAddress(address)
      if (this.#observer !== undefined) this.properties = this.#observer.attempt(mq, to, this.body.length)
      const template = table.template(mq, this.#batch, this.#reply)
      if (this.#oneway) instance.remoting.sendOneway(to, template, this)
      else instance.remoting.send(to, template, this, timeoutMs, this)
    } catch (error) {
      if (this.#notStoreOk === undefined) this.fail(asRocketMQError(error))
      else this.#succeed(this.#notStoreOk)
      return
    }
    if (this.#oneway) this.#succeed(undefined)
  }

  /** An attempt ended, well or because nobody waits any more. */
  #noteEnd(): void {
    const { faults } = this.#context
    if (faults === undefined || this.#mq === undefined) return
    faults.updateFaultItem(this.#mq.brokerName, Date.now() - this.#attemptStartMs, false, true)
  }

  #requestCode(): number {
    if (this.#reply) return RequestCode.SEND_REPLY_MESSAGE_V2
    return this.#batch ? RequestCode.SEND_BATCH_MESSAGE : RequestCode.SEND_MESSAGE_V2
  }

  #retry(nowMs: number): void {
    this.#askedToGo = false
    const lastBrokerName = this.#mq!.brokerName
    const info = this.#context.table.get(this.#topic) ?? this.#info
    if (this.#info === undefined || info === undefined) {
      this.#attempt(this.#mq!)
      return
    }
    this.#attemptStartMs = nowMs
    this.#attempt(nextQueue(this.#context, info, lastBrokerName, this.#callback === undefined))
  }

  #mayRetry(error: RocketMQError, nowMs: number): boolean {
    if (this.#leftMs(nowMs) <= 0 || this.#attempts!.length > this.#retryTimes()) return false
    return isRetryable(error, this.#context.config, this.#callback !== undefined)
  }

  /** How many attempts may follow the first. Without a callback a queue chosen by the caller gets one attempt, as in Java. */
  #retryTimes(): number {
    const { retryTimesWhenSendFailed, retryTimesWhenSendAsyncFailed } = this.#context.config
    if (this.#callback !== undefined) return retryTimesWhenSendAsyncFailed
    return this.#info === undefined || this.#oneway ? 0 : retryTimesWhenSendFailed
  }

  #leftMs(nowMs: number): number {
    return this.bornTimestampMs + this.#timeoutMs - nowMs
  }

  #firstTimeoutMs(): number {
    const { sendMsgMaxTimeoutPerRequest } = this.#context.config
    return sendMsgMaxTimeoutPerRequest < 0 ? this.#timeoutMs : this.#limitToRequest(this.#timeoutMs)
  }

  #limitToRequest(leftMs: number): number {
    const { sendMsgMaxTimeoutPerRequest } = this.#context.config
    const canRetryAgain = (this.#attempts?.length ?? 0) < this.#retryTimes()
    return sendMsgMaxTimeoutPerRequest >= 0 && canRetryAgain ? Math.min(leftMs, sendMsgMaxTimeoutPerRequest) : leftMs
  }

  #noTimeLeft(nowMs: number): void {
    if (this.#notStoreOk !== undefined) this.#succeed(this.#notStoreOk)
    else if (this.#attempts !== undefined) this.fail(this.#sendError(nowMs))
    else this.fail(new TimeoutError(`the send to topic ${this.#topic} ${this.#hindrance()}`, this.#timeoutMs))
  }

  /** What a send that was handed to no broker has waited for. */
  #hindrance(): string {
    const { nameServerApi, routes } = this.#context.instance
    const mq = this.#mq
    const within = `within ${this.#timeoutMs} ms`
    if (mq === undefined) return `found no route ${within}: ${nameServerApi.awaited}`
    const what = `could not be handed to broker ${mq.brokerName} ${within}`
    return routes.masterAddress(mq.brokerName) === undefined
      ? `${what}, whose address is not known: ${nameServerApi.awaited}`
      : what
  }

  #sendError(nowMs: number): SendError | NotSupportedError {
    return sendError(this.#topic, this.#attempts!, nowMs - this.bornTimestampMs)
  }

  #awaitRoute(): void {
    this.#limitWait()
    this.#context.table.find(this.#topic).then(
      info => this.#settled || this.#routeFound(info),
      (error: unknown) => this.fail(asRocketMQError(error))
    )
  }

  #routeFound(info: TopicPublishInfo): void {
    clearTimeout(this.#routeTimer)
    this.#startAmong(info)
  }

  /** Lookups of routes and compression take their own time; the send ends in time even so. */
  #limitWait(): void {
    clearTimeout(this.#routeTimer)
    const nowMs = Date.now()
    this.#routeTimer = setTimeout(() => this.#noTimeLeft(Date.now()), Math.max(0, this.#leftMs(nowMs)))
  }

  #stored(result: SendResult): void {
    if (this.#settled) return
    this.#noteEnd()
    if (result.sendStatus !== SendStatus.SEND_OK && this.#mayStoreElsewhere()) {
      this.#notStoreOk = result
      if (this.#observer !== undefined) this.#observer.attemptEnded(undefined, result)
      const error = new ProtocolError(`broker ${result.messageQueue.brokerName} stored it with ${result.sendStatus}`)
      this.#attemptFailed(error, Date.now())
      return
    }
    this.#succeed(result)
  }

  #mayStoreElsewhere(): boolean {
    const { retryAnotherBrokerWhenNotStoreOK } = this.#context.config
    return retryAnotherBrokerWhenNotStoreOK && this.#callback === undefined && this.#info !== undefined
  }

  #succeed(result: SendResult | undefined): void {
    this.#end(undefined, result)
    if (this.#callback === undefined) this.#resolve!(result)
    else this.#callback.tell(undefined, result)
  }

  #end(error: RocketMQError | undefined, result: SendResult | undefined): void {
    this.#settled = true
    if (this.#observer !== undefined) this.#observer.ended(error, result)
    if (this.#signal !== undefined) stopListening(this.#signal, this)
    if (this.#routeTimer !== undefined) clearTimeout(this.#routeTimer)
    this.#context.sendEnded(this)
  }
}

import Long from 'long'
import type { RocketMQError, SendAttempt } from '../errors.js'
import {
  AbortedError,
  BrokerError,
  BusyError,
  ClientStateError,
  ConnectionError,
  ProtocolError,
  RouteError,
  SendError,
  TimeoutError,
  asRocketMQError
} from '../errors.js'
import type { ClientInstance } from '../client/client-instance.js'
import { MessageQueue } from '../message/message-queue.js'
import { RequestCode, ResponseCode } from '../remoting/request-code.js'
import type { PendingSend as RemotingPendingSend, RemotingCommand, SendFields } from '../remoting/types.js'
import type { TopicPublishInfo } from '../route/topic-publish-info.js'
import type { ProducerConfig } from './options.js'
import type { PublishTable } from './publish-table.js'
import type { SendContent } from './send-content.js'
import type { SendCallback, SendResult } from './types.js'
import { SendStatus, sendStatusOf } from './types.js'

/** What the sends of a producer share. */
export interface SendContext {
  readonly instance: ClientInstance
  readonly config: ProducerConfig
  readonly table: PublishTable
  /** Called at the end of each send. */
  sendEnded(): void
}

/** Chooses among the queues of a topic; throws when it chooses none of them. */
export type ChooseQueue = (queues: readonly MessageQueue[]) => MessageQueue

const DEFAULT_REGION = 'DefaultRegion'

/**
 * One send on its way: the fields of its request, its promise or callback, and what is needed to try again. One object a
 * send, and nothing else: no closure, no timer, no list before something has failed.
 *
 * Retries follow `impl/producer/DefaultMQProducerImpl.java#sendDefaultImpl` for promises and
 * `impl/MQClientAPIImpl.java#onExceptionImpl` for callbacks. Where Java repeats an asynchronous send on another broker
 * under the queue id first chosen, the queue id of the queue chosen anew is used here.
 */
export class PendingSend implements RemotingPendingSend, SendFields {
  readonly sysFlag: number
  readonly flag: number
  readonly bornTimestampMs: number
  readonly properties: string
  readonly body: Buffer
  readonly reconsumeTimes = 0
  readonly #context: SendContext
  readonly #topic: string
  readonly #msgId: string
  readonly #uniqueId: string
  readonly #batch: boolean
  readonly #timeoutMs: number
  readonly #signal: AbortSignal | undefined
  readonly #callback: SendCallback | undefined
  #resolve: ((result: SendResult) => void) | undefined
  #reject: ((error: RocketMQError) => void) | undefined
  #settled = false
  /** A broker that goes away was asked once more. */
  #wentAway = false
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
    callback: SendCallback | undefined
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
    this.#timeoutMs = timeoutMs
    this.#signal = signal
    this.#callback = callback
    this.#attemptStartMs = nowMs
    signal?.addEventListener('abort', this, { once: true })
  }

  /** The promise of the result; only for sends without a callback, and once. */
  promise(): Promise<SendResult> {
    return new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
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
    const sendStatus = sendStatusOf(response.code)
    if (sendStatus === undefined) {
      const address = this.#context.instance.routes.masterAddress(this.#mq!.brokerName) ?? this.#mq!.brokerName
      if (response.code === ResponseCode.GO_AWAY && !this.#wentAway) {
        this.#goAway(address)
        return
      }
      const code = this.#batch ? RequestCode.SEND_BATCH_MESSAGE : RequestCode.SEND_MESSAGE_V2
      this.onFailed(new BrokerError(response.code, response.remark, address, code))
      return
    }
    const { msgId, queueId, queueOffset, transactionId, recallHandle, batchUniqId, MSG_REGION, TRACE_ON } =
      response.extFields
    const mq = this.#mq!
    if (msgId === undefined || queueId === undefined || queueOffset === undefined) {
      this.onFailed(new ProtocolError(`broker ${mq.brokerName} answered a send without msgId, queueId or queueOffset`))
      return
    }
    this.#stored({
      sendStatus,
      msgId: batchUniqId ?? this.#msgId,
      offsetMsgId: msgId,
      messageQueue: new MessageQueue(mq.topic, mq.brokerName, Number(queueId)),
      queueOffset: Long.fromString(queueOffset),
      transactionId: transactionId ?? '',
      recallHandle,
      regionId: MSG_REGION === undefined || MSG_REGION === '' ? DEFAULT_REGION : MSG_REGION,
      traceOn: TRACE_ON !== 'false'
    })
  }

  onFailed(error: RocketMQError): void {
    if (this.#settled) return
    const nowMs = Date.now()
    const { brokerName, queueId } = this.#mq!
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
    this.#end()
    if (this.#callback === undefined) this.#reject!(error)
    else tell(this.#callback, error, undefined)
  }

  /** The signal fired (an AbortSignal calls this). */
  handleEvent(): void {
    this.fail(new AbortedError(`the send to topic ${this.#topic}`, this.#signal!))
  }

  /** The broker wants another connection: once more, over that (`remoting/netty/NettyRemotingClient.java#invokeImpl`). */
  #goAway(address: string): void {
    const { instance } = this.#context
    this.#wentAway = true
    instance.remoting.reconnect(instance.sendAddress(address))
    this.#send(this.#mq!, address, Date.now())
  }

  #startAmong(info: TopicPublishInfo): void {
    if (this.#choose === undefined) {
      this.#info = info
      this.#attempt(info.selectOneMessageQueue())
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
    const { instance } = this.#context
    const address = instance.routes.masterAddress(mq.brokerName)
    if (address === undefined) {
      this.#limitLookup()
      instance.masterAddress(mq).then(
        found => this.#send(mq, found, Date.now()),
        (error: unknown) => this.onFailed(asRocketMQError(error))
      )
      return
    }
    if (this.#attempts === undefined && this.#routeTimer === undefined) {
      this.#hand(mq, address, this.#firstTimeoutMs())
    } else {
      this.#send(mq, address, Date.now())
    }
  }

  /** Any attempt that is not the first of a send whose route was known. */
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
      instance.remoting.send(instance.sendAddress(address), table.template(mq, this.#batch), this, timeoutMs, this)
    } catch (error) {
      this.fail(asRocketMQError(error))
    }
  }

  #retry(nowMs: number): void {
    const lastBrokerName = this.#mq!.brokerName
    const info = this.#context.table.get(this.#topic) ?? this.#info
    if (this.#info === undefined || info === undefined) {
      this.#attempt(this.#mq!)
      return
    }
    this.#attemptStartMs = nowMs
    this.#attempt(info.selectOneMessageQueue(lastBrokerName))
  }

  #mayRetry(error: RocketMQError, nowMs: number): boolean {
    if (this.#leftMs(nowMs) <= 0 || this.#attempts!.length > this.#retryTimes()) return false
    if (error instanceof ConnectionError || error instanceof TimeoutError) return true
    if (this.#callback !== undefined) return false
    if (error instanceof BrokerError) return this.#context.config.retryResponseCodes.has(error.responseCode)
    return error instanceof BusyError || error instanceof ProtocolError || error instanceof RouteError
  }

  /** How many attempts may follow the first. A promise for a queue chosen by the caller gets one attempt, as in Java. */
  #retryTimes(): number {
    const { retryTimesWhenSendFailed, retryTimesWhenSendAsyncFailed } = this.#context.config
    if (this.#callback !== undefined) return retryTimesWhenSendAsyncFailed
    return this.#info === undefined ? 0 : retryTimesWhenSendFailed
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
    else this.fail(new TimeoutError(`the send to topic ${this.#topic} found no route in time`, this.#timeoutMs))
  }

  #sendError(nowMs: number): SendError {
    const attempts = this.#attempts!
    const brokers = attempts.map(attempt => attempt.brokerName).join(', ')
    const costMs = nowMs - this.bornTimestampMs
    const last = attempts.at(-1)!.error
    return new SendError(
      `sent ${attempts.length} times, still failed, cost ${costMs} ms, topic ${this.#topic}, brokers ${brokers}: ${last.message}`,
      this.#topic,
      attempts
    )
  }

  #awaitRoute(): void {
    this.#limitLookup()
    this.#context.table.find(this.#topic).then(
      info => this.#settled || this.#routeFound(info),
      (error: unknown) => this.fail(asRocketMQError(error))
    )
  }

  #routeFound(info: TopicPublishInfo): void {
    clearTimeout(this.#routeTimer)
    this.#startAmong(info)
  }

  /** Lookups of routes take their own time; the send ends in time even so. */
  #limitLookup(): void {
    clearTimeout(this.#routeTimer)
    const nowMs = Date.now()
    this.#routeTimer = setTimeout(() => this.#noTimeLeft(Date.now()), Math.max(0, this.#leftMs(nowMs)))
  }

  #stored(result: SendResult): void {
    if (this.#settled) return
    if (result.sendStatus !== SendStatus.SEND_OK && this.#mayStoreElsewhere()) {
      this.#notStoreOk = result
      const error = new ProtocolError(`broker ${result.messageQueue.brokerName} stored it with ${result.sendStatus}`)
      this.onFailed(error)
      return
    }
    this.#succeed(result)
  }

  #mayStoreElsewhere(): boolean {
    const { retryAnotherBrokerWhenNotStoreOK } = this.#context.config
    return retryAnotherBrokerWhenNotStoreOK && this.#callback === undefined && this.#info !== undefined
  }

  #succeed(result: SendResult): void {
    this.#end()
    if (this.#callback === undefined) this.#resolve!(result)
    else tell(this.#callback, undefined, result)
  }

  #end(): void {
    this.#settled = true
    if (this.#signal !== undefined) this.#signal.removeEventListener('abort', this)
    if (this.#routeTimer !== undefined) clearTimeout(this.#routeTimer)
    this.#context.sendEnded()
  }
}

/** Calls a callback of the user's; what it throws is the user's uncaught exception, not ours. */
export function tell(callback: SendCallback, error: RocketMQError | undefined, result: SendResult | undefined): void {
  try {
    callback(error, result)
  } catch (thrown) {
    process.nextTick(() => {
      throw thrown
    })
  }
}

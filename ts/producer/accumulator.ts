import { abortable } from '../client/abortable.js'
import { checkMessage } from '../client/validators.js'
import type { RocketMQError } from '../errors.js'
import { AbortedError, SendError, asRocketMQError } from '../errors.js'
import { BatchEncoder, batchBytesAtMost, messagesOf } from '../message/batch.js'
import { createUniqueId, nextUniqueCount, uniqueIdHead } from '../message/message-id.js'
import type { MessageQueue } from '../message/message-queue.js'
import { Message } from '../message/message.js'
import { MAX_PROPERTIES_BYTES, MessageConst } from '../message/properties.js'
import { checkedPropertiesRest } from '../message/sent-properties.js'
import { ResponseCode } from '../remoting/request-code.js'
import { AccumulatedBatch } from './accumulated-batch.js'
import type { ResultListener } from './callback.js'
import type { ProducerConfig } from './options.js'
import type { SendArguments } from './send-arguments.js'
import type { SendContent } from './send-content.js'
import { inNamespace } from './send-content.js'
import type { SendResult } from './types.js'

/** Sends a batch; to a queue in turn when none is given. Returns a promise when there is no callback. */
export type SendBatch = (
  content: SendContent,
  nowMs: number,
  mq: MessageQueue | undefined,
  callback: ResultListener<SendResult> | undefined
) => Promise<SendResult> | undefined

/** So many batches of a kind may be on their way before a batch that is not full waits for one of them. */
const MAX_UNDER_WAY = 4
/** Kinds that are remembered although nothing of them is on its way. */
const MAX_IDLE_LANES = 1_024
const SPARE_ENCODERS = 8
/** The properties of a batch have the keys of all its messages; with this and its tags they stay what can be sent. */
const MAX_KEYS_BYTES = MAX_PROPERTIES_BYTES / 2
/** Longer tags would leave too little room for the keys. */
const MAX_TAGS_LENGTH = 1_024

/**
 * Messages of one kind, which may travel together: those with equal topic, chosen queue, tags and waitStoreMsgOK, sent for
 * promises or with callbacks (`ProduceAccumulator.java#AggregateKey`). Equal tags, because a topic with queues of type
 * BatchCQ filters whole batches.
 */
class Lane {
  open: AccumulatedBatch | undefined
  underWay = 0
  holdTimer: NodeJS.Timeout | undefined
  scheduled = false

  constructor(
    readonly key: string,
    readonly topic: string,
    readonly mq: MessageQueue | undefined,
    readonly tags: string | undefined,
    readonly waitStoreMsgOK: boolean,
    readonly forCallbacks: boolean
  ) {}

  takes(message: Message, mq: MessageQueue | undefined, forCallbacks: boolean): boolean {
    return (
      this.topic === message.topic &&
      this.tags === message.tags &&
      this.mq === mq &&
      this.forCallbacks === forCallbacks &&
      this.waitStoreMsgOK === message.waitStoreMsgOK
    )
  }
}

/** Whether a broker says that a message is at fault, not the topic or itself. */
function isOfOneMessage(error: RocketMQError): boolean {
  return error instanceof SendError && error.responseCode === ResponseCode.MESSAGE_ILLEGAL
}

/**
 * Gathers messages into batches (`client/producer/ProduceAccumulator.java`). Where Apache's holds every message for up to
 * `batchMaxDelayMs`, here the work in progress is the window: what is sent in one tick travels together, and while
 * {@link MAX_UNDER_WAY} batches of a kind are on their way what is sent meanwhile does, until one of them is answered or
 * `batchMaxDelayMs` is over. A batch that is full leaves at once.
 */
export class Accumulator {
  readonly #config: ProducerConfig
  /** What a batch may take; brokers hold it against their limit for one message. */
  readonly #maxBytes: number
  /** Bodies from this size on go by themselves. */
  readonly #maxBodyBytes: number
  readonly #sendBatch: SendBatch
  readonly #lanes = new Map<string, Lane>()
  readonly #encoders: BatchEncoder[] = []
  /** Chosen queues, and where the last message for each of them is. */
  readonly #laneOfQueue = new Map<string, Lane>()
  #lastLane: Lane | undefined
  #scheduled: Lane[] = []
  #batchedBytes = 0

  constructor(config: ProducerConfig, sendBatch: SendBatch) {
    this.#config = config
    this.#maxBytes = Math.min(config.batchMaxBytes, config.maxMessageSize)
    this.#maxBodyBytes = Math.min(config.compressMsgBodyOverHowmuch, this.#maxBytes / 2)
    this.#sendBatch = sendBatch
  }

  /**
   * Whether a message may travel with others (`DefaultMQProducer.java#canBatch`). By themselves go, besides: those that are
   * large enough to be compressed, as batches are not, or to fill half a batch; those with a priority, which brokers look for
   * in single messages only; replies, which are requests of another kind; those with a timeout of their own
   * (`DefaultMQProducer.java#send(Message, long)`).
   */
  accepts(message: Message, { timeoutMs }: SendArguments): boolean {
    return (
      timeoutMs === undefined &&
      message.body.length < this.#maxBodyBytes &&
      this.#batchedBytes < this.#config.totalBatchMaxBytes &&
      !message.delayed &&
      message.priority < 0 &&
      (message.tags === undefined || message.tags.length < MAX_TAGS_LENGTH) &&
      !message.topic.startsWith('%RETRY%') &&
      message.getProperty(MessageConst.PRODUCER_GROUP) === undefined &&
      message.getProperty(MessageConst.MESSAGE_TYPE) === undefined
    )
  }

  /**
   * Sends a message with others of its kind. Returns the promise of its result, undefined with a callback. A signal ends
   * the wait for the result; the message goes its way.
   *
   * @param mq undefined for a queue in turn
   * @throws InvalidArgumentError when the message is not acceptable, AbortedError when the signal has fired before
   */
  send(
    message: Message,
    nowMs: number,
    mq: MessageQueue | undefined,
    { signal, callback: listener }: SendArguments
  ): Promise<SendResult> | undefined {
    if (signal === undefined) return this.#add(message, nowMs, mq, listener)
    const what = `the send to topic ${message.topic}`
    if (signal.aborted) throw new AbortedError(what, signal)
    if (listener === undefined) return abortable(what, this.#add(message, nowMs, mq, undefined)!, signal)
    const result = new Promise<SendResult>((resolve, reject) => {
      const tell = (error: RocketMQError | undefined, sent: SendResult | undefined): void =>
        sent === undefined ? reject(error!) : resolve(sent)
      this.#add(message, nowMs, mq, { tell })
    })
    abortable(what, result, signal).then(
      sent => listener.tell(undefined, sent),
      (error: unknown) => listener.tell(asRocketMQError(error), undefined)
    )
    return undefined
  }

  #add(
    message: Message,
    nowMs: number,
    mq: MessageQueue | undefined,
    callback: ResultListener<SendResult> | undefined
  ): Promise<SendResult> | undefined {
    const { maxMessageSize, batchMaxMessages } = this.#config
    checkMessage(message, maxMessageSize)
    const properties = checkedPropertiesRest(message)
    const idHead = uniqueIdHead(nowMs)
    const count = nextUniqueCount()
    const lane = this.#lane(message, mq, callback !== undefined)
    const bytes = batchBytesAtMost(message, properties)
    const { keys } = message
    if (lane.open !== undefined && lane.open.encoder.used + bytes > this.#maxBytes) this.#launch(lane)
    if (keys !== undefined && lane.open !== undefined && lane.open.keysBytesAtMost(keys) > MAX_KEYS_BYTES) {
      this.#launch(lane)
    }
    const batch = (lane.open ??= this.#newBatch(nowMs))
    batch.encoder.append(message, idHead, count, properties)
    if (keys !== undefined) batch.addKeys(keys)
    const promise = batch.add(idHead, count, callback)
    if (batch.count >= batchMaxMessages || batch.encoder.used >= this.#maxBytes) this.#launch(lane)
    else if (!lane.scheduled) this.#schedule(lane)
    return promise
  }

  /** Sends all that is held. */
  flush(): void {
    for (const lane of this.#lanes.values()) if (lane.open !== undefined) this.#launch(lane)
  }

  /** Sends what is held for queues that were chosen, so that a message sent there by itself does not overtake it. */
  flushChosenQueues(): void {
    for (const lane of this.#laneOfQueue.values()) if (lane.open !== undefined) this.#launch(lane)
  }

  #lane(message: Message, mq: MessageQueue | undefined, forCallbacks: boolean): Lane {
    const last = this.#lastLane
    if (last?.takes(message, mq, forCallbacks) === true) return last
    const { topic, tags = '', waitStoreMsgOK } = message
    const key = `${mq?.key ?? topic}\u0001${tags}\u0001${waitStoreMsgOK}\u0001${forCallbacks}`
    let lane = this.#lanes.get(key)
    if (lane === undefined) {
      lane = new Lane(key, topic, mq, message.tags, waitStoreMsgOK, forCallbacks)
      this.#lanes.set(key, lane)
    }
    this.#lastLane = lane
    if (mq !== undefined) this.#keepOrder(mq.key, lane)
    return lane
  }

  /** Of the lanes to a chosen queue only one has an open batch, so that messages for it leave in the order of their sends. */
  #keepOrder(queue: string, lane: Lane): void {
    const before = this.#laneOfQueue.get(queue)
    if (before === lane) return
    if (before?.open !== undefined) this.#launch(before)
    this.#laneOfQueue.set(queue, lane)
  }

  #newBatch(nowMs: number): AccumulatedBatch {
    return new AccumulatedBatch(nowMs, this.#encoders.pop() ?? new BatchEncoder(this.#maxBytes))
  }

  /** Looks at the lane again when everything that is about to run has run. */
  #schedule(lane: Lane): void {
    lane.scheduled = true
    if (this.#scheduled.push(lane) === 1) queueMicrotask(() => this.#launchScheduled())
  }

  #launchScheduled(): void {
    const lanes = this.#scheduled
    this.#scheduled = []
    for (const lane of lanes) {
      lane.scheduled = false
      if (lane.open === undefined) continue
      if (lane.underWay < MAX_UNDER_WAY) this.#launch(lane)
      else lane.holdTimer ??= setTimeout(() => this.#launch(lane), this.#config.batchMaxDelayMs)
    }
  }

  #launch(lane: Lane): void {
    clearTimeout(lane.holdTimer)
    lane.holdTimer = undefined
    const batch = lane.open!
    lane.open = undefined
    const content = this.#contentOf(lane, batch)
    const bytes = content.body.length
    this.#batchedBytes += bytes
    lane.underWay++
    const ended = (error: RocketMQError | undefined, result: SendResult | undefined): void => {
      this.#batchedBytes -= bytes
      lane.underWay--
      if (result !== undefined) batch.succeed(result)
      else if (batch.count > 1 && isOfOneMessage(error!)) this.#sendApart(lane, batch, content)
      else batch.fail(error!)
      // In a microtask: what the senders do next, now that they have their results, travels with what was held.
      if (lane.open !== undefined) this.#schedule(lane)
      else if (lane.underWay === 0 && this.#lanes.size > MAX_IDLE_LANES) this.#forget(lane)
    }
    this.#send(content, batch.startMs, lane, ended)
  }

  #send(
    content: SendContent,
    startMs: number,
    { mq, forCallbacks }: Lane,
    ended: ResultListener<SendResult>['tell']
  ): void {
    this.#sendBatch(content, startMs, mq, forCallbacks ? { tell: ended } : undefined)?.then(
      result => ended(undefined, result),
      (error: unknown) => ended(asRocketMQError(error), undefined)
    )
  }

  /**
   * A broker refuses a batch whole for one message that it does not take. Who sent the others did not ask to travel with it:
   * each goes by itself now, in their order and within the time of the batch.
   */
  #sendApart(lane: Lane, batch: AccumulatedBatch, content: SendContent): void {
    let count = 0
    for (const body of messagesOf(content.body)) {
      const index = count++
      this.#send({ ...content, body }, batch.startMs, lane, (error, result) => {
        if (result === undefined) batch.failAlone(index, error!)
        else batch.succeedAlone(index, result)
      })
    }
  }

  #forget(lane: Lane): void {
    this.#lanes.delete(lane.key)
    if (this.#lastLane === lane) this.#lastLane = undefined
  }

  /** `ProduceAccumulator.java#MessageAccumulation.batch`. */
  #contentOf({ topic, tags, waitStoreMsgOK }: Lane, { encoder, startMs, keys }: AccumulatedBatch): SendContent {
    const body = encoder.copy()
    encoder.reset()
    if (this.#encoders.length < SPARE_ENCODERS) this.#encoders.push(encoder)
    const uniqueId = createUniqueId(startMs)
    const outer = new Message({ topic, body, tags, waitStoreMsgOK })
    if (keys !== undefined) outer.setKeys([...keys])
    const properties = outer.encodeProperties(uniqueId)
    const content = {
      topic,
      sysFlag: 0,
      flag: 0,
      properties,
      body,
      msgId: '',
      uniqueId,
      batch: true,
      reply: false,
      compress: false
    }
    return inNamespace(content, this.#config)
  }
}

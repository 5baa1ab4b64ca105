import type Long from 'long'
import type { ClientInstance } from '../client/client-instance.js'
import type { SubscriptionData } from '../client/heartbeat.js'
import type { ErrorReporter } from '../diagnostics.js'
import { BrokerError, ProtocolError, toError } from '../errors.js'
import type { MessageExt } from '../message/message-ext.js'
import { viewRecords } from '../message/message-ext.js'
import type { MessageQueue } from '../message/message-queue.js'
import { RequestCode, ResponseCode } from '../remoting/request-code.js'
import type { ExtField, PulledBatch } from '../remoting/types.js'
import { MASTER_ID } from '../route/topic-route-data.js'
import type { ConsumeStats } from './consume-stats.js'
import type { PushConsumerConfig } from './options.js'
import { ProcessQueue } from './process-queue.js'

/** How long a broker may hold a pull that finds nothing, and how long the answer may take in all. */
const BROKER_SUSPEND_MAX_TIME_MS = 15_000
const CONSUMER_TIMEOUT_WHEN_SUSPEND_MS = 30_000
/** When to look again whether a queue that holds too much may be pulled. */
const FLOW_CONTROL_MS = 50
/** When to pull again after the broker asked for less. */
const BROKER_FLOW_CONTROL_MS = 20

/** Bits of a pull's system flag (`common/sysflag/PullSysFlag.java`). */
const PullSysFlag = { COMMIT_OFFSET: 0x1, SUSPEND: 0x2, SUBSCRIPTION: 0x4 } as const

/** What the pull loops of a consumer share. */
export interface PullContext {
  readonly instance: ClientInstance
  readonly config: PushConsumerConfig
  readonly report: ErrorReporter
  /** The topic of messages that come again. */
  readonly retryTopic: string
  /** Limits of one queue, messages and bytes; they change with the number of queues. */
  readonly thresholds: { messages: number; bytes: number }
  /** False once the consumer shuts down. */
  isRunning(): boolean
  /** What is subscribed of a topic. */
  subscription(topic: string): SubscriptionData | undefined
  /** Where the pulls of a topic are counted. */
  stats(topic: string): ConsumeStats
  /** The offset to commit with a pull; −1 for none. */
  committedOffset(mq: MessageQueue): number
  /** Messages came. */
  deliver(messages: readonly MessageExt[], processQueue: ProcessQueue): void
  /** Nothing came, and nothing below `offset` ever will. */
  skipTo(mq: MessageQueue, offset: number): void
  /** The broker does not have the offset that was asked for; `offset` is where to go on. */
  offsetIllegal(task: PullTask, offset: number): void
}

/**
 * Pulls one queue, again and again, as long as the queue is ours (`impl/consumer/DefaultMQPushConsumerImpl.java#pullMessage`).
 * There is never more than one pull under way.
 */
export class PullTask {
  /** What was pulled and is not consumed. */
  readonly processQueue: ProcessQueue
  readonly #context: PullContext
  readonly #mq: MessageQueue
  #nextOffset: number
  /** The broker, master or slave, that the last answer suggested. */
  #brokerId: number = MASTER_ID
  #timer: NodeJS.Timeout | undefined
  readonly #onPulled = (batch: PulledBatch): void => {
    if (!this.#over()) this.#pulled(batch)
  }
  readonly #onFailed = (error: unknown): void => {
    if (!this.#over()) this.#failed(toError(error))
  }

  constructor(context: PullContext, mq: MessageQueue, nextOffset: number) {
    this.#context = context
    this.#mq = mq
    this.#nextOffset = nextOffset
    this.processQueue = new ProcessQueue(mq, context.stats(mq.topic))
  }

  /** The queue. */
  get messageQueue(): MessageQueue {
    return this.#mq
  }

  /** Pulls after a while. */
  pullLater(delayMs: number): void {
    this.#timer = setTimeout(() => this.pull(), delayMs)
  }

  /** The queue is not ours any more: no further pull, and what is still consumed does not count. */
  drop(): void {
    this.processQueue.dropped = true
    clearTimeout(this.#timer)
  }

  /** Pulls now, unless too much of the queue is held here already. */
  pull(): void {
    if (this.#over()) return
    const nowMs = Date.now()
    this.processQueue.lastPullTimestamp = nowMs
    this.processQueue.stats.sample(nowMs)
    if (this.#holdsTooMuch()) {
      this.pullLater(FLOW_CONTROL_MS)
      return
    }
    const { instance, config } = this.#context
    const subscription = this.#context.subscription(this.#mq.topic)
    const broker = instance.routes.findBroker(this.#mq.brokerName, this.#brokerId)
    if (subscription === undefined || broker === undefined) {
      this.#withoutBroker(broker === undefined)
      return
    }
    const options = { timeoutMs: CONSUMER_TIMEOUT_WHEN_SUSPEND_MS }
    const tags = subscription.tagsSet.length === 0 ? undefined : subscription.tagsSet
    instance.remoting
      .pull(broker.address, this.#fields(config, subscription, broker.slave), tags, options)
      .then(this.#onPulled, this.#onFailed)
  }

  #fields(config: PushConsumerConfig, subscription: SubscriptionData, slave: boolean): Record<string, ExtField> {
    const committed = this.#context.committedOffset(this.#mq)
    const post = config.postSubscriptionWhenPull
    const commit = committed > 0 && !slave
    return {
      consumerGroup: config.consumerGroup,
      topic: this.#mq.topic,
      queueId: this.#mq.queueId,
      queueOffset: this.#nextOffset,
      maxMsgNums: config.pullBatchSize,
      sysFlag: PullSysFlag.SUSPEND | (commit ? PullSysFlag.COMMIT_OFFSET : 0) | (post ? PullSysFlag.SUBSCRIPTION : 0),
      commitOffset: Math.max(0, committed),
      suspendTimeoutMillis: BROKER_SUSPEND_MAX_TIME_MS,
      subscription: post ? subscription.subString : undefined,
      subVersion: subscription.subVersion,
      maxMsgBytes: config.pullBatchSizeInBytes,
      expressionType: subscription.expressionType,
      bname: this.#mq.brokerName
    }
  }

  #over(): boolean {
    return this.processQueue.dropped || !this.#context.isRunning()
  }

  #holdsTooMuch(): boolean {
    const { thresholds, config } = this.#context
    const { messageCount, messageBytes, maxSpan } = this.processQueue
    return (
      messageCount > thresholds.messages ||
      messageBytes > thresholds.bytes ||
      maxSpan > config.consumeConcurrentlyMaxSpan
    )
  }

  #withoutBroker(unknown: boolean): void {
    const { instance, report, config } = this.#context
    if (unknown) {
      report(instance.brokerNotExist(this.#mq.brokerName), `pulling ${this.#mq.toString()}`)
      instance
        .updateTopicRoute(this.#mq.topic)
        .catch((error: unknown) => report(toError(error), 'refreshing topic routes'))
    }
    this.pullLater(config.pullTimeDelayMillsWhenException)
  }

  /** `PullAPIWrapper.java#processPullResult` and the callback of `DefaultMQPushConsumerImpl.java#pullMessage`. */
  #pulled(batch: PulledBatch): void {
    switch (batch.code) {
      case ResponseCode.SUCCESS:
        this.#suggested(batch)
        this.#found(batch)
        break
      case ResponseCode.PULL_NOT_FOUND:
      case ResponseCode.PULL_RETRY_IMMEDIATELY:
        this.#suggested(batch)
        if (this.processQueue.messageCount === 0) this.#context.skipTo(this.#mq, this.#nextOffset)
        this.pull()
        break
      case ResponseCode.PULL_OFFSET_MOVED:
        this.#suggested(batch)
        this.drop()
        this.#context.offsetIllegal(this, this.#nextOffset)
        break
      default:
        this.#failed(new BrokerError(batch.code, batch.remark, this.#mq.brokerName, RequestCode.PULL_MESSAGE))
    }
  }

  #suggested(batch: PulledBatch): void {
    this.#brokerId = batch.suggestWhichBrokerId
    this.#nextOffset = batch.nextBeginOffset.toNumber()
  }

  #found(batch: PulledBatch): void {
    const messages = this.#view(batch)
    const { stats, lastPullTimestamp } = this.processQueue
    stats.pulls++
    stats.pullMs += Date.now() - lastPullTimestamp
    stats.pulledMessages += messages.length
    if (batch.unreadable !== undefined) {
      const error = new ProtocolError(
        `${this.#mq.toString()} has messages whose body does not inflate; no listener gets them (queue offset: cause): ${batch.unreadable}`
      )
      this.#context.report(error, 'pulling')
    }
    const taken = this.processQueue.put(messages)
    if (taken < messages.length) {
      const error = new ProtocolError(
        `${this.#mq.toString()} gave ${messages.length - taken} messages from before the offset that was asked for`
      )
      this.#context.report(error, 'pulling')
    }
    // The next pull travels while the listener works.
    if (messages.length > 0 && this.#context.config.pullInterval > 0) this.pullLater(this.#context.config.pullInterval)
    else this.pull()
    this.#context.deliver(
      taken === messages.length ? messages : messages.slice(messages.length - taken),
      this.processQueue
    )
  }

  #view(batch: PulledBatch): MessageExt[] {
    return viewRecords(batch.messages, {
      brokerName: this.#mq.brokerName,
      offsetDelta: toNumber(batch.offsetDelta),
      minOffset: batch.minOffset,
      maxOffset: batch.maxOffset,
      retryTopic: this.#context.retryTopic
    })
  }

  #failed(error: Error): void {
    const { report, config, retryTopic } = this.#context
    const code = error instanceof BrokerError ? error.responseCode : undefined
    if (code === ResponseCode.FLOW_CONTROL) {
      this.pullLater(BROKER_FLOW_CONTROL_MS)
      return
    }
    if (this.#mq.topic !== retryTopic) report(error, `pulling ${this.#mq.toString()}`)
    this.pullLater(config.pullTimeDelayMillsWhenException)
  }
}

function toNumber(value: Long): number {
  return value.isZero() ? 0 : value.toNumber()
}

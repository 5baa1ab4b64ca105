import type { ClientInstance } from '../client/client-instance.js'
import type { QueueOffset } from '../client/consumer-info.js'
import type { ErrorReporter } from '../diagnostics.js'
import { toError } from '../errors.js'
import type { MessageQueue } from '../message/message-queue.js'
import { MASTER_ID } from '../route/topic-route-data.js'

/** Time allowed for asking a broker for an offset, or telling it one (`RemoteBrokerOffsetStore.java`). */
const TIMEOUT_MS = 5_000

/** Where the offsets of a group are kept (`client/consumer/store/OffsetStore.java`). */
export interface OffsetStore {
  /** Notes that everything below `offset` is consumed; with `increaseOnly` never a smaller one than before. */
  update(mq: MessageQueue, offset: number, increaseOnly: boolean): void
  /** Sets an offset that stays until `remove`. */
  updateAndFreeze(mq: MessageQueue, offset: number): void
  /** The offset known here; −1 when none is. */
  readFromMemory(mq: MessageQueue): number
  /** The offset that is stored; −1 when none is. What is found is known here from then on. */
  readFromStore(mq: MessageQueue): Promise<number>
  /** Stores the offset of a queue. */
  persist(mq: MessageQueue): void
  /** Stores the offsets of these queues. */
  persistAll(queueKeys: ReadonlySet<string>): void
  /** Forgets the offset of a queue. */
  remove(mq: MessageQueue): void
  /** The offsets known here of the queues of a topic (`#cloneOffsetTable`). */
  offsetsOf(topic: string): QueueOffset[]
  /** Stores the offsets of these queues; settles when they are stored, or reported as not. */
  flush(queueKeys: ReadonlySet<string>): Promise<void>
}

/** An offset of a queue; a frozen one takes no more updates (`store/ControllableOffset.java`). */
export interface ControllableOffset {
  readonly mq: MessageQueue
  offset: number
  frozen: boolean
}

/** The offsets known here; what is common to both stores. */
export abstract class OffsetTable implements OffsetStore {
  protected readonly table = new Map<string, ControllableOffset>()

  update(mq: MessageQueue, offset: number, increaseOnly: boolean): void {
    const entry = this.table.get(mq.key)
    if (entry === undefined) this.table.set(mq.key, { mq, offset, frozen: false })
    else if (!entry.frozen && (!increaseOnly || offset > entry.offset)) entry.offset = offset
  }

  updateAndFreeze(mq: MessageQueue, offset: number): void {
    this.table.set(mq.key, { mq, offset, frozen: true })
  }

  readFromMemory(mq: MessageQueue): number {
    return this.table.get(mq.key)?.offset ?? -1
  }

  remove(mq: MessageQueue): void {
    this.table.delete(mq.key)
  }

  offsetsOf(topic: string): QueueOffset[] {
    return [...this.table.values()].filter(({ mq }) => mq.topic === topic).map(({ mq, offset }) => ({ mq, offset }))
  }

  abstract readFromStore(mq: MessageQueue): Promise<number>
  abstract persist(mq: MessageQueue): void
  abstract persistAll(queueKeys: ReadonlySet<string>): void
  abstract flush(queueKeys: ReadonlySet<string>): Promise<void>
}

/** The offsets of a group, kept here and stored on the brokers (`client/consumer/store/RemoteBrokerOffsetStore.java`). */
export class RemoteBrokerOffsetStore extends OffsetTable {
  readonly #instance: ClientInstance
  readonly #group: string
  readonly #report: ErrorReporter

  constructor(instance: ClientInstance, group: string, report: ErrorReporter) {
    super()
    this.#instance = instance
    this.#group = group
    this.#report = report
  }

  /**
   * The offset the broker has; −1 when it has none. What is found is known here from then on.
   *
   * @throws the error of the broker or the connection
   */
  async readFromStore(mq: MessageQueue): Promise<number> {
    let broker = this.#instance.routes.findBroker(mq.brokerName, MASTER_ID)
    if (broker === undefined) {
      await this.#instance.updateTopicRoute(mq.topic)
      broker = this.#instance.routes.findBroker(mq.brokerName, MASTER_ID)
    }
    if (broker === undefined) throw this.#instance.brokerNotExist(mq.brokerName)
    const options = { timeoutMs: TIMEOUT_MS }
    const found = await this.#instance.brokerApi.queryConsumerOffset(broker.address, this.#group, mq, options)
    if (found === undefined) return -1
    this.update(mq, found.toNumber(), false)
    return found.toNumber()
  }

  /** Tells the broker the offset of a queue, without waiting for an answer. */
  persist(mq: MessageQueue): void {
    const entry = this.table.get(mq.key)
    if (entry !== undefined) void this.#store(entry, true)
  }

  /** Tells the brokers the offsets of these queues; offsets of other queues are forgotten. */
  persistAll(queueKeys: ReadonlySet<string>): void {
    for (const entry of this.#retain(queueKeys)) void this.#store(entry, true)
  }

  /**
   * The same, with answers: Java's shutdown asks for none, and who takes the queues over may then begin before the broker has
   * read where he should. The first offset of a topic on a broker travels alone: Apache's broker loses offsets when the very
   * first ones of a group and topic come at once (`broker/offset/ConsumerOffsetManager.java#commitOffset` makes a map for each
   * and keeps the last).
   */
  async flush(queueKeys: ReadonlySet<string>): Promise<void> {
    const firsts = new Map<string, Promise<void>>()
    await Promise.all(
      this.#retain(queueKeys).map(entry => {
        const key = `${entry.mq.topic}@${entry.mq.brokerName}`
        const first = firsts.get(key)
        if (first !== undefined) return first.then(() => this.#store(entry, false))
        const stored = this.#store(entry, false)
        firsts.set(key, stored)
        return stored
      })
    )
  }

  #retain(queueKeys: ReadonlySet<string>): ControllableOffset[] {
    for (const key of this.table.keys()) if (!queueKeys.has(key)) this.table.delete(key)
    return [...this.table.values()]
  }

  async #store({ mq, offset }: ControllableOffset, oneway: boolean): Promise<void> {
    try {
      const broker = this.#instance.routes.findBroker(mq.brokerName, MASTER_ID)
      if (broker === undefined) throw this.#instance.brokerNotExist(mq.brokerName)
      const { brokerApi } = this.#instance
      if (oneway) brokerApi.updateConsumerOffsetOneway(broker.address, this.#group, mq, offset)
      else await brokerApi.updateConsumerOffset(broker.address, this.#group, mq, offset, { timeoutMs: TIMEOUT_MS })
    } catch (error) {
      this.#report(toError(error), `storing the offset of ${mq.toString()}`)
    }
  }
}

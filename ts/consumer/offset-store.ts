import type { ClientInstance } from '../client/client-instance.js'
import type { QueueOffset } from '../client/consumer-info.js'
import type { ErrorReporter } from '../diagnostics.js'
import { toError } from '../errors.js'
import type { MessageQueue } from '../message/message-queue.js'
import { MASTER_ID } from '../route/topic-route-data.js'

/** Time allowed for asking a broker for an offset (`RemoteBrokerOffsetStore.java#fetchConsumeOffsetFromBroker`). */
const QUERY_TIMEOUT_MS = 5_000

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
  /** Settles when all that is to be stored has left this process. */
  whenStored(): Promise<void>
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
  abstract whenStored(): Promise<void>
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
    const options = { timeoutMs: QUERY_TIMEOUT_MS }
    const found = await this.#instance.brokerApi.queryConsumerOffset(broker.address, this.#group, mq, options)
    if (found === undefined) return -1
    this.update(mq, found.toNumber(), false)
    return found.toNumber()
  }

  /** Tells the broker the offset of a queue, without waiting for an answer. */
  persist(mq: MessageQueue): void {
    const entry = this.table.get(mq.key)
    if (entry !== undefined) this.#store(entry)
  }

  /** Tells the brokers the offsets of these queues; offsets of other queues are forgotten. */
  persistAll(queueKeys: ReadonlySet<string>): void {
    for (const [key, entry] of this.table) {
      if (queueKeys.has(key)) this.#store(entry)
      else this.table.delete(key)
    }
  }

  /** The requests are on their way; the connection keeps their order, and is flushed when it is closed. */
  async whenStored(): Promise<void> {}

  #store({ mq, offset }: ControllableOffset): void {
    try {
      const broker = this.#instance.routes.findBroker(mq.brokerName, MASTER_ID)
      if (broker === undefined) throw this.#instance.brokerNotExist(mq.brokerName)
      this.#instance.brokerApi.updateConsumerOffset(broker.address, this.#group, mq, offset)
    } catch (error) {
      this.#report(toError(error), `storing the offset of ${mq.toString()}`)
    }
  }
}

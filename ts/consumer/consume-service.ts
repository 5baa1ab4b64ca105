import { abortable } from '../client/abortable.js'
import type { ErrorReporter } from '../diagnostics.js'
import { NotSupportedError, toError } from '../errors.js'
import type { MessageExt } from '../message/message-ext.js'
import { isReadable } from '../message/sys-flag.js'
import type { ConsumeStats } from './consume-stats.js'
import type { ProcessQueue } from './process-queue.js'
import type { ListenerResult, MessageListenerConcurrently } from './types.js'
import { ConsumeConcurrentlyContext, ConsumeConcurrentlyStatus } from './types.js'

/** What failed and could not be given back to the broker is tried again here after this long, as in Java. */
const SUBMIT_LATER_MS = 5_000

/** The delay level of what is not to be delivered again. */
const DEAD_LETTER = -1

/** Used entries at the start of the waiting list before it is copied without them. */
const COMPACT_AFTER = 256

/** Messages that wait for the listener. */
interface Pulled {
  readonly messages: readonly MessageExt[]
  readonly processQueue: ProcessQueue
  /** Index of the first one not yet taken by a worker. */
  position: number
}

/** What a consume service needs of its consumer. */
export interface ConsumeServiceOptions {
  readonly listener: MessageListenerConcurrently
  /** Most calls of the listener at once. */
  readonly concurrency: number
  /** Most messages of a call. */
  readonly batchMaxSize: number
  /** Asks the broker to deliver a message again later; undefined when failed messages are dropped (broadcasting). */
  readonly sendMessageBack: ((message: MessageExt, delayLevel: number) => Promise<void>) | undefined
  /** Everything of the queue below `offset` is consumed. */
  readonly commit: (processQueue: ProcessQueue, offset: number) => void
  readonly report: ErrorReporter
}

/**
 * Gives pulled messages to the listener, several calls at once, and settles what the listener says
 * (`impl/consumer/ConsumeMessageConcurrentlyService.java`). A call that returns no promise costs none.
 */
export class ConsumeConcurrentlyService {
  readonly #options: ConsumeServiceOptions
  readonly #idle: Worker[]
  /** A queue: entries before `#first` are used up. */
  #waiting: Pulled[] = []
  #first = 0
  /** Calls of the listener and send-backs under way. */
  #underWay = 0
  #stopped = false
  #onQuiet: (() => void) | undefined
  readonly #later = new Set<NodeJS.Timeout>()

  constructor(options: ConsumeServiceOptions) {
    this.#options = options
    this.#idle = Array.from({ length: options.concurrency }, () => new Worker(this, options.listener))
  }

  /** Messages of one queue, in order, for the listener; those that it could not read fail without it. */
  submit(messages: readonly MessageExt[], processQueue: ProcessQueue): void {
    if (this.#stopped || messages.length === 0) return
    const readable = messages.every(isReadable) ? messages : messages.filter(isReadable)
    if (readable.length < messages.length) {
      this.#refuse(
        messages.filter(message => !isReadable(message)),
        processQueue
      )
    }
    if (readable.length === 0) return
    this.#waiting.push({ messages: readable, processQueue, position: 0 })
    while (this.#first < this.#waiting.length && this.#idle.length > 0) this.#idle.pop()!.run()
  }

  /**
   * No more calls of the listener. Waits for those under way.
   *
   * @returns whether all ended within `timeoutMs`
   * @throws AbortedError when the signal fires first; nothing waits any more then
   */
  async stop(timeoutMs: number, signal?: AbortSignal): Promise<boolean> {
    this.#stopped = true
    this.#waiting = []
    this.#first = 0
    for (const timer of this.#later) clearTimeout(timer)
    this.#later.clear()
    if (this.#underWay === 0) return true
    let timer: NodeJS.Timeout | undefined
    const ended = new Promise<boolean>(resolve => {
      timer = setTimeout(() => resolve(false), timeoutMs)
      this.#onQuiet = () => resolve(true)
    })
    try {
      return await abortable('waiting for the listener', ended, signal)
    } finally {
      clearTimeout(timer)
    }
  }

  /** The next messages for a worker, and from which queue; false, and the worker is idle, when there are none. */
  next(worker: Worker): boolean {
    while (this.#first < this.#waiting.length) {
      const pulled = this.#waiting[this.#first]!
      if (pulled.processQueue.dropped) {
        this.#shift()
        continue
      }
      const { messages, position } = pulled
      const end = Math.min(position + this.#options.batchMaxSize, messages.length)
      worker.messages = position === 0 && end === messages.length ? messages : messages.slice(position, end)
      worker.processQueue = pulled.processQueue
      if (end === messages.length) this.#shift()
      else pulled.position = end
      this.#underWay++
      return true
    }
    this.#idle.push(worker)
    return false
  }

  /** `ConsumeMessageConcurrentlyService.java#processConsumeResult` */
  consumed(worker: Worker, context: ConsumeConcurrentlyContext, result: ListenerResult): void {
    const { messages, processQueue } = worker
    const later = result === ConsumeConcurrentlyStatus.RECONSUME_LATER
    const acknowledged = later ? 0 : Math.min(context.ackIndex + 1, messages.length)
    const { stats } = processQueue!
    stats.consumed += acknowledged
    stats.failed += messages.length - acknowledged
    if (acknowledged === messages.length) {
      this.#remove(processQueue!, messages)
    } else {
      if (acknowledged > 0) this.#remove(processQueue!, messages.slice(0, acknowledged))
      const failed = messages.slice(acknowledged)
      this.#underWay++
      void this.#giveBack(failed, processQueue!, context.delayLevelWhenNextConsume).finally(() => this.#ended())
    }
    this.#ended()
  }

  /** The listener threw or rejected. */
  threw(worker: Worker, context: ConsumeConcurrentlyContext, error: unknown): void {
    this.#options.report(toError(error), `the message listener (${context.messageQueue.toString()})`)
    this.consumed(worker, context, ConsumeConcurrentlyStatus.RECONSUME_LATER)
  }

  /** To deliver them again would not help: they become dead letters, as they are stored. */
  #refuse(messages: readonly MessageExt[], processQueue: ProcessQueue): void {
    processQueue.stats.failed += messages.length
    this.#underWay++
    void this.#giveBack(messages, processQueue, DEAD_LETTER).finally(() => this.#ended())
  }

  async #giveBack(messages: readonly MessageExt[], processQueue: ProcessQueue, delayLevel: number): Promise<void> {
    const { sendMessageBack, report } = this.#options
    if (sendMessageBack === undefined) {
      const text = `broadcasting has no redelivery: ${messages.length} messages that failed are dropped`
      report(new NotSupportedError(text), 'consuming')
      this.#remove(processQueue, messages)
      return
    }
    const kept: MessageExt[] = []
    const gone: MessageExt[] = []
    await Promise.all(
      messages.map(async message => {
        if (!processQueue.contains(message)) return
        try {
          await sendMessageBack(message, delayLevel)
          gone.push(message)
        } catch (error) {
          report(toError(error), `giving ${message.toString()} back to the broker for redelivery`)
          message.countRedelivery()
          kept.push(message)
        }
      })
    )
    if (gone.length > 0) this.#remove(processQueue, gone)
    if (kept.length > 0) this.#submitLater(kept, processQueue)
  }

  #submitLater(messages: MessageExt[], processQueue: ProcessQueue): void {
    if (this.#stopped) return
    const timer = setTimeout(() => {
      this.#later.delete(timer)
      this.submit(messages, processQueue)
    }, SUBMIT_LATER_MS)
    this.#later.add(timer)
  }

  #remove(processQueue: ProcessQueue, messages: readonly MessageExt[]): void {
    const offset = processQueue.remove(messages)
    if (offset >= 0 && !processQueue.dropped) this.#options.commit(processQueue, offset)
  }

  #shift(): void {
    this.#first++
    if (this.#first === this.#waiting.length || this.#first === COMPACT_AFTER) {
      this.#waiting = this.#waiting.slice(this.#first)
      this.#first = 0
    }
  }

  #ended(): void {
    this.#underWay--
    if (this.#underWay === 0) this.#onQuiet?.()
  }
}

/** One of the calls that may be under way at once; takes messages until there are none. */
class Worker {
  messages: readonly MessageExt[] = []
  processQueue: ProcessQueue | undefined
  readonly #service: ConsumeConcurrentlyService
  readonly #listener: MessageListenerConcurrently
  #context: ConsumeConcurrentlyContext | undefined
  /** Calls for one topic since `#startMs`, not yet counted: the clock is asked once for those that return at once. */
  #stats: ConsumeStats | undefined
  #calls = 0
  #startMs = 0
  /** Made once, so that waiting for a promise of the listener's makes no closures. */
  readonly #onFulfilled = (result: ListenerResult): void => {
    this.#called()
    this.#service.consumed(this, this.#context!, result)
    this.run()
  }
  readonly #onRejected = (error: unknown): void => {
    this.#called()
    this.#service.threw(this, this.#context!, error)
    this.run()
  }

  constructor(service: ConsumeConcurrentlyService, listener: MessageListenerConcurrently) {
    this.#service = service
    this.#listener = listener
  }

  run(): void {
    while (this.#service.next(this)) {
      const { messageQueue, stats } = this.processQueue!
      if (stats !== this.#stats) {
        this.#called()
        this.#stats = stats
        this.#startMs = Date.now()
      }
      this.#calls++
      const context = new ConsumeConcurrentlyContext(messageQueue)
      let result: ReturnType<MessageListenerConcurrently>
      try {
        result = this.#listener(this.messages, context)
      } catch (error) {
        this.#service.threw(this, context, error)
        continue
      }
      if (isPromise(result)) {
        this.#context = context
        result.then(this.#onFulfilled, this.#onRejected)
        return
      }
      this.#service.consumed(this, context, result)
    }
    this.#called()
    this.messages = []
    this.processQueue = undefined
  }

  #called(): void {
    if (this.#stats === undefined) return
    this.#stats.calls += this.#calls
    this.#stats.callMs += Date.now() - this.#startMs
    this.#stats = undefined
    this.#calls = 0
  }
}

function isPromise(result: ReturnType<MessageListenerConcurrently>): result is Promise<ListenerResult> {
  return typeof result === 'object' && result !== null && typeof result.then === 'function'
}

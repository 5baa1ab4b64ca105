import type { RocketMQError } from '../../errors.js'
import { Message } from '../../message/message.js'
import type { Producer } from '../../producer/producer.js'
import { ReusableBody } from './body.js'
import { Latencies } from './latencies.js'

/** A broker that is busy says so at once, and expects the message again a little later. */
const REPEAT_AFTER_MS = 20
/** Then a send has failed. */
const MAX_REPEATS = 250

/** What is sent. */
export interface SendLoadOptions {
  readonly producer: Producer
  readonly topic: string
  readonly messages: number
  readonly bodyBytes: number
  /** Sends under way at once. */
  readonly window: number
  /** Ends it early. */
  readonly stop: AbortSignal
}

/** Sends messages with the indexes from 0 on, a fixed number of them under way at any time. */
export class SendLoad {
  /** Sends that were acknowledged. */
  acknowledged = 0
  /** Sends that were made again: the broker was busy, or did not answer in time. */
  repeated = 0
  /** Sends that failed. After the first one no further is begun. */
  failed = 0
  /** Why the first one failed. */
  firstError: RocketMQError | undefined
  /** From call to acknowledgement. */
  readonly latencies = new Latencies()
  /** Duration of the whole in milliseconds, once it has ended. */
  elapsedMs = 0
  readonly options: SendLoadOptions
  #nextIndex = 0
  #running = 0
  #onEnd: (() => void) | undefined

  constructor(options: SendLoadOptions) {
    this.options = options
  }

  /** Sends all; resolves when nothing is under way any more. */
  async run(): Promise<void> {
    const startedAt = performance.now()
    const { window, messages } = this.options
    const slots = Array.from({ length: Math.min(window, messages) }, () => new Slot(this))
    await new Promise<void>(resolve => {
      this.#onEnd = resolve
      this.#running = slots.length
      for (const slot of slots) slot.sendNext()
    })
    this.elapsedMs = performance.now() - startedAt
  }

  /** The index of the next message, −1 when there is none. */
  takeIndex(): number {
    const { messages, stop } = this.options
    if (this.#nextIndex === messages || stop.aborted || this.failed > 0) {
      if (--this.#running === 0) this.#onEnd?.()
      return -1
    }
    return this.#nextIndex++
  }

  /** A send has ended. */
  ended(error: RocketMQError | undefined, latencyMs: number): void {
    if (error === undefined) {
      this.acknowledged++
      this.latencies.add(latencyMs)
    } else {
      this.failed++
      this.firstError ??= error
    }
  }
}

/** One place in the window: message, body and callback are made once and used for one send after the other. */
class Slot {
  readonly #load: SendLoad
  readonly #body: ReusableBody
  readonly #message: Message
  #sentAt = 0
  #repeats = 0
  readonly #send = (): void => this.#load.options.producer.send(this.#message, this.#onEnd)
  readonly #onEnd = (error: RocketMQError | undefined): void => {
    if (error?.retryable === true && this.#mayRepeat()) {
      setTimeout(this.#send, REPEAT_AFTER_MS)
      return
    }
    this.#load.ended(error, performance.now() - this.#sentAt)
    this.sendNext()
  }

  constructor(load: SendLoad) {
    this.#load = load
    this.#body = new ReusableBody(load.options.bodyBytes)
    this.#message = new Message({ topic: load.options.topic, body: this.#body.bytes })
  }

  sendNext(): void {
    const index = this.#load.takeIndex()
    if (index < 0) return
    this.#body.setIndex(index)
    this.#sentAt = performance.now()
    this.#repeats = 0
    this.#send()
  }

  #mayRepeat(): boolean {
    if (this.#load.options.stop.aborted || this.#repeats === MAX_REPEATS) return false
    this.#repeats++
    this.#load.repeated++
    return true
  }
}

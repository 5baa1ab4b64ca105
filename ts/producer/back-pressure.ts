import { BusyError } from '../errors.js'
import type { MessageQueue } from '../message/message-queue.js'
import type { ProducerConfig } from './options.js'
import type { ChooseQueue, PendingSend } from './pending-send.js'

/** How a send begins when its turn has come. */
interface Waiting {
  readonly mq: MessageQueue | undefined
  readonly choose: ChooseQueue | undefined
  readonly timer: NodeJS.Timeout
}

/**
 * Bounds what a producer has under way, in sends and in bytes
 * (`impl/producer/DefaultMQProducerImpl.java#executeAsyncMessageSend`). A send that finds room costs a few comparisons.
 */
export class BackPressure {
  readonly #maxSends: number
  readonly #maxBytes: number
  readonly #waits: boolean
  /** In the order of their turns. */
  readonly #waiting = new Map<PendingSend, Waiting>()
  #sends = 0
  #bytes = 0
  #admitting = false

  constructor(config: ProducerConfig) {
    const bounded = config.enableBackpressureForAsyncMode
    this.#maxSends = bounded ? config.backPressureForAsyncSendNum : Infinity
    this.#maxBytes = bounded ? config.backPressureForAsyncSendSize : Infinity
    this.#waits = config.onBackPressure === 'wait'
  }

  /** Whether the next send would have to wait. */
  get full(): boolean {
    return this.#waiting.size > 0 || this.#atLimit
  }

  /** Begins a send, at once when there is room for it; its wait is part of `timeoutMs`. */
  begin(send: PendingSend, timeoutMs: number, mq: MessageQueue | undefined, choose: ChooseQueue | undefined): void {
    if (this.full) {
      this.#refuseOrWait(send, timeoutMs, mq, choose)
      return
    }
    this.#admit(send)
    if (mq === undefined) send.start(choose)
    else send.startTo(mq)
  }

  /** A send has ended, wherever it was. */
  ended(send: PendingSend): void {
    if (send.admittedBytes < 0) {
      clearTimeout(this.#waiting.get(send)?.timer)
      this.#waiting.delete(send)
      return
    }
    this.#sends--
    this.#bytes -= send.admittedBytes
    if (this.#waiting.size > 0 && !this.#admitting) this.#admitWaiting()
  }

  get #atLimit(): boolean {
    return this.#sends >= this.#maxSends || this.#bytes >= this.#maxBytes
  }

  #admit(send: PendingSend): void {
    // Its body may be compressed later.
    send.admittedBytes = send.body.length
    this.#sends++
    this.#bytes += send.admittedBytes
  }

  #refuseOrWait(
    send: PendingSend,
    timeoutMs: number,
    mq: MessageQueue | undefined,
    choose: ChooseQueue | undefined
  ): void {
    if (this.#waits) {
      const fail = (): void => send.fail(this.#busy(`waited ${timeoutMs} ms for its turn`))
      this.#waiting.set(send, { mq, choose, timer: setTimeout(fail, timeoutMs) })
    } else {
      // Never during the call: a callback is called later, always.
      process.nextTick(() => send.fail(this.#busy('was refused')))
    }
  }

  /** Ends of sends that fail while they begin are seen by the loop, which goes on with the room they leave. */
  #admitWaiting(): void {
    this.#admitting = true
    for (const [send, { mq, choose, timer }] of this.#waiting) {
      if (this.#atLimit) break
      clearTimeout(timer)
      this.#waiting.delete(send)
      this.#admit(send)
      send.startLate(mq, choose)
    }
    this.#admitting = false
  }

  #busy(what: string): BusyError {
    return new BusyError(
      `the send ${what}: ${this.#sends} sends with ${this.#bytes} bytes are under way, the limits are ` +
        `backPressureForAsyncSendNum ${this.#maxSends} and backPressureForAsyncSendSize ${this.#maxBytes}`
    )
  }
}

import type { AbortListener } from '../abort-listeners.js'
import { listenToAbort, stopListening } from '../abort-listeners.js'
import { AbortedError, ProtocolError, type RocketMQError } from '../errors.js'
import type { PendingSend, PulledBatch, RemotingCommand } from './types.js'

/** A call that waits for its end; exactly one of its methods is called, once. */
export interface PendingCall extends PendingSend {
  onPulled(batch: PulledBatch): void
}

/** A promise as a pending call. */
export class PendingPromise<T> implements PendingCall, AbortListener {
  #resolve!: (value: T) => void
  #reject!: (error: RocketMQError) => void
  readonly promise = new Promise<T>((resolve, reject) => {
    this.#resolve = resolve
    this.#reject = reject
  })
  readonly #what: string
  readonly #signal: AbortSignal | undefined

  constructor(what: string, signal: AbortSignal | undefined) {
    this.#what = what
    this.#signal = signal
    if (signal !== undefined) listenToAbort(signal, this)
  }

  onResponse(response: RemotingCommand): void {
    this.#end()
    // `invoke` makes one of these for a command, `pull` for a batch, and each is answered in kind.
    this.#resolve(response as T)
  }

  onPulled(batch: PulledBatch): void {
    this.#end()
    this.#resolve(batch as T)
  }

  onSent(): void {
    this.onFailed(new ProtocolError(`${this.#what} was answered as if it were a send`))
  }

  onFailed(error: RocketMQError): void {
    this.#end()
    this.#reject(error)
  }

  /** The signal fired. */
  handleAbort(): void {
    this.#reject(new AbortedError(this.#what, this.#signal!))
  }

  #end(): void {
    if (this.#signal !== undefined) stopListening(this.#signal, this)
  }
}

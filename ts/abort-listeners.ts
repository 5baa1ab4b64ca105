import { InvalidArgumentError } from './errors.js'

/** Who is told when a signal fires. */
export interface AbortListener {
  handleAbort(): void
}

/**
 * Those who listen to one signal, behind one listener of its own: a signal shared by a thousand sends would warn of a leak
 * (`MaxListenersExceededWarning`) otherwise.
 */
class AbortListeners {
  readonly #signal: AbortSignal
  readonly #listeners = new Set<AbortListener>()

  constructor(signal: AbortSignal) {
    this.#signal = signal
    signal.addEventListener('abort', this, { once: true })
  }

  add(listener: AbortListener): void {
    this.#listeners.add(listener)
  }

  remove(listener: AbortListener): void {
    if (!this.#listeners.delete(listener) || this.#listeners.size > 0) return
    this.#signal.removeEventListener('abort', this)
    bySignal.delete(this.#signal)
  }

  /** The signal fired (an AbortSignal calls this). */
  handleEvent(): void {
    // Whoever is taken out by one that is told before is not told.
    for (const listener of this.#listeners) {
      this.#listeners.delete(listener)
      listener.handleAbort()
    }
    bySignal.delete(this.#signal)
  }
}

const bySignal = new WeakMap<AbortSignal, AbortListeners>()

/** Has the listener told, once, when the signal fires. One that has fired already tells nobody. */
export function listenToAbort(signal: AbortSignal, listener: AbortListener): void {
  let listeners = bySignal.get(signal)
  if (listeners === undefined) {
    listeners = new AbortListeners(signal)
    bySignal.set(signal, listeners)
  }
  listeners.add(listener)
}

/** The listener is not told any more. */
export function stopListening(signal: AbortSignal, listener: AbortListener): void {
  bySignal.get(signal)?.remove(listener)
}

/**
 * A signal as a user gave it; null is none, as for `fetch()`.
 *
 * @throws InvalidArgumentError for what is no signal
 */
export function checkedSignal(given: AbortSignal | null | undefined): AbortSignal | undefined {
  if (given === undefined || given === null) return undefined
  // By its members: a signal may come from another realm.
  if (typeof given === 'object' && typeof given.aborted === 'boolean' && typeof given.addEventListener === 'function') {
    return given
  }
  throw new InvalidArgumentError(`signal must be an AbortSignal, not ${String(given)}`)
}

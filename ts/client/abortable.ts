import { checkedSignal, listenToAbort, stopListening } from '../abort-listeners.js'
import { AbortedError } from '../errors.js'

/**
 * Waits for a promise until a signal fires; what the promise stands for goes on all the same.
 *
 * @param what for the error text
 * @param given the signal, as a user gave it
 * @throws AbortedError when the signal fires first, InvalidArgumentError when it is none
 */
export async function abortable<T>(
  what: string,
  promise: Promise<T>,
  given: AbortSignal | null | undefined
): Promise<T> {
  if (given === undefined || given === null) return promise
  // Nobody may be waiting for it any more, and then nobody is to be told how it fails.
  promise.catch(() => undefined)
  const signal = checkedSignal(given)!
  if (signal.aborted) throw new AbortedError(what, signal)
  let listener!: { handleAbort(): void }
  const aborted = new Promise<never>((_resolve, reject) => {
    listener = { handleAbort: () => reject(new AbortedError(what, signal)) }
    listenToAbort(signal, listener)
  })
  try {
    return await Promise.race([promise, aborted])
  } finally {
    stopListening(signal, listener)
  }
}

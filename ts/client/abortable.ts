import { AbortedError } from '../errors.js'

/**
 * Waits for a promise until a signal fires; what the promise stands for goes on all the same.
 *
 * @param what for the error text
 * @throws AbortedError when the signal fires first
 */
export async function abortable<T>(what: string, promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise
  if (signal.aborted) {
    // Nobody waits for it any more, so nobody is to be told how it fails.
    promise.catch(() => undefined)
    throw new AbortedError(what, signal)
  }
  const ended = new AbortController()
  const aborted = new Promise<never>((_resolve, reject) => {
    const onAbort = (): void => reject(new AbortedError(what, signal))
    signal.addEventListener('abort', onAbort, { once: true, signal: ended.signal })
  })
  try {
    return await Promise.race([promise, aborted])
  } finally {
    ended.abort()
  }
}

import { AsyncResource } from 'node:async_hooks'
import type { RocketMQError } from '../errors.js'

/** Told how something ended: an error, or the result. */
export interface ResultListener<T> {
  tell(error: RocketMQError | undefined, result: T | undefined): void
}

/** What a user gives to be called with an error, or with the result. */
export type ResultCallback<T> = (error: RocketMQError | undefined, result: T | undefined) => void

/**
 * A callback of the user's. It is called in the async context of the call that it was given to, as those of Node are:
 * what an `AsyncLocalStorage` holds there it holds in the callback too. What it throws is the user's uncaught exception,
 * not ours.
 */
export class Callback<T> extends AsyncResource implements ResultListener<T> {
  readonly #callback: ResultCallback<T>

  constructor(callback: ResultCallback<T>) {
    super('ROCKETMQ_CALLBACK')
    this.#callback = callback
  }

  tell(error: RocketMQError | undefined, result: T | undefined): void {
    try {
      this.runInAsyncScope(this.#callback, undefined, error, result)
    } catch (thrown) {
      process.nextTick(() => {
        throw thrown
      })
    }
  }
}

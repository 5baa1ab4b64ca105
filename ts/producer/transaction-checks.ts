import type { ErrorReporter } from '../diagnostics.js'
import { BusyError, toError } from '../errors.js'
import type { TransactionCheck } from '../client/transaction-check.js'

/** How many checks run and wait; see the options of the same names. */
export interface CheckLimits {
  readonly checkThreadPoolMinSize: number
  readonly checkThreadPoolMaxSize: number
  readonly checkRequestHoldMax: number
}

/**
 * The checks of a producer that run and wait, by the rules of Java's `ThreadPoolExecutor` with a bounded queue
 * (`impl/producer/DefaultMQProducerImpl.java#initTransactionEnv`): up to the minimum they run at once, then they wait, and
 * only when no more may wait they run beyond it, up to the maximum.
 */
export class TransactionChecks {
  readonly #limits: CheckLimits
  readonly #perform: (check: TransactionCheck) => Promise<void>
  readonly #report: ErrorReporter
  readonly #waiting: TransactionCheck[] = []
  readonly #workers = new Set<Promise<unknown>>()
  #running = 0

  /** @param perform answers one check */
  constructor(limits: CheckLimits, perform: (check: TransactionCheck) => Promise<void>, report: ErrorReporter) {
    this.#limits = limits
    this.#perform = perform
    this.#report = report
  }

  /** Takes a check; one too many is reported and forgotten. */
  add(check: TransactionCheck): void {
    const { checkThreadPoolMinSize, checkThreadPoolMaxSize, checkRequestHoldMax } = this.#limits
    if (this.#running < checkThreadPoolMinSize) this.#start(check)
    else if (this.#waiting.length < checkRequestHoldMax) this.#waiting.push(check)
    else if (this.#running < checkThreadPoolMaxSize) this.#start(check)
    else {
      const error = new BusyError(
        `${this.#running} checks run and ${checkRequestHoldMax} wait: the broker will ask again`
      )
      this.#report(error, `the check of a transaction by ${check.address}`)
    }
  }

  /** Forgets those that wait and settles when none runs any more. */
  async end(): Promise<void> {
    this.#waiting.length = 0
    await Promise.all(this.#workers)
  }

  #start(check: TransactionCheck): void {
    this.#running++
    const worker: Promise<unknown> = this.#work(check).finally(() => this.#workers.delete(worker))
    this.#workers.add(worker)
  }

  /** Performs this check and then those that wait. */
  async #work(first: TransactionCheck): Promise<void> {
    for (let check: TransactionCheck | undefined = first; check !== undefined; check = this.#waiting.shift()) {
      try {
        await this.#perform(check)
      } catch (error) {
        this.#report(toError(error), `the check of a transaction by ${check.address}`)
      }
    }
    this.#running--
  }
}

/** How often queues are shared out when nothing happens. */
const WAIT_INTERVAL_MS = 20_000
/** Two rounds are at least this far apart; a round that did not settle is repeated after it. */
const MIN_INTERVAL_MS = 1_000

/** Repeats a rebalance round: every 20 s, and soon after `wakeup()` (`impl/consumer/RebalanceService.java#run`). */
export class RebalanceService {
  readonly #round: () => Promise<boolean>
  #timer: NodeJS.Timeout | undefined
  #running: Promise<void> | undefined
  #wokenWhileRunning = false
  #stopped = true
  #lastMs = 0

  /** @param round does one round, tells whether everything settled, and never rejects */
  constructor(round: () => Promise<boolean>) {
    this.#round = round
  }

  /** Begins to wait; from now on the process stays alive. */
  start(): void {
    if (!this.#stopped) return
    this.#stopped = false
    this.#lastMs = -Infinity
    this.#wait(WAIT_INTERVAL_MS)
  }

  /** A round is wanted now; it comes at once, or 1 s after the last. */
  wakeup(): void {
    if (this.#stopped) return
    if (this.#running !== undefined) {
      this.#wokenWhileRunning = true
      return
    }
    this.#wait(Math.max(0, this.#lastMs + MIN_INTERVAL_MS - Date.now()))
  }

  /** No more rounds; settles when the one that is going on has ended. */
  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#timer)
    await this.#running
  }

  #wait(ms: number): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => {
      this.#running = this.#run()
    }, ms)
  }

  async #run(): Promise<void> {
    this.#wokenWhileRunning = false
    const balanced = await this.#round()
    this.#lastMs = Date.now()
    this.#running = undefined
    if (!this.#stopped) this.#wait(balanced && !this.#wokenWhileRunning ? WAIT_INTERVAL_MS : MIN_INTERVAL_MS)
  }
}

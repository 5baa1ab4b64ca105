/** Things done again and again. They do not keep the process alive by themselves. */
export class ScheduledDuties {
  readonly #timers = new Set<NodeJS.Timeout>()

  /** Does something `firstMs` from now and then every `intervalMs`. It must not throw. */
  every(firstMs: number, intervalMs: number, duty: () => void): void {
    const first = setTimeout(() => {
      this.#timers.delete(first)
      this.#timers.add(setInterval(duty, intervalMs).unref())
      duty()
    }, firstMs).unref()
    this.#timers.add(first)
  }

  /** Nothing is done any more. */
  stop(): void {
    for (const timer of this.#timers) clearInterval(timer)
    this.#timers.clear()
  }
}

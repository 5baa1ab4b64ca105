/** Lets many puts wait for one fdatasync. */
export class FlushWaiter {
  readonly #wait: (position: number) => Promise<void>
  #waiting: { readonly resolve: () => void; readonly reject: (error: unknown) => void }[] = []
  #position = 0
  #running = false

  /** @param wait resolves once everything below a position of the commit log is on disk */
  constructor(wait: (position: number) => Promise<void>) {
    this.#wait = wait
  }

  /** Resolves once everything below `position` is on disk. */
  until(position: number): Promise<void> {
    this.#position = Math.max(this.#position, position)
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject })
      if (!this.#running) void this.#run()
    })
  }

  async #run(): Promise<void> {
    this.#running = true
    // What is put in the rest of this tick shares the fdatasync.
    await undefined
    while (this.#waiting.length > 0) {
      const served = this.#waiting
      this.#waiting = []
      try {
        await this.#wait(this.#position)
        for (const { resolve } of served) resolve()
      } catch (error) {
        for (const { reject } of served) reject(error)
      }
    }
    this.#running = false
  }
}

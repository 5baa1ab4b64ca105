import type { PutMessageStatus } from './types.js'

/** Lets many puts wait for one fdatasync. */
export class FlushWaiter {
  readonly #wait: (position: number) => Promise<PutMessageStatus>
  #waiting: { readonly resolve: (status: PutMessageStatus) => void; readonly reject: (error: unknown) => void }[] = []
  #position = 0
  #running = false

  /** @param wait resolves once everything below a position of the commit log is on disk, or that took too long */
  constructor(wait: (position: number) => Promise<PutMessageStatus>) {
    this.#wait = wait
  }

  /** Resolves once everything below `position` is on disk, or that took too long. */
  until(position: number): Promise<PutMessageStatus> {
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
        const status = await this.#wait(this.#position)
        for (const { resolve } of served) resolve(status)
      } catch (error) {
        for (const { reject } of served) reject(error)
      }
    }
    this.#running = false
  }
}

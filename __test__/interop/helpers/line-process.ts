/** A child process that answers JSON requests, one a line, in whatever order it gets done with them. */
import { OwnedProcess, type OwnedProcessOptions } from './owned.js'

interface Answer {
  readonly id: number
  readonly result?: unknown
  readonly error?: string
}

interface Waiting {
  resolve(result: unknown): void
  reject(error: Error): void
}

/** Speaks with a child process: {"id", "op", ...} on its stdin, {"id", "result"} or {"id", "error"} on its stdout. */
export class LineProcess implements AsyncDisposable {
  readonly #name: string
  readonly #process: OwnedProcess
  readonly #waiting = new Map<number, Waiting>()
  #lastId = 0

  constructor(name: string, command: string, commandArguments: readonly string[], options: OwnedProcessOptions = {}) {
    this.#name = name
    this.#process = new OwnedProcess(command, commandArguments, {
      ...options,
      onLine: line => this.#answered(JSON.parse(line) as Answer)
    })
    void this.#process.exited().then(
      code => this.#fail(new Error(`${name} left with ${code}:\n${this.#process.output}`)),
      (error: Error) => this.#fail(error)
    )
  }

  /** Its process id. */
  get pid(): number {
    return this.#process.pid
  }

  #answered(answer: Answer): void {
    const waiting = this.#waiting.get(answer.id)
    this.#waiting.delete(answer.id)
    if (answer.error === undefined) waiting?.resolve(answer.result)
    else waiting?.reject(new Error(`${this.#name}: ${answer.error}`))
  }

  #fail(error: Error): void {
    for (const waiting of this.#waiting.values()) waiting.reject(error)
    this.#waiting.clear()
  }

  /** Asks it to do `op` and resolves with the result. */
  ask<T>(op: string, request: object = {}): Promise<T> {
    if (!this.#process.running) return Promise.reject(new Error(`${this.#name} is gone:\n${this.#process.output}`))
    const id = ++this.#lastId
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve: result => resolve(result as T), reject })
      this.#process.stdin.write(`${JSON.stringify({ ...request, op, id })}\n`)
    })
  }

  /** Kills it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process.kill()
  }
}

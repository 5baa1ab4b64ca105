/** What must not outlive the process that made it: child processes and temporary directories. */
import { type ChildProcess, type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'

const releases = new Set<() => void>()

function releaseAll(): void {
  for (const release of [...releases].toReversed()) release()
  releases.clear()
}

process.on('exit', releaseAll)
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => {
    releaseAll()
    process.kill(process.pid, signal)
  })
}

/** Has `release` called when this process ends, by a signal too. Returns the way to take that back. */
function ownedUntilExit(release: () => void): () => void {
  releases.add(release)
  return () => releases.delete(release)
}

/** A directory that is removed with all it holds when disposed, or when this process ends. */
export class TemporaryDirectory {
  readonly path = mkdtempSync(join(tmpdir(), 'rocketmq-native-'))
  readonly #disown = ownedUntilExit(() => this.#remove())

  #remove(): void {
    rmSync(this.path, { recursive: true, force: true, maxRetries: 5 })
  }

  [Symbol.dispose](): void {
    this.#disown()
    this.#remove()
  }
}

/** How a child process is started. */
export interface OwnedProcessOptions {
  /** Working directory; this process's by default. */
  readonly cwd?: string
  /** Environment; this process's by default. */
  readonly env?: NodeJS.ProcessEnv
  /** Called with each line of standard output. */
  readonly onLine?: (line: string) => void
}

const OUTPUT_KEPT_CHARACTERS = 4_096

/** A child process that ends with this one. Its latest output is kept for error messages. */
export class OwnedProcess {
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>
  readonly #disown: () => void
  readonly #exit: Promise<unknown>
  #output = ''

  constructor(command: string, commandArguments: readonly string[], options: OwnedProcessOptions = {}) {
    this.#child = spawn(command, commandArguments, {
      cwd: options.cwd,
      env: options.env ?? process.env,
      stdio: ['pipe', 'pipe', 'pipe']
    })
    this.#disown = ownedUntilExit(() => this.#child.kill('SIGKILL'))
    this.#exit = once(this.#child, 'close').finally(this.#disown)
    this.#exit.catch(() => undefined) // a failed spawn is told to whoever waits
    this.#child.stdin.on('error', () => undefined) // the child left first; its exit says so
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => this.#keep(text))
    createInterface({ input: this.#child.stdout }).on('line', line => {
      if (options.onLine) options.onLine(line)
      else this.#keep(`${line}\n`)
    })
  }

  #keep(text: string): void {
    this.#output = (this.#output + text).slice(-OUTPUT_KEPT_CHARACTERS)
  }

  /** Its process id. */
  get pid(): number {
    return this.#child.pid ?? -1
  }

  /** Standard input. */
  get stdin(): Writable {
    return this.#child.stdin
  }

  /** The end of what it printed: standard error, and standard output unless `onLine` takes that. */
  get output(): string {
    return this.#output
  }

  /** Whether it still runs. */
  get running(): boolean {
    return this.#child.pid !== undefined && this.#child.exitCode === null && this.#child.signalCode === null
  }

  /** Resolves with the exit code, or the signal's name, once it ended and its output was read. */
  async exited(): Promise<ChildProcess['exitCode'] | ChildProcess['signalCode']> {
    await this.#exit
    return this.#child.exitCode ?? this.#child.signalCode
  }

  /** kill -9, and wait until it is gone. */
  async kill(): Promise<void> {
    if (!this.running) return
    this.#child.kill('SIGKILL')
    await this.exited()
  }

  /** Ends its input and asks it to leave with SIGTERM; after `graceMs` it is killed. Resolves once it is gone. */
  async stop(graceMs = 20_000): Promise<void> {
    if (!this.running) return
    const late = setTimeout(() => this.#child.kill('SIGKILL'), graceMs)
    this.#child.stdin.end()
    this.#child.kill('SIGTERM')
    await this.exited().finally(() => clearTimeout(late))
  }
}

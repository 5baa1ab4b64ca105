/** The built command line in a child process. */
import assert from 'node:assert/strict'
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { repositoryRoot } from '../../interop/helpers/repository.js'
import { until } from '../../interop/helpers/until.js'

/** The file that is run. */
export const main = join(repositoryRoot, 'dist', 'cli', 'main.js')

/** One run of `rocketmq-native`. It is killed when disposed. */
export class Cli {
  stdout = ''
  stderr = ''
  readonly #child: ChildProcessByStdio<Writable, Readable | null, Readable>
  readonly #closed: Promise<unknown>

  /**
   * @param env what its environment has beside that of this process
   * @param output file descriptor that its standard output goes to; by default it is read here
   */
  constructor(commandArguments: readonly string[], env: NodeJS.ProcessEnv = {}, output: number | 'pipe' = 'pipe') {
    this.#child = spawn(process.execPath, [main, ...commandArguments], {
      stdio: ['pipe', output as 'pipe', 'pipe'],
      env: { ...process.env, ...env }
    })
    this.#closed = once(this.#child, 'close')
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => (this.stdout += text))
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => (this.stderr += text))
  }

  /** Its standard input. */
  get stdin(): Writable {
    return this.#child.stdin
  }

  /** The lines of standard output. */
  get lines(): string[] {
    return this.stdout.split('\n').filter(line => line !== '')
  }

  /** Waits for the end; the exit code, or the name of the signal. */
  async exited(): Promise<number | string | null> {
    await this.#closed
    return this.#child.exitCode ?? this.#child.signalCode
  }

  /** Closes its standard output, as a reader that leaves. */
  closeOutput(): void {
    this.#child.stdout?.destroy()
  }

  /** Presses Ctrl-C, or sends another signal, and waits for the end. */
  interrupt(signal: NodeJS.Signals = 'SIGINT'): Promise<number | string | null> {
    this.#child.kill(signal)
    return this.exited()
  }

  /** Reads no more of its standard output, as `head` does. */
  stopReading(): void {
    this.#child.stdout?.destroy()
  }

  /** Waits until standard output matches; the process must not end before. */
  async untilPrinted(pattern: RegExp): Promise<void> {
    const printed = (): boolean => pattern.test(this.stdout) || this.#child.exitCode !== null
    await until(`${pattern} is printed`, printed, { everyMs: 5 })
    assert.match(this.stdout, pattern, this.stderr)
  }

  /** Waits until a server is ready; the addresses that it printed. */
  async untilServing(): Promise<{ nameServer: string; broker: string }> {
    await this.untilPrinted(/^ready in \d+ ms, Ctrl-C stops$/m)
    const address = (what: string): string => new RegExp(`^ {2}${what} +(\\S+)`, 'm').exec(this.stdout)?.[1] ?? ''
    return { nameServer: address('name server'), broker: address('broker') }
  }

  /** Waits for the end with exit code 1, nothing on standard output, and one line on standard error. */
  async failsWith(message: RegExp): Promise<void> {
    assert.equal(await this.exited(), 1, this.stdout)
    assert.match(this.stderr, message)
    assert.match(this.stderr, /^rocketmq-native: [^\n]+\n$/)
    assert.equal(this.stdout, '')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#closed
  }
}

/** Runs `rocketmq-native` with these arguments. */
export function cli(...commandArguments: readonly string[]): Cli {
  return new Cli(commandArguments)
}

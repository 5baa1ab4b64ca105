import { once } from 'node:events'
import { constants } from 'node:os'

/** Writes a line to standard output. */
export function print(line = ''): void {
  process.stdout.write(`${line}\n`)
}

/** Writes a line to standard error: what is no result. */
export function printError(line: string): void {
  process.stderr.write(`${line}\n`)
}

/** Ends the process with one line on standard error and exit code 1. */
export function fail(error: unknown): never {
  const text = error instanceof Error ? error.message : String(error)
  printError(`rocketmq-native: ${text.replace(/^error: /, '').replaceAll(/\s*\n\s*/g, ' ')}`)
  process.exit(1)
}

/** A reader that leaves early, as `head` does, is no failure, and hides none: `process.exitCode` stays. */
export function leaveWithReader(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit()
    fail(`standard output cannot be written: ${error.message}`)
  })
}

/** One Ctrl-C arrives twice where npm stands between: from the terminal, and passed on by npm. */
const SAME_KEY_PRESS_MS = 300

/** Fires at the first SIGINT or SIGTERM. The next one ends the process at once, with the exit code of a shell. */
export function stopSignal(): AbortSignal {
  const controller = new AbortController()
  let firstAt = 0
  const onSignal = (name: NodeJS.Signals): void => {
    if (!controller.signal.aborted) {
      firstAt = performance.now()
      controller.abort(name)
    } else if (performance.now() - firstAt > SAME_KEY_PRESS_MS) {
      process.exit(128 + constants.signals[name])
    }
  }
  process.on('SIGINT', onSignal)
  process.on('SIGTERM', onSignal)
  return controller.signal
}

/** Waits until the signal has fired. */
export async function untilStopped(stop: AbortSignal): Promise<void> {
  if (!stop.aborted) await once(stop, 'abort')
}

/** 1234567 as `1,234,567`; the nearest whole number. */
export function grouped(value: number): string {
  return Math.round(value).toLocaleString('en-US')
}

/** `1 message`, `2 messages`. */
export function counted(count: number, noun: string): string {
  return `${grouped(count)} ${noun}${count === 1 ? '' : 's'}`
}

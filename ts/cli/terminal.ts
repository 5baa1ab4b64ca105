import { once } from 'node:events'
import { closeSync } from 'node:fs'
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
  const line = text.replace(/^error: /, '').replaceAll(/\s*\n\s*/g, ' ')
  // Clients do not know what their option is called here.
  printError(`rocketmq-native: ${line.replaceAll('the option namesrvAddr', 'the option --name-server')}`)
  process.exit(1)
}

/**
 * Ends the process when standard output cannot be written: quietly with its reader, which hides no failure
 * (`process.exitCode` stays), else with what is wrong.
 */
export function leaveWithReader(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    failUnlessReaderLeft(error)
    process.exit()
  })
}

/** Fires when standard output cannot be written any more, with the error as its reason. */
export function outputSignal(): AbortSignal {
  const controller = new AbortController()
  process.stdout.on('error', error => controller.abort(error))
  return controller.signal
}

/** A server goes on when nobody reads what it says any more, or the disk is full that this goes to. */
export function goOnWithoutReader(): void {
  process.stdout.on('error', () => undefined)
}

/** A reader that leaves early, as `head` does, or a terminal that is closed, is no failure; all else is, a full disk for example. */
export function failUnlessReaderLeft(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE' && error.code !== 'EIO') fail(new Error(`cannot write the output: ${error.message}`))
}

/** One Ctrl-C arrives twice where npm stands between: from the terminal, and passed on by npm. */
const SAME_KEY_PRESS_MS = 300

/**
 * Fires at the first SIGINT, SIGTERM or SIGHUP. The next one ends the process at once, with the exit code of a shell; but not
 * SIGHUP, of which a terminal that is closed may send several.
 */
export function stopSignal(): AbortSignal {
  const controller = new AbortController()
  let firstAt = 0
  const onSignal = (name: NodeJS.Signals): void => {
    if (!controller.signal.aborted) {
      firstAt = performance.now()
      controller.abort(name)
      if (name === 'SIGHUP') process.once('exit', closeStandardStreams)
    } else if (name !== 'SIGHUP' && performance.now() - firstAt > SAME_KEY_PRESS_MS) {
      process.exit(128 + constants.signals[name])
    }
  }
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, onSignal)
  return controller.signal
}

/** At its end Node.js restores the settings of its terminal, and aborts where that is gone, but for a stream that is closed. */
function closeStandardStreams(): void {
  for (const fd of [0, 1, 2]) {
    try {
      closeSync(fd)
    } catch {
      // It is closed already.
    }
  }
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

/** Told of failures in the background, which no caller is waiting for. `doing` says what was being done. */
export type ErrorReporter = (error: Error, doing: string) => void

/** The same kind of failure is not printed again before this many milliseconds are over. */
const REPEAT_AFTER_MS = 30_000

/** Kinds remembered; texts may name single messages. */
const MAX_KINDS = 256

/**
 * The reporter used when the user gave none: a warning of the process (printed on standard error unless the process
 * handles `warning`), at most one in 30 seconds for each kind of work.
 */
export function warningReporter(): ErrorReporter {
  const lastMs = new Map<string, number>()
  return (error, doing) => {
    const now = Date.now()
    if (now - (lastMs.get(doing) ?? -Infinity) < REPEAT_AFTER_MS) return
    if (lastMs.size >= MAX_KINDS) lastMs.clear()
    lastMs.set(doing, now)
    process.emitWarning(`${doing}: ${error.message}`, { type: error.name, detail: detailOf(error) })
  }
}

function detailOf(error: Error): string {
  return error.cause instanceof Error ? `because: ${error.cause.message}` : ''
}

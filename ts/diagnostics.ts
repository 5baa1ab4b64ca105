/** Told of failures in the background, which no caller is waiting for. `doing` says what was being done. */
export type ErrorReporter = (error: Error, doing: string) => void

/**
 * Where a client writes what happens to it; the shape of pino, and of everything made after it. Each line has an object with
 * its facts and a text.
 */
export interface Logger {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

/** What happens to a client that no call of the user's is waiting for. */
export type ClientEvent =
  /** A broker or name server has answered for the first time, or for the first time since `disconnect`. */
  | { readonly type: 'connect'; readonly peer: Peer; readonly address: string }
  /** The connection to a broker or name server has ended; it is made again when it is needed. */
  | { readonly type: 'disconnect'; readonly peer: Peer; readonly address: string; readonly reason: string }
  /** The route of a topic was found, or is another one: its brokers, with the address of each one's master. */
  | { readonly type: 'routeChange'; readonly topic: string; readonly brokers: Readonly<Record<string, string>> }
  /** The name servers are others than before. */
  | { readonly type: 'nameServerChange'; readonly addresses: readonly string[]; readonly before: readonly string[] }
  /** Something failed in the background; what `onError` is told too. */
  | { readonly type: 'fault'; readonly error: Error; readonly doing: string }
  /** The reader of the events was slow: so many, the oldest, were thrown away here. */
  | { readonly type: 'missed'; readonly count: number }

/** Whom a connection leads to. */
export type Peer = 'broker' | 'nameServer'

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

import type { Channel } from 'node:diagnostics_channel'
import { tracingChannel } from 'node:diagnostics_channel'

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

/** What a {@link Tracing} channel says at the end, besides what it said at the start. */
interface Ended {
  error?: unknown
}

/**
 * A tracing channel of `node:diagnostics_channel` around work that ends later. Its five channels are told one object,
 * as by `TracingChannel#tracePromise`: `start` and `end` around the part that is done at once, `error` after a failure,
 * `asyncStart` and `asyncEnd` when all is over. Nothing is built while nobody listens: ask {@link active} first.
 */
export class Tracing<Event extends Ended> {
  readonly #start: Channel
  readonly #end: Channel
  readonly #asyncStart: Channel
  readonly #asyncEnd: Channel
  readonly #error: Channel

  constructor(name: string) {
    // Kept one by one: a look at each costs less than `TracingChannel#hasSubscribers`, which Node.js 20.3 does not have.
    const { start, end, asyncStart, asyncEnd, error } = tracingChannel(name)
    this.#start = start
    this.#end = end
    this.#asyncStart = asyncStart
    this.#asyncEnd = asyncEnd
    this.#error = error
  }

  /** Whether anybody listens. */
  get active(): boolean {
    return (
      this.#start.hasSubscribers ||
      this.#asyncEnd.hasSubscribers ||
      this.#error.hasSubscribers ||
      this.#end.hasSubscribers ||
      this.#asyncStart.hasSubscribers
    )
  }

  /** Does the part that is done at once, with stores bound to the channel in place. Call {@link ended} when all is over. */
  run<T>(event: Event, work: () => T): T {
    return this.#start.runStores(event, () => {
      try {
        return work()
      } finally {
        this.#end.publish(event)
      }
    })
  }

  /** All is over. */
  ended(event: Event): void {
    if (event.error !== undefined) this.#error.publish(event)
    this.#asyncStart.publish(event)
    this.#asyncEnd.publish(event)
  }
}

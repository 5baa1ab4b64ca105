import { setTimeout as pause } from 'node:timers/promises'

/** How {@link until} asks. */
export interface UntilOptions {
  /** Milliseconds after which it gives up; 60,000 by default. */
  readonly timeoutMs?: number
  /** Milliseconds between two tries; 50 by default. */
  readonly everyMs?: number
}

/**
 * Asks `condition` until it gives something truthy and resolves with that. A rejection counts as "not yet"; the last
 * one is the cause of the error when time runs out.
 */
export async function until<T>(
  what: string,
  condition: () => T | Promise<T>,
  { timeoutMs = 60_000, everyMs = 50 }: UntilOptions = {}
): Promise<Exclude<T, false | null | undefined>> {
  const end = performance.now() + timeoutMs
  for (;;) {
    let cause: unknown
    try {
      const answer = await condition()
      if (answer) return answer as Exclude<T, false | null | undefined>
    } catch (error) {
      cause = error
    }
    if (performance.now() >= end) throw new Error(`${what}: not so after ${timeoutMs} ms`, { cause })
    await pause(everyMs)
  }
}

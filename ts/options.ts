import { ConfigError } from './errors.js'

/**
 * Tables of options. A table says of every option its kind, its default and its limits; the type that users see, the
 * defaults and the checks all come from it, and the docstrings on its entries are what an editor shows.
 *
 * @packageDocumentation
 */

/** One option of a table. `T` is the type of a checked value, `I` what a user may pass. */
export interface Option<T, I = T> {
  /** Used when the user gives nothing; `undefined` only for options typed as such. */
  readonly default: T
  /** Turns what the user gave into a value, or throws a ConfigError naming `key`. */
  parse(key: string, given: I): T
}

/** A table of options, by name. */
export type OptionTable = Readonly<Record<string, Option<never, never>>>

/** What a user may pass for a table: every option may be left out. */
export type OptionsInput<Table> = {
  [K in keyof Table]?: Table[K] extends Option<infer _T, infer I> ? I | undefined : never
}

/** The checked values of a table, defaults filled in. */
export type OptionsOf<Table> = {
  readonly [K in keyof Table]: Table[K] extends Option<infer T, infer _I> ? T : never
}

function fail(key: string, expected: string, given: unknown): never {
  throw new ConfigError(`option ${key} must be ${expected}, not ${describe(given)}`)
}

function describe(given: unknown): string {
  return typeof given === 'string' ? JSON.stringify(given) : String(given)
}

/** A whole number between `min` and `max`, both included. */
export function int(defaultValue: number, min: number, max = Number.MAX_SAFE_INTEGER): Option<number> {
  return {
    default: defaultValue,
    parse(key, given) {
      if (!Number.isSafeInteger(given)) fail(key, 'a whole number', given)
      if (given < min || given > max) fail(key, `between ${min} and ${max}`, given)
      return given
    }
  }
}

/** The longest time a timer of Node can wait: 24.8 days. A longer one would fire at once. */
export const MAX_TIMER_MS = 2 ** 31 - 1

/** A time in whole milliseconds, at least `min`, at most what a timer can wait. */
export function timeMs(defaultValue: number, min: number): Option<number> {
  return int(defaultValue, min, MAX_TIMER_MS)
}

/** A whole number between `min` and `max`, both included, or nothing. */
export function optionalInt(min: number, max: number): Option<number | undefined> {
  const whole = int(min, min, max)
  return {
    default: undefined,
    parse: (key, given) => whole.parse(key, given as number) // what is no number is refused there
  }
}

/** true or false. */
export function bool(defaultValue: boolean): Option<boolean> {
  return {
    default: defaultValue,
    parse: (key, given) => (typeof given === 'boolean' ? given : fail(key, 'true or false', given))
  }
}

/** A string that is not empty. */
export function str(defaultValue: string): Option<string> {
  return {
    default: defaultValue,
    parse: (key, given) => (typeof given === 'string' && given !== '' ? given : fail(key, 'a text', given))
  }
}

/** A string that is not empty, or nothing. */
export function optionalStr(): Option<string | undefined> {
  return {
    default: undefined,
    parse: (key, given) => (typeof given === 'string' && given !== '' ? given : fail(key, 'a text', given))
  }
}

/** A function, or nothing. */
export function optionalFunction<F extends (...args: never[]) => unknown>(): Option<F | undefined> {
  return {
    default: undefined,
    parse: (key, given) => (typeof given === 'function' ? given : fail(key, 'a function', given))
  }
}

/** One of some words. */
export function oneOf<const W extends readonly string[]>(words: W, defaultValue: W[number]): Option<W[number]> {
  return {
    default: defaultValue,
    parse(key, given) {
      if (!words.includes(given)) fail(key, `one of ${words.join(', ')}`, given)
      return given
    }
  }
}

/** Anything that `check` accepts; for functions, objects and lists. */
export function custom<T, I = T>(defaultValue: T, check: (key: string, given: I) => T): Option<T, I> {
  return { default: defaultValue, parse: check }
}

/**
 * Checks what a user passed against a table. The result is frozen; the caller's object is only read.
 *
 * @param what for the error text, for example `Producer`
 * @throws ConfigError for an unknown key (naming the nearest known one), a bad value, and what is no object
 */
export function readOptions<Table extends object>(
  what: string,
  table: Table,
  given: OptionsInput<Table> = {}
): OptionsOf<Table> {
  const entries = table as Record<string, Option<unknown, unknown>>
  if (typeof given !== 'object' || given === null) {
    throw new ConfigError(`the options of ${what} must be an object, not ${describe(given)}`)
  }
  const values = given as Record<string, unknown>
  for (const key of Object.keys(values)) {
    if (!Object.hasOwn(entries, key)) {
      throw new ConfigError(`${what} has no option ${key}; did you mean ${nearest(key, Object.keys(entries))}?`)
    }
  }
  const result: Record<string, unknown> = {}
  for (const [key, option] of Object.entries(entries)) {
    const value = values[key]
    result[key] = value === undefined ? option.default : option.parse(key, value)
  }
  return Object.freeze(result) as OptionsOf<Table>
}

/** The candidate with the smallest edit distance to `word`, capitals ignored. */
export function nearest(word: string, candidates: readonly string[]): string {
  let best = ''
  let bestDistance = Infinity
  for (const candidate of candidates) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase())
    if (distance < bestDistance) {
      best = candidate
      bestDistance = distance
    }
  }
  return best
}

function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const current = [i]
    for (let j = 1; j <= b.length; j++) {
      const substitution = previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      current.push(Math.min(substitution, previous[j]! + 1, current[j - 1]! + 1))
    }
    previous = current
  }
  return previous[b.length]!
}

import { inspect } from 'node:util'
import { InvalidArgumentError } from '../errors.js'

/**
 * What a program in JavaScript may hand over to a store is checked here. Each throws an InvalidArgumentError that names the
 * argument. Those of {@link checkQueue} and {@link int32} are passed by each message of a put: they compare, and make nothing.
 *
 * @packageDocumentation
 */

/** Says what an argument must be, and what it is. */
export function refuse(what: string, expected: string, given: unknown): never {
  const shown = inspect(given, { depth: -1, maxStringLength: 100, breakLength: Infinity })
  throw new InvalidArgumentError(`${what} must be ${expected}, not ${shown}`)
}

/** An object with fields. */
export function checkObject(what: string, value: unknown): void {
  if (typeof value !== 'object' || value === null) refuse(what, 'an object', value)
}

/** A text. */
export function checkText(what: string, value: unknown): void {
  if (typeof value !== 'string') refuse(what, 'a text', value)
}

/** A text or several. */
export function checkTexts(what: string, value: unknown): void {
  if (typeof value === 'string') return
  if (!Array.isArray(value)) refuse(what, 'a text or an array of texts', value)
  for (const text of value) checkText(`each of ${what}`, text)
}

/** Names and values: an object or a Map, no other collection. */
export function checkProperties(value: unknown): void {
  const isCollection = typeof value === 'object' && value !== null && Symbol.iterator in value
  if (typeof value !== 'object' || value === null || (isCollection && !(value instanceof Map))) {
    refuse('properties', 'an object or a Map', value)
  }
}

/** What names a queue. */
export function checkQueue(topic: string, queueId: number): void {
  if (typeof topic !== 'string') refuse('topic', 'a text', topic)
  if (typeof queueId !== 'number' || (queueId | 0) !== queueId || queueId < 0) {
    refuse('queueId', 'a whole number from 0 to 2147483647', queueId)
  }
}

/** A topic that has a form in UTF-8: half a surrogate pair would be stored as another text. */
export function checkWellFormed(topic: string): void {
  if (/\p{Surrogate}/u.test(topic)) refuse('topic', 'a text without lone surrogates', topic)
}

/** A whole number of 32 bits. */
export function int32(what: string, value: number): number {
  if (typeof value !== 'number' || (value | 0) !== value) refuse(what, 'a whole number of 32 bits', value)
  return value
}

/** A limit, 1 or more; one beyond 32 bits is as good as none. */
export function limit(what: string, value: number): number {
  if (typeof value !== 'number' || !(value >= 1)) refuse(what, 'a number from 1', value)
  return Math.min(Math.floor(value), 0xffffffff)
}

/** A point in time. */
export function checkTime(what: string, value: number): void {
  if (typeof value !== 'number' || Number.isNaN(value)) refuse(what, 'milliseconds since 1970', value)
}

import { InvalidArgumentError } from '../errors.js'

/**
 * Names of message properties that have a meaning in RocketMQ (`common/message/MessageConst.java`). Only those this
 * package uses by name are listed; {@link RESERVED_PROPERTIES} has all that a user may not set.
 */
export const MessageConst = {
  KEYS: 'KEYS',
  TAGS: 'TAGS',
  WAIT: 'WAIT',
  DELAY: 'DELAY',
  RETRY_TOPIC: 'RETRY_TOPIC',
  UNIQ_KEY: 'UNIQ_KEY',
  MIN_OFFSET: 'MIN_OFFSET',
  MAX_OFFSET: 'MAX_OFFSET',
  BUYER_ID: 'BUYER_ID',
  INSTANCE_ID: 'INSTANCE_ID',
  TIMER_DELAY_SEC: 'TIMER_DELAY_SEC',
  TIMER_DELAY_MS: 'TIMER_DELAY_MS',
  TIMER_DELIVER_MS: 'TIMER_DELIVER_MS',
  PRIORITY: '_SYS_MSG_PRIORITY_',
  INNER_MULTI_DISPATCH: 'INNER_MULTI_DISPATCH',
  /** `true` for the half message of a transaction. */
  TRANSACTION_PREPARED: 'TRAN_MSG',
  PRODUCER_GROUP: 'PGROUP',
  CLUSTER: 'CLUSTER',
  /** `reply` for the answer to a request. */
  MESSAGE_TYPE: 'MSG_TYPE',
  CORRELATION_ID: 'CORRELATION_ID',
  MESSAGE_REPLY_TO_CLIENT: 'REPLY_TO_CLIENT',
  /** How long the sender of a request waits for the reply, ms. */
  MESSAGE_TTL: 'TTL',
  REPLY_MESSAGE_ARRIVE_TIME: 'ARRIVE_TIME'
} as const

/** What `MSG_TYPE` says of an answer to a request (`common/MixAll.java`). */
export const REPLY_MESSAGE_FLAG = 'reply'

/** Between keys in the property `KEYS` (`MessageConst#KEY_SEPARATOR`). */
export const KEY_SEPARATOR = ' '

/** Names a user property may not have (`common/message/MessageConst.java#STRING_HASH_SET`). */
export const RESERVED_PROPERTIES: ReadonlySet<string> = new Set(
  [
    'TRACE_ON MSG_REGION KEYS TAGS WAIT DELAY RETRY_TOPIC ORIGIN_GROUP REAL_TOPIC REAL_QID TRAN_MSG PGROUP MIN_OFFSET',
    'MAX_OFFSET BUYER_ID ORIGIN_MESSAGE_ID TRANSFER_FLAG CORRECTION_FLAG MQ2_FLAG RECONSUME_TIME UNIQ_KEY',
    'MAX_RECONSUME_TIMES CONSUME_START_TIME POP_CK POP_CK_OFFSET 1ST_POP_TIME TRAN_PREPARED_QUEUE_OFFSET DUP_INFO',
    'EXTEND_UNIQ_INFO INSTANCE_ID CORRELATION_ID REPLY_TO_CLIENT TTL ARRIVE_TIME PUSH_REPLY_TIME CLUSTER MSG_TYPE',
    'INNER_MULTI_QUEUE_OFFSET TIMER_DELAY_MS TIMER_DELAY_SEC TIMER_DELIVER_MS TIMER_ENQUEUE_MS TIMER_DEQUEUE_MS',
    'TIMER_ROLL_TIMES TIMER_OUT_MS TIMER_DEL_UNIQKEY TIMER_DELAY_LEVEL __BORNHOST BORN_TIMESTAMP DLQ_ORIGIN_TOPIC',
    'DLQ_ORIGIN_MESSAGE_ID __CRC32# _SYS_MSG_PRIORITY_ __LITE_TOPIC'
  ].flatMap(line => line.split(' '))
)

/** Ends a property's name in the encoded form. */
export const NAME_VALUE_SEPARATOR = '\u0001'
/** Ends a property's value in the encoded form. */
export const PROPERTY_SEPARATOR = '\u0002'

const NAME_VALUE_SEPARATOR_BYTE = NAME_VALUE_SEPARATOR.charCodeAt(0)
const PROPERTY_SEPARATOR_BYTE = PROPERTY_SEPARATOR.charCodeAt(0)

/** Bytes `[start, end)` of a buffer. */
export interface Place {
  readonly start: number
  readonly end: number
}

/** Largest encoded form, in bytes of UTF-8: its length travels as a signed 16-bit number. */
export const MAX_PROPERTIES_BYTES = 32767

/** UTF-8 needs at most three bytes for a UTF-16 unit, so shorter strings need no counting. */
const SURELY_SHORT_UNITS = Math.floor(MAX_PROPERTIES_BYTES / 3)

/** Encodes one property: `name 0x01 value 0x02`. */
export function encodeProperty(name: string, value: string): string {
  return name + NAME_VALUE_SEPARATOR + value + PROPERTY_SEPARATOR
}

/**
 * Decodes `name 0x01 value 0x02` repeated. As in `common/message/MessageDecoder.java#string2messageProperties`, an entry
 * below three characters, without a name or with an empty value is passed over, and the last separator may be missing.
 */
export function decodeProperties(encoded: string): Map<string, string> {
  const properties = new Map<string, string>()
  let start = 0
  while (start < encoded.length) {
    let end = encoded.indexOf(PROPERTY_SEPARATOR, start)
    if (end < 0) end = encoded.length
    if (end - start >= 3) {
      const nameEnd = encoded.indexOf(NAME_VALUE_SEPARATOR, start)
      if (nameEnd > start && nameEnd < end - 1) {
        properties.set(encoded.slice(start, nameEnd), encoded.slice(nameEnd + 1, end))
      }
    }
    start = end + 1
  }
  return properties
}

/**
 * Where the value lies that {@link decodeProperties} has under that name: `[start, end)`, undefined if there is none. Looked
 * for among the bytes, as to ask the runtime for a text costs more than to look through them.
 *
 * @param encoded holds the properties, UTF-8, from `start` to `end`
 * @param name of ASCII only
 */
export function findProperty(encoded: Uint8Array, start: number, end: number, name: string): Place | undefined {
  // From the back: of several the last counts.
  for (let stop = end; stop > start;) {
    let from = stop
    while (from > start && encoded[from - 1] !== PROPERTY_SEPARATOR_BYTE) from--
    const nameEnd = from + name.length
    // One without a value is passed over.
    if (nameEnd < stop - 1 && encoded[nameEnd] === NAME_VALUE_SEPARATOR_BYTE && hasName(encoded, from, name)) {
      return { start: nameEnd + 1, end: stop }
    }
    stop = from - 1
  }
  return undefined
}

function hasName(encoded: Uint8Array, from: number, name: string): boolean {
  for (let at = 0; at < name.length; at++) if (encoded[from + at] !== name.charCodeAt(at)) return false
  return true
}

/** Whether nothing is left of a text after Java's `trim()`, which takes away all up to U+0020 and no other blanks. */
export function isBlank(text: string): boolean {
  for (let at = 0; at < text.length; at++) if (text.charCodeAt(at) > 0x20) return false
  return true
}

/**
 * Refuses what would break the encoded form for every reader.
 *
 * @throws InvalidArgumentError when `text` is none, or contains one of the two separators
 */
export function checkPropertyText(what: string, text: string): string {
  if (text === lastGoodText) return text
  if (typeof text !== 'string') throw new InvalidArgumentError(`${what} must be a text, not ${String(text)}`)
  if (text.includes(NAME_VALUE_SEPARATOR) || text.includes(PROPERTY_SEPARATOR)) {
    throw new InvalidArgumentError(`${what} contains U+0001 or U+0002, which separate properties on the wire`)
  }
  lastGoodText = text
  return text
}

/** Most messages have the tags of the one before. */
let lastGoodText = ''

/** Whether encoded properties of so many UTF-16 units are short enough in any case. */
export function isSurelyShort(units: number): boolean {
  return units <= SURELY_SHORT_UNITS
}

/**
 * Refuses properties that no broker would take (it answers MESSAGE_ILLEGAL above 32767 bytes).
 *
 * @throws InvalidArgumentError when the encoded form is too large
 */
export function checkPropertiesLength(encoded: string): string {
  if (!isSurelyShort(encoded.length)) {
    const bytes = Buffer.byteLength(encoded)
    if (bytes > MAX_PROPERTIES_BYTES) {
      throw new InvalidArgumentError(
        `the properties of the message take ${bytes} bytes, at most ${MAX_PROPERTIES_BYTES} can be sent`
      )
    }
  }
  return encoded
}

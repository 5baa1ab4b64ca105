import { ConfigError, toError } from '../errors.js'
import { CLIENT_OPTIONS } from '../client/client-config.js'
import { checkTopic } from '../client/validators.js'
import { wrapNamespace } from '../client/namespace.js'
import type { MessageBody, Serializer } from '../message/serializer.js'
import { TRACE_OPTIONS } from '../trace/options.js'
import type { OptionsInput, OptionsOf } from '../options.js'
import { ACCUMULATOR_OPTIONS } from './accumulator-options.js'
import { BACK_PRESSURE_OPTIONS } from './back-pressure-options.js'
import { bool, custom, int, timeMs, oneOf, str } from '../options.js'

/** Options of a producer (`client/producer/DefaultMQProducer.java`). Times are milliseconds, sizes bytes. */
export const PRODUCER_OPTIONS = {
  ...CLIENT_OPTIONS,
  ...TRACE_OPTIONS,
  /** The group; transactions and request-reply find their producers by it. Required. */
  producerGroup: str(''),
  /**
   * Topics whose brokers are to know this producer from the start, and not from its first send: for producers that only
   * answer for transactions of others.
   * @default none
   */
  topics: custom<readonly string[], Iterable<string>>([], (key, given) => {
    return listOf(key, 'topics', given).map(topic => {
      try {
        checkTopic(topic)
      } catch (error) {
        throw new ConfigError(`option ${key}: ${toError(error).message}`, { cause: error })
      }
      return topic
    })
  }),
  /**
   * Topics and the group get `namespace%` before their names on the wire; what the program sees has none. @default none
   */
  namespace: custom<string | undefined, string>(undefined, (key, given) => {
    if (typeof given !== 'string' || !/^[a-zA-Z0-9_-]+$/.test(given)) {
      throw new ConfigError(`option ${key} must be made of letters, digits, _ and -, not ${JSON.stringify(given)}`)
    }
    return given
  }),
  /** The topic whose settings a new topic gets, where brokers create topics by themselves. @default 'TBW102' */
  createTopicKey: str('TBW102'),
  /** Queues per broker of a topic that is created by the first send. @default 4 */
  defaultTopicQueueNums: int(4, 1, 65_535),
  /** Time allowed for a send, all attempts together. @default 3000 */
  sendMsgTimeout: timeMs(3_000, 1),
  /**
   * Time allowed for one attempt while others may follow; −1 for no such limit. Sends with a callback have it too, unlike
   * Java's, which spend all their time on an attempt that is not answered.
   * @default -1
   */
  sendMsgMaxTimeoutPerRequest: timeMs(-1, -1),
  /**
   * Turns the bodies of messages into bytes, for programs that send values; `jsonSerializer()` is one.
   * @default none: bodies are text or bytes
   */
  serializer: custom<Serializer<unknown> | undefined, Serializer<unknown>>(undefined, (key, given) => {
    if (typeof given?.serialize !== 'function') throw new ConfigError(`option ${key} must have a method serialize`)
    return given
  }),
  /** Bodies of this size and more are compressed. @default 4096 */
  compressMsgBodyOverHowmuch: int(4_096, 1),
  /** How. @default 'ZLIB' */
  compressType: oneOf(['ZLIB', 'LZ4', 'ZSTD'], 'ZLIB'),
  /** How hard. @default 5 */
  compressLevel: int(5, 0, 22),
  /** Further attempts of a send that returns a promise. @default 2 */
  retryTimesWhenSendFailed: int(2, 0, 100),
  /** Further attempts of a send with a callback. @default 2 */
  retryTimesWhenSendAsyncFailed: int(2, 0, 100),
  /**
   * Whether brokers that were slow or failed are left alone for a while, as `latencyMax` and `notAvailableDuration` say.
   * @default false
   */
  sendLatencyFaultEnable: bool(false),
  /** With `sendLatencyFaultEnable`: whether brokers that cannot be reached are watched until they can. @default false */
  startDetectorEnable: bool(false),
  /** Time allowed for a look at such a broker. @default 200 */
  detectTimeout: timeMs(200, 1),
  /** Time between two looks at the same broker, at least; looks are made every 3 s. @default 2000 */
  detectInterval: timeMs(2_000, 1),
  /**
   * Latencies, ascending: a send that took at least so long isolates its broker for the duration in the same place of
   * `notAvailableDuration`; one that failed counts as 10 s.
   * @default [50, 100, 550, 1800, 3000, 5000, 15000]
   */
  latencyMax: custom<readonly number[]>([50, 100, 550, 1_800, 3_000, 5_000, 15_000], ascendingMs),
  /** See `latencyMax`; must have as many entries. @default [0, 0, 2000, 5000, 6000, 10000, 30000] */
  notAvailableDuration: custom<readonly number[]>([0, 0, 2_000, 5_000, 6_000, 10_000, 30_000], listOfMs),
  /** Whether to try another broker when the message was stored, but not flushed or replicated in time. @default false */
  retryAnotherBrokerWhenNotStoreOK: bool(false),
  /** Largest body. @default 4194304 */
  maxMessageSize: int(4 * 1024 * 1024, 1),
  ...ACCUMULATOR_OPTIONS,
  ...BACK_PRESSURE_OPTIONS,
  /**
   * Answers of a broker after which another is tried.
   * @default [1, 2, 14, 16, 17, 204, 205, 1500]
   */
  retryResponseCodes: custom<ReadonlySet<number>, Iterable<number>>(
    new Set([1, 2, 14, 16, 17, 204, 205, 1500]),
    (key, given) => {
      const codes = new Set(listOf(key, 'whole numbers', given))
      for (const code of codes) {
        if (!Number.isInteger(code)) throw new ConfigError(`option ${key} must hold whole numbers, not ${String(code)}`)
      }
      return codes
    }
  )
}

/**
 * What a producer is made from. `Body` is what its serializer takes; without one bodies are text or bytes, so any other
 * `Body` needs one.
 */
export type ProducerOptions<Body = MessageBody> = Omit<OptionsInput<typeof PRODUCER_OPTIONS>, 'serializer'> & {
  producerGroup: string
  serializer?: Serializer<Body> | undefined
} & ([Body] extends [MessageBody] ? unknown : { serializer: Serializer<Body> })
/** The checked values of {@link PRODUCER_OPTIONS}. */
export type ProducerConfig = OptionsOf<typeof PRODUCER_OPTIONS>

function listOf<T>(key: string, what: string, given: Iterable<T>): T[] {
  const iterable = typeof given === 'object' && given !== null && Symbol.iterator in given
  if (!iterable) throw new ConfigError(`option ${key} must be a list of ${what}, not ${String(given)}`)
  return [...given]
}

function listOfMs(key: string, given: readonly number[]): readonly number[] {
  if (!Array.isArray(given) || !given.every(ms => Number.isSafeInteger(ms) && ms >= 0)) {
    throw new ConfigError(`option ${key} must be a list of whole numbers from 0, not ${JSON.stringify(given)}`)
  }
  return Object.freeze([...given])
}

function ascendingMs(key: string, given: readonly number[]): readonly number[] {
  const list = listOfMs(key, given)
  if (list.some((ms, i) => i > 0 && ms <= list[i - 1]!)) {
    throw new ConfigError(`option ${key} must ascend, not ${JSON.stringify(given)}`)
  }
  return list
}

/**
 * Checks what one option alone cannot tell, and puts the group into its namespace
 * (`client/producer/DefaultMQProducer.java#start`).
 *
 * @throws ConfigError when options contradict each other
 */
export function checkProducerConfig(config: ProducerConfig): ProducerConfig {
  const { latencyMax, notAvailableDuration } = config
  if (latencyMax.length !== notAvailableDuration.length) {
    throw new ConfigError(
      `options latencyMax and notAvailableDuration must have equally many entries, not ${latencyMax.length} and ${notAvailableDuration.length}`
    )
  }
  const { namespace, producerGroup } = config
  if (namespace === undefined || producerGroup === '') return config
  return Object.freeze({ ...config, producerGroup: wrapNamespace(namespace, producerGroup) })
}

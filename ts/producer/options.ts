import { ConfigError } from '../errors.js'
import { CLIENT_OPTIONS } from '../client/client-config.js'
import type { OptionsInput, OptionsOf } from '../options.js'
import { ACCUMULATOR_OPTIONS } from './accumulator-options.js'
import { BACK_PRESSURE_OPTIONS } from './back-pressure-options.js'
import { bool, custom, int, oneOf, str } from '../options.js'

/** Options of a producer (`client/producer/DefaultMQProducer.java`). Times are milliseconds, sizes bytes. */
export const PRODUCER_OPTIONS = {
  ...CLIENT_OPTIONS,
  /** The group; transactions and request-reply find their producers by it. Required. */
  producerGroup: str(''),
  /** The topic whose settings a new topic gets, where brokers create topics by themselves. @default 'TBW102' */
  createTopicKey: str('TBW102'),
  /** Queues per broker of a topic that is created by the first send. @default 4 */
  defaultTopicQueueNums: int(4, 1, 65_535),
  /** Time allowed for a send, all attempts together. @default 3000 */
  sendMsgTimeout: int(3_000, 1),
  /** Time allowed for one attempt while others may follow; −1 for no such limit. @default -1 */
  sendMsgMaxTimeoutPerRequest: int(-1, -1),
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
      const codes = new Set(given)
      for (const code of codes) {
        if (!Number.isInteger(code)) throw new ConfigError(`option ${key} must hold whole numbers, not ${String(code)}`)
      }
      return codes
    }
  )
}

/** What a producer is made from. */
export type ProducerOptions = OptionsInput<typeof PRODUCER_OPTIONS> & { producerGroup: string }
/** The checked values of {@link PRODUCER_OPTIONS}. */
export type ProducerConfig = OptionsOf<typeof PRODUCER_OPTIONS>

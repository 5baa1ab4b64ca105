import { ConfigError } from '../errors.js'
import type { OptionsInput, OptionsOf } from '../options.js'
import { custom, int } from '../options.js'
import type { MessageBody } from '../message/serializer.js'
import type { ProducerOptions } from './options.js'
import { PRODUCER_OPTIONS } from './options.js'
import type { LocalTransactionOutcome, TransactionListener } from './transaction-types.js'

/** Options of a producer of transactions beside those of every producer (`client/producer/TransactionMQProducer.java`). */
export const TRANSACTION_OPTIONS = {
  /** Runs local transactions and answers for them. Required. */
  transactionListener: custom<TransactionListener | undefined, TransactionListener<never>>(undefined, (key, given) => {
    if (typeof given?.checkLocalTransaction !== 'function') {
      throw new ConfigError(`option ${key} must be an object with a function checkLocalTransaction`)
    }
    // What its local transactions take is what the caller gives with each message.
    return given as TransactionListener
  }),
  /** Checks that run side by side, as long as not too many wait. @default 1 */
  checkThreadPoolMinSize: int(1, 1),
  /** Checks that run side by side when `checkRequestHoldMax` wait. @default 1 */
  checkThreadPoolMaxSize: int(1, 1),
  /** Checks that wait; what is beyond is dropped, and asked for again by the broker. @default 2000 */
  checkRequestHoldMax: int(2_000, 1)
}

/** All options of a producer of transactions. */
export const TRANSACTION_PRODUCER_OPTIONS = { ...PRODUCER_OPTIONS, ...TRANSACTION_OPTIONS }

/** What a producer of transactions is made from. `Result` is what the functions of its listener return. */
export type TransactionProducerOptions<
  Body = MessageBody,
  Result = LocalTransactionOutcome | Promise<LocalTransactionOutcome>
> = ProducerOptions<Body> &
  Omit<OptionsInput<typeof TRANSACTION_OPTIONS>, 'transactionListener'> & {
    transactionListener: TransactionListener<never, Result>
  }
/** The checked values of {@link TRANSACTION_PRODUCER_OPTIONS}. */
export type TransactionProducerConfig = OptionsOf<typeof TRANSACTION_PRODUCER_OPTIONS>

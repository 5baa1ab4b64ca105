import { bool, int } from '../options.js'

/** Options of automatic batching (`client/producer/ProduceAccumulator.java`, names of `DefaultMQProducer.java`). */
export const ACCUMULATOR_OPTIONS = {
  /**
   * Whether messages that are sent at the same time travel together, each with a result of its own. Not where hooks or
   * `enableTrace` are told of each message. @default false
   */
  autoBatch: bool(false),
  /** A batch leaves when it has so many bytes, properties included. @default 32768 */
  batchMaxBytes: int(32 * 1024, 1, 2 * 1024 * 1024),
  /** A batch leaves when it has so many messages. @default 1024 */
  batchMaxMessages: int(1_024, 1),
  /**
   * How long a message waits at most for others while earlier batches of its kind are on their way. With none on their way
   * it waits for nobody. @default 10
   */
  batchMaxDelayMs: int(10, 1, 30_000),
  /** Bytes in batches that are not acknowledged yet; beyond them messages are sent one by one. @default 33554432 */
  totalBatchMaxBytes: int(32 * 1024 * 1024, 1)
}

import { homedir } from 'node:os'
import { join } from 'node:path'
import { CLIENT_OPTIONS } from '../client/client-config.js'
import { ConsumeFromWhere, MessageModel } from '../client/heartbeat.js'
import { ConfigError } from '../errors.js'
import type { OptionsInput, OptionsOf } from '../options.js'
import { bool, custom, int, timeMs, oneOf, str } from '../options.js'
import { allocateMessageQueueAveragely } from './rebalance/averagely.js'
import type { AllocateMessageQueueStrategy } from './rebalance/strategy.js'

/** Options of a push consumer (`client/consumer/DefaultMQPushConsumer.java`). Times are milliseconds. */
export const PUSH_CONSUMER_OPTIONS = {
  ...CLIENT_OPTIONS,
  /** The group: its members share the messages. Required. */
  consumerGroup: str(''),
  /** Share the messages in the group, or give all to each member. @default 'CLUSTERING' */
  messageModel: oneOf([MessageModel.CLUSTERING, MessageModel.BROADCASTING], MessageModel.CLUSTERING),
  /** Where to begin in a queue for which the group has no offset. @default 'CONSUME_FROM_LAST_OFFSET' */
  consumeFromWhere: oneOf(
    [
      ConsumeFromWhere.CONSUME_FROM_LAST_OFFSET,
      ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET,
      ConsumeFromWhere.CONSUME_FROM_TIMESTAMP
    ],
    ConsumeFromWhere.CONSUME_FROM_LAST_OFFSET
  ),
  /**
   * For CONSUME_FROM_TIMESTAMP: a Date, milliseconds since 1970, or Java's `yyyyMMddHHmmss` in local time.
   * @default half an hour before the consumer is made
   */
  consumeTimestamp: custom<number | undefined, Date | number | string>(undefined, parseTime),
  /** Which member gets which queue. @default averagely */
  allocateMessageQueueStrategy: custom<AllocateMessageQueueStrategy, AllocateMessageQueueStrategy>(
    allocateMessageQueueAveragely,
    (key, given) => {
      if (typeof given.allocate !== 'function') throw new ConfigError(`option ${key} must have a method allocate`)
      return given
    }
  ),
  /** How many calls of the listener are under way at once. @default 20 */
  consumeThreadMax: int(20, 1, 1_000),
  /** Most messages a call of the listener gets. @default 1 */
  consumeMessageBatchMaxSize: int(1, 1, 1_024),
  /** A queue is not pulled while its oldest and newest message held here are further apart than this. @default 2000 */
  consumeConcurrentlyMaxSpan: int(2_000, 1, 65_535),
  /** A queue is not pulled while more messages of it than this are held here. @default 1000 */
  pullThresholdForQueue: int(1_000, 1, 65_535),
  /** A queue is not pulled while more MiB of it than this are held here. @default 100 */
  pullThresholdSizeForQueue: int(100, 1, 1_024),
  /** Like pullThresholdForQueue, for all queues together; −1 for none. @default -1 */
  pullThresholdForTopic: int(-1, -1, 6_553_500),
  /** Like pullThresholdSizeForQueue, for all queues together; −1 for none. @default -1 */
  pullThresholdSizeForTopic: int(-1, -1, 102_400),
  /** Rest between a pull that found something and the next. @default 0 */
  pullInterval: int(0, 0, 65_535),
  /** Most messages of a pull. @default 32 */
  pullBatchSize: int(32, 1, 1_024),
  /** Most bytes of a pull, for brokers that heed it. @default 262144 */
  pullBatchSizeInBytes: int(256 * 1024, 1),
  /** Whether each pull says what is subscribed, not the heartbeats alone. @default false */
  postSubscriptionWhenPull: bool(false),
  /** Deliveries after the first; −1 means 16. After them a message goes to the dead letter queue. @default -1 */
  maxReconsumeTimes: int(-1, -1, 1_000_000),
  /** A pull that failed is repeated after this long. @default 1000 */
  pullTimeDelayMillsWhenException: timeMs(1_000, 1),
  /**
   * For BROADCASTING: where offsets are kept, in `<clientId>/<consumerGroup>/offsets.json` below it.
   * @default `.rocketmq_offsets` in the home directory
   */
  localOffsetStoreDir: str(join(homedir(), '.rocketmq_offsets')),
  /** How long `shutdown()` waits for the listener (Java's default is 0). @default 30000 */
  awaitTerminationMillisWhenShutdown: int(30_000, 0)
}

/** What a push consumer is made from. */
export type PushConsumerOptions = OptionsInput<typeof PUSH_CONSUMER_OPTIONS> & { consumerGroup: string }
/** The checked values of {@link PUSH_CONSUMER_OPTIONS}. */
export type PushConsumerConfig = OptionsOf<typeof PUSH_CONSUMER_OPTIONS>

function parseTime(key: string, given: Date | number | string): number {
  const parts = typeof given === 'string' ? /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)$/.exec(given) : null
  const time =
    parts === null
      ? Number(typeof given === 'string' ? NaN : given)
      : new Date(+parts[1]!, +parts[2]! - 1, +parts[3]!, +parts[4]!, +parts[5]!, +parts[6]!).getTime()
  if (!Number.isFinite(time) || time < 0) {
    throw new ConfigError(`option ${key} must be a Date, milliseconds or yyyyMMddHHmmss, not ${String(given)}`)
  }
  return time
}

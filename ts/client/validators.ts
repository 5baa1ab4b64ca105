import { ConfigError, InvalidArgumentError } from '../errors.js'
import type { Message } from '../message/message.js'
import { MessageConst } from '../message/properties.js'

/**
 * Apache's limits on names and messages (`client/Validators.java`, `common/topic/TopicValidator.java`).
 *
 * @packageDocumentation
 */

const TOPIC_MAX_LENGTH = 127
const GROUP_MAX_LENGTH = 120
const LEGAL_NAME = /^[%|a-zA-Z0-9_-]+$/

const NOT_ALLOWED_SEND_TOPICS: ReadonlySet<string> = new Set([
  'SCHEDULE_TOPIC_XXXX',
  'RMQ_SYS_TRANS_HALF_TOPIC',
  'RMQ_SYS_TRANS_OP_HALF_TOPIC',
  'TRANS_CHECK_MAX_TIME_TOPIC',
  'SELF_TEST_TOPIC',
  'OFFSET_MOVED_EVENT',
  'RMQ_SYS_ROCKSDB_TRANS_HALF_TOPIC',
  'RMQ_SYS_ROCKSDB_TRANS_OP_HALF_TOPIC'
])

const SYSTEM_TOPICS: ReadonlySet<string> = new Set([
  'TBW102',
  'SCHEDULE_TOPIC_XXXX',
  'BenchmarkTest',
  'RMQ_SYS_TRANS_HALF_TOPIC',
  'RMQ_SYS_TRACE_TOPIC',
  'RMQ_SYS_TRANS_OP_HALF_TOPIC',
  'TRANS_CHECK_MAX_TIME_TOPIC',
  'SELF_TEST_TOPIC',
  'OFFSET_MOVED_EVENT',
  'CHECKPOINT_TOPIC',
  'RMQ_SYS_ROCKSDB_TRANS_HALF_TOPIC',
  'RMQ_SYS_ROCKSDB_TRANS_OP_HALF_TOPIC'
])

/** The last topics found good: the check is made for every message. */
const sendableTopics = new Set<string>()
const MAX_REMEMBERED_TOPICS = 65_536
let lastSendableTopic: string | undefined

/**
 * Checks the name of a producer or consumer group.
 *
 * @param reserved the default name of Java's client, which is refused
 * @throws ConfigError saying what is wrong
 */
export function checkGroup(what: string, group: string, reserved: string): void {
  if (group.trim() === '') throw new ConfigError(`the ${what} is blank`)
  if (group.length > GROUP_MAX_LENGTH) {
    throw new ConfigError(`the ${what} ${group} is longer than ${GROUP_MAX_LENGTH} characters`)
  }
  if (!LEGAL_NAME.test(group)) {
    throw new ConfigError(`the ${what} ${group} contains illegal characters, allowed are only ${LEGAL_NAME.source}`)
  }
  if (group === reserved) throw new ConfigError(`the ${what} must not be ${reserved}, take a name of your own`)
}

/**
 * Checks the name of a topic.
 *
 * @throws InvalidArgumentError saying what is wrong
 */
export function checkTopic(topic: string): void {
  if (typeof topic !== 'string' || topic.trim() === '') throw new InvalidArgumentError('the topic is blank')
  if (topic.length > TOPIC_MAX_LENGTH) {
    throw new InvalidArgumentError(`the topic ${topic} is longer than ${TOPIC_MAX_LENGTH} characters`)
  }
  if (!LEGAL_NAME.test(topic)) {
    throw new InvalidArgumentError(
      `the topic ${topic} contains illegal characters, allowed are only ${LEGAL_NAME.source}`
    )
  }
}

/** Whether the topic is one of RocketMQ's own. */
export function isSystemTopic(topic: string): boolean {
  return SYSTEM_TOPICS.has(topic) || topic.startsWith('rmq_sys_')
}

/** @throws InvalidArgumentError when the topic is one of RocketMQ's own */
export function checkNotSystemTopic(topic: string): void {
  if (isSystemTopic(topic)) {
    throw new InvalidArgumentError(`the topic ${topic} is a system topic`)
  }
}

/** @throws InvalidArgumentError when nobody may send to this topic */
export function checkSendTopic(topic: string): void {
  if (topic === lastSendableTopic) return
  if (!sendableTopics.has(topic)) {
    checkTopic(topic)
    if (NOT_ALLOWED_SEND_TOPICS.has(topic)) throw new InvalidArgumentError(`sending to topic ${topic} is forbidden`)
    if (sendableTopics.size >= MAX_REMEMBERED_TOPICS) sendableTopics.clear()
    sendableTopics.add(topic)
  }
  lastSendableTopic = topic
}

/**
 * Checks a message before it is sent.
 *
 * @throws InvalidArgumentError saying what is wrong
 */
export function checkMessage(message: Message, maxMessageSize: number): void {
  checkSendTopic(message.topic)
  checkMessageContent(message, maxMessageSize)
}

/**
 * Checks a message whose topic was checked before.
 *
 * @throws InvalidArgumentError saying what is wrong
 */
export function checkMessageContent(message: Message, maxMessageSize: number): void {
  const length = message.body.length
  if (length === 0) throw new InvalidArgumentError('the message body is empty')
  if (length > maxMessageSize) {
    throw new InvalidArgumentError(`the message body has ${length} bytes, maxMessageSize is ${maxMessageSize}`)
  }
  if (message.getProperty(MessageConst.INNER_MULTI_DISPATCH)?.includes('/') === true) {
    throw new InvalidArgumentError(`the property ${MessageConst.INNER_MULTI_DISPATCH} must not contain /`)
  }
}

import { checkMessage } from '../client/validators.js'
import { InvalidArgumentError } from '../errors.js'
import { checkBatch, encodeBatch } from '../message/batch.js'
import type { MessageInit } from '../message/message.js'
import { Message } from '../message/message.js'
import { createUniqueId } from '../message/message-id.js'
import { COMPRESSION_TYPE_FLAGS, MessageSysFlag } from '../message/sys-flag.js'
import { compress } from '../native.js'
import type { ProducerConfig } from './options.js'

/** A message, or what one is made from. */
export type Sendable = Message | MessageInit

/** What is sent, and under which ids. */
export interface SendContent {
  readonly topic: string
  readonly sysFlag: number
  readonly flag: number
  readonly properties: string
  readonly body: Buffer
  /** What `SendResult.msgId` will say. */
  readonly msgId: string
  /** The unique id of the request: for one message its `msgId`, for a batch one of its own. */
  readonly uniqueId: string
  readonly batch: boolean
}

/** Whether a batch is given. */
export function isList(given: Sendable | readonly Sendable[]): given is readonly Sendable[] {
  return Array.isArray(given)
}

/** @throws InvalidArgumentError when no message can be made from it */
export function toMessage(given: Sendable): Message {
  if (given instanceof Message) return given
  if (typeof given !== 'object' || given === null) throw new InvalidArgumentError('the message is missing')
  return new Message(given)
}

/**
 * What is sent for one message: with a new unique id, compressed when it is large. The message stays as it is.
 *
 * @throws InvalidArgumentError when it is not acceptable
 */
export function messageContent(message: Message, config: ProducerConfig, nowMs: number): SendContent {
  checkMessage(message, config.maxMessageSize)
  const msgId = createUniqueId(nowMs)
  let sysFlag = 0
  let { body } = message
  if (body.length >= config.compressMsgBodyOverHowmuch) {
    body = compress(config.compressType, config.compressLevel, body)
    sysFlag = MessageSysFlag.COMPRESSED | COMPRESSION_TYPE_FLAGS[config.compressType]
  }
  const properties = message.encodeProperties(msgId)
  return { topic: message.topic, sysFlag, flag: message.flag, properties, body, msgId, uniqueId: msgId, batch: false }
}

/**
 * What is sent for several messages as one; never compressed, as in Java.
 *
 * @throws InvalidArgumentError when one is not acceptable, they do not fit together, or are too large together
 */
export function batchContent(given: readonly Sendable[], config: ProducerConfig, nowMs: number): SendContent {
  const { maxMessageSize } = config
  const messages = given.map(toMessage)
  const { topic, waitStoreMsgOK } = checkBatch(messages)
  for (const message of messages) checkMessage(message, maxMessageSize)
  const { body, uniqueIds } = encodeBatch(messages, nowMs, maxMessageSize)
  const uniqueId = createUniqueId(nowMs)
  const properties = new Message({ topic, body, waitStoreMsgOK }).encodeProperties(uniqueId)
  return { topic, sysFlag: 0, flag: 0, properties, body, msgId: uniqueIds.join(','), uniqueId, batch: true }
}

/** A batch as the one message that hooks are told of (`common/message/MessageBatch.java`). */
export function batchAsOne(given: readonly Sendable[], { topic, body }: SendContent): Message {
  return new Message({ topic, body, waitStoreMsgOK: given[0]?.waitStoreMsgOK })
}

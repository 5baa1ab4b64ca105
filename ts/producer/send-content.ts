import { withoutNamespace, wrapNamespace } from '../client/namespace.js'
import { checkMessage, checkMessageContent, checkSendTopic } from '../client/validators.js'
import { InvalidArgumentError, toError } from '../errors.js'
import { checkBatch, encodeBatch } from '../message/batch.js'
import type { MessageInit } from '../message/message.js'
import { Message } from '../message/message.js'
import { MessageExt } from '../message/message-ext.js'
import { createUniqueId, nextUniqueCount, uniqueIdHead, uniqueIdTail } from '../message/message-id.js'
import {
  MessageConst,
  RESERVED_PROPERTIES,
  REPLY_MESSAGE_FLAG,
  checkPropertiesLength,
  encodeProperty
} from '../message/properties.js'
import { SentProperties } from '../message/sent-properties.js'
import type { MessageBody, Serializer } from '../message/serializer.js'
import { COMPRESSION_TYPE_FLAGS, MessageSysFlag } from '../message/sys-flag.js'
import type { ProducerConfig } from './options.js'

/**
 * A message, or what one is made from. `Body` is what the producer's serializer takes; the body of a `Message` is bytes
 * already and goes as it is. Of a received message (`MessageExt`) topic, body, tags, keys, flag and the user's properties are
 * sent, as a new message.
 */
export type Sendable<Body = MessageBody> = Message | MessageExt | MessageInit<Body>

/** What is sent, and under which ids. */
export interface SendContent {
  readonly topic: string
  readonly sysFlag: number
  readonly flag: number
  readonly properties: string | SentProperties
  readonly body: Buffer
  /** What `SendResult.msgId` will say. */
  readonly msgId: string
  /** The unique id of the request: for one message its `msgId`, for a batch one of its own. */
  readonly uniqueId: string
  readonly batch: boolean
  /** Whether it answers a request; such a message goes to the client that waits for it. */
  readonly reply: boolean
  /** Whether the body is still to be compressed, as `sysFlag` says it is. */
  readonly compress: boolean
}

/** Whether a batch is given. */
export function isList<Body>(given: Sendable<Body> | readonly Sendable<Body>[]): given is readonly Sendable<Body>[] {
  return Array.isArray(given)
}

/** @throws InvalidArgumentError when no message can be made from it */
export function toMessage<Body>(given: Sendable<Body>, serializer: Serializer<unknown> | undefined): Message {
  if (given instanceof Message) return given
  if (given instanceof MessageExt) return sendAgain(given)
  if (typeof given !== 'object' || given === null) throw new InvalidArgumentError('the message is missing')
  if (Array.isArray(given)) throw new InvalidArgumentError('one message is wanted here, not a list of them')
  // Without a serializer `Body` is MessageBody, and what is none is refused by the message.
  if (serializer === undefined) return new Message(given as MessageInit)
  return new Message({ ...given, body: serialize(serializer, given.body, given.topic) })
}

/** A received message, to be sent as a new one: not its ids and delays, nor what brokers noted on it. */
function sendAgain(received: MessageExt): Message {
  const { topic, body, tags, keys, flag, waitStoreMsgOK } = received
  const message = new Message({ topic, body, tags, keys, flag, waitStoreMsgOK })
  for (const [name, value] of received.properties) {
    if (!RESERVED_PROPERTIES.has(name)) message.putUserProperty(name, value)
  }
  return message
}

function serialize(serializer: Serializer<unknown>, value: unknown, topic: string): MessageBody {
  try {
    return serializer.serialize(value, topic)
  } catch (error) {
    throw new InvalidArgumentError(`the serializer failed for a message to topic ${topic}: ${toError(error).message}`, {
      cause: error
    })
  }
}

/**
 * What is sent for one message: with a new unique id, to be compressed when it is large
 * (`impl/producer/DefaultMQProducerImpl.java#tryToCompressMessage`). The message stays as it is.
 *
 * @param isTopicChecked whether its topic is known to be one that may be sent to
 * @throws InvalidArgumentError when it is not acceptable
 */
export function messageContent(
  message: Message,
  config: ProducerConfig,
  nowMs: number,
  isTopicChecked: boolean
): SendContent {
  if (!isTopicChecked) checkSendTopic(message.topic)
  checkMessageContent(message, config.maxMessageSize)
  const [idHead, count] = [uniqueIdHead(nowMs), nextUniqueCount()]
  const msgId = idHead + uniqueIdTail(count)
  const { topic, flag, body } = message
  const compress = body.length >= config.compressMsgBodyOverHowmuch
  let sysFlag = compress ? MessageSysFlag.COMPRESSED | COMPRESSION_TYPE_FLAGS[config.compressType] : 0
  if (message.getProperty(MessageConst.TRANSACTION_PREPARED) === 'true') sysFlag |= MessageSysFlag.TRANSACTION_PREPARED
  const reply = message.getProperty(MessageConst.MESSAGE_TYPE) === REPLY_MESSAGE_FLAG
  const properties = new SentProperties(message, idHead, count)
  const content = { topic, sysFlag, flag, properties, body, msgId, uniqueId: msgId, batch: false, reply, compress }
  return inNamespace(content, config)
}

/**
 * The messages of a batch.
 *
 * @throws InvalidArgumentError when one is not acceptable, or they do not fit together
 */
export function checkedMessages<Body>(given: readonly Sendable<Body>[], config: ProducerConfig): Message[] {
  const messages: Message[] = []
  // By index, as what is missing in a list is to be refused, and calls from within `Array.from` cost a tenth of a send.
  for (let i = 0; i < given.length; i++) messages.push(toMessage(given[i]!, config.serializer))
  checkBatch(messages)
  for (const message of messages) checkMessage(message, config.maxMessageSize)
  return messages
}

/**
 * What is sent for several messages as one; never compressed, as in Java.
 *
 * @throws InvalidArgumentError when one is not acceptable, they do not fit together, or are too large together
 */
export function batchContent<Body>(
  given: readonly Sendable<Body>[],
  config: ProducerConfig,
  nowMs: number
): SendContent {
  const messages = checkedMessages(given, config)
  const { topic, waitStoreMsgOK } = messages[0]!
  const { body, uniqueIds } = encodeBatch(messages, nowMs, config.maxMessageSize)
  const uniqueId = createUniqueId(nowMs)
  const properties = new Message({ topic, body, waitStoreMsgOK }).encodeProperties(uniqueId)
  const content = {
    topic,
    sysFlag: 0,
    flag: 0,
    properties,
    body,
    msgId: uniqueIds,
    uniqueId,
    batch: true,
    reply: false,
    compress: false
  }
  return inNamespace(content, config)
}

/** `DefaultMQProducerImpl.java#sendKernelImpl`: the property INSTANCE_ID tells the namespace. */
export function inNamespace(content: SendContent, { namespace }: ProducerConfig): SendContent {
  if (namespace === undefined) return content
  checkSendTopic(wrapNamespace(namespace, content.topic))
  const properties = checkPropertiesLength(
    String(content.properties) + encodeProperty(MessageConst.INSTANCE_ID, namespace)
  )
  return { ...content, topic: withoutNamespace(namespace, content.topic), properties }
}

/** A batch as the one message that hooks are told of (`common/message/MessageBatch.java`). */
export function batchAsOne<Body>(given: readonly Sendable<Body>[], { topic, body }: SendContent): Message {
  return new Message({ topic, body, waitStoreMsgOK: given[0]?.waitStoreMsgOK })
}

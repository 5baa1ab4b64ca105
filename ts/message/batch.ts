import { InvalidArgumentError } from '../errors.js'
import type { Message } from './message.js'
import { createUniqueId } from './message-id.js'
import { MessageConst, REPLY_MESSAGE_FLAG } from './properties.js'

/** Length, magic, CRC, flag, body length, properties length. */
const FIXED_BYTES = 4 + 4 + 4 + 4 + 4 + 2

/** The body of a SEND_BATCH_MESSAGE request and what it is known by. */
export interface EncodedBatch {
  /** The encoded messages one after the other. */
  body: Buffer
  /** The unique ids of the messages, in order. */
  uniqueIds: string[]
}

/**
 * Checks that messages may travel as one batch: one topic, one `waitStoreMsgOK`, no delay, no retry topic
 * (`common/message/MessageBatch.java#generateFromList`).
 *
 * @throws InvalidArgumentError naming the rule that is broken
 */
export function checkBatch(messages: readonly Message[]): Message {
  const first = messages[0]
  if (first === undefined) throw new InvalidArgumentError('a batch needs at least one message')
  for (const message of messages) {
    if (message.delayed) throw new InvalidArgumentError('delayed messages cannot be sent in a batch')
    // The batch would be stored like any other, and nobody would get the reply.
    if (message.getProperty(MessageConst.MESSAGE_TYPE) === REPLY_MESSAGE_FLAG) {
      throw new InvalidArgumentError('replies cannot be sent in a batch')
    }
    if (message.topic.startsWith('%RETRY%')) {
      throw new InvalidArgumentError(`messages for the retry topic ${message.topic} cannot be sent in a batch`)
    }
    if (message.topic !== first.topic) {
      throw new InvalidArgumentError(
        `all messages of a batch must be for one topic, these are for ${first.topic} and ${message.topic}`
      )
    }
    if (message.waitStoreMsgOK !== first.waitStoreMsgOK) {
      throw new InvalidArgumentError('all messages of a batch must have the same waitStoreMsgOK')
    }
  }
  return first
}

/**
 * Encodes messages as Apache does for a batch (`common/message/MessageDecoder.java#encodeMessages`). Each gets a unique
 * id of its own: brokers add none to the messages of a batch.
 *
 * @throws InvalidArgumentError when the result would be larger than `maxBytes`
 */
export function encodeBatch(messages: readonly Message[], nowMs: number, maxBytes: number): EncodedBatch {
  const uniqueIds: string[] = []
  const properties: string[] = []
  let total = 0
  for (const message of messages) {
    const uniqueId = createUniqueId(nowMs)
    const encoded = message.encodeProperties(uniqueId)
    uniqueIds.push(uniqueId)
    properties.push(encoded)
    total += FIXED_BYTES + message.body.length + Buffer.byteLength(encoded)
  }
  if (total > maxBytes) {
    throw new InvalidArgumentError(
      `the batch of ${messages.length} messages takes ${total} bytes, maxMessageSize is ${maxBytes}; send it in parts`
    )
  }
  const body = Buffer.allocUnsafe(total)
  let position = 0
  for (let i = 0; i < messages.length; i++) {
    position = writeMessage(body, position, messages[i]!, properties[i]!)
  }
  return { body, uniqueIds }
}

function writeMessage(out: Buffer, start: number, message: Message, properties: string): number {
  const body = message.body
  let position = start + 4
  position = out.writeInt32BE(0, position)
  position = out.writeInt32BE(0, position)
  position = out.writeInt32BE(message.flag, position)
  position = out.writeInt32BE(body.length, position)
  out.set(body, position)
  position += body.length
  const propertiesBytes = out.write(properties, position + 2)
  out.writeInt16BE(propertiesBytes, position)
  position += 2 + propertiesBytes
  out.writeInt32BE(position - start, start)
  return position
}

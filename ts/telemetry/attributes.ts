import type { Attributes } from '@opentelemetry/api'
import type { RocketMQError } from '../errors.js'
import { SendError } from '../errors.js'
import { messageTypeOf } from '../message/message-type.js'
import type { Message } from '../message/message.js'
import { KEY_SEPARATOR } from '../message/properties.js'
import type { SendEvent } from '../producer/send-event.js'

/**
 * Sends in the words of OpenTelemetry's semantic conventions for messaging and for RocketMQ (`messaging.rocketmq.*`, which
 * the newest draft calls `rocketmq.*`).
 *
 * @packageDocumentation
 */

/** In the name of a span, and in `messaging.operation.name`. */
export const SEND = 'send'

const MESSAGE_TYPES: Readonly<Record<string, string>> = {
  Normal_Msg: 'normal',
  Delay_Msg: 'delay',
  Trans_Msg_Half: 'transaction'
}

/** What is known when a send starts: samplers decide by it. */
export function startAttributes(event: SendEvent): Attributes {
  const attributes: Attributes = {
    'messaging.system': 'rocketmq',
    'messaging.operation.name': SEND,
    'messaging.operation.type': SEND,
    'messaging.destination.name': event.topic,
    'messaging.client.id': event.clientId,
    'messaging.message.body.size': event.bodyBytes
  }
  if (event.batch) attributes['messaging.batch.message_count'] = event.messages.length
  else messageAttributes(event.messages[0]!, attributes)
  return attributes
}

function messageAttributes(message: Message, attributes: Attributes): void {
  const { tags, keys, delayTimeLevel, deliverTimeMs } = message
  const type = MESSAGE_TYPES[messageTypeOf(message)]
  if (type !== undefined) attributes['messaging.rocketmq.message.type'] = type
  if (tags !== undefined) attributes['messaging.rocketmq.message.tag'] = tags
  if (keys !== undefined) attributes['messaging.rocketmq.message.keys'] = keys.split(KEY_SEPARATOR)
  if (delayTimeLevel > 0) attributes['messaging.rocketmq.message.delay_time_level'] = delayTimeLevel
  if (deliverTimeMs > 0) attributes['messaging.rocketmq.message.delivery_timestamp'] = deliverTimeMs
}

/** What is known besides when it has ended. */
export function endAttributes(event: SendEvent): Attributes {
  const attributes = placeAttributes(event)
  if (event.result !== undefined && !event.batch) attributes['messaging.message.id'] = event.result.msgId
  return attributes
}

/** By what metrics of sends are told apart. */
export function metricAttributes(event: SendEvent): Attributes {
  return {
    'messaging.system': 'rocketmq',
    'messaging.operation.name': SEND,
    'messaging.operation.type': SEND,
    'messaging.destination.name': event.topic,
    ...placeAttributes(event)
  }
}

/** The queue and the broker of the last attempt, and the failure. */
function placeAttributes({ messageQueue, brokerAddr, result, error }: SendEvent): Attributes {
  const attributes: Attributes = {}
  const mq = result?.messageQueue ?? messageQueue
  if (mq !== undefined) attributes['messaging.destination.partition.id'] = `${mq.brokerName}:${mq.queueId}`
  if (brokerAddr !== undefined) {
    const colon = brokerAddr.lastIndexOf(':')
    attributes['server.address'] = brokerAddr.slice(0, colon).replace(/^\[(.*)\]$/, '$1')
    attributes['server.port'] = Number(brokerAddr.slice(colon + 1))
  }
  if (error !== undefined) attributes['error.type'] = errorType(error)
  return attributes
}

/** The code of the answer when a broker refused, else the code of the error that ended the last attempt. */
function errorType(error: RocketMQError): string {
  if (!(error instanceof SendError)) return error.code
  if (error.responseCode !== undefined) return String(error.responseCode)
  return error.attempts.at(-1)?.error.code ?? error.code
}

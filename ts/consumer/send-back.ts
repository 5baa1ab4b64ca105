import type { InnerProducer } from '../client/inner-producer.js'
import { BrokerError } from '../errors.js'
import { MessageConst, checkPropertiesLength, encodeProperty } from '../message/properties.js'
import { createUniqueId } from '../message/message-id.js'
import type { MessageExt } from '../message/message-ext.js'
import { COMPRESSION_FLAGS, isReadable } from '../message/sys-flag.js'
import { ResponseCode } from '../remoting/request-code.js'

/** The delay of the first delivery that was given back: level 3, then one more each time. */
const FIRST_DELAY_LEVEL = 3

/** Whether the broker has no delayed delivery at all: a message sent there to come later would come at once. */
export function cannotBeDelayed(error: unknown): boolean {
  return error instanceof BrokerError && error.responseCode === ResponseCode.REQUEST_CODE_NOT_SUPPORTED
}

/**
 * Sends a message that its broker did not take back to the group's retry topic, wherever that lies
 * (`impl/consumer/DefaultMQPushConsumerImpl.java#sendMessageBackAsNormalMessage`). What Java
 * first writes into the properties RECONSUME_TIME and MAX_RECONSUME_TIMES is in the header on the wire, as here
 * (`impl/producer/DefaultMQProducerImpl.java#sendKernelImpl`).
 *
 * @throws what {@link InnerProducer.send} throws
 */
export async function sendBackAsNormalMessage(
  producer: InnerProducer,
  retryTopic: string,
  message: MessageExt,
  maxReconsumeTimes: number
): Promise<void> {
  const properties = new Map(message.properties)
  for (const name of [MessageConst.MIN_OFFSET, MessageConst.MAX_OFFSET, 'TRAN_MSG']) properties.delete(name)
  properties.set('ORIGIN_MESSAGE_ID', properties.get('ORIGIN_MESSAGE_ID') ?? message.msgId)
  properties.set(MessageConst.RETRY_TOPIC, message.topic)
  properties.set(MessageConst.DELAY, String(FIRST_DELAY_LEVEL + message.reconsumeTimes))
  if (!properties.has(MessageConst.UNIQ_KEY)) properties.set(MessageConst.UNIQ_KEY, createUniqueId(Date.now()))
  let encoded = ''
  for (const [name, value] of properties) encoded += encodeProperty(name, value)
  const fields = {
    // A body that does not inflate goes on as it is; with other flags it would pass for a readable one.
    sysFlag: isReadable(message) ? 0 : message.sysFlag & COMPRESSION_FLAGS,
    flag: message.flag,
    bornTimestampMs: Date.now(),
    properties: checkPropertiesLength(encoded),
    body: message.body,
    reconsumeTimes: message.reconsumeTimes + 1
  }
  await producer.send(retryTopic, fields, maxReconsumeTimes)
}

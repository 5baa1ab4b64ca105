import Long from 'long'
import { ProtocolError } from '../errors.js'
import { MessageQueue } from '../message/message-queue.js'
import type { RemotingCommand } from '../remoting/types.js'
import type { SendResult, SendStatus } from './types.js'

/** The region of a broker that tells none (`MixAll#DEFAULT_TRACE_REGION_ID`). */
export const DEFAULT_REGION = 'DefaultRegion'

/**
 * What a broker's answer to a send says (`impl/MQClientAPIImpl.java#processSendResponse`).
 *
 * @param mq where it was sent
 * @param sentId the id that the client gave it
 * @returns the error when the answer does not say where the message is
 */
export function readSendResult(
  fields: RemotingCommand['extFields'],
  sendStatus: SendStatus,
  mq: MessageQueue,
  sentId: string
): SendResult | ProtocolError {
  const { msgId, queueId, queueOffset, transactionId, recallHandle, batchUniqId, MSG_REGION, TRACE_ON } = fields
  if (msgId === undefined || !isWhole(queueId) || !isWhole(queueOffset)) {
    const what = `queueId ${queueId}, queueOffset ${queueOffset}, msgId ${msgId}`
    return new ProtocolError(`broker ${mq.brokerName} answered a send with no place that can be read: ${what}`)
  }
  return {
    sendStatus,
    msgId: batchUniqId ?? sentId,
    offsetMsgId: msgId,
    messageQueue: new MessageQueue(mq.topic, mq.brokerName, Number(queueId)),
    queueOffset: Long.fromString(queueOffset),
    transactionId: transactionId ?? '',
    recallHandle,
    regionId: MSG_REGION === undefined || MSG_REGION === '' ? DEFAULT_REGION : MSG_REGION,
    traceOn: TRACE_ON !== 'false'
  }
}

function isWhole(text: string | undefined): text is string {
  return text !== undefined && /^-?\d{1,19}$/.test(text)
}

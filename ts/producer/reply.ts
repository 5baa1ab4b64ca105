import { ClientErrorCode, InvalidArgumentError } from '../errors.js'
import { Message, withProperties } from '../message/message.js'
import type { MessageExt } from '../message/message-ext.js'
import { MessageConst, REPLY_MESSAGE_FLAG } from '../message/properties.js'

/**
 * The message that answers a request; any producer can send it, as every other message
 * (`client/utils/MessageUtil.java#createReplyMessage`).
 *
 * ```ts
 * consumer.registerMessageListener(async ([request]) => {
 *   await producer.send(createReplyMessage(request, 'pong'))
 * })
 * ```
 *
 * @param request what was received
 * @throws InvalidArgumentError (10007) when the broker that stored the request did not name its cluster in it
 */
export function createReplyMessage(request: Message | MessageExt, body: string | Uint8Array): Message {
  const cluster = request?.getProperty(MessageConst.CLUSTER)
  if (cluster === undefined) {
    throw new InvalidArgumentError(
      `no reply can be made: ${request === undefined ? 'the request is missing' : 'the message has no property CLUSTER'}`,
      { clientErrorCode: ClientErrorCode.CREATE_REPLY_MESSAGE_EXCEPTION }
    )
  }
  const { CORRELATION_ID, MESSAGE_REPLY_TO_CLIENT, MESSAGE_TTL, MESSAGE_TYPE } = MessageConst
  return withProperties(new Message({ topic: `${cluster}_REPLY_TOPIC`, body }), {
    [MESSAGE_TYPE]: REPLY_MESSAGE_FLAG,
    [CORRELATION_ID]: request.getProperty(CORRELATION_ID),
    [MESSAGE_REPLY_TO_CLIENT]: request.getProperty(MESSAGE_REPLY_TO_CLIENT),
    [MESSAGE_TTL]: request.getProperty(MESSAGE_TTL)
  })
}

/** The id of the client that waits for the reply to this request; undefined for what is no request. */
export function getReplyToClient(request: Message | MessageExt): string | undefined {
  return request.getProperty(MessageConst.MESSAGE_REPLY_TO_CLIENT)
}

import { ProtocolError } from '../errors.js'
import type { MessageExt } from '../message/message-ext.js'
import { MessageConst, encodeProperty } from '../message/properties.js'
import { encodeRecord } from '../message/record.js'
import { viewRecord } from '../message/view-record.js'
import type { RemotingCommand, RemotingResponse } from '../remoting/types.js'

/** A request that waits for its reply. */
export interface ReplyWaiter {
  onReply(reply: MessageExt): void
}

/**
 * PUSH_REPLY_MESSAGE_TO_CLIENT (326): gives the reply to the request that waits for it
 * (`impl/ClientRemotingProcessor.java#receiveReplyMessage`). One that nobody waits for any more is dropped, and counts as
 * received all the same.
 *
 * @param waiting requests by correlation id
 * @throws ProtocolError, InvalidArgumentError when the request holds no message; the replier hears of it
 */
export function receiveReply(waiting: ReadonlyMap<string, ReplyWaiter>, request: RemotingCommand): RemotingResponse {
  const reply = decodeReply(request, Date.now())
  waiting.get(reply.getProperty(MessageConst.CORRELATION_ID) ?? '')?.onReply(reply)
  return { code: 0 }
}

/** `remoting/protocol/header/ReplyMessageRequestHeader.java` with its body, as the record that a pull would have brought. */
function decodeReply({ extFields, body }: RemotingCommand, nowMs: number): MessageExt {
  const { topic, properties = '', bname = '' } = extFields
  if (topic === undefined) throw new ProtocolError('a reply came without its topic')
  const number = (name: string): number => Number(extFields[name] ?? 0)
  const [bornHost, bornPort] = splitAddress(extFields['bornHost'])
  const [storeHost, storePort] = splitAddress(extFields['storeHost'])
  const record = encodeRecord({
    topic,
    queueId: number('queueId'),
    flag: number('flag'),
    queueOffset: 0,
    physicalOffset: 0,
    sysFlag: number('sysFlag'),
    bornTimestamp: number('bornTimestamp'),
    bornHost,
    bornPort,
    storeTimestamp: number('storeTimestamp'),
    storeHost,
    storePort,
    reconsumeTimes: number('reconsumeTimes'),
    preparedTransactionOffset: 0,
    body,
    properties: withArrival(properties, nowMs)
  })
  return viewRecord(record, { brokerName: bname })
}

function withArrival(properties: string, nowMs: number): string {
  const separated = properties === '' || properties.endsWith('\u0002') ? properties : `${properties}\u0002`
  return separated + encodeProperty(MessageConst.REPLY_MESSAGE_ARRIVE_TIME, String(nowMs))
}

/** `ip:port`; of an IPv6 address too Java writes no brackets. */
function splitAddress(address = '0.0.0.0:0'): [host: string, port: number] {
  const colon = address.lastIndexOf(':')
  return [address.slice(0, colon), Number(address.slice(colon + 1))]
}

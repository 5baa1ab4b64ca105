import { ProtocolError, toError } from '../errors.js'
import { decodePulledBody } from '../native.js'
import type { ReceivedFrom } from './message-ext.js'
import { MessageExt } from './message-ext.js'

/** Largest body that is inflated: what a broker takes by default, sixteen times. */
const MAX_BODY_BYTES = 64 * 1024 * 1024

/**
 * A message that came alone and not by a pull, its body inflated.
 *
 * @param record one record in the layout of the commit log
 * @throws ProtocolError when it is none
 */
export function viewRecord(record: Buffer, from: Pick<ReceivedFrom, 'brokerName' | 'transactionCheck'>): MessageExt {
  let inflated: Buffer
  try {
    inflated = decodePulledBody(record, undefined, MAX_BODY_BYTES)
  } catch (error) {
    throw new ProtocolError(toError(error).message, { cause: error })
  }
  if (inflated.length === 0) throw new ProtocolError('a message was announced, and none came')
  const unknown = { offsetDelta: 0, minOffset: undefined, maxOffset: undefined, retryTopic: undefined }
  return new MessageExt(inflated, 0, { ...unknown, ...from })
}

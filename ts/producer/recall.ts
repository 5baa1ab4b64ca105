import { BrokerError, InvalidArgumentError, NotSupportedError, RouteError } from '../errors.js'
import { checkTopic } from '../client/validators.js'
import { ResponseCode } from '../remoting/request-code.js'
import type { SendContext } from './pending-send.js'

/** What the handle of a delayed message says (`common/producer/RecallMessageHandle.java`). */
export interface RecallMessageHandle {
  readonly topic: string
  /** The broker that has it. */
  readonly brokerName: string
  /** When it is due, ms since 1970. */
  readonly timestampMs: number
  /** Its unique id. */
  readonly messageId: string
}

/**
 * Reads a handle: base64url of `v1 topic broker timestamp id`.
 *
 * @throws InvalidArgumentError when it is none
 */
export function decodeRecallHandle(handle: string): RecallMessageHandle {
  const text =
    typeof handle === 'string' && /^[\w-]+={0,2}$/.test(handle) ? Buffer.from(handle, 'base64url').toString() : ''
  const [version, topic, brokerName, timestamp, messageId] = text.split(' ')
  if (version !== 'v1' || !topic || !brokerName || !timestamp || !messageId) {
    throw new InvalidArgumentError(`the recall handle ${JSON.stringify(handle)} is invalid; take that of a SendResult`)
  }
  return { topic, brokerName, timestampMs: Number(timestamp), messageId }
}

/**
 * Takes a delayed message back (`impl/producer/DefaultMQProducerImpl.java#recallMessage`). An answer is no promise that it is
 * never delivered: the broker does not look whether the message is still there.
 */
export async function recallMessage(
  { instance, config, table }: SendContext,
  name: string,
  recallHandle: string,
  limits: { timeoutMs: number; signal?: AbortSignal | undefined }
): Promise<string> {
  checkTopic(name)
  const topic = table.wireTopic(name)
  checkTopic(topic)
  if (topic.startsWith('%RETRY%') || topic.startsWith('%DLQ%')) {
    throw new InvalidArgumentError(`nothing can be recalled from topic ${topic}`)
  }
  const { brokerName } = decodeRecallHandle(recallHandle)
  if (table.get(topic) === undefined) await table.find(topic)
  const address = instance.routes.masterAddress(brokerName) ?? instance.routes.anyBrokerAddress(topic)
  if (address === undefined) throw new RouteError(`no broker of topic ${topic} is known, nothing was recalled`)
  const header = { producerGroup: config.producerGroup, topic, recallHandle, bname: brokerName }
  try {
    return await instance.brokerApi.recallMessage(address, header, limits)
  } catch (error) {
    if (!(error instanceof BrokerError) || error.responseCode !== ResponseCode.REQUEST_CODE_NOT_SUPPORTED) throw error
    throw new NotSupportedError(`the broker ${address} cannot recall messages: ${error.message}`, { cause: error })
  }
}

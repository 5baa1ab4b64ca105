import Long from 'long'
import { RocketMQError, SendError } from '../errors.js'
import type { Message } from '../message/message.js'
import type { MessageQueue } from '../message/message-queue.js'
import { splitBatch } from '../message/batch.js'
import type { SendOptions, SendResult } from './types.js'

/** What a `sendBatch` may be told; `timeoutMs` is for each of its requests. */
export interface SendBatchOptions extends SendOptions {
  /** The queue for all messages. @default the next in turn for each request */
  readonly messageQueue?: MessageQueue | undefined
  /** Largest body of a request. @default the producer's maxMessageSize */
  readonly maxBytes?: number | undefined
}

/** A batch failed when some of its messages were stored already; `cause` is the failure of the request that ended it. */
export class PartialBatchError extends SendError {
  /** The results of the messages that were stored: those at the beginning of the list, in order. */
  readonly results: readonly SendResult[]

  constructor(topic: string, results: readonly SendResult[], count: number, cause: RocketMQError) {
    const attempts = cause instanceof SendError ? cause.attempts : []
    super(
      `${results.length} of ${count} messages were stored, then it failed: ${cause.message}`,
      topic,
      attempts,
      cause
    )
    this.results = results
  }
}

/**
 * Sends messages in as few requests as `maxBytes` allows, one after the other.
 *
 * @param send sends one message, or several as one batch
 * @returns the results of the messages, in their order
 * @throws PartialBatchError when a request fails behind one that succeeded; what the first request throws otherwise
 */
export async function sendInParts(
  messages: readonly Message[],
  maxBytes: number,
  send: (part: Message | readonly Message[]) => Promise<SendResult>
): Promise<SendResult[]> {
  const results: SendResult[] = []
  for (const part of splitBatch(messages, maxBytes)) {
    try {
      // A message of its own needs no batch around it, and may be larger without.
      const result = await send(part.length === 1 ? part[0]! : part)
      for (const each of splitSendResult(result, part.length)) results.push(each)
    } catch (error) {
      if (results.length === 0 || !(error instanceof RocketMQError)) throw error
      throw new PartialBatchError(messages[0]!.topic, results, messages.length, error)
    }
  }
  return results
}

/**
 * The results of the messages of a batch (`client/producer/ProduceAccumulator.java#splitSendResults`): ids and queue
 * offsets of their own. In queues of inner batches the messages have but one place, and all get the same result.
 */
export function splitSendResult(result: SendResult, count: number): SendResult[] {
  const msgIds = result.msgId.split(',')
  const offsetMsgIds = result.offsetMsgId.split(',')
  if (msgIds.length !== count || offsetMsgIds.length !== count) return Array.from({ length: count }, () => result)
  return msgIds.map((msgId, index) => partOf(result, index, msgId, offsetMsgIds[index]!))
}

/** The part of a batch's result that belongs to one of its messages; no batch has a handle to recall it by. */
export function partOf(result: SendResult, index: number, msgId: string, offsetMsgId: string): SendResult {
  return {
    sendStatus: result.sendStatus,
    msgId,
    offsetMsgId,
    messageQueue: result.messageQueue,
    queueOffset: plus(result.queueOffset, index),
    transactionId: result.transactionId,
    recallHandle: undefined,
    regionId: result.regionId,
    traceOn: result.traceOn
  }
}

/** `offset + index`, for every message: a carry into the high half, and nothing of what `Long#add` does besides. */
function plus(offset: Long, index: number): Long {
  const low = (offset.low >>> 0) + index
  return new Long(low | 0, low > 0xffffffff ? offset.high + 1 : offset.high)
}

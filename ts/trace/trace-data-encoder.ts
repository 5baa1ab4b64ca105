import { ProtocolError } from '../errors.js'
import { MessageType } from '../message/message-type.js'
import { KEY_SEPARATOR } from '../message/properties.js'
import type { EndTransactionTraceContext, PubTraceContext, TraceContext } from './trace-context.js'

/**
 * The text form of trace records (`client/trace/TraceDataEncoder.java`): fields with U+0001 between them, U+0002 behind
 * each record. Types of messages are numbers, the place in `MessageType`.
 *
 * @packageDocumentation
 */

const CONTENT_SPLITOR = '\u0001'
const FIELD_SPLITOR = '\u0002'
/** What Java prints for null. */
const NULL = 'null'
const MESSAGE_TYPES = Object.values(MessageType)

/** A record as text, and the keys the trace message is found by (`client/trace/TraceTransferBean.java`). */
export interface TraceTransferBean {
  readonly transData: string
  readonly transKey: readonly string[]
}

/** `#encoderFromContextBean`. By concatenation: it is done for every message that is traced. */
export function encodeTraceContext(context: TraceContext): TraceTransferBean {
  const { traceType, timeStamp, regionId, groupName, topic, msgId, keys, storeHost } = context
  const transData =
    `${traceType}\u0001${timeStamp}\u0001${regionId}\u0001${groupName}\u0001${topic}\u0001${msgId}\u0001` +
    `${context.tags ?? NULL}\u0001${keys ?? NULL}\u0001${storeHost}\u0001` +
    (context.traceType === 'Pub' ? pubFields(context) : endTransactionFields(context))
  return { transData, transKey: keys === undefined || keys === '' ? [msgId] : [msgId, ...keysOf(keys)] }
}

function pubFields({ bodyLength, costTime, msgType, offsetMsgId, success }: PubTraceContext): string {
  const ordinal = MESSAGE_TYPES.indexOf(msgType)
  return `${bodyLength}\u0001${costTime}\u0001${ordinal}\u0001${offsetMsgId ?? NULL}\u0001${success}\u0002`
}

function endTransactionFields(context: EndTransactionTraceContext): string {
  const { msgType, transactionId, transactionState, fromTransactionCheck } = context
  const ordinal = MESSAGE_TYPES.indexOf(msgType)
  return `${ordinal}\u0001${transactionId ?? NULL}\u0001${transactionState}\u0001${fromTransactionCheck}\u0002`
}

function keysOf(keys: string): string[] {
  return keys.split(KEY_SEPARATOR).filter(key => key !== '')
}

/**
 * The records of a trace message (`#decoderFromTraceDataString`). Other types than `Pub` and `EndTransaction` are passed
 * over; the text `null` of tags, keys and ids is read as undefined.
 *
 * @throws ProtocolError for a record with missing fields or numbers that are none
 */
export function decodeTraceData(traceData: string): TraceContext[] {
  const contexts: TraceContext[] = []
  for (const record of traceData.split(FIELD_SPLITOR)) {
    const fields = record.split(CONTENT_SPLITOR)
    if (fields[0] === 'Pub') contexts.push(readPub(fields))
    else if (fields[0] === 'EndTransaction') contexts.push(readEndTransaction(fields))
  }
  return contexts
}

function readHead(fields: readonly string[], least: number, typeAt: number) {
  if (fields.length < least) {
    throw new ProtocolError(`a trace record ${fields[0]} has ${fields.length} fields, at least ${least} are needed`)
  }
  const [, , regionId, groupName, topic, msgId, tags, keys, storeHost] = fields as string[]
  const msgType = MESSAGE_TYPES[readNumber(fields, typeAt)]
  if (msgType === undefined) throw new ProtocolError(`a trace record has the message type ${fields[typeAt]}`)
  return {
    timeStamp: readNumber(fields, 1),
    regionId: regionId!,
    groupName: groupName!,
    topic: topic!,
    msgId: msgId!,
    tags: orNull(tags),
    keys: orNull(keys),
    storeHost: storeHost!,
    msgType
  }
}

function readPub(fields: readonly string[]): PubTraceContext {
  const head = readHead(fields, 13, 11)
  // Old clients send no offsetMsgId; older than that of 5.x add a client host at the end.
  const hasOffsetMsgId = fields.length > 13
  return {
    traceType: 'Pub',
    ...head,
    bodyLength: readNumber(fields, 9),
    costTime: readNumber(fields, 10),
    offsetMsgId: hasOffsetMsgId ? orNull(fields[12]) : undefined,
    success: fields[hasOffsetMsgId ? 13 : 12] === 'true'
  }
}

function readEndTransaction(fields: readonly string[]): EndTransactionTraceContext {
  return {
    traceType: 'EndTransaction',
    ...readHead(fields, 13, 9),
    transactionId: orNull(fields[10]),
    transactionState: fields[11] as EndTransactionTraceContext['transactionState'],
    fromTransactionCheck: fields[12] === 'true'
  }
}

function readNumber(fields: readonly string[], at: number): number {
  const value = Number(fields[at])
  if (fields[at] === '' || !Number.isSafeInteger(value)) {
    throw new ProtocolError(`field ${at} of a trace record ${fields[0]} is no number: ${fields[at]}`)
  }
  return value
}

function orNull(text: string | undefined): string | undefined {
  return text === NULL ? undefined : text
}

/** Our client behind the words of client.ts. */
import { crc32 } from 'node:zlib'
import { type MessageExt, MessageQueue, Producer, PushConsumer, type SendResult } from '../../../ts/index.js'
import { bodyOf } from './bodies.js'
import type { Client, GroupMember, JoinRequest, ProduceRequest, ReceivedRow, SentRow } from './client.js'
import type { SerializeType } from './java-client.js'
import { until } from './until.js'

const NO_COMPRESSION_BYTES = 2 ** 31

function messageOf(request: ProduceRequest, index: number) {
  return {
    topic: request.topic,
    body: bodyOf(index, request.bytes),
    tags: request.tags,
    keys: request.keys === undefined ? undefined : request.keys + index,
    properties: request.properties
  }
}

/** A SendResult in the words of client.ts. */
export function sentRow(index: number, sent: SendResult): SentRow {
  return {
    index,
    status: sent.sendStatus,
    msgId: sent.msgId,
    offsetMsgId: sent.offsetMsgId,
    brokerName: sent.messageQueue.brokerName,
    queueId: sent.messageQueue.queueId,
    queueOffset: sent.queueOffset.toNumber()
  }
}

function receivedRow(message: MessageExt): ReceivedRow {
  return {
    index: message.body.length < 4 ? -1 : message.body.readInt32BE(),
    bytes: message.body.length,
    crc32: crc32(message.body),
    msgId: message.msgId,
    topic: message.topic,
    queueId: message.queueId,
    queueOffset: message.queueOffset.toNumber(),
    tags: message.tags ?? null,
    keys: message.keys ?? null,
    uniqueKey: message.getProperty('UNIQ_KEY') ?? null,
    properties: Object.fromEntries(message.properties),
    bornTimestamp: message.bornTimestamp,
    storeTimestamp: message.storeTimestamp
  }
}

async function sendAll(producer: Producer, request: ProduceRequest): Promise<SentRow[]> {
  const { batch, brokerName, from = 0, oneway, queueId, topic } = request
  const sent: SentRow[] = []
  for (let first = from; first < from + request.count; first += batch ?? 1) {
    const count = Math.min(batch ?? 1, from + request.count - first)
    const messages = Array.from({ length: count }, (_, i) => messageOf(request, first + i))
    const [message] = messages
    if (oneway) await producer.sendOneway(message!)
    else if (batch) sent.push(sentRow(first, await producer.send(messages)))
    else if (brokerName !== undefined && queueId !== undefined) {
      sent.push(sentRow(first, await producer.send(message!, new MessageQueue(topic, brokerName, queueId))))
    } else sent.push(sentRow(first, await producer.send(message!)))
  }
  return sent
}

/** Our producer and push consumer. */
export class NativeClient implements Client {
  constructor(private readonly serializeType: SerializeType = 'ROCKETMQ') {}

  async produce(request: ProduceRequest): Promise<SentRow[]> {
    await using producer = new Producer({
      namesrvAddr: request.nameServer,
      producerGroup: request.group,
      serializeType: this.serializeType,
      sendMsgTimeout: 10_000,
      compressType: request.compress,
      compressMsgBodyOverHowmuch: request.compress ? 1 : NO_COMPRESSION_BYTES
    })
    await producer.start()
    return await sendAll(producer, request)
  }

  async join(request: JoinRequest): Promise<GroupMember> {
    const received: ReceivedRow[] = []
    const consumer = new PushConsumer({
      namesrvAddr: request.nameServer,
      consumerGroup: request.group,
      serializeType: this.serializeType,
      consumeFromWhere: 'CONSUME_FROM_FIRST_OFFSET'
    })
    consumer.subscribe(request.topic, request.expression ?? '*')
    consumer.registerMessageListener(messages => void received.push(...messages.map(receivedRow)))
    await consumer.start()
    return {
      received: (atLeast, timeoutMs = 60_000) =>
        until(`${atLeast} messages`, () => received.length >= atLeast && [...received], { timeoutMs }),
      assignment: async () =>
        consumer.assignedMessageQueues
          .filter(queue => queue.topic === request.topic)
          .map(queue => queue.queueId)
          .toSorted((a, b) => a - b),
      [Symbol.asyncDispose]: () => consumer.shutdown()
    }
  }

  /** Nothing of its own to release. */
  async [Symbol.asyncDispose](): Promise<void> {}
}

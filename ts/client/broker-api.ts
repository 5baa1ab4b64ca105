import Long from 'long'
import { BrokerError, ProtocolError } from '../errors.js'
import type { MessageExt } from '../message/message-ext.js'
import type { MessageQueue } from '../message/message-queue.js'
import type { ExtField, RemotingCommand } from '../remoting/types.js'
import { RequestCode, ResponseCode } from '../remoting/request-code.js'
import { PermName } from '../route/topic-route-data.js'
import { parseFastJson } from '../route/fast-json.js'
import type { WaitOptions } from './name-server-api.js'
import type { Remoting } from './remoting.js'

/** Anything a 64-bit number may be given as. */
export type LongLike = Long | bigint | number

/** A topic to be made or changed. */
export interface TopicSettings {
  readonly topic: string
  readonly readQueueNums: number
  readonly writeQueueNums: number
  /** Bits of `PermName`. @default 6, read and write */
  readonly perm?: number
  /** @default 0 */
  readonly topicSysFlag?: number
  /** The topic it is made after. */
  readonly defaultTopic: string
}

/** What a broker says to a heartbeat. */
export interface HeartbeatAnswer {
  /** Whether it understands heartbeats that leave out what it knows. */
  readonly supportsV2: boolean
  /** Whether it wants all of it the next time. */
  readonly subChanged: boolean
}

/** How a transaction ended (`remoting/protocol/header/EndTransactionRequestHeader.java`). */
export interface EndTransactionHeader {
  readonly topic: string | undefined
  readonly producerGroup: string
  /** Where the half message is among the half messages. */
  readonly tranStateTableOffset: LongLike | string
  /** Where it lies in the commit log. */
  readonly commitLogOffset: LongLike | string
  /** `TRANSACTION_COMMIT`, `TRANSACTION_ROLLBACK` of `MessageSysFlag`, or 0 when nobody knows. */
  readonly commitOrRollback: number
  /** Whether the broker had asked. */
  readonly fromTransactionCheck: boolean
  /** The unique id of the message. */
  readonly msgId: string
  readonly transactionId: string | undefined
  readonly bname: string | undefined
}

type ExtFields = Record<string, ExtField>

/**
 * Requests to brokers, one method each. All reject with BrokerError when the broker answers with an error, with
 * ConnectionError or TimeoutError when it does not answer, with AbortedError when the signal fires.
 */
export class BrokerApi {
  readonly #remoting: Remoting

  constructor(remoting: Remoting) {
    this.#remoting = remoting
  }

  /** HEART_BEAT (34) with an encoded HeartbeatData (`impl/MQClientAPIImpl.java#sendHeartbeatV2`). */
  async heartbeat(address: string, body: Buffer, options: WaitOptions): Promise<HeartbeatAnswer> {
    const { extFields } = await this.#invoke(address, RequestCode.HEART_BEAT, {}, options, body)
    return {
      supportsV2: extFields['IS_SUPPORT_HEART_BEAT_V2'] === 'true',
      subChanged: extFields['IS_SUB_CHANGE'] === 'true'
    }
  }

  /** UNREGISTER_CLIENT (35): this client has left a group. */
  async unregisterClient(
    address: string,
    clientID: string,
    group: { producerGroup?: string; consumerGroup?: string },
    options: WaitOptions
  ): Promise<void> {
    await this.#invoke(address, RequestCode.UNREGISTER_CLIENT, { clientID, ...group }, options)
  }

  /** UPDATE_AND_CREATE_TOPIC (17). */
  async createTopic(address: string, settings: TopicSettings, options: WaitOptions): Promise<void> {
    const { topic, defaultTopic, readQueueNums, writeQueueNums, topicSysFlag = 0 } = settings
    const perm = settings.perm ?? PermName.READ | PermName.WRITE
    await this.#invoke(
      address,
      RequestCode.UPDATE_AND_CREATE_TOPIC,
      {
        topic,
        defaultTopic,
        readQueueNums,
        writeQueueNums,
        perm,
        topicFilterType: 'SINGLE_TAG',
        topicSysFlag,
        order: false
      },
      options
    )
  }

  /** SEARCH_OFFSET_BY_TIMESTAMP (29): the first offset stored at or after that time. */
  searchOffset(address: string, mq: MessageQueue, timestampMs: number, options: WaitOptions): Promise<Long> {
    const fields = { ...queueFields(mq), timestamp: timestampMs }
    return this.#offset(address, RequestCode.SEARCH_OFFSET_BY_TIMESTAMP, fields, options)
  }

  /** GET_MAX_OFFSET (30): the offset the next message will get. */
  maxOffset(address: string, mq: MessageQueue, options: WaitOptions): Promise<Long> {
    return this.#offset(address, RequestCode.GET_MAX_OFFSET, { ...queueFields(mq), committed: true }, options)
  }

  /** GET_MIN_OFFSET (31): the oldest offset still stored. */
  minOffset(address: string, mq: MessageQueue, options: WaitOptions): Promise<Long> {
    return this.#offset(address, RequestCode.GET_MIN_OFFSET, queueFields(mq), options)
  }

  /** QUERY_CONSUMER_OFFSET (14): where the group is in this queue; undefined when nothing is stored. */
  async queryConsumerOffset(
    address: string,
    consumerGroup: string,
    mq: MessageQueue,
    options: WaitOptions
  ): Promise<Long | undefined> {
    try {
      const fields = { consumerGroup, ...queueFields(mq) }
      return await this.#offset(address, RequestCode.QUERY_CONSUMER_OFFSET, fields, options)
    } catch (error) {
      if (error instanceof BrokerError && error.responseCode === ResponseCode.QUERY_NOT_FOUND) return undefined
      throw error
    }
  }

  /** UPDATE_CONSUMER_OFFSET (15): the group has consumed everything below `commitOffset` in this queue. */
  async updateConsumerOffset(
    address: string,
    consumerGroup: string,
    mq: MessageQueue,
    commitOffset: LongLike,
    options: WaitOptions
  ): Promise<void> {
    const fields = { consumerGroup, ...queueFields(mq), commitOffset }
    await this.#invoke(address, RequestCode.UPDATE_CONSUMER_OFFSET, fields, options)
  }

  /** The same, oneway. */
  updateConsumerOffsetOneway(address: string, consumerGroup: string, mq: MessageQueue, commitOffset: LongLike): void {
    const extFields = { consumerGroup, ...queueFields(mq), commitOffset }
    this.#remoting.invokeOneway(address, { code: RequestCode.UPDATE_CONSUMER_OFFSET, extFields })
  }

  /** GET_CONSUMER_LIST_BY_GROUP (38): the ids of all clients of a group. */
  async getConsumerIdList(address: string, consumerGroup: string, options: WaitOptions): Promise<string[]> {
    const code = RequestCode.GET_CONSUMER_LIST_BY_GROUP
    const { body } = await this.#invoke(address, code, { consumerGroup }, options)
    const list = (parseFastJson(body, 'the consumer list') as { consumerIdList?: unknown } | null)?.consumerIdList
    if (!Array.isArray(list) || !list.every(id => typeof id === 'string')) {
      throw new ProtocolError(`${address} answered request ${code} without a consumerIdList`)
    }
    return list
  }

  /** GET_PRODUCER_CONNECTION_LIST (204): the ids of all clients with producers of a group, one for each connection. */
  async getProducerIdList(address: string, producerGroup: string, options: WaitOptions): Promise<string[]> {
    const code = RequestCode.GET_PRODUCER_CONNECTION_LIST
    const { body } = await this.#invoke(address, code, { producerGroup }, options)
    const { connectionSet } = (parseFastJson(body, 'the producer connections') ?? {}) as { connectionSet?: unknown }
    if (!Array.isArray(connectionSet)) {
      throw new ProtocolError(`${address} answered request ${code} without a connectionSet`)
    }
    return connectionSet.map(connection => String((connection as { clientId?: unknown } | null)?.clientId))
  }

  /** CONSUMER_SEND_MSG_BACK (36): deliver this message to the group again, later. */
  async consumerSendMessageBack(
    address: string,
    group: string,
    message: MessageExt,
    retry: { delayLevel: number; maxReconsumeTimes: number },
    options: WaitOptions
  ): Promise<void> {
    await this.#invoke(
      address,
      RequestCode.CONSUMER_SEND_MSG_BACK,
      {
        group,
        offset: message.commitLogOffset,
        originMsgId: message.msgId,
        originTopic: message.topic,
        unitMode: false,
        bname: message.brokerName,
        ...retry
      },
      options
    )
  }

  /** END_TRANSACTION (37), oneway. `remark` says why the local transaction, or its check, failed. */
  endTransaction(address: string, header: EndTransactionHeader, remark: string | undefined): void {
    this.#remoting.invokeOneway(address, { code: RequestCode.END_TRANSACTION, extFields: { ...header }, remark })
  }

  /** RECALL_MESSAGE (370): what was delayed is not delivered. The unique id of the message comes back. */
  async recallMessage(
    address: string,
    header: { producerGroup: string; topic: string; recallHandle: string; bname: string },
    options: WaitOptions
  ): Promise<string> {
    const { extFields } = await this.#invoke(address, RequestCode.RECALL_MESSAGE, header, options)
    const { msgId } = extFields
    if (msgId === undefined) {
      throw new ProtocolError(`${address} answered request ${RequestCode.RECALL_MESSAGE} without a msgId`)
    }
    return msgId
  }

  async #offset(address: string, code: number, fields: ExtFields, options: WaitOptions): Promise<Long> {
    const { extFields } = await this.#invoke(address, code, fields, options)
    const offset = extFields['offset']
    if (offset === undefined || !/^-?\d+$/.test(offset)) {
      throw new ProtocolError(`${address} answered request ${code} without an offset`)
    }
    return Long.fromString(offset)
  }

  async #invoke(
    address: string,
    code: number,
    extFields: ExtFields,
    options: WaitOptions,
    body?: Buffer
  ): Promise<RemotingCommand> {
    const request = body === undefined ? { code, extFields } : { code, extFields, body }
    const response = await this.#remoting.invoke(address, request, options)
    if (response.code !== ResponseCode.SUCCESS) {
      throw new BrokerError(response.code, response.remark, address, code)
    }
    return response
  }
}

function queueFields(mq: MessageQueue): { topic: string; queueId: number; bname: string } {
  return { topic: mq.topic, queueId: mq.queueId, bname: mq.brokerName }
}

import type { RocketMQError } from '../errors.js'
import { BrokerError, ClientErrorCode, ConnectionError, RouteError, TimeoutError } from '../errors.js'
import type { MessageQueue } from '../message/message-queue.js'
import { RequestCode, ResponseCode } from '../remoting/request-code.js'
import { sendMessageV2Fields } from '../remoting/send-header.js'
import type { SendFields } from '../remoting/types.js'
import { TopicPublishInfo } from '../route/topic-publish-info.js'
import type { ClientInstance, ProducerInner } from './client-instance.js'

/** The group of it (`common/MixAll.java#CLIENT_INNER_PRODUCER_GROUP`). */
export const CLIENT_INNER_PRODUCER_GROUP = 'CLIENT_INNER_PRODUCER'

/** What Java's inner producer has by default (`client/producer/DefaultMQProducer.java`). */
const CREATE_TOPIC_KEY = 'TBW102'
const DEFAULT_TOPIC_QUEUE_NUMS = 4
const SEND_TIMEOUT_MS = 3_000
const ATTEMPTS = 3
const RETRY_RESPONSE_CODES: ReadonlySet<number> = new Set([1, 2, 14, 16, 17, 204, 205, 1500])
const STORED: ReadonlySet<number> = new Set([
  ResponseCode.SUCCESS,
  ResponseCode.FLUSH_DISK_TIMEOUT,
  ResponseCode.SLAVE_NOT_AVAILABLE,
  ResponseCode.FLUSH_SLAVE_TIMEOUT
])

/**
 * The producer each client instance has of its own (`impl/factory/MQClientInstance.java#defaultMQProducer`): its group is in
 * every heartbeat, and consumers send through it what a broker does not take back. It sends rarely, so it asks for the
 * route each time and keeps none.
 */
export class InnerProducer implements ProducerInner {
  readonly #instance: ClientInstance

  constructor(instance: ClientInstance) {
    this.#instance = instance
  }

  publishTopics(): Iterable<string> {
    return []
  }

  isPublishTopicNeedUpdate(): boolean {
    return false
  }

  updateTopicRoute(): void {
    // Asked for with each send.
  }

  /**
   * Sends a message, trying up to three queues (`impl/producer/DefaultMQProducerImpl.java#sendDefaultImpl`).
   *
   * @param maxReconsumeTimes after so many deliveries the broker puts it into the dead letter queue
   * @throws the failure of the last attempt; RouteError when the topic has no queue
   */
  async send(topic: string, fields: SendFields, maxReconsumeTimes: number): Promise<void> {
    const info = await this.#find(topic)
    let lastBrokerName: string | undefined
    for (let attempt = 1; ; attempt++) {
      const mq = info.selectOneMessageQueue(lastBrokerName)
      try {
        await this.#sendTo(mq, fields, maxReconsumeTimes)
        return
      } catch (error) {
        if (attempt === ATTEMPTS || !mayRetry(error as RocketMQError)) throw error
        lastBrokerName = mq.brokerName
      }
    }
  }

  async #find(topic: string): Promise<TopicPublishInfo> {
    const template = { createTopicKey: CREATE_TOPIC_KEY, defaultTopicQueueNums: DEFAULT_TOPIC_QUEUE_NUMS }
    const route =
      (await this.#instance.updateTopicRoute(topic)) ?? (await this.#instance.updateTopicRoute(topic, template))
    const info = route === undefined ? undefined : new TopicPublishInfo(topic, route)
    if (info?.ok === true) return info
    throw new RouteError(`no route info of topic ${topic}: there is no queue of it to write to`, {
      clientErrorCode: ClientErrorCode.NOT_FOUND_TOPIC_EXCEPTION
    })
  }

  async #sendTo(mq: MessageQueue, fields: SendFields, maxReconsumeTimes: number): Promise<void> {
    const address = await this.#instance.masterAddress(mq)
    const header = {
      producerGroup: CLIENT_INNER_PRODUCER_GROUP,
      topic: mq.topic,
      defaultTopic: CREATE_TOPIC_KEY,
      defaultTopicQueueNums: DEFAULT_TOPIC_QUEUE_NUMS,
      queueId: mq.queueId,
      brokerName: mq.brokerName,
      unitMode: this.#instance.config.unitMode,
      batch: false,
      maxReconsumeTimes
    }
    const code = RequestCode.SEND_MESSAGE_V2
    const request = { code, extFields: sendMessageV2Fields(header, fields), body: fields.body }
    const answer = await this.#instance.remoting.invoke(address, request, { timeoutMs: SEND_TIMEOUT_MS })
    if (!STORED.has(answer.code)) throw new BrokerError(answer.code, answer.remark, address, code)
  }
}

function mayRetry(error: RocketMQError): boolean {
  if (error instanceof BrokerError) return RETRY_RESPONSE_CODES.has(error.responseCode)
  return error instanceof ConnectionError || error instanceof TimeoutError || error instanceof RouteError
}

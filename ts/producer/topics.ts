import { ClientErrorCode, InvalidArgumentError, RouteError } from '../errors.js'
import type { BrokerApi } from '../client/broker-api.js'
import type { ClientInstance } from '../client/client-instance.js'
import type { WaitOptions } from '../client/name-server-api.js'
import { checkNotSystemTopic, checkTopic } from '../client/validators.js'
import { MessageQueue } from '../message/message-queue.js'
import { MASTER_ID, publishQueues } from '../route/topic-route-data.js'
import type { SendContext } from './pending-send.js'

/** A broker that fails to create a topic is asked this often (`impl/MQAdminImpl.java#createTopic`). */
const CREATE_TOPIC_TRIES = 5

/** What a producer tells of the queues of a topic. @throws RouteError when there are none */
export async function fetchPublishQueues(
  { instance, table }: SendContext,
  topic: string,
  signal: AbortSignal | undefined
): Promise<MessageQueue[]> {
  checkTopic(topic)
  const route = await instance.nameServerApi.getTopicRoute(table.wireTopic(topic), instance.waitOptions(signal))
  const queues = route === undefined ? [] : publishQueues(topic, route)
  if (queues.length === 0) {
    const reason = route === undefined ? 'name servers know no such topic (yet)' : 'no queue of it may be written to'
    throw new RouteError(`topic ${topic} has no queues: ${reason}`, {
      clientErrorCode: ClientErrorCode.NOT_FOUND_TOPIC_EXCEPTION
    })
  }
  return queues
}

/** @throws InvalidArgumentError for what is no queue */
export function checkQueue(given: MessageQueue): MessageQueue {
  if (given instanceof MessageQueue) return given
  throw new InvalidArgumentError(
    `a MessageQueue is wanted, not ${String(given)}; make one by new MessageQueue(topic, brokerName, queueId)`
  )
}

/** Asks the master of a queue's broker about the queue, as it is called on the wire. */
export async function askOfQueue<T>(
  { instance, table }: SendContext,
  mq: MessageQueue,
  signal: AbortSignal | undefined,
  ask: (api: BrokerApi, address: string, queue: MessageQueue, options: WaitOptions) => Promise<T>
): Promise<T> {
  const queue = table.wireQueue(checkQueue(mq))
  const address = await instance.masterAddress(queue)
  return ask(instance.brokerApi, address, queue, instance.waitOptions(signal))
}

/** Creates a topic where the topic `key` is (`impl/MQAdminImpl.java#createTopic`); see `Producer#createTopic`. */
export async function createTopic(
  { instance, table }: SendContext,
  key: string,
  newTopic: string,
  queueNum: number,
  options: { topicSysFlag?: number; signal?: AbortSignal }
): Promise<void> {
  checkTopic(newTopic)
  const topic = table.wireTopic(newTopic)
  checkTopic(topic)
  checkNotSystemTopic(topic)
  if (!Number.isInteger(queueNum) || queueNum < 1 || queueNum > 65_535) {
    throw new InvalidArgumentError(`queueNum must be a whole number from 1 to 65535, not ${String(queueNum)}`)
  }
  const route = await instance.nameServerApi.getTopicRoute(key, instance.waitOptions(options.signal))
  const addresses = (route?.brokerDatas ?? []).flatMap(broker => broker.brokerAddrs.get(MASTER_ID) ?? [])
  if (addresses.length === 0)
    throw new RouteError(`no broker has the topic ${key} after which ${newTopic} is to be made`)
  const settings = {
    topic,
    readQueueNums: queueNum,
    writeQueueNums: queueNum,
    defaultTopic: key,
    topicSysFlag: options.topicSysFlag ?? 0
  }
  const results = await Promise.allSettled(
    addresses.map(address => createTopicOn(instance, address, settings, options.signal))
  )
  const failed = results.filter(result => result.status === 'rejected')
  if (failed.length === results.length) throw failed.at(-1)!.reason
}

async function createTopicOn(
  instance: ClientInstance,
  address: string,
  settings: Parameters<ClientInstance['brokerApi']['createTopic']>[1],
  signal: AbortSignal | undefined
): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      await instance.brokerApi.createTopic(address, settings, instance.waitOptions(signal))
      return
    } catch (error) {
      if (tries === CREATE_TOPIC_TRIES || signal?.aborted === true) throw error
    }
  }
}

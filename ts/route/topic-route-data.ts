import { ProtocolError, RouteError } from '../errors.js'
import { MessageQueue, compareText } from '../message/message-queue.js'
import { parseFastJson } from './fast-json.js'

/** Bits of a topic's permission (`common/constant/PermName.java`). */
export const PermName = { INHERIT: 1, WRITE: 2, READ: 4, PRIORITY: 8 } as const

/** Broker id of the master. */
export const MASTER_ID = 0

/** The queues of a topic on one broker (`remoting/protocol/route/QueueData.java`). */
export interface QueueData {
  readonly brokerName: string
  readonly readQueueNums: number
  readonly writeQueueNums: number
  /** Bits of {@link PermName}. */
  readonly perm: number
}

/** A broker, master and slaves (`remoting/protocol/route/BrokerData.java`). */
export interface BrokerData {
  readonly cluster: string
  readonly brokerName: string
  /** `host:port` by broker id; 0 is the master. */
  readonly brokerAddrs: ReadonlyMap<number, string>
}

/** Where a topic lives (`remoting/protocol/route/TopicRouteData.java`). */
export interface TopicRouteData {
  /** `broker:n;broker:n` for topics whose messages have one global order. */
  readonly orderTopicConf: string | undefined
  readonly queueDatas: readonly QueueData[]
  readonly brokerDatas: readonly BrokerData[]
}

/**
 * Reads the body of a GET_ROUTEINFO_BY_TOPIC answer. Queues and brokers are sorted by broker name, so that equal routes
 * give equal values.
 *
 * @throws ProtocolError when it is not such a body
 */
export function parseTopicRouteData(body: Buffer): TopicRouteData {
  const route = record(parseFastJson(body, 'the topic route'), 'the topic route')
  const orderTopicConf = route['orderTopicConf']
  return {
    orderTopicConf: typeof orderTopicConf === 'string' && orderTopicConf !== '' ? orderTopicConf : undefined,
    queueDatas: list(route['queueDatas'], 'queueDatas').map(parseQueueData).sort(byBrokerName),
    brokerDatas: list(route['brokerDatas'], 'brokerDatas').map(parseBrokerData).sort(byBrokerName)
  }
}

/** Names of brokers, one text for all routes: each lookup by such a name is then of a text that was just used. */
const brokerNames = new Map<string, string>()
const MAX_BROKER_NAMES = 1_024

function brokerNameOf(data: Record<string, unknown>): string {
  const name = text(data['brokerName'], 'brokerName')
  const known = brokerNames.get(name)
  if (known !== undefined) return known
  if (brokerNames.size >= MAX_BROKER_NAMES) brokerNames.clear()
  brokerNames.set(name, name)
  return name
}

function parseQueueData(value: unknown): QueueData {
  const data = record(value, 'queueDatas')
  return {
    brokerName: brokerNameOf(data),
    readQueueNums: whole(data['readQueueNums'], 'readQueueNums'),
    writeQueueNums: whole(data['writeQueueNums'], 'writeQueueNums'),
    perm: whole(data['perm'], 'perm')
  }
}

function parseBrokerData(value: unknown): BrokerData {
  const data = record(value, 'brokerDatas')
  const addresses = Object.entries(record(data['brokerAddrs'] ?? {}, 'brokerAddrs'))
  return {
    cluster: typeof data['cluster'] === 'string' ? data['cluster'] : '',
    brokerName: brokerNameOf(data),
    brokerAddrs: new Map(addresses.map(([id, address]) => [whole(id, 'brokerAddrs'), text(address, 'brokerAddrs')]))
  }
}

function byBrokerName(a: { brokerName: string }, b: { brokerName: string }): number {
  return compareText(a.brokerName, b.brokerName)
}

function record(value: unknown, what: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return unreadable(what, value)
  return value as Record<string, unknown>
}

function list(value: unknown, what: string): unknown[] {
  if (value === undefined) return []
  return Array.isArray(value) ? value : unreadable(what, value)
}

function text(value: unknown, what: string): string {
  return typeof value === 'string' && value !== '' ? value : unreadable(what, value)
}

/** Numbers may be quoted. */
function whole(value: unknown, what: string): number {
  const number = typeof value === 'string' ? Number(value) : value
  return typeof number === 'number' && Number.isSafeInteger(number) ? number : unreadable(what, value)
}

function unreadable(what: string, value: unknown): never {
  throw new ProtocolError(`the topic route is not readable: ${what} is ${JSON.stringify(value) ?? 'missing'}`)
}

/** Whether two routes differ in anything a client acts on (`TopicRouteData.java#topicRouteDataChanged`). */
export function topicRouteChanged(old: TopicRouteData | undefined, now: TopicRouteData): boolean {
  return old === undefined || comparable(old) !== comparable(now)
}

function comparable(route: TopicRouteData): string {
  const brokers = route.brokerDatas.map(data => ({
    ...data,
    brokerAddrs: [...data.brokerAddrs].sort((a, b) => a[0] - b[0])
  }))
  return JSON.stringify([route.orderTopicConf, route.queueDatas, brokers])
}

/** The most queues of a topic a client lists: far above what brokers are given, far below what would take the process with it. */
export const MAX_TOPIC_QUEUES = 100_000

/**
 * The queues a producer may write to: those of the order configuration if there is one, else queues 0..writeQueueNums−1
 * of every broker that allows writing and has a master (`impl/factory/MQClientInstance.java#topicRouteData2TopicPublishInfo`).
 *
 * @throws RouteError when they are more than {@link MAX_TOPIC_QUEUES}
 * @throws ProtocolError when the order configuration is not readable
 */
export function publishQueues(topic: string, route: TopicRouteData): MessageQueue[] {
  if (route.orderTopicConf !== undefined) return listQueues(topic, orderedCounts(topic, route.orderTopicConf))
  const brokers = new Map(route.brokerDatas.map(data => [data.brokerName, data.brokerAddrs]))
  const writable = route.queueDatas.filter(
    ({ perm, brokerName }) => (perm & PermName.WRITE) !== 0 && brokers.get(brokerName)?.has(MASTER_ID) === true
  )
  return listQueues(
    topic,
    writable.map(data => [data.brokerName, data.writeQueueNums])
  )
}

function orderedCounts(topic: string, orderTopicConf: string): QueueCount[] {
  const what = `orderTopicConf of topic ${topic} (broker:queues;broker:queues, set by mqadmin updateOrderConf)`
  return orderTopicConf.split(';').map(part => {
    const [brokerName = '', count] = part.split(':')
    return [brokerName, whole(count, what)]
  })
}

/**
 * The queues a consumer may read from: 0..readQueueNums−1 of every broker that allows reading
 * (`impl/factory/MQClientInstance.java#topicRouteData2TopicSubscribeInfo`).
 *
 * @throws RouteError when they are more than {@link MAX_TOPIC_QUEUES}
 */
export function subscribeQueues(topic: string, route: TopicRouteData): MessageQueue[] {
  const readable = route.queueDatas.filter(data => (data.perm & PermName.READ) !== 0)
  return listQueues(
    topic,
    readable.map(data => [data.brokerName, data.readQueueNums])
  )
}

/** How many queues a broker has of a topic; below 0 means none. */
type QueueCount = readonly [brokerName: string, count: number]

function listQueues(topic: string, counts: readonly QueueCount[]): MessageQueue[] {
  const total = counts.reduce((sum, [, count]) => sum + Math.max(count, 0), 0)
  if (total > MAX_TOPIC_QUEUES) {
    const [brokerName, most] = counts.reduce((largest, each) => (each[1] > largest[1] ? each : largest))
    throw new RouteError(
      `the route of topic ${topic} has ${total} queues, ${most} of them on broker ${brokerName}, and a client takes at most ` +
        `${MAX_TOPIC_QUEUES}; give the topic fewer (mqadmin updateTopic -r -w, or updateOrderConf if it is an ordered one)`
    )
  }
  return counts.flatMap(([brokerName, count]) =>
    Array.from({ length: count }, (_, id) => new MessageQueue(topic, brokerName, id))
  )
}

/**
 * The route a topic gets that does not exist yet: that of the template topic, with at most `maxQueueNums` queues per
 * broker (`impl/factory/MQClientInstance.java#updateTopicRouteInfoFromNameServer`).
 */
export function clipQueueNums(route: TopicRouteData, maxQueueNums: number): TopicRouteData {
  return {
    ...route,
    queueDatas: route.queueDatas.map(data => {
      const queueNums = Math.min(maxQueueNums, data.readQueueNums)
      return { ...data, readQueueNums: queueNums, writeQueueNums: queueNums }
    })
  }
}

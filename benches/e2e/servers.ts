/** The two servers as the driver sees them, both with the settings they ship with. */
import { ApacheBroker, ApacheNameServer } from '../../__test__/interop/helpers/apache-server.js'
import { NativeServer } from '../../__test__/interop/helpers/native-server.js'
import { rawCommand, type RawAnswer } from '../../__test__/interop/helpers/raw-command.js'
import { until } from '../../__test__/interop/helpers/until.js'

/** Whose client or server. */
export type Side = 'ours' | 'apache'

/** A server under load. */
export interface BenchServer extends AsyncDisposable {
  readonly side: Side
  /** Process id of the broker. */
  readonly pid: number
  /** Those of all its processes. */
  readonly pids: readonly number[]
  readonly nameServerPort: number
  readonly brokerPort: number
}

const APACHE_BROKER_HEAP = ['-Xms2g', '-Xmx2g', '-Xmn1g', '-XX:+UseG1GC', '-XX:MaxDirectMemorySize=4g']
const APACHE_BROKER_PROPERTIES = { enablePropertyFilter: true, timerWheelEnable: true, traceTopicEnable: true }
const UPDATE_AND_CREATE_TOPIC = 17
const GET_ROUTEINFO_BY_TOPIC = 105
const SEND_MESSAGE = 10
const QUEUES = 4

/** Our broker and name server, one process, as `rocketmq-native broker` starts them. */
export async function startNative(): Promise<BenchServer> {
  return nativeServer(await NativeServer.start())
}

function nativeServer(server: NativeServer): BenchServer {
  return {
    side: 'ours',
    pid: server.process.pid,
    pids: [server.process.pid],
    nameServerPort: server.nameServerPort,
    brokerPort: server.port,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]()
  }
}

/** Apache's broker and name server, with the heaps Apache's own scripts would give on a small machine. */
export async function startApache(): Promise<BenchServer> {
  const nameServer = await ApacheNameServer.start(['-Xms256m', '-Xmx256m'])
  const broker = await ApacheBroker.start(apacheOptions(nameServer.port))
  return {
    side: 'apache',
    pid: broker.process.pid,
    pids: [broker.process.pid, nameServer.process.pid],
    nameServerPort: nameServer.port,
    brokerPort: broker.port,
    async [Symbol.asyncDispose]() {
      await broker[Symbol.asyncDispose]()
      await nameServer[Symbol.asyncDispose]()
    }
  }
}

function apacheOptions(nameServerPort: number) {
  return { nameServerPort, heap: APACHE_BROKER_HEAP, properties: APACHE_BROKER_PROPERTIES }
}

/** Creates a topic with four queues, what a producer gets that does not create it first, and waits for its route. */
export async function createTopic(server: BenchServer, topic: string): Promise<void> {
  const queues = String(QUEUES)
  const created = await rawCommand(server.brokerPort, UPDATE_AND_CREATE_TOPIC, {
    topic,
    defaultTopic: 'TBW102',
    readQueueNums: queues,
    writeQueueNums: queues,
    perm: '6',
    topicFilterType: 'SINGLE_TAG',
    topicSysFlag: '0',
    order: 'false'
  })
  if (created.code !== 0)
    throw new Error(`${server.side} refuses to create ${topic}: ${created.code} ${created.remark}`)
  await until(`route of ${topic}`, async () => {
    const route = await rawCommand(server.nameServerPort, GET_ROUTEINFO_BY_TOPIC, { topic })
    return route.code === 0
  })
}

function sendOne(brokerPort: number): Promise<RawAnswer> {
  const fields = {
    producerGroup: 'start_up',
    topic: 'StartUp',
    defaultTopic: 'TBW102',
    defaultTopicQueueNums: String(QUEUES),
    queueId: '0',
    sysFlag: '0',
    bornTimestamp: String(Date.now()),
    flag: '0',
    properties: '',
    reconsumeTimes: '0',
    unitMode: 'false',
    batch: 'false'
  }
  return rawCommand(brokerPort, SEND_MESSAGE, fields, Buffer.from('first'))
}

async function untilAcknowledged(port: number, startedAt: number): Promise<number> {
  const acknowledged = async () => (await sendOne(port)).code === 0
  await until('first acknowledged message', acknowledged, { everyMs: 1 })
  return performance.now() - startedAt
}

/** Milliseconds from the start of our process, with an empty store, to the first acknowledged message. */
export async function nativeStartUpMs(): Promise<number> {
  const startedAt = performance.now()
  await using server = await NativeServer.launch()
  return await untilAcknowledged(server.port, startedAt)
}

/** The same for Apache's broker, whose name server runs already. */
export async function apacheStartUpMs(): Promise<number> {
  await using nameServer = await ApacheNameServer.start()
  const startedAt = performance.now()
  await using broker = await ApacheBroker.launch(apacheOptions(nameServer.port))
  return await untilAcknowledged(broker.port, startedAt)
}

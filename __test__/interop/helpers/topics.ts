/** Topics of a broker, by the request of mqadmin's updateTopic. */
import { rawCommand } from './raw-command.js'

const UPDATE_AND_CREATE_TOPIC = 17

/** What a topic is to be like. */
export interface TopicSettings {
  readonly topic: string
  /** Bits: 4 to read, 2 to write. */
  readonly perm: number
  readonly queues: number
}

/** mqadmin updateTopic, at the broker on this port of 127.0.0.1; it tells its name servers before it answers. */
export async function updateTopic(brokerPort: number, { topic, perm, queues }: TopicSettings): Promise<void> {
  const { code, remark } = await rawCommand(brokerPort, UPDATE_AND_CREATE_TOPIC, {
    topic,
    defaultTopic: 'TBW102',
    readQueueNums: String(queues),
    writeQueueNums: String(queues),
    perm: String(perm),
    topicFilterType: 'SINGLE_TAG',
    topicSysFlag: '0',
    order: 'false'
  })
  if (code !== 0) throw new Error(`topic ${topic} cannot be changed: ${code} ${remark}`)
}

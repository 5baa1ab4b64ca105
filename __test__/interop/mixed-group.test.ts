/** One consumer group with a Java and a TypeScript member: both must come to the same split of the queues. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { crcOf } from './helpers/bodies.js'
import type { GroupMember } from './helpers/client.js'
import { JavaClient } from './helpers/java-client.js'
import { NativeClient } from './helpers/native-client.js'
import { NativeServer } from './helpers/native-server.js'
import { until } from './helpers/until.js'

const QUEUES = [0, 1, 2, 3, 4, 5, 6, 7]
const COUNT = 400
const BYTES = 200

async function splitEvenly(one: GroupMember, other: GroupMember): Promise<[number[], number[]]> {
  return until('the queues are split', async () => {
    const [a, b] = await Promise.all([one.assignment(), other.assignment()])
    const together = [...a, ...b].toSorted((x, y) => x - y)
    return a.length === b.length && together.join() === QUEUES.join() && ([a, b] as [number[], number[]])
  })
}

describe('a consumer group of one Java and one TypeScript member', () => {
  const topic = 'MixedGroup'
  const native = new NativeClient()
  let server: NativeServer
  let java: JavaClient

  before(async () => {
    ;[server, java] = await Promise.all([NativeServer.start(), JavaClient.start()])
    const { address, nameServer } = server
    await java.createTopic({ nameServer, brokerAddress: address, topic, queues: QUEUES.length })
  })

  after(async () => {
    for (const each of [java, server]) await each?.[Symbol.asyncDispose]()
  })

  it('splits the queues, each message goes to one of the two, and who stays takes over', async () => {
    const { nameServer } = server
    const group = 'mixed'
    await using typescript = await native.join({ nameServer, topic, group })
    const other = await java.join({ nameServer, topic, group })
    const [ownQueues, javaQueues] = await splitEvenly(typescript, other)

    await native.produce({ nameServer, topic, group: 'mixed_p', count: COUNT / 2, bytes: BYTES })
    await java.produce({ nameServer, topic, group: 'mixed_p', from: COUNT / 2, count: COUNT / 2, bytes: BYTES })
    const [own, javas] = await until('all messages arrive', async () => {
      const rows = [await typescript.received(0), await other.received(0)] as const
      return rows[0].length + rows[1].length >= COUNT && rows
    })
    for (const row of [...own, ...javas]) assert.equal(row.crc32, crcOf(row.index, BYTES))
    const indices = [...own, ...javas].map(row => row.index).toSorted((a, b) => a - b)
    assert.deepEqual(indices, [...Array(COUNT).keys()], 'every message once')
    const queuesOf = (rows: typeof own) => new Set(rows.map(row => row.queueId))
    assert.deepEqual(queuesOf(own), new Set(ownQueues))
    assert.deepEqual(queuesOf(javas), new Set(javaQueues))

    await other[Symbol.asyncDispose]()
    await until('the member that stays reads all queues', async () => {
      return (await typescript.assignment()).join() === QUEUES.join()
    })
    await java.produce({ nameServer, topic, group: 'mixed_p', from: COUNT, count: 80, bytes: BYTES })
    const more = await typescript.received(own.length + 80)
    assert.deepEqual(new Set(more.slice(own.length).map(row => row.queueId)), new Set(QUEUES))
  })
})

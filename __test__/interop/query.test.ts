/** What Apache's administrator finds on our broker by key, tag and unique key. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { type FindRequest, JavaClient } from './helpers/java-client.js'
import { NativeServer } from './helpers/native-server.js'

const COUNT = 20

describe("Apache's administrator", () => {
  let java: JavaClient

  before(async () => {
    java = await JavaClient.start()
  })

  after(() => java?.[Symbol.asyncDispose]())

  it('finds each message on our broker by its key and its unique key, and all by their tag', async () => {
    await using server = await NativeServer.start()
    const { address, nameServer } = server
    const topic = 'Asked'
    await java.createTopic({ nameServer, brokerAddress: address, topic, queues: 4 })
    const row = { nameServer, topic, group: 'producers', count: COUNT, bytes: 100, keys: 'order-', tags: 'paid' }
    const sent = await java.produce(row)
    const find = (key: string, type: FindRequest['type']) =>
      java.find({ nameServer, cluster: 'DefaultCluster', topic, key, type })
    for (const { index, msgId } of sent) {
      assert.deepEqual(await find(`order-${index}`, 'K'), [msgId])
      assert.deepEqual(await find(msgId, 'U'), [msgId])
    }
    assert.deepEqual((await find('paid', 'T')).sort(), sent.map(({ msgId }) => msgId).sort())
    assert.deepEqual(await find(`order-${COUNT}`, 'K'), [])
  })
})

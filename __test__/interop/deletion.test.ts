/** What Apache's administrator deletes on our broker and name server. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { arrived } from './helpers/exchange.js'
import { JavaClient } from './helpers/java-client.js'
import { NativeServer } from './helpers/native-server.js'
import { TemporaryDirectory } from './helpers/owned.js'

const CLUSTER = 'DefaultCluster'
const COUNT = 10

describe("Apache's administrator", () => {
  let java: JavaClient

  before(async () => {
    java = await JavaClient.start()
  })

  after(() => java?.[Symbol.asyncDispose]())

  it('deletes a topic from our broker and name server; made anew it starts at offset 0', async () => {
    using directory = new TemporaryDirectory()
    await using server = await NativeServer.start({ storeDirectory: directory.path })
    const { address, nameServer } = server
    const queues = (topic: string) => join(directory.path, 'consumequeue', topic)
    const make = (topic: string) => java.createTopic({ nameServer, brokerAddress: address, topic, queues: 1 })
    const produce = (topic: string, from = 0) =>
      java.produce({ nameServer, topic, group: 'producers', from, count: COUNT, bytes: 100 })
    for (const topic of ['Deleted', 'Kept']) {
      await make(topic)
      await produce(topic)
    }
    {
      await using member = await java.join({ nameServer, topic: 'Deleted', group: 'consumers' })
      await arrived(member, 0, COUNT)
    }
    await java.deleteTopic({ nameServer, cluster: CLUSTER, topic: 'Deleted' })
    assert.ok(!existsSync(queues('Deleted')))
    await make('Deleted')
    const sent = await produce('Deleted', 100)
    assert.deepEqual(
      sent.map(row => row.queueOffset),
      Array.from({ length: COUNT }, (_, index) => index)
    )
    // The group's old offset is gone as well: it would begin behind the new messages.
    await using member = await java.join({ nameServer, topic: 'Deleted', group: 'consumers' })
    await arrived(member, 100, COUNT)
    assert.equal(Math.min(...(await produce('Kept', COUNT)).map(row => row.queueOffset)), COUNT)
  })

  it('cleans our broker up without taking anything that is used', async () => {
    await using server = await NativeServer.start()
    const { address, nameServer } = server
    await java.createTopic({ nameServer, brokerAddress: address, topic: 'Used', queues: 1 })
    await java.produce({ nameServer, topic: 'Used', group: 'producers', count: COUNT, bytes: 100 })
    assert.equal(await java.clean({ nameServer, brokerAddress: address }), true)
    await using member = await java.join({ nameServer, topic: 'Used', group: 'consumers' })
    await arrived(member, 0, COUNT)
  })
})

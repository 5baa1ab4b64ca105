/** Automatic batching through the embedded server. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { type Server, startServer } from '../../ts/index.js'
import { TestConsumer, numbered, startProducer } from './helpers/clients.js'

describe('automatic batching through the embedded server', () => {
  let server: Server
  before(async () => void (server = await startServer()))
  after(() => server.shutdown())

  it('delivers every message once, under the id and at the offset of its own result', async () => {
    const topic = 'AutoBatch'
    await using producer = await startProducer(server, { autoBatch: true })
    await producer.createTopic('TBW102', topic, 4)
    await using consumer = await TestConsumer.start(server, { topic, consumerGroup: topic })
    const bodies = numbered('m', 5_000)
    const results = await Promise.all(bodies.map(body => producer.send({ topic, body, tags: 'x' })))
    const received = await consumer.untilReceived(bodies.length)
    const byId = new Map(received.map(message => [message.msgId, message]))
    assert.equal(byId.size, bodies.length)
    for (const [index, { msgId, messageQueue, offsetMsgId, queueOffset }] of results.entries()) {
      const message = byId.get(msgId)!
      assert.equal(message.body.toString(), bodies[index])
      assert.equal(message.offsetMsgId, offsetMsgId)
      assert.equal(message.queueId, messageQueue.queueId)
      assert.ok(message.queueOffset.equals(queueOffset))
    }
  })

  it('keeps the order of the messages of one sender', async () => {
    const topic = 'AutoBatchOrder'
    await using producer = await startProducer(server, { autoBatch: true })
    await producer.createTopic('TBW102', topic, 1)
    await using consumer = await TestConsumer.start(server, { topic, consumerGroup: topic })
    const bodies = numbered('m', 3_000)
    await Promise.all(bodies.map(body => producer.send({ topic, body })))
    const received = await consumer.untilReceived(bodies.length)
    const inOrder = received.toSorted((a, b) => a.queueOffset.compare(b.queueOffset))
    assert.deepEqual(
      inOrder.map(message => message.body.toString()),
      bodies
    )
  })
})

/** How the members of a group share queues, remember offsets, and are held back. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { type Server, startServer } from '../../ts/index.js'
import { until } from '../interop/helpers/until.js'
import { TestConsumer, gateway, numbered, sendTexts, startProducer } from './helpers/clients.js'

describe('a consumer group', () => {
  let server: Server
  before(async () => void (server = await startServer()))
  after(() => server.shutdown())

  it('goes on where it ended when its only member is replaced', async () => {
    const topic = 'Resume'
    await using producer = await startProducer(server)
    await sendTexts(producer, topic, numbered('m', 10))
    {
      await using consumer = await TestConsumer.start(server, { topic, consumerGroup: topic })
      await consumer.untilReceived(10)
    }
    await sendTexts(producer, topic, numbered('m', 10, 10))
    await using consumer = await TestConsumer.start(server, { topic, consumerGroup: topic })
    await consumer.untilReceived(10)
    assert.deepEqual(consumer.bodies, numbered('m', 10, 10))
  })

  it('splits the queues between its members, and one takes over when the other leaves', async () => {
    const topic = 'Split'
    await using producer = await startProducer(server)
    await producer.createTopic('TBW102', topic, 8)
    const own = (member: TestConsumer): number[] =>
      member.consumer.assignedMessageQueues.filter(mq => mq.topic === topic).map(mq => mq.queueId)
    await using one = await TestConsumer.start(server, { topic, consumerGroup: topic })
    await until('the first has all', () => own(one).length === 8, { everyMs: 5 })
    {
      await using two = await TestConsumer.start(server, { topic, consumerGroup: topic })
      await until('each has half', () => own(one).length === 4 && own(two).length === 4, { everyMs: 5 })
      assert.deepEqual(
        [...own(one), ...own(two)].toSorted((a, b) => a - b),
        [0, 1, 2, 3, 4, 5, 6, 7]
      )
      await sendTexts(producer, topic, numbered('both', 40))
      await until('all are received', () => one.received.length + two.received.length >= 40, { everyMs: 5 })
      assert.ok(one.received.length > 0 && two.received.length > 0)
      assert.deepEqual([...one.bodies, ...two.bodies].toSorted(), numbered('both', 40))
    }
    await until('the first has all again', () => own(one).length === 8, { everyMs: 5 })
  })

  it('gives every group its own copy', async () => {
    const topic = 'Groups'
    await using producer = await startProducer(server)
    await producer.createTopic('TBW102', topic, 4)
    await using one = await TestConsumer.start(server, { topic, consumerGroup: 'GroupOne' })
    await using two = await TestConsumer.start(server, { topic, consumerGroup: 'GroupTwo' })
    await sendTexts(producer, topic, numbered('copy', 12))
    await Promise.all([one.untilReceived(12), two.untilReceived(12)])
    assert.deepEqual([one.bodies, two.bodies], [numbered('copy', 12), numbered('copy', 12)])
  })

  it('holds back while its listener is slow, and loses nothing', async () => {
    const topic = 'Slow'
    await using producer = await startProducer(server)
    await producer.createTopic('TBW102', topic, 1)
    const gate = gateway()
    let calls = 0
    await using consumer = await TestConsumer.start(server, {
      topic,
      consumerGroup: topic,
      consumeThreadMax: 1,
      consumeMessageBatchMaxSize: 16,
      pullThresholdForQueue: 32,
      listener: async () => {
        calls++
        await gate.passed
      }
    })
    const texts = numbered('slow', 1_000)
    await Promise.all(texts.map(body => producer.send({ topic, body })))
    await until('the listener was called', () => calls === 1, { everyMs: 5 })
    assert.deepEqual([calls, consumer.received.length], [1, 0])
    gate.open()
    await consumer.untilReceived(1_000)
    assert.deepEqual(consumer.bodies, texts)
  })

  it('keeps a message whose listener failed and gives it out again, telling that the broker cannot', async () => {
    const topic = 'Failing'
    const reported: string[] = []
    await using producer = await startProducer(server)
    await producer.createTopic('TBW102', topic, 4)
    let calls = 0
    await using consumer = await TestConsumer.start(server, {
      topic,
      consumerGroup: topic,
      onError: (error, doing) => reported.push(`${doing}: ${error.message}`),
      listener: () => {
        if (++calls === 1) throw new Error('not today')
      }
    })
    await sendTexts(producer, topic, ['again'])
    await consumer.untilReceived(1)
    assert.equal(calls, 2)
    assert.deepEqual(consumer.bodies, ['again'])
    assert.ok(reported.some(line => line.includes('not today')))
  })
})

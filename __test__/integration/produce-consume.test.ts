/** What one client sends another receives, through the embedded server. */
import assert from 'node:assert/strict'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import {
  type MessageExt,
  MessageQueue,
  MessageSysFlag,
  type RocketMQError,
  type SendResult,
  type Server,
  startServer
} from '../../ts/index.js'
import { until } from '../interop/helpers/until.js'
import { TestConsumer, numbered, repetitive, sendTexts, startProducer, queuesOf } from './helpers/clients.js'

/** What the commit log has of a message: its size and its system flag, in the first and tenth field of the record. */
async function storedRecord(server: Server, message: MessageExt): Promise<{ bytes: number; sysFlag: number }> {
  await using file = await open(join(server.dataDir, 'commitlog', '00000000000000000000'))
  const { buffer } = await file.read(Buffer.alloc(40), 0, 40, message.commitLogOffset.toNumber())
  return { bytes: buffer.readInt32BE(0), sysFlag: buffer.readInt32BE(36) }
}

describe('a message sent through the embedded server', () => {
  let server: Server
  before(async () => void (server = await startServer()))
  after(() => server.shutdown())

  it('arrives with its body, tag, keys, properties and flag', async () => {
    const topic = 'Whole'
    await using producer = await startProducer(server)
    await producer.createTopic('TBW102', topic, 4)
    await using consumer = await TestConsumer.start(server, { topic, consumerGroup: topic })
    const sent = await producer.send({
      topic,
      body: Buffer.from([0, 1, 254, 255]),
      tags: 'TagA',
      keys: ['order-1', 'customer-2'],
      properties: { color: 'blue', 'with space': 'a=b;c' },
      flag: 7
    })
    const [message] = await consumer.untilReceived(1)
    assert.equal(sent.sendStatus, 'SEND_OK')
    assert.deepEqual(message!.body, Buffer.from([0, 1, 254, 255]))
    assert.equal(message!.topic, topic)
    assert.equal(message!.tags, 'TagA')
    assert.equal(message!.keys, 'order-1 customer-2')
    assert.equal(message!.getUserProperty('color'), 'blue')
    assert.equal(message!.getUserProperty('with space'), 'a=b;c')
    assert.equal(message!.flag, 7)
    assert.equal(message!.msgId, sent.msgId)
    assert.equal(message!.offsetMsgId, sent.offsetMsgId)
    assert.equal(message!.queueId, sent.messageQueue.queueId)
    assert.ok(message!.queueOffset.equals(sent.queueOffset))
  })

  it('is not given to a consumer that asked for other tags', async () => {
    const topic = 'Tags'
    await using producer = await startProducer(server)
    await producer.createTopic('TBW102', topic, 4)
    await using consumer = await TestConsumer.start(server, { topic, consumerGroup: topic, expression: 'A || C' })
    for (const tags of ['A', 'B', 'C', undefined, 'A']) await producer.send({ topic, body: `tag ${tags}`, tags })
    await consumer.untilReceived(3)
    await sendTexts(producer, topic, ['untagged'])
    await producer.send({ topic, body: 'last', tags: 'C' })
    await consumer.untilReceived(4)
    assert.deepEqual(consumer.bodies, ['last', 'tag A', 'tag A', 'tag C'])
  })

  it('arrives once for each message of a batch, with the ids that were returned', async () => {
    const topic = 'Batch'
    await using producer = await startProducer(server)
    await producer.createTopic('TBW102', topic, 4)
    await using consumer = await TestConsumer.start(server, { topic, consumerGroup: topic })
    const texts = numbered('batch', 20)
    const sent = await producer.send(texts.map(body => ({ topic, body, tags: 'T', properties: { of: body } })))
    const received = await consumer.untilReceived(texts.length)
    assert.deepEqual(consumer.bodies, texts)
    const inOrder = received.toSorted((a, b) => a.queueOffset.compare(b.queueOffset))
    assert.equal(inOrder.map(message => message.msgId).join(), sent.msgId)
    assert.equal(inOrder.map(message => message.offsetMsgId).join(), sent.offsetMsgId)
    assert.ok(inOrder.every(message => message.getUserProperty('of') === message.body.toString()))
  })

  it('arrives when sent without an answer', async () => {
    const topic = 'Oneway'
    await using producer = await startProducer(server)
    await producer.createTopic('TBW102', topic, 4)
    await using consumer = await TestConsumer.start(server, { topic, consumerGroup: topic })
    await producer.sendOneway({ topic, body: 'fire and forget' })
    await consumer.untilReceived(1)
    assert.deepEqual(consumer.bodies, ['fire and forget'])
  })

  for (const compressType of ['ZLIB', 'LZ4', 'ZSTD'] as const) {
    it(`travels compressed with ${compressType} and arrives as it was`, async () => {
      const topic = `Compressed${compressType}`
      await using producer = await startProducer(server, { compressType })
      await producer.createTopic('TBW102', topic, 4)
      await using consumer = await TestConsumer.start(server, { topic, consumerGroup: topic })
      const body = repetitive(100_000)
      await producer.send({ topic, body })
      const [message] = await consumer.untilReceived(1)
      assert.ok(message!.body.equals(body))
      const stored = await storedRecord(server, message!)
      assert.ok(stored.bytes < 5_000, `${stored.bytes} bytes are stored`)
      assert.equal(stored.sysFlag, MessageSysFlag.COMPRESSED | ({ LZ4: 1, ZSTD: 2, ZLIB: 3 }[compressType] << 8))
    })
  }

  it('may be as large as 4 MiB, and no larger', async () => {
    const topic = 'Large'
    const limit = 4 * 1024 * 1024
    await using producer = await startProducer(server, {
      maxMessageSize: 2 * limit,
      compressMsgBodyOverHowmuch: 2 * limit
    })
    await producer.createTopic('TBW102', topic, 4)
    await using consumer = await TestConsumer.start(server, { topic, consumerGroup: topic })
    const body = repetitive(limit)
    await producer.send({ topic, body }, { timeoutMs: 30_000 })
    const [message] = await consumer.untilReceived(1)
    assert.ok(message!.body.equals(body))
    await assert.rejects(producer.send({ topic, body: repetitive(limit + 1) }), { code: 'RMQ_SEND', responseCode: 13 })
  })

  it('goes to the queue that the caller names or selects', async () => {
    const topic = 'Chosen'
    await using producer = await startProducer(server)
    await producer.createTopic('TBW102', topic, 4)
    const queues = await queuesOf(producer, topic)
    const mq = queues.find(queue => queue.queueId === 2)!
    const named = await producer.send({ topic, body: 'named' }, mq)
    const chosen = await producer.send({ topic, body: 'chosen' }, (all, _message, id) => all[id % all.length]!, 7)
    assert.deepEqual([queues.length, named.messageQueue.queueId, chosen.messageQueue.queueId], [4, 2, 3])
    const elsewhere = new MessageQueue('AnotherTopic', mq.brokerName, 0)
    await assert.rejects(producer.send({ topic, body: 'x' }, elsewhere), { code: 'RMQ_ARGUMENT' })
  })

  it('is refused, and not stored, when it asks for what the broker cannot do yet', async () => {
    await using producer = await startProducer(server)
    const delayed = { topic: 'Delayed', body: 'x', delayTimeLevel: 3 }
    await assert.rejects(producer.send(delayed), { code: 'RMQ_NOT_SUPPORTED', message: /delay level/ })
    const [mq] = await queuesOf(producer, 'Delayed')
    assert.equal((await producer.maxOffset(mq!)).toNumber(), 0)
  })

  it('is told to a callback when one is given', async () => {
    await using producer = await startProducer(server)
    const told = await new Promise<[RocketMQError | undefined, SendResult | undefined]>(resolve => {
      producer.send({ topic: 'Callback', body: 'x' }, (error, result) => resolve([error, result]))
    })
    assert.equal(told[0], undefined)
    assert.equal(told[1]?.sendStatus, 'SEND_OK')
  })

  it('moves the offsets of its queue, which can be searched by time', async () => {
    const topic = 'Offsets'
    await using producer = await startProducer(server)
    await producer.createTopic('TBW102', topic, 1)
    const [mq] = await queuesOf(producer, topic)
    const offsets: number[] = []
    for (const body of numbered('offset', 5))
      offsets.push((await producer.send({ topic, body }, mq!)).queueOffset.toNumber())
    assert.deepEqual(offsets, [0, 1, 2, 3, 4])
    assert.equal((await producer.maxOffset(mq!)).toNumber(), 5)
    assert.equal((await producer.minOffset(mq!)).toNumber(), 0)
    assert.equal((await producer.searchOffset(mq!, 0)).toNumber(), 0)
    assert.equal((await producer.searchOffset(mq!, Date.now() + 3_600_000)).toNumber(), 5)
  })

  it('is found by a consumer that subscribed before the topic existed', async () => {
    const topic = 'BornLater'
    await using consumer = await TestConsumer.start(server, { topic, consumerGroup: topic })
    await using producer = await startProducer(server)
    await sendTexts(producer, topic, ['first'])
    await consumer.untilReceived(1)
    assert.deepEqual(consumer.bodies, ['first'])
  })

  it('is given to every member when the group is broadcasting', async () => {
    const topic = 'Broadcast'
    await using producer = await startProducer(server)
    await producer.createTopic('TBW102', topic, 2)
    const options = { topic, consumerGroup: topic, messageModel: 'BROADCASTING' as const }
    await using one = await TestConsumer.start(server, { ...options, instanceName: `one-${process.pid}` })
    await using two = await TestConsumer.start(server, { ...options, instanceName: `two-${process.pid}` })
    const texts = numbered('broadcast', 10)
    await sendTexts(producer, topic, texts)
    await until('both have all', () => one.received.length >= 10 && two.received.length >= 10)
    assert.deepEqual([one.bodies, two.bodies], [texts, texts])
  })
})

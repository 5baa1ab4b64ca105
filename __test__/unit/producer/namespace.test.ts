import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ConfigError, InvalidArgumentError } from '../../../ts/errors.js'
import { MessageQueue } from '../../../ts/message/message-queue.js'
import { decodeProperties } from '../../../ts/message/properties.js'
import { Producer } from '../../../ts/producer/producer.js'
import { FakeRemoting, registryOf } from '../helpers/fake-remoting.js'

const OPTIONS = { namesrvAddr: '127.0.0.1:9876', producerGroup: 'pg', namespace: 'NS' }

async function setUp() {
  const remoting = new FakeRemoting()
  remoting.route({ 'NS%T': { a: 2 }, TBW102: { a: 8 } })
  remoting.onSend = send => {
    const offsetId = '0A00000100002A9F0000000000000001'
    send.pending.onSent(0, send.template.queueId, 0, 0, offsetId, true, undefined)
  }
  const producer = new Producer(OPTIONS, registryOf(remoting))
  await producer.start()
  return { remoting, producer }
}

describe('a producer with a namespace', () => {
  it('has topic and group in it on the wire, and results without', async () => {
    const { remoting, producer } = await setUp()
    const queue = new MessageQueue('T', 'a', 1)
    const results = [
      await producer.send({ topic: 'T', body: 'b' }),
      await producer.send({ topic: 'NS%T', body: 'b' }),
      await producer.send({ topic: 'T', body: 'b' }, queue),
      await producer.send({ topic: 'NS%T', body: 'b' }, new MessageQueue('NS%T', 'a', 1)),
      await producer.send({ topic: 'T', body: 'b' }, queues => queues[0]!, 0),
      await producer.send([{ topic: 'T', body: 'b' }])
    ]
    await producer.sendOneway({ topic: 'T', body: 'b' })
    for (const { template, fields } of [...remoting.sends, ...remoting.onewaySends]) {
      assert.deepEqual([template.topic, template.producerGroup, template.defaultTopic], ['NS%T', 'NS%pg', 'TBW102'])
      assert.equal(decodeProperties(fields.properties).get('INSTANCE_ID'), 'NS')
    }
    for (const { messageQueue } of results) assert.equal(messageQueue.topic, 'T')
    await producer.shutdown()
    assert.equal(remoting.requestsOf(35)[0]?.extFields['producerGroup'], 'NS%pg')
  })

  it('gives selectors queues without it', async () => {
    const { producer } = await setUp()
    const topics: string[] = []
    await producer.send(
      { topic: 'T', body: 'b' },
      (queues, message) => {
        topics.push(message.topic, ...queues.map(queue => queue.topic))
        return queues[0]!
      },
      0
    )
    assert.deepEqual(topics, ['T', 'T', 'T'])
    await producer.shutdown()
  })

  it('asks about queues and creates topics in it', async () => {
    const { remoting, producer } = await setUp()
    const queues = await producer.fetchPublishMessageQueues('T')
    assert.deepEqual(
      queues.map(queue => queue.topic),
      ['T', 'T']
    )
    for (const code of [29, 30, 31]) remoting.answers.set(code, () => ({ extFields: { offset: '1' } }))
    await producer.searchOffset(queues[0]!, 0)
    await producer.maxOffset(queues[0]!)
    await producer.minOffset(queues[0]!)
    await producer.createTopic('TBW102', 'New', 4)
    const asked = [29, 30, 31, 17].map(code => remoting.requestsOf(code)[0]?.extFields['topic'])
    assert.deepEqual(asked, ['NS%T', 'NS%T', 'NS%T', 'NS%New'])
    await producer.shutdown()
  })

  it('creates topics by the first send, too', async () => {
    const { remoting, producer } = await setUp()
    await producer.send({ topic: 'New', body: 'b' })
    assert.equal(remoting.sends[0]?.template.topic, 'NS%New')
    await producer.shutdown()
  })

  it('counts it to the length of names, and takes no other characters than names may have', async () => {
    const { producer } = await setUp()
    await assert.rejects(producer.send({ topic: 'T'.repeat(125), body: 'b' }), InvalidArgumentError)
    await assert.rejects(producer.send({ topic: 'T', body: 'b' }, new MessageQueue('U', 'a', 0)), InvalidArgumentError)
    await producer.shutdown()
    for (const namespace of ['', 'a%b', 'ä']) assert.throws(() => new Producer({ ...OPTIONS, namespace }), ConfigError)
  })
})

/** The life of producers and consumers: states, groups, shutdown, and ways to give up waiting. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { Producer, PushConsumer, type Server, ServiceState, startServer } from '../../ts/index.js'
import { TestConsumer, gateway, sendTexts, startProducer } from './helpers/clients.js'

describe('a producer', () => {
  let server: Server
  before(async () => void (server = await startServer()))
  after(() => server.shutdown())

  const newProducer = (group: string, instanceName = 'DEFAULT'): Producer =>
    new Producer({ namesrvAddr: server.nameServerAddress, producerGroup: group, instanceName })

  it('is just created, running, shut down, and no way leads back', async () => {
    const producer = newProducer('states')
    assert.equal(producer.state, ServiceState.CREATE_JUST)
    await assert.rejects(producer.send({ topic: 'States', body: 'too early' }), { code: 'RMQ_STATE' })
    await producer.start()
    assert.equal(producer.state, ServiceState.RUNNING)
    await assert.rejects(producer.start(), { code: 'RMQ_STATE' })
    await sendTexts(producer, 'States', ['in time'])
    await producer.shutdown()
    assert.equal(producer.state, ServiceState.SHUTDOWN_ALREADY)
    await assert.rejects(producer.send({ topic: 'States', body: 'too late' }), { code: 'RMQ_STATE' })
    await assert.rejects(producer.start(), { code: 'RMQ_STATE' })
    await producer.shutdown()
  })

  it('that is shut down while it starts is shut down in the end, and so is a consumer', async () => {
    const producer = newProducer('hasty')
    const consumer = new PushConsumer({ namesrvAddr: server.nameServerAddress, consumerGroup: 'hasty' })
    consumer.subscribe('States', '*')
    consumer.registerMessageListener(() => undefined)
    for (const client of [producer, consumer]) {
      const starting = client.start()
      await client.shutdown()
      assert.equal(client.state, ServiceState.SHUTDOWN_ALREADY)
      await starting.catch((error: unknown) => assert.equal((error as { code: string }).code, 'RMQ_STATE'))
    }
    const unfit = newProducer('no spaces please')
    const failing = assert.rejects(unfit.start(), { code: 'RMQ_CONFIG' })
    await unfit.shutdown()
    await failing
  })

  it('has failed to start when its group is unfit', async () => {
    const producer = newProducer('no spaces please')
    await assert.rejects(producer.start(), { code: 'RMQ_CONFIG' })
    assert.equal(producer.state, ServiceState.START_FAILED)
  })

  it('cannot have the group of another one on its client instance', async () => {
    await using first = newProducer('same', 'shared')
    await using second = newProducer('same', 'shared')
    await using other = newProducer('other', 'shared')
    await first.start()
    await assert.rejects(second.start(), { code: 'RMQ_STATE' })
    await other.start()
    assert.equal(first.clientId, other.clientId)
    await sendTexts(first, 'Shared', ['one'])
    await first.shutdown()
    await sendTexts(other, 'Shared', ['two'])
  })

  it('finishes what is under way before it shuts down', async () => {
    const producer = await startProducer(server, { producerGroup: 'finishing' })
    await sendTexts(producer, 'Finishing', ['the route is known now'])
    const sends = Array.from({ length: 500 }, (_, i) => producer.send({ topic: 'Finishing', body: `${i}` }))
    await producer.shutdown()
    const results = await Promise.all(sends)
    assert.ok(results.every(result => result.sendStatus === 'SEND_OK'))
  })

  it('gives up a send when the caller aborts it', async () => {
    await using producer = await startProducer(server, { producerGroup: 'aborting' })
    const early = AbortSignal.abort(new Error('changed my mind'))
    await assert.rejects(producer.send({ topic: 'Abort', body: 'x' }, { signal: early }), { code: 'RMQ_ABORTED' })
    const controller = new AbortController()
    const send = producer.send({ topic: 'Abort', body: 'x' }, { signal: controller.signal })
    controller.abort(new Error('and again'))
    await assert.rejects(send, error => {
      assert.equal((error as { code?: string }).code, 'RMQ_ABORTED')
      assert.equal(((error as Error).cause as Error).message, 'and again')
      return true
    })
    await sendTexts(producer, 'Abort', ['goes on working'])
  })

  it('says that no name server answers', async () => {
    await using producer = new Producer({
      namesrvAddr: '127.0.0.1:1',
      producerGroup: 'lonely',
      onError: () => undefined
    })
    await producer.start()
    await assert.rejects(producer.send({ topic: 'Nobody', body: 'x' }), { code: 'RMQ_ROUTE' })
  })

  it('says which option it does not have, and which one was meant', () => {
    const options = { producerGroup: 'g', sendMsgTimeOut: 1 }
    assert.throws(() => new Producer(options), { code: 'RMQ_CONFIG', message: /did you mean sendMsgTimeout\?/ })
  })
})

describe('a push consumer', () => {
  let server: Server
  before(async () => void (server = await startServer()))
  after(() => server.shutdown())

  it('is just created, running, shut down, and needs a listener', async () => {
    const options = { namesrvAddr: server.nameServerAddress, consumerGroup: 'states' }
    const consumer = new PushConsumer(options)
    assert.equal(consumer.state, ServiceState.CREATE_JUST)
    consumer.subscribe('States')
    consumer.registerMessageListener(() => undefined)
    await consumer.start()
    assert.equal(consumer.state, ServiceState.RUNNING)
    await assert.rejects(consumer.start(), { code: 'RMQ_STATE' })
    assert.throws(() => consumer.registerMessageListener(() => undefined), { code: 'RMQ_STATE' })
    await consumer.shutdown()
    assert.equal(consumer.state, ServiceState.SHUTDOWN_ALREADY)
    await assert.rejects(consumer.start(), { code: 'RMQ_STATE' })
    await assert.rejects(new PushConsumer(options).start(), { code: 'RMQ_CONFIG', message: /no message listener/ })
  })

  it('waits for its listener when it shuts down, and does not see the message again', async () => {
    const topic = 'Waits'
    await using producer = await startProducer(server)
    await producer.createTopic('TBW102', topic, 4)
    const working = gateway()
    const begun = gateway()
    const first = await TestConsumer.start(server, {
      topic,
      listener: async () => {
        begun.open()
        await working.passed
      }
    })
    await sendTexts(producer, topic, ['one'])
    await begun.passed
    const shutdown = first.consumer.shutdown()
    assert.equal(first.received.length, 0)
    working.open()
    await shutdown
    assert.deepEqual(first.bodies, ['one'])
    await using second = await TestConsumer.start(server, { topic })
    await sendTexts(producer, topic, ['two'])
    await second.untilReceived(1)
    assert.deepEqual(second.bodies, ['two'])
  })
})

/** Streams of messages through the embedded server. */
import assert from 'node:assert/strict'
import { pipeline } from 'node:stream/promises'
import { after, before, describe, it } from 'node:test'
import { type Server, startServer, WriteError } from '../../ts/index.js'
import { TestConsumer, numbered, startProducer } from './helpers/clients.js'

describe('a stream of messages through the embedded server', () => {
  let server: Server
  before(async () => void (server = await startServer()))
  after(() => server.shutdown())

  for (const autoBatch of [false, true]) {
    it(`delivers what an async generator yields, ${autoBatch ? 'in batches' : 'one by one'}`, async () => {
      const topic = `Stream${autoBatch}`
      await using producer = await startProducer(server, { autoBatch })
      await producer.createTopic('TBW102', topic, 1)
      await using consumer = await TestConsumer.start(server, { topic, consumerGroup: topic })
      const bodies = numbered('m', 3_000)
      const stream = producer.asWritable({ topic, maxInFlightMessages: 100 })
      await pipeline(async function* () {
        yield* bodies
      }, stream)
      assert.equal(stream.acknowledged, bodies.length)
      await consumer.untilReceived(bodies.length)
      assert.deepEqual(consumer.bodies, bodies)
    })
  }

  it('ends with the message that the producer refuses', async () => {
    await using producer = await startProducer(server)
    const messages = [{ body: 'good' }, { body: '' }]
    await assert.rejects(
      pipeline(messages, producer.asWritable({ topic: 'StreamFails' })),
      (error: unknown) => error instanceof WriteError && error.failedMessage === messages[1]
    )
  })
})

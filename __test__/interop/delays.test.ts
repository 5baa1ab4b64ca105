/** Delayed messages of our client on Apache's broker, and recalls of them. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { BrokerError, type MessageInit, Producer, SendError } from '../../ts/index.js'
import { ApacheBroker, ApacheNameServer } from './helpers/apache-server.js'
import { TextConsumer } from './helpers/text-consumer.js'

/** Times of delivery are rounded down to this. */
const PRECISION_MS = 100
const PROPERTIES = {
  timerWheelEnable: true,
  timerPrecisionMs: PRECISION_MS,
  recallMessageEnable: true,
  messageDelayLevel: '1s 2s 3s'
}

describe("delayed messages on Apache's broker", () => {
  let nameServer: ApacheNameServer
  let broker: ApacheBroker
  let producer: Producer
  let consumer: TextConsumer
  const topic = 'Delays'

  before(async () => {
    nameServer = await ApacheNameServer.start()
    broker = await ApacheBroker.start({ nameServerPort: nameServer.port, properties: PROPERTIES })
    producer = new Producer({ namesrvAddr: nameServer.address, producerGroup: 'delays' })
    await producer.start()
    await producer.send({ topic, body: 'creates the topic' })
    consumer = await TextConsumer.start(nameServer.address, topic)
    await consumer.untilReceived('creates the topic')
  })

  after(async () => {
    for (const each of [consumer, producer, broker, nameServer]) await each?.[Symbol.asyncDispose]()
  })

  const kinds: [what: string, delayMs: number, delay: () => Partial<MessageInit>][] = [
    ['level', 2_000, () => ({ delayTimeLevel: 2 })],
    ['seconds', 2_000, () => ({ delayTimeSec: 2 })],
    ['milliseconds', 1_500, () => ({ delayMs: 1_500 })],
    ['time of delivery', 1_500, () => ({ deliverAt: new Date(Date.now() + 1_500) })],
    ['time of delivery as a number', 1_500, () => ({ deliverTimeMs: Date.now() + 1_500 })]
  ]
  for (const [what, delayMs, delay] of kinds) {
    it(`arrive no sooner than their ${what} says, and with what they were sent with`, async () => {
      const body = `by ${what}`
      const sentMs = Date.now()
      const result = await producer.send({ topic, body, tags: 'TagA', properties: { city: 'Zürich' }, ...delay() })
      const message = await consumer.untilReceived(body)
      assert.ok(Date.now() - sentMs >= delayMs - PRECISION_MS)
      // The record that is delivered is one of its own, stored when it was due.
      assert.ok(message.storeTimestamp - sentMs >= delayMs - PRECISION_MS)
      assert.deepEqual([message.msgId, message.tags, message.getProperty('city')], [result.msgId, 'TagA', 'Zürich'])
      assert.equal(typeof result.recallHandle, what === 'level' ? 'undefined' : 'string')
    })
  }

  it('are refused beyond the largest delay of the broker, in words', async () => {
    const tooLate = { topic, body: 'too late', delayTimeSec: 3 * 24 * 3600 + 60 }
    await assert.rejects(producer.send(tooLate), (error: Error) => {
      return error instanceof SendError && error.responseCode === 13 && /bigger than the max delay/.test(error.message)
    })
  })

  it('are not delivered when they are recalled', async () => {
    const { recallHandle, msgId } = await producer.send({ topic, body: 'recalled', delayMs: 3_000 })
    assert.equal(await producer.recallMessage(topic, recallHandle!), msgId)
    await producer.send({ topic, body: 'after the recalled', delayMs: 4_000 })
    await consumer.untilReceived('after the recalled')
    assert.equal(consumer.texts.includes('recalled'), false)
  })

  it('cannot be recalled once they were delivered, which the broker says', async () => {
    const { recallHandle } = await producer.send({ topic, body: 'delivered', delayMs: 500 })
    await consumer.untilReceived('delivered')
    await assert.rejects(producer.recallMessage(topic, recallHandle!), (error: Error) => {
      return error instanceof BrokerError && error.responseCode === 604 && /timestamp invalid/.test(error.message)
    })
    await assert.rejects(producer.recallMessage('TBW102', recallHandle!), { responseCode: 604 })
  })
})

describe("recalls on Apache's broker as it comes", () => {
  it('are forbidden, which the broker says', async () => {
    await using nameServer = await ApacheNameServer.start()
    await using _ = await ApacheBroker.start({ nameServerPort: nameServer.port })
    await using producer = new Producer({ namesrvAddr: nameServer.address, producerGroup: 'recalls' })
    await producer.start()
    const { recallHandle } = await producer.send({ topic: 'Recalls', body: 'x', delayMs: 60_000 })
    await assert.rejects(producer.recallMessage('Recalls', recallHandle!), {
      code: 'RMQ_BROKER',
      responseCode: 16,
      message: /operation is forbidden/
    })
  })
})

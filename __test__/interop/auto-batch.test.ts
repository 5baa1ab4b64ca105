/** Automatic batching on Apache's broker; Apache's consumer reads what was sent. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { decodeOffsetMessageId, Producer, ResponseCode, SendError, type SendResult } from '../../ts/index.js'
import { ApacheBroker, ApacheNameServer } from './helpers/apache-server.js'
import { bodyOf } from './helpers/bodies.js'
import type { ReceivedRow } from './helpers/client.js'
import { arrived } from './helpers/exchange.js'
import { JavaClient } from './helpers/java-client.js'
import { rawCommand } from './helpers/raw-command.js'
import { until } from './helpers/until.js'

const UPDATE_AND_CREATE_TOPIC = 17
const VIEW_MESSAGE_BY_ID = 33
const BYTES = 100
const BROKER_MAX_BYTES = 64_000

/** Every message is where its own result says, with the tag and the key it was sent with. */
function assertArrived(results: readonly SendResult[], rows: ReadonlyMap<number, ReceivedRow>): void {
  for (const [index, { msgId, messageQueue, queueOffset, sendStatus }] of results.entries()) {
    const row = rows.get(index)!
    assert.equal(sendStatus, 'SEND_OK')
    assert.deepEqual(
      [row.msgId, row.queueId, row.queueOffset, row.tags, row.keys],
      [msgId, messageQueue.queueId, queueOffset.toNumber(), `Tag${index % 2}`, `key${index}`]
    )
  }
}

describe("automatic batching on Apache's broker", () => {
  let nameServer: ApacheNameServer
  let broker: ApacheBroker
  let java: JavaClient
  let producer: Producer

  before(async () => {
    nameServer = await ApacheNameServer.start()
    ;[broker, java] = await Promise.all([
      ApacheBroker.start({ nameServerPort: nameServer.port, properties: { maxMessageSize: BROKER_MAX_BYTES } }),
      JavaClient.start('ROCKETMQ')
    ])
    producer = new Producer({
      namesrvAddr: nameServer.address,
      producerGroup: 'batching',
      autoBatch: true,
      sendMsgTimeout: 10_000
    })
    await producer.start()
  })

  after(async () => {
    await producer?.shutdown()
    for (const each of [java, broker, nameServer]) await each?.[Symbol.asyncDispose]()
  })

  async function createTopic(topic: string, attributes: string): Promise<void> {
    const created = await rawCommand(broker.port, UPDATE_AND_CREATE_TOPIC, {
      topic,
      defaultTopic: 'TBW102',
      readQueueNums: '2',
      writeQueueNums: '2',
      perm: '6',
      topicFilterType: 'SINGLE_TAG',
      topicSysFlag: '0',
      order: 'false',
      attributes
    })
    assert.equal(created.code, 0, created.remark ?? '')
    await until(`${topic} has a route`, () => producer.fetchPublishMessageQueues(topic))
  }

  function sendAll(topic: string, count: number): Promise<SendResult[]> {
    const message = (index: number) => ({
      topic,
      body: bodyOf(index, BYTES),
      tags: `Tag${index % 2}`,
      keys: `key${index}`
    })
    return Promise.all(Array.from({ length: count }, (_, index) => producer.send(message(index))))
  }

  it('stores every message by itself, where its own result says', async () => {
    const topic = 'AutoBatched'
    await createTopic(topic, '')
    const results = await sendAll(topic, 1000)
    await using member = await java.join({ nameServer: nameServer.address, topic, group: topic })
    assertArrived(results, await arrived(member, 0, 1000))
    for (const index of [0, 1, 999]) {
      const { msgId, offsetMsgId } = results[index]!
      const offset = decodeOffsetMessageId(offsetMsgId).commitLogOffset.toString()
      const { body } = await rawCommand(broker.port, VIEW_MESSAGE_BY_ID, { offset })
      assert.ok(body.includes(`UNIQ_KEY\u0001${msgId}\u0002`), `${offsetMsgId} is where ${msgId} lies`)
    }
  })

  it('is answered with one offset id where batches are stored whole, and consumers find ids and offsets as sent', async () => {
    const topic = 'BatchCQ'
    await createTopic(topic, '+queue.type=BatchCQ')
    const results = await sendAll(topic, 40)
    assert.equal(new Set(results.map(({ offsetMsgId }) => offsetMsgId)).size, 2)
    await using member = await java.join({ nameServer: nameServer.address, topic, group: topic })
    assertArrived(results, await arrived(member, 0, 40))
  })

  for (const type of ['FIFO', 'DELAY', 'TRANSACTION']) {
    it(`is taken by a topic for ${type} messages`, async () => {
      await createTopic(type, `+message.type=${type}`)
      const results = await sendAll(type, 10)
      assert.ok(results.every(({ sendStatus }) => sendStatus === 'SEND_OK'))
    })
  }

  it('tells every sender when the broker refuses the batch', async () => {
    const topic = 'Refused'
    await createTopic(topic, '')
    const options = { namesrvAddr: nameServer.address, producerGroup: 'too_large', autoBatch: true }
    await using large = new Producer({ ...options, batchMaxBytes: 2 * BROKER_MAX_BYTES })
    await large.start()
    await large.send({ topic, body: 'finds the route' })
    const body = Buffer.alloc(2_000)
    const sends = Array.from({ length: 1.5 * (BROKER_MAX_BYTES / 2_000) }, () => large.send({ topic, body }))
    for (const outcome of await Promise.allSettled(sends)) {
      assert.ok(outcome.status === 'rejected' && outcome.reason instanceof SendError)
      assert.equal(outcome.reason.responseCode, ResponseCode.SYSTEM_ERROR)
      assert.match(outcome.reason.message, /message body size exceeded/)
    }
  })
})

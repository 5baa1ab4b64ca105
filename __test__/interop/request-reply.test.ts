/** Requests and replies on Apache's broker, between our client and Apache's. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import {
  type MessageExt,
  Producer,
  PushConsumer,
  type SendResult,
  createReplyMessage,
  getReplyToClient
} from '../../ts/index.js'
import { ApacheBroker, ApacheNameServer } from './helpers/apache-server.js'
import { JavaClient } from './helpers/java-client.js'
import { until } from './helpers/until.js'

const echo = (request: MessageExt, replies: Producer) =>
  replies.send(createReplyMessage(request, `re: ${request.body.toString()}`))

describe("requests and replies on Apache's broker", () => {
  let nameServer: ApacheNameServer
  let broker: ApacheBroker
  let java: JavaClient
  let producer: Producer
  let topics = 0

  before(async () => {
    nameServer = await ApacheNameServer.start()
    ;[broker, java] = await Promise.all([
      ApacheBroker.start({ nameServerPort: nameServer.port }),
      JavaClient.start('ROCKETMQ')
    ])
    producer = await startProducer('requests')
  })

  after(async () => {
    for (const each of [producer, java, broker, nameServer]) await each?.[Symbol.asyncDispose]()
  })

  async function startProducer(producerGroup: string): Promise<Producer> {
    const started = new Producer({ namesrvAddr: nameServer.address, producerGroup, compressMsgBodyOverHowmuch: 1_000 })
    await started.start()
    return started
  }

  async function newTopic(): Promise<string> {
    const topic = `Requests${++topics}`
    await producer.send({ topic, body: 'creates the topic' })
    return topic
  }

  /** Our consumer and producer that answer every request as `answer` says. */
  async function startReplier(topic: string, answer: (request: MessageExt, reply: Producer) => Promise<unknown>) {
    const replies = await startProducer(`replies_${topic}`)
    const consumer = new PushConsumer({
      namesrvAddr: nameServer.address,
      consumerGroup: `repliers_${topic}`,
      consumeFromWhere: 'CONSUME_FROM_FIRST_OFFSET'
    })
    consumer.subscribe(topic)
    consumer.registerMessageListener(async requests => {
      // What created the topic is no request.
      for (const request of requests) if (getReplyToClient(request) !== undefined) await answer(request, replies)
    })
    await consumer.start()
    return {
      [Symbol.asyncDispose]: async () => {
        await consumer.shutdown()
        await replies.shutdown()
      }
    }
  }

  it("go from our producer to Apache's replier and back", async () => {
    const topic = await newTopic()
    await using _ = await java.startReplier({ nameServer: nameServer.address, topic })
    const reply = await producer.request({ topic, body: 'ping' }, 30_000)
    assert.equal(reply.body.toString(), 're: ping')
    assert.equal(reply.topic, 'DefaultCluster_REPLY_TOPIC')
    assert.equal(reply.getProperty('MSG_TYPE'), 'reply')
    assert.ok(reply.getProperty('PUSH_REPLY_TIME') !== undefined && reply.getProperty('ARRIVE_TIME') !== undefined)
    const large = 'large '.repeat(2_000)
    assert.equal((await producer.request({ topic, body: large }, 30_000)).body.toString(), `re: ${large}`)
    const [mq] = await producer.fetchPublishMessageQueues(topic)
    const told = await new Promise<MessageExt | undefined>(resolve => {
      producer.request({ topic, body: 'to a queue' }, mq!, 30_000, (_error, answer) => resolve(answer))
    })
    assert.equal(told?.body.toString(), 're: to a queue')
    const chosen = await producer.request({ topic, body: 'chosen' }, queues => queues[1]!, undefined, 30_000)
    assert.equal(chosen.body.toString(), 're: chosen')
  })

  it("go from Apache's producer to our replier and back", async () => {
    const topic = await newTopic()
    await using _ = await startReplier(topic, echo)
    const request = { nameServer: nameServer.address, topic, timeoutMs: 30_000 }
    const reply = await java.request({ ...request, body: 'ping' })
    assert.deepEqual([reply.body, reply.topic], ['re: ping', 'DefaultCluster_REPLY_TOPIC'])
    const large = 'large '.repeat(2_000)
    assert.equal((await java.request({ ...request, body: large })).body, `re: ${large}`)
  })

  it('go from our producer to our replier and back, many at a time', async () => {
    const topic = await newTopic()
    await using _ = await startReplier(topic, echo)
    const bodies = Array.from({ length: 50 }, (_unused, i) => `request ${i}`)
    const replies = await Promise.all(bodies.map(body => producer.request({ topic, body }, 30_000)))
    assert.deepEqual(
      replies.map(reply => reply.body.toString()),
      bodies.map(body => `re: ${body}`)
    )
  })

  it('end in time when nobody replies, and a reply that comes later is dropped', async () => {
    const topic = await newTopic()
    const held: (() => Promise<SendResult>)[] = []
    await using _ = await startReplier(topic, async (request, replies) => {
      const kept = request.clone()
      held.push(() => echo(kept, replies))
    })
    await assert.rejects(producer.request({ topic, body: 'slow' }, 2_000), {
      code: 'RMQ_TIMEOUT',
      clientErrorCode: 10_006
    })
    await until('the request arrives', () => held.length > 0)
    assert.equal((await held[0]!()).sendStatus, 'SEND_OK')
  })

  it('let the replier know when the requester is gone', async () => {
    const topic = await newTopic()
    const held: (() => Promise<SendResult>)[] = []
    await using _ = await startReplier(topic, async (request, replies) => {
      const kept = request.clone()
      held.push(() => echo(kept, replies))
    })
    const gone = await startProducer('gone')
    const failed = assert.rejects(gone.request({ topic, body: 'anybody?' }, 60_000), { code: 'RMQ_STATE' })
    await until('the request arrives', () => held.length > 0)
    await gone.shutdown()
    await failed
    await assert.rejects(held[0]!(), { code: 'RMQ_SEND', message: /channel of .* not found/ })
  })
})

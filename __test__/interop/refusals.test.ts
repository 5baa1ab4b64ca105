/** What Apache's broker refuses to take, or is too busy for, and what our producer says then. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import {
  type BrokerError,
  MessageQueue,
  Producer,
  type ProducerOptions,
  RouteError,
  SendError
} from '../../ts/index.js'
import { ApacheBroker, ApacheNameServer } from './helpers/apache-server.js'
import { updateTopic } from './helpers/topics.js'
import { until } from './helpers/until.js'

const ResponseCode = { SYSTEM_ERROR: 1, SYSTEM_BUSY: 2, MESSAGE_ILLEGAL: 13, INVALID_PARAMETER: 29 }
const MAX_MESSAGE_BYTES = 20_000

let nameServer: ApacheNameServer
let broker: ApacheBroker
let producer: Producer
let groups = 0

before(async () => {
  nameServer = await ApacheNameServer.start()
  // One send at a time, and one that may wait for its turn: more at once are too many.
  const properties = { maxMessageSize: MAX_MESSAGE_BYTES, sendMessageThreadPoolNums: 1, sendThreadPoolQueueCapacity: 1 }
  broker = await ApacheBroker.start({ nameServerPort: nameServer.port, properties })
  producer = await start()
})

after(async () => {
  for (const each of [producer, broker, nameServer]) await each?.[Symbol.asyncDispose]()
})

async function start(options: Partial<ProducerOptions> = {}): Promise<Producer> {
  const all = {
    namesrvAddr: nameServer.address,
    producerGroup: `refused${++groups}`,
    sendMsgTimeout: 10_000,
    ...options
  }
  const started = new Producer(all)
  await started.start()
  return started
}

/** The error of a send that failed, and the codes that the broker answered its attempts with. */
async function failure(sending: Promise<unknown>): Promise<{ error: SendError; codes: number[] }> {
  const error = await sending.then(
    () => assert.fail('it was taken'),
    (thrown: unknown) => thrown
  )
  assert.ok(error instanceof SendError, String(error))
  return { error, codes: codesOf(error) }
}

function codesOf(error: SendError): number[] {
  return error.attempts.map(attempt => {
    assert.equal(attempt.brokerName, 'broker-apache')
    assert.equal(attempt.error.code, 'RMQ_BROKER', String(attempt.error))
    return (attempt.error as BrokerError).responseCode
  })
}

describe("a send that Apache's broker refuses", () => {
  it('for its size fails with the code of the broker, and is not repeated', async () => {
    const topic = 'TooLarge'
    await producer.send({ topic, body: 'small' })
    const large = { topic, body: Buffer.alloc(MAX_MESSAGE_BYTES + 1, 'x') }
    const plain = await start({ compressMsgBodyOverHowmuch: 1_000_000 })
    const { error, codes } = await failure(plain.send(large))
    assert.deepEqual(codes, [ResponseCode.MESSAGE_ILLEGAL])
    assert.equal(error.responseCode, ResponseCode.MESSAGE_ILLEGAL)
    assert.match(error.message, /TooLarge.*the message is illegal/)
    assert.equal(error.retryable, false)
    // Compressed it is small enough.
    assert.equal((await producer.send(large)).sendStatus, 'SEND_OK')
    await plain.shutdown()
  })

  it('for the size of a batch, for which it has a code that calls for more attempts', async () => {
    const batch = Array.from({ length: 3 }, () => ({ topic: 'TooLarge', body: Buffer.alloc(MAX_MESSAGE_BYTES / 2) }))
    const { error, codes } = await failure(producer.send(batch))
    const { SYSTEM_ERROR } = ResponseCode
    assert.deepEqual(codes, [SYSTEM_ERROR, SYSTEM_ERROR, SYSTEM_ERROR])
    assert.match(error.message, /sent 3 times.*message body size exceeded/)
    // Cut to the size that it takes.
    const results = await producer.sendBatch(batch, { maxBytes: MAX_MESSAGE_BYTES - 1_000 })
    assert.ok(results.every(({ sendStatus }) => sendStatus === 'SEND_OK'))
  })

  it('for a queue that it does not have fails at once', async () => {
    const topic = 'FewQueues'
    const { messageQueue } = await producer.send({ topic, body: 'x' })
    const queue = new MessageQueue(topic, messageQueue.brokerName, 99)
    const { error, codes } = await failure(producer.send({ topic, body: 'x' }, queue))
    assert.deepEqual(codes, [ResponseCode.INVALID_PARAMETER])
    assert.match(error.message, /request queueId\[99\] is illegal/)
  })

  it('for being busy is repeated as often as allowed, every attempt told; the others are taken', async () => {
    const topic = 'Busy'
    await producer.send({ topic, body: 'first' })
    const sends = Array.from({ length: 500 }, (_, i) => producer.send({ topic, body: `${i}` }))
    const ends = await Promise.allSettled(sends)
    const taken = ends.filter(end => end.status === 'fulfilled')
    const refused = ends.filter(end => end.status === 'rejected')
    for (const { reason } of refused) {
      assert.ok(reason instanceof SendError, String(reason))
      const { SYSTEM_BUSY } = ResponseCode
      assert.deepEqual(codesOf(reason), [SYSTEM_BUSY, SYSTEM_BUSY, SYSTEM_BUSY])
      assert.equal(reason.retryable, true)
    }
    assert.ok(taken.length > 0 && refused.length > 0, `${taken.length} taken, ${refused.length} refused`)
    assert.match(refused[0]!.reason.message, /\[OVERLOAD\]system busy/)
  })
})

describe('a topic whose permission to write is taken away', () => {
  it('is not sent to any more as soon as the route says so, and again when it is given back', async () => {
    const topic = 'ReadOnly'
    await updateTopic(broker.port, { topic, perm: 6, queues: 2 })
    const informed = await start({ pollNameServerInterval: 50 })
    const { messageQueue } = await informed.send({ topic, body: 'x' })
    await updateTopic(broker.port, { topic, perm: 4, queues: 2 })
    const error = await until('the producer knows', () =>
      informed.send({ topic, body: 'x' }).then(
        () => undefined,
        (thrown: unknown) => thrown as Error
      )
    )
    assert.ok(error instanceof RouteError, String(error))
    assert.match(
      error.message,
      /no broker of it lets it be written to \(broker-apache: perm 4\).*mqadmin updateTopicPerm/
    )
    // Only routes say it: Apache's broker takes what comes all the same (AbstractSendMessageProcessor.java#msgCheck).
    assert.equal((await informed.send({ topic, body: 'x' }, messageQueue)).sendStatus, 'SEND_OK')
    await updateTopic(broker.port, { topic, perm: 6, queues: 2 })
    await until('it is given back', () => informed.send({ topic, body: 'x' }))
    await informed.shutdown()
  })
})

/** What our broker cannot do yet: the client says so, and nothing is stored. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { type MessageInit, type Server, TransactionProducer, startServer } from '../../ts/index.js'
import { createReplyMessage } from '../../ts/producer/reply.js'
import { Message, withProperties } from '../../ts/message/message.js'
import { queuesOf, startProducer } from './helpers/clients.js'

const NOT_SUPPORTED = 'RMQ_NOT_SUPPORTED'

describe('our broker, asked for what it cannot do yet', () => {
  let server: Server

  before(async () => (server = await startServer()))
  after(() => server.shutdown())

  it('has no transactions: no local transaction runs', async () => {
    await using producer = new TransactionProducer({
      namesrvAddr: server.nameServerAddress,
      producerGroup: 'transactions',
      transactionListener: { checkLocalTransaction: () => 'UNKNOW' }
    })
    await producer.start()
    const sending = producer.sendMessageInTransaction({ topic: 'Transactions', body: 'x' }, () =>
      assert.fail('it runs')
    )
    await assert.rejects(sending, { code: NOT_SUPPORTED, message: /does not support transaction messages/ })
    const [mq] = await queuesOf(producer, 'Transactions')
    assert.equal((await producer.maxOffset(mq!)).toNumber(), 0)
  })

  const delays: Partial<MessageInit>[] = [
    { delayTimeLevel: 3 },
    { delayTimeSec: 1 },
    { delayMs: 1 },
    { deliverAt: new Date() }
  ]
  for (const delay of delays) {
    it(`has no delays: ${Object.keys(delay).join()}`, async () => {
      await using producer = await startProducer(server)
      await assert.rejects(producer.send({ topic: 'Delays', body: 'x', ...delay }), {
        code: NOT_SUPPORTED,
        message: /does not support (?:messages with a delay level|timer messages)/
      })
    })
  }

  it('cannot recall messages', async () => {
    await using producer = await startProducer(server)
    await producer.send({ topic: 'Recalls', body: 'x' })
    const handle = Buffer.from(`v1 Recalls broker-a ${Date.now() + 60_000} ID`).toString('base64url')
    await assert.rejects(producer.recallMessage('Recalls', handle), { code: NOT_SUPPORTED })
  })

  it('takes no requests: who asks hears of it at once, and nothing is stored', async () => {
    await using producer = await startProducer(server)
    await assert.rejects(producer.request({ topic: 'Asked', body: 'x' }, { timeoutMs: 60_000 }), {
      name: 'NotSupportedError',
      code: NOT_SUPPORTED,
      message: /does not support request-reply/
    })
    const [mq] = await queuesOf(producer, 'Asked')
    assert.equal((await producer.maxOffset(mq!)).toNumber(), 0)
  })

  it('pushes no replies: who replies hears of it', async () => {
    await using producer = await startProducer(server)
    const request = withProperties(new Message({ topic: 'Questions', body: 'x' }), {
      CLUSTER: 'DefaultCluster',
      CORRELATION_ID: 'id',
      REPLY_TO_CLIENT: producer.clientId,
      TTL: '3000'
    })
    await assert.rejects(producer.send(createReplyMessage(request, 'y')), { code: NOT_SUPPORTED, message: /325/ })
  })
})

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ConnectionError, InvalidArgumentError } from '../../../ts/errors.js'
import { MessageQueue } from '../../../ts/message/message-queue.js'
import { decodeProperties } from '../../../ts/message/properties.js'
import { Producer } from '../../../ts/producer/producer.js'
import { PartialBatchError } from '../../../ts/producer/send-batch.js'
import type { FakeSend } from '../helpers/fake-remoting.js'
import { FakeRemoting, registryOf } from '../helpers/fake-remoting.js'

const MAX_BYTES = 1_000
const OFFSET_ID = '0A00000100002A9F00000000000000'

/** The unique ids in a request, one for each message of a batch. */
function uniqueIds({ template, fields }: FakeSend): string[] {
  if (!template.batch) return [decodeProperties(fields.properties).get('UNIQ_KEY')!]
  return [
    ...Buffer.from(fields.body)
      .toString('latin1')
      .matchAll(/UNIQ_KEY.([0-9A-F]{32})/g)
  ].map(found => found[1]!)
}

/** Answers as a broker does: an offset id for each message. */
function store(send: FakeSend, request: number): void {
  const count = uniqueIds(send).length
  const ids = Array.from({ length: count }, (_, i) => `${OFFSET_ID}${request}${i.toString(16)}`).join(',')
  send.pending.onSent(0, send.template.queueId, request * 100, 0, ids, true, undefined)
}

async function setUp(outcome?: (send: FakeSend, request: number) => void) {
  const remoting = new FakeRemoting()
  remoting.route({ T: { a: 4 } })
  remoting.onSend = send => (outcome ?? store)(send, remoting.sends.length)
  const options = { namesrvAddr: '127.0.0.1:9876', producerGroup: 'pg', maxMessageSize: MAX_BYTES }
  const producer = new Producer(options, registryOf(remoting))
  await producer.start()
  return { remoting, producer }
}

function list(count: number, bytes = 100) {
  return Array.from({ length: count }, (_, i) => ({ topic: 'T', body: String.fromCharCode(97 + i).repeat(bytes) }))
}

describe('sendBatch', () => {
  it('splits by bytes what send(list) refuses, and gives each message the result that is its own', async () => {
    const { remoting, producer } = await setUp()
    await assert.rejects(producer.send(list(13)), /sendBatch\(\) sends it in parts/)
    const results = await producer.sendBatch(list(13))
    assert.ok(remoting.sends.length > 1)
    for (const { fields, template } of remoting.sends) {
      assert.ok(fields.body.length <= MAX_BYTES)
      assert.equal(template.batch, true)
    }
    const first = remoting.sends.map(send => uniqueIds(send).length)
    assert.equal(
      remoting.sends[0]!.fields.body.length + remoting.sends[0]!.fields.body.length / first[0]! > MAX_BYTES,
      true
    )
    assert.deepEqual(
      results.map(result => result.msgId),
      remoting.sends.flatMap(uniqueIds)
    )
    assert.deepEqual(
      results.map(result => [result.queueOffset.toNumber(), result.offsetMsgId]),
      first.flatMap((count, request) =>
        Array.from({ length: count }, (_, i) => [
          (request + 1) * 100 + i,
          `${OFFSET_ID}${request + 1}${i.toString(16)}`
        ])
      )
    )
    await producer.shutdown()
  })

  it('takes any iterable, a queue, and a smaller limit', async () => {
    const { remoting, producer } = await setUp()
    const queue = new MessageQueue('T', 'a', 3)
    const results = await producer.sendBatch(new Set(list(4)), { messageQueue: queue, maxBytes: 400 })
    assert.deepEqual(new Set(results.map(result => result.messageQueue.queueId)), new Set([3]))
    assert.ok(remoting.sends.every(send => send.template.queueId === 3 && send.fields.body.length <= 400))
    await producer.shutdown()
  })

  it('sends a message alone that fits into no batch', async () => {
    const { remoting, producer } = await setUp()
    const results = await producer.sendBatch([...list(2), ...list(1, MAX_BYTES), ...list(1)])
    assert.deepEqual(
      remoting.sends.map(send => send.template.batch),
      [true, false, false]
    )
    assert.equal(results.length, 4)
    await producer.shutdown()
  })

  it('sends nothing when one message is not acceptable', async () => {
    const { remoting, producer } = await setUp()
    for (const wrong of [
      { topic: 'U', body: 'b' },
      { topic: 'T', body: '' },
      { topic: 'T', body: 'b', delayTimeLevel: 1 }
    ]) {
      await assert.rejects(producer.sendBatch([...list(13), wrong]), InvalidArgumentError)
    }
    await assert.rejects(producer.sendBatch([]), InvalidArgumentError)
    await assert.rejects(producer.sendBatch(list(1), { maxBytes: MAX_BYTES + 1 }), InvalidArgumentError)
    assert.equal(remoting.sends.length, 0)
    await producer.shutdown()
  })

  it('tells what was stored when a later request fails, and stops there', async () => {
    const { remoting, producer } = await setUp((send, request) => {
      if (request === 1) store(send, request)
      else send.pending.onFailed(new ConnectionError('gone', send.address))
    })
    await assert.rejects(producer.sendBatch(list(40)), (error: unknown) => {
      assert.ok(error instanceof PartialBatchError)
      assert.equal(error.code, 'RMQ_SEND')
      assert.equal(error.clientErrorCode, 10001)
      assert.equal(error.attempts.length, 3)
      assert.deepEqual(
        error.results.map(result => result.msgId),
        uniqueIds(remoting.sends[0]!)
      )
      return true
    })
    assert.equal(remoting.sends.length, 4)
    await producer.shutdown()
  })

  it('fails as a send does when nothing was stored', async () => {
    const { producer } = await setUp(send => send.pending.onFailed(new ConnectionError('gone', send.address)))
    await assert.rejects(producer.sendBatch(list(40)), (error: unknown) => !(error instanceof PartialBatchError))
    await producer.shutdown()
  })

  it('gives all messages one result where they have one place (queues of inner batches)', async () => {
    const { producer } = await setUp(send =>
      send.pending.onResponse({
        code: 0,
        version: 0,
        remark: undefined,
        extFields: { msgId: `${OFFSET_ID}00`, queueId: '1', queueOffset: '5', batchUniqId: 'BATCH' },
        body: Buffer.alloc(0)
      })
    )
    const [first, ...others] = await producer.sendBatch(list(3))
    assert.equal(first?.msgId, 'BATCH')
    assert.deepEqual(others, [first, first])
    await producer.shutdown()
  })
})

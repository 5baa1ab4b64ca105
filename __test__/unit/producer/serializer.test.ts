import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ConfigError, InvalidArgumentError } from '../../../ts/errors.js'
import { Message } from '../../../ts/message/message.js'
import { jsonSerializer } from '../../../ts/message/serializer.js'
import { Producer } from '../../../ts/producer/producer.js'
import { FakeRemoting, registryOf } from '../helpers/fake-remoting.js'

interface Order {
  readonly id: number
}

const OPTIONS = { namesrvAddr: '127.0.0.1:9876', producerGroup: 'pg' }

function broker(): FakeRemoting {
  const remoting = new FakeRemoting()
  remoting.route({ T: { a: 1 } })
  remoting.onSend = send => send.pending.onSent(0, 0, 0, 0, '0A00000100002A9F0000000000000001', true, undefined)
  return remoting
}

describe('a producer with a serializer', () => {
  it('sends values in all forms, and messages as they are', async () => {
    const remoting = broker()
    const producer = new Producer({ ...OPTIONS, serializer: jsonSerializer<Order>() }, registryOf(remoting))
    await producer.start()
    await producer.send({ topic: 'T', body: { id: 1 } })
    await producer.send({ topic: 'T', body: { id: 2 } }, queues => queues[0]!, 0)
    await producer.send(new Message({ topic: 'T', body: 'as it is' }))
    await producer.sendOneway({ topic: 'T', body: { id: 3 } })
    await producer.send([{ topic: 'T', body: { id: 4 } }])
    await producer.sendBatch([{ topic: 'T', body: { id: 5 } }])
    const bodies = [...remoting.sends, ...remoting.onewaySends].map(send => Buffer.from(send.fields.body).toString())
    assert.deepEqual(bodies.slice(0, 3), ['{"id":1}', '{"id":2}', 'as it is'])
    assert.match(bodies[3]!, /\{"id":4\}/)
    assert.deepEqual(bodies.slice(4), ['{"id":5}', '{"id":3}'])
    await producer.shutdown()
  })

  it('takes no bodies of other types', () => {
    const producer = new Producer({ ...OPTIONS, serializer: jsonSerializer<Order>() }, registryOf(broker()))
    const plain = new Producer(OPTIONS, registryOf(broker()))
    const sends = [
      // @ts-expect-error a body of another type than the serializer's
      () => producer.send({ topic: 'T', body: { name: 'x' } }),
      // @ts-expect-error no serializer, so bodies are text or bytes
      () => plain.send({ topic: 'T', body: { id: 1 } }),
      // @ts-expect-error without a serializer nothing would make bytes of orders, and each send would fail
      () => new Producer<Order>(OPTIONS)
    ]
    assert.equal(sends.length, 3)
  })

  it('fails the send when the serializer does, with its error as the cause', async () => {
    const thrown = new Error('cyclic')
    const serializer = {
      serialize(): string {
        throw thrown
      }
    }
    const producer = new Producer({ ...OPTIONS, serializer }, registryOf(broker()))
    await producer.start()
    await assert.rejects(producer.send({ topic: 'T', body: 'b' }), (error: unknown) => {
      assert.ok(error instanceof InvalidArgumentError)
      assert.equal(error.cause, thrown)
      return true
    })
    await producer.shutdown()
  })

  it('is refused with something that is no serializer', () => {
    // What JavaScript without types may give.
    const serializer = {} as ReturnType<typeof jsonSerializer<Order>>
    assert.throws(() => new Producer({ ...OPTIONS, serializer }), ConfigError)
  })
})

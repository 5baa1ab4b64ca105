import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { RocketMQError } from '../../../ts/errors.js'
import {
  AbortedError,
  ClientStateError,
  ConnectionError,
  NotSupportedError,
  SendError,
  TimeoutError
} from '../../../ts/errors.js'
import { MessageQueue } from '../../../ts/message/message-queue.js'
import type { ProducerOptions } from '../../../ts/producer/options.js'
import { Producer } from '../../../ts/producer/producer.js'
import type { SendResult } from '../../../ts/producer/types.js'
import type { FakeSend } from '../helpers/fake-remoting.js'
import { FakeRemoting, registryOf, settle } from '../helpers/fake-remoting.js'

const OFFSET_ID = '0A00000100002A9F0000000000000001'
const MESSAGE = { topic: 'T', body: 'b' }

async function setUp(
  outcome: (send: FakeSend, attempt: number) => void,
  options: Partial<ProducerOptions> = {},
  brokers: Record<string, number> = { a: 4, b: 4 }
): Promise<{ remoting: FakeRemoting; producer: Producer }> {
  const remoting = new FakeRemoting()
  remoting.route({ T: brokers })
  remoting.onSend = send => outcome(send, remoting.sends.length)
  const all = { namesrvAddr: '127.0.0.1:9876', producerGroup: 'pg', ...options }
  const producer = new Producer(all, registryOf(remoting))
  await producer.start()
  return { remoting, producer }
}

function stored(send: FakeSend, code = 0): void {
  send.pending.onSent(code, send.template.queueId, 0, 0, OFFSET_ID, true, undefined)
}

function refused(send: FakeSend, code: number): void {
  send.pending.onResponse({ code, version: 0, remark: 'no', extFields: {}, body: Buffer.alloc(0) })
}

function unreachable(send: FakeSend): void {
  send.pending.onFailed(new ConnectionError('refused', send.address))
}

function withCallback(producer: Producer, ...args: [] | [MessageQueue]): Promise<SendResult> {
  return new Promise((resolve, reject) => {
    const callback = (error: RocketMQError | undefined, result: SendResult | undefined) =>
      result === undefined ? reject(error) : resolve(result)
    if (args.length === 0) producer.send(MESSAGE, callback)
    else producer.send(MESSAGE, args[0], callback)
  })
}

describe('a send that returns a promise', () => {
  it('goes to another broker after one that cannot be reached, with the same unique id', async () => {
    const { remoting, producer } = await setUp((send, attempt) => (attempt === 1 ? unreachable(send) : stored(send)))
    const result = await producer.send(MESSAGE)
    const [first, second] = remoting.sends
    assert.notEqual(first!.template.brokerName, second!.template.brokerName)
    assert.equal(first!.fields.properties, second!.fields.properties)
    assert.equal(result.messageQueue.brokerName, second!.template.brokerName)
    await producer.shutdown()
  })

  it('fails after three attempts and tells of each', async () => {
    const { remoting, producer } = await setUp(unreachable)
    await assert.rejects(producer.send(MESSAGE), (error: unknown) => {
      assert.ok(error instanceof SendError)
      assert.equal(error.attempts.length, 3)
      assert.equal(error.clientErrorCode, 10001)
      assert.ok(error.cause instanceof ConnectionError)
      const brokers = error.attempts.map(attempt => attempt.brokerName)
      assert.notEqual(brokers[0], brokers[1])
      assert.notEqual(brokers[1], brokers[2])
      return true
    })
    assert.equal(remoting.sends.length, 3)
    await producer.shutdown()
  })

  for (const code of [1, 2, 14, 16, 17, 204, 205]) {
    it(`tries again after the answer ${code}`, async () => {
      const { remoting, producer } = await setUp((send, attempt) => (attempt < 3 ? refused(send, code) : stored(send)))
      assert.equal((await producer.send(MESSAGE)).sendStatus, 'SEND_OK')
      assert.equal(remoting.sends.length, 3)
      await producer.shutdown()
    })
  }

  for (const code of [13, 29, 215]) {
    it(`does not try again after the answer ${code}`, async () => {
      const { remoting, producer } = await setUp(send => refused(send, code))
      await assert.rejects(producer.send(MESSAGE), { code: 'RMQ_SEND', responseCode: code })
      assert.equal(remoting.sends.length, 1)
      await producer.shutdown()
    })
  }

  it('tells what the broker cannot do, the answer 3, from what failed', async () => {
    const { remoting, producer } = await setUp(send => refused(send, 3))
    await assert.rejects(producer.send(MESSAGE), (error: Error) => {
      assert.ok(error instanceof NotSupportedError && error.cause instanceof SendError)
      return error.cause.responseCode === 3
    })
    assert.equal(remoting.sends.length, 1)
    await producer.shutdown()
  })

  it('tries as often as retryTimesWhenSendFailed says', async () => {
    const { remoting, producer } = await setUp(unreachable, { retryTimesWhenSendFailed: 0 })
    await assert.rejects(producer.send(MESSAGE), SendError)
    assert.equal(remoting.sends.length, 1)
    await producer.shutdown()
  })

  it('gets one attempt when the caller or a selector chose the queue', async () => {
    const { remoting, producer } = await setUp(unreachable)
    await assert.rejects(producer.send(MESSAGE, new MessageQueue('T', 'a', 0)), SendError)
    await assert.rejects(
      producer.send(MESSAGE, queues => queues[0]!, 0),
      SendError
    )
    assert.equal(remoting.sends.length, 2)
    await producer.shutdown()
  })

  for (const [code, status] of [
    [10, 'FLUSH_DISK_TIMEOUT'],
    [11, 'SLAVE_NOT_AVAILABLE'],
    [12, 'FLUSH_SLAVE_TIMEOUT']
  ] as const) {
    it(`is content with ${status} unless it is told not to be`, async () => {
      const content = await setUp(send => stored(send, code))
      assert.equal((await content.producer.send(MESSAGE)).sendStatus, status)
      assert.equal(content.remoting.sends.length, 1)
      await content.producer.shutdown()
      const eager = await setUp((send, attempt) => stored(send, attempt < 2 ? code : 0), {
        retryAnotherBrokerWhenNotStoreOK: true
      })
      assert.equal((await eager.producer.send(MESSAGE)).sendStatus, 'SEND_OK')
      await eager.producer.shutdown()
      const unlucky = await setUp(send => stored(send, code), { retryAnotherBrokerWhenNotStoreOK: true })
      assert.equal((await unlucky.producer.send(MESSAGE)).sendStatus, status)
      assert.equal(unlucky.remoting.sends.length, 3)
      await unlucky.producer.shutdown()
    })
  }

  it('counts its time down over the attempts', async t => {
    t.mock.timers.enable({ apis: ['Date'], now: 1_000_000 })
    const { remoting, producer } = await setUp(
      send => {
        t.mock.timers.tick(400)
        unreachable(send)
      },
      { retryTimesWhenSendFailed: 9 }
    )
    await assert.rejects(producer.send(MESSAGE, 1000), (error: unknown) => {
      assert.ok(error instanceof SendError)
      assert.deepEqual(
        error.attempts.map(attempt => attempt.durationMs),
        [400, 400, 400]
      )
      return true
    })
    assert.deepEqual(
      remoting.sends.map(send => send.timeoutMs),
      [1000, 600, 200]
    )
    await producer.shutdown()
  })

  it('limits an attempt to sendMsgMaxTimeoutPerRequest while others may follow', async () => {
    const { remoting, producer } = await setUp(
      send => send.pending.onFailed(new TimeoutError('late', send.timeoutMs)),
      { sendMsgMaxTimeoutPerRequest: 500 }
    )
    await assert.rejects(producer.send(MESSAGE), SendError)
    const [first, second, third] = remoting.sends.map(send => send.timeoutMs)
    assert.deepEqual([first, second], [500, 500])
    assert.ok(third! > 2000)
    await producer.shutdown()
  })

  it('ends at once when its signal fires, whatever comes later', async () => {
    const { remoting, producer } = await setUp(() => undefined)
    const controller = new AbortController()
    const sending = producer.send(MESSAGE, { signal: controller.signal })
    await settle()
    controller.abort(new Error('enough'))
    await assert.rejects(sending, (error: unknown) => {
      assert.ok(error instanceof AbortedError)
      assert.equal((error.cause as Error).message, 'enough')
      return true
    })
    stored(remoting.sends[0]!)
    await assert.rejects(producer.send(MESSAGE, { signal: controller.signal }), AbortedError)
    assert.equal(remoting.sends.length, 1)
    await producer.shutdown()
  })

  it('reports a client that was closed as what it is', async () => {
    const { producer } = await setUp(send => send.pending.onFailed(new ClientStateError('closed')))
    await assert.rejects(producer.send(MESSAGE), ClientStateError)
    await producer.shutdown()
  })

  it('takes what else the answer says: transaction id, recall handle, region, trace', async () => {
    const { producer } = await setUp(send =>
      send.pending.onResponse({
        code: 0,
        version: 0,
        remark: undefined,
        extFields: {
          msgId: OFFSET_ID,
          queueId: '2',
          queueOffset: '9007199254740993',
          transactionId: 'TX',
          recallHandle: 'RH',
          MSG_REGION: 'R',
          TRACE_ON: 'false'
        },
        body: Buffer.alloc(0)
      })
    )
    const result = await producer.send(MESSAGE)
    assert.equal(result.queueOffset.toString(), '9007199254740993')
    assert.deepEqual(
      [result.offsetMsgId, result.messageQueue.queueId, result.transactionId, result.recallHandle],
      [OFFSET_ID, 2, 'TX', 'RH']
    )
    assert.deepEqual([result.regionId, result.traceOn], ['R', false])
    await producer.shutdown()
  })

  for (const extFields of [
    {},
    { msgId: OFFSET_ID, queueId: '0' },
    { msgId: OFFSET_ID, queueId: 'x', queueOffset: '1' },
    { msgId: OFFSET_ID, queueId: '0', queueOffset: '1e3' }
  ]) {
    it(`rejects a success with the fields ${JSON.stringify(extFields)}`, async () => {
      const { producer } = await setUp(
        send => send.pending.onResponse({ code: 0, version: 0, remark: undefined, extFields, body: Buffer.alloc(0) }),
        { retryTimesWhenSendFailed: 0 }
      )
      await assert.rejects(producer.send(MESSAGE), /answered a send with no place that can be read/)
      await producer.shutdown()
    })
  }
})

describe('a send with a callback', () => {
  it('tries again after failures of the transport, on another broker', async () => {
    const { remoting, producer } = await setUp((send, attempt) => (attempt < 3 ? unreachable(send) : stored(send)))
    assert.equal((await withCallback(producer)).sendStatus, 'SEND_OK')
    const brokers = remoting.sends.map(send => send.template.brokerName)
    assert.notEqual(brokers[0], brokers[1])
    assert.notEqual(brokers[1], brokers[2])
    await producer.shutdown()
  })

  it('tries again on the queue the caller chose', async () => {
    const { remoting, producer } = await setUp((send, attempt) => (attempt < 3 ? unreachable(send) : stored(send)))
    await withCallback(producer, new MessageQueue('T', 'b', 1))
    assert.deepEqual(
      remoting.sends.map(({ template }) => `${template.brokerName}${template.queueId}`),
      ['b1', 'b1', 'b1']
    )
    await producer.shutdown()
  })

  it('never tries again after an answer of a broker', async () => {
    const { remoting, producer } = await setUp(send => refused(send, 2))
    await assert.rejects(withCallback(producer), { code: 'RMQ_SEND', responseCode: 2 })
    assert.equal(remoting.sends.length, 1)
    await producer.shutdown()
  })

  it('lets what the callback throws become an uncaught exception, and goes on', async t => {
    const { producer } = await setUp(send => stored(send))
    const thrown = new Error('from the callback')
    const listeners = process.listeners('uncaughtException')
    process.removeAllListeners('uncaughtException')
    t.after(() => listeners.forEach(listener => process.on('uncaughtException', listener)))
    const caught = new Promise(resolve => process.once('uncaughtException', resolve))
    producer.send(MESSAGE, () => {
      throw thrown
    })
    assert.equal(await caught, thrown)
    assert.equal((await producer.send(MESSAGE)).sendStatus, 'SEND_OK')
    await producer.shutdown()
  })
})

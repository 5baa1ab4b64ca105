/** A producer through real connections to brokers that misbehave: it goes on, and nothing hangs past its time. */
import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import { describe, it } from 'node:test'
import type { ProducerOptions, SendResult } from '../../ts/index.js'
import { Producer, SendError, TimeoutError } from '../../ts/index.js'
import type { NativeFrame } from '../../ts/native.js'
import { until } from '../interop/helpers/until.js'
import { startProducer } from './helpers/clients.js'
import { FakeCluster, reply, stored } from './helpers/fake-server.js'

const MESSAGE = { topic: 'T', body: 'body' }

async function setUp(options: Partial<ProducerOptions> = {}, ...brokers: string[]) {
  const cluster = await FakeCluster.start(...(brokers.length > 0 ? brokers : ['a']))
  const producer = await startProducer(cluster, { onError: () => undefined, ...options })
  return {
    cluster,
    producer,
    async [Symbol.asyncDispose]() {
      await producer.shutdown()
      await cluster[Symbol.asyncDispose]()
    }
  }
}

function withCallback(producer: Producer): Promise<SendResult> {
  return new Promise((resolve, reject) => {
    producer.send(MESSAGE, (error: unknown, result) => (result === undefined ? reject(error) : resolve(result)))
  })
}

/** What a broker may do with the first send of a test instead of answering it. */
const misdeeds: Record<string, (request: NativeFrame, socket: Socket) => void> = {
  'ends the connection': (_request, socket) => socket.end(),
  'resets the connection': (_request, socket) => socket.resetAndDestroy(),
  'resets the connection in the middle of the answer': (request, socket) =>
    socket.write(stored(request).subarray(0, 20), () => socket.resetAndDestroy()),
  'ends the connection after half of the length': (_request, socket) => socket.end(Buffer.from([0, 0])),
  'answers in HTTP': (_request, socket) => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n'),
  'answers with zeros': (_request, socket) => socket.write(Buffer.alloc(64)),
  'announces 2 GiB': (_request, socket) => socket.write(Buffer.from([0x7f, 0xff, 0xff, 0xff])),
  'announces a header that is longer than the frame': (_request, socket) =>
    socket.write(Buffer.from([0, 0, 0, 8, 0, 0xff, 0xff, 0xff, 0, 0, 0, 0])),
  'answers with a broken JSON header': (_request, socket) =>
    socket.write(Buffer.concat([Buffer.from([0, 0, 0, 12, 0, 0, 0, 8]), Buffer.from('{"code":')])),
  'stores it at a place that cannot be read': (request, socket) => socket.write(stored(request, { queueOffset: 'x' }))
}

describe('a producer whose broker', () => {
  for (const [what, misdeed] of Object.entries(misdeeds)) {
    it(`${what} sends again, and is well`, async () => {
      await using setting = await setUp()
      const { cluster, producer } = setting
      cluster.onSend = ({ request, socket }, count) =>
        count === 1 ? misdeed(request, socket) : socket.write(stored(request))
      assert.equal((await producer.send(MESSAGE)).sendStatus, 'SEND_OK')
      assert.equal(cluster.sends.length, 2)
      assert.equal(cluster.sends[0]?.request.extFields['i'], cluster.sends[1]?.request.extFields['i'])
    })
  }

  it('answers in pieces, and answers what nobody asked, gets and gives the right results', async () => {
    await using setting = await setUp()
    const { cluster, producer } = setting
    cluster.onSend = ({ request, socket }, count) => {
      socket.write(stored({ ...request, opaque: request.opaque + 1_000_000 }, { queueOffset: '666' }))
      const answer = stored(request, { queueOffset: String(count) })
      for (const byte of answer) socket.write(Buffer.of(byte))
    }
    const results = await Promise.all(Array.from({ length: 20 }, () => producer.send(MESSAGE)))
    assert.deepEqual(
      results.map(result => result.queueOffset.toNumber()),
      results.map((_, i) => i + 1)
    )
  })

  it('answers too late is not given the answer for another send', async () => {
    await using setting = await setUp({ retryTimesWhenSendFailed: 0 })
    const { cluster, producer } = setting
    let late: (() => void) | undefined
    cluster.onSend = ({ request, socket }, count) => {
      if (count === 1) late = () => socket.write(stored(request, { queueOffset: '666' }))
      else {
        late?.()
        socket.write(stored(request, { queueOffset: '7' }))
      }
    }
    await assert.rejects(producer.send(MESSAGE, 50), (error: unknown) => {
      assert.ok(error instanceof SendError)
      assert.ok(error.cause instanceof TimeoutError)
      assert.equal(error.clientErrorCode, 10002)
      return true
    })
    assert.equal((await producer.send(MESSAGE)).queueOffset.toNumber(), 7)
  })

  it('never answers fails all sends in time, whichever form they have, and the next that is answered succeeds', async () => {
    await using setting = await setUp({ sendMsgTimeout: 200 })
    const { cluster, producer } = setting
    cluster.onSend = () => undefined
    const callback = new Promise<never>((_resolve, reject) => {
      producer.send(MESSAGE, (error: unknown) => reject(error))
    })
    const sends = [
      ...Array.from({ length: 100 }, () => producer.send(MESSAGE)),
      producer.send([MESSAGE, MESSAGE]),
      producer.send(MESSAGE, queues => queues[0]!, 0),
      callback
    ]
    const settled = await Promise.allSettled(sends)
    for (const outcome of settled) {
      assert.equal(outcome.status, 'rejected')
      assert.ok(outcome.reason instanceof SendError, String(outcome.reason))
    }
    cluster.onSend = ({ request, socket }) => socket.write(stored(request))
    assert.equal((await producer.send(MESSAGE, 20_000)).sendStatus, 'SEND_OK')
  })

  for (const code of [1, 2, 14, 16, 17, 204, 205]) {
    it(`answers ${code} sends to another broker, by callback reports it`, async () => {
      await using setting = await setUp({}, 'a', 'b')
      const { cluster, producer } = setting
      cluster.onSend = ({ request, socket }, count) =>
        socket.write(count % 2 === 1 ? reply(request, { code, remark: 'not now' }) : stored(request))
      assert.equal((await producer.send(MESSAGE)).sendStatus, 'SEND_OK')
      assert.notEqual(cluster.sends[0]?.broker, cluster.sends[1]?.broker)
      const error = await new Promise(resolve => producer.send(MESSAGE, resolve))
      assert.ok(error instanceof SendError)
      assert.equal(error.responseCode, code)
      assert.match(error.message, /not now/)
      assert.equal(cluster.sends.length, 3)
    })
  }

  for (const [form, send] of [
    ['a promise', (producer: Producer) => producer.send(MESSAGE)],
    ['a callback', withCallback]
  ] as const) {
    it(`asks to be left (GO_AWAY) is sent the message on a new connection, with ${form}, as part of the same attempt`, async () => {
      await using setting = await setUp({ retryTimesWhenSendFailed: 0, retryTimesWhenSendAsyncFailed: 0 })
      const { cluster, producer } = setting
      cluster.onSend = ({ request, socket }, count) =>
        socket.write(count === 1 ? reply(request, { code: 1500 }) : stored(request))
      assert.equal((await send(producer)).sendStatus, 'SEND_OK')
      const [first, second] = cluster.sends
      assert.notEqual(first?.socket, second?.socket)
      await until('the old connection is closed', () => first?.socket.destroyed, { everyMs: 5 })
      await producer.send(MESSAGE)
      assert.equal(cluster.sends[2]?.socket, second?.socket)
    })

    it(`asks for it again and again fails, with ${form}, as one that cannot be reached`, async () => {
      await using setting = await setUp({ retryTimesWhenSendFailed: 1, retryTimesWhenSendAsyncFailed: 1 })
      const { cluster, producer } = setting
      cluster.onSend = ({ request, socket }) => socket.write(reply(request, { code: 1500 }))
      await assert.rejects(send(producer), { code: 'RMQ_SEND', clientErrorCode: 10001 })
      assert.equal(cluster.sends.length, 4)
    })
  }

  it('answers FLOW_CONTROL (215) or MESSAGE_ILLEGAL (13) fails at once, as with Java, and says whether it may pass', async () => {
    await using setting = await setUp()
    const { cluster, producer } = setting
    for (const [code, retryable] of [
      [215, true],
      [13, false]
    ] as const) {
      cluster.sends.length = 0
      cluster.onSend = ({ request, socket }) => socket.write(reply(request, { code }))
      await assert.rejects(producer.send(MESSAGE), { code: 'RMQ_SEND', responseCode: code, retryable })
      assert.equal(cluster.sends.length, 1)
    }
  })

  it('moves to another address is found there at once, without a wait for the next regular look at the route', async () => {
    await using setting = await setUp({ retryTimesWhenSendFailed: 0, pollNameServerInterval: 1_000_000 })
    const { cluster, producer } = setting
    await producer.send(MESSAGE)
    const [, old] = cluster.servers
    const moved = await cluster.addBroker('a')
    await old![Symbol.asyncDispose]()
    await until('a send succeeds', () => producer.send(MESSAGE))
    assert.equal(moved.sockets.has(cluster.sends.at(-1)!.socket), true)
  })

  it('is gone makes no send wait for longer than its time, and another broker is used', async () => {
    await using setting = await setUp({}, 'a', 'b')
    const { cluster, producer } = setting
    await producer.send(MESSAGE)
    await cluster.servers[1]![Symbol.asyncDispose]()
    const results = await Promise.all(Array.from({ length: 40 }, () => producer.send(MESSAGE)))
    assert.deepEqual(new Set(results.map(result => result.messageQueue.brokerName)), new Set(['b']))
  })
})

describe('a producer with latency fault tolerance and the detector', () => {
  it('leaves a broker alone that is gone, for the time its tables say, and uses it again then', async () => {
    const options = { sendLatencyFaultEnable: true, startDetectorEnable: true }
    const tables = { latencyMax: [10_000], notAvailableDuration: [3_000] }
    await using setting = await setUp({ ...options, ...tables }, 'a', 'b')
    const { cluster, producer } = setting
    const usedBrokers = async () => {
      cluster.sends.length = 0
      for (let i = 0; i < 8; i++) await producer.send(MESSAGE)
      return new Set(cluster.sends.map(send => send.broker))
    }
    assert.deepEqual(await usedBrokers(), new Set(['a', 'b']))
    const [, , b] = cluster.servers
    const port = Number(b!.address.split(':')[1])
    await b![Symbol.asyncDispose]()
    await usedBrokers()
    await cluster.addBroker('b', port)
    assert.deepEqual(await usedBrokers(), new Set(['a']))
    await until('both brokers are used', async () => (await usedBrokers()).size === 2)
  })
})

describe('a producer whose name server is gone', () => {
  it('goes on with the routes that it has', async () => {
    await using setting = await setUp({ pollNameServerInterval: 20 })
    const { cluster, producer } = setting
    await producer.send(MESSAGE)
    await cluster.servers[0]![Symbol.asyncDispose]()
    for (let i = 0; i < 20; i++) assert.equal((await producer.send(MESSAGE)).sendStatus, 'SEND_OK')
    await assert.rejects(producer.send({ topic: 'Other', body: 'b' }), { code: 'RMQ_ROUTE', clientErrorCode: 10004 })
  })

  it('starts, and sends as soon as there is one', async () => {
    const cluster = await FakeCluster.start('a')
    const { nameServerAddress } = cluster
    await using producer = new Producer({ namesrvAddr: ['127.0.0.1:1', nameServerAddress], producerGroup: 'g' })
    await producer.start()
    assert.equal((await producer.send(MESSAGE)).sendStatus, 'SEND_OK')
    await producer.shutdown()
    await cluster[Symbol.asyncDispose]()
  })
})

import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import { test } from 'node:test'
import { AbortedError } from '../../ts/errors.js'
import { type NativeFrame, encodeFrame } from '../../ts/native.js'
import { RemotingClient } from '../../ts/remoting/remoting-client.js'
import type { PendingSend, RemotingCommand } from '../../ts/remoting/types.js'
import { FakeServer, reply } from './helpers/fake-server.js'

class Client extends RemotingClient {
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}

const LONG = { timeoutMs: 20_000 }

for (const serializeType of ['JSON', 'ROCKETMQ'] as const) {
  test(`a request and its answer keep code, header, remark and body with ${serializeType} headers`, async () => {
    await using server = await FakeServer.start((request, socket) => {
      assert.equal(request.serializeType, serializeType)
      assert.equal(request.language, 13)
      const body = Buffer.concat([Buffer.from('re:'), request.body])
      socket.write(reply(request, { code: 17, remark: 'no – 无', extFields: request.extFields, body }))
    })
    await using client = new Client({ serializeType })
    const answer = await client.invoke(
      server.address,
      { code: 105, extFields: { topic: 'Tä', n: 7, on: true, none: undefined }, body: Buffer.from('hi') },
      LONG
    )
    assert.deepEqual(
      { ...answer, body: answer.body.toString() },
      { code: 17, version: 513, remark: 'no – 无', extFields: { topic: 'Tä', n: '7', on: 'true' }, body: 're:hi' }
    )
  })
}

test('thousands of requests in one tick are all answered, each with its own answer', async () => {
  await using server = await FakeServer.start((request, socket) => socket.write(reply(request, { body: request.body })))
  await using client = new Client()
  const calls = Array.from({ length: 5000 }, (_, n) =>
    client.invoke(server.address, { code: 1, body: Buffer.from(`${n}`) }, LONG)
  )
  const answers = await Promise.all(calls)
  assert.deepEqual(
    answers.map(answer => answer.body.toString()),
    answers.map((_, n) => `${n}`)
  )
  assert.equal(server.connections, 1)
})

test('an answer of several megabytes arrives whole', async () => {
  const body = Buffer.alloc(9_000_000, 5)
  await using server = await FakeServer.start((request, socket) => socket.write(reply(request, { body })))
  await using client = new Client()
  const answer = await client.invoke(server.address, { code: 1, body: Buffer.alloc(3_000_000, 1) }, LONG)
  assert.ok(answer.body.equals(body))
})

test('answers cut into single bytes and answers glued together are understood', async () => {
  const held: NativeFrame[] = []
  await using server = await FakeServer.start((request, socket) => {
    held.push(request)
    if (held.length < 3) return
    const [first, second, third] = held as [NativeFrame, NativeFrame, NativeFrame]
    for (const byte of reply(first, { remark: 'one' })) socket.write(Buffer.of(byte))
    socket.write(Buffer.concat([reply(third, { remark: 'three' }), reply(second, { remark: 'two' })]))
  })
  await using client = new Client()
  const answers = await Promise.all([1, 2, 3].map(code => client.invoke(server.address, { code }, LONG)))
  assert.deepEqual(
    answers.map(answer => answer.remark),
    ['one', 'two', 'three']
  )
})

test('a request without an answer times out, and its late answer hurts nobody', async () => {
  let late: NativeFrame | undefined
  await using server = await FakeServer.start((request, socket) => {
    if (request.code === 1) late = request
    else
      socket.write(
        Buffer.concat([...(late ? [reply(late)] : []), reply({ ...request, opaque: 999_999 }), reply(request)])
      )
  })
  await using client = new Client()
  await assert.rejects(client.invoke(server.address, { code: 1 }, { timeoutMs: 50 }), {
    name: 'TimeoutError',
    code: 'RMQ_TIMEOUT',
    timeoutMs: 50
  })
  assert.equal((await client.invoke(server.address, { code: 2 }, LONG)).code, 0)
})

const endings: Record<string, (socket: Socket) => void> = {
  'half a frame and then the end': socket => socket.end(Buffer.from([0, 0, 1, 0, 0, 0])),
  'a reset': socket => socket.resetAndDestroy(),
  'something that is no frame': socket => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n'),
  'a frame with an unknown header encoding': socket => socket.write(Buffer.from([0, 0, 0, 8, 9, 0, 0, 4, 0, 0, 0, 0])),
  'a frame that announces more than the limit': socket => socket.write(Buffer.from([0x7f, 0xff, 0xff, 0xff]))
}
for (const [name, end] of Object.entries(endings)) {
  test(`${name} fails the requests of that connection, and the next request makes a new one`, async () => {
    await using server = await FakeServer.start((request, socket) => {
      if (request.code === 1) end(socket)
      else socket.write(reply(request))
    })
    await using client = new Client()
    const closed = new Promise<string>(resolve => client.setCloseHandler(address => resolve(address)))
    await assert.rejects(client.invoke(server.address, { code: 1 }, LONG), { code: 'RMQ_CONNECTION', retryable: true })
    assert.equal(await closed, server.address)
    assert.equal((await client.invoke(server.address, { code: 2 }, LONG)).code, 0)
    assert.equal(server.connections, 2)
  })
}

test('an address where nobody listens fails at once and says so', async () => {
  const server = await FakeServer.start(() => undefined)
  const { address } = server
  await server[Symbol.asyncDispose]()
  await using client = new Client()
  await assert.rejects(client.invoke(address, { code: 1 }, LONG), error => {
    assert.ok(error instanceof Error)
    assert.match(error.message, new RegExp(`cannot connect to ${address}`))
    return true
  })
})

test('an aborted request rejects with the reason, and the answer that follows is dropped', async () => {
  const controller = new AbortController()
  await using server = await FakeServer.start((request, socket) => {
    if (request.code === 1) controller.abort(new Error('changed my mind'))
    socket.write(reply(request))
  })
  await using client = new Client()
  const call = client.invoke(server.address, { code: 1 }, { ...LONG, signal: controller.signal })
  await assert.rejects(call, error => error instanceof AbortedError && error.cause === controller.signal.reason)
  await assert.rejects(client.invoke(server.address, { code: 1 }, { ...LONG, signal: controller.signal }), {
    code: 'RMQ_ABORTED'
  })
  assert.equal((await client.invoke(server.address, { code: 2 }, LONG)).code, 0)
})

test('requests of the server are answered by the handler, with its error when it throws, or as not supported', async () => {
  const answers: NativeFrame[] = []
  let done: () => void
  const all = new Promise<void>(resolve => (done = resolve))
  await using server = await FakeServer.start((request, socket) => {
    if ((request.flag & 1) === 1) {
      answers.push(request)
      if (answers.length === 3) done()
      return
    }
    for (const code of [220, 221, 222]) {
      socket.write(encodeFrame({ ...request, code, opaque: code, flag: 0, extFields: { group: 'g' } }))
    }
    socket.write(encodeFrame({ ...request, code: 40, opaque: 40, flag: 2, extFields: {} }))
    socket.write(reply(request))
  })
  await using client = new Client()
  client.setRequestHandler((address, request) => {
    assert.equal(address, server.address)
    if (request.code === 220)
      return { code: 0, extFields: { seen: request.extFields['group'] }, body: Buffer.from('ok') }
    if (request.code === 221) throw new Error('cannot')
    return undefined
  })
  await client.invoke(server.address, { code: 1 }, LONG)
  await all
  const byOpaque = Object.fromEntries(answers.map(answer => [answer.opaque, answer]))
  assert.deepEqual(byOpaque[220]?.extFields, { seen: 'g' })
  assert.equal(byOpaque[220]?.body.toString(), 'ok')
  assert.deepEqual([byOpaque[221]?.code, byOpaque[221]?.remark], [1, 'cannot'])
  assert.equal(byOpaque[222]?.code, 3)
})

test('a send is told of its storing in numbers and of everything else as a response', async () => {
  const codes = [0, 10, 1]
  await using server = await FakeServer.start((request, socket) => {
    assert.equal(request.code, 310)
    const code = codes.shift() ?? 0
    const extFields = { msgId: 'ID', queueId: '3', queueOffset: '4294967298', TRACE_ON: 'false', MSG_REGION: 'R' }
    socket.write(reply(request, code === 1 ? { code, remark: 'broken' } : { code, extFields }))
  })
  await using client = new Client()
  const template = client.sendTemplate({
    producerGroup: 'g',
    topic: 't',
    defaultTopic: 'TBW102',
    defaultTopicQueueNums: 4,
    queueId: 3,
    brokerName: 'b',
    unitMode: false,
    batch: false
  })
  const send = (): Promise<unknown[]> =>
    new Promise(resolve => {
      const pending: PendingSend = {
        onSent: (...told) => resolve(told),
        onResponse: (response: RemotingCommand) => resolve([response.code, response.remark]),
        onFailed: error => resolve([error])
      }
      const fields = { sysFlag: 0, flag: 0, bornTimestampMs: 1, properties: 'a\u0001b\u0002', body: Buffer.from('x') }
      client.send(server.address, template, { ...fields, reconsumeTimes: 0 }, 20_000, pending)
    })
  assert.deepEqual(await send(), [0, 3, 2, 1, 'ID', false, 'R'])
  assert.deepEqual(await send(), [10, 3, 2, 1, 'ID', false, 'R'])
  assert.deepEqual(await send(), [1, 'broken'])
})

test('closing fails what waits and refuses what comes later', async () => {
  await using server = await FakeServer.start(() => undefined)
  const client = new RemotingClient()
  const call = client.invoke(server.address, { code: 1 }, LONG)
  const rejected = assert.rejects(call, { code: 'RMQ_STATE' })
  await client.close()
  await rejected
  await assert.rejects(client.invoke(server.address, { code: 2 }, LONG), { code: 'RMQ_STATE' })
})

for (const serializeType of ['JSON', 'ROCKETMQ'] as const) {
  test(`the remark of a request and the code of a reply travel with ${serializeType} headers`, async () => {
    const requests: NativeFrame[] = []
    await using server = await FakeServer.start((request, socket) => {
      requests.push(request)
      if (request.flag === 0) socket.write(reply(request))
    })
    await using client = new Client({ serializeType })
    client.invokeOneway(server.address, { code: 37, remark: 'no mönéy', extFields: { a: 'b' }, body: Buffer.from('x') })
    const template = client.sendTemplate({
      producerGroup: 'g',
      topic: 'C_REPLY_TOPIC',
      defaultTopic: 'TBW102',
      defaultTopicQueueNums: 4,
      queueId: 0,
      brokerName: 'b',
      unitMode: false,
      batch: false,
      reply: true
    })
    const fields = {
      sysFlag: 0,
      flag: 0,
      bornTimestampMs: 1,
      properties: '',
      body: Buffer.from('y'),
      reconsumeTimes: 0
    }
    client.sendOneway(server.address, template, fields)
    await client.invoke(server.address, { code: 1 }, LONG)
    const [end, sent] = requests
    assert.deepEqual([end?.code, end?.flag, end?.remark, end?.extFields], [37, 2, 'no mönéy', { a: 'b' }])
    assert.equal(end?.body.toString(), 'x')
    assert.deepEqual([sent?.code, sent?.flag, sent?.extFields['b']], [325, 2, 'C_REPLY_TOPIC'])
  })
}

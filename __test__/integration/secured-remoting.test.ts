/** Signatures and TLS as a server sees them. What is right is worked out with node:crypto and node:tls, not with our own code. */
import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { type AddressInfo, type Server, type Socket, createServer } from 'node:net'
import { join } from 'node:path'
import { describe, it, test } from 'node:test'
import { createServer as createTlsServer } from 'node:tls'
import { ConnectionError } from '../../ts/errors.js'
import { type NativeFrame, decodeFrame, encodeFrame } from '../../ts/native.js'
import { RemotingClient } from '../../ts/remoting/remoting-client.js'
import { SessionCredentials } from '../../ts/remoting/session-credentials.js'
import { TlsSettings } from '../../ts/remoting/tls-settings.js'
import type { PendingSend } from '../../ts/remoting/types.js'
import { repositoryRoot } from '../unit/helpers/repository.js'

const LONG = { timeoutMs: 20_000 }

function file(name: string): string {
  return join(repositoryRoot(), '__test__/fixtures/tls', name)
}

/** Answers every request with its own body, and keeps what came. */
class EchoServer {
  readonly frames: NativeFrame[] = []
  readonly sockets = new Set<Socket>()
  #arrived: () => void = () => undefined

  private constructor(readonly server: Server) {}

  static async start(server: Server, event: 'connection' | 'secureConnection'): Promise<EchoServer> {
    const echo = new EchoServer(server)
    server.on(event, (socket: Socket) => echo.#serve(socket))
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    return echo
  }

  get address(): string {
    return `127.0.0.1:${(this.server.address() as AddressInfo).port}`
  }

  async received(count: number): Promise<NativeFrame[]> {
    while (this.frames.length < count) await new Promise<void>(resolve => (this.#arrived = resolve))
    return this.frames
  }

  #serve(socket: Socket): void {
    this.sockets.add(socket)
    socket.on('error', () => undefined)
    let buffer = Buffer.alloc(0)
    socket.on('data', chunk => {
      buffer = Buffer.concat([buffer, chunk])
      while (buffer.length >= 4 && buffer.length >= buffer.readInt32BE(0) + 4) {
        const length = buffer.readInt32BE(0) + 4
        const frame = decodeFrame(buffer.subarray(0, length))
        buffer = buffer.subarray(length)
        this.frames.push(frame)
        this.#arrived()
        if (frame.flag === 0) socket.write(encodeFrame({ ...frame, code: 0, flag: 1, extFields: {} }))
      }
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.sockets) socket.destroy()
    await new Promise(resolve => this.server.close(resolve))
  }
}

class Client extends RemotingClient {
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}

/** `AclUtils.java#combineRequestContent`, with the nulls that an empty binary value becomes. */
function signatureOf(frame: NativeFrame, secretKey: string): string {
  const values = Object.entries(frame.extFields)
    .filter(([name]) => name !== 'Signature')
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([, value]) => value)
  return createHmac('sha1', secretKey).update(values.join('')).update(frame.body).digest('base64')
}

function ended(): { pending: PendingSend; end: Promise<void> } {
  let resolve: () => void
  const end = new Promise<void>(done => (resolve = done))
  const pending = { onSent: () => resolve(), onResponse: () => resolve(), onFailed: () => resolve() }
  return { pending, end }
}

const TEMPLATE = {
  producerGroup: 'PG',
  topic: 'Tä',
  defaultTopic: 'TBW102',
  defaultTopicQueueNums: 4,
  queueId: 1,
  brokerName: 'broker-a',
  unitMode: false,
  batch: false
}
const FIELDS = {
  sysFlag: 0,
  flag: 7,
  bornTimestampMs: 1_700_000_000_000,
  properties: 'KEYS\u0001grüße\u0002',
  body: Buffer.from('body'),
  reconsumeTimes: 0
}

async function requestOfEveryKind(client: Client, server: EchoServer): Promise<NativeFrame[]> {
  const template = client.sendTemplate(TEMPLATE)
  const { pending, end } = ended()
  client.send(server.address, template, FIELDS, LONG.timeoutMs, pending)
  client.sendOneway(server.address, client.sendTemplate({ ...TEMPLATE, batch: true }), FIELDS)
  client.invokeOneway(server.address, { code: 15, extFields: { consumerGroup: 'g', topic: 't', queueId: 3 } })
  const pulled = client.pull(server.address, { consumerGroup: 'g', topic: 't', bname: 'b' }, ['tag'], LONG)
  const answered = client.invoke(server.address, { code: 34, body: Buffer.from('{"clientID":"x"}') }, LONG)
  // The request counts; its answer has no offsets.
  const refused = assert.rejects(pulled, { code: 'RMQ_PROTOCOL' })
  await Promise.all([end, refused, answered])
  return server.received(5)
}

for (const serializeType of ['JSON', 'ROCKETMQ'] as const) {
  describe(`with ${serializeType} headers`, () => {
    it('requests of every kind are signed', async () => {
      await using server = await EchoServer.start(createServer(), 'connection')
      const credentials = new SessionCredentials({ accessKey: 'alice', secretKey: 'grüße', securityToken: 'token' })
      await using client = new Client({ serializeType, credentials })
      const frames = await requestOfEveryKind(client, server)
      assert.deepEqual(frames.map(frame => frame.code).toSorted(), [11, 15, 310, 320, 34])
      for (const frame of frames) {
        assert.equal(frame.extFields['AccessKey'], 'alice')
        assert.equal(frame.extFields['SecurityToken'], 'token')
        assert.equal(frame.extFields['Signature'], signatureOf(frame, 'grüße'), `request ${frame.code}`)
      }
    })

    it('nothing is added when there are no credentials', async () => {
      await using server = await EchoServer.start(createServer(), 'connection')
      await using client = new Client({ serializeType })
      for (const { extFields } of await requestOfEveryKind(client, server)) {
        for (const name of ['AccessKey', 'SecurityToken', 'Signature']) assert.ok(!(name in extFields))
      }
    })
  })
}

test('answers to requests of a broker are not signed', async () => {
  await using server = await EchoServer.start(createServer(), 'connection')
  const credentials = new SessionCredentials({ accessKey: 'alice', secretKey: 'secret' })
  await using client = new Client({ credentials })
  client.setRequestHandler(() => ({ code: 0, extFields: { a: 1 } }))
  await client.invoke(server.address, { code: 1 }, LONG)
  const [socket] = server.sockets
  const { frames } = server
  socket!.write(encodeFrame({ ...frames[0]!, code: 220, flag: 0, extFields: {} }))
  const [, answer] = await server.received(2)
  assert.deepEqual(answer!.extFields, { a: '1' })
})

test('what is submitted after new keys were given is signed with them', async () => {
  await using server = await EchoServer.start(createServer(), 'connection')
  const credentials = new SessionCredentials({ accessKey: 'alice', secretKey: 'old' })
  await using client = new Client({ credentials })
  await client.invoke(server.address, { code: 1 }, LONG)
  credentials.update({ accessKey: 'bob', secretKey: 'new' })
  await client.invoke(server.address, { code: 2 }, LONG)
  const [before, after] = server.frames
  assert.equal(before!.extFields['Signature'], signatureOf(before!, 'old'))
  assert.equal(after!.extFields['AccessKey'], 'bob')
  assert.equal(after!.extFields['Signature'], signatureOf(after!, 'new'))
})

test('a client speaks TLS with a server of node:tls, signed and mutual, and refuses it when it should', async () => {
  const own = { key: readFileSync(file('server.key')), cert: readFileSync(file('server.pem')) }
  const tlsServer = createTlsServer({ ...own, ca: readFileSync(file('ca.pem')), requestCert: true })
  await using server = await EchoServer.start(tlsServer, 'secureConnection')
  const credentials = new SessionCredentials({ accessKey: 'alice', secretKey: 'secret' })
  const mutual = { ca: file('ca.pem'), cert: file('client.pem'), key: file('client.key') }
  await using client = new Client({ credentials, tls: new TlsSettings(mutual) })
  for (const bytes of [1, 5_000_000]) {
    const body = Buffer.alloc(bytes, 7)
    assert.ok((await client.invoke(server.address, { code: 1, body }, LONG)).body.equals(body))
  }
  assert.equal(server.frames[0]!.extFields['Signature'], signatureOf(server.frames[0]!, 'secret'))
  await using wary = new Client({ tls: new TlsSettings({ ca: file('other-ca.pem') }) })
  await assert.rejects(
    wary.invoke(server.address, { code: 1 }, LONG),
    (error: unknown) =>
      error instanceof ConnectionError && error.address === server.address && /tls\.ca/.test(error.message)
  )
  await using anonymous = new Client({ tls: new TlsSettings({ ca: file('ca.pem') }) })
  await assert.rejects(anonymous.invoke(server.address, { code: 1 }, LONG), /tls\.cert and tls\.key/)
})

test('a client with TLS says so when the server has none', async () => {
  await using server = await EchoServer.start(createServer(), 'connection')
  server.server.on('connection', (socket: Socket) =>
    socket.once('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))
  )
  await using client = new Client({ tls: new TlsSettings({}) })
  await assert.rejects(client.invoke(server.address, { code: 1 }, LONG), /cannot connect to .*does not speak TLS/)
})

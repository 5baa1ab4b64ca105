/** Peers that answer GO_AWAY: what they want is another connection, and the same request again. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, type Server, type Socket, createServer } from 'node:net'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { Producer } from '../../ts/index.js'
import { RemotingClient } from '../../ts/remoting/remoting-client.js'
import { type NativeFrame, decodeFrame, encodeFrame } from '../../ts/native.js'
import { until } from '../interop/helpers/until.js'
import { routeBody } from '../unit/helpers/fake-remoting.js'

const GO_AWAY = 1500
const LONG = { timeoutMs: 10_000 }

/** Answers every request, by what the test says, on connections counted from 0. */
class Peer {
  readonly server: Server = createServer()
  readonly sockets: Socket[] = []
  readonly seen: [connection: number, code: number][] = []
  respond: (request: NativeFrame, connection: number) => Partial<NativeFrame> | 'later' = () => ({})
  /** Gives the answers that were put off. */
  readonly putOff: (() => void)[] = []

  constructor() {
    this.server.on('connection', socket => {
      const connection = this.sockets.push(socket) - 1
      let bytes = Buffer.alloc(0)
      socket.on('error', () => undefined)
      socket.on('data', chunk => {
        bytes = Buffer.concat([bytes, chunk])
        while (bytes.length >= 4 && bytes.length >= bytes.readInt32BE(0) + 4) {
          const request = decodeFrame(bytes.subarray(0, bytes.readInt32BE(0) + 4))
          bytes = bytes.subarray(bytes.readInt32BE(0) + 4)
          this.seen.push([connection, request.code])
          const fields = this.respond(request, connection)
          const answer = { ...request, code: 0, flag: 1, extFields: {}, body: Buffer.alloc(0) }
          if (fields === 'later') this.putOff.push(() => void socket.write(encodeFrame(answer)))
          else socket.write(encodeFrame({ ...answer, ...fields }))
        }
      })
    })
  }

  static async start(): Promise<Peer> {
    const peer = new Peer()
    peer.server.listen(0, '127.0.0.1')
    await once(peer.server, 'listening')
    return peer
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.sockets) socket.destroy()
    this.server.close()
  }

  get address(): string {
    return `127.0.0.1:${(this.server.address() as AddressInfo).port}`
  }

  /** On which connections requests with this code came. */
  connectionsOf(code: number): number[] {
    return this.seen.filter(([, seen]) => seen === code).map(([connection]) => connection)
  }
}

describe('a peer that goes away', () => {
  let peer: Peer
  beforeEach(async () => void (peer = await Peer.start()))
  afterEach(() => peer[Symbol.asyncDispose]())

  it('is asked again over a new connection, and all that follows goes there', async () => {
    const client = new RemotingClient()
    const closed: string[] = []
    client.setCloseHandler((_address, reason) => closed.push(reason))
    peer.respond = (_request, connection) => (connection === 0 ? { code: GO_AWAY, remark: 'bye' } : {})
    const answers = await Promise.all([1, 2, 3].map(code => client.invoke(peer.address, { code }, LONG)))
    assert.deepEqual(
      answers.map(({ code }) => code),
      [0, 0, 0]
    )
    assert.equal(peer.sockets.length, 2)
    peer.sockets[0]!.destroy()
    assert.equal((await client.invoke(peer.address, { code: 4 }, LONG)).code, 0)
    assert.deepEqual(peer.connectionsOf(4), [1])
    assert.deepEqual(closed, ['the peer asked for another connection (GO_AWAY)'], 'the end of the old one is no news')
    await client.close()
  })

  it('fails the request when it says so again', async () => {
    const client = new RemotingClient()
    peer.respond = () => ({ code: GO_AWAY })
    await assert.rejects(client.invoke(peer.address, { code: 1 }, LONG), { code: 'RMQ_CONNECTION', message: /GO_AWAY/ })
    assert.deepEqual(peer.connectionsOf(1), [0, 1])
    await client.close()
  })

  it('gets sends over the new connection, and a heartbeat', async () => {
    let goesAway = false
    peer.respond = ({ code }, connection) => {
      if (goesAway && connection === 0) return { code: GO_AWAY, remark: 'bye' }
      const route = routeBody({ broker: 1 }).toString().replace('broker:10911', peer.address)
      if (code === 105) return { body: Buffer.from(route) }
      return { extFields: { msgId: '7F00000100002A9F0000000000000000', queueId: '0', queueOffset: '7' } }
    }
    const producer = new Producer({ namesrvAddr: peer.address, producerGroup: 'pg', retryTimesWhenSendFailed: 0 })
    await producer.start()
    await producer.send({ topic: 'T', body: 'before' })
    goesAway = true
    const results = await Promise.all(['a', 'b', 'c'].map(body => producer.send({ topic: 'T', body })))
    assert.ok(results.every(({ sendStatus }) => sendStatus === 'SEND_OK'))
    const withCallback = await new Promise((resolve, reject) =>
      producer.send({ topic: 'T', body: 'd' }, (error, result) => (error ? reject(error) : resolve(result?.sendStatus)))
    )
    assert.equal(withCallback, 'SEND_OK')
    assert.equal(peer.sockets.length, 2)
    await until('the new connection is greeted', () => peer.connectionsOf(34).includes(1))
    await producer.shutdown()
  })
})

describe('a peer that nobody needs any more', () => {
  it('gives the answers it owes, and its connection is closed; asked again, it gets another', async () => {
    await using peer = await Peer.start()
    const client = new RemotingClient()
    try {
      client.leave(peer.address)
      peer.respond = ({ code }) => (code === 1 ? 'later' : {})
      const first = client.invoke(peer.address, { code: 1 }, LONG)
      await until('it is asked', () => peer.putOff.length === 1)
      client.leave(peer.address)
      await client.invoke(peer.address, { code: 2 }, LONG)
      assert.deepEqual(peer.connectionsOf(2), [1])
      peer.putOff[0]!()
      await first
      await once(peer.sockets[0]!, 'close')
      client.leave(peer.address)
      await once(peer.sockets[1]!, 'close')
    } finally {
      await client.close()
    }
  })
})

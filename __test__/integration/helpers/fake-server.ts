/** Name server and brokers that do with each request what the test says: raw sockets on ports of 127.0.0.1. */
import { type AddressInfo, type Server, type Socket, createServer } from 'node:net'
import { type NativeFrame, decodeFrame, encodeFrame } from '../../../ts/native.js'

/** What a server does with a request. */
export type Script = (request: NativeFrame, socket: Socket) => void

/** A server on one port. */
export class FakeServer {
  readonly #server: Server
  readonly sockets = new Set<Socket>()
  connections = 0

  private constructor(server: Server) {
    this.#server = server
  }

  /** @param port a free one by default */
  static async start(script: Script, port = 0): Promise<FakeServer> {
    const server = createServer()
    const fake = new FakeServer(server)
    server.on('connection', socket => {
      fake.connections++
      fake.sockets.add(socket)
      socket.on('error', () => undefined)
      socket.on('close', () => fake.sockets.delete(socket))
      let buffer = Buffer.alloc(0)
      socket.on('data', chunk => {
        buffer = Buffer.concat([buffer, chunk])
        while (buffer.length >= 4 && buffer.length >= buffer.readInt32BE(0) + 4) {
          const length = buffer.readInt32BE(0) + 4
          const request = decodeFrame(buffer.subarray(0, length))
          buffer = buffer.subarray(length)
          script(request, socket)
        }
      })
    })
    await new Promise<void>(resolve => server.listen(port, '127.0.0.1', resolve))
    return fake
  }

  /** `host:port`. */
  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.sockets) socket.destroy()
    await new Promise(resolve => this.#server.close(resolve))
  }
}

/** The answer to a request. */
export function reply(request: NativeFrame, fields: Partial<NativeFrame> = {}): Buffer {
  return encodeFrame({ ...request, code: 0, flag: 1, extFields: {}, body: Buffer.alloc(0), ...fields })
}

/** The answer of a broker that stored a message. */
export function stored(request: NativeFrame, extFields: Record<string, string> = {}): Buffer {
  const queueId = request.extFields['e'] ?? '0'
  return reply(request, {
    extFields: { msgId: '7F00000100002A9F0000000000000001', queueId, queueOffset: '0', ...extFields }
  })
}

const SENDS = new Set([310, 320])

/** A name server and brokers with the topic `T`, two queues each. Brokers accept everything but sends, which are scripted. */
export class FakeCluster {
  /** Sends that arrived, in order. */
  readonly sends: { broker: string; request: NativeFrame; socket: Socket }[] = []
  /** What is done with a send, the `count`th of all. */
  onSend: (send: { broker: string; request: NativeFrame; socket: Socket }, count: number) => void = ({
    request,
    socket
  }) => socket.write(stored(request))
  /** Where routes say that brokers are. */
  readonly addresses = new Map<string, string>()
  /** What brokers do with the requests of a code, other than sends, instead of accepting them. */
  readonly scripts = new Map<number, Script>()
  readonly servers: FakeServer[] = []
  /** All requests, in order. */
  readonly requests: NativeFrame[] = []
  #nameServer: FakeServer | undefined

  static async start(...brokers: string[]): Promise<FakeCluster> {
    const cluster = new FakeCluster()
    cluster.#nameServer = await cluster.#serve((request, socket) => {
      if (request.code === 105) socket.write(reply(request, { body: cluster.#route() }))
      else socket.write(reply(request))
    })
    for (const broker of brokers) await cluster.addBroker(broker)
    return cluster
  }

  /** `host:port` of the name server. */
  get nameServerAddress(): string {
    return this.#nameServer!.address
  }

  /** Starts a broker; one with that name moves here. */
  async addBroker(broker: string, port = 0): Promise<FakeServer> {
    const server = await this.#serve((request, socket) => {
      const script = this.scripts.get(request.code)
      if (script !== undefined) {
        script(request, socket)
        return
      }
      if (!SENDS.has(request.code)) {
        // An offset for those who ask for one.
        socket.write(reply(request, { extFields: { offset: '0' } }))
        return
      }
      const send = { broker, request, socket }
      this.sends.push(send)
      this.onSend(send, this.sends.length)
    }, port)
    this.addresses.set(broker, server.address)
    return server
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of this.servers) await server[Symbol.asyncDispose]()
  }

  async #serve(script: Script, port = 0): Promise<FakeServer> {
    const server = await FakeServer.start((request, socket) => {
      this.requests.push(request)
      script(request, socket)
    }, port)
    this.servers.push(server)
    return server
  }

  #route(): Buffer {
    const brokers = [...this.addresses]
    const brokerDatas = brokers.map(([brokerName, address]) => ({
      cluster: 'C',
      brokerName,
      brokerAddrs: { 0: address }
    }))
    const queues = { perm: 6, readQueueNums: 2, writeQueueNums: 2, topicSysFlag: 0 }
    const queueDatas = brokers.map(([brokerName]) => ({ brokerName, ...queues }))
    return Buffer.from(JSON.stringify({ brokerDatas, queueDatas }))
  }
}

/** Ways to tell a client its name servers, on a real one. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, describe, it } from 'node:test'
import {
  type ClientEvent,
  type Logger,
  Producer,
  type ProducerOptions,
  type Server,
  startServer
} from '../../ts/index.js'

async function sendOne(options: Omit<ProducerOptions, 'producerGroup'>): Promise<string> {
  await using producer = new Producer({ producerGroup: 'finding', ...options })
  await producer.start()
  return (await producer.send({ topic: 'Finding', body: 'x' })).sendStatus
}

describe('a client finds its name servers', () => {
  let server: Server
  before(async () => void (server = await startServer()))
  after(() => server.shutdown())

  it('by a name that may have several addresses', async () => {
    const port = server.nameServerAddress.split(':').at(-1)
    assert.equal(await sendOne({ namesrvAddr: `localhost:${port}` }), 'SEND_OK')
  })

  it('among others that are down', async () => {
    const namesrvAddr = ['127.0.0.1:1', server.nameServerAddress, '127.0.0.1:2']
    assert.equal(await sendOne({ namesrvAddr, onError: () => undefined }), 'SEND_OK')
  })

  it('by a function', async () => {
    assert.equal(await sendOne({ namesrvAddr: async () => server.nameServerAddress }), 'SEND_OK')
  })

  it('by the address server, when it was told none', async t => {
    const outer = process.env['NAMESRV_ADDR']
    delete process.env['NAMESRV_ADDR']
    t.after(() => outer === undefined || (process.env['NAMESRV_ADDR'] = outer))
    const addresses = createServer((_request, response) => response.end(`${server.nameServerAddress}\n`))
    addresses.listen(0, '127.0.0.1')
    await once(addresses, 'listening')
    t.after(() => addresses.close())
    const namesrvDomain = `127.0.0.1:${(addresses.address() as AddressInfo).port}`
    assert.equal(await sendOne({ namesrvDomain }), 'SEND_OK')
  })
})

describe('the status of a producer', () => {
  it('tells of connections, routes and the end of a server, to readers and to the logger', async () => {
    const server = await startServer()
    const lines: string[] = []
    const log = (_fields: object, text: string): void => void lines.push(text)
    const logger: Logger = { debug: log, info: log, warn: log, error: log }
    const producer = new Producer({ namesrvAddr: server.nameServerAddress, producerGroup: 'watched', logger })
    const seen: ClientEvent[] = []
    const reading = (async () => {
      for await (const event of producer.status()) {
        seen.push(event)
        if (event.type === 'disconnect' && event.peer === 'broker') break
      }
    })()
    await producer.start()
    await producer.send({ topic: 'Watched', body: 'x' })
    await producer.sendOneway({ topic: 'Watched', body: 'x' })
    await server.shutdown()
    await reading
    await producer.shutdown()
    const types = new Set(seen.map(event => event.type))
    for (const type of ['connect', 'routeChange', 'disconnect'] as const) assert.ok(types.has(type), type)
    assert.ok(lines.some(line => line.startsWith('route of topic Watched')))
    assert.ok(lines.some(line => line.startsWith(`connected to ${server.nameServerAddress}`)))
  })
})

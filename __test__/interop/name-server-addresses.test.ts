/** Ways to tell a producer its name servers, on Apache's, which come, go and move. */
import assert from 'node:assert/strict'
import dns from 'node:dns/promises'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type TestContext, after, before, describe, it } from 'node:test'
import { type ClientEvent, Producer, type ProducerOptions, type RPCHook, RouteError } from '../../ts/index.js'
import { ApacheBroker, ApacheNameServer } from './helpers/apache-server.js'
import { freePort } from './helpers/ports.js'
import { brokerRegistered } from './helpers/raw-command.js'
import { until } from './helpers/until.js'

/** When the source of the name servers is asked: first, and then again and again (`MQClientInstance.java#startScheduledTask`). */
const FIRST_MS = 10_000
const INTERVAL_MS = 120_000

/** Not one of the two. */
const SEND_TIMEOUT_MS = 20_000

let first: ApacheNameServer
let second: ApacheNameServer
let broker: ApacheBroker
let topics = 0

before(async () => {
  ;[first, second] = await Promise.all([ApacheNameServer.start(), ApacheNameServer.start()])
  const properties = { namesrvAddr: `${first.address};${second.address}` }
  broker = await ApacheBroker.start({ nameServerPort: first.port, properties })
  await until('the second name server knows the broker', () => brokerRegistered(second.port))
})

after(async () => {
  for (const each of [broker, first, second]) await each?.[Symbol.asyncDispose]()
})

/** A producer, what its status has told so far, and the addresses that it has asked for routes. */
interface Watched {
  readonly producer: Producer
  readonly events: ClientEvent[]
  readonly asked: Set<string>
}

const GET_ROUTEINFO_BY_TOPIC = 105

async function start(t: TestContext, options: Omit<ProducerOptions, 'producerGroup'>): Promise<Watched> {
  const asked = new Set<string>()
  const rpcHook: RPCHook = {
    doBeforeRequest: (address, { code }) => void (code === GET_ROUTEINFO_BY_TOPIC && asked.add(address)),
    doAfterResponse: () => undefined
  }
  const producer = new Producer({ producerGroup: 'finding', pollNameServerInterval: 100, rpcHook, ...options })
  const events: ClientEvent[] = []
  void (async () => {
    for await (const event of producer.status()) events.push(event)
  })()
  t.after(() => producer.shutdown())
  await producer.start()
  return { producer, events, asked }
}

/** Sends to a topic that is new, whose route has to be asked for. */
async function assertSends(producer: Producer): Promise<void> {
  const { sendStatus } = await producer.send({ topic: `Finding${++topics}`, body: 'x' }, SEND_TIMEOUT_MS)
  assert.equal(sendStatus, 'SEND_OK')
}

/** This name server has answered. */
function answered({ events }: Watched, { address }: { address: string }): boolean {
  return events.some(event => event.type === 'connect' && event.peer === 'nameServer' && event.address === address)
}

/** The server asked first is any of the list; the second, when this is called. */
function beginWithTheSecond(t: TestContext): void {
  t.mock.method(Math, 'random', () => 0)
}

function setEnvironment(t: TestContext, name: string, value: string | undefined): void {
  const outer = process.env[name]
  t.after(() => (outer === undefined ? delete process.env[name] : (process.env[name] = outer)))
  if (value === undefined) delete process.env[name]
  else process.env[name] = value
}

function sooner(ms: number | undefined): number | undefined {
  return ms === FIRST_MS || ms === INTERVAL_MS ? 50 : ms
}

/** The duty that asks for the name servers begins at once, and comes often. All other timers go as they do. */
function askOften(t: TestContext): void {
  const { setTimeout, setInterval } = globalThis
  t.mock.method(globalThis, 'setTimeout', (call: () => void, ms?: number) => setTimeout(call, sooner(ms)))
  t.mock.method(globalThis, 'setInterval', (call: () => void, ms?: number) => setInterval(call, sooner(ms)))
}

describe("a producer finds Apache's name servers", () => {
  it('among others that are down', async t => {
    beginWithTheSecond(t)
    const dead = [await freePort(), await freePort()].map(port => `127.0.0.1:${port}`)
    const { producer, events, asked } = await start(t, { namesrvAddr: [...dead, first.address] })
    await assertSends(producer)
    assert.deepEqual([...asked], [dead[1], first.address])
    asked.clear()
    await until('routes are asked for again', () => asked.size > 0)
    await assertSends(producer)
    assert.deepEqual([...asked], [first.address], 'who has answered is asked again')
    const faults = events.filter(event => event.type === 'fault')
    assert.deepEqual(faults, [], 'somebody answers, so nothing has failed')
  })

  it('by the environment variable NAMESRV_ADDR', async t => {
    beginWithTheSecond(t)
    const dead = `127.0.0.1:${await freePort()}`
    setEnvironment(t, 'NAMESRV_ADDR', `${first.address};${dead}`)
    const { producer, asked } = await start(t, {})
    await assertSends(producer)
    assert.deepEqual([...asked], [dead, first.address])
  })

  it('by a name with several addresses, one of them dead', async t => {
    beginWithTheSecond(t)
    const lookup = t.mock.method(dns, 'lookup', async () => [
      { address: '127.0.0.1', family: 4 },
      { address: '127.0.0.2', family: 4 }
    ])
    const { producer, asked } = await start(t, { namesrvAddr: `names.example:${first.port}` })
    await assertSends(producer)
    assert.deepEqual([...asked], [`127.0.0.2:${first.port}`, first.address])
    assert.deepEqual(lookup.mock.calls[0]!.arguments, ['names.example', { all: true }])
  })

  it('by the address server, and follows it to another name server', async t => {
    setEnvironment(t, 'NAMESRV_ADDR', undefined)
    askOften(t)
    const paths = new Set<string>()
    let list = first.address
    const addressServer = createServer((request, response) => {
      paths.add(request.url!)
      response.end(`${list}\n`)
    })
    addressServer.listen(0, '127.0.0.1')
    await once(addressServer, 'listening')
    t.after(() => addressServer.close())
    const namesrvDomain = `127.0.0.1:${(addressServer.address() as AddressInfo).port}`
    const options = { namesrvDomain, namesrvDomainSubgroup: 'shop', unitName: 'u1', onError: () => undefined }
    const watched = await start(t, options)
    await assertSends(watched.producer)
    assert.ok(!answered(watched, second))
    list = second.address
    const { addresses, before: former } = await until('the list changes', () =>
      watched.events.find(event => event.type === 'nameServerChange')
    )
    assert.deepEqual([addresses, former], [[second.address], [first.address]])
    const ended = await until('the connection to the first ends', () =>
      watched.events.find(event => event.type === 'disconnect' && event.address === first.address)
    )
    assert.equal('reason' in ended && ended.reason, 'it is not needed any more')
    await until('the second name server answers', () => answered(watched, second))
    watched.asked.clear()
    await assertSends(watched.producer)
    assert.deepEqual([...watched.asked], [second.address])
    assert.deepEqual([...paths], ['/rocketmq/shop-u1?nofix=1'])
  })

  it('by a function, which is asked again as soon as no name server answers', async t => {
    const lost = await ApacheNameServer.start()
    t.after(() => lost[Symbol.asyncDispose]())
    let list: string[] = [lost.address]
    const watched = await start(t, { namesrvAddr: async () => list, onError: () => undefined })
    // It knows no broker, but answers.
    await assert.rejects(watched.producer.send({ topic: 'Finding', body: 'x' }), { code: 'RMQ_ROUTE' })
    await until('it has answered', () => answered(watched, lost))
    list = [second.address]
    await lost.process.kill()
    await until('the producer sends', () => assertSends(watched.producer).then(() => true))
    assert.ok(answered(watched, second))
  })

  it('and goes on with the routes it knows when all of them are down, saying so of a topic it does not know', async t => {
    const { producer } = await start(t, { namesrvAddr: [first.address, second.address], onError: () => undefined })
    const known = { topic: 'Finding1', body: 'x' }
    await producer.send(known)
    for (const each of [first, second]) await each.process.kill()
    const error = await until('a new topic is not found', () =>
      producer.send({ topic: 'Finding0', body: 'x' }).catch((thrown: unknown) => thrown as RouteError)
    )
    assert.ok(error instanceof RouteError, String(error))
    for (const { address } of [first, second]) {
      assert.match(error.message, new RegExp(`no name server answers .*${address}: .*from the option namesrvAddr`))
    }
    assert.equal((await producer.send(known)).sendStatus, 'SEND_OK')
  })
})

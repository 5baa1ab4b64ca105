import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type Server, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, beforeEach, describe, it } from 'node:test'
import { CLIENT_OPTIONS, nameServerSource } from '../../../ts/client/client-config.js'
import type { ClientInstance } from '../../../ts/client/client-instance.js'
import { NameServerApi } from '../../../ts/client/name-server-api.js'
import {
  ComputedNameServers,
  HttpNameServers,
  ListedNameServers,
  type NameServerSource,
  parseNameServerList
} from '../../../ts/client/name-server-source.js'
import { NameServers } from '../../../ts/client/name-servers.js'
import { ConfigError, ConnectionError, ProtocolError, RouteError, TimeoutError } from '../../../ts/errors.js'
import { readOptions } from '../../../ts/options.js'
import { Producer } from '../../../ts/producer/producer.js'
import { FakeRemoting, registryOf, routeBody, settle } from '../helpers/fake-remoting.js'

const WAIT = { timeoutMs: 100 }

function sourceOf(lists: readonly (readonly string[])[]): NameServerSource {
  let next = 0
  return {
    description: 'the test',
    identity: lists,
    mayChange: true,
    fetch: async () => lists[Math.min(next++, lists.length - 1)]!
  }
}

async function started(options: object): Promise<ClientInstance> {
  const instance = registryOf(new FakeRemoting()).getOrCreate(readOptions('X', CLIENT_OPTIONS, options), true)
  await instance.start()
  return instance
}

async function apiOf(remoting: FakeRemoting, ...lists: (readonly string[])[]): Promise<NameServerApi> {
  const nameServers = new NameServers(sourceOf(lists))
  await nameServers.refresh()
  return new NameServerApi(remoting, nameServers)
}

describe('a list of name servers', () => {
  it('is a text or a list, and an endpoint counts without its scheme', () => {
    assert.deepEqual(parseNameServerList('x', ' a:1; b:2 '), ['a:1', 'b:2'])
    assert.deepEqual(parseNameServerList('x', ['[::1]:1', 'http://host:8080']), ['[::1]:1', 'host:8080'])
    assert.throws(() => parseNameServerList('x', 'a'), ConfigError)
    assert.throws(() => parseNameServerList('x', ';'), ConfigError)
  })

  it('means all addresses of a name that has several, and keeps a name that has one or none', async () => {
    const names: Record<string, string[]> = { three: ['10.0.0.1', '10.0.0.2', 'fd00::1'], one: ['10.0.0.9'] }
    const lookup = async (host: string): Promise<string[]> => {
      if (names[host] === undefined) throw new Error('ENOTFOUND')
      return names[host]
    }
    const source = new ListedNameServers('the test', ['three:9876', 'one:1', 'none:2', '127.0.0.1:3'], lookup)
    assert.deepEqual(await source.fetch(), [
      '10.0.0.1:9876',
      '10.0.0.2:9876',
      '[fd00::1]:9876',
      'one:1',
      'none:2',
      '127.0.0.1:3'
    ])
    names['three'] = ['10.0.0.4', '10.0.0.5']
    assert.deepEqual((await source.fetch()).slice(0, 2), ['10.0.0.4:9876', '10.0.0.5:9876'])
  })

  it('keeps its names where connections use TLS, whose certificates are for names', async () => {
    const options = readOptions('X', CLIENT_OPTIONS, { namesrvAddr: 'localhost:9876', tls: true })
    assert.deepEqual(await nameServerSource(options).fetch(), ['localhost:9876'])
    const computed = readOptions('X', CLIENT_OPTIONS, { namesrvAddr: () => 'localhost:9876', tls: true })
    assert.deepEqual(await nameServerSource(computed).fetch(), ['localhost:9876'])
  })

  it('comes from a function, at once or later', async () => {
    assert.deepEqual(await new ComputedNameServers(() => '10.0.0.1:1;10.0.0.2:2').fetch(), ['10.0.0.1:1', '10.0.0.2:2'])
    assert.deepEqual(await new ComputedNameServers(async () => ['10.0.0.1:1']).fetch(), ['10.0.0.1:1'])
    const failing = new ComputedNameServers(() => Promise.reject(new Error('no such service')))
    await assert.rejects(failing.fetch(), {
      code: 'RMQ_ROUTE',
      message: /function namesrvAddr failed: no such service/
    })
  })
})

describe('the address server', () => {
  let server: Server
  let domain: string
  const asked: string[] = []
  let answer = { status: 200, body: '10.0.0.1:9876;10.0.0.2:9876\nsecond line' }

  before(async () => {
    server = createServer((request, response) => {
      asked.push(request.url!)
      response.writeHead(answer.status).end(answer.body)
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    domain = `127.0.0.1:${(server.address() as AddressInfo).port}`
  })
  beforeEach(() => void (asked.length = 0))
  after(() => server.close())

  it('gives the first line of its answer, under the path of subgroup and unit', async () => {
    assert.deepEqual(await new HttpNameServers(domain, 'nsaddr', undefined).fetch(), ['10.0.0.1:9876', '10.0.0.2:9876'])
    await new HttpNameServers(domain, 'group', 'unit1').fetch()
    assert.deepEqual(asked, ['/rocketmq/nsaddr', '/rocketmq/group-unit1?nofix=1'])
  })

  it('is the last resort, on port 8080 unless the domain has one', () => {
    assert.match(new HttpNameServers('jmenv.tbsite.net', 'nsaddr', undefined).description, /tbsite\.net:8080\/rocketmq/)
  })

  it('finds the name servers of a client that was told none, by option or environment', async t => {
    for (const name of ['NAMESRV_ADDR', 'ROCKETMQ_NAMESRV_DOMAIN']) {
      const old = process.env[name]
      t.after(() => (old === undefined ? delete process.env[name] : (process.env[name] = old)))
      delete process.env[name]
    }
    for (const [options, environment] of [[{ namesrvDomain: domain }, undefined] as const, [{}, domain] as const]) {
      if (environment !== undefined) process.env['ROCKETMQ_NAMESRV_DOMAIN'] = environment
      const instance = await started(options)
      assert.deepEqual(instance.nameServerApi.nameServers.addresses, ['10.0.0.1:9876', '10.0.0.2:9876'])
      await instance.shutdownIfUnused()
    }
    process.env['NAMESRV_ADDR'] = '10.0.0.7:9876'
    const instance = await started({ namesrvDomain: domain })
    assert.deepEqual(instance.nameServerApi.nameServers.addresses, ['10.0.0.7:9876'])
    await instance.shutdownIfUnused()
  })

  it('fails the start when it cannot say, and nothing is left behind', async t => {
    const old = process.env['NAMESRV_ADDR']
    t.after(() => old === undefined || (process.env['NAMESRV_ADDR'] = old))
    delete process.env['NAMESRV_ADDR']
    answer = { status: 503, body: '' }
    t.after(() => (answer = { status: 200, body: '10.0.0.1:9876' }))
    const remoting = new FakeRemoting()
    const registry = registryOf(remoting)
    const options = { namesrvDomain: domain, producerGroup: 'PG', instanceName: 'one' }
    const producer = new Producer(options, registry)
    await assert.rejects(producer.start(), (error: unknown) => {
      assert.ok(error instanceof RouteError)
      assert.equal(error.clientErrorCode, 10004)
      assert.match(error.message, /namesrvAddr and .* NAMESRV_ADDR are not set/)
      assert.ok(error.message.includes(`http://${domain}/rocketmq/nsaddr cannot be asked (it answers with status 503)`))
      return true
    })
    assert.equal(producer.state, 'START_FAILED')
    assert.equal(registry.size, 0)
    assert.equal(remoting.closed, true)
    answer = { status: 200, body: '10.0.0.1:9876' }
    const second = new Producer(options, registryOf(new FakeRemoting()))
    await second.start()
    await second.shutdown()
  })
})

describe('the name servers', () => {
  it('are asked one after the other when they cannot be reached, and the one that answers stays chosen', async () => {
    const remoting = new FakeRemoting()
    const down = new Set(['a:1', 'b:1'])
    remoting.answers.set(105, ({ address }) =>
      down.has(address) ? new ConnectionError(`refused by ${address}`, address) : { body: routeBody({ x: 1 }) }
    )
    const api = await apiOf(remoting, ['a:1', 'b:1', 'c:1'])
    await api.getTopicRoute('T', WAIT)
    remoting.requests.length = 0
    await api.getTopicRoute('T', WAIT)
    assert.deepEqual(
      remoting.requests.map(request => request.address),
      ['c:1']
    )
    down.add('c:1')
    await assert.rejects(api.getTopicRoute('T', WAIT), (error: unknown) => {
      assert.ok(error instanceof RouteError)
      assert.equal(error.clientErrorCode, 10004)
      for (const address of down) assert.ok(error.message.includes(`${address}: refused by ${address}`))
      return true
    })
  })

  it('are looked for again when none answers', async t => {
    t.mock.timers.enable({ apis: ['Date'], now: 1_000_000 })
    const remoting = new FakeRemoting()
    remoting.answers.set(105, ({ address }) =>
      address === 'old:1' ? new ConnectionError('refused', address) : { body: routeBody({ x: 1 }) }
    )
    const api = await apiOf(remoting, ['old:1'], ['new:1'])
    t.mock.timers.setTime(1_002_000)
    assert.notEqual(await api.getTopicRoute('T', WAIT), undefined)
    assert.deepEqual(api.nameServers.addresses, ['new:1'])
  })

  it('may change at any time: what is chosen stays if it can, and requests under way end', async () => {
    const remoting = new FakeRemoting()
    const changes: unknown[] = []
    const nameServers = new NameServers(sourceOf([['a:1'], ['a:1', 'b:1'], ['b:1']]), (addresses, former) =>
      changes.push([addresses, former])
    )
    await nameServers.refresh()
    assert.equal(nameServers.choose(), 'a:1')
    const underWay = new NameServerApi(remoting, nameServers).getTopicRoute('T', WAIT).catch(() => 'ended')
    assert.equal(await nameServers.refresh(), true)
    assert.equal(nameServers.choose(), 'a:1')
    assert.equal(await nameServers.refresh(), true)
    assert.equal(nameServers.choose(), 'b:1')
    assert.equal(await nameServers.refresh(), false)
    assert.equal(await underWay, 'ended')
    assert.deepEqual(changes, [
      [['a:1', 'b:1'], ['a:1']],
      [['b:1'], ['a:1', 'b:1']]
    ])
  })

  it('that refuse access say so', async () => {
    const remoting = new FakeRemoting()
    remoting.answers.set(105, () => ({ code: 16, remark: 'no such user' }))
    const api = await apiOf(remoting, ['a:1'])
    await assert.rejects(api.getTopicRoute('T', WAIT), {
      code: 'RMQ_ROUTE',
      message: /a:1 refuses access \(no such user\)/
    })
  })

  it('that give a route that cannot be read are named, and so is its topic', async () => {
    const remoting = new FakeRemoting()
    remoting.answers.set(105, () => ({ body: Buffer.from('{"brokerDatas":[{"brokerName":""}]}') }))
    const api = await apiOf(remoting, ['a:1'])
    await assert.rejects(api.getTopicRoute('T', WAIT), (error: unknown) => {
      assert.ok(error instanceof ProtocolError && error.cause instanceof ProtocolError)
      assert.match(error.message, /name server a:1 .*topic T: .*brokerName is "".*mqadmin topicRoute -n a:1 -t T/)
      return true
    })
  })

  it('are asked for 10 seconds after the start, then every 2 minutes', async t => {
    t.mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'Date'], now: 1_000_000 })
    const times: number[] = []
    const namesrvAddr = (): string => {
      times.push(Date.now() - 1_000_000)
      return '10.0.0.1:9876'
    }
    const instance = registryOf(new FakeRemoting()).getOrCreate(readOptions('X', CLIENT_OPTIONS, { namesrvAddr }), true)
    await instance.start()
    for (let ms = 0; ms < 260_000; ms += 5_000) {
      t.mock.timers.tick(5_000)
      await settle()
    }
    assert.deepEqual(times, [0, 10_000, 130_000, 250_000])
    await instance.shutdownIfUnused()
  })
})

describe('a name server that hangs', () => {
  it('leaves time to ask the others', async () => {
    const remoting = new FakeRemoting()
    const nameServers = new NameServers(sourceOf([['a:1', 'b:2', 'c:3']]))
    await nameServers.refresh()
    const timeouts: number[] = []
    remoting.invoke = async (address, _request, { timeoutMs }) => {
      timeouts.push(timeoutMs)
      throw new TimeoutError(`no answer of ${address}`, timeoutMs)
    }
    await assert.rejects(new NameServerApi(remoting, nameServers).getTopicRoute('T', { timeoutMs: 3_000 }), RouteError)
    // No time went by here, so that each is given a fair share of what is left.
    assert.equal(timeouts.length, 3)
    assert.ok(timeouts[0]! <= 1_000 && timeouts[1]! <= 1_500 && timeouts[2]! <= 3_000, String(timeouts))
  })
})

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { CLIENT_OPTIONS } from '../../../ts/client/client-config.js'
import type { ClientInstance, ConsumerInner, ProducerInner } from '../../../ts/client/client-instance.js'
import { NameServerApi } from '../../../ts/client/name-server-api.js'
import { ConfigError, ConnectionError, RouteError } from '../../../ts/errors.js'
import { buildSubscriptionData } from '../../../ts/consumer/subscription.js'
import { readOptions } from '../../../ts/options.js'
import { FakeRemoting, registryOf, routeBody, settle } from '../helpers/fake-remoting.js'
import { golden } from '../helpers/repository.js'

const NAME_SERVER = '127.0.0.1:9876'

function producer(topics: string[] = []): ProducerInner {
  return {
    publishTopics: () => topics,
    isPublishTopicNeedUpdate: () => false,
    updateTopicRoute: () => undefined
  }
}

function consumer(rebalances: { count: number } = { count: 0 }): ConsumerInner {
  return {
    consumerData: () => ({
      groupName: 'CG',
      consumeType: 'CONSUME_PASSIVELY',
      messageModel: 'CLUSTERING',
      consumeFromWhere: 'CONSUME_FROM_LAST_OFFSET',
      subscriptionDataSet: [buildSubscriptionData('TopicTest', 'TagA', 1_700_000_000_000)],
      unitMode: false
    }),
    subscribedTopics: () => ['TopicTest'],
    updateTopicRoute: () => undefined,
    doRebalance: async () => {
      rebalances.count++
      return true
    },
    persistConsumerOffset: () => undefined
  }
}

function instanceOf(remoting: FakeRemoting, options = {}): ClientInstance {
  const config = readOptions('X', CLIENT_OPTIONS, { namesrvAddr: NAME_SERVER, clientIP: '10.0.0.1', ...options })
  return registryOf(remoting).getOrCreate(config, false)
}

describe('the client registry', () => {
  it('has one instance for one client id, and forgets it when its last member leaves', async () => {
    const registry = registryOf(new FakeRemoting())
    const config = readOptions('X', CLIENT_OPTIONS, { namesrvAddr: NAME_SERVER, instanceName: 'one' })
    const instance = registry.getOrCreate(config, true)
    assert.equal(registry.getOrCreate(config, true), instance)
    instance.registerProducer('a', producer())
    instance.registerProducer('b', producer())
    await instance.unregisterProducer('a')
    assert.equal(registry.size, 1)
    await instance.unregisterProducer('b')
    assert.equal(registry.size, 0)
  })

  it('gives clients of the default name an instance each', () => {
    const registry = registryOf(new FakeRemoting())
    const config = readOptions('X', CLIENT_OPTIONS, { namesrvAddr: NAME_SERVER })
    assert.notEqual(registry.getOrCreate(config, true), registry.getOrCreate(config, true))
  })

  it('refuses to share an instance between clusters', () => {
    const registry = registryOf(new FakeRemoting())
    const registryConfig = { instanceName: 'one' }
    const config = (namesrvAddr: string) => readOptions('X', CLIENT_OPTIONS, { ...registryConfig, namesrvAddr })
    registry.getOrCreate(config('a:1;b:1'), true)
    registry.getOrCreate(config('b:1;a:1'), true)
    assert.throws(() => registry.getOrCreate(config('c:1'), true), /in use with name servers a:1;b:1, not c:1/)
  })

  it('knows no instance without a name server', t => {
    const before = process.env['NAMESRV_ADDR']
    t.after(() => (before === undefined ? delete process.env['NAMESRV_ADDR'] : (process.env['NAMESRV_ADDR'] = before)))
    delete process.env['NAMESRV_ADDR']
    const registry = registryOf(new FakeRemoting())
    assert.throws(() => registry.getOrCreate(readOptions('X', CLIENT_OPTIONS, {}), true), ConfigError)
    assert.equal(registry.size, 0)
    process.env['NAMESRV_ADDR'] = 'env:9876'
    const instance = registry.getOrCreate(readOptions('X', CLIENT_OPTIONS, {}), true)
    assert.deepEqual(instance.nameServerApi.addresses, ['env:9876'])
  })
})

describe('the name servers', () => {
  it('are asked one after the other when they cannot be reached, and the one that answers stays chosen', async () => {
    const remoting = new FakeRemoting()
    const down = new Set(['a:1', 'b:1'])
    remoting.answers.set(105, ({ address }) =>
      down.has(address) ? new ConnectionError('refused', address) : { body: routeBody({ x: 1 }) }
    )
    const api = new NameServerApi(remoting, ['a:1', 'b:1', 'c:1'])
    await api.getTopicRoute('T', { timeoutMs: 100 })
    remoting.requests.length = 0
    await api.getTopicRoute('T', { timeoutMs: 100 })
    assert.deepEqual(
      remoting.requests.map(request => request.address),
      ['c:1']
    )
    down.add('c:1')
    await assert.rejects(
      api.getTopicRoute('T', { timeoutMs: 100 }),
      (error: unknown) => error instanceof RouteError && error.clientErrorCode === 10004
    )
  })
})

describe('the client instance', () => {
  it('sends the heartbeat that Java sends', async () => {
    const remoting = new FakeRemoting()
    remoting.route({ TopicTest: { a: 1 } })
    const instance = instanceOf(remoting, { clientIP: '10.0.0.1', instanceName: '1#2' })
    instance.registerProducer('PG', producer())
    instance.registerConsumer('CG', consumer())
    instance.start()
    await instance.updateTopicRoute('TopicTest')
    assert.equal(await instance.sendHeartbeatToAllBrokers(), true)
    const [heartbeat] = remoting.requestsOf(34)
    assert.equal(heartbeat!.address, 'a:10911')
    assert.deepEqual(JSON.parse(heartbeat!.body.toString()), JSON.parse(golden('bodies.txt', 'heartbeat')))
    await instance.unregisterProducer('PG')
    await instance.unregisterConsumer('CG')
    assert.equal(remoting.closed, true)
    assert.deepEqual(
      remoting.requestsOf(35).map(({ extFields }) => [extFields['producerGroup'], extFields['consumerGroup']]),
      [
        ['PG', undefined],
        [undefined, 'CG']
      ]
    )
  })

  it('greets nobody while it knows no broker', async () => {
    const remoting = new FakeRemoting()
    const instance = instanceOf(remoting)
    instance.registerProducer('PG', producer())
    assert.equal(await instance.sendHeartbeatToAllBrokers(), false)
    assert.equal(remoting.requests.length, 0)
  })

  it('looks a topic up once for all who ask at the same time', async () => {
    const remoting = new FakeRemoting()
    remoting.route({ T: { a: 1 } })
    const instance = instanceOf(remoting)
    await Promise.all([instance.updateTopicRoute('T'), instance.updateTopicRoute('T')])
    assert.equal(remoting.requestsOf(105).length, 1)
  })

  it('shares out queues when a broker says that members have changed, and knows no other request', async t => {
    t.mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'Date'], now: 1_000_000 })
    const remoting = new FakeRemoting()
    const instance = instanceOf(remoting)
    const rebalances = { count: 0 }
    instance.registerConsumer('CG', consumer(rebalances))
    instance.start()
    const request = { version: 0, remark: undefined, extFields: {}, body: Buffer.alloc(0) }
    assert.deepEqual(await remoting.requestHandler('a:10911', { ...request, code: 40 }), { code: 0 })
    t.mock.timers.tick(1)
    await settle()
    assert.equal(rebalances.count, 1)
    for (const code of [220, 221, 307, 309, 99_999]) {
      assert.equal(await remoting.requestHandler('a:10911', { ...request, code }), undefined)
    }
    await instance.unregisterConsumer('CG')
  })

  it('rebalances every 20 s, a second after a round that did not settle, never twice within a second', async t => {
    t.mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'Date'], now: 1_000_000 })
    const remoting = new FakeRemoting()
    const instance = instanceOf(remoting)
    const settled = [true, false, true]
    const times: number[] = []
    instance.registerConsumer('CG', {
      ...consumer(),
      doRebalance: async () => {
        times.push(Date.now() - 1_000_000)
        return settled.shift() ?? true
      }
    })
    instance.start()
    for (let ms = 0; ms < 45_000; ms += 100) {
      t.mock.timers.tick(100)
      await settle()
      if (ms === 41_500) instance.rebalanceImmediately()
    }
    assert.equal(times.length, 4)
    assert.deepEqual(
      times.map(ms => Math.round(ms / 1000)),
      [20, 40, 41, 42]
    )
    await instance.unregisterConsumer('CG')
  })

  it('greets a broker again that broke the connection, until it answers', async t => {
    t.mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'Date'], now: 1_000_000 })
    const remoting = new FakeRemoting()
    remoting.route({ T: { a: 1 } })
    const reports: string[] = []
    const instance = instanceOf(remoting, { onError: (_error: Error, doing: string) => reports.push(doing) })
    instance.registerProducer('PG', producer(['T']))
    instance.start()
    await instance.updateTopicRoute('T')
    t.mock.timers.tick(1000)
    await settle()
    assert.equal(remoting.requestsOf(34).length, 1)
    remoting.requests.length = 0
    let down = true
    remoting.answers.set(34, ({ address }) => (down ? new ConnectionError('refused', address) : {}))
    remoting.closeHandler('a:10911', 'reset')
    for (let round = 0; round < 2; round++) {
      t.mock.timers.tick(1000)
      await settle()
    }
    assert.deepEqual(reports, ['heartbeat to a:10911', 'heartbeat to a:10911'])
    down = false
    t.mock.timers.tick(1000)
    await settle()
    const answered = remoting.requestsOf(34).length
    t.mock.timers.tick(5000)
    await settle()
    assert.equal(answered, 3)
    assert.equal(remoting.requestsOf(34).length, 3)
    await instance.unregisterProducer('PG')
  })

  it('forgets brokers that are in no route any more', async t => {
    t.mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'Date'], now: 1_000_000 })
    const remoting = new FakeRemoting()
    remoting.route({ T: { a: 1, b: 1 } })
    const instance = instanceOf(remoting)
    instance.registerProducer('PG', producer(['T']))
    instance.start()
    await instance.updateTopicRoute('T')
    assert.equal(instance.routes.masterAddress('b'), 'b:10911')
    remoting.route({ T: { a: 1 } })
    for (let half = 0; half < 2; half++) {
      t.mock.timers.tick(30_000)
      await settle()
    }
    assert.equal(instance.routes.masterAddress('b'), undefined)
    assert.equal(instance.routes.masterAddress('a'), 'a:10911')
    await instance.unregisterProducer('PG')
  })
})

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { CLIENT_OPTIONS } from '../../../ts/client/client-config.js'
import { ClientStatus } from '../../../ts/client/client-status.js'
import type { ClientEvent } from '../../../ts/diagnostics.js'
import type { ClientInstance, ConsumerInner, ProducerInner } from '../../../ts/client/client-instance.js'
import { ConnectionError } from '../../../ts/errors.js'
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
    persistConsumerOffset: () => undefined,
    resetOffset: async () => undefined,
    offsetsOf: () => [],
    runningInfo: () => Promise.reject(new Error('not asked for here')),
    consumeMessageDirectly: () => Promise.reject(new Error('not asked for here'))
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
    assert.throws(
      () => registry.getOrCreate(config('c:1'), true),
      /in use with name servers from the option namesrvAddr \(a:1;b:1\), not from the option namesrvAddr \(c:1\)/
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
    await instance.start()
    await instance.updateTopicRoute('TopicTest')
    assert.equal(await instance.sendHeartbeatToAllBrokers(), true)
    const heartbeat = remoting.requestsOf(34).at(-1)
    assert.equal(heartbeat!.address, 'a:10911')
    const expected = JSON.parse(golden('bodies.txt', 'heartbeat')) as { producerDataSet: object[] }
    expected.producerDataSet.push({ groupName: 'CLIENT_INNER_PRODUCER' })
    assert.deepEqual(JSON.parse(heartbeat!.body.toString()), expected)
    await instance.unregisterProducer('PG')
    await instance.unregisterConsumer('CG')
    assert.equal(remoting.closed, true)
    assert.deepEqual(
      remoting.requestsOf(35).map(({ extFields }) => [extFields['producerGroup'], extFields['consumerGroup']]),
      [
        ['PG', undefined],
        [undefined, 'CG'],
        ['CLIENT_INNER_PRODUCER', undefined]
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
    await instance.start()
    await Promise.all([instance.updateTopicRoute('T'), instance.updateTopicRoute('T')])
    assert.equal(remoting.requestsOf(105).length, 1)
    await instance.shutdownIfUnused()
  })

  it('shares out queues when a broker says that members have changed, and knows no other request', async t => {
    t.mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'Date'], now: 1_000_000 })
    const remoting = new FakeRemoting()
    const instance = instanceOf(remoting)
    const rebalances = { count: 0 }
    instance.registerConsumer('CG', consumer(rebalances))
    await instance.start()
    const request = { version: 0, remark: undefined, extFields: {}, body: Buffer.alloc(0) }
    assert.deepEqual(await remoting.requestHandler('a:10911', { ...request, code: 40 }), { code: 0 })
    t.mock.timers.tick(1)
    await settle()
    assert.equal(rebalances.count, 1)
    for (const code of [99_999]) {
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
    await instance.start()
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
    await instance.start()
    await instance.updateTopicRoute('T')
    t.mock.timers.tick(1000)
    await settle()
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

  it('greets a broker as soon as a route names it, and follows one that has moved', async t => {
    t.mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'Date'], now: 1_000_000 })
    const remoting = new FakeRemoting()
    remoting.route({ T: { a: 1 } })
    const instance = instanceOf(remoting, { onError: () => undefined })
    instance.registerProducer('PG', producer(['T']))
    await instance.start()
    await instance.updateTopicRoute('T')
    await settle()
    assert.deepEqual(
      remoting.requestsOf(34).map(({ address }) => address),
      ['a:10911']
    )
    t.mock.timers.tick(1000)
    await settle()
    const moved = routeBody({ a: 1 }).toString().replace('a:10911', 'elsewhere:10911')
    remoting.answers.set(105, () => ({ body: Buffer.from(moved) }))
    remoting.answers.set(34, ({ address }) => (address === 'a:10911' ? new ConnectionError('refused', address) : {}))
    remoting.closeHandler('a:10911', 'reset')
    t.mock.timers.tick(1000)
    await settle()
    assert.equal(instance.routes.masterAddress('a'), 'elsewhere:10911')
    assert.equal(remoting.requestsOf(34).at(-1)!.address, 'elsewhere:10911')
    await instance.unregisterProducer('PG')
  })

  it('asks whether another producer has the name it was given, and says so', async t => {
    t.mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'Date'], now: 1_000_000 })
    const remoting = new FakeRemoting()
    remoting.route({ T: { a: 1 } })
    const reports: string[] = []
    const instance = instanceOf(remoting, {
      instanceName: 'mine',
      onError: (error: Error) => reports.push(error.message)
    })
    const connection = { clientId: instance.clientId }
    remoting.answers.set(204, () => ({
      body: Buffer.from(JSON.stringify({ connectionSet: [connection, connection] }))
    }))
    instance.registerProducer('PG', producer(['T']))
    await instance.start()
    await instance.updateTopicRoute('T')
    for (let minute = 0; minute < 4; minute++) {
      t.mock.timers.tick(60_000)
      await settle()
    }
    assert.equal(reports.length, 1)
    assert.match(reports[0]!, /another live client calls itself 10\.0\.0\.1@mine/)
    // All clients are in the inner producer's group, whatever groups of their own they have.
    const groups = remoting.requestsOf(204).map(request => request.extFields['producerGroup'])
    const inner = 'CLIENT_INNER_PRODUCER'
    assert.deepEqual(groups, [inner, inner, inner, 'PG'])
    await instance.unregisterProducer('PG')
  })

  it('tells its members what happens', async () => {
    const remoting = new FakeRemoting()
    remoting.route({ T: { a: 1 } })
    const status = new ClientStatus({ onError: undefined, logger: undefined })
    const events: ClientEvent[] = []
    const reading = (async () => {
      for await (const event of status.stream()) events.push(event)
    })()
    const instance = instanceOf(remoting)
    instance.registerProducer('PG', { ...producer(['T']), status })
    await instance.start()
    await instance.updateTopicRoute('T')
    await settle()
    remoting.closeHandler('a:10911', 'reset')
    remoting.closeHandler(NAME_SERVER, 'gone')
    await instance.unregisterProducer('PG')
    status.end()
    await reading
    assert.deepEqual(events, [
      { type: 'connect', peer: 'nameServer', address: NAME_SERVER },
      { type: 'routeChange', topic: 'T', brokers: { a: 'a:10911' } },
      { type: 'connect', peer: 'broker', address: 'a:10911' },
      { type: 'disconnect', peer: 'broker', address: 'a:10911', reason: 'reset' },
      { type: 'disconnect', peer: 'nameServer', address: NAME_SERVER, reason: 'gone' }
    ])
  })

  it('leaves subscriptions out of heartbeats that a broker knows, with the second version', async () => {
    const remoting = new FakeRemoting()
    remoting.route({ TopicTest: { a: 1 } })
    let subChange = 'false'
    remoting.answers.set(34, () => ({ extFields: { IS_SUPPORT_HEART_BEAT_V2: 'true', IS_SUB_CHANGE: subChange } }))
    const instance = instanceOf(remoting, { useHeartbeatV2: true })
    let data = consumer().consumerData()
    instance.registerConsumer('CG', { ...consumer(), consumerData: () => data })
    await instance.start()
    await instance.updateTopicRoute('TopicTest')
    await settle()
    const said = async (): Promise<[withoutSub: boolean, subscriptions: number, fingerprint: number]> => {
      remoting.requests.length = 0
      await instance.sendHeartbeatToAllBrokers()
      const body = JSON.parse(remoting.requestsOf(34)[0]!.body.toString()) as {
        withoutSub: boolean
        heartbeatFingerprint: number
        consumerDataSet: { subscriptionDataSet: object[] }[]
      }
      return [body.withoutSub, body.consumerDataSet[0]!.subscriptionDataSet.length, body.heartbeatFingerprint]
    }
    const [, , fingerprint] = await said()
    assert.notEqual(fingerprint, 0)
    assert.deepEqual(await said(), [true, 0, fingerprint])
    data = { ...data, subscriptionDataSet: [{ ...data.subscriptionDataSet[0]!, subVersion: 1_800_000_000_000 }] }
    assert.deepEqual(await said(), [false, 1, fingerprint], 'a newer version is said, under the same fingerprint')
    subChange = 'true'
    assert.deepEqual(await said(), [true, 0, fingerprint])
    assert.deepEqual(await said(), [false, 1, fingerprint], 'the broker asked for it')
    subChange = 'false'
    await said()
    assert.deepEqual(await said(), [true, 0, fingerprint])
    remoting.closeHandler('a:10911', 'reset')
    assert.deepEqual(await said(), [false, 1, fingerprint], 'a broker that lost us has forgotten it')
    await instance.unregisterConsumer('CG')
  })

  it('forgets brokers that are in no route any more', async t => {
    t.mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'Date'], now: 1_000_000 })
    const remoting = new FakeRemoting()
    remoting.route({ T: { a: 1, b: 1 } })
    const instance = instanceOf(remoting)
    instance.registerProducer('PG', producer(['T']))
    await instance.start()
    await instance.updateTopicRoute('T')
    assert.equal(instance.routes.masterAddress('b'), 'b:10911')
    remoting.route({ T: { a: 1 } })
    for (let half = 0; half < 3; half++) {
      t.mock.timers.tick(30_000)
      await settle()
    }
    assert.equal(instance.routes.masterAddress('b'), undefined)
    assert.equal(instance.routes.masterAddress('a'), 'a:10911')
    await instance.unregisterProducer('PG')
  })
})

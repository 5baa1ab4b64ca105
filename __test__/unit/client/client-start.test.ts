import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { describe, it } from 'node:test'
import type { ClientRegistry } from '../../../ts/client/client-registry.js'
import { Producer } from '../../../ts/producer/producer.js'
import { PushConsumer } from '../../../ts/consumer/push-consumer.js'
import { ConnectionError } from '../../../ts/errors.js'
import { FakeRemoting, registryOf, settle } from '../helpers/fake-remoting.js'

const NOWHERE = (): Promise<string> => Promise.reject(new Error('nowhere'))

/** Nothing is left of it: no instance, no connection, and no request as time goes by. */
async function assertNothingLeft(t: TestContext, registry: ClientRegistry, remoting: FakeRemoting): Promise<void> {
  assert.equal(registry.size, 0)
  assert.equal(remoting.closed, true)
  remoting.requests.length = 0
  for (let minute = 0; minute < 5; minute++) {
    t.mock.timers.tick(60_000)
    await settle()
  }
  assert.deepEqual(remoting.requests, [])
}

function setUp(t: TestContext): { remoting: FakeRemoting; registry: ClientRegistry } {
  t.mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'Date'], now: 1_000_000 })
  const remoting = new FakeRemoting()
  remoting.route({ T: { a: 1 } })
  return { remoting, registry: registryOf(remoting) }
}

function consumerOf(registry: ClientRegistry, options: object): PushConsumer {
  const consumer = new PushConsumer({ consumerGroup: 'cg', onError: () => undefined, ...options }, registry)
  consumer.subscribe('T')
  consumer.registerMessageListener(() => undefined)
  return consumer
}

describe('a start that fails leaves nothing behind', () => {
  it('when no name server is found', async t => {
    const { remoting, registry } = setUp(t)
    const producer = new Producer({ producerGroup: 'pg', namesrvAddr: NOWHERE }, registry)
    const reading = producer.status().next()
    await assert.rejects(producer.start(), { code: 'RMQ_ROUTE' })
    await assertNothingLeft(t, registry, remoting)
    assert.deepEqual(await reading, { done: true, value: undefined })
    const consumer = consumerOf(registry, { namesrvAddr: NOWHERE })
    await assert.rejects(consumer.start(), { code: 'RMQ_ROUTE' })
    await assertNothingLeft(t, registry, remoting)
  })

  it('when name servers do not answer', async t => {
    const { remoting, registry } = setUp(t)
    remoting.answers.set(105, ({ address }) => new ConnectionError('refused', address))
    await assert.rejects(consumerOf(registry, { namesrvAddr: '127.0.0.1:9876' }).start(), { code: 'RMQ_ROUTE' })
    await assertNothingLeft(t, registry, remoting)
  })

  it('when it is given up while name servers are looked for', async t => {
    const { remoting, registry } = setUp(t)
    let tell: ((address: string) => void) | undefined
    const namesrvAddr = (): Promise<string> => new Promise(resolve => (tell = resolve))
    const controller = new AbortController()
    const starting = consumerOf(registry, { namesrvAddr }).start({ signal: controller.signal })
    controller.abort(new Error('enough'))
    await assert.rejects(starting, { code: 'RMQ_ABORTED' })
    await settle()
    tell!('127.0.0.1:9876')
    await settle()
    await assertNothingLeft(t, registry, remoting)
  })

  it('and does no harm to a producer that has the same group name', async t => {
    const { remoting, registry } = setUp(t)
    const options = { namesrvAddr: '127.0.0.1:9876', instanceName: 'shared' }
    const producer = new Producer({ ...options, producerGroup: 'both' }, registry)
    await producer.start()
    const consumer = consumerOf(registry, { ...options, consumerGroup: 'both' })
    await assert.rejects(consumer.start({ signal: AbortSignal.abort() }), { code: 'RMQ_ABORTED' })
    assert.equal(registry.size, 1)
    assert.equal(remoting.closed, false)
    await producer.shutdown()
    await assertNothingLeft(t, registry, remoting)
  })

  it('for all who start the same instance at the same time, and the next gets a new one', async t => {
    const { remoting, registry } = setUp(t)
    let works = false
    let asked = 0
    const namesrvAddr = async (): Promise<string> => {
      asked++
      if (works) return '127.0.0.1:9876'
      throw new Error('nowhere')
    }
    const producerOf = (producerGroup: string): Producer =>
      new Producer({ producerGroup, namesrvAddr, instanceName: 'shared' }, registry)
    const starts = [producerOf('one').start(), producerOf('two').start()]
    for (const start of starts) await assert.rejects(start, { code: 'RMQ_ROUTE' })
    await assertNothingLeft(t, registry, remoting)
    works = true
    const producer = producerOf('one')
    await producer.start()
    assert.equal(registry.size, 1)
    t.mock.timers.tick(10_000)
    await settle()
    await producer.shutdown()
    const before = asked
    await assertNothingLeft(t, registry, remoting)
    assert.equal(asked, before)
  })
})

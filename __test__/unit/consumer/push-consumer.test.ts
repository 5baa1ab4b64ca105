import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { describe, it } from 'node:test'
import Long from 'long'
import { ClientStateError, ConfigError, ConnectionError, RouteError } from '../../../ts/errors.js'
import type { PushConsumerOptions } from '../../../ts/consumer/options.js'
import { PushConsumer } from '../../../ts/consumer/push-consumer.js'
import type { MessageListenerConcurrently } from '../../../ts/consumer/types.js'
import { decodeProperties } from '../../../ts/message/properties.js'
import type { PulledBatch } from '../../../ts/remoting/types.js'
import { FakeRemoting, registryOf, settle } from '../helpers/fake-remoting.js'
import { range, recordsAt } from '../helpers/records.js'

const OPTIONS: PushConsumerOptions = { namesrvAddr: '127.0.0.1:9876', consumerGroup: 'cg', instanceName: 'me' }

interface Fixture {
  remoting: FakeRemoting
  consumer: PushConsumer
  reports: string[]
}

/** A cluster of one broker with topic T, whose stored offsets are those of `offsets` and which knows the given members. */
function setUp(
  t: TestContext,
  options: Partial<PushConsumerOptions> = {},
  listener?: MessageListenerConcurrently
): Fixture {
  t.mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'Date'], now: 1_000_000 })
  const remoting = new FakeRemoting()
  const reports: string[] = []
  remoting.route({ T: { a: 2 } })
  const onError = (error: Error, doing: string): void => void reports.push(`${doing}: ${error.message}`)
  const consumer = new PushConsumer({ ...OPTIONS, onError, ...options }, registryOf(remoting))
  remoting.answers.set(38, () => ({ body: Buffer.from(JSON.stringify({ consumerIdList: [consumer.clientId] })) }))
  remoting.answers.set(14, () => ({ code: 22, remark: 'not found' }))
  remoting.answers.set(30, () => ({ extFields: { offset: '100' } }))
  consumer.subscribe('T', 'TagA')
  consumer.registerMessageListener(listener ?? (() => undefined))
  return { remoting, consumer, reports }
}

async function tick(t: TestContext, ms: number): Promise<void> {
  t.mock.timers.tick(ms)
  await settle()
}

/** Starts the consumer and lets time pass until its queues are pulled. */
async function pulling({ consumer }: Fixture, t: TestContext): Promise<void> {
  await consumer.start()
  await tick(t, 1)
  await tick(t, 500)
}

function found(offsets: number[]): Partial<PulledBatch> {
  const next = Long.fromNumber(offsets.at(-1)! + 1)
  return { code: 0, messages: recordsAt(offsets), messageCount: offsets.length, nextBeginOffset: next, maxOffset: next }
}

describe('the life of a push consumer', () => {
  it('joins, takes its queues, and leaves with its offsets stored', async t => {
    const fixture = setUp(t)
    const { remoting, consumer } = fixture
    assert.equal(consumer.state, 'CREATE_JUST')
    await pulling(fixture, t)
    assert.equal(consumer.state, 'RUNNING')
    assert.deepEqual(
      consumer.assignedMessageQueues.map(mq => mq.key),
      ['T@a@0', 'T@a@1']
    )
    remoting.pulls[0]!.answer(found([100, 101]))
    await settle()
    await consumer.shutdown()
    assert.equal(consumer.state, 'SHUTDOWN_ALREADY')
    const stored = remoting.offsetUpdates.find(({ extFields }) => extFields['commitOffset'] === 102)
    const { consumerGroup, topic, queueId } = stored!.extFields
    assert.deepEqual([stored!.code, consumerGroup, topic, queueId], [15, 'cg', 'T', 0])
    assert.equal(remoting.requestsOf(35)[0]!.extFields['consumerGroup'], 'cg')
    assert.equal(remoting.closed, true)
    await assert.rejects(consumer.start(), ClientStateError)
  })

  it('needs a fit group and a listener', async () => {
    const registry = registryOf(new FakeRemoting())
    const unfit = new PushConsumer({ ...OPTIONS, consumerGroup: 'DEFAULT_CONSUMER' }, registry)
    unfit.registerMessageListener(() => undefined)
    await assert.rejects(unfit.start(), ConfigError)
    assert.equal(unfit.state, 'START_FAILED')
    await assert.rejects(new PushConsumer(OPTIONS, registry).start(), /no message listener/)
    assert.equal(registry.size, 0)
  })

  it('leaves nothing behind when the offsets it kept are not readable', async t => {
    const directory = mkdtempSync(join(tmpdir(), 'offsets-'))
    t.after(() => rmSync(directory, { recursive: true }))
    const registry = registryOf(new FakeRemoting())
    const options = {
      ...OPTIONS,
      clientIP: '10.0.0.1',
      messageModel: 'BROADCASTING' as const,
      localOffsetStoreDir: directory
    }
    mkdirSync(join(directory, '10.0.0.1@me', 'cg'), { recursive: true })
    writeFileSync(join(directory, '10.0.0.1@me', 'cg', 'offsets.json'), '{')
    const consumer = new PushConsumer(options, registry)
    consumer.registerMessageListener(() => undefined)
    await assert.rejects(consumer.start(), { code: 'RMQ_PROTOCOL' })
    assert.equal(consumer.state, 'START_FAILED')
    assert.equal(registry.size, 0)
  })

  it('leaves nothing behind when no name server answers', async t => {
    const { remoting, consumer } = setUp(t)
    remoting.answers.set(105, ({ address }) => new ConnectionError('refused', address))
    await assert.rejects(consumer.start(), RouteError)
    assert.equal(consumer.state, 'SHUTDOWN_ALREADY')
    assert.equal(remoting.closed, true)
  })

  it('gives up its start when the signal fires', async t => {
    const { remoting, consumer } = setUp(t)
    const controller = new AbortController()
    remoting.answers.set(34, () => {
      controller.abort()
      return {}
    })
    await assert.rejects(consumer.start({ signal: controller.signal }), { code: 'RMQ_ABORTED' })
    assert.equal(consumer.state, 'SHUTDOWN_ALREADY')
    assert.equal(remoting.closed, true)
  })

  it('does not wait for its listener when the signal says so', async t => {
    const fixture = setUp(t, {}, () => new Promise(() => undefined))
    const { remoting, consumer, reports } = fixture
    await pulling(fixture, t)
    remoting.pulls[0]!.answer(found([100]))
    await settle()
    await consumer.shutdown({ signal: AbortSignal.abort() })
    assert.equal(remoting.closed, true)
    assert.deepEqual(reports, [])
  })

  it('fails when its group exists on its client', async t => {
    const remoting = new FakeRemoting()
    remoting.route({})
    t.mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'Date'], now: 1_000_000 })
    const registry = registryOf(remoting)
    const [first, second] = [new PushConsumer(OPTIONS, registry), new PushConsumer(OPTIONS, registry)]
    for (const consumer of [first, second]) consumer.registerMessageListener(() => undefined)
    await first.start()
    await assert.rejects(second.start(), /group cg exists/)
    assert.equal(second.state, 'CREATE_JUST')
    await first.shutdown()
  })
})

describe('where to begin', () => {
  const cases: [string, Partial<PushConsumerOptions>, string | undefined, number][] = [
    ['at the stored offset', {}, '7', 7],
    ['after the last message', {}, undefined, 100],
    ['at the first', { consumeFromWhere: 'CONSUME_FROM_FIRST_OFFSET' }, undefined, 0],
    ['at a time', { consumeFromWhere: 'CONSUME_FROM_TIMESTAMP', consumeTimestamp: 777 }, undefined, 55]
  ]
  for (const [what, options, stored, first] of cases) {
    it(what, async t => {
      const fixture = setUp(t, options)
      const { remoting, consumer } = fixture
      if (stored !== undefined) remoting.answers.set(14, () => ({ extFields: { offset: stored } }))
      remoting.answers.set(29, ({ extFields }) => ({
        extFields: { offset: extFields['timestamp'] === 777 ? '55' : '1' }
      }))
      await pulling(fixture, t)
      assert.equal(remoting.pulls[0]!.extFields['queueOffset'], first)
      await consumer.shutdown()
    })
  }

  it('is asked again a second later when the broker cannot tell', async t => {
    const fixture = setUp(t)
    const { remoting, consumer, reports } = fixture
    remoting.answers.set(14, () => ({ code: 1, remark: 'broken' }))
    await pulling(fixture, t)
    assert.deepEqual(consumer.assignedMessageQueues, [])
    assert.match(reports[0]!, /finding where to begin .*broken/)
    remoting.answers.set(14, () => ({ extFields: { offset: '7' } }))
    await tick(t, 1000)
    assert.equal(consumer.assignedMessageQueues.length, 2)
    await consumer.shutdown()
  })
})

describe('a pull', () => {
  it('asks as Java does', async t => {
    const fixture = setUp(t)
    await pulling(fixture, t)
    const { address, extFields, tags } = fixture.remoting.pulls[0]!
    assert.equal(address, 'a:10911')
    assert.deepEqual(tags, ['TagA'])
    const { subVersion, ...rest } = extFields
    assert.ok(Number(subVersion) >= 1_000_000)
    assert.deepEqual(rest, {
      consumerGroup: 'cg',
      topic: 'T',
      queueId: 0,
      queueOffset: 100,
      maxMsgNums: 32,
      sysFlag: 2,
      commitOffset: 0,
      suspendTimeoutMillis: 15_000,
      subscription: undefined,
      maxMsgBytes: 262_144,
      expressionType: 'TAG',
      bname: 'a'
    })
    await fixture.consumer.shutdown()
  })

  it('that finds messages is followed by the next at once, which brings the offset to commit', async t => {
    const fixture = setUp(t)
    const { remoting, consumer } = fixture
    await pulling(fixture, t)
    remoting.pulls[0]!.answer(found([100, 101, 102]))
    await settle()
    const next = remoting.pulls[2]!
    assert.equal(next.extFields['queueOffset'], 103)
    next.answer({ code: 19, nextBeginOffset: Long.fromNumber(103) })
    await settle()
    const { commitOffset, sysFlag } = remoting.pulls[3]!.extFields
    assert.deepEqual([commitOffset, sysFlag], [103, 3])
    await consumer.shutdown()
  })

  it('that matches nothing moves on, and the offset with it once nothing is held', async t => {
    const fixture = setUp(t)
    const { remoting, consumer } = fixture
    await pulling(fixture, t)
    remoting.pulls[0]!.answer({ code: 20, nextBeginOffset: Long.fromNumber(150) })
    await settle()
    const { queueOffset, commitOffset } = remoting.pulls[2]!.extFields
    assert.deepEqual([queueOffset, commitOffset], [150, 150])
    await consumer.shutdown()
  })

  it('of an offset the broker does not have starts over from where the broker says', async t => {
    const fixture = setUp(t)
    const { remoting, consumer } = fixture
    const stored = new Map<unknown, string>()
    remoting.answers.set(14, ({ extFields }) => {
      const offset = stored.get(extFields['queueId'])
      return offset === undefined ? { code: 22 } : { extFields: { offset } }
    })
    await pulling(fixture, t)
    remoting.pulls[0]!.answer({ code: 21, nextBeginOffset: Long.fromNumber(40) })
    await settle()
    assert.deepEqual(
      consumer.assignedMessageQueues.map(mq => mq.queueId),
      [1]
    )
    const [commit] = remoting.oneways
    assert.deepEqual([commit!.code, commit!.extFields['queueId'], commit!.extFields['commitOffset']], [15, 0, 40])
    stored.set(0, '40')
    await tick(t, 1000)
    assert.equal(consumer.assignedMessageQueues.length, 2)
    await tick(t, 500)
    const again = remoting.pulls.at(-1)!.extFields
    assert.deepEqual([again['queueId'], again['queueOffset']], [0, 40])
    await consumer.shutdown()
  })

  it('that fails is repeated after a second, after 20 ms when the broker asks for less', async t => {
    const fixture = setUp(t)
    const { remoting, consumer, reports } = fixture
    await pulling(fixture, t)
    remoting.pulls[0]!.fail(new ConnectionError('reset', 'a:10911'))
    remoting.pulls[1]!.answer({ code: 215, remark: 'slow down' })
    await settle()
    await tick(t, 19)
    assert.equal(remoting.pulls.length, 2)
    await tick(t, 1)
    assert.equal(remoting.pulls.length, 3)
    await tick(t, 980)
    assert.equal(remoting.pulls.length, 4)
    assert.equal(reports.length, 1)
    await consumer.shutdown()
  })

  it('goes where the last answer suggested, if there is such a slave', async t => {
    const fixture = setUp(t)
    const { remoting, consumer } = fixture
    const body = JSON.stringify({
      brokerDatas: [{ brokerAddrs: { 0: 'master:1', 1: 'slave:1' }, brokerName: 'a', cluster: 'C' }],
      queueDatas: [{ brokerName: 'a', perm: 6, readQueueNums: 1, writeQueueNums: 1 }]
    })
    remoting.answers.set(105, ({ extFields }) =>
      extFields['topic'] === 'T' ? { body: Buffer.from(body) } : { code: 17 }
    )
    await pulling(fixture, t)
    remoting.pulls[0]!.answer({ ...found([100]), suggestWhichBrokerId: 1 })
    await settle()
    remoting.pulls[1]!.answer({ ...found([101]), suggestWhichBrokerId: 0 })
    await settle()
    assert.deepEqual(
      remoting.pulls.map(pull => pull.address),
      ['master:1', 'slave:1', 'master:1']
    )
    assert.equal(remoting.pulls[1]!.extFields['sysFlag'], 2)
    await consumer.shutdown()
  })
})

describe('flow control', () => {
  const cases: [string, Partial<PushConsumerOptions>, number[]][] = [
    ['too many messages', { pullThresholdForQueue: 4 }, range(100, 5)],
    ['messages too far apart', { consumeConcurrentlyMaxSpan: 10 }, [100, 111]]
  ]
  for (const [what, options, offsets] of cases) {
    it(`does not pull a queue that holds ${what}, and looks again every 50 ms`, async t => {
      const open: (() => void)[] = []
      const fixture = setUp(t, options, () => new Promise<void>(resolve => open.push(resolve)))
      const { remoting, consumer } = fixture
      await pulling(fixture, t)
      const before = remoting.pulls.length
      remoting.pulls[0]!.answer(found(offsets))
      await settle()
      await tick(t, 50)
      assert.equal(remoting.pulls.length, before)
      for (const finish of open) finish()
      await settle()
      assert.equal(remoting.pulls.length, before)
      await tick(t, 50)
      assert.equal(remoting.pulls.length, before + 1)
      await consumer.shutdown()
    })
  }

  it('shares pullThresholdForTopic out among the queues', async t => {
    const open: (() => void)[] = []
    const fixture = setUp(t, { pullThresholdForTopic: 4 }, () => new Promise<void>(resolve => open.push(resolve)))
    const { remoting, consumer } = fixture
    await pulling(fixture, t)
    remoting.pulls[0]!.answer(found(range(100, 2)))
    await settle()
    assert.equal(remoting.pulls.length, 3)
    remoting.pulls[2]!.answer(found(range(102, 1)))
    await settle()
    assert.equal(remoting.pulls.length, 3)
    for (const finish of open) finish()
    await consumer.shutdown()
  })
})

describe('the group', () => {
  it('gives each member its share, and queues that go elsewhere are let go with their offsets stored', async t => {
    const fixture = setUp(t)
    const { remoting, consumer } = fixture
    await pulling(fixture, t)
    remoting.pulls[1]!.answer(found([100]))
    await settle()
    const before = consumer.clientId!
    remoting.answers.set(38, () => ({ body: Buffer.from(JSON.stringify({ consumerIdList: ['zzz', before] })) }))
    await remoting.requestHandler('a:10911', {
      code: 40,
      version: 0,
      remark: undefined,
      extFields: {},
      body: Buffer.alloc(0)
    })
    await tick(t, 1000)
    assert.deepEqual(
      consumer.assignedMessageQueues.map(mq => mq.queueId),
      [0]
    )
    const commits = remoting.oneways.filter(({ extFields }) => extFields['queueId'] === 1)
    assert.equal(commits.at(-1)!.extFields['commitOffset'], 101)
    const pulls = remoting.pulls.length
    remoting.pulls.at(-1)!.answer(found([101]))
    await settle()
    assert.equal(remoting.pulls.length, pulls)
    await consumer.shutdown()
  })

  it('says so when another process has its client id too', async t => {
    const fixture = setUp(t)
    const { remoting, consumer, reports } = fixture
    const { clientId } = await pulling(fixture, t).then(() => consumer)
    remoting.answers.set(38, () => ({ body: Buffer.from(JSON.stringify({ consumerIdList: [clientId, clientId] })) }))
    for (let round = 0; round < 5; round++) await tick(t, 20_000)
    const told = reports.filter(report => report.includes(`another live client calls itself ${clientId}`))
    assert.equal(told.length, 1)
    await consumer.shutdown()
  })

  it('finds its retry topic as soon as the broker has made it', async t => {
    const fixture = setUp(t)
    const { remoting, consumer } = fixture
    await pulling(fixture, t)
    remoting.route({ T: { a: 2 }, '%RETRY%cg': { a: 1 } })
    await tick(t, 1000)
    await tick(t, 1000)
    assert.ok(consumer.assignedMessageQueues.some(mq => mq.topic === '%RETRY%cg'))
    await consumer.shutdown()
  })

  it('hears of new and of dropped subscriptions while running', async t => {
    const fixture = setUp(t)
    const { remoting, consumer } = fixture
    await pulling(fixture, t)
    remoting.route({ T: { a: 2 }, U: { a: 1 } })
    consumer.subscribe('U')
    await settle()
    await tick(t, 1000)
    assert.ok(consumer.assignedMessageQueues.some(mq => mq.topic === 'U'))
    consumer.unsubscribe('T')
    await settle()
    await tick(t, 1000)
    assert.deepEqual(
      consumer.assignedMessageQueues.map(mq => mq.topic),
      ['U']
    )
    const last = JSON.parse(remoting.requestsOf(34).at(-1)!.body.toString()) as {
      consumerDataSet: { subscriptionDataSet: { topic: string }[] }[]
    }
    const topics = last.consumerDataSet[0]!.subscriptionDataSet.map(data => data.topic).sort()
    assert.deepEqual(topics, ['%RETRY%cg', 'U'])
    await consumer.shutdown()
  })

  it('pulls with the version of the subscription that brokers have heard of, never a newer one', async t => {
    const fixture = setUp(t)
    const { remoting, consumer } = fixture
    const heard: number[] = []
    remoting.answers.set(34, ({ body }) => {
      const { consumerDataSet } = JSON.parse(body.toString()) as {
        consumerDataSet: { subscriptionDataSet: { topic: string; subVersion: number }[] }[]
      }
      heard.push(consumerDataSet[0]!.subscriptionDataSet.find(data => data.topic === 'T')!.subVersion)
      return {}
    })
    remoting.onPull = pull => assert.ok(Number(pull.extFields['subVersion']) <= Math.max(...heard))
    await pulling(fixture, t)
    remoting.route({ T: { a: 3 } })
    await tick(t, 30_000)
    await tick(t, 1000)
    assert.equal(consumer.assignedMessageQueues.length, 3)
    remoting.pulls[0]!.answer(found([100]))
    await settle()
    assert.ok(heard.at(-1)! > heard[0]!)
    assert.equal(remoting.pulls.at(-1)!.extFields['subVersion'], heard.at(-1))
    await consumer.shutdown()
  })

  it('stores offsets after 10 s and then every 5 s', async t => {
    const fixture = setUp(t)
    const { remoting, consumer } = fixture
    await pulling(fixture, t)
    remoting.pulls[0]!.answer(found([100]))
    await settle()
    remoting.oneways.length = 0
    await tick(t, 10_000)
    assert.ok(remoting.oneways.some(({ extFields }) => extFields['commitOffset'] === 101))
    remoting.oneways.length = 0
    await tick(t, 5_000)
    assert.ok(remoting.oneways.some(({ extFields }) => extFields['commitOffset'] === 101))
    await consumer.shutdown()
  })
})

describe('broadcasting', () => {
  it('takes all queues, knows no retry topic, and keeps its offsets in a file', async t => {
    const directory = mkdtempSync(join(tmpdir(), 'offsets-'))
    t.after(() => rmSync(directory, { recursive: true }))
    const fixture = setUp(t, { messageModel: 'BROADCASTING', localOffsetStoreDir: directory, clientIP: '10.0.0.1' })
    const { remoting, consumer } = fixture
    await pulling(fixture, t)
    assert.equal(consumer.assignedMessageQueues.length, 2)
    assert.equal(remoting.requestsOf(38).length, 0)
    remoting.pulls[0]!.answer(found([100]))
    await settle()
    assert.equal(remoting.pulls.at(-1)!.extFields['commitOffset'], 0)
    await consumer.shutdown()
    assert.equal(remoting.offsetUpdates.length, 0)
    const file = readFileSync(join(directory, '10.0.0.1@me', 'cg', 'offsets.json'), 'utf8')
    assert.match(file, /\{"brokerName":"a","queueId":0,"topic":"T"\}:101/)
  })
})

describe('a message the listener fails at', () => {
  it('is given back with all that the broker needs to know', async t => {
    const fixture = setUp(t, { maxReconsumeTimes: 3 }, () => 'RECONSUME_LATER')
    const { remoting, consumer } = fixture
    await pulling(fixture, t)
    remoting.pulls[0]!.answer(found([100]))
    await settle()
    const [back] = remoting.requestsOf(36)
    const { group, offset, delayLevel, originTopic, originMsgId, maxReconsumeTimes } = back!.extFields
    assert.deepEqual([group, delayLevel, originTopic, maxReconsumeTimes], ['cg', 0, 'TopicTest', 3])
    assert.equal(String(offset), String(0x102030405))
    assert.equal(originMsgId, '7F00000100002A9F4B3C000000000001')
    await consumer.shutdown()
    const stored = remoting.offsetUpdates.filter(({ extFields }) => extFields['queueId'] === 0)
    assert.equal(stored.at(-1)!.extFields['commitOffset'], 101)
  })

  it('is sent to the retry topic as a new message when its broker does not take it back', async t => {
    const fixture = setUp(t, { maxReconsumeTimes: 3 }, () => 'RECONSUME_LATER')
    const { remoting, consumer, reports } = fixture
    remoting.route({ T: { a: 2 }, '%RETRY%cg': { a: 50, b: 1 } })
    let refusals = 1
    remoting.answers.set(36, ({ address }) => new ConnectionError('connection lost', address))
    remoting.answers.set(310, () => (refusals-- > 0 ? { code: 2, remark: 'busy' } : {}))
    await pulling(fixture, t)
    remoting.pulls[0]!.answer(found([100]))
    await settle()
    assert.match(reports[0]!, /giving .* sent to the group as a new message instead: connection lost/)
    const sends = remoting.requestsOf(310)
    assert.deepEqual(
      new Set(sends.map(({ address }) => address)),
      new Set(['a:10911', 'b:10911']),
      'another broker then'
    )
    const { a, b, i, j, l } = sends[1]!.extFields
    assert.deepEqual([a, b, j, l], ['CLIENT_INNER_PRODUCER', '%RETRY%cg', 3, 3])
    const properties = decodeProperties(String(i))
    assert.equal(properties.get('RETRY_TOPIC'), 'TopicTest')
    assert.equal(properties.get('ORIGIN_MESSAGE_ID'), '7F00000100002A9F4B3C000000000001')
    assert.equal(properties.get('DELAY'), '5', 'the third delivery')
    assert.equal(properties.has('MIN_OFFSET'), false)
    await consumer.shutdown()
    const stored = remoting.offsetUpdates.filter(({ extFields }) => extFields['queueId'] === 0)
    assert.equal(stored.at(-1)!.extFields['commitOffset'], 101)
  })

  it('whose body does not inflate stays compressed as it is when it is sent as a new message', async t => {
    const fixture = setUp(t, {}, () => assert.fail('no listener can read it'))
    const { remoting, consumer } = fixture
    remoting.route({ T: { a: 2 }, '%RETRY%cg': { a: 1 } })
    remoting.answers.set(36, ({ address }) => new ConnectionError('connection lost', address))
    await pulling(fixture, t)
    const messages = recordsAt([100])
    messages.writeInt32BE(0x201, 36)
    remoting.pulls[0]!.answer({ ...found([100]), messages, unreadable: '100: malformed' })
    await settle()
    assert.equal(remoting.requestsOf(36)[0]!.extFields['delayLevel'], -1)
    assert.equal(remoting.requestsOf(310)[0]!.extFields['f'], 0x201)
    await consumer.shutdown()
  })

  it('holds its queue back when the broker refuses it', async t => {
    const fixture = setUp(t, {}, () => 'RECONSUME_LATER')
    const { remoting, consumer, reports } = fixture
    remoting.answers.set(36, () => ({ code: 3, remark: 'request type 36 not supported' }))
    await pulling(fixture, t)
    remoting.pulls[0]!.answer(found([100]))
    await settle()
    assert.match(reports[0]!, /back to the broker for redelivery: .*not supported/)
    await tick(t, 5000)
    assert.equal(remoting.requestsOf(36).length, 2)
    await consumer.shutdown()
    const commits = remoting.offsetUpdates.filter(({ extFields }) => extFields['queueId'] === 0)
    assert.ok(commits.every(({ extFields }) => Number(extFields['commitOffset']) <= 100))
  })
})

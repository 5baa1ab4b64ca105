import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { describe, it } from 'node:test'
import Long from 'long'
import { PushConsumer } from '../../../ts/consumer/push-consumer.js'
import type { MessageListenerConcurrently } from '../../../ts/consumer/types.js'
import type { MessageExt } from '../../../ts/message/message-ext.js'
import { compressBody } from '../../../ts/message/compression.js'
import { MessageQueue } from '../../../ts/message/message-queue.js'
import { decodeRecord, encodeRecord } from '../../../ts/message/record.js'
import type { RemotingResponse } from '../../../ts/remoting/types.js'
import { encodeQueueTable, parseQueueTable } from '../../../ts/route/queue-table.js'
import { FakeRemoting, registryOf, settle } from '../helpers/fake-remoting.js'
import { recordsAt } from '../helpers/records.js'

interface Fixture {
  readonly remoting: FakeRemoting
  readonly consumer: PushConsumer
  /** What the consumer was told went wrong. */
  readonly faults: string[]
  ask(code: number, extFields: Record<string, string>, body?: Buffer): Promise<RemotingResponse | undefined>
}

/** A running consumer of two queues of topic T, which are pulled from offset 100 on. */
async function running(t: TestContext, listener: MessageListenerConcurrently = () => undefined): Promise<Fixture> {
  t.mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'Date'], now: 1_000_000 })
  const remoting = new FakeRemoting()
  const faults: string[] = []
  const onError = (error: Error, doing: string): number => faults.push(`${doing}: ${error.message}`)
  remoting.route({ T: { a: 2 } })
  const consumer = new PushConsumer(
    { namesrvAddr: '127.0.0.1:9876', consumerGroup: 'cg', instanceName: 'me', onError },
    registryOf(remoting)
  )
  remoting.answers.set(38, () => ({ body: Buffer.from(JSON.stringify({ consumerIdList: [consumer.clientId] })) }))
  remoting.answers.set(14, () => ({ code: 22, remark: 'not found' }))
  remoting.answers.set(30, () => ({ extFields: { offset: '100' } }))
  consumer.subscribe('T', 'TagA')
  consumer.registerMessageListener(listener)
  await consumer.start()
  for (const ms of [1, 500]) {
    t.mock.timers.tick(ms)
    await settle()
  }
  return {
    remoting,
    consumer,
    faults,
    ask: async (code, extFields, body = Buffer.alloc(0)) =>
      remoting.requestHandler('a:10911', { code, version: 513, remark: undefined, extFields, body })
  }
}

describe('a consumer that is asked by a broker', () => {
  it('goes on from the offsets it is told, and what it held does not count', async t => {
    let finish: (() => void) | undefined
    const working = new Promise<void>(resolve => (finish = resolve))
    const { remoting, consumer, ask } = await running(t, () => working)
    const [first] = remoting.pulls
    first!.answer({ code: 0, messages: recordsAt([100]), messageCount: 1, nextBeginOffset: Long.fromNumber(101) })
    await settle()
    const pulls = remoting.pulls.length
    const queue = new MessageQueue('T', 'a', Number(first!.extFields['queueId']))
    const table = `{"offsetTable":${encodeQueueTable([[queue, 7]])}}`
    assert.deepEqual(await ask(220, { topic: 'T', group: 'cg', timestamp: '0' }, Buffer.from(table)), { code: 0 })
    finish!()
    t.mock.timers.tick(500)
    await settle()
    const again = remoting.pulls.slice(pulls)
    assert.deepEqual(
      again.map(({ extFields }) => [extFields['queueId'], extFields['queueOffset'], extFields['commitOffset']]),
      [[queue.queueId, 7, 7]]
    )
    await consumer.shutdown()
    const stored = remoting.offsetUpdates.filter(({ extFields }) => extFields['queueId'] === queue.queueId)
    assert.equal(stored.at(-1)!.extFields['commitOffset'], 7)
  })

  it('says so when it is told to reset offsets and not to which', async t => {
    const { remoting, consumer, faults, ask } = await running(t)
    const pulls = remoting.pulls.length
    const header = { topic: 'T', group: 'cg' }
    faults.length = 0
    await ask(220, header, Buffer.from('{"offsetTable":{}}'))
    assert.deepEqual(faults, [])
    for (const body of ['', '{"offsetTable":{{', '{"offsetTable":null}']) {
      assert.deepEqual(await ask(220, header, Buffer.from(body)), { code: 0 })
      assert.match(faults.pop() ?? '', /resetting offsets of topic T for a:10911: no offset was reset/)
    }
    t.mock.timers.tick(500)
    await settle()
    assert.equal(remoting.pulls.length, pulls)
    await consumer.shutdown()
  })

  it('leaves its queues alone when they are told to another group', async t => {
    const { remoting, consumer, ask } = await running(t)
    const pulls = remoting.pulls.length
    const table = `{"offsetTable":${encodeQueueTable([[new MessageQueue('T', 'a', 0), 7]])}}`
    assert.deepEqual(await ask(220, { topic: 'T', group: 'other' }, Buffer.from(table)), { code: 0 })
    assert.deepEqual(await ask(220, { topic: 'U', group: 'cg' }, Buffer.from(table)), { code: 0 })
    t.mock.timers.tick(500)
    await settle()
    assert.equal(remoting.pulls.length, pulls)
    await consumer.shutdown()
  })

  it('tells the offsets of a topic', async t => {
    const { remoting, consumer, ask } = await running(t)
    const [pull] = remoting.pulls
    pull!.answer({ code: 0, messages: recordsAt([100]), messageCount: 1, nextBeginOffset: Long.fromNumber(101) })
    await settle()
    const answer = await ask(221, { topic: 'T', group: 'cg' })
    const queue = new MessageQueue('T', 'a', Number(pull!.extFields['queueId']))
    assert.deepEqual(parseQueueTable(Buffer.from(answer!.body!).toString()), [[queue, 101]])
    const none = await ask(221, { topic: 'T', group: 'other' })
    assert.deepEqual(parseQueueTable(Buffer.from(none!.body!).toString()), [])
    await consumer.shutdown()
  })

  it('tells what it does', async t => {
    const { consumer, ask } = await running(t)
    const answer = await ask(307, { consumerGroup: 'cg', clientId: 'x', jstackEnable: 'true' })
    const text = Buffer.from(answer!.body!).toString()
    assert.match(text, /"PROP_NAMESERVER_ADDR":"127\.0\.0\.1:9876;"/)
    assert.match(text, /"PROP_CONSUME_TYPE":"CONSUME_PASSIVELY"/)
    assert.match(text, /"mqTable":\{\{"brokerName":"a","queueId":0,"topic":"T"\}:\{"commitOffset":-1,/)
    assert.match(text, /"statusTable":\{"T":\{"pullRT":0,"pullTPS":0,"consumeRT":0,[^}]*\},"%RETRY%cg":\{/)
    assert.match(text, /"jstack":"Node\.js v/)
    const unknown = await ask(307, { consumerGroup: 'other', clientId: 'x' })
    assert.deepEqual(unknown, { code: 1, remark: 'The Consumer Group <other> not exist in this consumer' })
    await consumer.shutdown()
  })

  it('has a message consumed, and tells how that went', async t => {
    const seen: MessageExt[] = []
    let outcome: (() => ReturnType<MessageListenerConcurrently>) | undefined
    const { consumer, ask } = await running(t, messages => {
      seen.push(...messages)
      return outcome?.()
    })
    const plain = decodeRecord(recordsAt([5]))
    const body = Buffer.from('x'.repeat(100))
    const record = encodeRecord({ ...plain, sysFlag: 0x201, body: compressBody('ZSTD', body) })
    const consume = async (): Promise<Record<string, unknown>> => {
      const answer = await ask(309, { consumerGroup: 'cg', brokerName: 'a', clientId: 'x', msgId: 'y' }, record)
      return JSON.parse(Buffer.from(answer!.body!).toString()) as Record<string, unknown>
    }
    assert.deepEqual(await consume(), {
      order: false,
      autoCommit: true,
      consumeResult: 'CR_SUCCESS',
      spentTimeMills: 0
    })
    assert.deepEqual([seen[0]!.body, seen[0]!.brokerName, seen[0]!.queueOffsetNumber], [body, 'a', 5])
    outcome = () => 'RECONSUME_LATER'
    assert.equal((await consume())['consumeResult'], 'CR_LATER')
    outcome = () => Promise.reject(new TypeError('not today'))
    const { consumeResult, remark } = await consume()
    assert.deepEqual([consumeResult, remark], ['CR_THROW_EXCEPTION', 'TypeError: not today'])
    const unknown = await ask(309, { consumerGroup: 'other', brokerName: 'a' }, record)
    assert.equal(unknown!.code, 1)
    await consumer.shutdown()
  })
})

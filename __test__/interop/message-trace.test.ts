/** Message trace on Apache's broker: what Apache's tools make of the records our producer sends. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { promisify } from 'node:util'
import { Producer, PushConsumer, type SendResult } from '../../ts/index.js'
import type { PubTraceContext } from '../../ts/trace/trace-context.js'
import { decodeTraceData } from '../../ts/trace/trace-data-encoder.js'
import { ApacheBroker, ApacheNameServer } from './helpers/apache-server.js'
import { peerClassPath } from './helpers/java-peer.js'
import { TemporaryDirectory } from './helpers/owned.js'
import { repositoryRoot } from './helpers/repository.js'
import { until } from './helpers/until.js'

const run = promisify(execFile)
const SMALL_JVM = ['-Xmx128m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1']

interface Received {
  readonly records: PubTraceContext[]
  /** Of the messages they came in. */
  readonly keys: string[]
}

/** What a consumer of the trace topic gets from each of these groups, once there are so many records from each. */
async function receivedTraces(namesrvAddr: string, groups: readonly string[], count: number): Promise<Received[]> {
  await using consumer = new PushConsumer({
    namesrvAddr,
    consumerGroup: 'tracer',
    consumeFromWhere: 'CONSUME_FROM_FIRST_OFFSET'
  })
  const received = new Map(groups.map(group => [group, { records: [], keys: [] } as Received]))
  consumer.subscribe('RMQ_SYS_TRACE_TOPIC', '*')
  consumer.registerMessageListener(messages => {
    for (const message of messages) {
      const records = decodeTraceData(message.body.toString()) as PubTraceContext[]
      const of = received.get(records[0]!.groupName)
      of?.records.push(...records)
      of?.keys.push(...message.keys!.split(' '))
    }
  })
  await consumer.start()
  const all = [...received.values()]
  await until('the records', () => all.every(({ records }) => records.length >= count), { timeoutMs: 60_000 })
  for (const { records } of all) records.sort((a, b) => a.timeStamp - b.timeStamp)
  return all
}

/** Without what differs from message to message. */
function comparable(record: PubTraceContext): unknown {
  const { timeStamp, costTime, groupName, msgId, offsetMsgId, bodyLength, ...rest } = record
  assert.ok(Math.abs(Date.now() - timeStamp) < 600_000 && costTime < 600_000 && groupName !== '')
  const ids = [msgId, offsetMsgId!].map(list => list.split(',').length)
  // Ids are longer where the address in them is that of IPv6; the body of a batch has them.
  const ofIds = ids[0]! > 1 ? msgId.replaceAll(',', '').length : 0
  // Compressed bodies may differ by some bytes from one zlib to the other.
  const bytes = bodyLength > 20 && bodyLength < 100 ? 'compressed' : bodyLength - ofIds
  return { ...rest, ids, offsetIdDigits: offsetMsgId!.length, bytes }
}

describe('message trace', () => {
  const home = new TemporaryDirectory()
  let nameServer: ApacheNameServer
  let broker: ApacheBroker

  before(async () => {
    nameServer = await ApacheNameServer.start()
    broker = await ApacheBroker.start({ nameServerPort: nameServer.port, properties: { traceTopicEnable: true } })
  })
  after(async () => {
    for (const each of [broker, nameServer]) await each?.[Symbol.asyncDispose]()
    home[Symbol.dispose]()
  })

  async function java(main: string, ...programArguments: string[]): Promise<string> {
    const flags = [...SMALL_JVM, `-Duser.home=${home.path}`, '-cp', await peerClassPath(), main]
    return (await run('java', [...flags, ...programArguments], { maxBuffer: 16 * 1024 * 1024 })).stdout
  }

  /** What `mqadmin queryMsgTraceById` prints, once it has something to print. */
  function traceOf(msgId: string): Promise<string> {
    const query = ['queryMsgTraceById', '-i', msgId, '-n', nameServer.address, '-t', 'RMQ_SYS_TRACE_TOPIC']
    return until(`the trace of ${msgId}`, async () => {
      const printed = await java('org.apache.rocketmq.tools.command.MQAdminStartup', ...query).catch(() => '')
      return printed.includes('#ProducerGroup') && printed
    })
  }

  it('of a message is found by its id and printed by mqadmin', async () => {
    await using producer = new Producer({
      namesrvAddr: nameServer.address,
      producerGroup: 'traced',
      enableTrace: true,
      sendMsgTimeout: 10_000
    })
    await producer.start()
    const one = await producer.send({ topic: 'Traced', body: 'one', tags: 'x', keys: 'key-1' })
    const batch = await producer.send([{ topic: 'Traced', body: 'two' }])
    await producer.shutdown()
    for (const { msgId } of [one, batch]) {
      assert.match(await traceOf(msgId), /\nPub +traced +127\.0\.0\.1 +[-\d]+ [:\d]+ +\d+ms +success/)
    }
  })

  it("says of messages of all kinds what that of Apache's producer says", async () => {
    const { address } = nameServer
    await java('TraceProduce', address, 'theirs', 'Traced')
    await using producer = new Producer({ namesrvAddr: address, producerGroup: 'ours', enableTrace: true })
    await producer.start()
    const sent = [
      await producer.send({ topic: 'Traced', body: 'plain' }),
      await producer.send({ topic: 'Traced', body: 'tagged', tags: 'x', keys: ['k1', 'k2'] }),
      await producer.send({ topic: 'Traced', body: 'a'.repeat(10_000) }),
      await producer.send({ topic: 'Traced', body: 'delayed', delayTimeLevel: 1 }),
      await producer.send(['first', 'second'].map(body => ({ topic: 'Traced', body })))
    ]
    const called = await new Promise<SendResult | undefined>(resolve => {
      producer.send({ topic: 'Traced', body: 'callback' }, (_error: unknown, result: SendResult | undefined) =>
        resolve(result)
      )
    })
    await producer.sendOneway({ topic: 'Traced', body: 'oneway' })
    await producer.shutdown()

    const received = await receivedTraces(address, ['ours', 'theirs'], sent.length + 1)
    const [ours, theirs] = received.map(each => each.records)
    assert.deepEqual(
      ours!.map(({ msgId }) => msgId),
      [...sent, called!].map(({ msgId }) => msgId)
    )
    assert.deepEqual(ours!.map(comparable), theirs!.map(comparable))
    // Java keeps the keys of a message in a set.
    for (const { keys, records } of received) {
      assert.deepEqual(keys.sort(), [...new Set(records.map(({ msgId }) => msgId)), 'k1', 'k2'].sort())
    }
  })

  it('is left out where the broker wants none', async () => {
    await using names = await ApacheNameServer.start()
    const properties = { traceTopicEnable: true, traceOn: false }
    await using quiet = await ApacheBroker.start({ nameServerPort: names.port, properties })
    await using producer = new Producer({ namesrvAddr: names.address, producerGroup: 'unheard', enableTrace: true })
    await producer.start()
    assert.equal((await producer.send({ topic: 'Quiet', body: 'x' })).traceOn, false)
    await producer.shutdown()
    await using asking = new Producer({ namesrvAddr: names.address, producerGroup: 'asking' })
    await asking.start()
    const [queue] = await asking.fetchPublishMessageQueues('RMQ_SYS_TRACE_TOPIC')
    assert.equal((await asking.maxOffset(queue!)).toNumber(), 0)
    assert.ok(quiet.process.running)
  })

  it("is encoded in the golden file as Apache's TraceDataEncoder does", async () => {
    const fixtures = join(repositoryRoot, '__test__', 'fixtures')
    const made = join(home.path, 'trace-data.jsonl')
    await java('TraceGolden', join(fixtures, 'trace-contexts.json'), made)
    assert.equal(readFileSync(made, 'utf8'), readFileSync(join(fixtures, 'trace-data.jsonl'), 'utf8'))
  })
})

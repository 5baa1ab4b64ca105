/** Message trace on Apache's broker: what Apache's tools make of the records our producer sends. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { promisify } from 'node:util'
import { Producer, PushConsumer } from '../../ts/index.js'
import { decodeTraceData } from '../../ts/trace/trace-data-encoder.js'
import { ApacheBroker, ApacheNameServer } from './helpers/apache-server.js'
import { peerClassPath } from './helpers/java-peer.js'
import { TemporaryDirectory } from './helpers/owned.js'
import { repositoryRoot } from './helpers/repository.js'
import { until } from './helpers/until.js'

const run = promisify(execFile)
const SMALL_JVM = ['-Xmx128m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1']

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

  it('comes to a consumer of the trace topic as it was sent, findable by the keys of the message', async () => {
    await using consumer = new PushConsumer({
      namesrvAddr: nameServer.address,
      consumerGroup: 'tracer',
      consumeFromWhere: 'CONSUME_FROM_FIRST_OFFSET'
    })
    const seen: [keys: string | undefined, body: string][] = []
    consumer.subscribe('RMQ_SYS_TRACE_TOPIC', '*')
    consumer.registerMessageListener(messages => {
      for (const message of messages) seen.push([message.keys, message.body.toString()])
    })
    await consumer.start()
    await using producer = new Producer({
      namesrvAddr: nameServer.address,
      producerGroup: 'traced2',
      enableTrace: true,
      sendMsgTimeout: 10_000
    })
    await producer.start()
    const sent = await producer.send({ topic: 'Traced', body: 'three', keys: 'key-3' })
    const [keys, body] = await until('the trace message', () => seen.find(each => each[1].includes(sent.msgId)), {
      timeoutMs: 60_000
    })
    assert.equal(keys, `${sent.msgId} key-3`)
    const [record] = decodeTraceData(body)
    assert.ok(record?.traceType === 'Pub')
    assert.deepEqual(
      [record.groupName, record.storeHost, record.offsetMsgId, record.bodyLength, record.success],
      ['traced2', broker.address, sent.offsetMsgId, 5, true]
    )
  })

  it("is encoded in the golden file as Apache's TraceDataEncoder does", async () => {
    const fixtures = join(repositoryRoot, '__test__', 'fixtures')
    const made = join(home.path, 'trace-data.jsonl')
    await java('TraceGolden', join(fixtures, 'trace-contexts.json'), made)
    assert.equal(readFileSync(made, 'utf8'), readFileSync(join(fixtures, 'trace-data.jsonl'), 'utf8'))
  })
})

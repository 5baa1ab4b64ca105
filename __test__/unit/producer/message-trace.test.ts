import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ConnectionError } from '../../../ts/errors.js'
import { ClientRegistry } from '../../../ts/client/client-registry.js'
import { Message } from '../../../ts/message/message.js'
import { decodeProperties } from '../../../ts/message/properties.js'
import { EndTransactionTraceHook } from '../../../ts/producer/message-trace.js'
import type { ProducerOptions } from '../../../ts/producer/options.js'
import { Producer } from '../../../ts/producer/producer.js'
import type { AsyncTraceDispatcher } from '../../../ts/trace/async-trace-dispatcher.js'
import type { TraceContext } from '../../../ts/trace/trace-context.js'
import { decodeTraceData } from '../../../ts/trace/trace-data-encoder.js'
import type { FakeSend } from '../helpers/fake-remoting.js'
import { FakeRemoting } from '../helpers/fake-remoting.js'

const OFFSET_ID = '0A00000100002A9F0000000000000001'
const TRACE = 'RMQ_SYS_TRACE_TOPIC'

interface Scene {
  readonly producer: Producer
  /** Of the producer, and of its traces. */
  readonly own: FakeRemoting
  readonly traces: FakeRemoting
  readonly registry: ClientRegistry
  readonly reports: string[]
}

async function scene(outcome: (send: FakeSend) => void, options: Partial<ProducerOptions> = {}): Promise<Scene> {
  const remotings = [new FakeRemoting(), new FakeRemoting()] as const
  const [own, traces] = remotings
  for (const remoting of remotings) {
    remoting.route({ T: { a: 1, b: 1 }, [TRACE]: { a: 1 }, MyTrace: { a: 1 }, rmq_sys_TRACE_DATA_R: { a: 1 } })
    remoting.onSend = outcome
  }
  let made = 0
  const registry = new ClientRegistry(() => remotings[made++]!)
  const reports: string[] = []
  const producer = new Producer(
    {
      namesrvAddr: 'ns1:9876;ns2:9876',
      producerGroup: 'pg',
      clientIP: '10.1.2.3',
      enableTrace: true,
      onError: (error, doing) => void reports.push(`${doing}: ${error.message}`),
      ...options
    },
    registry
  )
  await producer.start()
  return { producer, own, traces, registry, reports }
}

function answer(send: FakeSend, traceOn = true, regionId?: string): void {
  send.pending.onSent(0, send.template.queueId, 0, 0, OFFSET_ID, traceOn, regionId)
}

function records({ traces }: Scene): TraceContext[] {
  return traces.sends.flatMap(send => decodeTraceData(Buffer.from(send.fields.body).toString()))
}

describe('a producer with enableTrace', () => {
  it('sends a record of each message, by a producer and an instance of its own', async () => {
    const at = await scene(send => answer(send))
    assert.equal(at.registry.size, 2)
    const result = await at.producer.send({ topic: 'T', body: 'body', tags: 'x', keys: ['k1', 'k2'] })
    await at.producer.shutdown()
    const [record] = records(at)
    assert.ok(record?.traceType === 'Pub')
    const { timeStamp, costTime, ...rest } = record
    assert.ok(timeStamp <= Date.now() && costTime >= 0)
    assert.deepEqual(rest, {
      traceType: 'Pub',
      regionId: 'DefaultRegion',
      groupName: 'pg',
      topic: 'T',
      msgId: result.msgId,
      tags: 'x',
      keys: 'k1 k2',
      storeHost: `${result.messageQueue.brokerName}:10911`,
      msgType: 'Normal_Msg',
      bodyLength: 4,
      offsetMsgId: OFFSET_ID,
      success: true
    })
    const [send] = at.traces.sends
    assert.match(send!.template.producerGroup, /^_INNER_TRACE_PRODUCER-pg-PRODUCE-\d+$/)
    assert.equal(send!.template.topic, TRACE)
    assert.equal(decodeProperties(send!.fields.properties).get('KEYS'), `${result.msgId} k1 k2`)
    assert.equal(at.own.sends.length, 1)
    assert.deepEqual([at.registry.size, at.own.closed, at.traces.closed], [0, true, true])
  })

  it('calls the instance of its traces as Java does', async () => {
    const at = await scene(send => answer(send))
    const beats: string[] = []
    at.traces.answers.set(34, ({ body }) => {
      beats.push(body.toString())
      return {}
    })
    await at.producer.send({ topic: 'T', body: 'b' })
    await at.producer.shutdown()
    const left = at.traces.requestsOf(35)
    assert.equal(left[0]?.extFields['clientID'], '10.1.2.3@PID_CLIENT_INNER_TRACE_PRODUCER_ns1:9876;ns2:9876')
  })

  it('says what was true when the message was sent, and how it was stored', async () => {
    const at = await scene(send => send.pending.onSent(12, 0, 0, 0, OFFSET_ID, true, 'R'))
    const message = new Message({ topic: 'T', body: 'b', keys: 'first' })
    const sending = at.producer.send(message)
    message.keys = 'second'
    await sending
    await at.producer.shutdown()
    const [record] = records(at)
    assert.ok(record?.traceType === 'Pub')
    assert.deepEqual([record.keys, record.success, record.regionId], ['first', false, 'R'])
  })

  it('leaves no record where the broker wants none, nothing was answered, or the message is a trace itself', async () => {
    let fail = false
    const at = await scene(send => (fail ? send.pending.onFailed(new ConnectionError('no', 'a')) : answer(send, false)))
    await at.producer.send({ topic: 'T', body: 'b' })
    await at.producer.sendOneway({ topic: 'T', body: 'b' })
    fail = true
    await assert.rejects(at.producer.send({ topic: 'T', body: 'b' }))
    fail = false
    at.own.onSend = send => answer(send)
    await at.producer.send({ topic: TRACE, body: 'b' })
    await at.producer.shutdown()
    assert.deepEqual(records(at), [])
  })

  it('sends to the topic it is told, or that of the region', async () => {
    const told = await scene(send => answer(send), { traceTopic: 'MyTrace' })
    await told.producer.send({ topic: 'T', body: 'b' })
    await told.producer.shutdown()
    const cloud = await scene(send => answer(send, true, 'R'), { accessChannel: 'CLOUD' })
    await cloud.producer.send({ topic: 'T', body: 'b' })
    await cloud.producer.shutdown()
    assert.equal(told.traces.sends[0]?.template.topic, 'MyTrace')
    assert.equal(cloud.traces.sends[0]?.template.topic, 'rmq_sys_TRACE_DATA_R')
  })

  it('does not let traces that fail touch what is sent', async () => {
    const at = await scene(send => answer(send))
    at.traces.onSend = send => send.pending.onFailed(new ConnectionError('traces are down', send.address))
    assert.equal((await at.producer.send({ topic: 'T', body: 'b' })).sendStatus, 'SEND_OK')
    await at.producer.shutdown()
    assert.match(at.reports.join(), /^sending message trace to RMQ_SYS_TRACE_TOPIC: .*traces are down/)
    assert.equal(at.registry.size, 0)
  })

  it('works without traces when their producer cannot start', async () => {
    const at = await scene(send => answer(send), { producerGroup: 'g'.repeat(100) })
    assert.match(at.reports.join(), /starting the message trace: the producerGroup .* is longer than 120/)
    assert.equal((await at.producer.send({ topic: 'T', body: 'b' })).sendStatus, 'SEND_OK')
    await at.producer.shutdown()
    assert.equal(at.registry.size, 0)
  })
})

describe('the end of a transaction', () => {
  it("is traced with the broker's region, or the default one", () => {
    const appended: TraceContext[] = []
    const dispatcher = { traceTopicName: TRACE, append: (context: TraceContext) => appended.push(context) > 0 }
    // Only what the hook uses of a dispatcher.
    const hook = new EndTransactionTraceHook(dispatcher as unknown as AsyncTraceDispatcher, undefined)
    const context = {
      producerGroup: 'pg',
      message: new Message({ topic: 'T', body: 'b', tags: 'x' }),
      brokerAddr: 'a:10911',
      msgId: 'M',
      transactionId: 'TX',
      transactionState: 'ROLLBACK_MESSAGE',
      fromTransactionCheck: true
    } as const
    hook.endTransaction(context)
    const asked = new Message({ topic: 'T', body: 'b', tags: 'x' })
    asked.getProperty = name => (name === 'MSG_REGION' ? 'R' : undefined)
    hook.endTransaction({ ...context, message: asked })
    hook.endTransaction({ ...context, message: new Message({ topic: TRACE, body: 'b' }) })
    assert.deepEqual(
      appended.map(each => [each.traceType, each.regionId, each.msgType, each.tags, each.keys]),
      [
        ['EndTransaction', 'DefaultRegion', 'Trans_msg_Commit', 'x', undefined],
        ['EndTransaction', 'R', 'Trans_msg_Commit', 'x', undefined]
      ]
    )
  })
})

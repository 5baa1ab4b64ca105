import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { TraceDispatcherOptions, TraceSender } from '../../../ts/trace/async-trace-dispatcher.js'
import { AsyncTraceDispatcher } from '../../../ts/trace/async-trace-dispatcher.js'
import type { PubTraceContext } from '../../../ts/trace/trace-context.js'
import { decodeTraceData } from '../../../ts/trace/trace-data-encoder.js'
import { settle } from '../helpers/fake-remoting.js'

interface Sent {
  readonly topic: string
  readonly body: Buffer
  readonly keys: readonly string[]
}

class FakeSender implements TraceSender {
  readonly sent: Sent[] = []
  started = 0
  ended = 0
  /** What becomes of a start, and of a message. */
  onStart: () => Promise<void> = async () => undefined
  onSend: () => Promise<void> = async () => undefined

  start(): Promise<void> {
    this.started++
    return this.onStart()
  }

  send(topic: string, body: Buffer, keys: readonly string[]): Promise<void> {
    this.sent.push({ topic, body, keys })
    return this.onSend()
  }

  async shutdown(): Promise<void> {
    this.ended++
  }
}

function pub(msgId: string, more: Partial<PubTraceContext> = {}): PubTraceContext {
  return {
    traceType: 'Pub',
    timeStamp: 1,
    regionId: 'R1',
    groupName: 'g',
    topic: 'T',
    msgId,
    tags: undefined,
    keys: undefined,
    storeHost: 'h:1',
    msgType: 'Normal_Msg',
    bodyLength: 1,
    costTime: 1,
    offsetMsgId: 'O',
    success: true,
    ...more
  }
}

async function started(
  options: Partial<TraceDispatcherOptions> = {},
  prepare: (sender: FakeSender) => void = () => undefined
): Promise<{ dispatcher: AsyncTraceDispatcher; sender: FakeSender; reports: string[] }> {
  const sender = new FakeSender()
  prepare(sender)
  const reports: string[] = []
  const dispatcher = new AsyncTraceDispatcher(
    { traceTopic: undefined, traceMsgBatchNum: 10, accessChannel: 'LOCAL', ...options },
    sender,
    (error, doing) => void reports.push(`${doing}: ${error.message}`)
  )
  await dispatcher.start()
  return { dispatcher, sender, reports }
}

function msgIds({ body }: Sent): string[] {
  return decodeTraceData(body.toString()).map(context => context.msgId)
}

describe('the trace dispatcher', () => {
  it('sends as soon as a batch is full, and the rest five seconds after the last', async t => {
    t.mock.timers.enable({ apis: ['Date', 'setTimeout'], now: 1_000_000 })
    const { dispatcher, sender } = await started({ traceMsgBatchNum: 3 })
    for (let i = 0; i < 7; i++) assert.equal(dispatcher.append(pub(`M${i}`)), true)
    await settle()
    assert.deepEqual(sender.sent.map(msgIds), [
      ['M0', 'M1', 'M2'],
      ['M3', 'M4', 'M5']
    ])
    t.mock.timers.tick(4999)
    assert.equal(sender.sent.length, 2)
    t.mock.timers.tick(1)
    assert.deepEqual(msgIds(sender.sent[2]!), ['M6'])
    t.mock.timers.tick(6000)
    dispatcher.append(pub('M7'))
    t.mock.timers.tick(1)
    assert.deepEqual(sender.sent.slice(3).map(msgIds), [['M7']])
    await dispatcher.shutdown()
  })

  it('takes at most 20 records into one message', async () => {
    const { dispatcher, sender } = await started({ traceMsgBatchNum: 100 })
    for (let i = 0; i < 40; i++) dispatcher.append(pub(`M${i}`))
    await settle()
    assert.deepEqual(
      sender.sent.map(sent => msgIds(sent).length),
      [20, 20]
    )
    await dispatcher.shutdown()
  })

  it('gives a message the ids and keys of its records, and to each topic messages of its own', async () => {
    const { dispatcher, sender } = await started({ traceTopic: 'MyTrace' })
    dispatcher.append(pub('A', { keys: 'k1 k2' }))
    dispatcher.append(pub('B', { topic: 'U', keys: 'k3' }))
    dispatcher.append(pub('C', { keys: 'k1' }))
    await dispatcher.shutdown()
    assert.deepEqual(
      sender.sent.map(({ topic, keys }) => [topic, keys]),
      [
        ['MyTrace', ['A', 'k1', 'k2', 'C']],
        ['MyTrace', ['B', 'k3']]
      ]
    )
  })

  it('goes to RMQ_SYS_TRACE_TOPIC, or in the cloud to the topic of the region', async () => {
    const local = await started()
    local.dispatcher.append(pub('A'))
    await local.dispatcher.shutdown()
    const cloud = await started({ accessChannel: 'CLOUD' })
    cloud.dispatcher.append(pub('A'))
    cloud.dispatcher.append(pub('B', { regionId: 'R2' }))
    await cloud.dispatcher.shutdown()
    assert.deepEqual(
      [...local.sender.sent, ...cloud.sender.sent].map(({ topic }) => topic),
      ['RMQ_SYS_TRACE_TOPIC', 'rmq_sys_TRACE_DATA_R1', 'rmq_sys_TRACE_DATA_R2']
    )
  })

  it('makes no message larger than 128000 bytes', async () => {
    const { dispatcher, sender } = await started()
    const keys = 'ä'.repeat(15_000)
    for (let i = 0; i < 10; i++) dispatcher.append(pub(`M${i}`, { keys }))
    await dispatcher.shutdown()
    assert.deepEqual(
      sender.sent.map(sent => msgIds(sent).length),
      [4, 4, 2]
    )
    assert.ok(sender.sent.every(({ body }) => body.length <= 128_000))
  })

  it('drops what finds no place while messages do not get away, says so once, and goes on later', async () => {
    const held: (() => void)[] = []
    const { dispatcher, sender, reports } = await started({}, fake => {
      fake.onSend = () => new Promise(resolve => held.push(resolve))
    })
    const append = (count: number): number =>
      Array.from({ length: count }, (_, i) => dispatcher.append(pub(`M${i}`))).filter(Boolean).length
    append(1300)
    await settle()
    assert.equal(sender.sent.length, 128)
    assert.equal(append(3000), 2028)
    assert.deepEqual(reports, ['tracing messages: 2048 trace records wait for RMQ_SYS_TRACE_TOPIC, more are dropped'])
    while (held.length > 0) {
      for (const release of held.splice(0)) release()
      await settle()
    }
    await dispatcher.shutdown()
    assert.equal(sender.sent.flatMap(msgIds).length, 1280 + 2048)
    assert.equal(reports.length, 1)
  })

  it('reports messages that fail, and goes on', async () => {
    const { dispatcher, sender, reports } = await started({ traceMsgBatchNum: 1 }, fake => {
      fake.onSend = () => Promise.reject(new Error('no route'))
    })
    dispatcher.append(pub('A'))
    await settle()
    dispatcher.append(pub('B'))
    await settle()
    assert.deepEqual(
      reports,
      Array.from({ length: 2 }, () => 'sending message trace to RMQ_SYS_TRACE_TOPIC: no route')
    )
    await dispatcher.shutdown()
    assert.equal(sender.ended, 1)
  })

  it('sends what waits when it ends, takes nothing more, and leaves no timer', async () => {
    const { dispatcher, sender } = await started()
    dispatcher.append(pub('A'))
    await dispatcher.shutdown()
    assert.deepEqual(sender.sent.map(msgIds), [['A']])
    assert.deepEqual([sender.started, sender.ended], [1, 1])
    assert.equal(dispatcher.append(pub('B')), false)
    assert.deepEqual(
      process.getActiveResourcesInfo().filter(name => name === 'Timeout'),
      []
    )
  })

  it('fails to start as its sender does, and drops everything then', async () => {
    const sender = new FakeSender()
    sender.onStart = () => Promise.reject(new Error('group taken'))
    const options = { traceTopic: undefined, traceMsgBatchNum: 10, accessChannel: 'LOCAL' } as const
    const dispatcher = new AsyncTraceDispatcher(options, sender, error => assert.fail(error))
    await assert.rejects(dispatcher.start(), /group taken/)
    assert.equal(dispatcher.append(pub('A')), false)
    await dispatcher.shutdown()
    assert.deepEqual([sender.sent.length, sender.ended], [0, 0])
  })
})

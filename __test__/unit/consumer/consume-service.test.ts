import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { describe, it } from 'node:test'
import { ConsumeStats } from '../../../ts/consumer/consume-stats.js'
import type { ConsumeServiceOptions } from '../../../ts/consumer/consume-service.js'
import { ConsumeConcurrentlyService } from '../../../ts/consumer/consume-service.js'
import { ProcessQueue } from '../../../ts/consumer/process-queue.js'
import type { MessageExt } from '../../../ts/message/message-ext.js'
import { viewRecords } from '../../../ts/message/message-ext.js'
import { MessageQueue } from '../../../ts/message/message-queue.js'
import { settle } from '../helpers/fake-remoting.js'
import { range, recordsAt } from '../helpers/records.js'

const FROM = { brokerName: 'a', offsetDelta: 0, minOffset: undefined, maxOffset: undefined, retryTopic: undefined }

const NOTHING = (): void => undefined

interface Fixture {
  service: ConsumeConcurrentlyService
  queue: ProcessQueue
  commits: number[]
  reports: string[]
  submit(offsets: number[]): MessageExt[]
}

function setUp(options: Partial<ConsumeServiceOptions>): Fixture {
  const commits: number[] = []
  const reports: string[] = []
  const queue = new ProcessQueue(new MessageQueue('T', 'a', 0), new ConsumeStats())
  const service = new ConsumeConcurrentlyService({
    listener: () => undefined,
    concurrency: 20,
    batchMaxSize: 1,
    sendMessageBack: async () => undefined,
    commit: (_queue, offset) => commits.push(offset),
    report: (_error, doing) => reports.push(doing),
    ...options
  })
  const submit = (offsets: number[]): MessageExt[] => {
    const messages = viewRecords(recordsAt(offsets), FROM)
    queue.put(messages)
    service.submit(messages, queue)
    return messages
  }
  return { service, queue, commits, reports, submit }
}

function offsetsOf(messages: readonly MessageExt[]): number[] {
  return messages.map(message => message.queueOffsetNumber)
}

function mockTimers(t: TestContext): void {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'], now: 1_000_000 })
}

describe('the listener', () => {
  it('is counted with its time and its outcomes', async t => {
    mockTimers(t)
    const outcomes: (() => ReturnType<ConsumeServiceOptions['listener']>)[] = [
      () => t.mock.timers.tick(4),
      () => 'RECONSUME_LATER',
      () => {
        throw new Error('no')
      },
      () => new Promise(resolve => setTimeout(() => resolve('CONSUME_SUCCESS'), 6))
    ]
    const { submit, queue } = setUp({ concurrency: 1, listener: () => outcomes.shift()!() })
    submit(range(0, 4))
    t.mock.timers.tick(6)
    await settle()
    const { calls, callMs, consumed, failed } = queue.stats
    assert.deepEqual({ calls, callMs, consumed, failed }, { calls: 4, callMs: 10, consumed: 2, failed: 2 })
  })

  it('gets at most consumeMessageBatchMaxSize messages a call, in order', () => {
    const calls: number[][] = []
    const { submit, commits } = setUp({ batchMaxSize: 3, listener: messages => void calls.push(offsetsOf(messages)) })
    submit(range(0, 7))
    assert.deepEqual(calls, [[0, 1, 2], [3, 4, 5], [6]])
    assert.deepEqual(commits, [3, 6, 7])
  })

  it('is called at most consumeThreadMax times at once', async () => {
    const open: (() => void)[] = []
    const { submit, commits } = setUp({
      concurrency: 3,
      listener: () => new Promise<void>(resolve => open.push(resolve))
    })
    submit(range(0, 5))
    assert.equal(open.length, 3)
    open[1]!()
    await settle()
    assert.equal(open.length, 4)
    assert.deepEqual(commits, [0])
    open[0]!()
    await settle()
    assert.equal(open.length, 5)
    assert.deepEqual(commits, [0, 2])
  })

  for (const [what, value] of [
    ['nothing', undefined],
    ['CONSUME_SUCCESS', 'CONSUME_SUCCESS'],
    ['a promise of nothing', Promise.resolve()]
  ] as const) {
    it(`that returns ${what} is done with its messages`, async () => {
      const { submit, commits } = setUp({ listener: () => value })
      submit([4])
      await settle()
      assert.deepEqual(commits, [5])
    })
  }

  const failing: [string, ConsumeServiceOptions['listener']][] = [
    ['returns RECONSUME_LATER', () => 'RECONSUME_LATER'],
    ['resolves to RECONSUME_LATER', async () => 'RECONSUME_LATER' as const],
    ['throws', () => assert.fail('no')],
    ['rejects', async () => assert.fail('no')]
  ]
  for (const [what, listener] of failing) {
    it(`that ${what} gives its messages back to the broker, with the delay level it set`, async () => {
      const back: [number, number][] = []
      const { submit, commits, queue } = setUp({
        listener: (messages, context) => {
          context.delayLevelWhenNextConsume = 4
          return listener(messages, context)
        },
        sendMessageBack: async (message, level) => void back.push([message.queueOffsetNumber, level])
      })
      submit([4])
      await settle()
      assert.deepEqual(back, [[4, 4]])
      assert.deepEqual(commits, [5])
      assert.equal(queue.messageCount, 0)
    })
  }

  it('that sets ackIndex is done with the messages up to it', async () => {
    const back: number[] = []
    const { submit, commits } = setUp({
      batchMaxSize: 4,
      listener: (_messages, context) => {
        context.ackIndex = 1
      },
      sendMessageBack: async message => void back.push(message.queueOffsetNumber)
    })
    submit(range(0, 4))
    await settle()
    assert.deepEqual(back, [2, 3])
    assert.deepEqual(commits, [2, 4])
  })

  it('gets no message of a queue that was dropped, and what it does with others of it does not count', async () => {
    let finish = NOTHING
    const seen: number[] = []
    const { submit, commits, queue } = setUp({
      concurrency: 1,
      listener: messages => {
        seen.push(...offsetsOf(messages))
        return new Promise<void>(resolve => (finish = resolve))
      }
    })
    submit([1, 2])
    queue.dropped = true
    finish()
    await settle()
    assert.deepEqual(seen, [1])
    assert.deepEqual(commits, [])
  })
})

describe('a message the broker does not take back', () => {
  it('is reported, stays, holds the offset, and comes again after 5 s with one more reconsume time', async t => {
    mockTimers(t)
    const seen: [number, number][] = []
    const { submit, commits, reports, queue } = setUp({
      listener: messages => {
        const { queueOffsetNumber, reconsumeTimes } = messages[0]!
        seen.push([queueOffsetNumber, reconsumeTimes])
        return queueOffsetNumber === 1 && reconsumeTimes === 2 ? 'RECONSUME_LATER' : 'CONSUME_SUCCESS'
      },
      sendMessageBack: async () => assert.fail('NOT_SUPPORTED')
    })
    submit([1, 2])
    await settle()
    assert.deepEqual(commits, [1])
    assert.equal(queue.messageCount, 1)
    assert.equal(reports.length, 1)
    assert.match(reports[0]!, /giving MessageExt .* back to the broker/)
    t.mock.timers.tick(4999)
    assert.equal(seen.length, 2)
    t.mock.timers.tick(1)
    await settle()
    assert.deepEqual(seen, [
      [1, 2],
      [2, 2],
      [1, 3]
    ])
    assert.deepEqual(commits, [1, 3])
  })

  it('is dropped at once, and loudly, in broadcasting', async () => {
    const { submit, commits, reports } = setUp({ listener: () => 'RECONSUME_LATER', sendMessageBack: undefined })
    submit([1])
    await settle()
    assert.deepEqual(commits, [2])
    assert.deepEqual(reports, ['consuming'])
  })
})

describe('the end', () => {
  it('waits for calls under way, and makes no further', async () => {
    let finish = NOTHING
    let calls = 0
    const { submit, service, commits } = setUp({
      concurrency: 1,
      listener: () => {
        calls++
        return new Promise<void>(resolve => (finish = resolve))
      }
    })
    submit([1, 2])
    let ended: boolean | undefined
    const stopping = service.stop(1000).then(all => (ended = all))
    await settle()
    assert.equal(ended, undefined)
    finish()
    await stopping
    assert.equal(ended, true)
    assert.equal(calls, 1)
    assert.deepEqual(commits, [2])
  })

  it('comes after the time allowed even if a call never ends', async t => {
    mockTimers(t)
    const { submit, service } = setUp({ listener: () => new Promise(() => undefined) })
    submit([1])
    const stopping = service.stop(1000)
    t.mock.timers.tick(1000)
    assert.equal(await stopping, false)
  })

  it('forgets messages that wait to come again', async t => {
    mockTimers(t)
    let calls = 0
    const { submit, service } = setUp({
      listener: () => {
        calls++
        return 'RECONSUME_LATER'
      },
      sendMessageBack: async () => assert.fail('no')
    })
    submit([1])
    await settle()
    assert.equal(await service.stop(0), true)
    t.mock.timers.tick(10_000)
    assert.equal(calls, 1)
  })
})

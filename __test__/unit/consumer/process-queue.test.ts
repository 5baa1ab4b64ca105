import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ConsumeStats } from '../../../ts/consumer/consume-stats.js'
import { ProcessQueue } from '../../../ts/consumer/process-queue.js'
import type { MessageExt } from '../../../ts/message/message-ext.js'
import { viewRecords } from '../../../ts/message/message-ext.js'
import { MessageQueue } from '../../../ts/message/message-queue.js'
import { range, recordsAt } from '../helpers/records.js'

function messagesAt(...offsets: number[]): MessageExt[] {
  return viewRecords(recordsAt(offsets), {
    brokerName: 'a',
    offsetDelta: 0,
    minOffset: undefined,
    maxOffset: undefined,
    retryTopic: undefined
  })
}

function queueWith(messages: readonly MessageExt[]): ProcessQueue {
  const queue = new ProcessQueue(new MessageQueue('T', 'a', 0), new ConsumeStats())
  assert.equal(queue.put(messages), messages.length)
  return queue
}

describe('the process queue', () => {
  it('commits up to the first message that is not done', () => {
    const messages = messagesAt(10, 11, 12, 13)
    const queue = queueWith(messages)
    assert.equal(queue.remove([messages[1]!]), 10)
    assert.equal(queue.remove([messages[3]!]), 10)
    assert.equal(queue.remove([messages[0]!]), 12)
    assert.equal(queue.remove([messages[2]!]), 14)
  })

  it('commits beyond the newest message when all are done, then nothing', () => {
    const messages = messagesAt(5, 9)
    const queue = queueWith(messages)
    assert.equal(queue.remove(messages), 10)
    assert.equal(queue.remove(messages), -1)
    assert.equal(queue.messageCount, 0)
  })

  it('finds messages between gaps left by tags that were filtered out', () => {
    const messages = messagesAt(3, 8, 20, 21, 50)
    const queue = queueWith(messages)
    assert.ok(messages.every(message => queue.contains(message)))
    assert.ok(messagesAt(4, 22, 51, 2).every(message => !queue.contains(message)))
    assert.equal(queue.remove(messages.slice(1, 4)), 3)
    assert.equal(queue.maxSpan, 47)
    assert.equal(queue.remove([messages[0]!]), 50)
  })

  it('counts messages and bytes that are not done, each once', () => {
    const messages = messagesAt(0, 1, 2)
    const queue = queueWith(messages)
    assert.deepEqual([queue.messageCount, queue.messageBytes, queue.maxSpan], [3, 15, 2])
    queue.remove([messages[1]!])
    queue.remove([messages[1]!])
    assert.deepEqual([queue.messageCount, queue.messageBytes], [2, 10])
    assert.equal(queue.contains(messages[1]!), false)
  })

  it('takes no message twice', () => {
    const queue = queueWith(messagesAt(4, 5))
    assert.equal(queue.put(messagesAt(4, 5, 6)), 1)
    assert.equal(queue.messageCount, 3)
  })

  it('grows and wraps around without mixing up offsets', () => {
    const queue = new ProcessQueue(new MessageQueue('T', 'a', 0), new ConsumeStats())
    let next = 0
    let done = 0
    const held: MessageExt[] = []
    for (let round = 0; round < 60; round++) {
      const taken = messagesAt(...range(next, 40))
      next += 40
      queue.put(taken)
      held.push(...taken)
      const finished = held.splice(0, round < 20 ? 20 : 45)
      done += finished.length
      assert.equal(queue.remove(finished), held.length === 0 ? next : done)
      assert.equal(queue.messageCount, held.length)
    }
  })
})

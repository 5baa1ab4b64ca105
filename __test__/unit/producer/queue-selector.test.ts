import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import Long from 'long'
import { InvalidArgumentError } from '../../../ts/errors.js'
import type { JavaHashable } from '../../../ts/message/java-hash.js'
import { Message } from '../../../ts/message/message.js'
import { MessageQueue } from '../../../ts/message/message-queue.js'
import {
  selectMessageQueueByHash,
  selectMessageQueueByMachineRoom,
  selectMessageQueueByRandom
} from '../../../ts/producer/queue-selector.js'

const MESSAGE = new Message({ topic: 'T', body: 'b' })

function queuesOf(brokerName: string, count: number): MessageQueue[] {
  return Array.from({ length: count }, (_, queueId) => new MessageQueue('T', brokerName, queueId))
}

describe('the selector by hash', () => {
  // What SelectMessageQueueByHash of Apache 5.5.0 chose among seven queues.
  const chosenByJava: [JavaHashable, queueId: number][] = [
    ['', 0],
    ['a', 6],
    ['polygenelubricants', 2],
    ['Zürich', 2],
    ['😀', 2],
    [0, 0],
    [-1, 1],
    [7, 0],
    [-2147483648, 2],
    [2147483647, 1],
    [2147483648, 2],
    [-2147483649, 2],
    [4294967301, 4],
    [9007199254740991, 1],
    [-1n, 0],
    [Long.MIN_VALUE, 2],
    [Long.MAX_VALUE, 2],
    [0.5, 0],
    [-2.75, 3],
    [1e300, 0],
    [NaN, 0],
    [Infinity, 5],
    [true, 6],
    [false, 5]
  ]
  for (const [arg, queueId] of chosenByJava) {
    it(`chooses as Java does for ${typeof arg} ${String(arg)}`, () => {
      assert.equal(selectMessageQueueByHash(queuesOf('a', 7), MESSAGE, arg).queueId, queueId)
    })
  }

  it('refuses what has no hash in Java', () => {
    for (const arg of [undefined, null, {}, []]) {
      // What JavaScript may pass against the types.
      const choose = () => selectMessageQueueByHash(queuesOf('a', 7), MESSAGE, arg as unknown as JavaHashable)
      assert.throws(choose, InvalidArgumentError)
    }
  })
})

describe('the selector by random', () => {
  it('takes the first and the last queue, too', t => {
    const queues = queuesOf('a', 3)
    const random = t.mock.method(Math, 'random', () => 0)
    assert.equal(selectMessageQueueByRandom(queues), queues[0])
    random.mock.mockImplementation(() => 1 - Number.EPSILON / 2)
    assert.equal(selectMessageQueueByRandom(queues), queues[2])
  })
})

describe('the selector by machine room', () => {
  const queues = [...queuesOf('east@a', 2), ...queuesOf('b', 2), ...queuesOf('west@c', 3), ...queuesOf('west@c@d', 2)]
  const select = selectMessageQueueByMachineRoom(['west', 'north'])

  it('takes queues of brokers that are named room@broker, by the hash of the argument or any', () => {
    assert.equal(select(queues, MESSAGE, 4), queues[5])
    for (let i = 0; i < 20; i++) assert.equal(select(queues, MESSAGE, undefined).brokerName, 'west@c')
  })

  it('fails when no queue is in the rooms', () => {
    assert.throws(
      () => select(queuesOf('east@a', 2), MESSAGE, 1),
      /no queue of topic T is in the machine rooms west, north/
    )
  })
})

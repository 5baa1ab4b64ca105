import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { allocateMessageQueueAveragely } from '../../../ts/consumer/rebalance/averagely.js'
import { MessageQueue } from '../../../ts/message/message-queue.js'
import { range } from '../helpers/records.js'

/** Queue ids each member gets, by `AllocateMessageQueueAveragely.allocate` of Apache RocketMQ 5.5.0. */
const JAVA: [queues: number, members: number, shares: number[][]][] = [
  [4, 1, [[0, 1, 2, 3]]],
  [
    4,
    2,
    [
      [0, 1],
      [2, 3]
    ]
  ],
  [4, 3, [[0, 1], [2], [3]]],
  [
    8,
    3,
    [
      [0, 1, 2],
      [3, 4, 5],
      [6, 7]
    ]
  ],
  [
    10,
    4,
    [
      [0, 1, 2],
      [3, 4, 5],
      [6, 7],
      [8, 9]
    ]
  ],
  [2, 4, [[0], [1], [], []]],
  [1, 3, [[0], [], []]]
]

describe('averagely', () => {
  for (const [queues, members, shares] of JAVA) {
    it(`shares out ${queues} queues among ${members} members as Java does`, () => {
      const all = range(0, queues).map(id => new MessageQueue('T', 'a', id))
      const ids = range(0, members).map(index => `client-${index}`)
      const ours = ids.map(id => allocateMessageQueueAveragely.allocate('g', id, all, ids).map(mq => mq.queueId))
      assert.deepEqual(ours, shares)
    })
  }

  it('gives nothing to who is not in the group', () => {
    assert.deepEqual(allocateMessageQueueAveragely.allocate('g', 'x', [new MessageQueue('T', 'a', 0)], ['y']), [])
  })
})

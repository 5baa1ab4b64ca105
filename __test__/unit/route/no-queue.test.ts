import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { noQueueToWriteTo } from '../../../ts/route/no-queue.js'
import type { TopicRouteData } from '../../../ts/route/topic-route-data.js'

function route(queue: { perm?: number; writeQueueNums?: number } | undefined, brokerId = 0): TopicRouteData {
  const queueData = { brokerName: 'b', readQueueNums: 4, writeQueueNums: 4, perm: 6, ...queue }
  return {
    orderTopicConf: undefined,
    queueDatas: queue === undefined ? [] : [queueData],
    brokerDatas: [{ cluster: 'c', brokerName: 'b', brokerAddrs: new Map([[brokerId, 'b:1']]) }]
  }
}

describe('a topic without a queue to send to', () => {
  const cases: [string, TopicRouteData | undefined, RegExp][] = [
    [
      'does not exist',
      undefined,
      /does not exist, and no broker creates topics by itself .*route of TBW102.*mqadmin updateTopic/
    ],
    ['has no queue at all', route(undefined), /names no queue/],
    [
      'may not be written to',
      route({ perm: 4 }),
      /no broker of it lets it be written to \(b: perm 4\).*updateTopicPerm/
    ],
    ['has no queue for writing', route({ writeQueueNums: 0 }), /0 queues to write to/],
    ['is on a broker without a master', route({}, 1), /the broker b has no master/]
  ]
  for (const [name, given, text] of cases) {
    it(`says that it ${name}, and what to do`, () => {
      const error = noQueueToWriteTo('T', given, 'TBW102')
      assert.match(error.message, /^no route info of topic T: /)
      assert.match(error.message, text)
      assert.equal(error.clientErrorCode, 10005)
    })
  }
})

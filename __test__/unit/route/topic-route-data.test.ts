import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ProtocolError } from '../../../ts/errors.js'
import { TopicPublishInfo } from '../../../ts/route/topic-publish-info.js'
import type { TopicRouteData } from '../../../ts/route/topic-route-data.js'
import {
  MAX_TOPIC_QUEUES,
  clipQueueNums,
  parseTopicRouteData,
  publishQueues,
  subscribeQueues,
  topicRouteChanged
} from '../../../ts/route/topic-route-data.js'
import { routeBody } from '../helpers/fake-remoting.js'
import { golden } from '../helpers/repository.js'

function route(brokers: Record<string, number>, perm = 6): TopicRouteData {
  return parseTopicRouteData(routeBody(brokers, perm))
}

describe('the topic route', () => {
  for (const name of ['route', 'route_strict', 'route_full']) {
    it(`is read as Java writes it (${name})`, () => {
      const read = parseTopicRouteData(Buffer.from(golden('bodies.txt', name)))
      const broker = read.brokerDatas[0]!
      assert.deepEqual([broker.brokerName, broker.cluster], ['broker-a', 'DefaultCluster'])
      assert.equal(broker.brokerAddrs.get(0), '10.0.0.1:10911')
      assert.equal(broker.brokerAddrs.get(1), '10.0.0.2:10911')
      const { brokerName, perm, readQueueNums, writeQueueNums } = read.queueDatas[0]!
      assert.deepEqual([brokerName, perm, readQueueNums, writeQueueNums], ['broker-a', 6, 4, 4])
    })
  }

  it('with digits and colons inside texts is not mangled while number keys are quoted', () => {
    const body = '{"brokerDatas":[{"brokerAddrs":{0:"a:1"},"brokerName":"{1:x}","cluster":", 2:"}],"queueDatas":[]}'
    const [broker] = parseTopicRouteData(Buffer.from(body)).brokerDatas
    assert.deepEqual([broker!.brokerName, broker!.cluster], ['{1:x}', ', 2:'])
  })

  for (const body of ['', 'null', '[]', '{"queueDatas":5}', '{"queueDatas":[{"brokerName":"b"}]}']) {
    it(`that cannot be read (${JSON.stringify(body)}) is a protocol error`, () => {
      assert.throws(() => parseTopicRouteData(Buffer.from(body)), ProtocolError)
    })
  }

  it('does not change by the order in which brokers are listed', () => {
    const one = route({ a: 1, b: 2 })
    assert.equal(topicRouteChanged(one, route({ b: 2, a: 1 })), false)
    assert.equal(topicRouteChanged(one, route({ a: 1, b: 3 })), true)
    assert.equal(topicRouteChanged(undefined, one), true)
  })

  it('gives producers the queues that may be written, of brokers with a master, sorted by broker', () => {
    const keys = publishQueues('T', route({ b: 2, a: 1 })).map(mq => `${mq.brokerName}${mq.queueId}`)
    assert.deepEqual(keys, ['a0', 'b0', 'b1'])
    assert.deepEqual(publishQueues('T', route({ a: 1 }, 4)), [])
    const slaves = {
      ...route({ a: 1 }),
      brokerDatas: [{ cluster: 'c', brokerName: 'a', brokerAddrs: new Map([[1, 'x']]) }]
    }
    assert.deepEqual(publishQueues('T', slaves), [])
  })

  it('gives consumers the queues that may be read', () => {
    assert.equal(subscribeQueues('T', route({ a: 2 }, 4)).length, 2)
    assert.deepEqual(subscribeQueues('T', route({ a: 2 }, 2)), [])
  })

  it('of an ordered topic follows its order configuration', () => {
    const ordered = { ...route({ a: 8 }), orderTopicConf: 'b:2;a:1' }
    const keys = publishQueues('T', ordered).map(mq => `${mq.brokerName}${mq.queueId}`)
    assert.deepEqual(keys, ['b0', 'b1', 'a0'])
    assert.throws(() => publishQueues('T', { ...ordered, orderTopicConf: 'b:2;a:x' }), {
      code: 'RMQ_PROTOCOL',
      message: /orderTopicConf of topic T \(.*updateOrderConf\) is "x"/
    })
  })

  it('with more queues than a client can list is refused, whoever asks, and nothing is built', () => {
    const most = MAX_TOPIC_QUEUES - 1
    assert.equal(publishQueues('T', route({ a: most, b: 1, c: -5 })).length, MAX_TOPIC_QUEUES)
    const refused = {
      name: 'RouteError',
      message: /topic T has \d+ queues, (99999|2147483647) of them on broker a\b.*updateTopic/
    }
    for (const counts of [{ a: most, b: 2 }, { a: 2_147_483_647 }, { a: 2_147_483_647, b: -2_147_483_648 }]) {
      assert.throws(() => publishQueues('T', route(counts)), refused)
      assert.throws(() => subscribeQueues('T', route(counts)), refused)
    }
    assert.throws(() => publishQueues('T', { ...route({ a: 8 }), orderTopicConf: 'b:2;a:2147483647' }), refused)
  })

  it('of a topic to be created takes no more queues than asked for', () => {
    const clipped = clipQueueNums(route({ a: 8, b: 2 }), 4)
    assert.deepEqual(
      clipped.queueDatas.map(data => data.writeQueueNums),
      [4, 2]
    )
  })
})

describe('the choice of a queue', () => {
  it('goes round all queues', () => {
    const info = new TopicPublishInfo('T', route({ a: 2, b: 2 }))
    const chosen = Array.from({ length: 8 }, () => info.selectOneMessageQueue().key)
    assert.equal(new Set(chosen.slice(0, 4)).size, 4)
    assert.deepEqual(chosen.slice(0, 4), chosen.slice(4))
  })

  it('avoids the broker that failed as long as there is another', () => {
    const info = new TopicPublishInfo('T', route({ a: 4, b: 1 }))
    for (let times = 0; times < 20; times++) assert.equal(info.selectOneMessageQueue('a').brokerName, 'b')
  })

  it('takes the broker that failed when there is no other', () => {
    const info = new TopicPublishInfo('T', route({ a: 2 }))
    assert.equal(info.selectOneMessageQueue('a').brokerName, 'a')
  })

  it('keeps going when its 32-bit counter overflows', t => {
    t.mock.method(Math, 'random', () => 0.4999999997)
    const info = new TopicPublishInfo('T', route({ a: 3 }))
    const chosen = Array.from({ length: 9 }, () => info.selectOneMessageQueue().queueId)
    assert.ok(chosen.every(id => id >= 0 && id < 3))
    assert.deepEqual([...new Set(chosen)].sort(), [0, 1, 2])
  })
})

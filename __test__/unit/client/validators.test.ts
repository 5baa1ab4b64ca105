import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  checkGroup,
  checkMessage,
  checkNotSystemTopic,
  checkSendTopic,
  checkTopic
} from '../../../ts/client/validators.js'
import { ConfigError, InvalidArgumentError } from '../../../ts/errors.js'
import { Message } from '../../../ts/message/message.js'

describe('names', () => {
  for (const topic of ['TopicTest', '%RETRY%g', 'a|b_c-D9', 't'.repeat(127)]) {
    it(`the topic ${topic.slice(0, 20)} (${topic.length}) is fit`, () => checkTopic(topic))
  }
  for (const topic of ['', '  ', 'a b', 'a.b', 'töpic', 'a/b', 't'.repeat(128)]) {
    it(`the topic ${JSON.stringify(topic.slice(0, 20))} (${topic.length}) is not`, () => {
      assert.throws(() => checkTopic(topic), InvalidArgumentError)
    })
  }

  it('a group has at most 120 characters and is not the default one of Java', () => {
    checkGroup('producerGroup', 'g'.repeat(120), 'DEFAULT_PRODUCER')
    for (const group of ['', ' ', 'g'.repeat(121), 'g g', 'DEFAULT_PRODUCER']) {
      assert.throws(() => checkGroup('producerGroup', group, 'DEFAULT_PRODUCER'), ConfigError)
    }
  })

  for (const topic of ['SCHEDULE_TOPIC_XXXX', 'RMQ_SYS_TRANS_HALF_TOPIC', 'SELF_TEST_TOPIC', 'OFFSET_MOVED_EVENT']) {
    it(`nobody sends to ${topic}`, () => assert.throws(() => checkSendTopic(topic), /forbidden/))
  }

  it('system topics are not for creating', () => {
    assert.throws(() => checkNotSystemTopic('TBW102'), InvalidArgumentError)
    assert.throws(() => checkNotSystemTopic('rmq_sys_x'), InvalidArgumentError)
    checkNotSystemTopic('TopicTest')
  })
})

describe('a message', () => {
  it('needs a body, of at most maxMessageSize', () => {
    checkMessage(new Message({ topic: 'T', body: 'x'.repeat(10) }), 10)
    assert.throws(() => checkMessage(new Message({ topic: 'T', body: '' }), 10), /body is empty/)
    assert.throws(
      () => checkMessage(new Message({ topic: 'T', body: 'x'.repeat(11) }), 10),
      /11 bytes, maxMessageSize is 10/
    )
  })

  it('has no path in INNER_MULTI_DISPATCH', () => {
    const message = new Message({ topic: 'T', body: 'b', properties: { INNER_MULTI_DISPATCH: 'a/b' } })
    assert.throws(() => checkMessage(message, 10), InvalidArgumentError)
  })
})

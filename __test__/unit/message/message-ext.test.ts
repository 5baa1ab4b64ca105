import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { inspect } from 'node:util'
import Long from 'long'
import type { ReceivedFrom } from '../../../ts/message/message-ext.js'
import { MessageExt, viewRecords } from '../../../ts/message/message-ext.js'
import { recordsAt } from '../helpers/records.js'
import { golden } from '../helpers/repository.js'

const FROM: ReceivedFrom = {
  brokerName: 'broker-a',
  offsetDelta: 0,
  minOffset: undefined,
  maxOffset: undefined,
  retryTopic: undefined
}

function view(name: string, from: Partial<ReceivedFrom> = {}): MessageExt {
  // Not at the start of its buffer, as in an answer to a pull.
  const record = Buffer.from(golden('records.txt', name), 'hex')
  return new MessageExt(Buffer.concat([Buffer.alloc(3), record]), 3, { ...FROM, ...from })
}

describe('MessageExt over a record written by Java', () => {
  it('reads every field', () => {
    const message = view('v1')
    assert.deepEqual(
      [message.storeSize, message.queueId, message.flag, message.sysFlag, message.reconsumeTimes, message.bodyLength],
      [168, 3, 9, 0, 2, 5]
    )
    assert.equal(message.bodyCRC, 907060870)
    assert.equal(message.queueOffset.toString(), '41')
    assert.equal(message.queueOffsetNumber, 41)
    assert.equal(message.commitLogOffset.toString(16), '102030405')
    assert.equal(message.preparedTransactionOffset.toString(16), '1122334455667788')
    assert.equal(message.bornTimestamp, 1_700_000_000_000)
    assert.equal(message.storeTimestamp, 1_700_000_000_005)
    assert.equal(message.bornHost, '192.168.1.10:50123')
    assert.equal(message.storeHost, '10.0.0.1:10911')
    assert.equal(message.body.toString(), 'hello')
    assert.equal(message.topic, 'TopicTest')
    assert.equal(message.tags, 'TagA')
    assert.equal(message.keys, 'k1 k2')
    assert.equal(message.msgId, '7F00000100002A9F4B3C000000000001')
    assert.equal(message.offsetMsgId, '0A00000100002A9F0000000102030405')
    assert.equal(message.brokerName, 'broker-a')
    assert.equal(message.transactionId, undefined)
    assert.equal(message.waitStoreMsgOK, true)
  })

  it('reads a body that is JSON, and says of which message one is that is none', () => {
    const record = Buffer.from(golden('records.txt', 'v1'), 'hex')
    record.write('[1,2]', record.indexOf('hello'))
    assert.deepEqual(new MessageExt(record, 0, FROM).json<number[]>(), [1, 2])
    assert.throws(
      () => view('v1').json(),
      /body of message 7F00000100002A9F4B3C000000000001 of topic TopicTest is no JSON/
    )
  })

  it('finds the fields behind IPv6 hosts', () => {
    for (const name of ['v6_hosts', 'v6_born_host']) {
      const message = view(name)
      assert.equal(message.topic, 'TopicTest')
      assert.equal(message.body.toString(), 'hello')
      assert.equal(message.storeTimestamp, 1_700_000_000_005)
      assert.equal(message.reconsumeTimes, 2)
      assert.match(message.bornHost, /^\[[0-9a-f:]+\]:50123$/)
    }
    assert.equal(view('v6_hosts').offsetMsgId.length, 56)
    assert.equal(view('v6_born_host').storeHost, '10.0.0.1:10911')
  })

  it('reads topics of up to 127 bytes in V1 and longer ones in V2', () => {
    assert.equal(view('v1_topic_127').topic, 't'.repeat(127))
    assert.equal(view('v2_topic_128').topic, 't'.repeat(128))
    assert.equal(view('v2_topic_128').tags, 'TagA')
  })

  it('reads topics as UTF-8, whichever came before', () => {
    const record = Buffer.from(golden('records.txt', 'v1'), 'hex')
    const at = record.indexOf('TopicTest')
    // All as long as the one that Java wrote.
    for (const topic of ['日本語', 'TopicTest', 'grüß-ö', 'TopicTest']) {
      record.write(topic, at)
      assert.equal(new MessageExt(record, 0, FROM).topic, topic)
    }
  })

  it('can be logged: every field but the body, 64-bit numbers as text', () => {
    const fields = JSON.parse(JSON.stringify(view('v1'))) as Record<string, unknown>
    assert.equal(fields['commitLogOffset'], '4328719365')
    assert.equal(fields['preparedTransactionOffset'], '1234605616436508552')
    assert.equal(fields['brokerName'], 'broker-a')
    assert.equal((fields['properties'] as Record<string, string>)['KEYS'], 'k1 k2')
    assert.equal(fields['bodyLength'], 5)
    assert.ok(!('body' in fields))
    assert.match(inspect(view('v1')), /^MessageExt \{\s+topic: 'TopicTest'/)
  })

  it('reads a record with neither body nor properties; its id is then the offset id', () => {
    const message = view('empty_body_no_properties')
    assert.equal(message.body.length, 0)
    assert.equal(message.properties.size, 0)
    assert.equal(message.msgId, message.offsetMsgId)
  })

  it('gives a half message its transaction id', () => {
    const message = view('prepared')
    assert.equal(message.transactionId, message.msgId)
  })

  it('takes the topic of a message that came through the retry topic from its property', () => {
    assert.equal(view('v1', { retryTopic: 'TopicTest' }).topic, 'TopicTest')
    assert.equal(view('v1', { retryTopic: 'TopicTest' }).storedTopic, 'TopicTest')
  })

  it('adds offset delta and queue bounds that came with the answer', () => {
    const message = view('v1', { offsetDelta: 100, minOffset: Long.fromNumber(7), maxOffset: Long.fromNumber(99) })
    assert.equal(message.queueOffset.toString(), '141')
    assert.equal(message.queueOffsetNumber, 141)
    assert.equal(message.getProperty('MIN_OFFSET'), '7')
    assert.equal(message.getProperty('MAX_OFFSET'), '99')
  })

  it('shares the received buffer until it is cloned', () => {
    const buffer = recordsAt([41])
    const message = new MessageExt(buffer, 0, FROM)
    const copy = message.clone()
    assert.equal(message.body.buffer, buffer.buffer)
    buffer.fill(0)
    assert.equal(copy.body.toString(), 'hello')
    assert.equal(copy.topic, 'TopicTest')
  })

  it('counts redeliveries made by this client on top of those the broker counted', () => {
    const message = view('v1')
    message.countRedelivery()
    assert.equal(message.reconsumeTimes, 3)
    assert.equal(message.clone().reconsumeTimes, 3)
  })

  it('walks over all records of an answer', () => {
    const messages = viewRecords(recordsAt([5, 6, 9]), FROM)
    assert.deepEqual(
      messages.map(message => message.queueOffsetNumber),
      [5, 6, 9]
    )
  })
})

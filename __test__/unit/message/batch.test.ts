import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { InvalidArgumentError } from '../../../ts/errors.js'
import { checkBatch, encodeBatch } from '../../../ts/message/batch.js'
import { Message, withProperties } from '../../../ts/message/message.js'
import { decodeProperties } from '../../../ts/message/properties.js'
import { golden } from '../helpers/repository.js'

interface Element {
  fixed: number[]
  body: string
  properties: Map<string, string>
}

/** Reads a batch by Apache's layout; that it does is shown by the golden batch. */
function readBatch(batch: Buffer): Element[] {
  const elements: Element[] = []
  let at = 0
  while (at < batch.length) {
    const [total, magic, crc, flag, bodyBytes] = [0, 4, 8, 12, 16].map(field => batch.readInt32BE(at + field))
    const propertiesAt = at + 20 + bodyBytes!
    const propertiesBytes = batch.readInt16BE(propertiesAt)
    assert.equal(total, 22 + bodyBytes! + propertiesBytes)
    elements.push({
      fixed: [magic!, crc!, flag!],
      body: batch.toString('utf8', at + 20, propertiesAt),
      properties: decodeProperties(batch.toString('utf8', propertiesAt + 2, propertiesAt + 2 + propertiesBytes))
    })
    at += total!
  }
  return elements
}

const message = (init: object): Message => new Message({ topic: 'T', body: 'b', ...init })

describe('a batch', () => {
  const messages = [0, 1, 2].map(index => {
    const body = ['body 0', 'body 1', ''][index]!
    return new Message({ topic: 'T', body, flag: index, tags: `Tag${index}`, keys: `key${index}` })
  })

  it('has the layout of one made by Java, and unique ids besides', () => {
    const { body, uniqueIds } = encodeBatch(messages, Date.now(), 1000)
    const ours = readBatch(body)
    const java = readBatch(Buffer.from(golden('records.txt', 'batch'), 'hex'))
    assert.deepEqual(
      ours.map(element => element.properties.get('UNIQ_KEY')),
      uniqueIds.split(',')
    )
    for (const element of ours) {
      element.properties.delete('UNIQ_KEY')
      assert.equal(element.properties.get('WAIT'), 'true')
      element.properties.delete('WAIT')
    }
    assert.deepEqual(ours, java)
  })

  it('gives each message the properties it would have alone, whatever was before it', () => {
    const kinds = [
      { tags: 'TagA' },
      { tags: 'TagA', keys: ['k1', 'k2'] },
      { tags: 'TagA', properties: { place: 'Zürich 東京' } },
      {},
      { tags: 'Grüße' },
      { tags: 'x'.repeat(2_000) },
      { tags: 'TagA' }
    ].map(message)
    // Two milliseconds, and past the end of the counter, which has 16 bits.
    for (let round = 0; round < 70_000 / kinds.length; round++) {
      const { body, uniqueIds } = encodeBatch(kinds, Date.UTC(2024, 1, 3) + (round & 1), 100_000)
      const expected = uniqueIds.split(',').map((id, index) => decodeProperties(kinds[index]!.encodeProperties(id)))
      if (round < 4 || /(?:FFFF|0000)(?:,|$)/.test(uniqueIds)) {
        assert.deepEqual(
          readBatch(body).map(element => element.properties),
          expected
        )
      }
    }
  })

  it('of messages whose properties are too long together is refused', () => {
    const long = message({ tags: 't'.repeat(20_000), keys: 'k'.repeat(13_000) })
    assert.throws(
      () => encodeBatch([message({}), long], Date.now(), 100_000),
      /properties of the message take 33\d+ bytes/
    )
  })

  it('over the limit is refused and says by how much', () => {
    assert.throws(() => encodeBatch(messages, Date.now(), 100), /3 messages takes \d+ bytes, maxMessageSize is 100/)
  })

  const refused: [string, Message[], RegExp][] = [
    ['nothing', [], /at least one/],
    ['several topics', [message({}), message({ topic: 'U' })], /one topic, these are for T and U/],
    ['several waitStoreMsgOK', [message({}), message({ waitStoreMsgOK: false })], /same waitStoreMsgOK/],
    ['delayed messages', [message({ delayTimeLevel: 1 })], /delayed/],
    ['replies', [withProperties(message({}), { MSG_TYPE: 'reply' })], /replies/],
    ['messages for a retry topic', [message({ topic: '%RETRY%g' })], /retry topic/]
  ]
  for (const [what, given, text] of refused) {
    it(`of ${what} is refused`, () => {
      assert.throws(
        () => checkBatch(given),
        (error: unknown) => error instanceof InvalidArgumentError && text.test(error.message)
      )
    })
  }
})

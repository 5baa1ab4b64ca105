import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { InvalidArgumentError } from '../../../ts/errors.js'
import { Message, withProperties } from '../../../ts/message/message.js'
import { decodeProperties } from '../../../ts/message/properties.js'

const delayed = (set: (message: Message) => void): boolean => {
  const message = new Message({ topic: 'T', body: 'b', properties: { a: 'b' } })
  set(message)
  return message.delayed
}

describe('Message', () => {
  it('takes strings, Buffers and Uint8Arrays as bodies, the latter two without copying', () => {
    const bytes = new Uint8Array([1, 2, 3])
    assert.deepEqual(new Message({ topic: 'T', body: 'grüße' }).body, Buffer.from('grüße'))
    const message = new Message({ topic: 'T', body: bytes.subarray(1) })
    assert.deepEqual([...message.body], [2, 3])
    assert.equal(message.body.buffer, bytes.buffer)
  })

  it('refuses a body that is no text and no bytes', () => {
    const init = { topic: 'T', body: 5 } as object as { topic: string; body: string }
    assert.throws(() => new Message(init), InvalidArgumentError)
  })

  it('encodes tags, keys, WAIT, the unique id and all other properties', () => {
    const message = new Message({ topic: 'T', body: 'b', tags: 'TagA', keys: ['k1', 'k2'], properties: { x: 'y' } })
    message.waitStoreMsgOK = false
    message.delayTimeLevel = 3
    assert.deepEqual(
      decodeProperties(message.encodeProperties('ID')),
      new Map([
        ['UNIQ_KEY', 'ID'],
        ['WAIT', 'false'],
        ['TAGS', 'TagA'],
        ['KEYS', 'k1 k2'],
        ['DELAY', '3'],
        ['x', 'y']
      ])
    )
    assert.equal(message.getProperty('KEYS'), 'k1 k2')
    assert.equal(message.properties.get('WAIT'), 'false')
  })

  for (const name of ['KEYS', 'UNIQ_KEY', 'DELAY', '__LITE_TOPIC', 'TIMER_DELIVER_MS']) {
    it(`refuses the reserved name ${name} for a user property`, () => {
      assert.throws(() => new Message({ topic: 'T', body: 'b' }).putUserProperty(name, 'v'), /used by the system/)
    })
  }

  it('refuses blank names and values', () => {
    const message = new Message({ topic: 'T', body: 'b' })
    assert.throws(() => message.putUserProperty(' ', 'v'), InvalidArgumentError)
    assert.throws(() => message.putUserProperty('n', '\t'), InvalidArgumentError)
    // Java's trim() takes away what is up to U+0020, and nothing else.
    assert.throws(() => message.putUserProperty('n', '\u0003'), InvalidArgumentError)
    assert.equal(message.putUserProperty('n', '\u00a0').getUserProperty('n'), '\u00a0')
  })

  it('refuses the separators of the wire format in tags, keys, names and values', () => {
    const message = new Message({ topic: 'T', body: 'b' })
    assert.throws(() => (message.tags = 'a\u0001b'), /U\+0001/)
    assert.throws(() => message.setKeys(['a', 'b\u0002']), /U\+0001 or U\+0002/)
    assert.throws(() => message.putUserProperty('n\u0001', 'v'), InvalidArgumentError)
    assert.throws(() => message.putUserProperty('n', 'v\u0002'), InvalidArgumentError)
  })

  it('knows when it is delayed, by level or by time', () => {
    assert.equal(
      delayed(() => undefined),
      false
    )
    assert.ok(delayed(message => (message.delayTimeLevel = 1)))
    assert.ok(delayed(message => (message.delayTimeMs = 1)))
    assert.ok(delayed(message => (message.delayTimeSec = 1)))
    assert.ok(delayed(message => (message.deliverTimeMs = 1)))
    assert.throws(() => delayed(message => (message.delayTimeLevel = -1)), InvalidArgumentError)
  })

  for (const [init, name, value] of [
    [{ delayTimeLevel: 2 }, 'DELAY', '2'],
    [{ delayTimeSec: 3 }, 'TIMER_DELAY_SEC', '3'],
    [{ delayTimeMs: 4 }, 'TIMER_DELAY_MS', '4'],
    [{ delayMs: 5 }, 'TIMER_DELAY_MS', '5'],
    [{ deliverTimeMs: 6 }, 'TIMER_DELIVER_MS', '6'],
    [{ deliverAt: 7 }, 'TIMER_DELIVER_MS', '7'],
    [{ deliverAt: new Date(8) }, 'TIMER_DELIVER_MS', '8']
  ] as const) {
    it(`says ${name} for ${JSON.stringify(init)}`, () => {
      const message = new Message({ topic: 'T', body: 'b', ...init })
      assert.equal(decodeProperties(message.encodeProperties('ID')).get(name), value)
    })
  }

  it('has one delay at most, which 0 takes away', () => {
    assert.throws(() => new Message({ topic: 'T', body: 'b', delayMs: 5, delayTimeLevel: 1 }), /one delay/)
    assert.throws(() => new Message({ topic: 'T', body: 'b', deliverAt: new Date(Number.NaN) }), InvalidArgumentError)
    const message = new Message({ topic: 'T', body: 'b', delayMs: 5 })
    assert.throws(() => (message.deliverTimeMs = 1), /deliverTimeMs cannot be set beside the delay TIMER_DELAY_MS/)
    message.delayTimeMs = 0
    assert.equal(message.delayed, false)
    message.deliverTimeMs = 1
    assert.equal(message.deliverTimeMs, 1)
  })

  it('is copied with further properties, and stays as it is', () => {
    const message = new Message({ topic: 'T', body: 'b', tags: 'TagA', keys: 'k', flag: 3, properties: { x: 'y' } })
    message.waitStoreMsgOK = false
    const copy = withProperties(message, { TRAN_MSG: 'true', TTL: undefined })
    assert.deepEqual([copy.body, copy.flag, copy.topic], [message.body, 3, 'T'])
    assert.deepEqual(copy.properties, new Map([...message.properties, ['TRAN_MSG', 'true']]))
    assert.equal(message.getProperty('TRAN_MSG'), undefined)
  })
})

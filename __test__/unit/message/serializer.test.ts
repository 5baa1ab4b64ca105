import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { InvalidArgumentError } from '../../../ts/errors.js'
import { Message } from '../../../ts/message/message.js'
import { bodyBytes, jsonSerializer } from '../../../ts/message/serializer.js'

describe('a message body', () => {
  const bytes = Uint8Array.of(0, 1, 2, 250, 251, 252, 253, 254, 255, 9)

  it('is text as UTF-8, or the bytes of a buffer or of any view, without what lies around them', () => {
    assert.deepEqual(bodyBytes('Zürich'), Buffer.from([0x5a, 0xc3, 0xbc, 0x72, 0x69, 0x63, 0x68]))
    assert.deepEqual([...bodyBytes(bytes.subarray(1, 4))], [1, 2, 250])
    assert.deepEqual([...bodyBytes(new DataView(bytes.buffer, 2, 3))], [2, 250, 251])
    assert.deepEqual([...bodyBytes(new Uint16Array(bytes.buffer, 2, 2))], [2, 250, 251, 252])
    assert.deepEqual([...bodyBytes(bytes.buffer)], [...bytes])
    assert.deepEqual([...bodyBytes(Buffer.from(bytes))], [...bytes])
  })

  it('is not copied when it is bytes', () => {
    const message = new Message({ topic: 'T', body: new DataView(bytes.buffer, 2, 3) })
    assert.equal(message.body.buffer, bytes.buffer)
  })

  it('is not what was transferred to another thread, though it may be empty', () => {
    const [transferred, buffer] = [new Uint8Array(5), Buffer.from(new ArrayBuffer(5))]
    structuredClone(transferred.buffer, { transfer: [transferred.buffer, buffer.buffer] })
    for (const body of [transferred, transferred.buffer, new DataView(new ArrayBuffer(0)), buffer, '']) {
      const isEmpty = typeof body === 'string' || body instanceof DataView
      if (isEmpty) assert.equal(bodyBytes(body).length, 0)
      else assert.throws(() => bodyBytes(body), { name: 'InvalidArgumentError', message: /was transferred/ })
    }
  })

  it('is nothing else without a serializer, and the error says so', () => {
    for (const wrong of [undefined, null, 7, { a: 1 }, [1], new SharedArrayBuffer(1)]) {
      // What JavaScript may pass against the types.
      assert.throws(() => bodyBytes(wrong as unknown as string), InvalidArgumentError)
    }
    assert.throws(
      () => bodyBytes(new Map() as unknown as string),
      /not an object of class Map; give the producer a serializer/
    )
    // What JavaScript may pass against the types.
    assert.throws(() => bodyBytes(Object.create(null) as unknown as string), InvalidArgumentError)
  })
})

describe('the JSON serializer', () => {
  const { serialize } = jsonSerializer<unknown>()

  it('gives the JSON of a value', () => {
    assert.equal(serialize({ a: [1, 'ü', null] }, 'T'), '{"a":[1,"ü",null]}')
    assert.equal(serialize(null, 'T'), 'null')
  })

  it('refuses what JSON cannot express', () => {
    for (const wrong of [undefined, () => 1, Symbol('s')])
      assert.throws(() => serialize(wrong, 'T'), InvalidArgumentError)
    assert.throws(() => serialize(1n, 'T'), TypeError)
  })
})

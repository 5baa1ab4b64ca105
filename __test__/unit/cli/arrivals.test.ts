import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Arrivals } from '../../../ts/cli/demo/arrivals.js'
import { ReusableBody, readIndex } from '../../../ts/cli/demo/body.js'
import type { MessageExt } from '../../../ts/message/message-ext.js'

const BYTES = 40

function bodyOf(index: number): Buffer {
  const body = new ReusableBody(BYTES)
  body.setIndex(index)
  return body.bytes
}

function arrive(arrivals: Arrivals, ...bodies: Buffer[]): void {
  arrivals.take(bodies.map(body => ({ body }) as MessageExt))
}

describe('a body of the demo', () => {
  it('gives back its index, whatever it is', () => {
    for (const index of [0, 1, 31, 32, 1_000_000, 0xffffffff]) assert.equal(readIndex(bodyOf(index), BYTES), index)
  })

  it('gives no index when any of its bits has changed', () => {
    for (let bit = 0; bit < BYTES * 8; bit++) {
      const body = bodyOf(123_456)
      body[bit >>> 3]! ^= 1 << (bit & 7)
      assert.equal(readIndex(body, BYTES), -1, `bit ${bit}`)
    }
  })

  it('gives no index when it is shorter or longer than it should be', () => {
    assert.equal(readIndex(bodyOf(1).subarray(1), BYTES), -1)
    assert.equal(readIndex(Buffer.concat([bodyOf(1), Buffer.alloc(1)]), BYTES), -1)
    assert.equal(readIndex(Buffer.alloc(0), BYTES), -1)
  })
})

describe('the arrivals of the demo', () => {
  it('tell what is missing, in ranges, as many as asked for', () => {
    const arrivals = new Arrivals(100, BYTES)
    for (let i = 0; i < 100; i++) if (i !== 3 && (i < 31 || i > 33) && i !== 99) arrive(arrivals, bodyOf(i))
    assert.equal(arrivals.distinct, 95)
    assert.equal(arrivals.missing(5), '3, 31-33, 99')
    assert.equal(arrivals.missing(2), '3, 31-33, ...')
  })

  it('count duplicates and corruption apart from what is right', () => {
    const arrivals = new Arrivals(10, BYTES)
    const harmed = bodyOf(5)
    harmed[20]! ^= 1
    arrive(arrivals, bodyOf(1), bodyOf(1), bodyOf(2), harmed, bodyOf(10), bodyOf(1))
    assert.deepEqual([arrivals.distinct, arrivals.duplicates, arrivals.corrupt], [2, 2, 2])
    assert.equal(arrivals.missing(9), '0, 3-9')
  })

  it('miss nothing when everything arrived, in any order', () => {
    const arrivals = new Arrivals(33, BYTES)
    for (let i = 32; i >= 0; i--) arrive(arrivals, bodyOf(i))
    assert.equal(arrivals.distinct, 33)
    assert.equal(arrivals.missing(5), '')
  })
})

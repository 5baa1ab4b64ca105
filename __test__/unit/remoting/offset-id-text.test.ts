import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { OffsetIdText } from '../../../ts/remoting/offset-id-text.js'

describe('the text of offset message ids', () => {
  it('is that of the bytes, whatever came before', () => {
    const reader = new OffsetIdText()
    const [ours, theirs] = ['7F00000100002A9F', '0A00000100002A9F']
    const ids = [
      `${ours}0000000000000000`,
      `${ours}00000000000000E1`,
      `${theirs}00000000000000E1`,
      `${ours}00000001000000E1`,
      `${ours}00000001000000E2,${ours}00000001000001C4`,
      `20010DB8000000000000000000000001${ours.slice(8)}00000000000000E1`,
      '',
      `${ours}00000001FFFFFFFF`
    ]
    for (const id of [...ids, ...ids.toReversed()]) {
      const buffer = Buffer.from(`xyz${id}xyz`)
      const view = new DataView(buffer.buffer, buffer.byteOffset, buffer.length)
      assert.equal(reader.read(buffer, view, 3, 3 + id.length), id)
    }
    const zeros = Buffer.alloc(32)
    assert.equal(new OffsetIdText().read(zeros, new DataView(zeros.buffer, zeros.byteOffset), 0, 32), '\0'.repeat(32))
  })
})

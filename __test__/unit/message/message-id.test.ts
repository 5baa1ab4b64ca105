import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import Long from 'long'
import { InvalidArgumentError } from '../../../ts/errors.js'
import { javaStringHash } from '../../../ts/message/java-hash.js'
import { ipBytes } from '../../../ts/message/local-address.js'
import { createUniqueId, decodeOffsetMessageId, encodeOffsetMessageId } from '../../../ts/message/message-id.js'
import { goldenLines } from '../helpers/repository.js'

describe('the unique id', () => {
  it('is address, process id, a constant, the ms of the month, and a counter, in upper-case hexadecimal', () => {
    const now = new Date(2026, 4, 17, 12, 30, 15, 250)
    const id = createUniqueId(now.getTime())
    assert.match(id, /^(?:[0-9A-F]{32}|[0-9A-F]{56})$/)
    const bytes = Buffer.from(id, 'hex')
    const address = bytes.length - 12
    assert.equal(bytes.readUInt16BE(address), process.pid & 0xffff)
    assert.equal(bytes.readInt32BE(address + 6), now.getTime() - new Date(2026, 4, 1).getTime())
  })

  it('counts up within a millisecond and wraps after 65536', () => {
    const ids = Array.from({ length: 65_537 }, () => createUniqueId(1_700_000_000_000))
    assert.equal(new Set(ids).size, 65_536)
    assert.equal(ids[65_536], ids[0])
    const [first, second] = ids.map(id => parseInt(id.slice(-4), 16))
    assert.equal(second, (first! + 1) & 0xffff)
  })

  it('starts a new month', () => {
    createUniqueId(new Date(2026, 0, 31, 23, 59, 59, 999).getTime())
    const id = createUniqueId(new Date(2026, 1, 1, 0, 0, 0, 7).getTime())
    assert.equal(id.slice(-12, -4), '00000007')
  })
})

describe('the offset id', () => {
  for (const [, line] of goldenLines('texts.txt').filter(([kind]) => kind === 'offset_id')) {
    const [host = '', port = '', offset = '', id = ''] = line.split(' ')
    it(`of ${host} is what Java makes`, () => {
      assert.equal(encodeOffsetMessageId(ipBytes(host), Number(port), Long.fromString(offset)), id)
      const decoded = decodeOffsetMessageId(id)
      assert.equal(decoded.port, Number(port))
      assert.equal(decoded.commitLogOffset.toString(), offset)
      assert.deepEqual(ipBytes(decoded.host), ipBytes(host))
    })
  }

  it('may be of an IPv6 address that ends as an IPv4 address', () => {
    for (const [short, long] of [
      ['::ffff:1.2.3.4', '0:0:0:0:0:ffff:102:304'],
      ['::1.2.3.4', '0:0:0:0:0:0:102:304'],
      ['1:2:3:4:5:6:10.0.0.255', '1:2:3:4:5:6:a00:ff']
    ] as const) {
      assert.deepEqual(ipBytes(short), ipBytes(long))
    }
  })

  it('is refused when it is none', () => {
    assert.throws(() => decodeOffsetMessageId('C0A8'), InvalidArgumentError)
    assert.throws(() => decodeOffsetMessageId('Z'.repeat(32)), InvalidArgumentError)
  })
})

describe("Java's string hash", () => {
  for (const [, line] of goldenLines('texts.txt').filter(([kind]) => kind === 'hash')) {
    const blank = line.indexOf(' ')
    const text = line.slice(blank + 1)
    it(`of ${JSON.stringify(text.slice(0, 20))} is ${line.slice(0, blank)}`, () => {
      assert.equal(javaStringHash(text), Number(line.slice(0, blank)))
    })
  }
})

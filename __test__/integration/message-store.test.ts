/** The message store with no broker, as a program embeds it. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { closeSync, openSync, readdirSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { NativeMessageStore } from '#binding'
import Long from 'long'
import {
  ClientStateError,
  ConfigError,
  InvalidArgumentError,
  MessageStore,
  StoreError,
  compressBody
} from '../../ts/index.js'
import { MessageSysFlag } from '../../ts/message/sys-flag.js'
import { TemporaryDirectory } from '../interop/helpers/owned.js'
import { until } from '../interop/helpers/until.js'
import { heldIn, onLinux } from './helpers/held-files.js'
import { repositoryRoot } from '../unit/helpers/repository.js'

const SMALL = { commitLogFileBytes: 16 * 1024, consumeQueueFileBytes: 2_000 }

function numbered(count: number, topic = 'Topic', queueId = 0): { topic: string; queueId: number; body: string }[] {
  return Array.from({ length: count }, (_, i) => ({ topic, queueId, body: `${topic} ${queueId} ${i}` }))
}

async function bodies(messages: AsyncIterable<{ body: Buffer }>): Promise<string[]> {
  const all: string[] = []
  for await (const { body } of messages) all.push(body.toString())
  return all
}

describe('MessageStore', () => {
  it('gives back every field of what was put, as Longs and lazily', async () => {
    using directory = new TemporaryDirectory()
    await using store = await MessageStore.open({ directory: directory.path, storeHost: '10.1.2.3:10911' })
    const result = await store.put({
      topic: 'Topic',
      queueId: 3,
      body: 'grüße',
      tags: 'TagA',
      keys: ['k1', 'k2'],
      properties: { colour: 'röd' },
      flag: -7,
      reconsumeTimes: 2,
      bornTimestamp: 1_700_000_000_123,
      bornHost: '[2001:db8::1]:4321',
      preparedTransactionOffset: 2n ** 40n
    })
    assert.ok(result.queueOffset.eq(0) && result.commitLogOffset.eq(0))
    const { status, messages, nextBeginOffset } = store.get({ topic: 'Topic', queueId: 3, offset: 0 })
    assert.equal(status, 'FOUND')
    assert.ok(Long.isLong(nextBeginOffset) && nextBeginOffset.eq(1))
    const [message] = messages
    assert.ok(message !== undefined && messages.length === 1)
    assert.equal(message.body.toString(), 'grüße')
    assert.equal(message.keys, 'k1 k2')
    assert.equal(message.tags, 'TagA')
    assert.equal(message.getUserProperty('colour'), 'röd')
    assert.equal(message.msgId, result.msgId)
    assert.match(result.msgId, /^[0-9A-F]{32,56}$/)
    assert.equal(message.flag, -7)
    assert.equal(message.reconsumeTimes, 2)
    assert.equal(message.bornTimestamp, 1_700_000_000_123)
    assert.equal(message.bornHost, '[2001:db8:0:0:0:0:0:1]:4321')
    assert.equal(message.storeHost, '10.1.2.3:10911')
    assert.equal(message.storeTimestamp, result.storeTimestamp)
    assert.equal(message.preparedTransactionOffset.toString(), '1099511627776')
    for (const place of [result.offsetMsgId, result.commitLogOffset, 0, 0n]) {
      assert.equal(store.messageAt(place)?.msgId, result.msgId)
    }
    assert.equal(store.messageAt(1), undefined)
  })

  it('keeps everything over closing and opening, across many files, and finds their size itself', async () => {
    using directory = new TemporaryDirectory()
    for (let round = 0; round < 3; round++) {
      const sizes = round === 0 ? SMALL : {}
      await using store = await MessageStore.open({ directory: directory.path, ...sizes })
      for (let queueId = 0; queueId < 2; queueId++) {
        const results = await store.putBatch(numbered(300, 'Topic', queueId))
        assert.deepEqual(
          results.map(({ queueOffset }) => queueOffset.toNumber()),
          Array.from({ length: 300 }, (_, i) => round * 300 + i)
        )
      }
    }
    await using store = await MessageStore.open({ directory: directory.path })
    const once = numbered(300, 'Topic', 1).map(({ body }) => body)
    assert.deepEqual(await bodies(store.queue('Topic', 1)), [...once, ...once, ...once])
    assert.deepEqual(await bodies(store.queue('Topic', 1, { from: 299n, to: Long.fromNumber(302) })), [
      'Topic 1 299',
      'Topic 1 0',
      'Topic 1 1'
    ])
    assert.equal((await bodies(store.log())).length, 1_800)
    const stats = await store.stats()
    assert.equal(stats.depth.toNumber(), 1_800)
    assert.ok(stats.commitLog.files > 5)
    assert.equal(stats.commitLog.bytes, stats.commitLog.files * SMALL.commitLogFileBytes)
    assert.deepEqual(store.topics(), ['Topic'])
    assert.ok(store.maxOffset('Topic', 1).eq(900) && store.minOffset('Topic', 1).eq(0))
  })

  it('answers gets in the words of Apache, filters by tags and inflates bodies', async () => {
    using directory = new TemporaryDirectory()
    await using store = await MessageStore.open({ directory: directory.path })
    assert.equal(store.get({ topic: 'None', offset: 0 }).status, 'NO_MATCHED_LOGIC_QUEUE')
    const plain = Buffer.alloc(400_000, 'wide ')
    await store.putBatch([
      { topic: 'T', body: 'a', tags: 'A' },
      { topic: 'T', body: 'b', tags: 'B' },
      { topic: 'T', body: compressBody('ZLIB', plain), sysFlag: MessageSysFlag.COMPRESSED | (3 << 8), tags: 'A' }
    ])
    const found = store.get({ topic: 'T', offset: 0, tags: ['A'] })
    assert.deepEqual(
      found.messages.map(({ body }) => body),
      [Buffer.from('a'), plain]
    )
    assert.equal(store.get({ topic: 'T', offset: 1, tags: 'C' }).status, 'NO_MATCHED_MESSAGE')
    assert.equal(store.get({ topic: 'T', offset: 3 }).status, 'OFFSET_OVERFLOW_ONE')
    assert.equal(store.get({ topic: 'T', offset: 2n ** 62n }).status, 'OFFSET_OVERFLOW_BADLY')
    assert.equal(store.get({ topic: 'T', offset: -1 }).status, 'OFFSET_TOO_SMALL')
    const { storeTimestamp } = found.messages[0]!
    assert.ok(store.offsetByTime('T', 0, storeTimestamp).eq(0))
    assert.ok(store.offsetByTime('T', 0, storeTimestamp, 'upper').eq(2))
  })

  it('keeps queues of any id apart, and knows those that a topic does not have', async () => {
    using directory = new TemporaryDirectory()
    await using store = await MessageStore.open({ directory: directory.path })
    const ids = [0, 3, 4, 5, 70_000, 2 ** 31 - 1]
    const has = (queueId: number): boolean => ids.includes(queueId)
    for (const round of [0, 1]) {
      const offsets = await store.putBatch(ids.flatMap(queueId => numbered(1 + round, 'T', queueId)))
      assert.equal(offsets.filter(({ queueOffset }) => queueOffset.isZero()).length, round === 0 ? ids.length : 0)
      await store.put({ topic: 'Other', queueId: 4, body: 'other' })
    }
    for (const queueId of [...ids, 1, 2, 6, 69_999]) {
      const { status, messages } = store.get({ topic: 'T', queueId, offset: 0 })
      assert.equal(status, has(queueId) ? 'FOUND' : 'NO_MATCHED_LOGIC_QUEUE')
      assert.deepEqual(
        messages.map(({ body }) => body.toString()),
        has(queueId) ? [`T ${queueId} 0`, `T ${queueId} 0`, `T ${queueId} 1`] : []
      )
      assert.ok(store.maxOffset('T', queueId).eq(has(queueId) ? 3 : 0))
      assert.ok(store.offsetByTime('T', queueId, Date.now() + 1_000).eq(has(queueId) ? 3 : 0))
    }
    assert.deepEqual(
      store.queues().map(({ topic, queueId }) => `${topic} ${queueId}`),
      ['Other 4', ...ids.map(queueId => `T ${queueId}`)]
    )
  })

  it('compares the tags themselves: what only shares their hash is neither found nor counted', async () => {
    using directory = new TemporaryDirectory()
    await using store = await MessageStore.open({ directory: directory.path })
    await store.putBatch([...'ooxooo'].map(body => ({ topic: 'T', body, tags: body === 'x' ? 'Aa' : 'BB' })))
    const { status, messages } = store.get({ topic: 'T', offset: 0, tags: 'Aa', maxCount: 1 })
    assert.deepEqual([status, messages.map(({ body }) => body.toString())], ['FOUND', ['x']])
    assert.equal(store.get({ topic: 'T', offset: 3, tags: 'Aa' }).status, 'NO_MATCHED_MESSAGE')
  })

  it('finds messages by key and unique key, the newest, within times, once each', async () => {
    using directory = new TemporaryDirectory()
    await using store = await MessageStore.open({ directory: directory.path, ...SMALL })
    const put = (body: string, keys: string[], topic = 'T') => store.append({ topic, body, keys })
    const first = put('first', ['a', 'both'])
    put('second', ['b', 'both', 'both'])
    put('third', ['c'], 'Other')
    const texts = (key: string, more: object = {}) =>
      store.query({ topic: 'T', key, ...more }).messages.map(({ body }) => body.toString())
    assert.deepEqual(texts('a'), ['first'])
    assert.deepEqual(texts('both'), ['first', 'second'])
    assert.deepEqual(texts('both', { maxCount: 1 }), ['second'])
    assert.deepEqual(texts(first.msgId), ['first'])
    assert.deepEqual(texts('c'), [])
    assert.deepEqual(texts('both', { end: first.storeTimestamp - 1 }), [])
    assert.deepEqual(texts('both', { begin: first.storeTimestamp, end: first.storeTimestamp + 60_000 }), [
      'first',
      'second'
    ])
    const { indexLastUpdatePhyOffset, indexLastUpdateTimestamp } = store.query({ topic: 'T', key: 'none' })
    assert.equal(store.messageAt(indexLastUpdatePhyOffset)?.body.toString(), 'third')
    assert.ok(indexLastUpdateTimestamp >= first.storeTimestamp)
    // The cast lets in what a program in JavaScript may hand over.
    for (const wrong of [{ key: '' }, { key: 'a', maxCount: 0 }, { topic: 5 as unknown as string, key: 'a' }]) {
      assert.throws(() => store.query({ topic: 'T', ...wrong }), InvalidArgumentError)
    }
  })

  it('finds and gives back topics that are not ASCII', async () => {
    using directory = new TemporaryDirectory()
    await using store = await MessageStore.open({ directory: directory.path })
    for (const topic of ['日本', 'grüße', 'T']) {
      const { msgId } = await store.put({ topic, body: 'x', keys: 'k' })
      assert.equal(store.get({ topic, offset: 0 }).messages[0]?.topic, topic)
      for (const key of ['k', msgId]) assert.equal(store.query({ topic, key }).messages[0]?.topic, topic)
    }
  })

  it('is not misled by keys that share a hash', async () => {
    using directory = new TemporaryDirectory()
    await using store = await MessageStore.open({ directory: directory.path })
    // Java's String#hashCode is the same for both.
    store.append({ topic: 'T', body: 'meant', keys: 'Aa' })
    for (let i = 0; i < 5; i++) store.append({ topic: 'T', body: 'other', keys: 'BB' })
    const { messages } = store.query({ topic: 'T', key: 'Aa', maxCount: 1 })
    assert.deepEqual(
      messages.map(({ body }) => body.toString()),
      ['meant']
    )
    assert.equal(store.query({ topic: 'T', key: 'BB' }).messages.length, 5)
  })

  it('finds messages in a store that is only read, its index behind or away, and writes nothing', async () => {
    using directory = new TemporaryDirectory()
    {
      await using store = await MessageStore.open({ directory: directory.path })
      for (let i = 0; i < 50; i++) store.append({ topic: 'T', body: String(i), keys: `key-${i}` })
    }
    const look = async () => {
      await using store = await MessageStore.open({ directory: directory.path, readOnly: true })
      for (let i = 0; i < 50; i++) {
        assert.equal(store.query({ topic: 'T', key: `key-${i}` }).messages[0]?.body.toString(), String(i))
      }
    }
    await look()
    rmSync(join(directory.path, 'index'), { recursive: true })
    const before = readdirSync(directory.path, { recursive: true }).sort()
    await look()
    assert.deepEqual(readdirSync(directory.path, { recursive: true }).sort(), before)
  })

  it('refuses puts above the given use of the disk, and takes them with 100', async () => {
    using directory = new TemporaryDirectory()
    {
      await using store = await MessageStore.open({ directory: directory.path, diskFullRatio: 1 })
      await assert.rejects(
        store.put({ topic: 'T', body: 'no' }),
        /the disk is \d+ % full, writes are refused above 1 %/
      )
    }
    await using store = await MessageStore.open({ directory: directory.path, diskFullRatio: 100 })
    await store.put({ topic: 'T', body: 'yes' })
    await assert.rejects(MessageStore.open({ directory: directory.path, diskFullRatio: 101 }), ConfigError)
  })

  it('gives a body that does not inflate as it is stored, and what is behind it', async () => {
    using directory = new TemporaryDirectory()
    await using store = await MessageStore.open({ directory: directory.path })
    const results = await store.putBatch([
      { topic: 'T', body: 'before', tags: 'A' },
      { topic: 'T', body: 'no zlib', sysFlag: MessageSysFlag.COMPRESSED | (3 << 8), tags: 'A' },
      { topic: 'T', body: 'behind', tags: 'A' }
    ])
    const all = ['before', 'no zlib', 'behind']
    assert.deepEqual(await bodies(store.log()), all)
    const { messages } = store.get({ topic: 'T', offset: 0, tags: 'A' })
    assert.deepEqual(
      messages.map(({ body }) => body.toString()),
      all
    )
    assert.equal(store.messageAt(results[1]!.commitLogOffset)?.body.toString(), 'no zlib')
    assert.notEqual(messages[1]!.sysFlag & MessageSysFlag.COMPRESSED, 0)
  })

  it('refuses what cannot be stored, whole, and goes on', async () => {
    using directory = new TemporaryDirectory()
    await using store = await MessageStore.open({ directory: directory.path, maxMessageBytes: 100 })
    const good = { topic: 'T', body: 'good' }
    const transferred = new Uint8Array(5)
    structuredClone(transferred.buffer, { transfer: [transferred.buffer] })
    const bad = [
      { topic: 'T', body: Buffer.alloc(101) },
      { topic: 'T', body: transferred },
      { topic: '../T', body: 'x' },
      { topic: 'T', queueId: -1, body: 'x' },
      { topic: 'T', queueId: 0.5, body: 'x' },
      { topic: 'T', body: 5 as unknown as string }, // what a program in JavaScript may hand over
      { topic: 'T', body: 'x', tags: 'a\u0001' },
      { topic: 'T', body: 'x', properties: { long: 'x'.repeat(40_000) } },
      { topic: 'T', body: 'x', properties: { INNER_NUM: '3' } },
      { topic: 'T', body: 'x', properties: { INNER_MULTI_DISPATCH: '%LMQ%a' } },
      { topic: 'T', body: 'x', sysFlag: 0x80 },
      { topic: 'T', body: 'x', flag: 2 ** 31 },
      { topic: 'T', body: 'x', bornHost: 'somewhere:1' },
      // Java's decoder takes a record with such a port for none.
      { topic: 'T', body: 'x', bornHost: '1.2.3.4:65536' },
      { topic: 'T', body: 'x', storeHost: '127.0.0.1:999999999' },
      // Would be read as tags of the message.
      { topic: 'T', body: 'x', properties: { UNIQ_KEY: 'u\u0002TAGS\u0001other' } }
    ]
    for (const message of bad) {
      await assert.rejects(store.putBatch([good, message, good]), InvalidArgumentError, JSON.stringify(message))
    }
    assert.deepEqual(await store.putBatch([]), [])
    assert.ok((await store.put(good)).queueOffset.eq(0))
    assert.deepEqual(await bodies(store.log()), ['good'])
    assert.throws(() => store.get({ topic: 'T', offset: 0.5 }), InvalidArgumentError)
    assert.throws(() => store.get({ topic: 'T', offset: 0, maxCount: 0 }), InvalidArgumentError)
    await assert.rejects(bodies(store.log({ from: 1 })), InvalidArgumentError)
  })

  it('names the argument that is of another kind', async () => {
    using directory = new TemporaryDirectory()
    await using store = await MessageStore.open({ directory: directory.path })
    await store.put({ topic: 'T', body: 'x', keys: 'k' })
    const queue = { topic: 'T', offset: 0 }
    const key = { topic: 'T', key: 'k' }
    // What a program in JavaScript may hand over, by the name that the error must have.
    const wrong: [name: string, call: (given: never) => unknown, ...values: unknown[]][] = [
      ['message', given => store.append(given), null, undefined, 5],
      ['messages', given => store.appendBatch(given), null, undefined, 'xy', new Set([1]), { length: 1 }],
      ['message', given => store.appendBatch([given]), null],
      ['topic', given => store.append({ topic: given, body: 'x' }), Symbol('T'), Object.create(null)],
      ['queueId', given => store.append({ topic: 'T', queueId: given, body: 'x' }), 1n, '0', null, 2 ** 31],
      ['tags', given => store.append({ topic: 'T', body: 'x', tags: given }), null, 5, ['a']],
      ['keys', given => store.append({ topic: 'T', body: 'x', keys: given }), null, 12_345, [5], new Set(['a'])],
      ['properties', given => store.append({ topic: 'T', body: 'x', properties: given }), null, 5, new Set(), ['a']],
      ['property UNIQ_KEY', given => store.append({ topic: 'T', body: 'x', properties: { UNIQ_KEY: given } }), 5, null],
      ['property p', given => store.append({ topic: 'T', body: 'x', properties: { p: given } }), 5, '', null],
      ['flag', given => store.append({ topic: 'T', body: 'x', flag: given }), 1n, '1', null],
      ['bornTimestamp', given => store.append({ topic: 'T', body: 'x', bornTimestamp: given }), new Date(), 1n],
      ['waitStoreMsgOK', given => store.append({ topic: 'T', body: 'x', waitStoreMsgOK: given }), 'false', null],
      ['request', given => store.get(given), null, undefined, 5],
      ['offset', given => store.get({ topic: 'T', offset: given }), undefined, '0', NaN],
      ['tags', given => store.get({ ...queue, tags: given }), null, 5, new Set(['a']), [5]],
      ['maxCount', given => store.get({ ...queue, maxCount: given }), '3', 1n, NaN],
      ['maxBytes', given => store.get({ ...queue, maxBytes: given }), 0, null],
      ['request', given => store.query(given), null, undefined],
      ['key', given => store.query({ topic: 'T', key: given }), 5],
      ['begin', given => store.query({ ...key, begin: given }), new Date(0), NaN, '0', null],
      ['end', given => store.query({ ...key, end: given }), new Date(), NaN],
      ['timestampMs', given => store.offsetByTime('T', 0, given), new Date(), NaN, '5', 1n],
      ['boundary', given => store.offsetByTime('T', 0, 0, given), 'LOWER', null],
      ['place', given => store.messageAt(given), undefined, null, {}],
      ['topic', given => store.maxOffset(given), 5, undefined],
      ['range', given => store.queue('T', 0, given).next(), null, 5],
      ['range', given => store.log(given).next(), null],
      ['from', given => store.log({ from: given }).next(), null, '1', 1.5],
      ['to', given => store.queue('T', 0, { to: given }).next(), null]
    ]
    for (const [name, call, ...values] of wrong) {
      for (const value of values) {
        const message = new RegExp(`^(each of )?${name} must be `)
        await assert.rejects(async () => call(value as never), { name: 'InvalidArgumentError', message }, name)
      }
    }
    assert.equal(store.maxOffset('T').toNumber(), 1)
    await assert.rejects(MessageStore.open(null as never), ConfigError)
  })

  it('stores texts of any length and letters, one by one and in lists longer than its buffer', async () => {
    using directory = new TemporaryDirectory()
    await using store = await MessageStore.open({ directory: directory.path, storeHost: '[::1]:10911' })
    const texts = ['a', '\u007f', 'ü', 'aü', '世界', 'x🚀'].flatMap(end =>
      [0, 1, 62, 63, 64, 65, 700].map(units => 'k'.repeat(units) + end)
    )
    const messages = texts.map((text, index) => ({
      topic: 'T',
      queueId: 1,
      tags: text,
      keys: text,
      body: index % 2 === 0 ? text : Buffer.from(text),
      bornHost: index % 3 === 0 ? '10.0.0.1:1' : '[2001:db8::1]:1',
      properties: index % 5 === 0 ? { UNIQ_KEY: `id ${text}`, [text]: text } : { [text]: text }
    }))
    for (const message of messages) await store.put(message)
    // Twice, so that the buffer is larger than the list from the start as well.
    const list = Array.from({ length: 3 }, () => messages).flat()
    assert.ok(Buffer.byteLength(JSON.stringify(list)) > 2 * 64 * 1024)
    const ids = [...(await store.putBatch(list)), ...(await store.putBatch(list))].map(({ msgId }) => msgId)
    let at = 0
    for await (const read of store.queue('T', 1)) {
      const { tags, body, bornHost } = messages[at % messages.length]!
      assert.deepEqual(
        [read.tags, read.keys, read.body.toString(), read.getUserProperty(tags), read.properties.size],
        [tags, tags, String(body), tags, 4]
      )
      assert.equal(read.bornHost, bornHost.replace('::', ':0:0:0:0:0:'))
      if (at >= messages.length) assert.equal(read.msgId, ids[at - messages.length])
      at++
    }
    assert.equal(at, messages.length * 7)
  })

  it('takes a put from within a message that is being put', async () => {
    using directory = new TemporaryDirectory()
    await using store = await MessageStore.open({ directory: directory.path })
    const within = {
      topic: 'T',
      get body() {
        return store.append({ topic: 'T', body: 'inner' }).msgId
      }
    }
    const results = await store.putBatch([{ topic: 'T', body: 'first' }, within, { topic: 'T', body: 'last' }])
    const all = await bodies(store.queue('T'))
    assert.equal(all[0], 'inner')
    assert.deepEqual([all[1], all[3]], ['first', 'last'])
    assert.deepEqual(
      results.map(({ queueOffset }) => queueOffset.toNumber()),
      [1, 2, 3]
    )
  })

  it('takes damage in the log for no wrong argument', async () => {
    using directory = new TemporaryDirectory()
    await using store = await MessageStore.open({ directory: directory.path, ...SMALL, flushDiskType: 'SYNC_FLUSH' })
    const results = await store.putBatch(numbered(300))
    const place = results[299]!.commitLogOffset.toNumber()
    const start = place - (place % SMALL.commitLogFileBytes)
    const file = openSync(join(directory.path, 'commitlog', String(start).padStart(20, '0')), 'r+')
    // Where its length and magic number are.
    writeSync(file, Buffer.alloc(8, 0xff), 0, 8, place - start)
    closeSync(file)
    await assert.rejects(bodies(store.log()), StoreError)
  })

  it('has no queue of a message that was refused', async () => {
    using directory = new TemporaryDirectory()
    await using store = await MessageStore.open({ directory: directory.path, maxMessageBytes: 10 })
    await assert.rejects(store.put({ topic: 'T', body: 'too large for it' }), InvalidArgumentError)
    assert.deepEqual(store.queues(), [])
    assert.deepEqual(store.topics(), [])
    assert.equal((await store.stats()).topics, 0)
  })

  it('says of a put whose flush took too long that it is stored, and where', async test => {
    using directory = new TemporaryDirectory()
    await using store = await MessageStore.open({ directory: directory.path, flushDiskType: 'SYNC_FLUSH' })
    // How slow a disk is no test can tell: the addon says for it that the time is over.
    const { mock } = test.mock.method(NativeMessageStore.prototype, 'waitFlushed', async () => false)
    const message = { topic: 'T', body: 'x' }
    const late = [await store.put(message), ...(await store.putBatch([message, message]))]
    assert.equal(mock.callCount(), 2)
    mock.restore()
    const inTime = await store.put(message)
    assert.deepEqual(
      [...late, inTime].map(({ status }) => status),
      ['FLUSH_DISK_TIMEOUT', 'FLUSH_DISK_TIMEOUT', 'FLUSH_DISK_TIMEOUT', 'PUT_OK']
    )
    for (const { offsetMsgId, msgId } of late) assert.equal(store.messageAt(offsetMsgId)?.msgId, msgId)
  })

  it('does not wait for the disk where the message says so', async () => {
    using directory = new TemporaryDirectory()
    const options = { directory: directory.path, flushDiskType: 'SYNC_FLUSH', flushIntervalMs: 3_600_000 } as const
    await using store = await MessageStore.open(options)
    const flushed = async (): Promise<boolean> => {
      const { flushedOffset, maxOffset } = (await store.stats()).commitLog
      return flushedOffset.eq(maxOffset)
    }
    const hasty = { topic: 'T', body: 'x', waitStoreMsgOK: false }
    const { status, queueOffset } = await store.put(hasty)
    assert.equal(status, 'PUT_OK')
    assert.equal(store.get({ topic: 'T', offset: queueOffset }).messages[0]?.waitStoreMsgOK, false)
    assert.equal(await flushed(), false)
    await store.putBatch([hasty, { topic: 'T', body: 'x', properties: { WAIT: 'False' } }])
    assert.equal(await flushed(), false)
    await store.putBatch([hasty, { topic: 'T', body: 'x', waitStoreMsgOK: true }])
    assert.equal(await flushed(), true)
    await store.put({ topic: 'T', body: 'x', properties: new Map([['WAIT', 'false']]) })
    assert.equal(await flushed(), false)
    await store.put({ topic: 'T', body: 'x' })
    assert.equal(await flushed(), true)
  })

  it('waits with SYNC_FLUSH until the disk has it, many puts at a time', async () => {
    using directory = new TemporaryDirectory()
    await using store = await MessageStore.open({ directory: directory.path, flushDiskType: 'SYNC_FLUSH' })
    const results = await Promise.all(numbered(500).map(message => store.put(message)))
    const { flushedOffset, maxOffset } = (await store.stats()).commitLog
    assert.ok(flushedOffset.eq(maxOffset))
    assert.deepEqual(
      results.map(({ queueOffset }) => queueOffset.toNumber()),
      results.map((_, i) => i)
    )
    store.append({ topic: 'T', body: 'later' })
    await store.flush()
    assert.ok((await store.stats()).commitLog.flushedOffset.gt(flushedOffset))
  })

  it('belongs to one writer: another process and a reader are refused, and a closed store does nothing more', async () => {
    using directory = new TemporaryDirectory()
    const options = { directory: directory.path }
    const store = await MessageStore.open(options)
    await assert.rejects(MessageStore.open(options), StoreError)
    await assert.rejects(MessageStore.open({ ...options, readOnly: true }), StoreError)
    const index = join(repositoryRoot(), 'build', 'ts', 'index.js')
    const script = `require(${JSON.stringify(index)}).MessageStore.open(${JSON.stringify(options)})
      .catch(error => console.log(error.code, error.message))`
    assert.match(execFileSync(process.execPath, ['-e', script], { encoding: 'utf8' }), /^RMQ_STORE .* is in use/)
    await store.put({ topic: 'T', body: 'kept' })
    await store.close()
    await store.close()
    assert.throws(() => store.get({ topic: 'T', offset: 0 }), ClientStateError)
    await assert.rejects(store.flush(), ClientStateError)
    await assert.rejects(store.put({ topic: 'T', body: 'no' }), ClientStateError)
    await assert.rejects(store.stats(), ClientStateError)
    await assert.rejects(bodies(store.queue('T')), ClientStateError)

    await using first = await MessageStore.open({ ...options, readOnly: true })
    await using second = await MessageStore.open({ ...options, readOnly: true })
    assert.deepEqual(await bodies(first.queue('T')), ['kept'])
    assert.deepEqual(await bodies(second.log()), ['kept'])
    await assert.rejects(first.put({ topic: 'T', body: 'no' }), ClientStateError)
  })

  it('holds no file once it is closed, whoever still has it', onLinux, async () => {
    using directory = new TemporaryDirectory()
    const store = await MessageStore.open({ directory: directory.path, flushDiskType: 'SYNC_FLUSH' })
    const puts = numbered(10).map(message => store.put(message))
    assert.equal(store.get({ topic: 'Topic', offset: 0 }).messages.length, 10)
    assert.notDeepEqual(heldIn(directory.path), [])
    await store.close()
    assert.deepEqual(heldIn(directory.path), [])
    assert.equal((await Promise.all(puts)).length, 10)
    assert.throws(() => store.get({ topic: 'Topic', offset: 0 }), ClientStateError)
  })

  it('lets a process end that forgot to close it, and loses nothing', async () => {
    using directory = new TemporaryDirectory()
    const index = join(repositoryRoot(), 'build', 'ts', 'index.js')
    const script = `require(${JSON.stringify(index)}).MessageStore.open({ directory: ${JSON.stringify(directory.path)} })
      .then(store => { for (let i = 0; i < 1000; i++) store.append({ topic: 'T', body: String(i) }) })`
    execFileSync(process.execPath, ['-e', script], { timeout: 60_000 })
    const heard: string[] = []
    const onRecovery = ({ phase }: { phase: string }) => void heard.push(phase)
    await using store = await MessageStore.open({ directory: directory.path, readOnly: true, onRecovery })
    assert.equal((await bodies(store.queue('T'))).length, 1_000)
    await until('recovery is told of', () => heard.includes('commitLog'))
  })

  it('says which option is wrong', async () => {
    using directory = new TemporaryDirectory()
    const open = (options: object): Promise<MessageStore> =>
      MessageStore.open({ directory: directory.path, ...options })
    await assert.rejects(open({ directori: 'x' }), ConfigError)
    await assert.rejects(open({ directory: undefined }), ConfigError)
    await assert.rejects(open({ commitLogFileBytes: 10 }), ConfigError)
    await assert.rejects(open({ flushDiskType: 'MAYBE' }), ConfigError)
    await assert.rejects(open({ onRecovery: 'loud' }), ConfigError)
    await assert.rejects(open({ storeHost: 'nowhere' }), InvalidArgumentError)
    await assert.rejects(open({ directory: join(directory.path, 'missing'), readOnly: true }), StoreError)
  })
})

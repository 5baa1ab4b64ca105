/** One client sends, another receives, over one server: everything that must survive that journey. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { crcOf } from './bodies.js'
import type { Client, GroupMember, ProduceRequest, ReceivedRow, SentRow } from './client.js'
import { storedRecord } from './raw-command.js'
import { until } from './until.js'

/** Who sends to whom, through which name server. Asked for when the tests run. */
export interface Exchange {
  readonly sender: Client
  readonly receiver: Client
  readonly nameServer: string
  /** Port of the broker, on 127.0.0.1. */
  readonly brokerPort: number
}

const COUNT = 40
const SYS_FLAG_AT = 36
const COMPRESSION_BITS = 0x701
/** By kind: the bits of a record's sysFlag that tell it. */
const COMPRESSIONS = [
  ['LZ4', 0x101],
  ['ZSTD', 0x201],
  ['ZLIB', 0x301]
] as const
let exchanges = 0

/** The messages `from` ... `from + count - 1` that a member received, by index, once all of them are there. */
export async function arrived(member: GroupMember, from: number, count: number): Promise<Map<number, ReceivedRow>> {
  const isOurs = (row: ReceivedRow) => row.index >= from && row.index < from + count
  return until(`messages ${from} to ${from + count - 1} arrive`, async () => {
    const rows = new Map((await member.received(0)).filter(isOurs).map(row => [row.index, row]))
    return rows.size === count && rows
  })
}

/** Every body is the one sent, and lies where the SendResult says. */
function assertUnharmed(request: ProduceRequest, sent: readonly SentRow[], received: Map<number, ReceivedRow>): void {
  for (const row of received.values()) {
    assert.equal(row.bytes, request.bytes)
    assert.equal(row.crc32, crcOf(row.index, request.bytes), `body of message ${row.index}`)
    assert.equal(row.tags, request.tags ?? null)
    assert.equal(row.keys, request.keys === undefined ? null : request.keys + row.index)
    assert.equal(row.msgId, row.uniqueKey)
  }
  for (const result of sent) {
    assert.equal(result.status, 'SEND_OK')
    for (const [i, msgId] of result.msgId.split(',').entries()) {
      const row = received.get(result.index + i)
      const place = [row?.msgId, row?.queueId, row?.queueOffset]
      assert.deepEqual(place, [msgId, result.queueId, result.queueOffset + i], `place of message ${result.index + i}`)
    }
  }
}

/** Defines the tests of one exchange. `ask` is called when they start; what it gives must outlive them. */
export function describeExchange(name: string, ask: () => Exchange): void {
  describe(name, () => {
    const topic = `Exchange${++exchanges}`
    let from = 0
    let member: GroupMember
    let brokerName: string
    let exchange: Exchange

    async function send(kind: Partial<ProduceRequest>): Promise<Map<number, ReceivedRow>> {
      const { nameServer, sender } = exchange
      const request = { nameServer, topic, group: `producers_${topic}`, from, count: COUNT, bytes: 128, ...kind }
      from += COUNT
      const sent = await sender.produce(request)
      const received = await arrived(member, request.from, COUNT)
      assertUnharmed(request, sent, received)
      return received
    }

    before(async () => {
      exchange = ask()
      const { nameServer, receiver, sender } = exchange
      // The first message creates the topic; a consumer that knows no route yet would wait for its next look.
      const request = { nameServer, topic, group: `producers_${topic}`, from: -1, count: 1, bytes: 128 }
      brokerName = (await sender.produce(request))[0]!.brokerName
      member = await receiver.join({ nameServer, topic, group: `all_${topic}` })
    })

    after(() => member?.[Symbol.asyncDispose]())

    it('delivers tags, keys and properties with the bodies', async () => {
      const received = await send({ tags: 'TagA', keys: 'key-', properties: { city: 'Zürich', 'a b': '=&?' } })
      for (const row of received.values()) {
        assert.equal(row.properties['city'], 'Zürich')
        assert.equal(row.properties['a b'], '=&?')
      }
    })

    for (const [compress, sysFlag] of COMPRESSIONS) {
      it(`delivers bodies compressed with ${compress}`, async () => {
        const received = await send({ compress, bytes: 6_000 })
        const [row] = received.values()
        const record = await storedRecord(exchange.brokerPort, topic, row!.queueId, row!.queueOffset)
        assert.equal(record.readInt32BE(SYS_FLAG_AT) & COMPRESSION_BITS, sysFlag)
        assert.ok(record.length < 3_000, `${record.length} bytes were stored`)
      })
    }

    it('delivers bodies of 200 kB', async () => {
      await send({ bytes: 200_000 })
    })

    it('delivers batches', async () => {
      await send({ batch: 8, tags: 'TagB', keys: 'batch-' })
    })

    it('delivers oneway messages', async () => {
      await send({ oneway: true })
    })

    it('keeps the order of one queue', async () => {
      const received = await send({ brokerName, queueId: 2 })
      const rows = [...received.values()].toSorted((a, b) => a.index - b.index)
      const first = rows[0]!.queueOffset
      assert.deepEqual(
        rows.map(row => [row.queueId, row.queueOffset]),
        rows.map((_, i) => [2, first + i])
      )
    })

    it('filters by tag', async () => {
      const { nameServer, receiver } = exchange
      await send({ tags: 'TagC' })
      await using some = await receiver.join({ nameServer, topic, group: `some_${topic}`, expression: 'TagB || TagC' })
      const rows = await until('both tags arrive', async () => {
        const all = await some.received(0)
        return new Set(all.map(row => row.index)).size >= 2 * COUNT && all
      })
      assert.deepEqual(new Set(rows.map(row => row.tags)), new Set(['TagB', 'TagC']))
    })
  })
}

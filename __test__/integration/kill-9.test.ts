/** kill -9 while messages are sent with synchronous flush: nothing that was acknowledged may be missing afterwards. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Producer } from '../../ts/index.js'
import { bodyOf, crcOf } from '../interop/helpers/bodies.js'
import type { SentRow } from '../interop/helpers/client.js'
import { NativeClient, sentRow } from '../interop/helpers/native-client.js'
import { NativeServer } from '../interop/helpers/native-server.js'
import { TemporaryDirectory } from '../interop/helpers/owned.js'
import { until } from '../interop/helpers/until.js'

const ROUNDS = 20
const SENDERS = 32
const ACKNOWLEDGED_A_ROUND = 200
const BYTES = 300
const TOPIC = 'KillNine'

let lastIndex = 0

/** Sends until the server is gone; what it acknowledged is added to `acknowledged`. */
async function sendUntilGone(nameServer: string, autoBatch: boolean, acknowledged: SentRow[]): Promise<void> {
  await using producer = new Producer({
    namesrvAddr: nameServer,
    producerGroup: 'kill_nine',
    autoBatch,
    retryTimesWhenSendFailed: 0
  })
  await producer.start()
  const sender = async () => {
    for (;;) {
      const index = ++lastIndex
      const sent = await producer.send({ topic: TOPIC, body: bodyOf(index, BYTES) }).catch(() => undefined)
      if (!sent) return
      acknowledged.push(sentRow(index, sent))
    }
  }
  await Promise.all(Array.from({ length: SENDERS }, sender))
}

async function assertAllThere(nameServer: string, round: number, acknowledged: readonly SentRow[]): Promise<void> {
  await using client = new NativeClient()
  await using member = await client.join({ nameServer, topic: TOPIC, group: `round_${round}` })
  const wanted = new Set(acknowledged.map(row => row.index))
  const received = await until(`all ${wanted.size} acknowledged messages arrive`, async () => {
    const rows = new Map((await member.received(0)).map(row => [row.index, row]))
    return [...wanted].every(index => rows.has(index)) && rows
  })
  for (const sent of acknowledged) {
    const row = received.get(sent.index)!
    assert.equal(sent.status, 'SEND_OK')
    assert.equal(row.crc32, crcOf(sent.index, BYTES))
    assert.deepEqual([row.msgId, row.queueId, row.queueOffset], [sent.msgId, sent.queueId, sent.queueOffset])
  }
}

describe('the server killed by kill -9 during synchronous-flush sends', () => {
  it(`has every acknowledged message after the restart, ${ROUNDS} times, half of them with automatic batching`, async () => {
    using directory = new TemporaryDirectory()
    const options = { storeDirectory: directory.path, properties: { flushDiskType: 'SYNC_FLUSH' } }
    const acknowledged: SentRow[] = []
    for (let round = 1; round <= ROUNDS; round++) {
      await using server = await NativeServer.start(options)
      await assertAllThere(server.nameServer, round, acknowledged)
      const before = acknowledged.length
      const sending = sendUntilGone(server.nameServer, round % 2 === 0, acknowledged)
      await until('enough is acknowledged', () => acknowledged.length >= before + ACKNOWLEDGED_A_ROUND, { everyMs: 1 })
      await server.process.kill()
      await sending
    }
    await using server = await NativeServer.start(options)
    await assertAllThere(server.nameServer, ROUNDS + 1, acknowledged)
  })
})

/** One producer that sends on while its broker is killed and started again, each time at another address. */
import assert from 'node:assert/strict'
import { Producer, type ProducerOptions } from '../../../ts/index.js'
import { bodyOf, crcOf } from './bodies.js'
import type { SentRow } from './client.js'
import { NativeClient, sentRow } from './native-client.js'
import type { ServerProcess } from './server-process.js'
import { until } from './until.js'

const SENDERS = 32
const ACKNOWLEDGED_A_ROUND = 200
const BYTES = 300
const TOPIC = 'Restarts'

/** A broker that runs, and where its name server is. */
export interface Restartable extends ServerProcess {
  readonly nameServer: string
}

/** What the producers of a run did. */
class Load {
  readonly acknowledged: SentRow[] = []
  failed = 0
  #index = 0
  #stopped = false

  stop(): void {
    this.#stopped = true
  }

  /** Sends one message after the other until it is stopped; one that fails is not sent again. */
  async send(producer: Producer): Promise<void> {
    while (!this.#stopped) {
      const index = ++this.#index
      try {
        this.acknowledged.push(sentRow(index, await producer.send({ topic: TOPIC, body: bodyOf(index, BYTES) })))
      } catch {
        this.failed++
      }
    }
  }
}

/**
 * Kills the broker `rounds` times under load. The producer is told nothing: it goes on by itself, every promise is settled,
 * and what was acknowledged is there in the end.
 */
export async function sendThroughRestarts(
  rounds: number,
  start: () => Promise<Restartable>,
  options: Partial<ProducerOptions> = {}
): Promise<void> {
  let broker = await start()
  try {
    const client = { namesrvAddr: () => broker.nameServer, onError: () => undefined, sendMsgTimeout: 2_000 }
    await using producer = new Producer({ ...client, producerGroup: 'restarts', ...options })
    await producer.start()
    const load = new Load()
    const senders = Promise.all(Array.from({ length: SENDERS }, () => load.send(producer)))
    try {
      for (let round = 0; round <= rounds; round++) {
        const before = load.acknowledged.length
        const enough = () => load.acknowledged.length >= before + ACKNOWLEDGED_A_ROUND
        await until(`the producer goes on after restart ${round}`, enough, { everyMs: 1 })
        if (round === rounds) break
        await broker.process.kill()
        await broker[Symbol.asyncDispose]()
        broker = await start()
      }
    } finally {
      load.stop()
      await senders
    }
    assert.ok(load.failed > 0, 'no send met a broker that was killed')
    await assertAllThere(broker.nameServer, load.acknowledged)
  } finally {
    await broker[Symbol.asyncDispose]()
  }
}

async function assertAllThere(nameServer: string, acknowledged: readonly SentRow[]): Promise<void> {
  await using client = new NativeClient()
  await using member = await client.join({ nameServer, topic: TOPIC, group: 'after_restarts' })
  const received = await until(`all ${acknowledged.length} acknowledged messages arrive`, async () => {
    const rows = new Map((await member.received(0)).map(row => [row.index, row]))
    return acknowledged.every(({ index }) => rows.has(index)) && rows
  })
  for (const { index } of acknowledged) assert.equal(received.get(index)!.crc32, crcOf(index, BYTES))
}

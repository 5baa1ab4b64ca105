/** A store directory written by one broker, opened by the other. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { ApacheBroker, ApacheNameServer } from './helpers/apache-server.js'
import type { ReceivedRow } from './helpers/client.js'
import { arrived } from './helpers/exchange.js'
import { JavaClient } from './helpers/java-client.js'
import { NativeServer } from './helpers/native-server.js'
import { TemporaryDirectory } from './helpers/owned.js'
import type { ServerProcess } from './helpers/server-process.js'

/** A running broker on a given store directory. */
interface StoreServer extends AsyncDisposable {
  readonly nameServer: string
  readonly address: string
  readonly server: ServerProcess & { stop(): Promise<void> }
}

const COUNT = 60
const QUEUES = 3

async function native(storeDirectory: string): Promise<StoreServer> {
  const server = await NativeServer.start({ storeDirectory })
  const { address, nameServer } = server
  return { nameServer, address, server, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() }
}

async function apache(storeDirectory: string): Promise<StoreServer> {
  const nameServer = await ApacheNameServer.start()
  const server = await ApacheBroker.start({ nameServerPort: nameServer.port, storeDirectory })
  return {
    nameServer: nameServer.address,
    address: server.address,
    server,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]()
      await nameServer[Symbol.asyncDispose]()
    }
  }
}

/** What a message is, without what a broker or client adds when it hands it out. */
function essence({ properties, ...row }: ReceivedRow) {
  const { CONSUME_START_TIME: _s, MAX_OFFSET: _x, MIN_OFFSET: _n, ...stored } = properties
  return { ...row, properties: stored }
}

type Start = (storeDirectory: string) => Promise<StoreServer>
type End = (server: StoreServer['server']) => Promise<void>

const stopped: End = server => server.stop()
// Offsets of groups are written every five seconds: a broker that is killed may lose the latest.
const killed: End = server => server.process.kill()

describe('a store directory', () => {
  const topic = 'Moved'
  let java: JavaClient

  before(async () => {
    java = await JavaClient.start()
  })

  after(() => java?.[Symbol.asyncDispose]())

  /** All kinds of messages; `half` is consumed and committed by the group `half` in between. */
  async function write({ address, nameServer }: StoreServer): Promise<Map<number, ReceivedRow>> {
    await java.createTopic({ nameServer, brokerAddress: address, topic, queues: QUEUES })
    const common = { nameServer, topic, group: 'writers', count: COUNT / 6 }
    await java.produce({ ...common, from: 0, bytes: 100, tags: 'TagA', keys: 'k', properties: { 'a b': 'Zürich' } })
    await java.produce({ ...common, from: 10, bytes: 5_000, compress: 'ZLIB' })
    await java.produce({ ...common, from: 20, bytes: 5_000, compress: 'LZ4' })
    {
      await using half = await java.join({ nameServer, topic, group: 'half' })
      await arrived(half, 0, COUNT / 2)
    }
    await java.produce({ ...common, from: 30, bytes: 5_000, compress: 'ZSTD' })
    await java.produce({ ...common, from: 40, bytes: 50, batch: 5 })
    await java.produce({ ...common, from: 50, bytes: 300_000 })
    await using all = await java.join({ nameServer, topic, group: 'all_before' })
    return await arrived(all, 0, COUNT)
  }

  /** The other broker serves the same messages at the same places, goes on from the same offsets, and can append. */
  async function assertServes(
    { nameServer }: StoreServer,
    written: Map<number, ReceivedRow>,
    offsetsKept: boolean
  ): Promise<void> {
    await using all = await java.join({ nameServer, topic, group: 'all_after' })
    const rows = await arrived(all, 0, COUNT)
    for (const [index, row] of rows) assert.deepEqual(essence(row), essence(written.get(index)!))
    await using half = await java.join({ nameServer, topic, group: 'half' })
    await arrived(half, COUNT / 2, COUNT / 2)
    const sent = await java.produce({ nameServer, topic, group: 'writers', from: COUNT, count: QUEUES * 2, bytes: 100 })
    await arrived(half, COUNT, QUEUES * 2)
    const indices = (await half.received(0)).map(row => row.index)
    if (offsetsKept) assert.ok(Math.min(...indices) >= COUNT / 2, 'the group goes on where it had been')
    assert.equal(new Set(sent.map(row => row.queueId)).size, QUEUES, 'the topic kept its number of queues')
    const end = Math.max(...[...written.values()].map(row => row.queueOffset))
    for (const row of sent) assert.ok(row.queueOffset <= end + 2 && row.queueOffset > 0, `offset ${row.queueOffset}`)
  }

  async function move(from: Start, end: End, to: Start): Promise<void> {
    using directory = new TemporaryDirectory()
    let written: Map<number, ReceivedRow>
    {
      await using writer = await from(directory.path)
      written = await write(writer)
      await end(writer.server)
    }
    assert.ok(existsSync(join(directory.path, 'commitlog', '00000000000000000000')))
    await using reader = await to(directory.path)
    await assertServes(reader, written, end === stopped)
  }

  it("written by Apache's broker is served by ours message for message", () => move(apache, stopped, native))
  it("left by Apache's broker when it was killed is recovered by ours", () => move(apache, killed, native))
  it("written by our broker is served by Apache's message for message", () => move(native, stopped, apache))
  it("left by our broker when it was killed is recovered by Apache's", () => move(native, killed, apache))
})

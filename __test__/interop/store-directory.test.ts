/** A store directory written by one broker, opened by the other. */
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
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

/** Gives topics and groups settings that are no defaults; Apache's broker writes them in its own way the next time. */
function change(storeDirectory: string): void {
  const edit = (name: string, members: (file: Members) => void): void => {
    const path = join(storeDirectory, 'config', name)
    const file = parsed(readFileSync(path, 'utf8'))
    members(file)
    writeFileSync(path, JSON.stringify(file))
  }
  edit('topics.json', ({ topicConfigTable, dataVersion }) => {
    topicConfigTable.Quiet = {
      ...topicConfigTable.Moved,
      topicName: 'Quiet',
      order: true,
      perm: 4,
      readQueueNums: 2,
      writeQueueNums: 5,
      topicSysFlag: 1,
      topicFilterType: 'MULTI_TAG',
      attributes: { 'message.type': 'FIFO', 'queue.type': 'SimpleCQ' }
    }
    dataVersion.counter = 1234
  })
  edit('subscriptionGroup.json', file => {
    file.subscriptionGroupTable.half = {
      ...file.subscriptionGroupTable.half,
      brokerId: 3,
      consumeBroadcastEnable: false,
      consumeFromMinEnable: false,
      consumeMessageOrderly: true,
      consumeTimeoutMinute: 7,
      groupRetryPolicy: { type: 'EXPONENTIAL', exponentialRetryPolicy: { initial: 1, max: 2, multiplier: 3 } },
      groupSysFlag: 1,
      notifyConsumerIdsChangedEnable: false,
      retryMaxTimes: 3,
      retryQueueNums: 2,
      subscriptionDataSet: [{ topic: 'Quiet', expressionType: 'TAG', expression: 'a||b', version: 5 }],
      whichBrokerWhenConsumeSlowly: 2,
      attributes: { 'priority.factor': '50' }
    }
    file.forbiddenTable = { half: { Quiet: 4 } }
    file.dataVersion.counter = 77
  })
}

type Start = (storeDirectory: string) => Promise<StoreServer>
type End = (server: StoreServer['server']) => Promise<void>

const stopped: End = server => server.stop()
// Offsets of groups are written every five seconds: a broker that is killed may lose the latest.
const killed: End = server => server.process.kill()

/** Members of a table file under `config/`. */
// oxlint-disable-next-line typescript/no-explicit-any -- parsed files of several shapes; the test compares them whole
type Members = Record<string, any>

/** The files under `config/` that ours writes, with the tables in them. */
const WRITTEN: Record<string, readonly string[]> = {
  'topics.json': ['topicConfigTable'],
  'subscriptionGroup.json': ['subscriptionGroupTable', 'forbiddenTable'],
  'consumerOffset.json': ['offsetTable']
}

function configFiles(storeDirectory: string): Map<string, string> {
  const directory = join(storeDirectory, 'config')
  const names = readdirSync(directory).filter(name => !name.endsWith('.bak'))
  return new Map(names.map(name => [name, readFileSync(join(directory, name), 'latin1')]))
}

/** Apache writes numbers as keys without quotes. */
function parsed(text: string | undefined): Members {
  assert.ok(text)
  return JSON.parse(text.replaceAll(/([{,]\s*)(-?\d+)\s*:/g, '$1"$2":')) as Members
}

/** Whatever stood in the tables is there still, but for offsets, which may have grown; versions only count up. */
function assertKept(old: Map<string, string>, now: Map<string, string>, by: string): void {
  for (const [name, tables] of Object.entries(WRITTEN)) {
    const [was, is] = [parsed(old.get(name)), parsed(now.get(name))]
    assert.ok(is.dataVersion.counter >= was.dataVersion.counter, `${by}: counter of ${name}`)
    assert.ok(is.dataVersion.timestamp >= was.dataVersion.timestamp, `${by}: timestamp of ${name}`)
    for (const table of tables) {
      for (const [key, entry] of Object.entries((was[table] ?? {}) as Members)) {
        const kept = is[table]?.[key] as Members | undefined
        assert.ok(kept, `${by}: ${key} in ${table}`)
        if (name !== 'consumerOffset.json') assert.deepEqual(kept, entry, `${by}: ${key} in ${table}`)
        else for (const [queue, offset] of Object.entries(entry)) assert.ok(kept[queue] >= (offset as number))
      }
    }
    // Apache's broker writes `pullOffsetTable` and forgets it at every start (`ConsumerOffsetManager#decode`).
    const members = Object.keys(was).filter(member => member !== 'pullOffsetTable')
    for (const member of members) assert.ok(member in is, `${by}: ${member} of ${name}`)
  }
}

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

  it("keeps the settings of Apache's broker through ours and back", async () => {
    using directory = new TemporaryDirectory()
    async function visit(by: Start, work: (server: StoreServer) => Promise<unknown>): Promise<Map<string, string>> {
      await using server = await by(directory.path)
      await work(server)
      await stopped(server.server)
      return configFiles(directory.path)
    }
    await visit(apache, write)
    change(directory.path)
    const written = await visit(apache, async () => {})
    const ours = await visit(native, async ({ nameServer, address }) => {
      await java.createTopic({ nameServer, brokerAddress: address, topic: 'Ours', queues: 1 })
      await java.produce({ nameServer, topic, group: 'writers', from: COUNT, count: QUEUES, bytes: 100 })
      await using group = await java.join({ nameServer, topic, group: 'ours' })
      await arrived(group, 0, COUNT + QUEUES)
    })
    assertKept(written, ours, 'ours')
    assert.ok(parsed(ours.get('topics.json')).topicConfigTable.Ours)
    assert.ok(parsed(ours.get('subscriptionGroup.json')).subscriptionGroupTable.ours)
    assert.ok(parsed(ours.get('consumerOffset.json')).offsetTable[`${topic}@ours`])
    for (const [name, bytes] of written) {
      if (!(name in WRITTEN)) assert.equal(ours.get(name), bytes, `${name} is not ours to write`)
    }
    assert.ok(written.size > Object.keys(WRITTEN).length + 3, [...written.keys()].join(' '))
    assertKept(ours, await visit(apache, async () => {}), "Apache's")
  })

  it("written by Apache's broker is served by ours message for message", () => move(apache, stopped, native))
  it("left by Apache's broker when it was killed is recovered by ours", () => move(apache, killed, native))
  it("written by our broker is served by Apache's message for message", () => move(native, stopped, apache))
  it("left by our broker when it was killed is recovered by Apache's", () => move(native, killed, apache))
})

/** `rocketmq-native store` and read-only opening on directories of Apache's `DefaultMessageStore`, closed and killed. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { before, describe, it } from 'node:test'
import { promisify } from 'node:util'
import { MessageStore } from '../../ts/index.js'
import { cli } from '../integration/helpers/cli.js'
import { PEER_JVM_FLAGS, peerClassPath } from './helpers/java-peer.js'
import { TemporaryDirectory } from './helpers/owned.js'

const run = promisify(execFile)
const COUNT = 300
const SMALL_FILES = ['mappedFileSizeCommitLog=65536', 'mappedFileSizeConsumeQueue=2000']

/** What `store verify --json` prints. */
interface Report {
  readonly records: number
  readonly indexItems: number
  readonly unindexed: number
  readonly faults: readonly object[]
}

async function lines(...commandArguments: string[]): Promise<string[]> {
  await using child = cli('store', ...commandArguments)
  assert.equal(await child.exited(), 0, child.stdout.slice(0, 2_000) + child.stderr)
  return child.lines
}

async function assertSound(directory: string): Promise<Report> {
  const report = JSON.parse((await lines('verify', '--json', directory))[0]!) as Report
  assert.deepEqual(report.faults, [])
  assert.equal(report.unindexed, 0)
  return report
}

async function assertReads(directory: string, topic: string): Promise<void> {
  const { records } = await assertSound(directory)
  assert.equal((await lines('cat', '--body', 'none', directory)).length, records)
  assert.ok((await lines('ls', directory)).length > 3)
  // An unclean stop may have left an index that begins anew: it is made up for in memory.
  const [found, ...others] = (await lines('cat', '-t', topic, '--key', 'key7', directory)).map(
    line => JSON.parse(line) as { properties: Record<string, string> }
  )
  assert.equal(found?.properties['KEYS'], 'key7')
  assert.equal(others.length, 0)
  await using store = await MessageStore.open({ directory, readOnly: true })
  const id = '7F0000010000789F0000000000000007'
  assert.deepEqual(
    store.query({ topic, key: id }).messages.map(({ msgId, keys }) => [msgId, keys]),
    [[id, 'key7']]
  )
  const { depth } = await store.stats()
  assert.ok(depth.gt(0))
}

// Apache's store sleeps for three seconds whenever it is stopped.
describe("the store commands on a directory of Apache's", { concurrency: 2 }, () => {
  let classPath: string

  before(async () => {
    classPath = await peerClassPath()
  })

  async function apache(directory: string, ...words: (string | number)[]): Promise<void> {
    const flags = [...PEER_JVM_FLAGS, '-XX:TieredStopAtLevel=1', `-Duser.home=${directory}`, '-cp', classPath]
    await run('java', [...flags, 'StorePeer', directory, ...SMALL_FILES, ...words.map(String)], { timeout: 120_000 })
  }

  for (const [kind, topic] of [
    ['plain', 'Beta-topic'],
    ['hosts', 'Hosts'],
    ['compressed', 'Compressed']
  ] as const) {
    for (const end of ['closed', 'killed'] as const) {
      it(`find no fault and every message of kind ${kind} after it was ${end}`, async () => {
        using temporary = new TemporaryDirectory()
        const directory = join(temporary.path, 'store')
        await apache(directory, 'fill', kind, COUNT, 0, ...(end === 'killed' ? ['halt'] : []))
        await assertReads(directory, topic)
        // Once more, behind what the stop left.
        await apache(directory, 'fill', kind, COUNT, COUNT)
        await assertReads(directory, topic)
      })
    }
  }

  for (const kind of ['batch', 'transaction', 'delayed', 'long', 'light', 'inner-batch']) {
    it(`find no fault among messages of kind ${kind}, nor after rebuild, nor does Apache's then`, async () => {
      using temporary = new TemporaryDirectory()
      const directory = join(temporary.path, 'store')
      const settings = kind === 'light' ? ['enableLmq=true', 'enableMultiDispatch=true'] : []
      await apache(directory, ...settings, 'fill', kind, COUNT, 0)
      const { records, indexItems } = await assertSound(directory)
      assert.equal((await lines('cat', directory)).length, records)
      if (kind === 'inner-batch') return
      await lines('rebuild', directory)
      assert.equal((await assertSound(directory)).indexItems, indexItems)
      await apache(directory, ...settings, 'fill', kind, COUNT, COUNT)
      assert.ok((await assertSound(directory)).records > records)
    })
  }

  it('find no fault in a directory that lost its head', async () => {
    using temporary = new TemporaryDirectory()
    const directory = join(temporary.path, 'store')
    await apache(directory, 'fill', 'plain', 1_000, 0, 'behead', 3)
    const { records } = await assertSound(directory)
    assert.ok(records < 1_000)
    assert.equal((await lines('cat', directory)).length, records)
  })
})

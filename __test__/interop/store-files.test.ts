/**
 * Store directories with small files, so that files roll, records end at file ends and recovery is in play: filled by Apache's
 * `DefaultMessageStore` and by ours in turns, with what a broker stores. What one answers before it ends, by stopping or by
 * being killed, the other must answer after it opened the directory.
 */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { before, describe, it } from 'node:test'
import { promisify } from 'node:util'
import { PEER_JVM_FLAGS, peerClassPath } from './helpers/java-peer.js'
import { TemporaryDirectory } from './helpers/owned.js'
import { repositoryRoot } from './helpers/repository.js'

const run = promisify(execFile)
const MAX_OUTPUT_BYTES = 256 * 1024 * 1024
const RUN_TIMEOUT_MS = 120_000
const SMALL_FILES = [
  'mappedFileSizeCommitLog=65536',
  'mappedFileSizeConsumeQueue=2000',
  'maxHashSlotNum=100',
  'maxIndexNum=400'
]

/** Opens a store directory, does what the words say, ends, and tells the answers that it printed. */
type Store = (directory: string, keys: readonly string[], words: readonly string[]) => Promise<string[]>

interface Fixture {
  readonly name: string
  /** What Apache's store is filled with, and ours where it can do that. */
  readonly kind: string
  readonly ourKind?: string
  readonly count: number
  /** Settings that both get, and that Apache's alone gets. */
  readonly keys?: readonly string[]
  readonly apacheKeys?: readonly string[]
  /** How many commit log files Apache's store deletes whenever it is filled. */
  readonly behead?: number
  /** A topic that Apache's store deletes whenever it was filled and is going to be stopped: a kill brings it back. */
  readonly deletes?: string
  /** A topic whose queues ours keeps for Apache's without reading them. */
  readonly keptTopic?: string
  /** Gets with a filter differ: Apache's store looks the tags up in files that ours is told nothing of. */
  readonly unfiltered?: boolean
}

const FIXTURES: readonly Fixture[] = [
  { name: 'single messages', kind: 'plain', count: 300 },
  { name: 'topics of all lengths', kind: 'long', count: 300 },
  { name: 'batches', kind: 'batch', count: 60 },
  { name: 'transactions', kind: 'transaction', count: 150 },
  { name: 'delayed messages', kind: 'delayed', count: 300 },
  { name: 'IPv6 hosts', kind: 'hosts', count: 300 },
  { name: 'compressed messages', kind: 'compressed', count: 300 },
  { name: 'records with a CRC property', kind: 'plain', count: 300, apacheKeys: ['enabledAppendPropCRC=true'] },
  { name: 'a deleted head', kind: 'plain', count: 500, behead: 3 },
  { name: 'a deleted topic', kind: 'plain', count: 300, deletes: 'Beta-topic' },
  {
    name: 'light queues',
    kind: 'light',
    ourKind: 'plain',
    count: 300,
    apacheKeys: ['enableLmq=true', 'enableMultiDispatch=true']
  },
  {
    name: 'consume queue ext',
    kind: 'plain',
    count: 300,
    keys: ['enableConsumeQueueExt=true', 'mappedFileSizeConsumeQueueExt=2001']
  },
  {
    name: 'consume queue ext of Apache alone',
    kind: 'plain',
    count: 300,
    apacheKeys: ['enableConsumeQueueExt=true', 'mappedFileSizeConsumeQueueExt=2000'],
    unfiltered: true
  },
  {
    name: 'consume queue ext and a deleted head',
    kind: 'plain',
    count: 500,
    keys: ['enableConsumeQueueExt=true', 'mappedFileSizeConsumeQueueExt=2000'],
    behead: 3
  },
  { name: 'inner batches', kind: 'inner-batch', ourKind: 'plain', count: 300, keptTopic: 'Inner-batches' }
]

/** The parts of an output that begin with the line of the store. */
function answers(stdout: string): string[] {
  // Apache's logging tells of its own beginnings on standard output.
  const lines = stdout.split('\n').filter(line => line !== '' && !/^[\d:,]+ \|-/.test(line))
  return lines.join('\n').split(/\n(?=store )/)
}

function storeProgram(file: string, args: (directory: string) => readonly string[]): Store {
  return async (directory, keys, words) => {
    const all = [...args(directory), directory, ...SMALL_FILES, ...keys, ...words]
    const { stdout } = await run(file, all, { maxBuffer: MAX_OUTPUT_BYTES, timeout: RUN_TIMEOUT_MS })
    return answers(stdout)
  }
}

/** The lines that both stores must agree on, and those of the kept topic. */
function apart(lines: string | undefined, { keptTopic = '', unfiltered }: Fixture): [string, string] {
  const isOf = (line: string): boolean => keptTopic !== '' && line.split(' ')[1] === keptTopic
  const all = lines?.split('\n').filter(line => !unfiltered || !/^get \S+ \d+ \d+ 100 /.test(line)) ?? []
  return [all.filter(line => !isOf(line)).join('\n'), all.filter(isOf).join('\n')]
}

/** The places that each query by key found, and the other lines. */
function queriesApart(text: string): [Map<string, string[]>, string] {
  const lines = text.split('\n')
  const queries = lines.filter(line => line.startsWith('query '))
  const found = queries.map((line): [string, string[]] => {
    const [query = '', places = ''] = line.split(/ \[|\]/)
    return [query, places.split(', ').filter(place => place !== '')]
  })
  return [new Map(found), lines.filter(line => !line.startsWith('query ')).join('\n')]
}

/** Every place that `fewer` has for a query, `more` has too. */
function findsAll(more: Map<string, string[]>, fewer: Map<string, string[]>, what: string): void {
  for (const [query, places] of fewer) {
    const others = new Set(more.get(query))
    const lost = places.filter(place => !others.has(place))
    assert.deepEqual(lost, [], `${what}: ${query}`)
  }
}

/**
 * After a clean stop the answers are the same. After a kill Apache's store indexes again only what its queues lack as well, so
 * of what was in an index file that was not full a part is not found by key any more; ours finds at least what was found before.
 */
function sameAfter(halted: boolean, isApache: boolean, found: string, last: string, what: string): void {
  if (!halted) return sameAnswers(found, last, what)
  const [queries, others] = queriesApart(found)
  const [lastQueries, lastOthers] = queriesApart(last)
  sameAnswers(others, lastOthers, what)
  if (isApache) findsAll(lastQueries, queries, what)
  else findsAll(queries, lastQueries, what)
}

/** Equal, with the first line that is not, for a difference of thousands would hide it. */
function sameAnswers(actual: string, expected: string | undefined, what: string): void {
  assert.ok(actual && expected, what)
  if (actual === expected) return
  const expectedLines = expected.split('\n')
  const at = actual.split('\n').findIndex((line, index) => line !== expectedLines[index])
  assert.equal(actual.split('\n')[at], expectedLines[at], what)
  assert.fail(`${what}: more lines than ${at}`)
}

// Apache's store sleeps for three seconds whenever it is stopped.
describe('a store directory of small files', { concurrency: 2 }, () => {
  let stores: { apache: Store; ours: Store }

  before(async () => {
    const classPath = await peerClassPath()
    const build = ['build', '-p', 'rocketmq-testkit', '--bin', 'store_tool', '--message-format', 'json']
    const { stdout } = await run('cargo', build, { cwd: repositoryRoot, maxBuffer: MAX_OUTPUT_BYTES })
    const tool = /"executable":"([^"]*store_tool[^"]*)"/.exec(stdout)?.[1]
    assert.ok(tool !== undefined, 'cargo names the executable that it built')
    const flags = [...PEER_JVM_FLAGS, '-XX:TieredStopAtLevel=1', '-cp', classPath]
    stores = {
      apache: storeProgram('java', directory => [...flags, `-Duser.home=${directory}`, 'StorePeer']),
      ours: storeProgram(tool, () => [])
    }
  })

  /** Apache's and ours in turns; the first two are killed. Each begins with the answers the one before ended with. */
  async function takeTurns(fixture: Fixture, first: 'apache' | 'ours'): Promise<void> {
    using temporary = new TemporaryDirectory()
    const directory = join(temporary.path, 'store')
    let last = ''
    let halted = false
    let kept = ''
    for (const [turn, halt] of [true, true, false, false, false].entries()) {
      const isApache = (first === 'apache') === (turn % 2 === 0)
      const kind = isApache ? fixture.kind : (fixture.ourKind ?? fixture.kind)
      const words = ['answers', 'fill', kind, String(fixture.count), String(turn * fixture.count)]
      if (isApache && fixture.behead) words.push('behead', String(fixture.behead))
      if (isApache && fixture.deletes !== undefined && !halt) words.push('delete', fixture.deletes)
      words.push('answers', ...(halt ? ['halt'] : []))
      const keys = [...(fixture.keys ?? []), ...(isApache ? (fixture.apacheKeys ?? []) : [])]
      const [found, left] = await stores[isApache ? 'apache' : 'ours'](directory, keys, words)
      const [foundHere, foundKept] = apart(found, fixture)
      const [leftHere, leftKept] = apart(left, fixture)
      const what = `${isApache ? 'Apache' : 'ours'} in turn ${turn}`
      if (turn > 0) sameAfter(halted, isApache, foundHere, last, what)
      if (isApache && turn > 1) assert.equal(foundKept, kept, `${fixture.keptTopic} in turn ${turn}`)
      if (isApache) kept = leftKept
      last = leftHere
      halted = halt
    }
  }

  for (const fixture of FIXTURES) {
    for (const first of ['apache', 'ours'] as const) {
      it(`${fixture.name}, by ${first} first, is read and written on by the other`, () => takeTurns(fixture, first))
    }
  }
})

/**
 * Store directories with small files, so that files roll, records end at file ends and recovery is in play: written by
 * Apache's `DefaultMessageStore` and by ours in turns, and read by both message for message.
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
/** Bytes of a commit log file and of a consume queue file. */
const FILE_BYTES = ['65536', '2000']
const MESSAGES = '1500'
const MAX_OUTPUT_BYTES = 16 * 1024 * 1024

/** Somebody who can fill and read a store directory; a line a message: place, time, CRC of the body, tag. */
interface Store {
  readonly name: string
  /** Adds messages; `halt` ends the process without closing the store. */
  fill(directory: string, halt: boolean): Promise<string[]>
  read(directory: string): Promise<string[]>
}

async function lines(file: string, args: readonly string[]): Promise<string[]> {
  const { stdout } = await run(file, args, { maxBuffer: MAX_OUTPUT_BYTES })
  // Apache's logging tells of its own beginnings on standard output.
  return stdout.split('\n').filter(line => line !== '' && !/^[\d:,]+ \|-/.test(line))
}

function apache(java: readonly string[]): Store {
  const call = (program: string, directory: string, ...more: string[]): Promise<string[]> =>
    lines('java', [...java, `-Duser.home=${directory}`, program, directory, ...FILE_BYTES, ...more])
  return {
    name: 'Apache',
    fill: (directory, halt) => call('StoreWriter', directory, MESSAGES, ...(halt ? ['halt'] : [])),
    read: directory => call('StoreReader', directory)
  }
}

function native(tool: string): Store {
  return {
    name: 'ours',
    fill: (directory, halt) => lines(tool, ['fill', directory, ...FILE_BYTES, MESSAGES, ...(halt ? ['halt'] : [])]),
    read: directory => lines(tool, ['dump', directory, ...FILE_BYTES])
  }
}

describe('a store directory of small files', () => {
  let stores: { apache: Store; ours: Store }

  before(async () => {
    const classPath = await peerClassPath()
    const build = ['build', '--release', '-p', 'rocketmq-testkit', '--bin', 'store_tool', '--message-format', 'json']
    const { stdout } = await run('cargo', build, { cwd: repositoryRoot, maxBuffer: MAX_OUTPUT_BYTES })
    const tool = /"executable":"([^"]*store_tool[^"]*)"/.exec(stdout)?.[1]
    assert.ok(tool !== undefined, 'cargo names the executable that it built')
    stores = { apache: apache([...PEER_JVM_FLAGS, '-cp', classPath]), ours: native(tool) }
  })

  for (const [first, second] of [
    ['apache', 'ours'],
    ['ours', 'apache']
  ] as const) {
    for (const halt of [false, true]) {
      const end = halt ? 'ended without closing it' : 'closed it'
      it(`written by ${first}, which ${end}, is read and written on by ${second}, and read again by both`, async () => {
        using temporary = new TemporaryDirectory()
        const directory = join(temporary.path, 'store')
        const written = await stores[first].fill(directory, halt)
        assert.ok(written.length >= Number(MESSAGES))
        assert.deepEqual((await stores[second].read(directory)).sort(), written.sort(), `read by ${second}`)
        const all = [...written, ...(await stores[second].fill(directory, halt))].sort()
        assert.deepEqual((await stores[first].read(directory)).sort(), all, `read by ${first}`)
        assert.deepEqual((await stores[second].read(directory)).sort(), all, `read again by ${second}`)
      })
    }
  }
})

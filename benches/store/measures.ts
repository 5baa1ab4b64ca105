/** What is measured, one function each; every one uses a directory of its own. */
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { warmMemory } from '../warm-memory.js'
import type { StoreBenchOptions } from './options.js'
import { apaches, embedded, manyQueuesFromJavaScript, ours, queuesBench } from './programs.js'

/** Figures of one round, by name. */
export type Figures = Record<string, number>

/** Our processes need no warm-up but that of the page cache; see {@link syncAppends} for the disk's. */
const WARMUP_SECONDS = 1

/**
 * Appends are measured for no longer: what is written then fits into the page cache. From some gigabytes on the kernel holds
 * back whoever writes to the disk's own rate, which was 0.3 to 0.5 GB/s on a machine measured, for plain writes as well.
 */
const MOST_APPEND_SECONDS = 2

/** With four queues each. */
const MANY_TOPICS = 10_000

/** Uses a new directory, with {@link warmMemory warm memory}. */
async function inDirectory<T>(use: (directory: string) => Promise<T>): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), 'rocketmq-native-bench-'))
  try {
    warmMemory()
    return await use(directory)
  } finally {
    rmSync(directory, { recursive: true })
  }
}

/** Appends of one thread: Apache's, ours one by one and in batches, and plain writes of the same records. */
export async function appends(bodyBytes: number, options: StoreBenchOptions): Promise<Figures> {
  const { warmupSeconds } = options
  const seconds = Math.min(options.seconds, MOST_APPEND_SECONDS)
  const rate = (mode: string, batch: number) =>
    inDirectory(async at => (await ours(at, mode, 1, bodyBytes, seconds, WARMUP_SECONDS, batch)).perSecond)
  const apache = await inDirectory(at => apaches(at, 'put', 1, bodyBytes, seconds, warmupSeconds))
  return {
    [`append ${bodyBytes} apache`]: apache.perSecond,
    [`append ${bodyBytes} single`]: await rate('put', 1),
    [`append ${bodyBytes} batches of 32`]: await rate('put', 32),
    [`append ${bodyBytes} pwrite of 64`]: await rate('pwrite', 64)
  }
}

/** Appends to the queues of 10,000 topics, whose files are there already, and in turns to four of them. */
export function manyQueues(): Promise<Figures> {
  return inDirectory(async at => {
    await queuesBench(at, MANY_TOPICS, 8 * MANY_TOPICS)
    const figures: Figures = {}
    for (const [name, batch] of [
      ['one by one', 1],
      ['batches of 32', 32]
    ] as const) {
      for (const [language, turns] of [
        ['Rust', () => queuesBench(at, MANY_TOPICS, 2_000_000, 'turns', batch)],
        ['JavaScript', () => manyQueuesFromJavaScript(at, MANY_TOPICS, 800_000, batch)]
      ] as const) {
        warmMemory()
        const { perSecond, toFourPerSecond } = await turns()
        figures[`40,000 queues, ${language}, ${name}`] = perSecond
        figures[`4 queues, ${language}, ${name}`] = toFourPerSecond
      }
    }
    return figures
  })
}

/**
 * Puts of 64 writers that wait for the disk: a thread each, and all from one thread that is told, as in a broker. Both sides
 * warm up as long: the disk is busy for some seconds with the removal of the files before.
 */
export async function syncAppends({ seconds, warmupSeconds }: StoreBenchOptions): Promise<Figures> {
  const figures: Figures = {}
  for (const [name, mode] of [
    ['sync', 'putSync'],
    ['sync called', 'putSyncCalled']
  ] as const) {
    const apache = await inDirectory(at => apaches(at, mode, 64, 128, seconds, warmupSeconds))
    const native = await inDirectory(at => ours(at, mode, 64, 128, seconds, warmupSeconds))
    figures[`${name} apache`] = apache.perSecond
    figures[name] = native.perSecond
  }
  return figures
}

/** Gets of 32 messages from a store in the page cache, the same one for both. */
export function gets({ seconds, warmupSeconds }: StoreBenchOptions): Promise<Figures> {
  return inDirectory(async at => {
    await ours(at, 'put', 1, 128, 2, 0, 32)
    const native = await ours(at, 'get', 1, 128, seconds, WARMUP_SECONDS)
    const apache = await apaches(at, 'get', 1, 128, seconds, warmupSeconds)
    return { 'get apache': apache.perSecond, get: native.perSecond }
  })
}

/** The store from JavaScript. */
export async function fromJavaScript(): Promise<Figures> {
  warmMemory()
  const { putBatches, putSingly, getAll } = await embedded(1_000_000)
  return { 'javascript put of 32': putBatches, 'javascript put': putSingly, 'javascript get of 32': getAll }
}

/** Opening a large store after an unclean stop: with its checkpoint as it was left, and with one that tells nothing. */
export function restarts({ restartMib, rounds }: StoreBenchOptions): Promise<Figures[]> {
  return inDirectory(async at => {
    await ours(at, 'fill', 1_024, restartMib)
    const checkpoint = join(at, 'checkpoint')
    const left = join(at, 'checkpoint.left')
    copyFileSync(checkpoint, left)
    const results: Figures[] = []
    for (let round = 0; round < rounds; round++) {
      const opened = async (side: typeof ours, forget: boolean) => {
        warmMemory()
        if (forget) rmSync(checkpoint, { force: true })
        else copyFileSync(left, checkpoint)
        return (await side(at, 'open')).openSeconds
      }
      results.push({
        'restart apache': await opened(apaches, false),
        restart: await opened(ours, false),
        'restart, no checkpoint, apache': await opened(apaches, true),
        'restart, no checkpoint': await opened(ours, true)
      })
    }
    return results
  })
}

/** `npm run bench`: our client and Apache's on our broker and on Apache's, interleaved in one run. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { repositoryRoot } from '../../__test__/interop/helpers/repository.js'
import { warmMemory } from '../warm-memory.js'
import { Load } from './load.js'
import {
  BACKLOG_TOPIC,
  sendMeasures,
  measureDrain,
  measureIdle,
  measureSend,
  type Numbers,
  type Pair
} from './measures.js'
import { type BenchOptions, readBenchOptions } from './options.js'
import { whilePaused } from './paused.js'
import { memoryOf } from './process-usage.js'
import { report } from './report.js'
import type { Results } from './results.js'
import {
  apacheStartUpMs,
  type BenchServer,
  createTopic,
  nativeStartUpMs,
  type Side,
  startApache,
  startNative
} from './servers.js'
import { median } from './statistics.js'

const LOAD_TOPIC = 'Load'
const NATIVE_WARMUP_SECONDS = 2

const runStartedAt = performance.now()

function progress(text: string): void {
  const seconds = ((performance.now() - runStartedAt) / 1_000).toFixed(0)
  process.stderr.write(`${seconds.padStart(5)} s  ${text}\n`)
}

async function measureStartUp(side: Side, options: BenchOptions): Promise<number> {
  const times: number[] = []
  for (let round = 0; round < options.rounds; round++) {
    times.push(await (side === 'ours' ? nativeStartUpMs() : apacheStartUpMs()))
  }
  progress(`start-up of ${side}: ${times.map(ms => ms.toFixed(0)).join(', ')} ms`)
  return median(times)
}

/** Starts the clients of a server, with the topics they use and the backlog they drain. */
async function startPairs(server: BenchServer, options: BenchOptions, owned: AsyncDisposable[]): Promise<Pair[]> {
  await createTopic(server, LOAD_TOPIC)
  await createTopic(server, BACKLOG_TOPIC)
  const nameServer = `127.0.0.1:${server.nameServerPort}`
  const pairs: Pair[] = []
  for (const client of options.clients) {
    const start = client === 'ours' ? Load.native : Load.apache
    const load = await start(nameServer, LOAD_TOPIC, options.bodyBytes)
    owned.push(load)
    pairs.push({ client, server, load })
  }
  progress(`backlog of ${options.backlog} messages for the broker of ${server.side}`)
  await pairs[0]?.load.fill(BACKLOG_TOPIC, options.backlog)
  return pairs
}

function nameOf({ client, server }: Pair): string {
  return `client of ${client}, broker of ${server.side}`
}

let groups = 0

/** Runs everything that will be measured until it runs hot: half the time sending, one drain at the least. */
async function warmUp(pair: Pair, options: BenchOptions): Promise<void> {
  const native = pair.client === 'ours' && pair.server.side === 'ours'
  const seconds = native ? Math.min(NATIVE_WARMUP_SECONDS, options.warmupSeconds) : options.warmupSeconds
  progress(`warm-up, ${nameOf(pair)}: ${seconds} s`)
  const end = performance.now() + seconds * 1_000
  const sends = sendMeasures(options)
  for (const measure of sends) await pair.load.send(measure, seconds / 2 / sends.length)
  do await pair.load.drain(BACKLOG_TOPIC, `warm_up_${++groups}`, options.backlog)
  while (performance.now() < end)
}

/** Measures a pair while all others are stopped. */
function alone<T>(pair: Pair, pairs: readonly Pair[], work: () => Promise<T>): Promise<T> {
  const others = new Set(pairs.flatMap(pidsOf))
  for (const pid of pidsOf(pair)) others.delete(pid)
  return whilePaused(others, work)
}

function pidsOf({ load, server }: Pair): number[] {
  return [load.pid, ...server.pids]
}

async function measureRound(pairs: readonly Pair[], options: BenchOptions): Promise<Numbers[]> {
  const rows: Numbers[] = pairs.map(() => ({}))
  for (const measure of sendMeasures(options)) {
    for (const [i, pair] of pairs.entries()) {
      warmMemory()
      const numbers = await alone(pair, pairs, () => measureSend(pair, measure, options.seconds))
      progress(`${nameOf(pair)}: ${measure.name}, ${numbers[`${measure.name} per s`]?.toFixed(0)} msg/s`)
      Object.assign(rows[i]!, numbers)
    }
  }
  for (const [i, pair] of pairs.entries()) {
    warmMemory()
    const numbers = await alone(pair, pairs, () => measureDrain(pair, `measured_${++groups}`, options))
    progress(`${nameOf(pair)}: drain, ${numbers['drain per s']?.toFixed(0)} msg/s`)
    Object.assign(rows[i]!, numbers)
  }
  return rows
}

async function measureServers(options: BenchOptions, owned: AsyncDisposable[]) {
  const measured: Partial<Record<Side, Numbers>> = {}
  const servers: BenchServer[] = []
  for (const side of options.brokers) {
    const startUp = await measureStartUp(side, options)
    const server = await (side === 'ours' ? startNative() : startApache())
    owned.push(server)
    progress(`idle broker of ${side}: ${options.idleSeconds} s`)
    measured[side] = { 'start-up ms': startUp, ...(await measureIdle(server, options.idleSeconds)) }
    servers.push(server)
  }
  return { servers, measured }
}

async function bench(options: BenchOptions, owned: AsyncDisposable[]): Promise<Results> {
  const startedAt = new Date().toISOString()
  // A mistyped --sends is told before the servers have been measured.
  sendMeasures(options)
  const { servers, measured } = await measureServers(options, owned)
  const pairs: Pair[] = []
  for (const server of servers) pairs.push(...(await startPairs(server, options, owned)))
  for (const pair of pairs) await warmUp(pair, options)
  const rows: Numbers[][] = pairs.map(() => [])
  for (let round = 1; round <= options.rounds; round++) {
    progress(`round ${round} of ${options.rounds}`)
    const numbers = await measureRound(pairs, options)
    for (const [i, row] of numbers.entries()) rows[i]!.push(row)
  }
  for (const server of servers) {
    const { residentMb, anonymousMb } = memoryOf(server.pid)
    Object.assign(measured[server.side]!, { 'loaded resident mb': residentMb, 'loaded anonymous mb': anonymousMb })
  }
  return {
    startedAt,
    machine: { cpus: cpus().length, cpu: cpus()[0]?.model ?? '', node: process.version },
    options,
    pairs: pairs.map(({ client, server }, i) => ({ client, server: server.side, rounds: rows[i]! })),
    servers: measured
  }
}

function write(results: Results): void {
  const directory = join(repositoryRoot, 'results')
  mkdirSync(directory, { recursive: true })
  const file = join(directory, `e2e-${results.startedAt.replaceAll(':', '-')}.json`)
  writeFileSync(file, `${JSON.stringify(results, null, 2)}\n`)
  process.stdout.write(`${report(results)}\nWritten to ${file}\n`)
}

async function main(): Promise<void> {
  const owned: AsyncDisposable[] = []
  try {
    write(await bench(readBenchOptions(), owned))
  } finally {
    for (const each of owned.toReversed()) await each[Symbol.asyncDispose]()
  }
}

void main()

/** What is measured on each pair of a client and a server, and how. */
import { setTimeout as pause } from 'node:timers/promises'
import type { Load } from './load.js'
import type { BenchOptions } from './options.js'
import { cpuSeconds, memoryOf } from './process-usage.js'
import type { BenchServer, Side } from './servers.js'

/** A client with the server it works on. */
export interface Pair {
  readonly client: Side
  readonly server: BenchServer
  readonly load: Load
}

/** The numbers of one pair in one round, by name; a name's unit is its last word. */
export type Numbers = Record<string, number>

/** A way of sending. */
export interface SendMeasure {
  readonly name: string
  /** Requests under way at any time. */
  readonly inFlight: number
  /**
   * `waiting`: so many senders (threads in Java, async functions here), each waiting for its acknowledgement before it
   * sends again. `pipelined`: one sender that only waits when so many are under way.
   */
  readonly style: 'waiting' | 'pipelined'
  /**
   * `single`: one message a request. `auto`: the client groups the messages, which are sent one by one, here for a promise
   * each, in Java with a callback. `batch`: the program sends lists of {@link BATCH_SIZE}, so many messages are under way in all.
   */
  readonly grouping: 'single' | 'auto' | 'batch'
}

/** Messages of one explicit batch; LoadProducer.java has the same number. */
export const BATCH_SIZE = 32

const SEND_MEASURES: readonly SendMeasure[] = [
  { name: 'send 1', inFlight: 1, style: 'waiting', grouping: 'single' },
  { name: 'send 64', inFlight: 64, style: 'waiting', grouping: 'single' },
  { name: 'pipelined 64', inFlight: 64, style: 'pipelined', grouping: 'single' },
  { name: 'pipelined 1024', inFlight: 1024, style: 'pipelined', grouping: 'single' },
  { name: 'auto 1024', inFlight: 1024, style: 'pipelined', grouping: 'auto' },
  { name: 'auto 8192', inFlight: 8192, style: 'pipelined', grouping: 'auto' },
  { name: 'waiting batches of 32', inFlight: 1024, style: 'waiting', grouping: 'batch' },
  { name: 'batches of 32', inFlight: 1024, style: 'pipelined', grouping: 'batch' }
]

/** The ways of sending that are measured. */
export function sendMeasures({ sends }: BenchOptions): readonly SendMeasure[] {
  const chosen = SEND_MEASURES.filter(({ name }) => name.includes(sends))
  if (chosen.length > 0) return chosen
  throw new Error(`--sends: none of ${SEND_MEASURES.map(({ name }) => name).join(', ')} has ${sends} in its name`)
}

/** The topic that {@link measureDrain} reads. */
export const BACKLOG_TOPIC = 'Backlog'

async function perMessage<T>(pair: Pair, work: () => Promise<T>, messages: (outcome: T) => number, name: string) {
  const before = [cpuSeconds(pair.load.pid), cpuSeconds(pair.server.pid)] as const
  const outcome = await work()
  const count = messages(outcome)
  const numbers: Numbers = {
    [`${name} client cpu us`]: ((cpuSeconds(pair.load.pid) - before[0]) / count) * 1e6,
    [`${name} broker cpu us`]: ((cpuSeconds(pair.server.pid) - before[1]) / count) * 1e6
  }
  return { outcome, numbers }
}

/** Sends for so long: rate, CPU a message, and the latencies with one in flight. */
export async function measureSend(pair: Pair, measure: SendMeasure, seconds: number): Promise<Numbers> {
  const { name } = measure
  const work = () => pair.load.send(measure, seconds)
  const { outcome, numbers } = await perMessage(pair, work, sent => sent.acked, name)
  numbers[`${name} per s`] = outcome.acked / outcome.seconds
  numbers[`${name} failed`] = outcome.failed
  if (outcome.mainThreadSeconds !== undefined) {
    numbers[`${name} main thread us`] = (outcome.mainThreadSeconds / outcome.acked) * 1e6
  }
  for (const latency of ['p50Us', 'p99Us', 'p999Us'] as const) {
    const value = outcome[latency]
    if (value !== undefined) numbers[`${name} ${latency.replace('Us', '')} us`] = value
  }
  return numbers
}

/** Drains the backlog as a group nobody used before. */
export async function measureDrain(pair: Pair, group: string, options: BenchOptions): Promise<Numbers> {
  const work = () => pair.load.drain(BACKLOG_TOPIC, group, options.backlog)
  const { outcome, numbers } = await perMessage(pair, work, drained => drained.messages, 'drain')
  numbers['drain per s'] = outcome.messages / outcome.seconds
  return numbers
}

/** What a server without clients uses, once it has settled for as long: memory, and CPU as a share of one core. */
export async function measureIdle(server: BenchServer, seconds: number): Promise<Numbers> {
  await pause(seconds * 1_000)
  const before = cpuSeconds(server.pid)
  await pause(seconds * 1_000)
  const { residentMb, anonymousMb } = memoryOf(server.pid)
  return {
    'idle resident mb': residentMb,
    'idle anonymous mb': anonymousMb,
    'idle cpu percent': ((cpuSeconds(server.pid) - before) / seconds) * 100
  }
}

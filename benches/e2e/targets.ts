import { type Results, middle, toApachesPair } from './results.js'
import type { Side } from './servers.js'

/** A goal and how far it was reached. */
export interface Target {
  readonly what: string
  /** The goal in words. */
  readonly goal: string
  readonly value: number
  /** Unit of `value`: `x` for multiples of Apache's pair. */
  readonly unit: string
  readonly met: boolean
}

const RATES = {
  'send 1 per s': '1 in flight',
  'send 64 per s': '64 senders',
  'pipelined 64 per s': '64 pipelined',
  'pipelined 1024 per s': '1,024 pipelined'
}

function ratio(results: Results, what: string, side: readonly [Side, Side], name: string, least: number): Target {
  return atLeast(what, toApachesPair(results, ...side, name), least, 'x')
}

function atMost(what: string, value: number, most: number, unit: string): Target {
  return { what, goal: `at most ${most}`, value, unit, met: value <= most }
}

function atLeast(what: string, value: number, least: number, unit: string): Target {
  return { what, goal: `at least ${least}`, value, unit, met: value >= least }
}

function third(results: Results, what: string, name: string): Target {
  return atMost(what, toApachesPair(results, 'ours', 'ours', name), 0.34, 'x')
}

/** The goals of the project, each against what this run measured. Ratios are to Apache's client on Apache's broker. */
export function targetsOf(results: Results): Target[] {
  const both = ['ours', 'ours'] as const
  const server = results.servers.ours ?? {}
  const onApaches = ['ours', 'apache'] as const
  const crossed = Object.entries({ ...RATES, 'drain per s': 'drain' }).flatMap(([name, words]) => [
    ratio(results, `our client on Apache's broker, ${words}`, ['ours', 'apache'], name, 1),
    ratio(results, `Apache's client on our broker, ${words}`, ['apache', 'ours'], name, 1)
  ])
  return [
    ratio(results, 'both ours, send rate, 1,024 in flight', both, 'pipelined 1024 per s', 6),
    ratio(results, 'both ours, send rate, 64 waiting senders', both, 'send 64 per s', 8),
    atLeast(
      'both ours, automatic batching, 1,024 in flight',
      middle(results, ...both, 'auto 1024 per s'),
      600_000,
      '/s'
    ),
    ratio(results, 'both ours, explicit batches of 32, waiting senders', both, 'waiting batches of 32 per s', 4),
    ratio(results, 'both ours, explicit batches of 32, pipelined', both, 'batches of 32 per s', 4),
    third(results, 'both ours, median latency, 1 in flight', 'send 1 p50 us'),
    third(results, 'both ours, p99 latency, 1 in flight', 'send 1 p99 us'),
    atMost('both ours, main thread a send', middle(results, ...both, 'pipelined 1024 main thread us'), 3, 'us'),
    atMost(
      "our client on Apache's broker, CPU a message",
      toApachesPair(results, ...onApaches, 'pipelined 1024 client cpu us'),
      0.5,
      'x'
    ),
    ratio(results, 'both ours, drain of a backlog', both, 'drain per s', 1),
    ...crossed,
    atMost('our broker, start to first acknowledged message', server['start-up ms'] ?? NaN, 500, 'ms'),
    atMost('our broker, resident when idle', server['idle resident mb'] ?? NaN, 100, 'MB'),
    atMost('our broker, CPU when idle, of one core', server['idle cpu percent'] ?? NaN, 1, '%')
  ]
}

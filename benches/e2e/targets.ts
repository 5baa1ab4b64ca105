import { type Results, toApachesPair } from './results.js'
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
  const value = toApachesPair(results, ...side, name)
  return { what, goal: `at least ${least}`, value, unit: 'x', met: value >= least }
}

function atMost(what: string, value: number, most: number, unit: string): Target {
  return { what, goal: `at most ${most}`, value, unit, met: value <= most }
}

/** The goals of the project, each against what this run measured. Ratios are to Apache's client on Apache's broker. */
export function targetsOf(results: Results): Target[] {
  const both = ['ours', 'ours'] as const
  const server = results.servers.ours ?? {}
  const crossed = Object.entries({ ...RATES, 'drain per s': 'drain' }).flatMap(([name, words]) => [
    ratio(results, `our client on Apache's broker, ${words}`, ['ours', 'apache'], name, 1),
    ratio(results, `Apache's client on our broker, ${words}`, ['apache', 'ours'], name, 1)
  ])
  return [
    ratio(results, 'both ours, send rate, 1,024 in flight', both, 'pipelined 1024 per s', 4),
    ratio(results, 'both ours, send rate, 64 waiting senders', both, 'send 64 per s', 6),
    atMost('both ours, median latency, 1 in flight', toApachesPair(results, ...both, 'send 1 p50 us'), 0.5, 'x'),
    ratio(results, 'both ours, drain of a backlog', both, 'drain per s', 1),
    ...crossed,
    atMost('our broker, start to first acknowledged message', server['start-up ms'] ?? NaN, 500, 'ms'),
    atMost('our broker, resident when idle', server['idle resident mb'] ?? NaN, 100, 'MB'),
    atMost('our broker, CPU when idle, of one core', server['idle cpu percent'] ?? NaN, 1, '%')
  ]
}

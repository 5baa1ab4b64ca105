/** What a run measured, and the figures derived from it. */
import type { Numbers } from './measures.js'
import type { BenchOptions } from './options.js'
import type { Side } from './servers.js'
import { median } from './statistics.js'

/** One pair's numbers, a row for each round. */
export interface PairResults {
  readonly client: Side
  readonly server: Side
  readonly rounds: Numbers[]
}

/** All that a run measured; this is the JSON that is written. */
export interface Results {
  readonly startedAt: string
  readonly machine: { readonly cpus: number; readonly cpu: string; readonly node: string }
  readonly options: BenchOptions
  readonly pairs: PairResults[]
  /** Start-up, memory and idle CPU of each server. */
  readonly servers: Partial<Record<Side, Numbers>>
}

/** The median over the rounds of a number of a pair; NaN where it was not measured. */
export function middle(results: Results, client: Side, server: Side, name: string): number {
  const pair = results.pairs.find(p => p.client === client && p.server === server)
  return median((pair?.rounds ?? []).map(round => round[name] ?? NaN).filter(value => !Number.isNaN(value)))
}

/** The median over the rounds of one pair's number as a multiple of Apache's pair's in the same round. */
export function toApachesPair(results: Results, client: Side, server: Side, name: string): number {
  const rounds = (c: Side, s: Side) => results.pairs.find(p => p.client === c && p.server === s)?.rounds ?? []
  const apache = rounds('apache', 'apache')
  const ratios = rounds(client, server).map((round, i) => (round[name] ?? NaN) / (apache[i]?.[name] ?? NaN))
  return median(ratios.filter(ratio => !Number.isNaN(ratio)))
}

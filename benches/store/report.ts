/** The run as text, within 120 columns. */
import { median } from '../e2e/statistics.js'
import type { Figures } from './measures.js'
import type { StoreBenchOptions } from './options.js'

/** All that a run measured; this is the JSON that is written. */
export interface StoreResults {
  readonly startedAt: string
  readonly machine: { readonly cpus: number; readonly cpu: string; readonly node: string }
  readonly options: StoreBenchOptions
  readonly rounds: readonly Figures[]
}

/** A figure of ours, what it is compared with, and the multiple that is the goal; or a goal in figures. */
interface Row {
  readonly label: string
  readonly name: string
  readonly against?: string
  readonly goal: number
  /** Less is better: seconds. */
  readonly seconds?: boolean
}

const ROWS: readonly Row[] = [
  ...[128, 1_024].flatMap(bytes => {
    const [times, share] = bytes === 128 ? [4, 0.5] : [3, 0.6]
    const name = `append ${bytes}`
    return [
      { label: `append, ${bytes} B, one by one`, name: `${name} single`, against: `${name} apache`, goal: times },
      {
        label: `append, ${bytes} B, batches of 32`,
        name: `${name} batches of 32`,
        against: `${name} apache`,
        goal: times
      },
      {
        label: '  against plain writes of 64',
        name: `${name} batches of 32`,
        against: `${name} pwrite of 64`,
        goal: share
      }
    ]
  }),
  ...['Rust, one by one', 'Rust, batches of 32', 'JavaScript, one by one', 'JavaScript, batches of 32'].map(how => ({
    label: `40,000 queues to 4, ${how}`,
    name: `40,000 queues, ${how}`,
    against: `4 queues, ${how}`,
    // At most 15 % more time.
    goal: 0.87
  })),
  { label: 'SYNC_FLUSH, 64 waiting threads', name: 'sync', against: 'sync apache', goal: 5 },
  { label: 'SYNC_FLUSH, 64 writers, called', name: 'sync called', against: 'sync called apache', goal: 5 },
  { label: 'get of 32', name: 'get', against: 'get apache', goal: 1 },
  { label: 'from JavaScript, batches of 32', name: 'javascript put of 32', goal: 1_000_000 },
  { label: 'from JavaScript, one by one', name: 'javascript put', goal: 300_000 },
  { label: 'from JavaScript, get of 32', name: 'javascript get of 32', goal: 2_000_000 },
  { label: 'unclean restart', name: 'restart', against: 'restart apache', goal: 5, seconds: true },
  {
    label: '  without a checkpoint',
    name: 'restart, no checkpoint',
    against: 'restart, no checkpoint, apache',
    goal: 5,
    seconds: true
  }
]

function figures(rounds: readonly Figures[], value: (round: Figures) => number): number {
  return median(rounds.map(value).filter(each => Number.isFinite(each)))
}

function text(value: number, seconds: boolean): string {
  return seconds ? `${value.toFixed(3)} s` : Math.round(value).toLocaleString('en-US')
}

function line(row: Row, rounds: readonly Figures[]): string {
  const { name, against, goal, seconds = false } = row
  const value = figures(rounds, round => round[name] ?? NaN)
  const cells = [row.label.padEnd(46), text(value, seconds).padStart(14)]
  if (against === undefined) {
    cells.push(''.padStart(14), ''.padStart(10), text(goal, seconds).padStart(14))
    return [...cells, value >= goal ? '   met' : '   MISSED'].join('')
  }
  // Ratios within a round, then their median: the machine's mood changes from round to round.
  const ratio = figures(rounds, round => {
    const [mine, other] = [round[name] ?? NaN, round[against] ?? NaN]
    return seconds ? other / mine : mine / other
  })
  cells.push(
    text(
      figures(rounds, round => round[against] ?? NaN),
      seconds
    ).padStart(14)
  )
  cells.push(`${ratio.toFixed(2)} x`.padStart(10), `${goal} x`.padStart(14))
  return [...cells, ratio >= goal ? '   met' : '   MISSED'].join('')
}

/** The table of a run. */
export function report({ options, machine, rounds }: StoreResults): string {
  const title = `${options.rounds} rounds of ${options.seconds} s, messages a second, medians, ${machine.cpus} cores`
  const head = `${''.padEnd(46)}${'ours'.padStart(14)}${'beside it'.padStart(14)}${'ratio'.padStart(10)}${'goal'.padStart(14)}`
  return ['', title, '', head, ...ROWS.map(row => line(row, rounds)), ''].join('\n')
}

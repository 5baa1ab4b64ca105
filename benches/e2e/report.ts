/** The run as text, within 120 columns. */
import { type Results, middle, toApachesPair } from './results.js'
import type { Side } from './servers.js'
import { targetsOf } from './targets.js'

const COLUMNS: readonly (readonly [Side, Side])[] = [
  ['ours', 'ours'],
  ['ours', 'apache'],
  ['apache', 'ours'],
  ['apache', 'apache']
]

const ROWS: readonly (readonly [label: string, name: string])[] = [
  ['1,024 in flight, auto batch   msg/s', 'auto 1024 per s'],
  ['  CPU a message, client        us', 'auto 1024 client cpu us'],
  ['  of which main thread         us', 'auto 1024 main thread us'],
  ['  CPU a message, broker        us', 'auto 1024 broker cpu us'],
  ['8,192 in flight, auto batch   msg/s', 'auto 8192 per s'],
  ['  CPU a message, client        us', 'auto 8192 client cpu us'],
  ['  of which main thread         us', 'auto 8192 main thread us'],
  ['  CPU a message, broker        us', 'auto 8192 broker cpu us'],
  ['32 waiting, batches of 32   msg/s', 'waiting batches of 32 per s'],
  ['  CPU a message, client        us', 'waiting batches of 32 client cpu us'],
  ['  of which main thread         us', 'waiting batches of 32 main thread us'],
  ['  CPU a message, broker        us', 'waiting batches of 32 broker cpu us'],
  ['1,024 in flight, batches of 32 msg/s', 'batches of 32 per s'],
  ['  CPU a message, client        us', 'batches of 32 client cpu us'],
  ['  of which main thread         us', 'batches of 32 main thread us'],
  ['  CPU a message, broker        us', 'batches of 32 broker cpu us'],
  ['1,024 in flight, pipelined  msg/s', 'pipelined 1024 per s'],
  ['  CPU a message, client        us', 'pipelined 1024 client cpu us'],
  ['  of which main thread         us', 'pipelined 1024 main thread us'],
  ['  CPU a message, broker        us', 'pipelined 1024 broker cpu us'],
  ['64 in flight, pipelined     msg/s', 'pipelined 64 per s'],
  ['  CPU a message, client        us', 'pipelined 64 client cpu us'],
  ['  CPU a message, broker        us', 'pipelined 64 broker cpu us'],
  ['64 waiting senders          msg/s', 'send 64 per s'],
  ['  CPU a message, client        us', 'send 64 client cpu us'],
  ['  of which main thread         us', 'send 64 main thread us'],
  ['  CPU a message, broker        us', 'send 64 broker cpu us'],
  ['1 in flight                 msg/s', 'send 1 per s'],
  ['  latency p50                  us', 'send 1 p50 us'],
  ['  latency p99                  us', 'send 1 p99 us'],
  ['  latency p99.9                us', 'send 1 p999 us'],
  ['  CPU a message, client        us', 'send 1 client cpu us'],
  ['  CPU a message, broker        us', 'send 1 broker cpu us'],
  ['drain of a backlog          msg/s', 'drain per s'],
  ['  CPU a message, client        us', 'drain client cpu us'],
  ['  CPU a message, broker        us', 'drain broker cpu us']
]

const SERVER_ROWS: readonly (readonly [label: string, name: string])[] = [
  ['start to first ack            ms', 'start-up ms'],
  ['resident, idle                MB', 'idle resident mb'],
  ['  without mapped files        MB', 'idle anonymous mb'],
  ['CPU, idle       % of one core', 'idle cpu percent'],
  ['resident, after load          MB', 'loaded resident mb'],
  ['  without mapped files        MB', 'loaded anonymous mb']
]

function number(value: number | undefined): string {
  if (value === undefined || Number.isNaN(value)) return '-'
  const digits = value < 10 ? 2 : value < 100 ? 1 : 0
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits })
}

function row(label: string, cells: readonly string[]): string {
  return label.padEnd(38) + cells.map(cell => cell.padStart(15)).join('')
}

function isMeasured({ pairs }: Results, name: string): boolean {
  return pairs.some(({ rounds }) => rounds.some(round => round[name] !== undefined))
}

function pairTable(results: Results): string[] {
  return [
    row('client', ['ours', 'ours', "Apache's", "Apache's", 'both ours /']),
    row('broker', ['ours', "Apache's", 'ours', "Apache's", "both Apache's"]),
    ...ROWS.filter(([, name]) => isMeasured(results, name)).map(([label, name]) => {
      const cells = COLUMNS.map(([client, server]) => number(middle(results, client, server, name)))
      return row(label, [...cells, `${number(toApachesPair(results, 'ours', 'ours', name))} x`])
    })
  ]
}

function serverTable({ servers }: Results): string[] {
  return [
    row('broker', ['ours', "Apache's"]),
    ...SERVER_ROWS.map(([label, name]) => row(label, [number(servers.ours?.[name]), number(servers.apache?.[name])]))
  ]
}

function targetTable(results: Results): string[] {
  return targetsOf(results).map(({ what, goal, value, unit, met }) => {
    const measured = `${number(value)} ${unit}`
    return `${met ? 'met   ' : 'MISSED'}  ${what.padEnd(52)}${measured.padStart(14)}   goal: ${goal} ${unit}`
  })
}

/** A rate without its failures would be half the truth. */
function failures({ pairs }: Results): string[] {
  return pairs.flatMap(({ client, server, rounds }) => {
    const names = Object.keys(rounds[0] ?? {}).filter(name => name.endsWith(' failed'))
    const failed = rounds.reduce((sum, round) => sum + names.reduce((all, name) => all + (round[name] ?? 0), 0), 0)
    return failed === 0 ? [] : [`FAILED  ${failed} sends of the client of ${client} on the broker of ${server}`]
  })
}

/** The tables of a run; the goals only when everything was measured. */
export function report(results: Results): string {
  const { options, machine } = results
  const title =
    `${options.rounds} rounds of ${options.seconds} s, ${options.bodyBytes}-byte bodies, one acknowledged message a ` +
    `request where nothing else is said, ${machine.cpus} cores`
  const goals = results.pairs.length === COLUMNS.length && options.sends === '' ? ['', ...targetTable(results)] : []
  return ['', title, '', ...pairTable(results), '', ...serverTable(results), ...goals, ...failures(results), ''].join(
    '\n'
  )
}

import { parseArgs } from 'node:util'
import type { Side } from './servers.js'

/** What a run does. */
export interface BenchOptions {
  /** Seconds of warm-up for each pair with a Java client or broker; `--warmup`, 25 by default. */
  readonly warmupSeconds: number
  /** Seconds of each measured send; `--seconds`, 5 by default. */
  readonly seconds: number
  /** How often everything is measured; `--rounds`, 3 by default. */
  readonly rounds: number
  /** Messages of the backlog that is drained; `--backlog`, 1,000,000 by default. */
  readonly backlog: number
  /** Bytes of a body; `--bytes`, 128 by default. */
  readonly bodyBytes: number
  /** Seconds over which idle servers are watched; `--idle`, 10 by default. */
  readonly idleSeconds: number
  /** Whose clients; `--clients`, both by default. */
  readonly clients: readonly Side[]
  /** Whose brokers; `--brokers`, both by default. */
  readonly brokers: readonly Side[]
  /** Only the ways of sending with this in their names, without goals; `--sends`, all by default. */
  readonly sends: string
}

const HELP = `Measures {our client, Apache's} x {our broker, Apache's}, interleaved; writes results/e2e-*.json.

npm run bench -- [options]
  --rounds N       how often everything is measured   (3)
  --seconds N      of each measured send              (5)
  --warmup N       seconds, where a JVM is involved   (25)
  --backlog N      messages to drain                  (1000000)
  --bytes N        of a body                          (128)
  --idle N         seconds to watch idle servers      (10)
  --quick          one short round, to see it work: ratios mean little
  --clients LIST   of ours and apache                 (ours,apache)
  --brokers LIST   of ours and apache                 (ours,apache)
  --sends TEXT     only ways of sending with this in their names, such as batches
`

const BOTH = 'ours,apache'
const QUICK = { rounds: '1', seconds: '1', warmup: '3', backlog: '100000', idle: '2' }
const FULL = { rounds: '3', seconds: '5', warmup: '25', backlog: '1000000', idle: '10' }

function sides(name: string, text: string): Side[] {
  return text.split(',').map(side => {
    if (side !== 'ours' && side !== 'apache') throw new Error(`--${name} must list ours and apache, not ${text}`)
    return side
  })
}

function positive(name: string, text: string): number {
  const value = Number(text)
  if (!(value > 0)) throw new Error(`--${name} must be a number above 0, not ${text}`)
  return value
}

/** Reads the command line; prints the help and exits when that is asked for. */
export function readBenchOptions(): BenchOptions {
  const text = { type: 'string' } as const
  const flag = { type: 'boolean' } as const
  const { values } = parseArgs({
    options: {
      rounds: text,
      seconds: text,
      warmup: text,
      backlog: text,
      bytes: text,
      idle: text,
      quick: flag,
      clients: text,
      brokers: text,
      sends: text,
      help: flag
    }
  })
  if (values.help) {
    process.stdout.write(HELP)
    process.exit(0)
  }
  const given = { ...(values.quick ? QUICK : FULL), bytes: '128', clients: BOTH, brokers: BOTH, sends: '', ...values }
  return {
    warmupSeconds: positive('warmup', given.warmup),
    seconds: positive('seconds', given.seconds),
    rounds: positive('rounds', given.rounds),
    backlog: positive('backlog', given.backlog),
    bodyBytes: positive('bytes', given.bytes),
    idleSeconds: positive('idle', given.idle),
    clients: sides('clients', given.clients),
    brokers: sides('brokers', given.brokers),
    sends: given.sends
  }
}

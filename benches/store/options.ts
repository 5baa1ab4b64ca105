import { parseArgs } from 'node:util'

/** What a run does. */
export interface StoreBenchOptions {
  /** How often everything is measured; `--rounds`, 3 by default. */
  readonly rounds: number
  /** Seconds of each measurement; `--seconds`, 4 by default. */
  readonly seconds: number
  /** Seconds before it, for Apache's store (its code is compiled as it runs); `--warmup`, 10 by default. */
  readonly warmupSeconds: number
  /** Size of the store that is opened after an unclean stop, in MiB; `--restart`, 5,120 by default. */
  readonly restartMib: number
}

const HELP = `Measures our message store and Apache's DefaultMessageStore in process, interleaved; writes results/store-*.json.

npm run bench:store -- [options]
  --rounds N    how often everything is measured      (3)
  --seconds N   of each measurement                   (4)
  --warmup N    seconds before each of Apache's       (10)
  --restart N   MiB of the store that is reopened     (5120)
  --quick       one short round, to see it work: ratios mean little
`

const FULL = { rounds: '3', seconds: '4', warmup: '10', restart: '5120' }
const QUICK = { rounds: '1', seconds: '1', warmup: '2', restart: '512' }

/** Reads the command line; prints the help and exits when that is asked for. */
export function readStoreBenchOptions(): StoreBenchOptions {
  const text = { type: 'string' } as const
  const flag = { type: 'boolean' } as const
  const options = { rounds: text, seconds: text, warmup: text, restart: text, quick: flag, help: flag }
  const { values } = parseArgs({ options })
  if (values.help) {
    process.stdout.write(HELP)
    process.exit(0)
  }
  const given = { ...(values.quick ? QUICK : FULL), ...values }
  const positive = (name: keyof typeof FULL) => {
    const value = Number(given[name])
    if (!(value > 0)) throw new Error(`--${name} must be a number above 0, not ${given[name]}`)
    return value
  }
  return {
    rounds: positive('rounds'),
    seconds: positive('seconds'),
    warmupSeconds: positive('warmup'),
    restartMib: positive('restart')
  }
}

/** `npm run bench:store`: our message store beside Apache's DefaultMessageStore, in process, in one run. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { repositoryRoot } from '../../__test__/interop/helpers/repository.js'
import { appends, type Figures, fromJavaScript, gets, manyQueues, restarts, syncAppends } from './measures.js'
import { readStoreBenchOptions } from './options.js'
import { build } from './programs.js'
import { report } from './report.js'

const runStartedAt = performance.now()

function progress(text: string): void {
  const seconds = ((performance.now() - runStartedAt) / 1_000).toFixed(0)
  process.stderr.write(`${seconds.padStart(5)} s  ${text}\n`)
}

async function main(): Promise<void> {
  const options = readStoreBenchOptions()
  progress('building')
  await build()
  const rounds: Figures[] = []
  for (let round = 1; round <= options.rounds; round++) {
    const figures: Figures = {}
    const measure = async (what: string, run: () => Promise<Figures>) => {
      Object.assign(figures, await run())
      progress(`round ${round}: ${what}`)
    }
    await measure('appends of 128 bytes', () => appends(128, options))
    await measure('appends of 1 KiB', () => appends(1_024, options))
    await measure('appends to many queues', manyQueues)
    await measure('puts that wait for the disk', () => syncAppends(options))
    await measure('gets', () => gets(options))
    await measure('from JavaScript', fromJavaScript)
    rounds.push(figures)
  }
  for (const [index, figures] of (await restarts(options)).entries()) Object.assign(rounds[index] ?? {}, figures)
  progress('restarts')
  const machine = { cpus: cpus().length, cpu: cpus()[0]?.model ?? '', node: process.version }
  const startedAt = new Date(performance.timeOrigin).toISOString()
  const results = { startedAt, machine, options, rounds }
  const directory = join(repositoryRoot, 'results')
  mkdirSync(directory, { recursive: true })
  writeFileSync(
    join(directory, `store-${startedAt.replaceAll(':', '-')}.json`),
    `${JSON.stringify(results, null, 2)}\n`
  )
  process.stdout.write(report(results))
}

void main()

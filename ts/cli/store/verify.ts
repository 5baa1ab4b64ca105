import { type VerifyReport, verify } from '../../store/inspect.js'
import { counted, grouped, leaveWithReader, print } from '../terminal.js'
import { ProgressBar } from './progress.js'
import { printable, size } from './table.js'

/** `rocketmq-native store verify` */
export async function verifyStore(directory: string, options: { json?: boolean }): Promise<void> {
  leaveWithReader()
  const bar = new ProgressBar()
  const report = await verify(directory, bar.update).finally(() => bar.end())
  if (report.faultCount > 0) process.exitCode = 1
  if (options.json === true) return print(JSON.stringify(report))
  for (const { file, offset, what } of report.faults) print(printable(`${file}, byte ${offset}: ${what}`))
  const hidden = report.faultCount - report.faults.length
  if (hidden > 0) print(`and ${counted(hidden, 'further fault')}`)
  for (const line of summary(report)) print(line)
}

/** What was looked at, and how it is. */
export function summary({
  records,
  logBytes,
  queues,
  units,
  indexItems,
  unindexed,
  unfinished,
  faultCount,
  wasClean
}: VerifyReport): string[] {
  const lines = [
    `records  ${grouped(records)} in ${size(logBytes)}`,
    `queues   ${grouped(queues)} with ${counted(units, 'unit')}`,
    `index    ${counted(indexItems, 'key')}`,
    `faults   ${faultCount === 0 ? 'none' : grouped(faultCount)}`
  ]
  if (unindexed > 0)
    lines.push(`${counted(unindexed, 'message')} not in the index by all keys: "store rebuild" adds them`)
  if (!wasClean) {
    const faults = faultCount === 0 ? '' : '; the faults are not among them'
    lines.push(`not stopped cleanly: the next start puts ${counted(unfinished, 'place')} right${faults}`)
  }
  return lines
}

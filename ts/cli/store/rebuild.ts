import { rebuild, verify } from '../../store/inspect.js'
import { leaveWithReader, print } from '../terminal.js'
import { ProgressBar } from './progress.js'
import { summary } from './verify.js'

/** `rocketmq-native store rebuild` */
export async function rebuildStore(directory: string, options: { json?: boolean }): Promise<void> {
  leaveWithReader()
  const bar = new ProgressBar()
  await rebuild(directory, bar.update).finally(() => bar.end())
  const checking = new ProgressBar()
  const report = await verify(directory, checking.update).finally(() => checking.end())
  if (report.faultCount > 0) process.exitCode = 1
  if (options.json === true) return print(JSON.stringify(report))
  print('consume queues and index made anew')
  for (const line of summary(report)) print(line)
}

import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

let ticksPerSecond: number | undefined

/** Seconds of CPU that a process has used, in user and in kernel mode, all its threads together. Linux only. */
export function cpuSeconds(pid: number): number {
  ticksPerSecond ??= Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }))
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ') // the name before it may hold spaces
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond
}

/** Seconds of CPU that the main thread of this process has used, to the nanosecond. Linux only. */
export function mainThreadSeconds(): number {
  const [ranNs] = readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'utf8').split(' ')
  return Number(ranNs) / 1e9
}

/** Memory of a process. */
export interface Memory {
  /** Resident, with the pages of mapped files. */
  readonly residentMb: number
  /** Resident without mapped files: heaps and stacks. */
  readonly anonymousMb: number
}

/** What a process has resident now. Linux only. */
export function memoryOf(pid: number): Memory {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const mb = (key: string) => Number(new RegExp(`^${key}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) / 1024
  return { residentMb: mb('VmRSS'), anonymousMb: mb('RssAnon') }
}

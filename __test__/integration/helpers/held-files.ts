/** What of a directory this process holds, as Linux tells it. */
import { readFileSync, readdirSync, readlinkSync } from 'node:fs'

/** Option of tests that ask: only Linux answers. */
export const onLinux = { skip: process.platform !== 'linux' }

/** Open files and mappings of this process that lie, or lay, in a directory. */
export function heldIn(directory: string): string[] {
  const files = readdirSync('/proc/self/fd').flatMap(fd => {
    try {
      return [readlinkSync(`/proc/self/fd/${fd}`)]
    } catch {
      // The one by which the list was read.
      return []
    }
  })
  const maps = readFileSync('/proc/self/maps', 'utf8').split('\n')
  return [...files, ...maps].filter(held => held.includes(directory))
}

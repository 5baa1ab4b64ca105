import { spawnSync } from 'node:child_process'
import { freemem } from 'node:os'

const BYTES_PER_GIB = 1024 ** 3
/** What a measure takes at most: pages of the log, the queues and the index. */
const ENOUGH_GIB = 2

/**
 * Touches free memory, so that no measure pays for what the machine did with it before: a virtual machine gives free pages
 * back to its host within seconds, and the first touch of such a page costs 3 to 11 us instead of 0.3 (docs/performance.md).
 * Takes some seconds, 2 GiB, or half of what is free.
 */
export function warmMemory(): void {
  const gib = Math.min(ENOUGH_GIB, Math.floor(freemem() / 2 / BYTES_PER_GIB))
  const touch = `const held = []; for (let i = 0; i < ${gib}; i++) held.push(Buffer.alloc(${BYTES_PER_GIB}, 1))`
  const { status, error } = spawnSync(process.execPath, ['-e', touch], { stdio: 'inherit' })
  if (status !== 0) throw new Error(`touching ${gib} GiB of memory failed`, { cause: error })
}

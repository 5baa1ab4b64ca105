import { spawnSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { freemem, tmpdir } from 'node:os'
import { join } from 'node:path'

const BYTES_PER_GIB = 1024 ** 3
/** What a measure takes at most: pages of the log, the queues and the index. */
const ENOUGH_GIB = 3
/** As the store writes: so much memory is then asked for at a time. */
const PIECE = Buffer.alloc(32 * 1024)

/**
 * Writes a file and removes it, so that no measure pays for what the machine did with its memory before: a virtual machine gives
 * free pages back to its host within seconds, and the first touch of such a page costs 3 to 11 us instead of 0.3
 * (docs/performance.md). What the file's pages were is what the next files get; memory of a process that was touched and
 * given back is, as a rule, not. Takes some seconds, and 3 GiB or half of what is free. Then everything is synced: else the
 * next who syncs waits for the disk to give up what was removed.
 */
export function warmMemory(): void {
  const bytes = Math.min(ENOUGH_GIB * BYTES_PER_GIB, freemem() / 2)
  const directory = mkdtempSync(join(tmpdir(), 'warm-memory-'))
  try {
    const file = openSync(join(directory, 'pages'), 'w')
    for (let written = 0; written < bytes; written += PIECE.length) writeSync(file, PIECE)
    closeSync(file)
  } finally {
    rmSync(directory, { recursive: true })
  }
  spawnSync('sync')
}

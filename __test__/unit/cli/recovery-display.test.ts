import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { RecoveryDisplay } from '../../../ts/cli/recovery-display.js'
import type { RecoveryProgress } from '../../../ts/server/options.js'

/** What is written to `out` while recovery reports every half second. */
function shown(isTTY: boolean, seconds: number, columns?: number): string[] {
  const written: string[] = []
  let now = 0
  const write = (text: string): boolean => written.push(text) > 0
  const out = columns === undefined ? { isTTY, write } : { isTTY, write, columns }
  const display = new RecoveryDisplay(out, () => now)
  for (; now <= seconds * 1_000; now += 500) {
    const progress: RecoveryProgress = { phase: 'commitLog', done: now * 1024, total: 10_240_000 }
    display.update(now === 0 ? progress : { ...progress, etaMs: 10_000 - now })
  }
  display.end()
  return written
}

describe('RecoveryDisplay', () => {
  it('shows nothing of a recovery that takes less than a second', () => {
    assert.deepEqual(shown(true, 0.5), [])
    assert.deepEqual(shown(false, 0.5), [])
  })

  it('shows a bar with the time left on a terminal, and takes it away', () => {
    const written = shown(true, 5)
    assert.equal(written.length, 10)
    assert.match(written[8]!, /^\rrecovering the commit log █{15}░{15} 50 % {2}4\.9 MiB of 9\.8 MiB {2}5 s left/)
    assert.equal(written[9], '\r\u001b[K')
  })

  it('keeps to one line however narrow the terminal is', () => {
    for (const columns of [20, 40, 64, 80, 200]) {
      for (const line of shown(true, 5, columns)) {
        const visible = line.replace('\r', '').replace('\u001b[K', '')
        assert.ok(visible.length < columns, visible)
      }
    }
    assert.match(
      shown(true, 5, 80)[8]!,
      /^\rrecovering the commit log █{8}░{9} 50 % {2}4\.9 MiB of 9\.8 MiB {2}5 s left/
    )
  })

  it('writes a line every three seconds elsewhere', () => {
    assert.deepEqual(shown(false, 5), [
      'recovering the commit log: 1000.0 KiB of 9.8 MiB (10 %), 9 s left\n',
      'recovering the commit log: 3.9 MiB of 9.8 MiB (40 %), 6 s left\n'
    ])
  })
})

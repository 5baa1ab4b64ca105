import type { WriteStream } from 'node:tty'
import type { RecoveryProgress } from '../server/options.js'
import { percentOf, progressLine, secondsLeft } from './progress-line.js'
import { size } from './store/table.js'
import { grouped } from './terminal.js'

/** Most starts are over before anybody wonders. */
const SILENT_MS = 1_000
const LINE_EVERY_MS = 3_000

const PHASES = {
  consumeQueues: { title: 'recovering consume queues', format: grouped },
  commitLog: { title: 'recovering the commit log', format: size }
}

type Out = Pick<WriteStream, 'isTTY' | 'write'> & Partial<Pick<WriteStream, 'columns'>>

/** Shows the recovery of a store that takes longer than a second: a bar on a terminal, a line every few seconds elsewhere. */
export class RecoveryDisplay {
  readonly #out: Out
  readonly #now: () => number
  readonly #startMs: number
  #shownMs = Number.NEGATIVE_INFINITY

  constructor(out: Out, now: () => number = () => performance.now()) {
    this.#out = out
    this.#now = now
    this.#startMs = now()
  }

  readonly update = ({ phase, done, total, etaMs }: RecoveryProgress): void => {
    const now = this.#now()
    if (now - this.#startMs < SILENT_MS || etaMs === undefined) return
    const { title, format } = PHASES[phase]
    if (this.#out.isTTY) {
      const { columns } = this.#out
      this.#out.write(`\r${progressLine({ title, done, total, format, leftMs: etaMs, columns })}\u001b[K`)
    } else if (now - this.#shownMs >= LINE_EVERY_MS) {
      const part = `${format(done)} of ${format(total)} (${percentOf(done, total)} %)`
      this.#out.write(`${title}: ${part}, ${secondsLeft(etaMs)}\n`)
    } else {
      return
    }
    this.#shownMs = now
  }

  /** Takes the bar away. */
  end(): void {
    if (this.#out.isTTY && this.#shownMs >= 0) this.#out.write('\r\u001b[K')
  }
}

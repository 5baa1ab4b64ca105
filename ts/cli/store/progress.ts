import type { Progress } from '../../store/inspect.js'
import { percentOf, progressLine } from '../progress-line.js'
import { size } from './table.js'

/** Shows a bar with the time left on a terminal's standard error, nothing elsewhere. */
export class ProgressBar {
  readonly #startMs = performance.now()
  readonly #shown = process.stderr.isTTY
  #last = -1

  readonly update: Progress = (done, total) => {
    const percent = percentOf(done, total)
    if (!this.#shown || percent === this.#last) return
    this.#last = percent
    const leftMs = done === 0 ? 0 : ((performance.now() - this.#startMs) * (total - done)) / done
    const { columns } = process.stderr
    process.stderr.write(`\r${progressLine({ done, total, format: size, leftMs, columns })}\u001b[K`)
  }

  /** Takes the bar away, until the next update. */
  end(): void {
    if (this.#shown && this.#last >= 0) process.stderr.write('\r\u001b[K')
    this.#last = -1
  }
}

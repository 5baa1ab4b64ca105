import type { Progress } from '../../store/inspect.js'
import { size } from './table.js'

/** Shows a bar with the time left on a terminal's standard error, nothing elsewhere. */
export class ProgressBar {
  readonly #startMs = performance.now()
  readonly #shown = process.stderr.isTTY
  #last = -1

  readonly update: Progress = (done, total) => {
    const percent = total === 0 ? 100 : Math.floor((done * 100) / total)
    if (!this.#shown || percent === this.#last) return
    this.#last = percent
    const leftMs = done === 0 ? 0 : ((performance.now() - this.#startMs) * (total - done)) / done
    const bar = '█'.repeat(percent * 0.3).padEnd(30, '░')
    process.stderr.write(
      `\r${bar} ${percent} %  ${size(done)} of ${size(total)}  ${Math.ceil(leftMs / 1_000)} s left \u001b[K`
    )
  }

  /** Takes the bar away. */
  end(): void {
    if (this.#shown) process.stderr.write('\r\u001b[K')
  }
}

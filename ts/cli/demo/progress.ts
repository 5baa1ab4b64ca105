import type { MultiBar } from 'cli-progress'
import { grouped, print } from '../terminal.js'

/** What is shown, as far as it has got. */
export type Counters = Readonly<Record<string, () => number>>

const BAR_REFRESH_MS = 100
const LINE_EVERY_MS = 1_000

/**
 * Shows how far counters are on their way to `total`: bars on a terminal, a line a second elsewhere.
 *
 * @returns ends it
 */
export function showProgress(total: number, counters: Counters): () => void {
  const lines = Object.entries(counters).map(([name, read]) => ({ name, read, meter: new Meter(total) }))
  return process.stdout.isTTY ? showBars(total, lines) : showLines(total, lines)
}

type Line = { readonly name: string; readonly read: () => number; readonly meter: Meter }

function showLines(total: number, lines: readonly Line[]): () => void {
  const timer = setInterval(() => {
    const parts = lines.map(({ name, read, meter }) => {
      const value = read()
      return `${name} ${grouped(value)} (${percent(value, total)} %) ${grouped(meter.rate(value))}/s`
    })
    print(parts.join('   '))
  }, LINE_EVERY_MS)
  return () => clearInterval(timer)
}

function showBars(total: number, lines: readonly Line[]): () => void {
  const bars = newMultiBar()
  const shown = lines.map(line => ({ ...line, bar: bars.create(total, 0, { name: line.name.padEnd(9), rate: '' }) }))
  const refresh = (): void => {
    for (const { read, meter, bar } of shown) {
      const value = read()
      bar.update(value, { rate: `${grouped(meter.rate(value))}/s` })
    }
  }
  const timer = setInterval(refresh, BAR_REFRESH_MS)
  return () => {
    clearInterval(timer)
    refresh()
    bars.stop()
  }
}

function newMultiBar(): MultiBar {
  // Not needed where there is no terminal.
  const { MultiBar, Presets } = require('cli-progress') as typeof import('cli-progress')
  const options = {
    format: '{name} {bar} {percentage} %  {value}  {rate}',
    barsize: 30,
    hideCursor: true,
    fps: 1_000 / BAR_REFRESH_MS,
    formatValue: (value: number, _options: object, type: string) => (type === 'value' ? grouped(value) : String(value))
  }
  return new MultiBar(options, Presets.shades_classic)
}

/** The rate over the last second or so; what is complete keeps the last one. */
class Meter {
  readonly #total: number
  readonly #samples: { at: number; value: number }[] = [{ at: performance.now(), value: 0 }]
  #rate = 0

  constructor(total: number) {
    this.#total = total
  }

  rate(value: number): number {
    const samples = this.#samples
    if (samples.at(-1)!.value === this.#total) return this.#rate
    const at = performance.now()
    samples.push({ at, value })
    while (samples.length > 2 && at - samples[0]!.at > LINE_EVERY_MS) samples.shift()
    const first = samples[0]!
    if (at > first.at) this.#rate = ((value - first.value) * 1_000) / (at - first.at)
    return this.#rate
  }
}

function percent(value: number, total: number): string {
  return Math.floor((value * 100) / total)
    .toString()
    .padStart(2)
}

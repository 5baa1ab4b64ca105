const BAR_COLUMNS = 30

/** What a progress line tells, and where. */
export interface ProgressLine {
  /** What is done. */
  readonly title?: string
  readonly done: number
  readonly total: number
  /** Turns the two into words. */
  readonly format: (value: number) => string
  readonly leftMs: number
  /** Columns of the terminal; undefined or 0 where that is not known. */
  readonly columns?: number | undefined
}

/** A bar, how much is done, and the time left; the bar gives way where they do not fit, since a line that wraps stays. */
export function progressLine({ title = '', done, total, format, leftMs, columns = 0 }: ProgressLine): string {
  const percent = percentOf(done, total)
  const head = title === '' ? '' : `${title} `
  const text = `${percent} %  ${format(done)} of ${format(total)}  ${secondsLeft(leftMs)} `
  // The last column is the cursor's.
  const room = columns > 0 ? columns - 1 : Infinity
  const width = Math.max(0, Math.min(BAR_COLUMNS, room - head.length - text.length - 1))
  const bar = width === 0 ? '' : `${'█'.repeat((percent * width) / 100).padEnd(width, '░')} `
  return `${head}${bar}${text}`.slice(0, room)
}

/** How much is done, in whole percent. */
export function percentOf(done: number, total: number): number {
  return total === 0 ? 100 : Math.floor((done * 100) / total)
}

/** `3 s left` */
export function secondsLeft(ms: number): string {
  return `${Math.ceil(ms / 1_000)} s left`
}

/** A bar, how much is done in the words of `format`, and the time left. */
export function progressLine(done: number, total: number, format: (value: number) => string, leftMs: number): string {
  const percent = percentOf(done, total)
  const bar = '█'.repeat(percent * 0.3).padEnd(30, '░')
  return `${bar} ${percent} %  ${format(done)} of ${format(total)}  ${secondsLeft(leftMs)} `
}

/** How much is done, in whole percent. */
export function percentOf(done: number, total: number): number {
  return total === 0 ? 100 : Math.floor((done * 100) / total)
}

/** `3 s left` */
export function secondsLeft(ms: number): string {
  return `${Math.ceil(ms / 1_000)} s left`
}

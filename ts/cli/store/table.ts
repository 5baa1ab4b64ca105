/** Rows under a heading, columns as wide as their widest cell; numbers, which are all but the first column, to the right. */
export function table(heading: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const lines = [heading, ...rows.map(row => row.map(printable))]
  const widths = heading.map((_, i) => lines.reduce((widest, row) => Math.max(widest, row[i]!.length), 0))
  return lines.map(row =>
    row
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
      .join('  ')
      .trimEnd()
  )
}

/** A name from a store without the control characters that it may have, which would steer the terminal. */
export function printable(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, character => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`)
}

/** 1234567 as `1.2 MiB`. */
export function size(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  let value = bytes
  let unit = 0
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024
    unit++
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`
}

import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** The root of the repository, wherever the compiled test lies. */
export function repositoryRoot(): string {
  let directory = __dirname
  while (!existsSync(join(directory, 'Cargo.toml'))) {
    const parent = dirname(directory)
    if (parent === directory) throw new Error('no Cargo.toml above the test')
    directory = parent
  }
  return directory
}

/** The lines of a file of golden values made by Apache's classes, each split at its first blank. */
export function goldenLines(file: string): [key: string, value: string][] {
  const text = readFileSync(join(repositoryRoot(), 'crates/testkit/golden', file), 'utf8')
  return text
    .split('\n')
    .filter(line => line !== '' && !line.startsWith('#'))
    .map(line => {
      const blank = line.indexOf(' ')
      return [line.slice(0, blank), line.slice(blank + 1)]
    })
}

/** One golden value. */
export function golden(file: string, key: string): string {
  const found = goldenLines(file).find(([name]) => name === key)
  if (found === undefined) throw new Error(`${file} has no ${key}`)
  return found[1]
}

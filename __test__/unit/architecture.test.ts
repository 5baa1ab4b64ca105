import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { describe, it } from 'node:test'
import { repositoryRoot } from './helpers/repository.js'

/** Rooms of ts/ from the top down; rooms in one line may not know each other, but for the pairs below. */
const FLOORS = [
  ['index'],
  ['cli', 'testing', 'telemetry'],
  ['producer', 'consumer', 'admin', 'server', 'store'],
  ['client', 'trace'],
  ['route'],
  ['remoting'],
  ['message'],
  ['native']
]
/** May be imported from anywhere. */
const EVERYWHERE = new Set(['errors', 'options', 'diagnostics', 'abort-listeners'])

/** Crates from the top down. */
const CRATE_FLOORS = [['node'], ['broker', 'namesrv'], ['remoting', 'store'], ['log'], ['codec', 'env']]

function floorOf(floors: string[][], room: string): number {
  return floors.findIndex(floor => floor.includes(room))
}

function typescriptFiles(directory: string): string[] {
  return readdirSync(directory, { withFileTypes: true }).flatMap(entry => {
    const path = join(directory, entry.name)
    if (entry.isDirectory()) return typescriptFiles(path)
    return entry.name.endsWith('.ts') ? [path] : []
  })
}

function roomOf(ts: string, path: string): string {
  return relative(ts, path)
    .split('/')[0]!
    .replace(/\.[jt]s$/, '')
}

/** Every relative import of a file, as `[room, room]`. */
function imports(ts: string, path: string): [from: string, to: string][] {
  const text = readFileSync(path, 'utf8')
  return [...text.matchAll(/(?:from|import|require\() ?'(\.[^']*)'/g)].map(([, target]) => [
    roomOf(ts, path),
    roomOf(ts, join(dirname(path), target!))
  ])
}

function pointsUp(floors: string[][], from: string, to: string): boolean {
  if (from === to) return false
  const [above, below] = [floorOf(floors, from), floorOf(floors, to)]
  return above < 0 || below < 0 || above >= below
}

describe('the arrows of the architecture', () => {
  const ts = join(repositoryRoot(), 'ts')

  it('no file of ts/ imports from a room beside or above its own', () => {
    const wrong = typescriptFiles(ts).flatMap(path =>
      imports(ts, path)
        .filter(
          ([from, to]) => !EVERYWHERE.has(to) && (EVERYWHERE.has(from) ? from !== to : pointsUp(FLOORS, from, to))
        )
        .map(([from, to]) => `${relative(ts, path)}: ${from} -> ${to}`)
    )
    assert.deepEqual(wrong, [])
  })

  it('only native.ts loads the addon', () => {
    const loaders = typescriptFiles(ts).filter(path => readFileSync(path, 'utf8').includes(`'#binding'`))
    assert.deepEqual(
      loaders.map(path => relative(ts, path)),
      ['native.ts']
    )
  })

  it('only telemetry/ knows OpenTelemetry, which users need not have', () => {
    const users = typescriptFiles(ts).filter(path => readFileSync(path, 'utf8').includes(`'@opentelemetry/`))
    assert.deepEqual([...new Set(users.map(path => roomOf(ts, path)))], ['telemetry'])
  })

  it('no crate depends on one beside or above it', () => {
    const crates = join(repositoryRoot(), 'crates')
    const wrong = CRATE_FLOORS.flat().flatMap(crate => {
      const text = readFileSync(join(crates, crate, 'Cargo.toml'), 'utf8')
      const dependencies = /\n\[dependencies\]\n([^[]*)/.exec(text)?.[1] ?? ''
      return [...dependencies.matchAll(/^rocketmq-(\w+)/gm)]
        .filter(([, other]) => pointsUp(CRATE_FLOORS, crate, other!))
        .map(([, other]) => `${crate} -> ${other}`)
    })
    assert.deepEqual(wrong, [])
  })
})

/** `npm run bench:micro`: the addon against plain JavaScript, operation by operation. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Benchmark from 'benchmark'
import { repositoryRoot } from '../../__test__/interop/helpers/repository.js'
import type { MicroCase } from './case.js'
import { bodyCases } from './compression.js'
import { crossingCases } from './crossing.js'
import { frameCases } from './frames.js'
import { recordCases } from './records.js'

interface Row {
  readonly name: string
  /** Nanoseconds of one operation in the addon. */
  readonly nativeNs: number
  /** Nanoseconds of one operation by the other way. */
  readonly plainNs?: number
  readonly plainBy?: string
}

const GROUPS: readonly (readonly [title: string, cases: readonly MicroCase[]])[] = [
  ['Crossing into the addon', crossingCases],
  ['Frames', frameCases],
  ['Records', recordCases],
  ['Bodies', bodyCases]
]

function nanoseconds(name: string, run: () => unknown): number {
  const bench = new Benchmark(name, run)
  bench.run()
  if (bench.error) throw new Error(`${name} failed`, { cause: bench.error })
  return bench.stats.mean * 1e9
}

function measure({ name, native, plain, check }: MicroCase): Row {
  check()
  const nativeNs = nanoseconds(name, native)
  return plain ? { name, nativeNs, plainNs: nanoseconds(name, plain.run), plainBy: plain.by } : { name, nativeNs }
}

function time(ns: number): string {
  return `${ns.toLocaleString('en-US', { maximumFractionDigits: 0 })} ns`.padStart(14)
}

function line({ name, nativeNs, plainNs, plainBy }: Row): string {
  const other = plainNs === undefined ? '' : `${time(plainNs)}  ${plainBy}`.padEnd(32)
  const ratio = plainNs === undefined ? '' : `${(plainNs / nativeNs).toFixed(2)} x`.padStart(10)
  return `  ${name.padEnd(52)}${time(nativeNs)}${other}${ratio}`
}

function main(): void {
  const results: Record<string, Row[]> = {}
  console.log(`${'time of one operation'.padEnd(54)}${'addon'.padStart(14)}${'without it'.padStart(14)}`)
  for (const [title, cases] of GROUPS) {
    console.log(`\n${title}`)
    results[title] = cases.map(one => {
      const row = measure(one)
      console.log(line(row))
      return row
    })
  }
  const directory = join(repositoryRoot, 'results')
  mkdirSync(directory, { recursive: true })
  const file = join(directory, `micro-${new Date().toISOString().replaceAll(':', '-')}.json`)
  writeFileSync(file, `${JSON.stringify({ node: process.version, results }, null, 2)}\n`)
  console.log(`\nWritten to ${file}`)
}

main()

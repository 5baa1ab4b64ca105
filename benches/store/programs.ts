/** The programs that are measured: each runs in a process of its own and prints one JSON line. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { PEER_JVM_FLAGS, peerClassPath } from '../../__test__/interop/helpers/java-peer.js'
import { repositoryRoot } from '../../__test__/interop/helpers/repository.js'

const run = promisify(execFile)

const HEAP = ['-Xms2g', '-Xmx2g', '-Xmn1g', '-XX:+UseG1GC', '-XX:MaxDirectMemorySize=4g']

/** What store_bench and StoreLoad print. */
export interface StoreFigures {
  readonly perSecond: number
  readonly openSeconds: number
}

/** What queues_bench (with `turns`) and many-queues.ts print: puts a second to all queues, and to four. */
export interface QueuesFigures {
  readonly perSecond: number
  readonly toFourPerSecond: number
}

/** What embedded.ts prints with `--json`: messages a second. */
export interface EmbeddedFigures {
  readonly putBatches: number
  readonly putSingly: number
  readonly getAll: number
}

async function lastLine<T>(command: string, args: readonly string[]): Promise<T> {
  const { stdout } = await run(command, args, { maxBuffer: 1 << 26 })
  return JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '') as T
}

/** Builds what is measured. */
export async function build(): Promise<void> {
  const manifest = ['--manifest-path', join(repositoryRoot, 'Cargo.toml')]
  const programs = ['--bin', 'store_bench', '--bin', 'queues_bench']
  await run('cargo', ['build', '--release', '-q', ...manifest, '-p', 'rocketmq-testkit', ...programs])
}

function program(name: string): string {
  return join(process.env['CARGO_TARGET_DIR'] ?? join(repositoryRoot, 'target'), 'release', name)
}

/** Our store in Rust: store_bench.rs. */
export function ours(...args: readonly (string | number)[]): Promise<StoreFigures> {
  return lastLine(program('store_bench'), args.map(String))
}

/** What many queues cost in Rust: queues_bench.rs. */
export function queuesBench(...args: readonly (string | number)[]): Promise<QueuesFigures> {
  return lastLine(program('queues_bench'), args.map(String))
}

/** The same from JavaScript: many-queues.ts. */
export function manyQueuesFromJavaScript(...args: readonly (string | number)[]): Promise<QueuesFigures> {
  return lastLine(process.execPath, [join(__dirname, 'many-queues.js'), ...args.map(String)])
}

/** Apache's store: StoreLoad.java. */
export async function apaches(...args: readonly (string | number)[]): Promise<StoreFigures> {
  const classPath = await peerClassPath(join(repositoryRoot, 'benches', 'store', 'java'))
  return lastLine('java', [...HEAP, ...PEER_JVM_FLAGS, '-cp', classPath, 'StoreLoad', ...args.map(String)])
}

/** Our store from JavaScript: embedded.ts. */
export function embedded(messages: number): Promise<EmbeddedFigures> {
  return lastLine(process.execPath, [join(__dirname, 'embedded.js'), String(messages), '--json'])
}

/** Apache RocketMQ's jars and the Java programs of this repository, ready to run. */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { repositoryRoot } from './repository.js'

const run = promisify(execFile)

/** The version of Apache RocketMQ that is the peer; pom.xml names it too. */
export const PEER_VERSION = '5.5.0'

const cache = join(repositoryRoot, '.cache', `rocketmq-${PEER_VERSION}`)
const interop = join(repositoryRoot, '__test__', 'interop')

/** Apache's broker and store reach into the JDK; the same flags as in its own start scripts. */
export const PEER_JVM_FLAGS: readonly string[] = [
  '--add-exports=java.base/jdk.internal.ref=ALL-UNNAMED',
  '--add-opens=java.base/jdk.internal.ref=ALL-UNNAMED',
  '--add-opens=java.base/java.nio=ALL-UNNAMED',
  '--add-exports=java.base/sun.nio.ch=ALL-UNNAMED',
  '--add-opens=java.base/sun.nio.ch=ALL-UNNAMED'
]

/** Gives what was made its name, unless another process that made the same was faster. */
function publish(partial: string, directory: string): void {
  try {
    renameSync(partial, directory)
  } catch (error) {
    rmSync(partial, { recursive: true, force: true })
    if (!existsSync(directory)) throw error
  }
}

async function fetchJars(lib: string): Promise<void> {
  const partial = `${lib}.partial-${process.pid}`
  rmSync(partial, { recursive: true, force: true })
  mkdirSync(partial, { recursive: true })
  const progress = setInterval(() => console.error(`  ${readdirSync(partial).length} jars ...`), 5_000)
  console.error(`Fetching Apache RocketMQ ${PEER_VERSION} with Maven, once, into ${lib}`)
  try {
    const pom = join(interop, 'peer', 'pom.xml')
    await run('mvn', ['-q', '-B', '-f', pom, 'dependency:copy-dependencies', `-DoutputDirectory=${partial}`])
  } finally {
    clearInterval(progress)
  }
  publish(partial, lib)
}

/** The directory of the peer's jars: ROCKETMQ_PEER_LIB where set, else fetched with Maven on first use. */
async function peerLib(): Promise<string> {
  const given = process.env['ROCKETMQ_PEER_LIB']
  if (given) return given
  const lib = join(cache, 'lib')
  if (!existsSync(lib)) await fetchJars(lib)
  return lib
}

/** Compiles the Java files of a directory, once for each content. Returns the directory of the classes. */
async function compile(sources: string, lib: string): Promise<string> {
  const files = readdirSync(sources)
    .filter(name => name.endsWith('.java'))
    .sort()
    .map(name => join(sources, name))
  const hash = createHash('sha256')
  for (const file of files) hash.update(readFileSync(file))
  const classes = join(cache, `classes-${hash.digest('hex').slice(0, 16)}`)
  if (existsSync(classes)) return classes
  const partial = `${classes}.partial-${process.pid}`
  mkdirSync(partial, { recursive: true })
  await run('javac', ['-nowarn', '-cp', join(lib, '*'), '-d', partial, ...files])
  publish(partial, classes)
  return classes
}

/** The class path of the peer with the programs in `sources`, by default those of __test__/interop/java. */
export async function peerClassPath(sources = join(interop, 'java')): Promise<string> {
  const lib = await peerLib()
  return [await compile(sources, lib), join(lib, '*')].join(delimiter)
}

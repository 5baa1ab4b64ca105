/** Java programs of this repository that do one thing and print what came of it. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { peerClassPath } from './java-peer.js'
import { TemporaryDirectory } from './owned.js'

/** Runs a program to its end; what the last line of its output says, which is JSON. */
export async function runJava<T>(main: string, ...programArguments: string[]): Promise<T> {
  using home = new TemporaryDirectory()
  const flags = ['-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', `-Duser.home=${home.path}`]
  const all = [...flags, '-cp', await peerClassPath(), main, ...programArguments]
  const { stdout } = await promisify(execFile)('java', all)
  return JSON.parse(stdout.trim().split('\n').at(-1)!) as T
}

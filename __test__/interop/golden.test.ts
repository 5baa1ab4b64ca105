/** The golden bytes of the Rust tests are still what Apache's classes make. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { it } from 'node:test'
import { promisify } from 'node:util'
import { peerClassPath, PEER_JVM_FLAGS } from './helpers/java-peer.js'
import { TemporaryDirectory } from './helpers/owned.js'
import { repositoryRoot } from './helpers/repository.js'

function textFiles(directory: string): string[] {
  return readdirSync(directory)
    .filter(name => name.endsWith('.txt'))
    .sort()
}

it("GoldenGenerator.java makes the golden files that are checked in, from Apache's classes", async () => {
  using directory = new TemporaryDirectory()
  const java = [...PEER_JVM_FLAGS, `-Duser.home=${directory.path}`, '-cp', await peerClassPath(), 'GoldenGenerator']
  const golden = join(directory.path, 'golden')
  mkdirSync(golden)
  await promisify(execFile)('java', [...java, golden])
  const checkedIn = join(repositoryRoot, 'crates', 'testkit', 'golden')
  assert.deepEqual(textFiles(golden), textFiles(checkedIn))
  for (const name of textFiles(golden)) {
    assert.equal(readFileSync(join(golden, name), 'utf8'), readFileSync(join(checkedIn, name), 'utf8'), name)
  }
})

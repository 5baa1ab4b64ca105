/**
 * Runs the tests in the given directories: `node scripts/test.mjs [options of node --test] DIRECTORY...`. Node 20 takes
 * directories but no patterns, later ones take patterns but no directories; both take files.
 */
import { spawnSync } from 'node:child_process'
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'

const options = process.argv.slice(2).filter(argument => argument.startsWith('-'))
const directories = process.argv.slice(2).filter(argument => !argument.startsWith('-'))
const files = directories.flatMap(directory => {
  if (!statSync(directory).isDirectory()) return [directory]
  const names = readdirSync(directory, { recursive: true }).filter(name => name.endsWith('.test.js'))
  return names.sort().map(name => join(directory, name))
})
if (files.length === 0) {
  console.error(`no tests in ${directories.join(', ')}`)
  process.exit(1)
}
// A file that hangs fails by name instead of holding everything up; the slowest takes four minutes.
const [major, minor] = process.versions.node.split('.').map(Number)
if (major > 20 || minor >= 11) options.push(`--test-timeout=${15 * 60_000}`)
const reporter = process.stdout.isTTY ? [] : ['--test-reporter=spec']
const { status } = spawnSync(process.execPath, ['--test', ...reporter, ...options, ...files], { stdio: 'inherit' })
process.exit(status ?? 1)

/**
 * Codes are written down in the codec crate; this checks the other places that have them:
 * - ts/remoting/request-code.ts must have the same numbers under the same names;
 * - the table in the README must list what client, broker and name server handle, as their sources say.
 *
 * `node scripts/request-codes.mjs` checks, `--write` writes the table.
 */
import { readFileSync, readdirSync, writeFileSync } from 'node:fs'

const root = new URL('../', import.meta.url)
const read = path => readFileSync(new URL(path, root), 'utf8')
const failures = []

/** The constants of a module in crates/codec/src/codes.rs. */
function rustCodes(module) {
  const [, body] = read('crates/codec/src/codes.rs').match(new RegExp(`pub mod ${module} \\{(.*?)\\n\\}`, 's'))
  const constants = body.matchAll(/pub const (\w+): i32 = (-?[\d_]+);/g)
  return new Map([...constants].map(([, name, value]) => [name, Number(value.replaceAll('_', ''))]))
}

/** The members of a constant object in ts/remoting/request-code.ts. */
function typescriptCodes(object) {
  const [, body] = read('ts/remoting/request-code.ts').match(new RegExp(`const ${object} = \\{(.*?)\\n\\}`, 's'))
  return new Map([...body.matchAll(/(\w+): (-?\d+)/g)].map(([, name, value]) => [name, Number(value)]))
}

function compare(object, module) {
  const rust = rustCodes(module)
  for (const [name, code] of typescriptCodes(object)) {
    if (rust.get(name) !== code) {
      failures.push(`${object}.${name} is ${code} in TypeScript and ${rust.get(name)} in crates/codec`)
    }
  }
}

/** The request codes that these Rust files dispatch. */
function dispatched(...files) {
  return new Set(files.flatMap(file => [...read(file).matchAll(/request_code::(\w+)/g)].map(([, name]) => name)))
}

/** The table, aligned as prettier does. */
function table() {
  const codes = rustCodes('request_code')
  const sources = readdirSync(new URL('ts/', root), { recursive: true }).filter(name => name.endsWith('.ts'))
  const uses = sources.flatMap(name => [...read(`ts/${name}`).matchAll(/RequestCode\.(\w+)/g)])
  const client = new Set(uses.map(([, name]) => name))
  const broker = dispatched('crates/broker/src/processor/mod.rs', 'crates/broker/src/processor/admin.rs')
  const nameServer = dispatched('crates/namesrv/src/processor.rs')
  const rows = [...codes]
    .filter(([name]) => client.has(name) || broker.has(name) || nameServer.has(name))
    .sort(([, a], [, b]) => a - b)
    .map(([name, code]) => [
      String(code),
      name,
      ...[client, broker, nameServer].map(set => (set.has(name) ? 'yes' : ''))
    ])
  const head = ['Code', 'Request', 'Client', 'Broker', 'Name server']
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map(row => row[column].length)))
  const line = cells => `| ${cells.map((cell, column) => cell.padEnd(widths[column])).join(' | ')} |`
  return [line(head), `| ${widths.map(width => '-'.repeat(width)).join(' | ')} |`, ...rows.map(line)].join('\n')
}

compare('RequestCode', 'request_code')
compare('ResponseCode', 'response_code')
const readme = read('README.md')
const wanted = readme.replace(
  /(<!-- codes -->\n\n).*?(\n\n<!-- \/codes -->)/s,
  (_, begin, end) => begin + table() + end
)
if (process.argv.includes('--write')) writeFileSync(new URL('README.md', root), wanted)
else if (wanted !== readme) failures.push('the table in README.md is old: node scripts/request-codes.mjs --write')
for (const failure of failures) console.error(failure)
process.exit(failures.length === 0 ? 0 : 1)

/** What users install: the packed package in a project of its own, for ES modules and for CommonJS, with its types. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdirSync, readFileSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { promisify } from 'node:util'
import { TemporaryDirectory } from '../interop/helpers/owned.js'
import { repositoryRoot } from '../interop/helpers/repository.js'

const run = promisify(execFile)
const tsc = join(repositoryRoot, 'node_modules', 'typescript', 'bin', 'tsc')

interface Manifest {
  readonly version: string
  readonly dependencies: Readonly<Record<string, string>>
}

/** What a TypeScript project with the strictest settings has. */
const TSCONFIG = {
  compilerOptions: {
    target: 'ES2022',
    lib: ['ES2022', 'ESNext.Disposable'],
    module: 'NodeNext',
    types: ['node'],
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    skipLibCheck: false
  },
  files: ['esm.mts', 'cjs.cts', 'readme.mts', 'readme-store.mts']
}

const USE = `
async function use(): Promise<string> {
  await using server: Server = await startServer({ port: 0 })
  await using producer = new Producer({ namesrvAddr: server.nameServerAddress, producerGroup: 'g' })
  await producer.start()
  const result: SendResult = await producer.send({ topic: 'Types', body: 'x' })
  // @ts-expect-error a message has a topic
  const nothing = producer.send({ body: 'x' }).catch(() => undefined)
  await nothing
  return result.sendStatus
}
void use().then(console.log)
`

function installPackage(project: string, tarball: string, manifest: Manifest): Promise<unknown> {
  const modules = join(project, 'node_modules')
  const installed = join(modules, 'rocketmq-native')
  mkdirSync(installed, { recursive: true })
  for (const name of [...Object.keys(manifest.dependencies), '@types', 'undici-types']) {
    symlinkSync(join(repositoryRoot, 'node_modules', name), join(modules, name), 'junction')
  }
  return run('tar', ['-xzf', tarball, '-C', installed, '--strip-components', '1'])
}

/** A program in the README, behind the comment that marks it. */
function readmeExample(mark: string): string {
  const readme = readFileSync(join(repositoryRoot, 'README.md'), 'utf8')
  const code = new RegExp(`<!-- ${mark} -->\\s*\`\`\`ts\\n(.*?)\`\`\``, 's').exec(readme)?.[1]
  assert.ok(code, `the README has the ${mark}`)
  return code
}

describe('the packed package', () => {
  const directory = new TemporaryDirectory()
  const project = directory.path
  const manifest = JSON.parse(readFileSync(join(repositoryRoot, 'package.json'), 'utf8')) as Manifest
  const node = async (...commandArguments: string[]): Promise<string> =>
    (await run(process.execPath, commandArguments, { cwd: project })).stdout

  before(async () => {
    const options = { cwd: repositoryRoot, shell: process.platform === 'win32' }
    await run('npm', ['pack', '--ignore-scripts', '--pack-destination', project], options)
    await installPackage(project, join(project, `rocketmq-native-${manifest.version}.tgz`), manifest)
    const names = '{ Producer, type SendResult, type Server, startServer }'
    writeFileSync(join(project, 'esm.mts'), `import ${names} from 'rocketmq-native'\n${USE}`)
    const required = `import rocketmq = require('rocketmq-native')\nconst { Producer, startServer } = rocketmq\n`
    const types = `type SendResult = rocketmq.SendResult\ntype Server = rocketmq.Server\n`
    writeFileSync(join(project, 'cjs.cts'), `${required}${types}${USE}`)
    writeFileSync(join(project, 'readme.mts'), readmeExample('example'))
    writeFileSync(join(project, 'readme-store.mts'), readmeExample('store example'))
    writeFileSync(join(project, 'tsconfig.json'), JSON.stringify(TSCONFIG))
    writeFileSync(join(project, 'package.json'), JSON.stringify({ name: 'project', private: true }))
    await run(process.execPath, [tsc, '-p', project]).catch((error: { stdout: string }) => assert.fail(error.stdout))
  })
  after(() => directory[Symbol.dispose]())

  it('gives the same names to `import` and to `require`', async () => {
    const print = 'console.log(Object.keys(all).filter(name => name !== "__esModule").sort().join())'
    const imported = await node('--input-type=module', '-e', `import * as all from 'rocketmq-native'; ${print}`)
    const required = await node('-e', `const all = require('rocketmq-native'); ${print}`)
    assert.equal(imported, required)
    assert.match(imported, /Producer,.*PushConsumer,.*startServer/)
  })

  it('has types for ES modules and for CommonJS, and what they promise works', async () => {
    assert.equal(await node('esm.mjs'), 'SEND_OK\n')
    assert.equal(await node('cjs.cjs'), 'SEND_OK\n')
  })

  it('has types without what TypeScript 5.2 does not know', () => {
    const dist = join(project, 'node_modules/rocketmq-native/dist')
    const declarations = readdirSync(dist, { recursive: true, encoding: 'utf8' }).filter(name => name.endsWith('.d.ts'))
    assert.ok(declarations.length > 50)
    const newer = declarations.filter(name => /\bNoInfer</.test(readFileSync(join(dist, name), 'utf8')))
    assert.deepEqual(newer, [])
  })

  it('gives OpenTelemetry to who has its API, and needs it of nobody else', async () => {
    await assert.rejects(
      node('-e', `require('rocketmq-native/opentelemetry')`),
      /Cannot find module '@opentelemetry\/api'/
    )
    const modules = join(project, 'node_modules')
    symlinkSync(join(repositoryRoot, 'node_modules', '@opentelemetry'), join(modules, '@opentelemetry'), 'junction')
    const use = `const instrumentation: Instrumentation = instrument({ tracerProvider: undefined })\ninstrumentation.disable()\n`
    const names = '{ instrument, type Instrumentation }'
    writeFileSync(join(project, 'otel.mts'), `import ${names} from 'rocketmq-native/opentelemetry'\n${use}`)
    writeFileSync(join(project, 'otel.cts'), `import ${names} from 'rocketmq-native/opentelemetry'\n${use}`)
    const tsconfig = { ...TSCONFIG, files: ['otel.mts', 'otel.cts'] }
    writeFileSync(join(project, 'tsconfig.otel.json'), JSON.stringify(tsconfig))
    const check = [tsc, '-p', join(project, 'tsconfig.otel.json')]
    await run(process.execPath, check).catch((error: { stdout: string }) => assert.fail(error.stdout))
    for (const program of ['otel.mjs', 'otel.cjs']) assert.equal(await node(program), '')
  })

  it('brings the command line', async () => {
    const { bin } = JSON.parse(readFileSync(join(project, 'node_modules/rocketmq-native/package.json'), 'utf8')) as {
      bin: Record<string, string>
    }
    const main = join(project, 'node_modules/rocketmq-native', bin['rocketmq-native']!)
    assert.ok(readFileSync(main, 'utf8').startsWith('#!/usr/bin/env node\n'))
    assert.equal(await node(main, '--version'), `${manifest.version}\n`)
  })

  it('does what the README shows', async () => {
    assert.match(await node('readme.mjs'), /^sent SEND_OK [0-9A-F]{32}\nreceived paid order 1\n$/)
  })

  it('stores, gets, finds and iterates as the README shows', async () => {
    const lines = ['3 messages, the next one has offset 3', 'order-1: first', '0 first', '1 second', '2 third']
    const log = ['Orders true', 'Orders false', 'Orders false', '']
    assert.equal(await node('readme-store.mjs'), [...lines, ...log].join('\n'))
  })
})

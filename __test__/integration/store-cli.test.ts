/** `rocketmq-native store` over the directory of a stopped store. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { open, readdir, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { MessageStore } from '../../ts/index.js'
import { TemporaryDirectory } from '../interop/helpers/owned.js'
import { cli, main } from './helpers/cli.js'

/** Three queues with 100 messages each. */
async function filled(directory: string): Promise<void> {
  const sizes = { commitLogFileBytes: 16 * 1024, consumeQueueFileBytes: 1_000 }
  await using store = await MessageStore.open({ directory, ...sizes })
  for (let queueId = 0; queueId < 3; queueId++) {
    const numbers = Array.from({ length: 100 }, (_, i) => i)
    await store.putBatch(numbers.map(i => ({ topic: 'Cli', queueId, body: `{"n":${i}}`, keys: `key-${queueId}-${i}` })))
  }
}

async function run(...commandArguments: string[]): Promise<{ code: number | string | null; lines: string[] }> {
  await using child = cli('store', ...commandArguments)
  const code = await child.exited()
  assert.equal(child.stderr, '')
  return { code, lines: child.lines }
}

async function flip(file: string, offset: number): Promise<void> {
  await using handle = await open(file, 'r+')
  const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, offset)
  buffer[0]! ^= 0x40
  await handle.write(buffer, 0, 1, offset)
}

describe('rocketmq-native store', () => {
  it('lists queues and files, and counts', async () => {
    using directory = new TemporaryDirectory()
    await filled(directory.path)
    const before = (await readdir(directory.path, { recursive: true })).sort()
    const ls = await run('ls', directory.path)
    assert.equal(ls.code, 0)
    assert.match(ls.lines.join('\n'), /^topic +queue +min +max +messages\nCli +0 +0 +100 +100\n/)
    assert.match(ls.lines.join('\n'), /\ncommitlog\/00000000000000016384 +16\.0 KiB\n/)
    const { queues } = JSON.parse((await run('ls', '--json', directory.path)).lines[0]!) as { queues: unknown[] }
    assert.deepEqual(queues[2], { topic: 'Cli', queueId: 2, minOffset: '0', maxOffset: '100', depth: '100' })
    const stats = await run('stats', directory.path)
    assert.match(stats.lines[0]!, /^messages +300 in 3 queues of 1 topic$/)
    const json = JSON.parse((await run('stats', '--json', directory.path)).lines[0]!) as { depth: string }
    assert.equal(json.depth, '300')
    assert.deepEqual((await readdir(directory.path, { recursive: true })).sort(), before)
  })

  it('prints messages as JSON lines, of a queue, a range, a key, in four forms', async () => {
    using directory = new TemporaryDirectory()
    await filled(directory.path)
    const cat = async (...options: string[]): Promise<Record<string, unknown>[]> =>
      (await run('cat', directory.path, ...options)).lines.map(line => JSON.parse(line) as Record<string, unknown>)
    assert.equal((await cat()).length, 300)
    const some = await cat('-t', 'Cli', '-q', '1', '--from', '98')
    assert.deepEqual(
      some.map(({ queueId, queueOffset, body }) => [queueId, queueOffset, body]),
      [
        [1, '98', '{"n":98}'],
        [1, '99', '{"n":99}']
      ]
    )
    for (const topic of [
      [],
      ['--topic', 'Cli'],
      ['--topic', 'Cli', '--queue', '2'],
      ['--topic', 'Cli', '--from', '0']
    ]) {
      const [found, ...others] = await cat('--key', 'key-2-7', '--body', 'json', ...topic)
      assert.deepEqual(found!.body, { n: 7 })
      assert.equal(others.length, 0)
      assert.equal((await cat('--key', found!.msgId as string, ...topic)).length, 1)
    }
    assert.equal((await cat('--key', 'key-2-7', '-t', 'Cli', '-q', '1')).length, 0)
    assert.equal((await cat('--max', '1', '--body', 'hex'))[0]!.body, Buffer.from('{"n":0}').toString('hex'))
    assert.equal((await cat('--max', '1', '--body', 'base64'))[0]!.body, Buffer.from('{"n":0}').toString('base64'))
    assert.equal((await cat('--topic', 'Other')).length, 0)
  })

  it('names file and byte of each planted fault, and makes queues anew', async () => {
    using directory = new TemporaryDirectory()
    await filled(directory.path)
    const sound = /^records +300 in .*\nqueues +3 with 300 units\nindex +600 keys\nfaults +none$/
    assert.match((await run('verify', directory.path)).lines.join('\n'), sound)
    const unit = join(directory.path, 'consumequeue', 'Cli', '1', '00000000000000001000')
    await flip(unit, 27)
    const found = await run('verify', directory.path)
    assert.equal(found.code, 1)
    assert.ok(found.lines[0]!.startsWith(`${unit}, byte 20: unit 51 is (`), found.lines[0])
    assert.match(found.lines.at(-1)!, /^faults +1$/)
    const [index] = await readdir(join(directory.path, 'index'))
    // In the hash of the second item; 5,000,000 slots before it.
    const item = 40 + 5_000_000 * 4 + 2 * 20
    await flip(join(directory.path, 'index', index!), item + 3)
    const more = await run('verify', directory.path)
    const start = `${join(directory.path, 'index', index!)}, byte ${item}: item 2: hash `
    assert.ok(more.lines[0]!.startsWith(start), more.lines[0])
    const rebuilt = await run('rebuild', directory.path)
    assert.equal(rebuilt.code, 0)
    assert.match(rebuilt.lines.slice(1).join('\n'), sound)
    const log = join(directory.path, 'commitlog', '00000000000000016384')
    await flip(log, 90)
    const damaged = await run('verify', '--json', directory.path)
    assert.equal(damaged.code, 1)
    const report = JSON.parse(damaged.lines[0]!) as { faults: { file: string; offset: number; what: string }[] }
    assert.deepEqual([report.faults[0]!.file, report.faults[0]!.offset], [log, 0])
    assert.match(report.faults[0]!.what, /CRC/)
    await using refused = cli('store', 'rebuild', directory.path)
    await refused.failsWith(/the commit log has 1 fault/)
  })

  it('says all there is of a message, prepared offset included', async () => {
    using directory = new TemporaryDirectory()
    {
      await using store = await MessageStore.open({ directory: directory.path })
      await store.put({ topic: 'Büro', body: 'x', preparedTransactionOffset: 2n ** 40n })
    }
    const { lines } = await run('cat', directory.path, '--topic', 'Büro')
    const [message] = lines.map(line => JSON.parse(line) as Record<string, unknown>)
    assert.equal(message!['preparedTransactionOffset'], '1099511627776')
    assert.equal(message!['topic'], 'Büro')
  })

  it('lists topics with control characters readably, and passes over files that are not there', async () => {
    using directory = new TemporaryDirectory()
    {
      await using store = await MessageStore.open({ directory: directory.path })
      await store.put({ topic: 'Red\u001b[31m', body: 'x' })
    }
    await symlink(join(directory.path, 'gone'), join(directory.path, 'link'))
    const ls = (await run('ls', directory.path)).lines.join('\n')
    assert.match(ls, /^Red\\x1b\[31m +0 /m)
    for (const shown of [ls, (await run('stats', directory.path)).lines.join('\n')]) {
      assert.ok(!shown.includes('\u001b'), shown)
    }
  })

  it('ends in good order when its reader leaves, and still says whether there are faults', async () => {
    using directory = new TemporaryDirectory()
    await filled(directory.path)
    for (const command of ['ls', 'stats', 'cat', 'verify', 'rebuild']) {
      await using child = cli('store', command, directory.path)
      child.closeOutput()
      assert.deepEqual([await child.exited(), child.stderr], [0, ''], command)
    }
    await flip(join(directory.path, 'consumequeue', 'Cli', '1', '00000000000000001000'), 27)
    await using child = cli('store', 'verify', directory.path)
    child.closeOutput()
    assert.deepEqual([await child.exited(), child.stderr], [1, ''])
  })

  it('says in one line that its output cannot be written', { skip: !existsSync('/dev/full') }, async () => {
    using directory = new TemporaryDirectory()
    await filled(directory.path)
    await using full = await open('/dev/full', 'w')
    for (const command of ['ls', 'stats', 'cat', 'verify', 'rebuild']) {
      const { status, stderr } = spawnSync(process.execPath, [main, 'store', command, directory.path], {
        stdio: ['ignore', full.fd, 'pipe'],
        encoding: 'utf8'
      })
      assert.match(stderr, /^rocketmq-native: cannot write the output: [^\n]+\n$/, command)
      assert.equal(status, 1, command)
    }
  })

  it('names the option that is no offset', async () => {
    for (const option of ['--from', '--to']) {
      await using child = cli('store', 'cat', 'anywhere', option, '9999999999999999999')
      await child.failsWith(new RegExp(`${option} .*from 0 to 9223372036854775807`))
    }
  })

  it('leaves with one line where there is no store, or one that runs', async () => {
    using directory = new TemporaryDirectory()
    for (const command of ['ls', 'stats', 'cat', 'verify', 'rebuild']) {
      await using child = cli('store', command, directory.path)
      await child.failsWith(/commitlog/)
    }
    await using store = await MessageStore.open({ directory: directory.path })
    await store.put({ topic: 'T', body: 'x' })
    for (const command of ['ls', 'stats', 'cat', 'verify', 'rebuild']) {
      await using child = cli('store', command, directory.path)
      await child.failsWith(/is in use/)
    }
  })
})

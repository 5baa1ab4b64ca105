/** The command line as users run it: child processes, their output, their exit codes. */
import assert from 'node:assert/strict'
import { closeSync, existsSync, openSync, readdirSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { TemporaryDirectory } from '../interop/helpers/owned.js'
import { Cli, cli } from './helpers/cli.js'

const ANY_PORTS = ['--port', '0', '--name-server-port', '0']

describe('rocketmq-native broker', () => {
  it('says where everything is, serves, and says at Ctrl-C what it did', async () => {
    using directory = new TemporaryDirectory()
    await using broker = cli('broker', ...ANY_PORTS, '--data', directory.path)
    const { nameServer } = await broker.untilServing()
    assert.match(broker.stdout, /broker {8}127\.0\.0\.1:\d+\n/)
    assert.ok(broker.stdout.includes(`data          ${directory.path}\n`))
    assert.ok(broker.stdout.includes(`send -n '${nameServer}' -t TopicTest hello`))
    await using send = cli('send', '-n', nameServer, '-t', 'Cli', '--count', '3', 'hello')
    assert.equal(await send.exited(), 0)
    assert.equal(await broker.interrupt(), 0)
    assert.match(broker.stdout, /\n3 messages stored, 0 given out, .*\nstopped in \d+ ms, everything is on disk\n$/)
    assert.ok(!existsSync(join(directory.path, 'abort')))
  })

  it('leaves with one line when its port is taken', async () => {
    using directory = new TemporaryDirectory()
    await using first = cli('broker', ...ANY_PORTS, '--data', join(directory.path, 'one'))
    const { broker } = await first.untilServing()
    const port = broker.slice(broker.lastIndexOf(':') + 1)
    const options = ['--port', port, '--name-server-port', '0', '--data', join(directory.path, 'two')]
    await using second = cli('broker', ...options)
    await second.failsWith(new RegExp(`127\\.0\\.0\\.1:${port}`))
  })

  it('leaves with one line when its directory is in use, or cannot be written', async () => {
    using directory = new TemporaryDirectory()
    await using first = cli('broker', ...ANY_PORTS, '--data', directory.path)
    await first.untilServing()
    await using second = cli('broker', ...ANY_PORTS, '--data', directory.path)
    await second.failsWith(new RegExp(directory.path))
    const file = join(directory.path, 'file')
    await writeFile(file, 'in the way')
    await using third = cli('broker', ...ANY_PORTS, '--data', join(file, 'data'))
    await third.failsWith(new RegExp(file))
  })

  it('leaves with one line for an option or a setting that is wrong', async () => {
    using directory = new TemporaryDirectory()
    const file = join(directory.path, 'broker.conf')
    await writeFile(file, 'flushDiskType=SOMETIMES\n')
    const wrong: [RegExp, ...string[]][] = [
      [/unknown option '--prot' \(Did you mean --port\?\)/, '--prot', '1'],
      [/'--port <port>' argument '70000' is invalid/, '--port', '70000'],
      [/cannot be used with option/, '-n', '127.0.0.1:1', '--name-server-port', '1'],
      [/cannot read the configuration: .*missing\.conf/, '-c', 'missing.conf'],
      [/flushDiskType=SOMETIMES/, '-c', file]
    ]
    for (const [message, ...options] of wrong) {
      await using broker = cli('broker', ...options)
      await broker.failsWith(message)
    }
  })

  it('takes a broker.conf of Apache, with warnings for what it does not know', async () => {
    using directory = new TemporaryDirectory()
    const file = join(directory.path, 'broker.conf')
    const data = join(directory.path, 'store')
    await writeFile(file, `listenPort=0\nstorePathRootDir=${data}\nbrokerName=from-file\nflushDiscType=SYNC_FLUSH\n`)
    await using broker = cli('broker', '--name-server-port', '0', '-c', file)
    const { nameServer } = await broker.untilServing()
    assert.ok(broker.stdout.includes(`data          ${data}\n`))
    assert.match(broker.stderr, /^warning: flushDiscType: .* flushDiskType\?\n/)
    await using send = cli('send', '-n', nameServer, '-t', 'Conf', 'x')
    assert.equal(await send.exited(), 0)
    assert.match(send.stdout, / from-file /)
  })

  it('goes on when nobody reads its output any more, and stops cleanly when the terminal is closed', async () => {
    using directory = new TemporaryDirectory()
    await using broker = cli('broker', ...ANY_PORTS, '--data', directory.path)
    const { nameServer } = await broker.untilServing()
    broker.stopReading()
    await using send = cli('send', '-n', nameServer, '-t', 'Unread', 'x')
    assert.equal(await send.exited(), 0, send.stderr)
    assert.equal(await broker.interrupt('SIGHUP'), 0, broker.stderr)
    assert.ok(!existsSync(join(directory.path, 'abort')))
    assert.doesNotMatch(broker.stderr, /Error/)
  })

  it('joins a name server that runs elsewhere', async () => {
    using directory = new TemporaryDirectory()
    await using namesrv = cli('namesrv', '--port', '0')
    const { nameServer } = await namesrv.untilServing()
    await using broker = cli('broker', '--port', '0', '--data', directory.path, '-n', nameServer)
    await broker.untilServing()
    assert.ok(broker.stdout.includes(`name server   ${nameServer} (external)\n`))
    await using send = cli('send', '-n', nameServer, '-t', 'Joined', 'x')
    assert.equal(await send.exited(), 0)
    assert.equal(await broker.interrupt(), 0)
    assert.equal(await namesrv.interrupt(), 0)
    assert.match(namesrv.stdout, /stopped: \d+ connections? closed\n$/)
  })

  it('has a name server that goes on without a reader too, until SIGHUP', async () => {
    await using namesrv = cli('namesrv', '--port', '0')
    await namesrv.untilServing()
    namesrv.stopReading()
    assert.equal(await namesrv.interrupt('SIGHUP'), 0)
    assert.equal(namesrv.stderr, '')
  })
})

describe('rocketmq-native help', () => {
  it('prints the help of commands and of theirs', async () => {
    for (const names of [
      ['help', 'store', 'ls'],
      ['store', 'help', 'ls']
    ]) {
      await using help = cli(...names)
      assert.equal(await help.exited(), 0)
      assert.match(help.stdout, /^Usage: rocketmq-native store ls /)
    }
  })

  it('leaves with one line for commands that do not exist', async () => {
    for (const names of [
      ['help', 'nope'],
      ['store', 'help', 'nope'],
      ['help', 'store', 'nope']
    ]) {
      await using help = cli(...names)
      await help.failsWith(/unknown command 'nope'/)
    }
  })
})

describe('rocketmq-native send and consume', () => {
  const directory = new TemporaryDirectory()
  let broker: Cli
  let nameServer: string
  before(async () => {
    broker = cli('broker', ...ANY_PORTS, '--data', directory.path)
    nameServer = (await broker.untilServing()).nameServer
  })
  after(async () => {
    await broker[Symbol.asyncDispose]()
    directory[Symbol.dispose]()
  })

  it('pass messages on, from the argument and from lines of standard input', async () => {
    await using argument = cli('send', '-n', nameServer, '-t', 'Pass', '--tags', 'A', '--keys', 'k', 'from argument')
    await using input = cli('send', '-n', nameServer, '-t', 'Pass')
    input.stdin.end('line 1\n\nline 2')
    assert.deepEqual([await argument.exited(), await input.exited()], [0, 0])
    assert.match(argument.stdout, /^SEND_OK [0-9A-F]{32} \S+ \d+ \d+\n$/)
    await using consume = cli('consume', '-n', nameServer, '-t', 'Pass', '-g', 'pass', '--from-first', '--count', '3')
    assert.equal(await consume.exited(), 0)
    const bodies = consume.lines.map(line => line.replace(/^\S+ \S+:\d+@\d+ /, ''))
    assert.deepEqual(bodies.toSorted(), ['- line 1', '- line 2', 'A from argument'])
    assert.equal(consume.stderr, 'consumed 3 messages\n')
  })

  it('print JSON with all there is, and go on where the group ended', async () => {
    await using send = cli('send', '-n', nameServer, '-t', 'Json', '--count', '4', '--keys', 'k', 'über')
    assert.equal(await send.exited(), 0)
    const options = ['-n', nameServer, '-t', 'Json', '-g', 'json', '--from-first', '--count', '2', '--json']
    await using first = cli('consume', ...options)
    assert.equal(await first.exited(), 0)
    await using second = cli('consume', ...options)
    assert.equal(await second.exited(), 0)
    const messages = [...first.lines, ...second.lines].map(line => JSON.parse(line) as Record<string, unknown>)
    const sentIds = send.lines.map(line => line.split(' ')[1])
    assert.deepEqual(messages.map(message => message['msgId'] as string).toSorted(), sentIds.toSorted())
    assert.ok(messages.every(({ topic, body }) => topic === 'Json' && body === 'über'))
  })

  it('take the name servers of the environment as all clients do', async () => {
    await using send = new Cli(['send', '-t', 'Environment', 'x'], { NAMESRV_ADDR: `${nameServer};` })
    assert.equal(await send.exited(), 0, send.stderr)
  })

  it('say that the output cannot be written', { skip: !existsSync('/dev/full') && 'no /dev/full here' }, async () => {
    const full = openSync('/dev/full', 'w')
    await using send = new Cli(['send', '-n', nameServer, '-t', 'Full', 'x'], {}, full)
    closeSync(full)
    await send.failsWith(/cannot write the output: ENOSPC/)
  })

  it('leave with one line when no name server answers', async () => {
    await using send = cli('send', '-n', '127.0.0.1:1', '-t', 'Nobody', 'x')
    await send.failsWith(/no name server answers \(127\.0\.0\.1:1: cannot connect.* from the option --name-server:/)
    await using consume = cli('consume', '-n', '127.0.0.1:1', '-t', 'Nobody')
    await consume.failsWith(/no name server answers \(127\.0\.0\.1:1: cannot connect/)
  })
})

describe('rocketmq-native demo', () => {
  it('sends, receives and checks every message on a server of its own', async () => {
    await using demo = cli('demo', '--messages', '20000', '--bytes', '100', '--window', '256', '--consumers', '3')
    assert.equal(await demo.exited(), 0, demo.stderr)
    assert.match(demo.stdout, /sent {7}20,000 in .* messages\/s/)
    assert.match(demo.stdout, /a send {5}p50 .* p99 .* p99\.9 .* max /)
    assert.match(
      demo.stdout,
      /OK: 20,000 messages sent, each of them received, every checksum right, \d+ duplicates?\n$/
    )
  })

  it('takes the largest bodies that a broker takes', async () => {
    await using demo = cli('demo', '--messages', '8', '--bytes', '4194304', '--window', '4')
    assert.equal(await demo.exited(), 0, demo.stderr)
    assert.match(demo.stdout, /OK: 8 messages sent/)
  })

  it('leaves quietly with its reader, and takes its directory with it', async () => {
    using directory = new TemporaryDirectory()
    await using demo = new Cli(['demo', '--messages', '100000000'], { TMPDIR: directory.path })
    await demo.untilPrinted(/received [1-9]/)
    demo.stopReading()
    assert.equal(await demo.exited(), 0)
    assert.equal(demo.stderr, '')
    assert.deepEqual(readdirSync(directory.path), [])
  })

  it('stops at Ctrl-C and takes its directory with it', async () => {
    using directory = new TemporaryDirectory()
    await using demo = new Cli(['demo', '--messages', '100000000'], { TMPDIR: directory.path })
    await demo.untilPrinted(/received [1-9]/)
    assert.equal(await demo.interrupt(), 1)
    assert.match(demo.stdout, /interrupted: [\d,]+ messages sent, [\d,]+ messages received\n$/)
    assert.deepEqual(readdirSync(directory.path), [])
  })
})

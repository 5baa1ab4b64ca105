/** Servers in this process: their directories, ports, settings, and what survives them. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { inspect } from 'node:util'
import { Broker, NameServer, startServer } from '../../ts/index.js'
import { NativeServer } from '../interop/helpers/native-server.js'
import { TemporaryDirectory } from '../interop/helpers/owned.js'
import { until } from '../interop/helpers/until.js'
import { heldIn, onLinux } from './helpers/held-files.js'
import { TestConsumer, numbered, sendTexts, startProducer, queuesOf } from './helpers/clients.js'

const portOf = (address: string): number => Number(address.slice(address.lastIndexOf(':') + 1))

describe('startServer', () => {
  it('keeps its data in a directory that is gone after shutdown', async () => {
    const server = await startServer()
    await using producer = await startProducer(server)
    await sendTexts(producer, 'Gone', ['soon'])
    await producer.shutdown()
    assert.ok(existsSync(join(server.dataDir, 'commitlog')))
    const summary = await server.shutdown()
    assert.equal(summary.messagesPut, 1)
    assert.ok(!existsSync(server.dataDir))
    assert.equal(await server.shutdown(), summary)
  })

  it('holds no file after shutdown, whoever still has it', onLinux, async () => {
    const server = await startServer()
    await using producer = await startProducer(server)
    await sendTexts(producer, 'Held', numbered('m', 20))
    {
      await using consumer = await TestConsumer.start(server, { topic: 'Held' })
      await consumer.untilReceived(20)
    }
    assert.notDeepEqual(heldIn(server.dataDir), [])
    await server.shutdown()
    assert.deepEqual(heldIn(server.dataDir), [])
    assert.ok(server.brokerAddress)
  })

  it('finds messages, topics and offsets again in a directory that was given', async () => {
    using directory = new TemporaryDirectory()
    const topic = 'Kept'
    {
      await using server = await startServer({ dataDir: directory.path })
      await using producer = await startProducer(server)
      await sendTexts(producer, topic, numbered('m', 20))
      await using consumer = await TestConsumer.start(server, { topic })
      await consumer.untilReceived(20)
    }
    await using server = await startServer({ dataDir: directory.path })
    await using old = await TestConsumer.start(server, { topic })
    await using fresh = await TestConsumer.start(server, { topic, consumerGroup: 'fresh' })
    await fresh.untilReceived(20)
    await using producer = await startProducer(server)
    await sendTexts(producer, topic, numbered('m', 4, 20))
    await old.untilReceived(4)
    await fresh.untilReceived(24)
    assert.deepEqual(old.bodies, numbered('m', 4, 20))
    assert.deepEqual(fresh.bodies, numbered('m', 24))
  })

  it('tells how far the recovery of its store is', async () => {
    using directory = new TemporaryDirectory()
    await using killed = await NativeServer.start({ storeDirectory: directory.path })
    await using producer = await startProducer({ nameServerAddress: killed.nameServer })
    await sendTexts(producer, 'Recovered', ['x'])
    await producer.shutdown()
    await killed.process.kill()
    const phases: string[] = []
    const server = await startServer({ dataDir: directory.path, onRecovery: ({ phase }) => phases.push(phase) })
    await until('it is told', () => phases.includes('commitLog'))
    await server.shutdown()
  })

  it('is one world each: two servers in a process do not see each other', async () => {
    await using one = await startServer()
    await using two = await startServer()
    const topic = 'Worlds'
    await using toOne = await startProducer(one)
    await using toTwo = await startProducer(two)
    await sendTexts(toOne, topic, ['one'])
    await sendTexts(toTwo, topic, ['two'])
    await using fromOne = await TestConsumer.start(one, { topic })
    await using fromTwo = await TestConsumer.start(two, { topic })
    await Promise.all([fromOne.untilReceived(1), fromTwo.untilReceived(1)])
    assert.deepEqual([fromOne.bodies, fromTwo.bodies], [['one'], ['two']])
  })

  it('registers with a name server that is there already', async () => {
    await using nameServer = await NameServer.start({ port: 0 })
    await using server = await startServer({ nameServers: [nameServer.address] })
    assert.equal(server.nameServerAddress, nameServer.address)
    assert.equal(server.hasNameServer, false)
    await using producer = await startProducer(server)
    await sendTexts(producer, 'Joined', ['x'])
  })

  it('says that a port is taken, and leaves nothing behind', async () => {
    await using first = await startServer()
    const port = portOf(first.brokerAddress)
    await assert.rejects(startServer({ port }), error => {
      assert.equal((error as { code?: string }).code, 'RMQ_SERVER')
      assert.match((error as Error).message, new RegExp(`127\\.0\\.0\\.1:${port}`))
      return true
    })
    await assert.rejects(startServer({ nameServerPort: portOf(first.nameServerAddress) }), { code: 'RMQ_SERVER' })
  })

  it('says that a directory is in use by another server', async () => {
    using directory = new TemporaryDirectory()
    await using first = await startServer({ dataDir: directory.path })
    await assert.rejects(startServer({ dataDir: first.dataDir }), error => {
      assert.equal((error as { code?: string }).code, 'RMQ_SERVER')
      assert.ok((error as Error).message.includes(directory.path))
      return true
    })
  })

  it('says that a directory cannot be written', async () => {
    using directory = new TemporaryDirectory()
    const file = join(directory.path, 'file')
    await writeFile(file, 'in the way')
    await assert.rejects(startServer({ dataDir: join(file, 'data') }), { code: 'RMQ_SERVER' })
  })

  it('frees its ports and its directory when an `await using` block ends', async () => {
    using directory = new TemporaryDirectory()
    const ports = { port: 0, nameServerPort: 0 }
    {
      await using server = await startServer({ dataDir: directory.path })
      ports.port = portOf(server.brokerAddress)
      ports.nameServerPort = portOf(server.nameServerAddress)
    }
    await using again = await startServer({ dataDir: directory.path, ...ports })
    assert.equal(portOf(again.brokerAddress), ports.port)
  })

  it('takes a broker.conf of Apache, warns of unknown keys, and lets options win', async () => {
    using directory = new TemporaryDirectory()
    await using server = await startServer({
      dataDir: directory.path,
      configText: `brokerName=conf-broker\nstorePathRootDir=/nowhere\nlistenPorts=1\ndefaultTopicQueueNums=3\n`,
      config: { brokerName: 'option-broker' }
    })
    assert.equal(server.dataDir, directory.path)
    assert.deepEqual(server.warnings, ['listenPorts: no such setting; did you mean listenPort?'])
    await using producer = await startProducer(server, { defaultTopicQueueNums: 16 })
    const { messageQueue } = await producer.send({ topic: 'Conf', body: 'x' })
    assert.equal(messageQueue.brokerName, 'option-broker')
    assert.equal((await queuesOf(producer, 'Conf')).length, 3)
  })

  it('refuses sends above the given use of the disk as Apache does, and takes them with 100', async () => {
    {
      await using server = await startServer({ config: { diskFullRatio: 1 } })
      await using producer = await startProducer(server)
      await assert.rejects(sendTexts(producer, 'Full', ['no']), /disk/)
    }
    await using server = await startServer({ config: { diskFullRatio: 100 } })
    await using producer = await startProducer(server)
    await sendTexts(producer, 'Full', ['yes'])
  })

  it('refuses settings that it could not honour', async () => {
    await assert.rejects(startServer({ config: { brokerRole: 'SLAVE' } }), /brokerRole=SLAVE is not supported/)
    await assert.rejects(startServer({ config: { listenPort: 'many' } }), /listenPort=many/)
  })
})

describe('the options of servers', () => {
  const wrong: [object | null, RegExp][] = [
    [null, /the options of startServer must be an object, not null/],
    [{ portt: 1 }, /startServer has no option portt; did you mean port\?/],
    [{ port: 1.5 }, /option port must be a whole number/],
    [{ nameServerPort: 1.5 }, /option nameServerPort must be a whole number, not 1\.5/],
    [{ nameServerPort: 2 ** 32 + 5 }, /option nameServerPort must be between 0 and 65535/],
    [{ nameServerPort: -1 }, /option nameServerPort must be between/],
    [{ nameServerPort: NaN }, /option nameServerPort must be a whole number/],
    [{ nameServerPort: null }, /option nameServerPort must be a whole number/],
    [{ nameServerPort: '0' }, /option nameServerPort must be a whole number, not "0"/],
    [{ host: 'not-an-ip' }, /option host must be an IP address/],
    [{ dataDir: 5 }, /option dataDir must be a directory/],
    [{ dataDir: null }, /option dataDir must be a directory/],
    [{ dataDir: ' x' }, /option dataDir must be a directory, with no blanks around it, not " x"/],
    [{ advertise: 5 }, /option advertise must be a host name/],
    [{ advertise: 'a b' }, /option advertise must be a host name or an IP address, not "a b"/],
    [{ advertise: null }, /option advertise must be a host name/],
    [{ nameServers: '127.0.0.1:1' }, /option nameServers must be a list of host:port, not "127\.0\.0\.1:1"/],
    [{ nameServers: null }, /option nameServers must be a list/],
    [{ nameServers: [5] }, /option nameServers must be a list/],
    [{ nameServers: ['x'] }, /option nameServers must name servers as host:port, not "x"/],
    [{ nameServers: ['a:b'] }, /option nameServers must name servers as host:port, not "a:b"/],
    [{ config: null }, /option config must be an object/],
    [{ config: { listenPort: {} } }, /option config must have texts, .* not object for listenPort/],
    [{ configText: {} }, /option configText must be a text/],
    [{ configText: null }, /option configText must be a text/],
    [{ onEvent: 5 }, /option onEvent must be a function, not 5/],
    [{ onRecovery: 'x' }, /option onRecovery must be a function/]
  ]
  it('are refused, by their names, when they are unknown or wrong', async () => {
    for (const [options, message] of wrong) {
      await assert.rejects(startServer(options as object), { code: 'RMQ_CONFIG', message }, inspect(options))
    }
  })

  it('are checked for a name server or a broker alone too', async () => {
    const names: [object | null, RegExp][] = [
      [null, /the options of NameServer must be an object/],
      [{ prt: 0 }, /NameServer has no option prt; did you mean port\?/],
      [{ port: 70_000 }, /option port must be between 0 and 65535, not 70000/],
      [{ port: 0, host: 'x' }, /option host must be an IP address to listen on, not "x"/]
    ]
    for (const [options, message] of names) {
      await assert.rejects(NameServer.start(options as object), { code: 'RMQ_CONFIG', message }, inspect(options))
    }
    const port = { port: 0 } as object
    await assert.rejects(Broker.start(port), { code: 'RMQ_CONFIG', message: /Broker has no option port/ })
    await assert.rejects(Broker.start({ configText: 5 } as object), { code: 'RMQ_CONFIG', message: /configText/ })
  })
})

describe('a server that is restarted under its clients', () => {
  it('is used again by the producer and the consumer that were there before', async () => {
    using directory = new TemporaryDirectory()
    const topic = 'Restart'
    const options = { dataDir: directory.path, port: 0, nameServerPort: 0 }
    let server = await startServer(options)
    try {
      options.port = portOf(server.brokerAddress)
      options.nameServerPort = portOf(server.nameServerAddress)
      const quiet = { onError: () => undefined }
      await using producer = await startProducer(server, quiet)
      await using consumer = await TestConsumer.start(server, { topic, ...quiet })
      await sendTexts(producer, topic, numbered('before', 10))
      await consumer.untilReceived(10)
      await server.shutdown()
      await assert.rejects(producer.send({ topic, body: 'into the void' }, { timeoutMs: 300 }))
      server = await startServer(options)
      await until('a send succeeds', async () => Boolean(await producer.send({ topic, body: 'after0000' })))
      await sendTexts(producer, topic, numbered('after', 9, 1))
      await until('all are received', () => new Set(consumer.bodies).size >= 20, { everyMs: 5 })
      assert.deepEqual([...new Set(consumer.bodies)], [...numbered('after', 10), ...numbered('before', 10)])
    } finally {
      await server.shutdown()
    }
  })
})

/** Programs that end by themselves: after `shutdown()` no timer, socket or thread keeps a process alive. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { repositoryRoot } from '../interop/helpers/repository.js'
import { recordsAt } from '../unit/helpers/records.js'
import { FakeCluster, reply, stored } from './helpers/fake-server.js'

const PROLOGUE = `
const { Producer, PushConsumer } = require(${JSON.stringify(join(repositoryRoot, 'dist', 'index.js'))})
const [namesrvAddr] = process.argv.slice(1)
const message = { topic: 'T', body: 'b' }
async function started(options) {
  const producer = new Producer({ namesrvAddr, producerGroup: 'g', onError: () => undefined, ...options })
  await producer.start()
  return producer
}
`

/** Runs a program in a process of its own; resolves when that ends by itself, with what it printed. */
async function run(nameServer: string, program: string): Promise<string> {
  const source = `${PROLOGUE};(async () => {${program}})().catch(error => { console.error(error); process.exitCode = 1 })`
  const child = spawn(process.execPath, ['-e', source, nameServer], { stdio: ['ignore', 'pipe', 'pipe'] })
  let printed = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (printed += text))
  }
  try {
    const [code, signal] = await once(child, 'close', { signal: AbortSignal.timeout(60_000) })
    assert.deepEqual([code, signal], [0, null], printed)
    return printed
  } finally {
    child.kill('SIGKILL')
  }
}

describe('a process ends by itself', () => {
  it('with a server that nobody shut down: its temporary directory goes with it', async () => {
    const printed = await run(
      '',
      `const { startServer } = require(${JSON.stringify(join(repositoryRoot, 'dist', 'index.js'))})
       const server = await startServer()
       console.log(server.dataDir)
       process.exit()`
    )
    assert.match(printed, /rocketmq-native-/)
    assert.equal(existsSync(printed.trim()), false)
  })

  it('after the shutdown of a producer that used all there is', async () => {
    await using cluster = await FakeCluster.start('a', 'b')
    const printed = await run(
      cluster.nameServerAddress,
      `const producer = await started({ sendLatencyFaultEnable: true, startDetectorEnable: true })
       await producer.send({ topic: 'T', body: Buffer.alloc(100000) })
       await producer.sendOneway(message)
       await producer.sendBatch([message, message])
       await new Promise(resolve => producer.send(message, resolve))
       await producer.shutdown()
       console.log('done')`
    )
    assert.equal(printed, 'done\n')
  })

  it('after a shutdown while sends wait for answers that never come: their promises settle first', async () => {
    await using cluster = await FakeCluster.start('a')
    cluster.onSend = () => undefined
    const printed = await run(
      cluster.nameServerAddress,
      `const producer = await started({ sendMsgTimeout: 300 })
       const sends = [producer.send(message), producer.send(message)]
       await Promise.all([producer.shutdown(), ...sends.map(send => send.catch(error => console.log(error.code)))])`
    )
    assert.equal(printed, 'RMQ_SEND\nRMQ_SEND\n')
  })

  it('after a shutdown whose wait is ended by a signal', async () => {
    await using cluster = await FakeCluster.start('a')
    cluster.onSend = () => undefined
    const printed = await run(
      cluster.nameServerAddress,
      `const producer = await started({ sendMsgTimeout: 1000000000 })
       const status = producer.status()
       const send = producer.send(message).catch(error => console.log(error.code))
       for await (const event of status) if (event.type === 'routeChange') break
       await producer.shutdown({ signal: AbortSignal.abort() })
       await send`
    )
    assert.equal(printed, 'RMQ_STATE\n')
  })

  it('after the shutdown of a producer whose brokers are gone', async () => {
    const cluster = await FakeCluster.start('a')
    cluster.onSend = ({ request, socket }) => {
      socket.write(stored(request))
      for (const server of cluster.servers) void server[Symbol.asyncDispose]()
    }
    const printed = await run(
      cluster.nameServerAddress,
      `const producer = await started({})
       console.log((await producer.send(message)).sendStatus)
       console.log(await producer.send(message).then(() => 'sent', error => error.code))
       await producer.shutdown()`
    )
    assert.equal(printed, 'SEND_OK\nRMQ_SEND\n')
  })

  it('after a shutdown of a consumer whose wait for the listener is ended by a signal', async t => {
    await using cluster = await FakeCluster.start('a')
    const localOffsetStoreDir = mkdtempSync(join(tmpdir(), 'offsets-'))
    t.after(() => rmSync(localOffsetStoreDir, { recursive: true }))
    cluster.scripts.set(11, (request, socket) => {
      if (request.extFields['queueOffset'] !== '0') return
      const extFields = { suggestWhichBrokerId: '0', nextBeginOffset: '1', minOffset: '0', maxOffset: '1' }
      socket.write(reply(request, { extFields, body: recordsAt([0]) }))
    })
    const printed = await run(
      cluster.nameServerAddress,
      `const consumer = new PushConsumer({
         namesrvAddr,
         consumerGroup: 'g',
         messageModel: 'BROADCASTING',
         localOffsetStoreDir: ${JSON.stringify(localOffsetStoreDir)},
         awaitTerminationMillisWhenShutdown: 1000000000
       })
       consumer.subscribe('T')
       const called = new Promise(resolve => {
         consumer.registerMessageListener(() => {
           resolve()
           return new Promise(() => undefined)
         })
       })
       await consumer.start()
       await called
       await consumer.shutdown({ signal: AbortSignal.abort() })
       console.log(consumer.state)`
    )
    assert.equal(printed, 'SHUTDOWN_ALREADY\n')
  })
})

import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { describe, it } from 'node:test'
import { CLIENT_OPTIONS } from '../../../ts/client/client-config.js'
import { LocalFileOffsetStore } from '../../../ts/consumer/local-file-offset-store.js'
import { RemoteBrokerOffsetStore } from '../../../ts/consumer/offset-store.js'
import { MessageQueue } from '../../../ts/message/message-queue.js'
import { readOptions } from '../../../ts/options.js'
import { FakeRemoting, registryOf, settle } from '../helpers/fake-remoting.js'

const MQ = new MessageQueue('T', 'a', 1)
const OTHER = new MessageQueue('T', 'a', 2)

function temporaryDirectory(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'offsets-'))
  t.after(() => rmSync(directory, { recursive: true }))
  return directory
}

function load(directory: string): Promise<LocalFileOffsetStore> {
  return LocalFileOffsetStore.load(directory, error => assert.fail(error))
}

function remote(): { store: RemoteBrokerOffsetStore; remoting: FakeRemoting; reports: string[] } {
  const remoting = new FakeRemoting()
  remoting.route({ T: { a: 4 } })
  const reports: string[] = []
  const instance = registryOf(remoting).getOrCreate(readOptions('X', CLIENT_OPTIONS, { namesrvAddr: 'n:1' }), true)
  return {
    store: new RemoteBrokerOffsetStore(instance, 'cg', (_error, doing) => reports.push(doing)),
    remoting,
    reports
  }
}

describe('offsets in memory', () => {
  it('only grow when that is asked for, and stay when they are frozen', () => {
    const { store } = remote()
    assert.equal(store.readFromMemory(MQ), -1)
    store.update(MQ, 10, true)
    store.update(MQ, 8, true)
    assert.equal(store.readFromMemory(MQ), 10)
    store.update(MQ, 8, false)
    assert.equal(store.readFromMemory(MQ), 8)
    store.updateAndFreeze(MQ, 3)
    store.update(MQ, 20, true)
    store.update(MQ, 20, false)
    assert.equal(store.readFromMemory(MQ), 3)
    store.remove(MQ)
    store.update(MQ, 20, true)
    assert.equal(store.readFromMemory(MQ), 20)
  })
})

describe('offsets on the broker', () => {
  it('are read through, and -1 when the broker has none', async () => {
    const { store, remoting } = remote()
    remoting.answers.set(14, ({ extFields }) =>
      extFields['queueId'] === 1 ? { extFields: { offset: '12' } } : { code: 22 }
    )
    assert.equal(await store.readFromStore(MQ), 12)
    assert.equal(store.readFromMemory(MQ), 12)
    assert.equal(await store.readFromStore(OTHER), -1)
    assert.equal(store.readFromMemory(OTHER), -1)
  })

  it('are stored oneway; those of queues that are not ours any more are forgotten', async () => {
    const { store, remoting, reports } = remote()
    store.update(MQ, 5, true)
    store.persist(MQ)
    assert.deepEqual(reports, [`storing the offset of ${MQ.toString()}`])
    remoting.answers.set(14, () => ({ code: 22 }))
    await store.readFromStore(OTHER)
    store.update(OTHER, 6, true)
    store.persistAll(new Set([MQ.key]))
    assert.deepEqual(
      remoting.oneways.map(({ code, extFields }) => [code, extFields]),
      [[15, { consumerGroup: 'cg', topic: 'T', queueId: 1, bname: 'a', commitOffset: 5 }]]
    )
    assert.equal(store.readFromMemory(OTHER), -1)
  })

  it('are stored with an answer at the end, and a broker that refuses is reported', async () => {
    const { store, remoting, reports } = remote()
    remoting.answers.set(14, () => ({ code: 22 }))
    await store.readFromStore(OTHER)
    store.update(MQ, 5, true)
    store.update(OTHER, 6, true)
    const stored: unknown[] = []
    remoting.answers.set(15, ({ extFields }) => {
      stored.push([extFields['queueId'], extFields['commitOffset']])
      return extFields['queueId'] === 1 ? {} : { code: 16, remark: 'no permission' }
    })
    await store.flush(new Set([MQ.key, OTHER.key]))
    assert.deepEqual(stored, [
      [1, 5],
      [2, 6]
    ])
    assert.deepEqual(remoting.oneways, [])
    assert.deepEqual(reports, [`storing the offset of ${OTHER.toString()}`])
  })

  it('are stored at the end with one of each topic and broker ahead, since brokers lose first ones that come at once', async () => {
    const { store, remoting } = remote()
    remoting.route({ T: { a: 4, b: 4 } })
    remoting.answers.set(14, () => ({ code: 22 }))
    const queues = ['a', 'b'].flatMap(brokerName =>
      [0, 1, 2].map(queueId => new MessageQueue('T', brokerName, queueId))
    )
    for (const mq of queues) {
      await store.readFromStore(mq)
      store.update(mq, 5, true)
    }
    const underWay: (() => void)[] = []
    const asked: string[] = []
    remoting.answers.set(15, ({ address, extFields }) => {
      asked.push(`${address} ${extFields['queueId']}`)
      return new Promise(resolve => underWay.push(() => resolve({})))
    })
    const flushed = store.flush(new Set(queues.map(mq => mq.key)))
    await settle()
    assert.deepEqual(asked.splice(0), ['a:10911 0', 'b:10911 0'])
    underWay[1]!()
    await settle()
    assert.deepEqual(asked.splice(0), ['b:10911 1', 'b:10911 2'])
    underWay[0]!()
    await settle()
    assert.deepEqual(asked, ['a:10911 1', 'a:10911 2'])
    for (const answer of underWay) answer()
    await flushed
  })
})

describe('offsets in a file', () => {
  it('survive, with the file before as a backup', async t => {
    const directory = temporaryDirectory(t)
    const first = await load(directory)
    assert.equal(await first.readFromStore(MQ), -1)
    first.update(MQ, 5, true)
    first.update(OTHER, 9, true)
    await first.flush(new Set([MQ.key, OTHER.key]))
    first.update(MQ, 7, true)
    await first.flush(new Set([MQ.key, OTHER.key]))
    const second = await load(directory)
    assert.equal(await second.readFromStore(MQ), 7)
    assert.equal(await second.readFromStore(OTHER), 9)
    assert.match(readFileSync(join(directory, 'offsets.json.bak'), 'utf8'), /"queueId":1,"topic":"T"\}:5/)
  })

  it('are read as Java writes them', async t => {
    const directory = temporaryDirectory(t)
    const java =
      '{\n\t"offsetTable":{{\n\t\t\t"brokerName":"a",\n\t\t\t"queueId":1,\n\t\t\t"topic":"T"\n\t\t}:41\n\t}\n}'
    writeFileSync(join(directory, 'offsets.json'), java)
    assert.equal(await (await load(directory)).readFromStore(MQ), 41)
  })

  it('come from the backup when the file is damaged, and fail loudly when that is, too', async t => {
    const directory = temporaryDirectory(t)
    writeFileSync(join(directory, 'offsets.json'), '{"off')
    await assert.rejects(load(directory), { code: 'RMQ_PROTOCOL' })
    writeFileSync(join(directory, 'offsets.json.bak'), '{"offsetTable":{{"brokerName":"a","queueId":1,"topic":"T"}:3}}')
    assert.equal(await (await load(directory)).readFromStore(MQ), 3)
  })
})

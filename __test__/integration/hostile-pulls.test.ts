/** A consumer through real connections to a broker whose answers to pulls are wrong: no offset is lost, and no message. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ProtocolError, PushConsumer, compressBody, decodeRecord, encodeRecord } from '../../ts/index.js'
import type { NativeFrame } from '../../ts/native.js'
import { recordsAt } from '../unit/helpers/records.js'
import { until } from '../interop/helpers/until.js'
import { FakeCluster, reply } from './helpers/fake-server.js'

const FIRST_OFFSET = 100

/** A consumer of the topic `T`, both queues from offset 100; `onPull` answers the pulls of queue 0, the others are held. */
async function setUp(onPull: (request: NativeFrame, count: number) => Buffer | undefined) {
  const cluster = await FakeCluster.start('a')
  const reports: { error: Error; doing: string }[] = []
  const bodies: string[] = []
  const consumer = new PushConsumer({
    namesrvAddr: cluster.nameServerAddress,
    consumerGroup: 'cg',
    pullTimeDelayMillsWhenException: 5,
    onError: (error, doing) => reports.push({ error, doing })
  })
  consumer.subscribe('T')
  consumer.registerMessageListener(messages => void bodies.push(...messages.map(message => message.body.toString())))
  const pulls: NativeFrame[] = []
  const { scripts } = cluster
  scripts.set(38, (request, socket) =>
    socket.write(reply(request, { body: Buffer.from(JSON.stringify({ consumerIdList: [consumer.clientId] })) }))
  )
  scripts.set(14, (request, socket) => socket.write(reply(request, { extFields: { offset: String(FIRST_OFFSET) } })))
  scripts.set(11, (request, socket) => {
    if (!ofQueue0(request)) return
    pulls.push(request)
    const answer = onPull(request, pulls.length)
    if (answer !== undefined) socket.write(answer)
  })
  await consumer.start()
  return {
    cluster,
    reports,
    bodies,
    pulls,
    consumer,
    /** Offsets of queue 0 that the broker was given. */
    committed: () => cluster.requests.filter(request => request.code === 15 && ofQueue0(request)).map(offsetToCommit),
    async [Symbol.asyncDispose]() {
      await consumer.shutdown()
      await cluster[Symbol.asyncDispose]()
    }
  }
}

function ofQueue0({ extFields }: NativeFrame): boolean {
  return extFields['topic'] === 'T' && extFields['queueId'] === '0'
}

function offsetToCommit({ extFields }: NativeFrame): string | undefined {
  return extFields['commitOffset']
}

function found(request: NativeFrame, records: readonly Buffer[]): Buffer {
  const next = String(FIRST_OFFSET + records.length)
  const extFields = { suggestWhichBrokerId: '0', nextBeginOffset: next, minOffset: '0', maxOffset: next }
  return reply(request, { extFields, body: Buffer.concat(records) })
}

/** The record of a message at an offset of queue 0; in the commit log it lies at the same offset. */
function record(offset: number, body: string | Buffer, sysFlag = 0): Buffer {
  const fields = decodeRecord(recordsAt([offset]))
  return encodeRecord({ ...fields, topic: 'T', queueId: 0, physicalOffset: offset, sysFlag, body: Buffer.from(body) })
}

describe('a consumer whose broker answers a pull', () => {
  for (const code of [0, 19, 20, 21]) {
    it(`with ${code} but without offsets reports that, and asks for the same offset again`, async () => {
      await using setting = await setUp((request, count) => (count <= 2 ? reply(request, { code }) : undefined))
      const { consumer, pulls, reports, committed } = setting
      await until('it has asked again, twice', () => pulls.length >= 3, { everyMs: 5 })
      await consumer.shutdown()
      assert.deepEqual(
        pulls.map(({ extFields }) => extFields['queueOffset']),
        ['100', '100', '100']
      )
      assert.equal(reports.length, 2)
      assert.ok(reports[0]!.error instanceof ProtocolError)
      assert.match(
        reports[0]!.error.message,
        new RegExp(`answered a pull with code ${code}, but not with .*nextBeginOffset`)
      )
      assert.deepEqual(
        committed().filter(offset => offset !== '100'),
        []
      )
    })
  }

  it('with bodies that do not inflate gets the others, and makes dead letters of those', async () => {
    const text = compressBody('ZLIB', Buffer.from('compressed'))
    await using setting = await setUp((request, count) => {
      const records = [
        record(100, 'before'),
        record(101, 'no zlib', 0x301),
        record(102, text, 0x301),
        record(103, text, 0x701),
        record(104, 'behind')
      ]
      return count === 1 ? found(request, records) : undefined
    })
    const { cluster, consumer, pulls, reports, bodies, committed } = setting
    const givenBack = (): NativeFrame[] => cluster.requests.filter(request => request.code === 36)
    await until('all are dealt with', () => pulls.length >= 2 && givenBack().length >= 2, { everyMs: 5 })
    await consumer.shutdown()
    assert.equal(committed().at(-1), '105')
    assert.deepEqual(bodies, ['before', 'compressed', 'behind'])
    assert.equal(pulls[1]?.extFields['queueOffset'], '105')
    assert.deepEqual(
      givenBack().map(({ extFields }) => [extFields['offset'], extFields['delayLevel']]),
      [
        ['101', '-1'],
        ['103', '-1']
      ]
    )
    const [report, ...others] = reports
    assert.deepEqual(others, [])
    assert.ok(report!.error instanceof ProtocolError)
    assert.match(
      report!.error.message,
      /topic=T, brokerName=a, queueId=0\] .*101: malformed Zlib data: .*; 103: unknown compression type 7 in the sysFlag$/
    )
  })
})

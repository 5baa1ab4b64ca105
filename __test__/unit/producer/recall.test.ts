import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { BrokerError, InvalidArgumentError, NotSupportedError } from '../../../ts/errors.js'
import { Producer } from '../../../ts/producer/producer.js'
import { decodeRecallHandle } from '../../../ts/producer/recall.js'
import { FakeRemoting, registryOf } from '../helpers/fake-remoting.js'

const RECALL_MESSAGE = 370
const handleOf = (text: string): string => {
  const handle = Buffer.from(text).toString('base64url')
  return handle + '='.repeat((4 - (handle.length % 4)) % 4)
}
const HANDLE = handleOf('v1 T a 1700000000001 ID1')

async function setUp() {
  const remoting = new FakeRemoting()
  remoting.route({ T: { a: 1, b: 1 } })
  remoting.answers.set(RECALL_MESSAGE, () => ({ extFields: { msgId: 'ID1' } }))
  const producer = new Producer({ namesrvAddr: '127.0.0.1:9876', producerGroup: 'pg' }, registryOf(remoting))
  await producer.start()
  return { remoting, producer }
}

describe('recallMessage', () => {
  it('asks the broker that the handle names', async () => {
    const { remoting, producer } = await setUp()
    for (let turn = 0; turn < 10; turn++) assert.equal(await producer.recallMessage('T', HANDLE), 'ID1')
    const requests = remoting.requestsOf(RECALL_MESSAGE)
    assert.deepEqual(new Set(requests.map(({ address }) => address)), new Set(['a:10911']))
    const [request] = requests
    assert.deepEqual(request!.extFields, { producerGroup: 'pg', topic: 'T', recallHandle: HANDLE, bname: 'a' })
    await producer.shutdown()
  })

  it('asks any broker of the topic when that one is not known', async () => {
    const { remoting, producer } = await setUp()
    await producer.recallMessage('T', handleOf('v1 T gone 1700000000001 ID1'))
    assert.match(remoting.requestsOf(RECALL_MESSAGE)[0]!.address, /^[ab]:10911$/)
    await producer.shutdown()
  })

  it('refuses what is no handle, and topics nothing is recalled from', async () => {
    const { producer } = await setUp()
    for (const handle of ['', '*', HANDLE.slice(0, 9), handleOf('v2 T a 1 ID'), handleOf('v1 T a 1')]) {
      await assert.rejects(producer.recallMessage('T', handle), /recall handle .* is invalid/)
    }
    await assert.rejects(producer.recallMessage('%RETRY%cg', HANDLE), InvalidArgumentError)
    await producer.shutdown()
  })

  it('tells a broker that cannot recall from one that will not', async () => {
    const { remoting, producer } = await setUp()
    remoting.answers.set(RECALL_MESSAGE, () => ({ code: 3, remark: ' request type 370 not supported' }))
    await assert.rejects(producer.recallMessage('T', HANDLE), NotSupportedError)
    remoting.answers.set(RECALL_MESSAGE, () => ({ code: 604, remark: 'recall failed, timestamp invalid' }))
    await assert.rejects(producer.recallMessage('T', HANDLE), (error: Error) => {
      return error instanceof BrokerError && error.responseCode === 604 && /timestamp invalid/.test(error.message)
    })
    await producer.shutdown()
  })
})

describe('a recall handle', () => {
  it("is read as Java's RecallMessageHandle does", () => {
    assert.deepEqual(decodeRecallHandle(HANDLE), {
      topic: 'T',
      brokerName: 'a',
      timestampMs: 1_700_000_000_001,
      messageId: 'ID1'
    })
  })
})

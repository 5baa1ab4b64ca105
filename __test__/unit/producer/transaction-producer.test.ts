import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ConfigError, NotSupportedError } from '../../../ts/errors.js'
import { compressBody } from '../../../ts/message/compression.js'
import type { Message } from '../../../ts/message/message.js'
import type { MessageExt } from '../../../ts/message/message-ext.js'
import { decodeProperties, encodeProperty } from '../../../ts/message/properties.js'
import { encodeRecord } from '../../../ts/message/record.js'
import { TransactionProducer } from '../../../ts/producer/transaction-producer.js'
import type { TransactionProducerOptions } from '../../../ts/producer/transaction-options.js'
import type { LocalTransactionState } from '../../../ts/producer/transaction-types.js'
import type { FakeSend } from '../helpers/fake-remoting.js'
import { FakeRemoting, registryOf, settle } from '../helpers/fake-remoting.js'

const END_TRANSACTION = 37
const CHECK_TRANSACTION_STATE = 39
/** Commit-log offset 0x1234. */
const OFFSET_ID = '0A00000100002A9F0000000000001234'
const MESSAGE = { topic: 'T', body: 'b', keys: 'order-1' }

const unknown = { checkLocalTransaction: () => 'UNKNOW' as const }
const commit = () => 'COMMIT_MESSAGE' as const
const never = () => assert.fail('no local transaction may run')

function answered(code: number) {
  return (send: FakeSend): void => send.pending.onSent(code, send.template.queueId, 7, 0, OFFSET_ID, true, undefined)
}

function refuse(send: FakeSend): void {
  send.pending.onResponse({ code: 3, version: 0, remark: 'no transactions', extFields: {}, body: Buffer.alloc(0) })
}

const make = (options: object) => () =>
  new TransactionProducer({ producerGroup: 'pg', transactionListener: unknown, ...options })

async function setUp(options: Partial<TransactionProducerOptions> = {}, onSend = answered(0)) {
  const remoting = new FakeRemoting()
  remoting.route({ T: { a: 1 } })
  remoting.onSend = onSend
  const errors: Error[] = []
  const producer = new TransactionProducer(
    {
      namesrvAddr: '127.0.0.1:9876',
      producerGroup: 'pg',
      transactionListener: unknown,
      onError: error => errors.push(error),
      ...options
    },
    registryOf(remoting)
  )
  await producer.start()
  const ends = () => remoting.oneways.filter(({ code }) => code === END_TRANSACTION)
  return { remoting, producer, errors, ends }
}

/** A check-back as a broker makes it. */
function checkOf(id: string, record: { sysFlag?: number; body?: Buffer; group?: string; topic?: string } = {}) {
  const properties = { TRAN_MSG: 'true', PGROUP: record.group ?? 'pg', UNIQ_KEY: id, KEYS: `key-${id}` }
  return {
    code: CHECK_TRANSACTION_STATE,
    version: 513,
    remark: undefined,
    extFields: {
      topic: 'RMQ_SYS_TRANS_HALF_TOPIC',
      tranStateTableOffset: '9',
      commitLogOffset: '900',
      transactionId: id,
      bname: 'a'
    },
    body: encodeRecord({
      topic: record.topic ?? 'T',
      queueId: 0,
      flag: 0,
      queueOffset: 9,
      physicalOffset: 900,
      sysFlag: record.sysFlag ?? 0,
      bornTimestamp: 1,
      bornHost: '10.0.0.1',
      bornPort: 1,
      storeTimestamp: 2,
      storeHost: '10.0.0.2',
      storePort: 2,
      reconsumeTimes: 0,
      preparedTransactionOffset: 0,
      body: record.body ?? Buffer.from(id),
      properties: Object.entries(properties)
        .map(([name, value]) => encodeProperty(name, value))
        .join('')
    })
  }
}

describe('a message sent in a transaction', () => {
  it('is stored as a half message, and committed after its local transaction', async () => {
    const { remoting, producer, ends } = await setUp()
    const seen: unknown[] = []
    const result = await producer.sendMessageInTransaction(
      MESSAGE,
      async (message: Message, arg: number) => {
        seen.push(message.transactionId, message.keys, arg, ends().length)
        return 'COMMIT_MESSAGE' as const
      },
      42
    )
    const { fields } = remoting.sends[0]!
    const properties = decodeProperties(fields.properties)
    assert.equal(fields.sysFlag, 4)
    assert.deepEqual([properties.get('TRAN_MSG'), properties.get('PGROUP')], ['true', 'pg'])
    assert.deepEqual(seen, [result.msgId, 'order-1', 42, 0])
    assert.equal(result.localTransactionState, 'COMMIT_MESSAGE')
    const [end] = ends()
    assert.equal(end!.address, 'a:10911')
    assert.deepEqual(
      {
        ...end!.extFields,
        tranStateTableOffset: String(end!.extFields['tranStateTableOffset']),
        commitLogOffset: String(end!.extFields['commitLogOffset'])
      },
      {
        topic: 'T',
        producerGroup: 'pg',
        tranStateTableOffset: '7',
        commitLogOffset: String(0x1234),
        commitOrRollback: 8,
        fromTransactionCheck: false,
        msgId: result.msgId,
        transactionId: result.msgId,
        bname: 'a'
      }
    )
    await producer.shutdown()
  })

  it('is rolled back, or left to a check, as the local transaction of the listener says', async () => {
    const states: (LocalTransactionState | undefined)[] = ['ROLLBACK_MESSAGE', 'UNKNOW', undefined]
    const listener = { ...unknown, executeLocalTransaction: (_message: Message, turn: number) => states[turn] }
    const { producer, ends } = await setUp({ transactionListener: listener })
    for (const turn of states.keys()) await producer.sendMessageInTransaction(MESSAGE, turn)
    assert.deepEqual(
      ends().map(({ extFields }) => extFields['commitOrRollback']),
      [12, 0, 0]
    )
    await producer.shutdown()
  })

  it('is left UNKNOW, with a remark, by a local transaction that throws or gives what is no state', async () => {
    const { producer, ends } = await setUp()
    const thrown = await producer.sendMessageInTransaction(MESSAGE, () => {
      throw new Error('no money')
    })
    const odd = await producer.sendMessageInTransaction(MESSAGE, () => 'COMMIT' as 'UNKNOW')
    assert.deepEqual([thrown.localTransactionState, odd.localTransactionState], ['UNKNOW', 'UNKNOW'])
    assert.match(String(thrown.localTransactionError), /no money/)
    assert.match(String(odd.localTransactionError), /LocalTransactionState, not COMMIT/)
    assert.equal(ends()[0]!.remark, 'executeLocalTransactionBranch exception: Error: no money')
    await producer.shutdown()
  })

  it('is rolled back without a local transaction when it was not stored as safely as asked for', async () => {
    const { producer, ends } = await setUp({}, answered(10))
    const result = await producer.sendMessageInTransaction(MESSAGE, never)
    assert.deepEqual([result.sendStatus, result.localTransactionState], ['FLUSH_DISK_TIMEOUT', 'ROLLBACK_MESSAGE'])
    assert.equal(ends()[0]!.extFields['commitOrRollback'], 12)
    await producer.shutdown()
  })

  it('runs no local transaction when it is refused: by a broker without transactions, or because it is delayed', async () => {
    const { producer, ends } = await setUp({}, refuse)
    await assert.rejects(producer.sendMessageInTransaction(MESSAGE, never), NotSupportedError)
    await assert.rejects(producer.sendMessageInTransaction({ ...MESSAGE, delayMs: 5 }, never), /cannot be delayed/)
    await assert.rejects(producer.sendMessageInTransaction(MESSAGE), /no local transaction/)
    assert.deepEqual(ends(), [])
    await producer.shutdown()
    await assert.rejects(producer.sendMessageInTransaction(MESSAGE, never), /not running/)
  })

  it('is waited for by the shutdown, so that the broker hears of its end', async () => {
    const { remoting, producer, ends } = await setUp()
    const gate: { open?: () => void } = {}
    const sending = producer.sendMessageInTransaction(MESSAGE, async () => {
      await new Promise<void>(resolve => (gate.open = resolve))
      return 'COMMIT_MESSAGE' as const
    })
    await settle()
    const ending = producer.shutdown()
    await settle()
    assert.equal(remoting.closed, false)
    gate.open!()
    await ending
    assert.equal(remoting.closed, true)
    assert.equal(ends().length, 1)
    assert.equal((await sending).localTransactionState, 'COMMIT_MESSAGE')
  })

  it('is not waited for when the signal of the shutdown says so', async () => {
    const { remoting, producer } = await setUp()
    const gate: { open?: () => void } = {}
    const sending = producer.sendMessageInTransaction(MESSAGE, async () => {
      await new Promise<void>(resolve => (gate.open = resolve))
      return 'COMMIT_MESSAGE' as const
    })
    await settle()
    await producer.shutdown({ signal: AbortSignal.abort() })
    assert.equal(remoting.closed, true)
    gate.open!()
    assert.equal((await sending).localTransactionState, 'COMMIT_MESSAGE')
  })

  it('makes its brokers know the producer group at once', async () => {
    const { remoting, producer } = await setUp()
    await producer.sendMessageInTransaction(MESSAGE, commit)
    await settle()
    assert.match(String(remoting.requestsOf(34)[0]?.body), /"groupName":"pg"/)
    await producer.shutdown()
  })
})

describe('a check of a transaction by a broker', () => {
  it('is answered by the listener, with the message inflated and its transaction named', async () => {
    const seen: MessageExt[] = []
    const listener = { checkLocalTransaction: async (message: MessageExt) => (seen.push(message), commit()) }
    const { remoting, producer, ends } = await setUp({ transactionListener: listener })
    const body = compressBody('ZLIB', Buffer.alloc(5_000, 'x'))
    await remoting.requestHandler('b:10911', checkOf('ID1', { sysFlag: 0x301, body }))
    await settle()
    const [message] = seen
    assert.deepEqual([message!.transactionId, message!.keys, message!.body.length], ['ID1', 'key-ID1', 5_000])
    const [end] = ends()
    assert.equal(end!.address, 'b:10911')
    assert.deepEqual(end!.extFields, {
      topic: 'T',
      producerGroup: 'pg',
      tranStateTableOffset: '9',
      commitLogOffset: '900',
      commitOrRollback: 8,
      fromTransactionCheck: true,
      msgId: 'ID1',
      transactionId: 'ID1',
      bname: 'a'
    })
    await producer.shutdown()
  })

  it('shows the message without the namespace of the producer, which the answer has', async () => {
    const topics: string[] = []
    const listener = { checkLocalTransaction: async ({ topic }: MessageExt) => (topics.push(topic), commit()) }
    const { remoting, producer, ends } = await setUp({ transactionListener: listener, namespace: 'NS' })
    await remoting.requestHandler('a:10911', checkOf('ID1', { topic: 'NS%T', group: 'NS%pg' }))
    await settle()
    assert.deepEqual(topics, ['T'])
    assert.equal(ends()[0]!.extFields['topic'], 'NS%T')
    await producer.shutdown()
  })

  it('is answered with UNKNOW and a remark when the listener throws, which onError hears of', async () => {
    const listener = { checkLocalTransaction: () => Promise.reject(new Error('database gone')) }
    const { remoting, producer, ends, errors } = await setUp({ transactionListener: listener })
    await remoting.requestHandler('a:10911', checkOf('ID1'))
    await settle()
    assert.equal(ends()[0]!.extFields['commitOrRollback'], 0)
    assert.match(ends()[0]!.remark ?? '', /^checkLocalTransactionState Exception: Error: database gone, at /)
    assert.match(String(errors), /database gone/)
    await producer.shutdown()
  })

  it('is passed over for another group, and reported when it cannot be read', async () => {
    const { remoting, producer, ends, errors } = await setUp({ transactionListener: { checkLocalTransaction: never } })
    await remoting.requestHandler('a:10911', checkOf('ID1', { group: 'others' }))
    await remoting.requestHandler('a:10911', { ...checkOf('ID1'), body: Buffer.from('rubbish') })
    await settle()
    assert.equal(ends().length, 0)
    assert.equal(errors.length, 1)
    await producer.shutdown()
  })

  it('waits its turn: as many run, wait and are dropped as the options say', async () => {
    const running: (() => void)[] = []
    const listener = {
      checkLocalTransaction: async () => {
        await new Promise<void>(resolve => running.push(resolve))
        return commit()
      }
    }
    const limits = { checkThreadPoolMinSize: 1, checkThreadPoolMaxSize: 2, checkRequestHoldMax: 2 }
    const { remoting, producer, ends, errors } = await setUp({ transactionListener: listener, ...limits })
    const check = async (id: string) => {
      await remoting.requestHandler('a:10911', checkOf(id))
      await settle()
    }
    for (const id of ['first', 'waits', 'waits too']) await check(id)
    assert.equal(running.length, 1)
    await check('beyond those that may wait')
    assert.equal(running.length, 2)
    await check('one too many')
    assert.match(String(errors), /2 checks run and 2 wait/)
    while (running.length > 0) {
      running.shift()!()
      await settle()
    }
    assert.deepEqual(
      new Set(ends().map(({ extFields }) => extFields['msgId'])),
      new Set(['first', 'waits', 'waits too', 'beyond those that may wait'])
    )
    assert.equal(ends().length, 4)
    await check('finds room again')
    assert.equal(running.length, 1)
    running.shift()!()
    await producer.shutdown()
  })

  it('finds nobody after the shutdown, which waits for the one that runs', async () => {
    const gate: { open?: () => void } = {}
    let calls = 0
    const listener = {
      checkLocalTransaction: async () => {
        calls++
        await new Promise<void>(resolve => (gate.open = resolve))
        return commit()
      }
    }
    const { remoting, producer, ends } = await setUp({ transactionListener: listener })
    await remoting.requestHandler('a:10911', checkOf('runs'))
    await remoting.requestHandler('a:10911', checkOf('waits'))
    const ending = producer.shutdown()
    await settle()
    gate.open!()
    await ending
    await remoting.requestHandler('a:10911', checkOf('late'))
    await settle()
    assert.deepEqual(
      ends().map(({ extFields }) => extFields['msgId']),
      ['runs']
    )
    assert.equal(calls, 1)
  })
})

describe('the options of a producer of transactions', () => {
  it('are refused when they are unknown, contradict each other, or bring no listener', () => {
    assert.throws(make({ transactionListner: unknown }), /TransactionProducer has no option .* transactionListener\?/)
    assert.throws(make({ checkThreadPoolMinSize: 3 }), ConfigError)
    assert.throws(make({ transactionListener: {} }), /checkLocalTransaction/)
    assert.throws(make({ transactionListener: undefined }), /transactionListener is missing/)
  })

  it('have those of every producer beside them', async () => {
    const producer = make({ sendMsgTimeout: 77, checkRequestHoldMax: 5 })()
    assert.deepEqual([producer.options.sendMsgTimeout, producer.options.checkRequestHoldMax], [77, 5])
  })

  it('name topics whose brokers know the producer from the start', async () => {
    const { remoting, producer, errors } = await setUp({ topics: ['T', 'Missing'] })
    await settle()
    assert.deepEqual([...new Set(remoting.requestsOf(34).map(({ address }) => address))], ['a:10911'])
    assert.match(String(errors), /topic Missing/)
    await producer.shutdown()
  })
})

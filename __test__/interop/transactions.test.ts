/** Transactions of our client on Apache's broker. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import {
  type LocalTransactionOutcome,
  type MessageExt,
  TransactionProducer,
  type TransactionProducerOptions
} from '../../ts/index.js'
import { ApacheBroker, ApacheNameServer } from './helpers/apache-server.js'
import { bodyOf } from './helpers/bodies.js'
import { JavaClient } from './helpers/java-client.js'
import { OwnedProcess } from './helpers/owned.js'
import { TextConsumer } from './helpers/text-consumer.js'
import { until } from './helpers/until.js'

/**
 * Half messages are checked soon, and often; that one was ended is written down at once as a rule (3 s is the default), for what
 * is not written down is asked for again.
 */
const CHECK_SOON = { transactionTimeOut: 500, transactionCheckInterval: 500, transactionOpBatchInterval: 20 }

/** Does nothing, so that the broker has to ask. */
const unknown = (): void => undefined

const child = join(__dirname, 'helpers', 'half-message-child.js')

describe("transactions on Apache's broker", () => {
  let nameServer: ApacheNameServer
  let broker: ApacheBroker
  let java: JavaClient
  let topics = 0

  before(async () => {
    nameServer = await ApacheNameServer.start()
    ;[broker, java] = await Promise.all([
      ApacheBroker.start({ nameServerPort: nameServer.port, properties: CHECK_SOON }),
      JavaClient.start('ROCKETMQ')
    ])
  })

  after(async () => {
    for (const each of [java, broker, nameServer]) await each?.[Symbol.asyncDispose]()
  })

  async function start(
    group: string,
    check: (message: MessageExt) => LocalTransactionOutcome | Promise<LocalTransactionOutcome>,
    options: Partial<TransactionProducerOptions> = {}
  ): Promise<TransactionProducer> {
    const producer = new TransactionProducer({
      namesrvAddr: nameServer.address,
      producerGroup: group,
      transactionListener: { checkLocalTransaction: check },
      ...options
    })
    await producer.start()
    return producer
  }

  /** A topic that is there already, and a consumer of it. */
  async function topicAndConsumer(producer: TransactionProducer): Promise<[string, TextConsumer]> {
    const topic = `Transactions${++topics}`
    await producer.send({ topic, body: 'creates the topic' })
    const consumer = await TextConsumer.start(nameServer.address, topic)
    await consumer.untilReceived('creates the topic')
    return [topic, consumer]
  }

  it('deliver what is committed, whatever the compression, and nothing else', async () => {
    const checked: string[] = []
    const check = (message: MessageExt): void => void checked.push(message.body.toString())
    await using producer = await start('pg_commit', check, { compressMsgBodyOverHowmuch: 100 })
    const [topic, consumer] = await topicAndConsumer(producer)
    await using _ = consumer
    const large = 'large '.repeat(1_000)
    const rolledBack = await producer.sendMessageInTransaction({ topic, body: 'rolled back' }, () => 'ROLLBACK_MESSAGE')
    const seen: string[] = []
    const committed = await producer.sendMessageInTransaction(
      { topic, body: 'committed', tags: 'TagA', keys: 'k1', properties: { city: 'Zürich' } },
      async () => {
        seen.push(...consumer.texts)
        return 'COMMIT_MESSAGE'
      }
    )
    await producer.sendMessageInTransaction({ topic, body: large }, () => 'COMMIT_MESSAGE')
    assert.deepEqual(
      [rolledBack.localTransactionState, committed.localTransactionState],
      ['ROLLBACK_MESSAGE', 'COMMIT_MESSAGE']
    )
    const message = await consumer.untilReceived('committed')
    assert.deepEqual([message.tags, message.keys, message.getProperty('city')], ['TagA', 'k1', 'Zürich'])
    assert.equal(message.msgId, committed.msgId)
    await consumer.untilReceived(large)
    // Once a transaction that was begun later is asked for, the turn of those before it is over.
    await producer.sendMessageInTransaction({ topic, body: 'asked for' }, unknown)
    await until('the later one is asked for', () => checked.includes('asked for'))
    assert.deepEqual(new Set(consumer.texts), new Set(['creates the topic', 'committed', large]))
    assert.deepEqual(seen, ['creates the topic'])
  })

  it("deliver to Apache's consumer each of many that are committed, once", async () => {
    await using producer = await start('pg_many', unknown)
    const [topic, consumer] = await topicAndConsumer(producer)
    await using _ = consumer
    await using member = await java.join({ nameServer: nameServer.address, topic, group: 'java_many' })
    const indexes = Array.from({ length: 100 }, (_unused, index) => index)
    const results = await Promise.all(
      indexes.map(index => {
        const body = bodyOf(index, 64)
        return producer.sendMessageInTransaction({ topic, body, tags: 'TagT' }, async () =>
          index % 2 === 0 ? 'COMMIT_MESSAGE' : 'ROLLBACK_MESSAGE'
        )
      })
    )
    const committed = indexes.filter(index => index % 2 === 0)
    const rows = (await member.received(committed.length + 1)).filter(row => row.tags === 'TagT')
    assert.deepEqual(
      rows.map(row => row.index).toSorted((a, b) => a - b),
      committed
    )
    for (const row of rows) assert.equal(row.msgId, results[row.index]!.msgId)
  })

  it('are asked for when nobody knew how they ended, until somebody does', async () => {
    const answers = new Map<string, LocalTransactionOutcome[]>([
      ['commit later', [undefined, 'UNKNOW', 'COMMIT_MESSAGE']],
      ['roll back later', ['ROLLBACK_MESSAGE']],
      ['last', ['UNKNOW', 'UNKNOW', 'UNKNOW', 'COMMIT_MESSAGE']]
    ])
    const ids = new Map<string, string | undefined>()
    await using producer = await start('pg_unknown', async message => {
      const text = message.body.toString()
      ids.set(text, message.transactionId)
      assert.equal(message.topic, topic)
      return answers.get(text)!.shift()
    })
    const [topic, consumer] = await topicAndConsumer(producer)
    await using _ = consumer
    for (const body of answers.keys()) {
      const { transactionId } = await producer.sendMessageInTransaction({ topic, body }, unknown)
      await until(`${body} is asked for`, () => ids.has(body))
      assert.equal(ids.get(body), transactionId)
    }
    await consumer.untilReceived('commit later')
    await consumer.untilReceived('last')
    assert.equal(consumer.texts.includes('roll back later'), false)
    assert.deepEqual([...answers.values()], [[], [], []])
  })

  it('are asked for again when the check throws', async () => {
    const errors: string[] = []
    let checks = 0
    const check = (): 'COMMIT_MESSAGE' => {
      if (++checks === 1) throw new Error('database gone')
      return 'COMMIT_MESSAGE'
    }
    await using producer = await start('pg_throws', check, {
      serializeType: 'JSON',
      onError: error => errors.push(error.message)
    })
    const [topic, consumer] = await topicAndConsumer(producer)
    await using _ = consumer
    const result = await producer.sendMessageInTransaction({ topic, body: 'after all' }, () => {
      throw new Error('no money')
    })
    assert.equal(result.localTransactionState, 'UNKNOW')
    assert.equal(result.localTransactionError?.message, 'no money')
    await consumer.untilReceived('after all')
    assert.deepEqual(errors, ['database gone'])
  })

  it('of a process that was killed are ended by another producer of the group', async () => {
    const checked: (string | undefined)[] = []
    await using first = await start('pg_killed_setup', unknown)
    const [topic, consumer] = await topicAndConsumer(first)
    await using _ = consumer
    const killed = new OwnedProcess(process.execPath, [child, nameServer.address, 'pg_killed', topic, 'survives'])
    await killed.exited()
    const check = (message: MessageExt) => {
      checked.push(message.body.toString())
      return 'COMMIT_MESSAGE' as const
    }
    // It sends nothing, so only the option makes the broker know it.
    await using second = await start('pg_killed', check, { topics: [topic] })
    await consumer.untilReceived('survives')
    assert.equal(second.state, 'RUNNING')
    assert.deepEqual(new Set(checked), new Set(['survives']))
  })

  it("of ours are ended by Apache's producer of the same group", async () => {
    await using producer = await start('pg_setup_java', unknown)
    const [topic, consumer] = await topicAndConsumer(producer)
    await using _ = consumer
    const ours = await start('pg_mixed', unknown)
    const { transactionId } = await ours.sendMessageInTransaction({ topic, body: 'ours' }, unknown)
    await ours.shutdown()
    const group = { group: 'pg_mixed', topic }
    const member = await java.joinTransactions({ ...group, nameServer: nameServer.address, state: 'COMMIT_MESSAGE' })
    await consumer.untilReceived('ours')
    assert.deepEqual(new Set(await member.leave()), new Set([transactionId]))
  })

  it("of Apache's are ended by a producer of ours", async () => {
    await using producer = await start('pg_setup_ours', unknown)
    const [topic, consumer] = await topicAndConsumer(producer)
    await using _ = consumer
    const group = { group: 'pg_mixed_2', topic }
    const member = await java.joinTransactions({ ...group, nameServer: nameServer.address, state: 'UNKNOW' })
    const transactionId = await member.send('theirs')
    await member.leave()
    const checked: (string | undefined)[] = []
    const check = (message: MessageExt) => {
      checked.push(message.transactionId)
      return 'COMMIT_MESSAGE' as const
    }
    await using ours = await start('pg_mixed_2', check, { topics: [topic] })
    await consumer.untilReceived('theirs')
    assert.equal(ours.state, 'RUNNING')
    assert.deepEqual(new Set(checked), new Set([transactionId]))
  })
})

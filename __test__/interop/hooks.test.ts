/** What the hooks of our producer are told of sends to Apache's broker, beside what those of Java's are told. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import {
  type Message,
  MessageQueue,
  Producer,
  type RPCHook,
  type RocketMQError,
  SendError,
  type SendMessageContext,
  TransactionProducer
} from '../../ts/index.js'
import { ApacheBroker, ApacheNameServer } from './helpers/apache-server.js'
import { runJava } from './helpers/java-program.js'
import { storedRecord } from './helpers/raw-command.js'
import { decodeProperties } from '../../ts/message/properties.js'

type Row = Readonly<Record<string, unknown>>
/** By kind of send: what the hooks were told, in order. */
type Told = Record<string, Row[]>

const MAX_MESSAGE_BYTES = 20_000
/** A body that the broker refuses. */
const LARGE = MAX_MESSAGE_BYTES + 1
/** Sends, and the ends of transactions; heartbeats and routes come whenever they come. */
const COUNTED: ReadonlySet<number> = new Set([310, 320, 37])

let nameServer: ApacheNameServer
let broker: ApacheBroker

before(async () => {
  nameServer = await ApacheNameServer.start()
  const properties = { maxMessageSize: MAX_MESSAGE_BYTES }
  broker = await ApacheBroker.start({ nameServerPort: nameServer.port, properties })
})

after(async () => {
  for (const each of [broker, nameServer]) await each?.[Symbol.asyncDispose]()
})

function described(message: Message, mq: MessageQueue): Row {
  return {
    topic: message.topic,
    bodyBytes: message.body.length,
    properties: Object.fromEntries(message.properties),
    queueTopic: mq.topic,
    brokerName: mq.brokerName
  }
}

/** The code of a broker that refused; of a send with a callback it is the last of its attempts. */
function responseCodeOf(exception: RocketMQError | undefined): number | null {
  const error = exception instanceof SendError ? exception.attempts.at(-1)!.error : exception
  return (error as { responseCode?: number } | undefined)?.responseCode ?? null
}

function fields(hook: string, context: SendMessageContext): Row {
  const { sendResult, mq } = context
  return {
    hook,
    group: context.producerGroup,
    mode: context.communicationMode,
    brokerAddr: context.brokerAddr,
    bornHost: context.bornHost,
    msgType: context.msgType,
    namespace: context.namespace ?? null,
    ...described(context.message, mq),
    sendStatus: sendResult?.sendStatus ?? null,
    resultTopic: sendResult?.messageQueue.topic ?? null,
    sameQueue: sendResult === undefined ? null : sendResult.messageQueue.queueId === mq.queueId,
    responseCode: responseCodeOf(context.exception)
  }
}

function rpcHook(add: (row: Row) => void): RPCHook {
  return {
    doBeforeRequest: (address, request) => {
      const values = Object.entries(request.extFields).filter(([, value]) => value !== undefined)
      const sent = Object.fromEntries(values.map(([name, value]) => [name, String(value)]))
      if (COUNTED.has(request.code)) add({ hook: 'request', address, code: request.code, fields: sent })
    },
    doAfterResponse: (address, request, { code }) => {
      if (COUNTED.has(request.code)) add({ hook: 'response', address, code: request.code, responseCode: code })
    }
  }
}

function registerHooks(producer: TransactionProducer, add: (row: Row) => void): void {
  producer.registerCheckForbiddenHook({
    hookName: 'check',
    checkForbidden: ({ nameSrvAddr, group, communicationMode, brokerAddr, unitMode, message, mq }) =>
      add({
        hook: 'check',
        nameSrvAddr,
        group,
        mode: communicationMode,
        brokerAddr,
        unitMode,
        ...described(message, mq)
      })
  })
  producer.registerSendMessageHook({
    hookName: 'recorder',
    sendMessageBefore: context => add(fields('before', context)),
    sendMessageAfter: context => add(fields('after', context))
  })
  producer.registerEndTransactionHook({
    hookName: 'end',
    endTransaction: ({ producerGroup, brokerAddr, transactionState, fromTransactionCheck, message, ...ids }) =>
      add({
        hook: 'end',
        group: producerGroup,
        brokerAddr,
        state: transactionState,
        fromCheck: fromTransactionCheck,
        topic: message.topic,
        idIsMsgId: ids.msgId === ids.transactionId
      })
  })
}

/** The sends of HookedSends.java, in its order. */
async function byUs(topic: string, namespace: string | undefined): Promise<Told> {
  const told: Told = {}
  let rows: Row[] = []
  const add = (row: Row): void => void rows.push(row)
  const begin = (kind: string): void => void (told[kind] = rows = [])
  const producer = new TransactionProducer({
    namesrvAddr: nameServer.address,
    producerGroup: 'hooked',
    namespace,
    clientIP: '127.0.0.1',
    sendMsgTimeout: 10_000,
    compressMsgBodyOverHowmuch: 1_000_000,
    rpcHook: rpcHook(add),
    transactionListener: {
      executeLocalTransaction: () => 'COMMIT_MESSAGE',
      checkLocalTransaction: () => 'COMMIT_MESSAGE'
    }
  })
  registerHooks(producer, add)
  await producer.start()
  const message = (body: string) => ({ topic, body, tags: 'TagH', keys: 'key', properties: { city: 'Bern' } })
  const called = (given: { topic: string; body: string | Buffer }): Promise<void> =>
    new Promise(resolve => producer.send(given, () => resolve()))
  const { messageQueue } = await producer.send(message('first'))
  begin('promise')
  await producer.send(message('promise'))
  begin('queue')
  await producer.send(message('queue'), messageQueue)
  begin('callback')
  await called(message('callback'))
  begin('oneway')
  await producer.sendOneway(message('oneway'))
  begin('batch')
  await producer.send([message('b0'), message('b1')])
  begin('delayed')
  await producer.send({ ...message('delayed'), delayTimeLevel: 1 })
  begin('transaction')
  await producer.sendMessageInTransaction(message('transaction'))
  const large = { topic, body: Buffer.alloc(LARGE) }
  begin('refused')
  await assert.rejects(producer.send(large), { code: 'RMQ_SEND' })
  begin('refused callback')
  await called(large)
  rows = []
  await producer.shutdown()
  return told
}

/** Java's oneway requests leave from another thread, so what their order is by chance is put into this one. */
const ORDER = ['check', 'before', 'request', 'response', 'after', 'end']

/** Ids, times, offsets and the queues of a round robin differ from send to send. */
function comparable(told: Told, namespace: string | undefined): Told {
  const plain = (topic: unknown): unknown =>
    typeof topic === 'string' && namespace !== undefined ? topic.replace(`${namespace}%`, '') : topic
  const rows = (kind: string): Row[] =>
    told[kind]!.filter(({ mode, hook, sendStatus, responseCode }) => {
      // Java calls sendMessageAfter of a send with a callback a first time when nothing is known.
      return !(mode === 'ASYNC' && hook === 'after' && sendStatus === null && responseCode === null)
    })
      .map(row => comparableRow(row, plain))
      .toSorted((a, b) => place(a) - place(b))
  return Object.fromEntries(Object.keys(told).map(kind => [kind, rows(kind)]))
}

/** The end of a transaction is a request too, and the last. */
function place({ hook, code }: Row): number {
  return code === 37 ? ORDER.length : ORDER.indexOf(String(hook))
}

function comparableRow(row: Row, plain: (topic: unknown) => unknown): Row {
  const { properties, fields: sent } = row as { properties?: Record<string, string>; fields?: Record<string, string> }
  const named = { ...row }
  for (const name of ['topic', 'queueTopic']) if (name in row) named[name] = plain(row[name])
  if (sent?.['i'] !== undefined) {
    const { e: _queueId, g: _bornTimestamp, i, ...rest } = sent
    return { ...named, fields: { ...rest, i: withoutId(Object.fromEntries(decodeProperties(i))) } }
  }
  if (sent !== undefined) {
    const { msgId, transactionId, tranStateTableOffset: _, commitLogOffset: __, topic, ...rest } = sent
    return { ...named, fields: { ...rest, topic: plain(topic), ids: msgId === transactionId } }
  }
  if (properties === undefined) return named
  // Java's unique ids have an IPv6 address in them where there is one; a batch has that of each message in its body.
  const isBatch =
    Object.keys(properties).filter(name => name !== 'INSTANCE_ID').length === 2 && row['bodyBytes'] !== LARGE
  const ids = isBatch ? 2 * (properties['UNIQ_KEY']?.length ?? 0) : 0
  return { ...named, bodyBytes: Number(row['bodyBytes']) - ids, properties: withoutId(properties) }
}

function withoutId(properties: Record<string, string>): Record<string, string> {
  const id = /^[0-9A-F]{32}(?:[0-9A-F]{24})?$/
  return { ...properties, UNIQ_KEY: id.test(properties['UNIQ_KEY'] ?? '') ? 'an id' : `${properties['UNIQ_KEY']}` }
}

describe("the hooks of a producer on Apache's broker", () => {
  for (const namespace of [undefined, 'HookNS']) {
    it(`are told what Java's are${namespace === undefined ? '' : ', in a namespace'}`, async () => {
      const args = [nameServer.address, 'Hooked', String(LARGE), ...(namespace === undefined ? [] : [namespace])]
      const [byJava, ours] = await Promise.all([runJava<Told>('HookedSends', ...args), byUs('Hooked', namespace)])
      assert.deepEqual(comparable(ours, namespace), comparable(byJava, namespace))
    })
  }

  it('may change what is sent: the queue, by the hook of requests', async () => {
    const toQueue3: RPCHook = {
      doBeforeRequest: (_address, { code, extFields }) => void (code === 310 && (extFields['e'] = '3')),
      doAfterResponse: () => undefined
    }
    const producer = new Producer({ namesrvAddr: nameServer.address, producerGroup: 'changing', rpcHook: toQueue3 })
    await producer.start()
    const { topic, brokerName } = (await producer.send({ topic: 'Hooked', body: 'x' })).messageQueue
    const sent = await producer.send({ topic, body: 'x' }, new MessageQueue(topic, brokerName, 0))
    assert.equal(sent.messageQueue.queueId, 3)
    const record = await storedRecord(broker.port, topic, 3, sent.queueOffset.toNumber())
    assert.ok(record.includes(sent.msgId))
    await producer.shutdown()
  })

  it('may forbid a send, which then never reaches the broker', async () => {
    const producer = new Producer({ namesrvAddr: nameServer.address, producerGroup: 'forbidding' })
    await producer.start()
    const allowed = await producer.send({ topic: 'Hooked', body: 'x' })
    producer.registerCheckForbiddenHook({
      hookName: 'guard',
      checkForbidden: ({ message }) => assert.notEqual(message.tags, 'secret')
    })
    const queue = allowed.messageQueue
    const secret = { topic: 'Hooked', body: 'x', tags: 'secret' }
    await assert.rejects(producer.send(secret, queue), { code: 'RMQ_ARGUMENT', message: /the hook guard forbids/ })
    await assert.rejects(producer.sendOneway(secret, queue), { code: 'RMQ_ARGUMENT' })
    const next = await producer.send({ topic: 'Hooked', body: 'x' }, queue)
    assert.equal(next.queueOffset.toNumber(), allowed.queueOffset.toNumber() + 1)
    await producer.shutdown()
  })
})

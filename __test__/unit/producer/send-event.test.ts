import assert from 'node:assert/strict'
import { AsyncLocalStorage } from 'node:async_hooks'
import { tracingChannel } from 'node:diagnostics_channel'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, afterEach, describe, it } from 'node:test'
import { ConnectionError, InvalidArgumentError } from '../../../ts/errors.js'
import { Message } from '../../../ts/message/message.js'
import { decodeProperties } from '../../../ts/message/properties.js'
import { Producer } from '../../../ts/producer/producer.js'
import type { SendEvent } from '../../../ts/producer/send-event.js'
import type { FakeSend } from '../helpers/fake-remoting.js'
import { FakeRemoting, registryOf } from '../helpers/fake-remoting.js'
import { repositoryRoot } from '../helpers/repository.js'

const OFFSET_ID = '0A00000100002A9F0000000000000001'
const MESSAGE = { topic: 'T', body: 'body' }
const channel = tracingChannel<unknown, SendEvent>('rocketmq-native:send')

type Said = [name: string, event: SendEvent]

function stored(send: FakeSend): void {
  send.pending.onSent(0, send.template.queueId, 0, 0, OFFSET_ID, true, undefined)
}

function unreachable(send: FakeSend): void {
  send.pending.onFailed(new ConnectionError('refused', send.address))
}

async function scene(
  outcome: (send: FakeSend, attempt: number) => void
): Promise<{ remoting: FakeRemoting; producer: Producer } & AsyncDisposable> {
  const remoting = new FakeRemoting()
  remoting.route({ T: { a: 1, b: 1 } })
  remoting.onSend = send => outcome(send, remoting.sends.length)
  const producer = new Producer({ namesrvAddr: '127.0.0.1:9876', producerGroup: 'pg' }, registryOf(remoting))
  await producer.start()
  return { remoting, producer, [Symbol.asyncDispose]: () => producer.shutdown() }
}

describe('the tracing channel of sends', () => {
  const said: Said[] = []
  let onStart: ((event: SendEvent) => void) | undefined
  const handlers = {
    start: (event: SendEvent) => {
      said.push(['start', event])
      onStart?.(event)
    },
    end: (event: SendEvent) => void said.push(['end', event]),
    asyncStart: (event: SendEvent) => void said.push(['asyncStart', event]),
    asyncEnd: (event: SendEvent) => void said.push(['asyncEnd', event]),
    error: (event: SendEvent) => void said.push(['error', event])
  }
  channel.subscribe(handlers)
  after(() => channel.unsubscribe(handlers))
  afterEach(() => {
    said.length = 0
    onStart = undefined
  })

  const names = (): string[] => said.map(([name]) => name)

  it('tells start, end and the two asynchronous ends of one send with one object', async () => {
    await using at = await scene((send, attempt) => (attempt === 1 ? unreachable(send) : stored(send)))
    const result = await at.producer.send({ ...MESSAGE, tags: 'x' })
    assert.deepEqual(names(), ['start', 'end', 'asyncStart', 'asyncEnd'])
    assert.equal(new Set(said.map(([, event]) => event)).size, 1)
    const { messages, ...event } = said[0]![1]
    assert.deepEqual(event, {
      clientId: at.producer.clientId,
      producerGroup: 'pg',
      topic: 'T',
      batch: false,
      communicationMode: 'SYNC',
      bodyBytes: 4,
      properties: {},
      messageQueue: result.messageQueue,
      brokerAddr: at.remoting.sends[1]!.address,
      attempts: 2,
      result,
      error: undefined
    })
    assert.equal(messages[0]!.tags, 'x')
  })

  it('says what docs/observability.md promises, and nothing else', async () => {
    await using at = await scene(stored)
    await at.producer.send(MESSAGE)
    const docs = readFileSync(join(repositoryRoot(), 'docs', 'observability.md'), 'utf8')
    const table = /\| `SendEvent` [^\n]*\n[^\n]*\n((?:\|[^\n]*\n)+)/.exec(docs)?.[1] ?? ''
    const promised = [...table.matchAll(/^\| `(\w+)`/gm)].map(([, name]) => name)
    assert.deepEqual(Object.keys(said[0]![1]), promised)
  })

  it('tells failures of promises, callbacks and arguments, each once, and the caller too', async () => {
    await using at = await scene(unreachable)
    const error = await at.producer.send(MESSAGE).catch((thrown: unknown) => thrown)
    const called = await new Promise(resolve => at.producer.send(MESSAGE, resolve))
    await assert.rejects(at.producer.send({ topic: 'T', body: '' }), InvalidArgumentError)
    await assert.rejects(at.producer.sendOneway({ topic: 'T', body: '' }), InvalidArgumentError)
    const given = await new Promise(resolve => at.producer.send({ topic: 'T', body: '' }, resolve))
    const ofErrors = said.filter(([name]) => name === 'error').map(([, event]) => event.error)
    assert.deepEqual(
      ofErrors.map(each => each?.code),
      ['RMQ_SEND', 'RMQ_SEND', 'RMQ_ARGUMENT', 'RMQ_ARGUMENT', 'RMQ_ARGUMENT']
    )
    assert.deepEqual([ofErrors[0], ofErrors[1], ofErrors[4]], [error, called, given])
    for (const name of ['start', 'end', 'asyncStart', 'asyncEnd']) {
      assert.equal(said.filter(each => each[0] === name).length, 5, name)
    }
  })

  it('tells of sends with a callback, of oneway sends and of batches', async () => {
    await using at = await scene(stored)
    await new Promise(resolve => at.producer.send(MESSAGE, resolve))
    await at.producer.sendOneway(MESSAGE)
    await at.producer.send([MESSAGE, MESSAGE])
    const ends = said.filter(([name]) => name === 'asyncEnd').map(([, event]) => event)
    assert.deepEqual(
      ends.map(event => [event.communicationMode, event.batch, event.messages.length, event.result?.sendStatus]),
      [
        ['ASYNC', false, 1, 'SEND_OK'],
        ['ONEWAY', false, 1, undefined],
        ['SYNC', true, 2, 'SEND_OK']
      ]
    )
    assert.deepEqual([ends[1]!.attempts, ends[2]!.bodyBytes], [1, 8])
  })

  it('sends along what listeners put into the properties, and leaves the message of the caller alone', async () => {
    await using at = await scene(stored)
    onStart = event => void Object.assign(event.properties, { traceparent: '00-1', mine: 'listener' })
    const message = new Message({ ...MESSAGE, keys: 'k', properties: { mine: 'caller' }, flag: 7 })
    await at.producer.send(message)
    await at.producer.send([message])
    await at.producer.sendOneway(message)
    const [one, batch] = at.remoting.sends
    const sent = decodeProperties(one!.fields.properties)
    assert.deepEqual([sent.get('traceparent'), sent.get('mine'), sent.get('KEYS')], ['00-1', 'caller', 'k'])
    assert.equal(one!.fields.flag, 7)
    assert.ok(Buffer.from(batch!.fields.body).includes('traceparent\u000100-1\u0002'))
    assert.ok(at.remoting.onewaySends[0]!.fields.properties.includes('traceparent\u000100-1\u0002'))
    assert.deepEqual(
      message.properties,
      new Map([
        ['mine', 'caller'],
        ['KEYS', 'k'],
        ['WAIT', 'true']
      ])
    )
  })

  it('leaves out properties that cannot be sent, instead of failing the send', async () => {
    await using at = await scene(stored)
    for (const properties of [{ KEYS: 'reserved' }, { blank: ' ' }, { large: 'x'.repeat(40_000) }]) {
      onStart = event => void Object.assign(event.properties, properties)
      assert.equal((await at.producer.send(MESSAGE)).sendStatus, 'SEND_OK')
    }
    for (const send of at.remoting.sends) assert.doesNotMatch(send.fields.properties, /reserved|blank|large/)
  })

  it('has stores bound to it in place while the send is started', async () => {
    await using at = await scene(stored)
    const storage = new AsyncLocalStorage<string>()
    channel.start.bindStore(storage, event => `span of ${event.topic}`)
    const seen: (string | undefined)[] = []
    await at.producer.send(MESSAGE)
    await at.producer.send(
      MESSAGE,
      queues => {
        seen.push(storage.getStore())
        return queues[0]!
      },
      undefined
    )
    channel.start.unbindStore(storage)
    assert.deepEqual(seen, ['span of T'])
  })
})

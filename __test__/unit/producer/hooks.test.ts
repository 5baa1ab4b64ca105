import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ClientStateError, ConnectionError, InvalidArgumentError } from '../../../ts/errors.js'
import { Message } from '../../../ts/message/message.js'
import { MessageQueue } from '../../../ts/message/message-queue.js'
import { decodeProperties } from '../../../ts/message/properties.js'
import type { SendMessageContext } from '../../../ts/producer/hooks.js'
import type { ProducerOptions } from '../../../ts/producer/options.js'
import { Producer } from '../../../ts/producer/producer.js'
import type { FakeSend } from '../helpers/fake-remoting.js'
import { FakeRemoting, registryOf, settle } from '../helpers/fake-remoting.js'

const OFFSET_ID = '0A00000100002A9F0000000000000001'
const MESSAGE = { topic: 'T', body: 'body' }

interface Scene extends AsyncDisposable {
  readonly remoting: FakeRemoting
  readonly producer: Producer
  readonly reports: string[]
}

async function scene(
  outcome: (send: FakeSend, attempt: number) => void,
  options: Partial<ProducerOptions> = {}
): Promise<Scene> {
  const remoting = new FakeRemoting()
  const reports: string[] = []
  remoting.route({ T: { a: 1, b: 1 } })
  remoting.onSend = send => outcome(send, remoting.sends.length)
  const onError = (error: Error, doing: string): void => void reports.push(`${doing}: ${error.message}`)
  const producer = new Producer(
    { namesrvAddr: '127.0.0.1:9876', producerGroup: 'pg', clientIP: '10.1.2.3', onError, ...options },
    registryOf(remoting)
  )
  await producer.start()
  return { remoting, producer, reports, [Symbol.asyncDispose]: () => producer.shutdown() }
}

function stored(send: FakeSend, code = 0): void {
  send.pending.onSent(code, send.template.queueId, 0, 0, OFFSET_ID, true, undefined)
}

function unreachable(send: FakeSend): void {
  send.pending.onFailed(new ConnectionError('refused', send.address))
}

/** Writes down what a hook is told. */
function record(producer: Producer, befores: SendMessageContext[], afters: SendMessageContext[]): void {
  producer.registerSendMessageHook({
    hookName: 'recorder',
    sendMessageBefore: context => void befores.push(context),
    sendMessageAfter: context => void afters.push({ ...context })
  })
}

describe('a SendMessageHook', () => {
  it('is told of a send before and after it, with one context', async () => {
    await using at = await scene(send => stored(send))
    const [befores, afters] = [[] as SendMessageContext[], [] as SendMessageContext[]]
    record(at.producer, befores, afters)
    const message = new Message({ ...MESSAGE, tags: 'x' })
    const sending = at.producer.send(message)
    message.tags = 'changed while it is sent'
    const result = await sending
    assert.equal(befores.length, 1)
    const { message: seen, mq, ...rest } = befores[0]!
    assert.deepEqual([seen.topic, seen.tags, seen.body.toString()], ['T', 'x', 'body'])
    assert.equal(seen.getProperty('UNIQ_KEY'), result.msgId)
    assert.equal(decodeProperties(at.remoting.sends[0]!.fields.properties).get('TAGS'), 'x')
    assert.deepEqual(mq, result.messageQueue)
    assert.deepEqual(rest, {
      producerGroup: 'pg',
      brokerAddr: `${mq.brokerName}:10911`,
      bornHost: '10.1.2.3',
      communicationMode: 'SYNC',
      msgType: 'Normal_Msg',
      namespace: undefined,
      bodyBytes: 4,
      sendResult: result,
      exception: undefined,
      mqTraceContext: undefined,
      props: undefined
    })
    assert.deepEqual(afters, befores)
  })

  it('is told of each attempt of a send with a promise', async () => {
    await using at = await scene((send, attempt) => (attempt < 3 ? unreachable(send) : stored(send)))
    const [befores, afters] = [[] as SendMessageContext[], [] as SendMessageContext[]]
    record(at.producer, befores, afters)
    await at.producer.send(MESSAGE)
    assert.deepEqual(
      befores.map(context => context.brokerAddr),
      at.remoting.sends.map(send => send.address)
    )
    assert.deepEqual(
      afters.map(({ exception, sendResult }) => exception?.code ?? sendResult?.sendStatus),
      ['RMQ_CONNECTION', 'RMQ_CONNECTION', 'SEND_OK']
    )
  })

  it('is told of a send with a callback once, its retries included', async () => {
    await using at = await scene(unreachable)
    const [befores, afters] = [[] as SendMessageContext[], [] as SendMessageContext[]]
    record(at.producer, befores, afters)
    const error = await new Promise(resolve => at.producer.send(MESSAGE, resolve))
    assert.equal(at.remoting.sends.length, 3)
    assert.deepEqual([befores.length, afters.length], [1, 1])
    assert.equal(afters[0]!.communicationMode, 'ASYNC')
    assert.equal(afters[0]!.exception, error)
  })

  it('is told of a oneway send, without a result', async () => {
    await using at = await scene(() => undefined)
    const [befores, afters] = [[] as SendMessageContext[], [] as SendMessageContext[]]
    record(at.producer, befores, afters)
    await at.producer.sendOneway(MESSAGE)
    assert.deepEqual([befores.length, afters.length], [1, 1])
    assert.deepEqual([afters[0]!.communicationMode, afters[0]!.sendResult], ['ONEWAY', undefined])
    assert.equal(afters[0]!.exception, undefined)
  })

  it('is told of a oneway send that could not be handed over', async () => {
    await using at = await scene(() => undefined)
    const afters: SendMessageContext[] = []
    record(at.producer, [], afters)
    at.remoting.sendOneway = () => {
      throw new ClientStateError('closed')
    }
    await assert.rejects(at.producer.sendOneway(MESSAGE), ClientStateError)
    assert.deepEqual(
      afters.map(({ exception }) => exception?.code),
      ['RMQ_STATE']
    )
  })

  it('is told the end of a send whose signal fired', async () => {
    await using at = await scene(() => undefined)
    const afters: SendMessageContext[] = []
    record(at.producer, [], afters)
    const controller = new AbortController()
    const sending = at.producer.send(MESSAGE, new MessageQueue('T', 'a', 0), { signal: controller.signal })
    await settle()
    controller.abort()
    await assert.rejects(sending)
    assert.equal(afters[0]!.exception?.code, 'RMQ_ABORTED')
  })

  it('is told of a message stored less safely than wanted as stored, before the next attempt', async () => {
    await using at = await scene((send, attempt) => stored(send, attempt === 1 ? 11 : 0), {
      retryAnotherBrokerWhenNotStoreOK: true
    })
    const afters: SendMessageContext[] = []
    record(at.producer, [], afters)
    await at.producer.send(MESSAGE)
    assert.deepEqual(
      afters.map(({ sendResult }) => sendResult?.sendStatus),
      ['SLAVE_NOT_AVAILABLE', 'SEND_OK']
    )
  })

  it('may add properties to what is sent, with promises, callbacks, oneway and batches', async () => {
    await using at = await scene(send => stored(send))
    at.producer.registerSendMessageHook({
      hookName: 'adder',
      sendMessageBefore: ({ message }) => void message.putUserProperty('added', 'yes'),
      sendMessageAfter: () => undefined
    })
    await at.producer.send(MESSAGE)
    await new Promise(resolve => at.producer.send(MESSAGE, resolve))
    await at.producer.send([{ ...MESSAGE, waitStoreMsgOK: false }])
    await at.producer.sendOneway(MESSAGE)
    const sent = [...at.remoting.sends, ...at.remoting.onewaySends].map(send =>
      decodeProperties(send.fields.properties)
    )
    assert.deepEqual(
      sent.map(properties => [properties.get('added'), properties.get('WAIT')]),
      [
        ['yes', 'true'],
        ['yes', 'true'],
        ['yes', 'false'],
        ['yes', 'true']
      ]
    )
    assert.equal(new Set(sent.map(properties => properties.get('UNIQ_KEY'))).size, 4)
  })

  it('changes nothing but a report when it throws', async () => {
    await using at = await scene(send => stored(send))
    at.producer.registerSendMessageHook({
      hookName: 'thrower',
      sendMessageBefore: () => assert.fail('first'),
      sendMessageAfter: () => assert.fail('second')
    })
    const afters: SendMessageContext[] = []
    record(at.producer, [], afters)
    assert.equal((await at.producer.send(MESSAGE)).sendStatus, 'SEND_OK')
    assert.deepEqual(at.reports, ['hook thrower before a send: first', 'hook thrower after a send: second'])
    assert.equal(afters.length, 1)
  })

  it('does not break a send even when onError throws as well', async t => {
    const thrown = new Error('from onError')
    await using at = await scene(send => stored(send), {
      onError: () => {
        throw thrown
      }
    })
    const listeners = process.listeners('uncaughtException')
    process.removeAllListeners('uncaughtException')
    t.after(() => listeners.forEach(listener => process.on('uncaughtException', listener)))
    const caught: unknown[] = []
    const collect = (error: unknown): void => void caught.push(error)
    process.on('uncaughtException', collect)
    t.after(() => process.off('uncaughtException', collect))
    at.producer.registerSendMessageHook({
      hookName: 'thrower',
      sendMessageBefore: () => assert.fail('first'),
      sendMessageAfter: () => assert.fail('second')
    })
    assert.equal((await at.producer.send(MESSAGE)).sendStatus, 'SEND_OK')
    await settle()
    assert.deepEqual(caught, [thrown, thrown])
  })

  it('learns the kind of a message and the size of its body as sent', async () => {
    await using at = await scene(send => stored(send), { compressMsgBodyOverHowmuch: 100 })
    const befores: SendMessageContext[] = []
    record(at.producer, befores, [])
    await at.producer.send({ topic: 'T', body: 'x'.repeat(1000), delayTimeLevel: 3 })
    await at.producer.send([MESSAGE, MESSAGE])
    const [delayed, batch] = befores
    assert.equal(delayed!.msgType, 'Delay_Msg')
    assert.ok(delayed!.bodyBytes < 100)
    assert.equal(delayed!.message.body.length, 1000)
    assert.equal(batch!.bodyBytes, at.remoting.sends[1]!.fields.body.length)
    assert.equal(batch!.message.tags, undefined)
  })
})

describe('a CheckForbiddenHook', () => {
  it('is asked before each attempt, before the other hooks, and lets pass what it does not object to', async () => {
    await using at = await scene((send, attempt) => (attempt === 1 ? unreachable(send) : stored(send)))
    const order: string[] = []
    at.producer.registerSendMessageHook({
      hookName: 'recorder',
      sendMessageBefore: () => void order.push('before'),
      sendMessageAfter: () => void order.push('after')
    })
    at.producer.registerCheckForbiddenHook({
      hookName: 'guard',
      checkForbidden: ({ nameSrvAddr, group, mq, brokerAddr, communicationMode, unitMode }) => {
        assert.deepEqual([nameSrvAddr, group, communicationMode, unitMode], ['127.0.0.1:9876', 'pg', 'SYNC', false])
        assert.equal(brokerAddr, `${mq.brokerName}:10911`)
        order.push('check')
      }
    })
    await at.producer.send(MESSAGE)
    assert.deepEqual(order, ['check', 'before', 'after', 'check', 'before', 'after'])
  })

  it('fails the send with its reason, and nothing is sent or told to other hooks', async () => {
    await using at = await scene(send => stored(send))
    const befores: SendMessageContext[] = []
    record(at.producer, befores, [])
    const reason = new Error('not on Sundays')
    at.producer.registerCheckForbiddenHook({
      hookName: 'guard',
      checkForbidden: () => {
        throw reason
      }
    })
    const forbidden = (error: unknown): boolean => {
      assert.ok(error instanceof InvalidArgumentError)
      assert.match(error.message, /the hook guard forbids to send to MessageQueue \[topic=T.*: not on Sundays/)
      assert.equal(error.cause, reason)
      return true
    }
    await assert.rejects(at.producer.send(MESSAGE), forbidden)
    await assert.rejects(at.producer.sendOneway(MESSAGE), forbidden)
    forbidden(await new Promise(resolve => at.producer.send(MESSAGE, resolve)))
    assert.deepEqual([at.remoting.sends.length, at.remoting.onewaySends.length, befores.length], [0, 0, 0])
  })

  it('does not undo that an earlier attempt has stored the message', async () => {
    await using at = await scene(send => stored(send, 11), { retryAnotherBrokerWhenNotStoreOK: true })
    let asked = 0
    at.producer.registerCheckForbiddenHook({ hookName: 'once', checkForbidden: () => assert.ok(++asked === 1) })
    assert.equal((await at.producer.send(MESSAGE)).sendStatus, 'SLAVE_NOT_AVAILABLE')
    assert.equal(asked, 2)
  })

  it('cannot decide later', async () => {
    await using at = await scene(send => stored(send))
    at.producer.registerCheckForbiddenHook({ hookName: 'late', checkForbidden: async () => assert.fail('too late') })
    await assert.rejects(at.producer.send(MESSAGE), /the hook late forbids.*promise, which comes too late/)
  })
})

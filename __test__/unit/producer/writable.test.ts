import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { describe, it } from 'node:test'
import { BrokerError, ConfigError, InvalidArgumentError, SendError, WriteError } from '../../../ts/errors.js'
import { Message } from '../../../ts/message/message.js'
import type { SendResult } from '../../../ts/producer/types.js'
import { MessageWritable } from '../../../ts/producer/writable.js'
import type { WritableOptions } from '../../../ts/producer/writable.js'
import { settle } from '../helpers/fake-remoting.js'

/** A send whose end is up to the test. */
interface Sent {
  readonly message: Message
  readonly acknowledge: () => void
  readonly fail: (error: Error) => void
}

function streamOf(options: WritableOptions): { stream: MessageWritable; sent: Sent[] } {
  const sent: Sent[] = []
  const send = (message: Message): Promise<SendResult> =>
    new Promise((resolve, reject) => {
      sent.push({ message, acknowledge: () => resolve({} as SendResult), fail: reject })
    })
  return { stream: new MessageWritable(send, undefined, options), sent }
}

async function* numbers(count: number): AsyncGenerator<string> {
  for (let index = 0; index < count; index++) yield String(index)
}

describe('a stream of messages', () => {
  it('sends bodies to its topic, and messages to theirs', async () => {
    const { stream, sent } = streamOf({ topic: 'T' })
    stream.write('text')
    stream.write(Buffer.from('bytes'))
    stream.write({ body: 'no topic', tags: 'x' })
    stream.write({ topic: 'U', body: 'other' })
    stream.write(new Message({ topic: 'V', body: 'whole' }))
    assert.deepEqual(
      sent.map(({ message }) => [message.topic, message.body.toString(), message.tags]),
      [
        ['T', 'text', undefined],
        ['T', 'bytes', undefined],
        ['T', 'no topic', 'x'],
        ['U', 'other', undefined],
        ['V', 'whole', undefined]
      ]
    )
    stream.destroy()
  })

  it('takes writes at once up to its limit of messages, then one for each acknowledgement', async () => {
    const { stream, sent } = streamOf({ topic: 'T', maxInFlightMessages: 3 })
    const ended: string[] = []
    for (const body of ['1', '2', '3', '4', '5']) stream.write(body, () => ended.push(body))
    await settle()
    assert.equal(sent.length, 3)
    assert.deepEqual(ended, ['1', '2'])
    sent[1]!.acknowledge()
    await settle()
    assert.equal(sent.length, 4)
    assert.equal(stream.acknowledged, 1)
    stream.destroy()
  })

  it('takes writes at once up to its limit of bytes', async () => {
    const { stream, sent } = streamOf({ topic: 'T', maxInFlightBytes: 10 })
    for (const body of ['12345', '12345', '1']) stream.write(body)
    await settle()
    assert.equal(sent.length, 2)
    sent[0]!.acknowledge()
    await settle()
    assert.equal(sent.length, 3)
    stream.destroy()
  })

  it('reads no more from its source than it may have under way', async () => {
    const { stream, sent } = streamOf({ topic: 'T', maxInFlightMessages: 10 })
    let read = 0
    async function* source() {
      for (; read < 1000; read++) yield 'b'
    }
    const piped = pipeline(source, stream)
    await settle()
    assert.ok(read < 10 + 2 * stream.writableHighWaterMark, `${read} messages were read`)
    for (let index = 0; index < 1000; index++) {
      while (sent[index] === undefined) await settle()
      sent[index]!.acknowledge()
    }
    await piped
    assert.equal(stream.acknowledged, 1000)
  })

  it('finishes when the last message is acknowledged', async () => {
    const { stream, sent } = streamOf({ topic: 'T' })
    let finished = false
    const piped = pipeline(numbers(3), stream).then(() => (finished = true))
    await settle()
    sent[2]!.acknowledge()
    sent[0]!.acknowledge()
    await settle()
    assert.equal(finished, false)
    sent[1]!.acknowledge()
    await piped
    assert.equal(stream.acknowledged, 3)
  })

  it('finishes when nothing was written', async () => {
    await pipeline(Readable.from([]), streamOf({}).stream)
  })

  it('is destroyed by the first message that fails, and says which', async () => {
    const { stream, sent } = streamOf({ topic: 'T' })
    const messages = [{ body: '1' }, { body: '2' }, { body: '3' }]
    const piped = pipeline(messages, stream)
    await settle()
    const cause = new SendError('failed', 'T', [
      { brokerName: 'a', queueId: 0, durationMs: 1, error: new BrokerError(14, 'no', 'a:1', 310) }
    ])
    sent[1]!.fail(cause)
    sent[2]!.fail(cause)
    await assert.rejects(piped, (error: unknown) => {
      assert.ok(error instanceof WriteError && error instanceof SendError)
      assert.equal(error.failedMessage, messages[1])
      assert.equal(error.cause, cause)
      assert.deepEqual([error.code, error.topic, error.responseCode, error.retryable], ['RMQ_SEND', 'T', 14, true])
      assert.equal(error.attempts.length, 1)
      return true
    })
    assert.equal(stream.destroyed, true)
    sent[0]!.acknowledge()
    await settle()
  })

  it('is destroyed by what is no message', async () => {
    for (const wrong of ['text', { body: 5 }, { body: 'b', topic: undefined }]) {
      await assert.rejects(
        pipeline([wrong], streamOf({}).stream),
        (error: unknown) => error instanceof WriteError && error.cause instanceof InvalidArgumentError
      )
    }
  })

  it('is destroyed by its signal, and by that of the pipeline', async () => {
    const abort = new AbortController()
    const { stream, sent } = streamOf({ topic: 'T', signal: abort.signal })
    const piped = pipeline(numbers(2), stream)
    const other = streamOf({ topic: 'T' })
    const otherPiped = pipeline(numbers(2), other.stream, { signal: abort.signal })
    await settle()
    abort.abort()
    await assert.rejects(piped, { name: 'AbortError' })
    await assert.rejects(otherPiped, { name: 'AbortError' })
    sent[0]!.fail(new SendError('late', 'T', []))
    sent[1]!.acknowledge()
    await settle()
    assert.equal(other.stream.destroyed, true)
  })

  it('refuses options that do not exist', () => {
    assert.throws(() => streamOf({ maxInFlight: 3 } as object), ConfigError)
  })
})

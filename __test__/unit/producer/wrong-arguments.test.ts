import assert from 'node:assert/strict'
import { AsyncLocalStorage } from 'node:async_hooks'
import { getEventListeners } from 'node:events'
import { describe, it } from 'node:test'
import { ConfigError, InvalidArgumentError } from '../../../ts/errors.js'
import { Message } from '../../../ts/message/message.js'
import { MessageExt } from '../../../ts/message/message-ext.js'
import { MessageQueue } from '../../../ts/message/message-queue.js'
import { decodeProperties } from '../../../ts/message/properties.js'
import type { ProducerOptions } from '../../../ts/producer/options.js'
import { Producer } from '../../../ts/producer/producer.js'
import { FakeRemoting, registryOf } from '../helpers/fake-remoting.js'
import { recordsAt } from '../helpers/records.js'

const OPTIONS: ProducerOptions = { namesrvAddr: '127.0.0.1:9876', producerGroup: 'pg' }
const MESSAGE = { topic: 'T', body: 'b' }

function routed(): FakeRemoting {
  const remoting = new FakeRemoting()
  remoting.route({ T: { a: 2, b: 2 } })
  remoting.onSend = send => send.pending.onSent(0, send.template.queueId, 7, 0, 'ID', true, undefined)
  return remoting
}

async function started(remoting = routed(), options: Partial<ProducerOptions> = {}): Promise<Producer> {
  const producer = new Producer({ ...OPTIONS, ...options }, registryOf(remoting))
  await producer.start()
  return producer
}

/** A list that lacks its second element. */
const WITH_A_HOLE: unknown[] = Object.assign([], { 0: MESSAGE, 2: MESSAGE })

/** Calls as JavaScript may, whatever the types say. */
type Untyped = (...args: unknown[]) => unknown

describe('wrong arguments of a send', () => {
  const wrongLimits = [
    0,
    -1,
    NaN,
    Infinity,
    '5',
    null,
    { timeoutMs: '5' },
    { signal: {} },
    { signal: 'x' },
    { timeout: 5 }
  ]

  for (const autoBatch of [false, true]) {
    it(`fail the promise with RMQ_ARGUMENT (autoBatch: ${autoBatch})`, async () => {
      const producer = await started(routed(), { autoBatch })
      const send = producer.send.bind(producer) as Untyped
      for (const limits of wrongLimits) {
        await assert.rejects(send(MESSAGE, limits) as Promise<unknown>, InvalidArgumentError, String(limits))
      }
      await producer.shutdown()
    })

    it(`reach the callback where there is one, and nothing is returned (autoBatch: ${autoBatch})`, async () => {
      const producer = await started(routed(), { autoBatch })
      const send = producer.send.bind(producer) as Untyped
      for (const limits of wrongLimits) {
        const error = await new Promise(resolve => assert.equal(send(MESSAGE, limits, resolve), undefined))
        assert.ok(error instanceof InvalidArgumentError, String(limits))
      }
      await producer.shutdown()
    })

    it(`do not include a signal that is null (autoBatch: ${autoBatch})`, async () => {
      const producer = await started(routed(), { autoBatch })
      const options = { signal: null } as never
      await producer.send(MESSAGE, options)
      await producer.sendBatch([MESSAGE, MESSAGE], options)
      await new Promise(resolve => producer.send(MESSAGE, options, resolve))
      await producer.shutdown(options)
    })
  }

  it('say which option was meant', async () => {
    const producer = await started()
    const send = producer.send.bind(producer) as Untyped
    await assert.rejects(send(MESSAGE, { timeout: 5 }) as Promise<unknown>, /no option timeout; did you mean timeoutMs/)
    await assert.rejects(producer.sendBatch([MESSAGE], { maxByte: 5 } as never), /no option maxByte/)
    await producer.shutdown()
  })

  it('are told as such by every method', async () => {
    const producer = await started()
    const calls: Record<string, unknown[][]> = {
      sendBatch: [[null], [{}], [5], [[MESSAGE], null], [[MESSAGE], { messageQueue: { topic: 'T' } }], [WITH_A_HOLE]],
      maxOffset: [[null], [{ topic: 'T' }]],
      searchOffset: [
        [new MessageQueue('T', 'a', 0), NaN],
        [new MessageQueue('T', 'a', 0), 1.5]
      ],
      recallMessage: [
        ['T', undefined],
        [null, 'h'],
        ['T', 'h', null]
      ],
      fetchPublishMessageQueues: [[null], ['a b']],
      createTopic: [
        ['TBW102', 'New', 0],
        ['TBW102', null, 4]
      ],
      send: [[WITH_A_HOLE]]
    }
    for (const [method, all] of Object.entries(calls)) {
      for (const args of all) {
        const call = (producer as unknown as Record<string, Untyped>)[method]!.bind(producer)
        await assert.rejects(call(...args) as Promise<unknown>, InvalidArgumentError, `${method}(${String(args)})`)
      }
    }
    for (const hook of [undefined, null, {}, () => undefined]) {
      assert.throws(() => producer.registerSendMessageHook(hook as never), InvalidArgumentError)
      assert.throws(() => producer.registerCheckForbiddenHook(hook as never), InvalidArgumentError)
    }
    await producer.shutdown()
  })

  it('are told by messages', () => {
    const wrong: object[] = [
      { tags: 5 },
      { tags: null },
      { keys: 5 },
      { keys: null },
      { keys: [5] },
      { properties: null },
      { properties: 'abc' },
      { flag: 'a' },
      { flag: NaN },
      { flag: 1.5 },
      { flag: 2 ** 31 }
    ]
    for (const init of wrong) {
      assert.throws(() => new Message({ ...MESSAGE, ...init }), InvalidArgumentError, JSON.stringify(init))
    }
  })

  it('are told of options', () => {
    const wrong: object[] = [
      { namesrvAddr: 5 },
      { namesrvAddr: null },
      { retryResponseCodes: 5 },
      { topics: ['a b'] },
      { topics: 5 }
    ]
    for (const options of wrong) {
      assert.throws(() => new Producer({ ...OPTIONS, ...options }), ConfigError, JSON.stringify(options))
    }
    assert.throws(() => new Producer(null as never), ConfigError)
  })
})

describe('times', () => {
  it('above what a timer can wait are refused as options and shortened as arguments', async () => {
    assert.throws(() => new Producer({ ...OPTIONS, sendMsgTimeout: 2 ** 31 }), /between 1 and 2147483647/)
    const producer = await started()
    // Its route is not known yet: a timer waits for it.
    const result = await producer.send(MESSAGE, Number.MAX_SAFE_INTEGER)
    assert.equal(result.sendStatus, 'SEND_OK')
    await producer.shutdown()
  })
})

describe('what a user gives', () => {
  it('as a Map of properties is sent', async () => {
    const remoting = routed()
    const producer = await started(remoting)
    await producer.send({ ...MESSAGE, properties: new Map([['u', '1']]) })
    assert.equal(decodeProperties(remoting.sends[0]!.fields.properties).get('u'), '1')
    await producer.shutdown()
  })

  it('as a received message is sent as a new one, with tags, keys, flag and the own properties', async () => {
    const remoting = routed()
    const producer = await started(remoting)
    const received = new MessageExt(recordsAt([5]), 0, { brokerName: 'a' } as never)
    remoting.route({ T: { a: 2, b: 2 }, [received.topic]: { a: 2 } })
    await producer.send(received)
    const { properties, body, flag } = remoting.sends[0]!.fields
    const sent = decodeProperties(properties)
    assert.deepEqual([body, flag], [received.body, received.flag])
    for (const name of ['TAGS', 'KEYS']) assert.equal(sent.get(name), received.getProperty(name))
    assert.notEqual(sent.get('UNIQ_KEY'), received.getProperty('UNIQ_KEY'))
    // Not what the broker noted on it.
    assert.deepEqual([...sent.keys()].toSorted(), ['KEYS', 'TAGS', 'UNIQ_KEY', 'WAIT'])
    await producer.shutdown()
  })

  it('as one signal for many sends has one listener, and none at their end', async () => {
    const remoting = routed()
    const { onSend } = remoting
    const held: Parameters<typeof onSend>[0][] = []
    remoting.onSend = send => void held.push(send)
    const producer = await started(remoting)
    const { signal } = new AbortController()
    await producer.fetchPublishMessageQueues('T')
    const sends = Array.from({ length: 50 }, () => producer.send(MESSAGE, { signal }))
    assert.equal(getEventListeners(signal, 'abort').length, 1)
    while (held.length < 50) await new Promise(resolve => setImmediate(resolve))
    for (const send of held) onSend(send)
    await Promise.all(sends)
    assert.equal(getEventListeners(signal, 'abort').length, 0)
    await producer.shutdown()
  })
})

describe('a callback', () => {
  for (const autoBatch of [false, true]) {
    it(`is called in the async context of its send (autoBatch: ${autoBatch})`, async () => {
      const request = new AsyncLocalStorage<string>()
      const remoting = routed()
      const producer = await request.run('start', () => started(remoting, { autoBatch }))
      const seen = ['A', 'B'].map(name =>
        request.run(
          name,
          () => new Promise<unknown>(resolve => producer.send(MESSAGE, () => resolve(request.getStore())))
        )
      )
      assert.deepEqual(await Promise.all(seen), ['A', 'B'])
      await producer.shutdown()
    })
  }
})

describe('a start that fails', () => {
  it('ends the status, whatever it fails by', async () => {
    for (const producerGroup of ['DEFAULT_PRODUCER', 'bad group']) {
      const producer = new Producer({ ...OPTIONS, producerGroup }, registryOf(routed()))
      const status = producer.status()
      await assert.rejects(producer.start(), ConfigError)
      assert.equal((await status.next()).done, true)
    }
  })

  it('because a function that names the name servers does not answer ends, and a shutdown need not wait for it', async t => {
    t.mock.timers.enable({ apis: ['setTimeout'] })
    const producer = new Producer(
      { ...OPTIONS, namesrvAddr: () => new Promise<never>(() => undefined) },
      registryOf(routed())
    )
    const starting = producer.start()
    const controller = new AbortController()
    const shutdown = producer.shutdown({ signal: controller.signal })
    controller.abort()
    await shutdown
    t.mock.timers.tick(10_000)
    await assert.rejects(starting, /the function namesrvAddr failed: it did not answer within 10000 ms/)
  })
})

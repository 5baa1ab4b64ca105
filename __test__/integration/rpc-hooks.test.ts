/** Hooks that see what a client asks and what it is answered. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { type HookedRequest, Message, Producer, type RPCHook, type Server, startServer } from '../../ts/index.js'
import { withProperties } from '../../ts/message/message.js'
import { TestConsumer, sendTexts } from './helpers/clients.js'
import { until } from '../interop/helpers/until.js'

class Recorder implements RPCHook {
  readonly requests: [address: string, request: HookedRequest][] = []
  readonly answers: [code: number, answer: number][] = []

  doBeforeRequest(address: string, request: HookedRequest): void {
    this.requests.push([address, { ...request, extFields: { ...request.extFields } }])
  }

  doAfterResponse(_address: string, request: HookedRequest, response: { code: number }): void {
    this.answers.push([request.code, response.code])
  }

  asked(code: number): HookedRequest[] {
    return this.requests.filter(([, request]) => request.code === code).map(([, request]) => request)
  }
}

describe('hooks of a client', () => {
  let server: Server
  before(async () => void (server = await startServer()))
  after(() => server.shutdown())

  it('see routes, heartbeats, sends and pulls with their answers, and messages arrive all the same', async () => {
    const recorder = new Recorder()
    const options = { namesrvAddr: server.nameServerAddress, rpcHook: recorder }
    await using producer = new Producer({ ...options, producerGroup: 'hooked' })
    await producer.start()
    await sendTexts(producer, 'Hooked', ['one'])
    await producer.send([
      { topic: 'Hooked', body: 'two' },
      { topic: 'Hooked', body: 'three' }
    ])
    await producer.sendOneway({ topic: 'Hooked', body: 'four' })
    const [send] = recorder.asked(310)
    assert.deepEqual(
      [send!.extFields['a'], send!.extFields['b'], Buffer.from(send!.body!).toString()],
      ['hooked', 'Hooked', 'one']
    )
    assert.equal(recorder.asked(310).length, 2)
    assert.equal(recorder.asked(320).length, 1)
    assert.deepEqual(
      recorder.answers.filter(([code]) => code === 310 || code === 320),
      [
        [310, 0],
        [320, 0]
      ]
    )
    await until('the heartbeat is answered', () => recorder.answers.some(([code]) => code === 34))
    assert.ok(recorder.requests.some(([address, { code }]) => code === 105 && address === server.nameServerAddress))

    await using consumer = await TestConsumer.start(server, { topic: 'Hooked', rpcHook: recorder })
    await consumer.untilReceived(4)
    assert.deepEqual(consumer.bodies, ['four', 'one', 'three', 'two'])
    assert.ok(recorder.answers.some(([code, answer]) => code === 11 && answer === 0))
  })

  it('see replies under their own code, and the namespace goes along', async () => {
    const recorder = new Recorder()
    const options = { namesrvAddr: server.nameServerAddress, rpcHook: recorder, namespaceV2: 'ns' }
    await using producer = new Producer({ ...options, producerGroup: 'hooked' })
    await producer.start()
    const reply = withProperties(new Message({ topic: 'Hooked', body: 'pong' }), { MSG_TYPE: 'reply' })
    // Our broker has no request-reply yet.
    await assert.rejects(producer.send(reply), { code: 'RMQ_NOT_SUPPORTED' })
    assert.deepEqual([recorder.asked(325).length, recorder.asked(310).length], [1, 0])
  })

  it('may add to a request, and fail it', async () => {
    let refuse = false
    const rpcHook: RPCHook = {
      doBeforeRequest(_address, request) {
        request.extFields['AccessKey'] = 'me'
        if (refuse) throw new Error('not this one')
      },
      doAfterResponse(_address, request) {
        assert.equal(request.extFields['AccessKey'], 'me')
      }
    }
    const options = { namesrvAddr: server.nameServerAddress, rpcHook, onError: () => undefined }
    await using producer = new Producer({ ...options, producerGroup: 'hooked' })
    await producer.start()
    await sendTexts(producer, 'Hooked', ['five'])
    refuse = true
    await assert.rejects(producer.send({ topic: 'Hooked', body: 'six' }), /not this one/)
    refuse = false
  })
})

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Producer } from '../../../ts/producer/producer.js'
import { FakeRemoting, registryOf, settle } from '../helpers/fake-remoting.js'

describe('the VIP channel of a broker', () => {
  for (const [vipChannelEnabled, port] of [
    [true, 10_909],
    [false, 10_911]
  ] as const) {
    it(`${vipChannelEnabled ? 'gets' : 'does not get'} the sends, and heartbeats never`, async () => {
      const remoting = new FakeRemoting()
      remoting.route({ T: { a: 1 } })
      remoting.onSend = ({ pending }) => pending.onSent(0, 0, 0, 0, 'id', true, undefined)
      const producer = new Producer(
        { namesrvAddr: '127.0.0.1:9876', producerGroup: 'pg', vipChannelEnabled },
        registryOf(remoting)
      )
      await producer.start()
      await producer.send({ topic: 'T', body: 'b' })
      await producer.sendOneway({ topic: 'T', body: 'b' })
      await settle()
      assert.equal(remoting.sends[0]!.address, `a:${port}`)
      assert.equal(remoting.onewaySends[0]!.address, `a:${port}`)
      assert.deepEqual(new Set(remoting.requestsOf(34).map(({ address }) => address)), new Set(['a:10911']))
      await producer.shutdown()
    })
  }
})

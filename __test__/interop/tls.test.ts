/** Our client on Apache's servers with TLS. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, describe, it } from 'node:test'
import {
  ConnectionError,
  Producer,
  PushConsumer,
  type RocketMQError,
  RouteError,
  SendStatus,
  type TlsOptions
} from '../../ts/index.js'
import { ApacheBroker, ApacheNameServer } from './helpers/apache-server.js'
import { TemporaryDirectory } from './helpers/owned.js'
import { tlsFixture, tlsFlags } from './helpers/secured-flags.js'
import { until } from './helpers/until.js'

const CA = tlsFixture('ca.pem')
const CLIENT = { ca: CA, cert: tlsFixture('client.pem'), key: tlsFixture('client.key') }

function body(size: number): Buffer {
  return Buffer.from(Array.from({ length: size + 1 }, (_, i) => (i * 7) % 251))
}

/** A name server and a broker, and what clients do there. */
class Cluster {
  readonly directory = new TemporaryDirectory()
  nameServer!: ApacheNameServer
  broker!: ApacheBroker

  get address(): string {
    return this.nameServer.address
  }

  producer(tls: boolean | TlsOptions): Producer {
    return new Producer({
      namesrvAddr: this.address,
      producerGroup: 'TlsProducers',
      tls,
      sendMsgTimeout: 10_000,
      onError: () => undefined
    })
  }

  /** Why nothing can be sent with these options: what ended the connection to the name server. */
  async refusal(tls: boolean | TlsOptions): Promise<RocketMQError> {
    await using producer = this.producer(tls)
    await producer.start()
    const error: unknown = await producer.send({ topic: 'Refused', body: 'refused' }).then(
      () => assert.fail('it was accepted'),
      (reason: unknown) => reason
    )
    let cause = error
    while (cause instanceof RouteError && cause.cause !== undefined) cause = cause.cause
    assert.ok(cause instanceof ConnectionError, String(error))
    return cause
  }

  /** Sends small and large messages and consumes them. */
  async exchange(topic: string, tls: boolean | TlsOptions): Promise<void> {
    await using producer = this.producer(tls)
    await producer.start()
    const sizes = [0, 1, 100, 16_384, 100_000, 4_000_000]
    const results = await Promise.all(sizes.map(size => producer.send({ topic, body: body(size), keys: String(size) })))
    for (const result of results) assert.equal(result.sendStatus, SendStatus.SEND_OK)
    await Promise.all(
      Array.from({ length: 500 }, (_, i) => producer.send({ topic, body: `message ${i}`, keys: 'small' }))
    )
    const received = new Map<string, Buffer>()
    let small = 0
    await using consumer = new PushConsumer({
      namesrvAddr: this.address,
      consumerGroup: `Group${topic}`,
      consumeFromWhere: 'CONSUME_FROM_FIRST_OFFSET',
      tls
    })
    consumer.subscribe(topic, '*')
    consumer.registerMessageListener(messages => {
      for (const message of messages) {
        if (message.keys === 'small') small++
        else received.set(message.keys!, message.body)
      }
    })
    await consumer.start()
    await until('everything arrives', () => received.size === sizes.length && small >= 500)
    for (const size of sizes) assert.ok(received.get(String(size))!.equals(body(size)), `${size} bytes`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const each of [this.broker, this.nameServer]) await each?.[Symbol.asyncDispose]()
    this.directory[Symbol.dispose]()
  }
}

describe("our client on Apache's servers that speak TLS and plain TCP on one port", () => {
  const cluster = new Cluster()

  before(async () => {
    const heap = tlsFlags(cluster.directory, { mode: 'permissive', clientAuth: false })
    cluster.nameServer = await ApacheNameServer.start(heap)
    cluster.broker = await ApacheBroker.start({ nameServerPort: cluster.nameServer.port, heap })
  })

  after(() => cluster[Symbol.asyncDispose]())

  it('messages small and large are sent and consumed with TLS', () => cluster.exchange('TlsTopic', { ca: CA }))

  it('and without', () => cluster.exchange('PlainTopic', false))

  it('authorities may be given as text or bytes, beside others', () =>
    cluster.exchange('TextTopic', { ca: [readFileSync(tlsFixture('other-ca.pem'), 'utf8'), readFileSync(CA)] }))

  it('servers that no trusted authority has signed are refused', async () => {
    for (const tls of [true, { ca: tlsFixture('other-ca.pem') }]) {
      const error = await cluster.refusal(tls)
      assert.match(
        error.message,
        new RegExp(`cannot connect to ${cluster.address}: .*trust another one with the option tls.ca`)
      )
    }
  })

  it('servers with another name are refused', async () => {
    const error = await cluster.refusal({ ca: CA, servername: 'elsewhere.test' })
    assert.match(error.message, /not valid for name "elsewhere\.test".*127\.0\.0\.1.*tls\.servername/)
  })

  it('servers are known by the name that is expected, by any, or not at all, when asked so', async () => {
    await cluster.exchange('NamedTopic', { ca: CA, servername: 'broker.test' })
    await cluster.exchange('AnyNameTopic', { ca: CA, servername: 'elsewhere.test', checkServerIdentity: false })
    await cluster.exchange('UnknownTopic', { rejectUnauthorized: false })
  })
})

describe("our client on Apache's servers that demand TLS and a certificate of the client", () => {
  const cluster = new Cluster()

  before(async () => {
    const { directory } = cluster
    const harness = { ca: readFileSync(CA), cert: readFileSync(CLIENT.cert), key: readFileSync(CLIENT.key) }
    // Both versions of TLS, as a refusal for want of a certificate comes differently in them.
    const old = tlsFlags(directory, { mode: 'enforcing', clientAuth: true, protocols: 'TLSv1.2' })
    cluster.nameServer = await ApacheNameServer.start(old, harness)
    cluster.broker = await ApacheBroker.start({
      nameServerPort: cluster.nameServer.port,
      nameServerTls: harness,
      heap: tlsFlags(directory, { mode: 'enforcing', clientAuth: true })
    })
  })

  after(() => cluster[Symbol.asyncDispose]())

  it('messages are sent and consumed with a certificate', () => cluster.exchange('MutualTopic', CLIENT))

  it('the key may be encrypted', () =>
    cluster.exchange('PassphraseTopic', {
      ...CLIENT,
      key: tlsFixture('client-encrypted.key'),
      passphrase: 'the passphrase'
    }))

  it('without a certificate the connection is refused, and the error names the options', async () => {
    const error = await cluster.refusal({ ca: CA })
    assert.match(error.message, /tls\.cert and tls\.key/)
  })

  it('a broker that speaks TLS 1.3 alone refuses as clearly', async () => {
    await using alone = await ApacheNameServer.start(
      tlsFlags(cluster.directory, { mode: 'enforcing', clientAuth: true, protocols: 'TLSv1.3' }),
      { ca: readFileSync(CA), cert: readFileSync(CLIENT.cert), key: readFileSync(CLIENT.key) }
    )
    await using producer = new Producer({ namesrvAddr: alone.address, producerGroup: 'P', tls: { ca: CA } })
    await producer.start()
    const error: unknown = await producer.send({ topic: 'Refused', body: 'refused' }).catch((reason: unknown) => reason)
    const texts: string[] = []
    for (let at = error; at instanceof Error; at = at.cause) texts.push(at.message)
    assert.match(texts.join('\n'), /tls\.cert and tls\.key/)
  })

  it('without TLS the connection is refused, and the error names the option', async () => {
    const error = await cluster.refusal(false)
    assert.match(error.message, /if it demands TLS, give the option tls/)
  })
})

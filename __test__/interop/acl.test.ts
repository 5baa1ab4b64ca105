/** Our client on an Apache broker that demands signatures and permissions (ACL 2.0, which takes the signatures of ACL 1.0). */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import {
  BrokerError,
  Producer,
  PushConsumer,
  SendError,
  SendStatus,
  SessionCredentials,
  type SessionCredentialsInit,
  TransactionProducer
} from '../../ts/index.js'
import { RemotingClient } from '../../ts/remoting/remoting-client.js'
import { ApacheBroker, ApacheNameServer } from './helpers/apache-server.js'
import { TemporaryDirectory } from './helpers/owned.js'
import { mqadmin, type User } from './helpers/secured-admin.js'
import { tlsFixture, tlsFlags } from './helpers/secured-flags.js'
import { until } from './helpers/until.js'

const AUTH = 'org.apache.rocketmq.auth'
const ADMIN: User = { accessKey: 'rocketmq', secretKey: 'the-admin-secret' }
const ALICE: User = { accessKey: 'alice', secretKey: 'the-secret-of-alice' }
const TOPIC = 'AclTopic'
const GROUP = 'AclGroup'

describe("our client on Apache's broker with ACL 2.0", () => {
  const directory = new TemporaryDirectory()
  let nameServer: ApacheNameServer
  let broker: ApacheBroker

  before(async () => {
    const heap = tlsFlags(directory, { mode: 'permissive', clientAuth: false })
    nameServer = await ApacheNameServer.start(heap)
    broker = await ApacheBroker.start({
      heap,
      nameServerPort: nameServer.port,
      properties: {
        transactionTimeOut: 500,
        transactionCheckInterval: 500,
        transactionOpBatchInterval: 20,
        authenticationEnabled: true,
        authenticationProvider: `${AUTH}.authentication.provider.DefaultAuthenticationProvider`,
        authenticationMetadataProvider: `${AUTH}.authentication.provider.LocalAuthenticationMetadataProvider`,
        initAuthenticationUser: JSON.stringify({ username: ADMIN.accessKey, password: ADMIN.secretKey }),
        innerClientAuthenticationCredentials: JSON.stringify(ADMIN),
        authorizationEnabled: true,
        authorizationProvider: `${AUTH}.authorization.provider.DefaultAuthorizationProvider`,
        authorizationMetadataProvider: `${AUTH}.authorization.provider.LocalAuthorizationMetadataProvider`
      }
    })
    const b = broker.address
    const retry = `Group:${GROUP}JSON,Group:${GROUP}ROCKETMQ,Group:${GROUP}`
    await mqadmin(
      ADMIN,
      nameServer.address,
      `createUser -b ${b} -u ${ALICE.accessKey} -p ${ALICE.secretKey} -t Normal`,
      `createAcl -b ${b} -s User:${ALICE.accessKey} -r Topic:${TOPIC},${retry} -a Pub,Sub -d Allow`,
      `updateTopic -b ${b} -t ${TOPIC} -r 4 -w 4`,
      `updateTopic -b ${b} -t NotForAlice -r 1 -w 1`
    )
  })

  after(async () => {
    for (const each of [broker, nameServer]) await each?.[Symbol.asyncDispose]()
    directory[Symbol.dispose]()
  })

  function producer(
    credentials: SessionCredentials | SessionCredentialsInit | undefined,
    serializeType: 'JSON' | 'ROCKETMQ' = 'ROCKETMQ'
  ): Producer {
    return new Producer({
      namesrvAddr: nameServer.address,
      producerGroup: 'AclProducers',
      credentials,
      serializeType,
      sendMsgTimeout: 10_000,
      retryTimesWhenSendFailed: 0,
      onError: () => undefined
    })
  }

  /** Why a send with these credentials is refused. */
  async function refusal(credentials: SessionCredentialsInit | undefined, topic = TOPIC): Promise<BrokerError> {
    await using refused = producer(credentials)
    await refused.start()
    const error = await refused.send({ topic, body: 'refused' }).then(
      () => assert.fail('it was accepted'),
      (reason: unknown) => reason
    )
    assert.ok(error instanceof SendError, String(error))
    assert.ok(error.cause instanceof BrokerError, String(error.cause))
    assert.equal(error.responseCode, 16)
    return error.cause
  }

  for (const serializeType of ['JSON', 'ROCKETMQ'] as const) {
    it(`sends, batches and one-way sends of a user are taken, and what he consumes, with ${serializeType} headers`, async () => {
      const received: string[] = []
      const errors: Error[] = []
      await using sender = producer(ALICE, serializeType)
      await sender.start()
      const body = (text: string) => ({ topic: TOPIC, body: `${serializeType} ${text}`, keys: 'grüße', tags: 'a' })
      for (let i = 0; i < 20; i++) {
        assert.equal((await sender.send(body(`one ${i}`))).sendStatus, SendStatus.SEND_OK)
      }
      await sender.send([body('batch 0'), body('batch 1')])
      await sender.sendOneway(body('oneway'))
      const consumerOf = () => {
        const consumer = new PushConsumer({
          namesrvAddr: nameServer.address,
          consumerGroup: GROUP + serializeType,
          consumeFromWhere: 'CONSUME_FROM_FIRST_OFFSET',
          credentials: ALICE,
          serializeType,
          onError: error => errors.push(error)
        })
        consumer.subscribe(TOPIC, 'a')
        consumer.registerMessageListener(messages => {
          for (const message of messages) {
            const text = message.body.toString()
            if (text.startsWith(`${serializeType} `)) received.push(text)
          }
        })
        return consumer
      }
      {
        await using consumer = consumerOf()
        await consumer.start()
        await until('everything arrives', () => received.length >= 23)
      }
      assert.equal(new Set(received).size, 23)
      // The offsets are with the broker when the shutdown has ended: the next member begins behind them.
      await using next = consumerOf()
      await next.start()
      await sender.send(body('last'))
      await until('the last message arrives', () => received.includes(`${serializeType} last`))
      assert.deepEqual(received.slice(23), [`${serializeType} last`])
      assert.deepEqual(errors, [])
    })
  }

  it('transactions of a user end as he says, at once or when the broker asks', async () => {
    const received: string[] = []
    const asked: string[] = []
    const errors: Error[] = []
    const onError = (error: Error) => errors.push(error)
    const options = { namesrvAddr: nameServer.address, credentials: ALICE, onError }
    await using sender = new TransactionProducer({
      ...options,
      producerGroup: 'AclTransactions',
      transactionListener: {
        checkLocalTransaction: message => {
          asked.push(message.body.toString())
          return 'COMMIT_MESSAGE'
        }
      }
    })
    await using consumer = new PushConsumer({
      ...options,
      consumerGroup: GROUP,
      consumeFromWhere: 'CONSUME_FROM_FIRST_OFFSET'
    })
    consumer.subscribe(TOPIC, 'transacted')
    consumer.registerMessageListener(messages => {
      received.push(...messages.map(({ body }) => body.toString()))
    })
    await Promise.all([sender.start(), consumer.start()])
    const message = (body: string) => ({ topic: TOPIC, tags: 'transacted', body })
    await sender.sendMessageInTransaction(message('rolled back'), () => 'ROLLBACK_MESSAGE')
    await sender.sendMessageInTransaction(message('committed'), () => 'COMMIT_MESSAGE')
    await until('what was committed arrives', () => received.includes('committed'))
    await sender.sendMessageInTransaction(message('asked for'), () => 'UNKNOW')
    await until('the broker has asked', () => received.includes('asked for'))
    // One that is not known to have ended would be asked for before those after it.
    assert.deepEqual([received, asked, errors], [['committed', 'asked for'], ['asked for'], []])
  })

  it('a security token is signed along', async () => {
    await using sender = producer({ ...ALICE, securityToken: 'token/+=' })
    await sender.start()
    assert.equal((await sender.send({ topic: TOPIC, body: 'with a token' })).sendStatus, SendStatus.SEND_OK)
  })

  it('an empty value of a header is signed as the broker reads it', async () => {
    const GET_CONSUMER_LIST_BY_GROUP = 38
    for (const serializeType of ['JSON', 'ROCKETMQ'] as const) {
      const client = new RemotingClient({ serializeType, credentials: new SessionCredentials(ALICE) })
      try {
        const extFields = { consumerGroup: GROUP, topic: '' }
        const request = { code: GET_CONSUMER_LIST_BY_GROUP, extFields }
        const { remark } = await client.invoke(broker.address, request, { timeoutMs: 10_000 })
        assert.match(remark ?? '', /no consumer for this group/, serializeType)
      } finally {
        await client.close()
      }
    }
  })

  it('signatures travel through TLS, and a wrong key is refused there too', async () => {
    for (const [secretKey, outcome] of [
      [ALICE.secretKey, undefined],
      ['a-wrong-secret', /check signature failed/]
    ] as const) {
      await using sender = new Producer({
        namesrvAddr: nameServer.address,
        producerGroup: 'AclTlsProducers',
        credentials: { ...ALICE, secretKey },
        tls: { ca: tlsFixture('ca.pem') },
        onError: () => undefined
      })
      await sender.start()
      const sent = sender.send({ topic: TOPIC, body: 'signed and encrypted' })
      if (outcome === undefined) assert.equal((await sent).sendStatus, SendStatus.SEND_OK)
      else await assert.rejects(sent, outcome)
    }
  })

  it('a wrong key is refused, and the error says whose key it was and shows no secret', async () => {
    const error = await refusal({ ...ALICE, secretKey: 'a-wrong-secret' })
    assert.match(
      error.message,
      /check signature failed\. \(signed with access key "alice": see that credentials\.secretKey/
    )
    assert.doesNotMatch(JSON.stringify(error) + error.stack, /a-wrong-secret/)
  })

  it('an unknown user is refused, and the error says what makes users', async () => {
    const error = await refusal({ accessKey: 'nobody', secretKey: 'any' })
    assert.match(error.message, /User:nobody is not found\. .*"nobody".*mqadmin createUser/)
  })

  it('a client without credentials is refused, and the error names the option', async () => {
    const error = await refusal(undefined)
    assert.match(error.message, /give the option credentials/)
  })

  it('a topic without permission is refused, and the error names user, topic and remedy', async () => {
    const error = await refusal(ALICE, 'NotForAlice')
    assert.match(error.message, /User:alice has no permission to access Topic:NotForAlice from 127\.0\.0\.1/)
    assert.match(error.message, /mqadmin createAcl or updateAcl grants it with action Pub .* on Topic:NotForAlice/)
  })

  it('a consumer without permission hears of it through onError, and receives nothing', async () => {
    const errors: string[] = []
    await using consumer = new PushConsumer({
      namesrvAddr: nameServer.address,
      consumerGroup: 'NotAlices',
      credentials: ALICE,
      onError: error => errors.push(error.message)
    })
    consumer.subscribe(TOPIC, '*')
    consumer.registerMessageListener(() => void errors.push('a message came'))
    await consumer.start()
    await until('it is told', () => errors.length > 0)
    assert.match(errors[0]!, /User:alice has no permission to access Group:NotAlices .*action Sub on Group:NotAlices/)
    assert.ok(!errors.includes('a message came'))
  })

  it('keys may change while a client runs', async () => {
    const b = broker.address
    const bob = { accessKey: 'bob', secretKey: 'first-secret' }
    await mqadmin(
      ADMIN,
      nameServer.address,
      `createUser -b ${b} -u bob -p ${bob.secretKey} -t Normal`,
      `createAcl -b ${b} -s User:bob -r Topic:${TOPIC} -a Pub -d Allow`
    )
    const credentials = new SessionCredentials(bob)
    await using sender = producer(credentials)
    await sender.start()
    await sender.send({ topic: TOPIC, body: 'the first key' })
    await mqadmin(ADMIN, nameServer.address, `updateUser -b ${b} -u bob -p second-secret`)
    await assert.rejects(sender.send({ topic: TOPIC, body: 'the old key' }), /check signature failed/)
    credentials.update({ accessKey: 'bob', secretKey: 'second-secret' })
    assert.equal((await sender.send({ topic: TOPIC, body: 'the second key' })).sendStatus, SendStatus.SEND_OK)
  })
})

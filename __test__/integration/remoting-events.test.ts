/** What listeners to the channels of requests and connections are told. */
import assert from 'node:assert/strict'
import { channel, tracingChannel } from 'node:diagnostics_channel'
import { it } from 'node:test'
import { ConnectionError, startServer } from '../../ts/index.js'
import { RemotingClient } from '../../ts/remoting/remoting-client.js'
import type { RequestEvent } from '../../ts/remoting/remoting-events.js'
import { freePort } from '../interop/helpers/ports.js'
import { until } from '../interop/helpers/until.js'

const GET_ROUTEINFO_BY_TOPIC = 105

it('requests are told with the code of their answer or what came instead, connections when they have ended', async t => {
  const said: string[] = []
  const handlers = {
    start: ({ code, bodyBytes }: RequestEvent) => void said.push(`start ${code} ${bodyBytes}`),
    end: ({ code }: RequestEvent) => void said.push(`end ${code}`),
    asyncStart: ({ responseCode }: RequestEvent) => void said.push(`asyncStart ${responseCode}`),
    asyncEnd: ({ responseCode }: RequestEvent) => void said.push(`asyncEnd ${responseCode}`),
    error: ({ error }: RequestEvent) => void said.push(`error ${(error as Error).name}`)
  }
  const requests = tracingChannel<unknown, RequestEvent>('rocketmq-native:request')
  requests.subscribe(handlers)
  t.after(() => requests.unsubscribe(handlers))
  const closed: unknown[] = []
  const onClosed = (event: unknown): void => void closed.push(event)
  const connections = channel('rocketmq-native:connection:closed')
  connections.subscribe(onClosed)
  t.after(() => connections.unsubscribe(onClosed))

  const server = await startServer()
  const client = new RemotingClient()
  t.after(() => client.close())
  const request = { code: GET_ROUTEINFO_BY_TOPIC, extFields: { topic: 'Nowhere' }, body: Buffer.from('abc') }
  await client.invoke(server.nameServerAddress, request, { timeoutMs: 10_000 })
  const nobody = `127.0.0.1:${await freePort()}`
  await assert.rejects(client.invoke(nobody, { code: 34 }, { timeoutMs: 10_000 }), ConnectionError)
  assert.deepEqual(said, [
    'start 105 3',
    'end 105',
    'asyncStart 17',
    'asyncEnd 17',
    'start 34 0',
    'end 34',
    'error ConnectionError',
    'asyncStart undefined',
    'asyncEnd undefined'
  ])

  const address = server.nameServerAddress
  await server.shutdown()
  const told = await until('the end of the connection', () =>
    (closed as { address: string; reason: string }[]).find(event => event.address === address)
  )
  assert.notEqual(told.reason, '')
})

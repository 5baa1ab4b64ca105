/** Apache's Java client on our name server and broker. */
import { after, before, describe } from 'node:test'
import { describeExchange } from './helpers/exchange.js'
import { JavaClient } from './helpers/java-client.js'
import { NativeClient } from './helpers/native-client.js'
import { NativeServer } from './helpers/native-server.js'

describe("Apache's client on our name server and broker", () => {
  const ours = new NativeClient()
  let server: NativeServer
  let json: JavaClient
  let binary: JavaClient

  before(async () => {
    ;[server, json, binary] = await Promise.all([
      NativeServer.start(),
      JavaClient.start('JSON'),
      JavaClient.start('ROCKETMQ')
    ])
  })

  after(async () => {
    for (const each of [json, binary, server]) await each?.[Symbol.asyncDispose]()
  })

  const place = () => ({ nameServer: server.nameServer, brokerPort: server.port })
  describeExchange('with JSON headers', () => ({ sender: json, receiver: json, ...place() }))
  describeExchange('with ROCKETMQ headers', () => ({ sender: binary, receiver: binary, ...place() }))
  describeExchange('sends what our client receives', () => ({ sender: json, receiver: ours, ...place() }))
  describeExchange('receives what our client sends', () => ({ sender: ours, receiver: binary, ...place() }))
})

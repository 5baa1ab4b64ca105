/** Our client on Apache's name server and broker. */
import { after, before, describe } from 'node:test'
import { ApacheBroker, ApacheNameServer } from './helpers/apache-server.js'
import { describeExchange } from './helpers/exchange.js'
import { JavaClient } from './helpers/java-client.js'
import { NativeClient } from './helpers/native-client.js'

describe("our client on Apache's name server and broker", () => {
  const json = new NativeClient('JSON')
  const binary = new NativeClient('ROCKETMQ')
  let nameServer: ApacheNameServer
  let broker: ApacheBroker
  let java: JavaClient

  before(async () => {
    nameServer = await ApacheNameServer.start()
    ;[broker, java] = await Promise.all([
      ApacheBroker.start({ nameServerPort: nameServer.port }),
      JavaClient.start('ROCKETMQ')
    ])
  })

  after(async () => {
    for (const each of [java, broker, nameServer]) await each?.[Symbol.asyncDispose]()
  })

  const place = () => ({ nameServer: nameServer.address, brokerPort: broker.port })
  describeExchange('with JSON headers', () => ({ sender: json, receiver: json, ...place() }))
  describeExchange('with ROCKETMQ headers', () => ({ sender: binary, receiver: binary, ...place() }))
  describeExchange("sends what Apache's client receives", () => ({ sender: binary, receiver: java, ...place() }))
  describeExchange("receives what Apache's client sends", () => ({ sender: java, receiver: binary, ...place() }))
})

/** Brokers at the other side's name server. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { ApacheBroker, ApacheNameServer } from './helpers/apache-server.js'
import { crcOf } from './helpers/bodies.js'
import type { Client } from './helpers/client.js'
import { arrived } from './helpers/exchange.js'
import { JavaClient } from './helpers/java-client.js'
import { NativeClient } from './helpers/native-client.js'
import { NativeNameServer, NativeServer } from './helpers/native-server.js'
import { brokerRegistered } from './helpers/raw-command.js'
import { until } from './helpers/until.js'

const COUNT = 20
const BYTES = 100

async function assertDelivers(client: Client, nameServer: string, topic: string): Promise<void> {
  await client.produce({ nameServer, topic, group: `p_${topic}`, count: COUNT, bytes: BYTES })
  await using member = await client.join({ nameServer, topic, group: `c_${topic}` })
  const received = await arrived(member, 0, COUNT)
  for (const row of received.values()) assert.equal(row.crc32, crcOf(row.index, BYTES))
}

describe("a broker at the other side's name server", () => {
  const native = new NativeClient()
  let java: JavaClient

  before(async () => {
    java = await JavaClient.start()
  })

  after(() => java?.[Symbol.asyncDispose]())

  it("is found by both clients when it is our broker at Apache's name server, and leaves when it stops", async () => {
    await using nameServer = await ApacheNameServer.start()
    await using broker = await NativeServer.start({ nameServerPort: nameServer.port })
    await assertDelivers(java, nameServer.address, 'OursAtApachesByJava')
    await assertDelivers(native, nameServer.address, 'OursAtApachesByTypeScript')
    await broker.stop()
    await until('the broker is unregistered', async () => !(await brokerRegistered(nameServer.port)))
  })

  it("is found by both clients when it is Apache's broker at our name server", async () => {
    await using nameServer = await NativeNameServer.start()
    await using broker = await ApacheBroker.start({ nameServerPort: nameServer.port })
    assert.ok(broker.process.running, 'Apache registered')
    await assertDelivers(java, nameServer.address, 'ApachesAtOursByJava')
    await assertDelivers(native, nameServer.address, 'ApachesAtOursByTypeScript')
  })
})

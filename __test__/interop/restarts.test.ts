/** Our producer on Apache's broker, which is killed and started again. */
import { after, before, describe, it } from 'node:test'
import { ApacheBroker, ApacheNameServer } from './helpers/apache-server.js'
import { TemporaryDirectory } from './helpers/owned.js'
import { sendThroughRestarts } from './helpers/restarts.js'

describe("a producer under load on Apache's broker", () => {
  let nameServer: ApacheNameServer
  before(async () => void (nameServer = await ApacheNameServer.start()))
  after(() => nameServer[Symbol.asyncDispose]())

  it('goes on through 3 kills of the broker, and loses nothing', async () => {
    using directory = new TemporaryDirectory()
    await sendThroughRestarts(3, async () => {
      const options = { nameServerPort: nameServer.port, storeDirectory: directory.path }
      return Object.assign(await ApacheBroker.start(options), { nameServer: nameServer.address })
    })
  })
})

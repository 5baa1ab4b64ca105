/** A producer whose broker and name server are killed and come back elsewhere. */
import { describe, it } from 'node:test'
import { NativeServer } from '../interop/helpers/native-server.js'
import { TemporaryDirectory } from '../interop/helpers/owned.js'
import { sendThroughRestarts } from '../interop/helpers/restarts.js'

describe('a producer under load', () => {
  for (const autoBatch of [false, true]) {
    it(`goes on through 10 kills of its broker${autoBatch ? ', with automatic batching' : ''}, and loses nothing`, async () => {
      using directory = new TemporaryDirectory()
      const options = { storeDirectory: directory.path, properties: { flushDiskType: 'SYNC_FLUSH' } }
      await sendThroughRestarts(10, () => NativeServer.start(options), { autoBatch })
    })
  }
})

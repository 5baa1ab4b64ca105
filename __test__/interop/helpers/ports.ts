import { once } from 'node:events'
import { createServer } from 'node:net'
import { randomInt } from 'node:crypto'

// Below the ports that systems give to outgoing connections: one of those could take a port between its being found
// free here and its being bound by the server it is for.
const LOWEST_PORT = 12_000
const HIGHEST_PORT = 31_000

/** Whether this process could listen on `port` of every address just now. */
async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port, '0.0.0.0')
  try {
    await once(server, 'listening')
  } catch {
    return false
  }
  server.close()
  await once(server, 'close')
  return true
}

/**
 * A port that is free, together with those at the given distances from it: Apache's broker listens on listenPort, on
 * listenPort - 2 (the "VIP channel") and on haListenPort.
 */
export async function freePort(alsoAt: readonly number[] = []): Promise<number> {
  for (;;) {
    const port = randomInt(LOWEST_PORT, HIGHEST_PORT)
    const free = await Promise.all([0, ...alsoAt].map(distance => isFree(port + distance)))
    if (free.every(Boolean)) return port
  }
}

import { once } from 'node:events'
import { type AddressInfo, createServer, type Server } from 'node:net'

async function listen(port: number): Promise<Server> {
  const server = createServer().listen(port, '127.0.0.1')
  await once(server, 'listening')
  return server
}

async function close(server: Server): Promise<void> {
  server.close()
  await once(server, 'close')
}

/** Whether this process could listen on 127.0.0.1:`port` just now. */
async function isFree(port: number): Promise<boolean> {
  try {
    await close(await listen(port))
    return true
  } catch {
    return false
  }
}

/**
 * A port that is free on 127.0.0.1, together with those at the given distances from it: Apache's broker listens on
 * listenPort, on listenPort - 2 (the "VIP channel") and on haListenPort.
 */
export async function freePort(alsoAt: readonly number[] = []): Promise<number> {
  for (;;) {
    const server = await listen(0)
    const { port } = server.address() as AddressInfo
    await close(server)
    const neighbours = await Promise.all(alsoAt.map(distance => isFree(port + distance)))
    if (neighbours.every(Boolean)) return port
  }
}

/** The real Apache name server and broker, as child processes on loopback. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { ConnectionOptions } from 'node:tls'
import { peerClassPath, PEER_JVM_FLAGS } from './java-peer.js'
import { OwnedProcess, TemporaryDirectory } from './owned.js'
import { freePort } from './ports.js'
import { answers, brokerRegistered } from './raw-command.js'
import { type BrokerProperties, type ServerProcess, untilReady, writeProperties } from './server-process.js'

/** JVM flags for memory that is not needed. */
export const SMALL_HEAP: readonly string[] = ['-Xms256m', '-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1']

async function startJava(home: string, flags: readonly string[], main: string, config: string): Promise<OwnedProcess> {
  const java = [`-Duser.home=${home}`, ...flags, ...PEER_JVM_FLAGS, '-cp', await peerClassPath()]
  return new OwnedProcess('java', [...java, 'PeerServer', main, '-c', config], {
    env: { ...process.env, ROCKETMQ_HOME: home }
  })
}

/** Apache's name server in a process of its own. */
export class ApacheNameServer implements ServerProcess {
  private constructor(
    readonly port: number,
    readonly process: OwnedProcess,
    private readonly home: TemporaryDirectory
  ) {}

  /** `host:port`, as clients want it. */
  get address(): string {
    return `127.0.0.1:${this.port}`
  }

  /** Starts it on a free port and resolves once it answers, over TLS if told how. */
  static async start(heap: readonly string[] = SMALL_HEAP, tls?: ConnectionOptions): Promise<ApacheNameServer> {
    const home = new TemporaryDirectory()
    const port = await freePort()
    const config = writeProperties(join(home.path, 'namesrv.conf'), { listenPort: port, bindAddress: '127.0.0.1' })
    const main = 'org.apache.rocketmq.namesrv.NamesrvStartup'
    const server = new ApacheNameServer(port, await startJava(home.path, heap, main, config), home)
    return untilReady(server, () => answers(port, tls))
  }

  /** Kills it: leaving in order takes Apache's servers seconds. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.process.kill()
    this.home[Symbol.dispose]()
  }
}

/** How Apache's broker is started. */
export interface ApacheBrokerOptions {
  /** The port of the name server, on 127.0.0.1, at which it registers. */
  readonly nameServerPort: number
  /** Directory of the store; a temporary one by default. */
  readonly storeDirectory?: string
  /** The port it had before, to start it there again; a free one by default. */
  readonly port?: number
  /** Further lines of broker.conf. */
  readonly properties?: BrokerProperties
  /** JVM flags for memory; a small heap by default. */
  readonly heap?: readonly string[]
  /** How to talk to the name server over TLS; plain TCP by default. */
  readonly nameServerTls?: ConnectionOptions
}

/** Apache's broker in a process of its own. */
export class ApacheBroker implements ServerProcess {
  private constructor(
    readonly port: number,
    readonly process: OwnedProcess,
    readonly storeDirectory: string,
    private readonly home: TemporaryDirectory
  ) {}

  /** `host:port`. */
  get address(): string {
    return `127.0.0.1:${this.port}`
  }

  /** Starts it on free ports and resolves once its name server gives out its routes. */
  static async start(options: ApacheBrokerOptions): Promise<ApacheBroker> {
    return untilReady(await ApacheBroker.launch(options), () =>
      brokerRegistered(options.nameServerPort, options.nameServerTls)
    )
  }

  /** Starts the process and does not wait for it. */
  static async launch(options: ApacheBrokerOptions): Promise<ApacheBroker> {
    const home = new TemporaryDirectory()
    const storeDirectory = options.storeDirectory ?? join(home.path, 'store')
    mkdirSync(storeDirectory, { recursive: true })
    const port = options.port ?? (await freePort([-2, 1]))
    const config = writeProperties(join(home.path, 'broker.conf'), {
      brokerClusterName: 'DefaultCluster',
      brokerName: 'broker-apache',
      brokerId: 0,
      namesrvAddr: `127.0.0.1:${options.nameServerPort}`,
      brokerIP1: '127.0.0.1',
      listenPort: port,
      haListenPort: port + 1,
      storePathRootDir: storeDirectory,
      storePathCommitLog: join(storeDirectory, 'commitlog'),
      flushDiskType: 'ASYNC_FLUSH',
      brokerRole: 'ASYNC_MASTER',
      autoCreateTopicEnable: true,
      ...options.properties
    })
    const main = 'org.apache.rocketmq.broker.BrokerStartup'
    const server = await startJava(home.path, options.heap ?? SMALL_HEAP, main, config)
    return new ApacheBroker(port, server, storeDirectory, home)
  }

  /** Stops it in order: the store is flushed, its abort file removed. */
  async stop(): Promise<void> {
    await this.process.stop()
  }

  /** Kills it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.process.kill()
    this.home[Symbol.dispose]()
  }
}

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Broker, type ConfigValue, type ShutdownSummary } from './broker.js'
import { NameServer } from './name-server.js'

/** How a server (name server and broker) is made. */
export interface ServerOptions {
  /** Address to listen on. @default '127.0.0.1' */
  readonly host?: string
  /** Port of the broker; 0 takes any free one. @default 0 */
  readonly port?: number
  /** Port of the name server; 0 takes any free one. @default 0 */
  readonly nameServerPort?: number
  /** Where data lies. Left out: a temporary directory that `shutdown()` removes. */
  readonly dataDir?: string
  /** Host that clients are told, when it is not the one listened on. */
  readonly advertise?: string
  /** Existing name servers (`host:port`) to register with; then none is started here. */
  readonly nameServers?: readonly string[]
  /** Further settings by the names of Apache's broker.conf; they win over `configText`. */
  readonly config?: Readonly<Record<string, ConfigValue>>
  /** A broker.conf as text. */
  readonly configText?: string
  /** Hears of failures and changes that no caller waits for, one line each. */
  readonly onEvent?: (line: string) => void
}

/**
 * A name server and a broker in this process, ready for clients.
 *
 * ```ts
 * await using server = await startServer()
 * const producer = new Producer({ namesrvAddr: server.nameServerAddress, producerGroup: 'test' })
 * ```
 */
export class Server {
  /** `host:port` of the name server, or those given, separated by `;`: what clients take as `namesrvAddr`. */
  readonly nameServerAddress: string
  /** `host:port` the broker listens on. */
  readonly brokerAddress: string
  /** Where data lies. */
  readonly dataDir: string
  /** One line for each setting that is unknown or has no effect here. */
  readonly warnings: readonly string[]
  readonly #broker: Broker
  readonly #nameServer: NameServer | undefined
  readonly #temporary: boolean
  #stopped: Promise<ShutdownSummary> | undefined

  private constructor(
    broker: Broker,
    nameServer: NameServer | undefined,
    nameServerAddress: string,
    dataDir: string,
    temporary: boolean
  ) {
    this.#broker = broker
    this.#nameServer = nameServer
    this.nameServerAddress = nameServerAddress
    this.brokerAddress = broker.address
    this.dataDir = dataDir
    this.#temporary = temporary
    this.warnings = broker.warnings
  }

  /** See {@link startServer}. */
  static async start(options: ServerOptions): Promise<Server> {
    const host = options.host ?? '127.0.0.1'
    const temporary = options.dataDir === undefined
    const dataDir = options.dataDir ?? (await mkdtemp(join(tmpdir(), 'rocketmq-native-')))
    let nameServer: NameServer | undefined
    try {
      if (!options.nameServers?.length) {
        nameServer = await NameServer.start({ host, port: options.nameServerPort ?? 0 })
      }
      const namesrvAddr = nameServer?.address ?? (options.nameServers ?? []).join(';')
      const broker = await Broker.start({
        ...(options.configText === undefined ? {} : { configText: options.configText }),
        ...(options.onEvent === undefined ? {} : { onEvent: options.onEvent }),
        config: {
          bindAddress: host,
          listenPort: options.port ?? 0,
          storePathRootDir: dataDir,
          storePathCommitLog: join(dataDir, 'commitlog'),
          namesrvAddr,
          ...(options.advertise === undefined ? {} : { brokerIP1: options.advertise }),
          ...options.config
        }
      })
      return new Server(broker, nameServer, namesrvAddr, dataDir, temporary)
    } catch (error) {
      await nameServer?.shutdown()
      if (temporary) await rm(dataDir, { recursive: true, force: true })
      throw error
    }
  }

  /**
   * Stops the broker, then the name server; a temporary directory is removed. Idempotent.
   * @throws ServerError when the store could not be flushed
   */
  shutdown(): Promise<ShutdownSummary> {
    this.#stopped ??= this.#shutdown()
    return this.#stopped
  }

  /** `shutdown()`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.shutdown()
  }

  async #shutdown(): Promise<ShutdownSummary> {
    try {
      return await this.#broker.shutdown()
    } finally {
      await this.#nameServer?.shutdown()
      if (this.#temporary) await rm(this.dataDir, { recursive: true, force: true })
    }
  }
}

/**
 * Starts a name server and a broker in this process; resolves once clients can use them. By default they listen on free
 * ports of the loopback address and keep their data in a temporary directory.
 * @throws ServerError when a port is taken, the directory is in use or unwritable, or a setting is wrong
 */
export function startServer(options: ServerOptions = {}): Promise<Server> {
  return Server.start(options)
}

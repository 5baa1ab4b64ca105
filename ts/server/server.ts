import { randomUUID } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type NativeBrokerConf, readBrokerConf } from '../native.js'
import { type OptionsOf, readOptions } from '../options.js'
import { Broker, type ShutdownSummary, brokerConf } from './broker.js'
import { NameServer } from './name-server.js'
import { SERVER_OPTIONS, type ServerOptions } from './options.js'
import { serverError } from './server-error.js'
import { makeTemporaryDirectory, removeTemporaryDirectory } from './temporary-directory.js'

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
  static async start(given: ServerOptions): Promise<Server> {
    const options = readOptions('startServer', SERVER_OPTIONS, given)
    const { nameServerPort, onEvent, onRecovery } = options
    const temporaryDir = join(tmpdir(), `rocketmq-native-${randomUUID()}`)
    const configText = mergedConf(options, temporaryDir)
    const { bindAddress, storePathRootDir, namesrvAddrs } = read(configText)
    const temporary = storePathRootDir === temporaryDir
    let nameServer: NameServer | undefined
    try {
      if (temporary) await makeTemporaryDirectory(temporaryDir)
      if (namesrvAddrs.length === 0) {
        nameServer = await NameServer.start({ host: bindAddress, port: nameServerPort })
      }
      const namesrvAddr = nameServer === undefined ? namesrvAddrs.join(';') : reachable(nameServer.address)
      const broker = await Broker.start({ configText, config: { namesrvAddr }, onEvent, onRecovery })
      return new Server(broker, nameServer, namesrvAddr, storePathRootDir, temporary)
    } catch (error) {
      await nameServer?.shutdown()
      if (temporary) await removeTemporaryDirectory(temporaryDir)
      throw error
    }
  }

  /** Whether the name server is one of its own, not one that was there before. */
  get hasNameServer(): boolean {
    return this.#nameServer !== undefined
  }

  /**
   * Stops the broker, then the name server; a temporary directory is removed, as it is when the process ends without this.
   * Idempotent.
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
      if (this.#temporary) await removeTemporaryDirectory(this.dataDir)
    }
  }
}

/** Defaults, the user's text, and the user's options; of equal keys the last one counts. */
function mergedConf(options: OptionsOf<typeof SERVER_OPTIONS>, temporaryDir: string): string {
  const { host, port, dataDir, advertise, nameServers, config, configText } = options
  const defaults = { listenPort: 0, storePathRootDir: temporaryDir }
  const given = {
    bindAddress: host,
    listenPort: port,
    storePathRootDir: dataDir,
    storePathCommitLog: dataDir === undefined ? undefined : join(dataDir, 'commitlog'),
    brokerIP1: advertise,
    namesrvAddr: nameServers.length === 0 ? undefined : nameServers.join(';'),
    ...config
  }
  return brokerConf(defaults) + configText + brokerConf(given)
}

function read(configText: string): NativeBrokerConf {
  try {
    return readBrokerConf(configText)
  } catch (error) {
    throw serverError(error)
  }
}

/** An address to connect to for one to listen on: all interfaces include the loopback one. */
function reachable(address: string): string {
  return address.replace(/^0\.0\.0\.0:/, '127.0.0.1:').replace(/^\[::\]:/, '[::1]:')
}

/**
 * Starts a name server and a broker in this process; resolves once clients can use them. By default they listen on free
 * ports of the loopback address and keep their data in a temporary directory.
 * @throws ConfigError for an option that is unknown or wrong
 * @throws ServerError when a port is taken, the directory is in use or unwritable, or a setting is wrong
 */
export function startServer(options: ServerOptions = {}): Promise<Server> {
  return Server.start(options)
}

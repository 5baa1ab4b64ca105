/** Our own server as users start it: `rocketmq-native broker` or `namesrv` in a process of its own. */
import { join } from 'node:path'
import { OwnedProcess, TemporaryDirectory } from './owned.js'
import { freePort } from './ports.js'
import { answers, brokerRegistered } from './raw-command.js'
import { repositoryRoot } from './repository.js'
import { type BrokerProperties, type ServerProcess, untilReady, writeProperties } from './server-process.js'

const cli = join(repositoryRoot, 'dist', 'cli', 'main.js')

/** How `rocketmq-native broker` is started. */
export interface NativeServerOptions {
  /** Directory of the store; a temporary one by default. */
  readonly storeDirectory?: string
  /** Lines of a broker.conf. */
  readonly properties?: BrokerProperties
  /** Join the name server at this port of 127.0.0.1 instead of starting one. */
  readonly nameServerPort?: number
}

/** Our name server and broker in one process, or our broker alone with somebody else's name server. */
export class NativeServer implements ServerProcess {
  private constructor(
    readonly port: number,
    readonly nameServerPort: number,
    readonly process: OwnedProcess,
    readonly storeDirectory: string,
    private readonly home: TemporaryDirectory
  ) {}

  /** `host:port` of the broker. */
  get address(): string {
    return `127.0.0.1:${this.port}`
  }

  /** `host:port` of the name server, as clients want it. */
  get nameServer(): string {
    return `127.0.0.1:${this.nameServerPort}`
  }

  /** Starts it on free ports and resolves once the name server gives out the broker's routes. */
  static async start(options: NativeServerOptions = {}): Promise<NativeServer> {
    const server = await NativeServer.launch(options)
    return untilReady(server, () => brokerRegistered(server.nameServerPort))
  }

  /** Starts the process and does not wait for it. */
  static async launch(options: NativeServerOptions = {}): Promise<NativeServer> {
    const home = new TemporaryDirectory()
    const storeDirectory = options.storeDirectory ?? join(home.path, 'store')
    const port = await freePort()
    const nameServerPort = options.nameServerPort ?? (await freePort())
    const nameServer =
      options.nameServerPort === undefined
        ? ['--name-server-port', String(nameServerPort)]
        : ['-n', `127.0.0.1:${nameServerPort}`]
    const commandArguments = [cli, 'broker', '--port', String(port), '--data', storeDirectory, ...nameServer]
    if (options.properties) {
      commandArguments.push('-c', writeProperties(join(home.path, 'broker.conf'), options.properties))
    }
    const server = new OwnedProcess(process.execPath, commandArguments)
    return new NativeServer(port, nameServerPort, server, storeDirectory, home)
  }

  /** Stops it in order, as Ctrl-C does. */
  async stop(): Promise<void> {
    await this.process.stop()
  }

  /** Kills it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.process.kill()
    this.home[Symbol.dispose]()
  }
}

/** Our name server alone: `rocketmq-native namesrv`. */
export class NativeNameServer implements ServerProcess {
  private constructor(
    readonly port: number,
    readonly process: OwnedProcess
  ) {}

  /** `host:port`, as clients want it. */
  get address(): string {
    return `127.0.0.1:${this.port}`
  }

  /** Starts it on a free port and resolves once it answers. */
  static async start(): Promise<NativeNameServer> {
    const port = await freePort()
    const server = new NativeNameServer(
      port,
      new OwnedProcess(process.execPath, [cli, 'namesrv', '--port', String(port)])
    )
    return untilReady(server, () => answers(port))
  }

  /** Kills it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.process.kill()
  }
}

import { type NativeNameServer, startNameServer } from '../native.js'
import { readOptions } from '../options.js'
import { holdProcess } from './hold-process.js'
import { NAME_SERVER_OPTIONS, type NameServerOptions } from './options.js'
import { serverError } from './server-error.js'

/** A native name server in this process. */
export class NameServer {
  readonly #native: NativeNameServer
  readonly #running = holdProcess()
  #stopped: Promise<number> | undefined

  private constructor(native: NativeNameServer) {
    this.#native = native
  }

  /**
   * Starts a name server; resolves once it listens.
   * @throws ConfigError for an option that is unknown or wrong
   * @throws ServerError when the address cannot be listened on
   */
  static async start(options: NameServerOptions = {}): Promise<NameServer> {
    const { host, port } = readOptions('NameServer', NAME_SERVER_OPTIONS, options)
    try {
      return new NameServer(await startNameServer(host, port))
    } catch (error) {
      throw serverError(error)
    }
  }

  /** `host:port`, with the port that was given for port 0. */
  get address(): string {
    return this.#native.address
  }

  /** Stops accepting, lets replies go out, closes all connections; resolves to how many those were. Idempotent. */
  shutdown(): Promise<number> {
    this.#stopped ??= this.#native.shutdown().finally(() => clearInterval(this.#running))
    return this.#stopped
  }

  /** `shutdown()`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.shutdown()
  }
}

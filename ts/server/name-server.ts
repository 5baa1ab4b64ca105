import { type NativeNameServer, startNameServer } from '../native.js'
import { holdProcess } from './hold-process.js'
import { serverError } from './server-error.js'

/** Where a name server listens. */
export interface NameServerOptions {
  /** @default '127.0.0.1' */
  readonly host?: string
  /** 0 takes any free port. @default 9876 */
  readonly port?: number
}

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
   * @throws ServerError when the address cannot be listened on
   */
  static async start(options: NameServerOptions = {}): Promise<NameServer> {
    try {
      return new NameServer(await startNameServer(options.host ?? '127.0.0.1', options.port ?? 9876))
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

import { type NativeBroker, type NativeRecoveryProgress, type NativeShutdownSummary, startBroker } from '../native.js'
import { holdProcess } from './hold-process.js'
import { serverError } from './server-error.js'

/** A value of a broker.conf key. */
export type ConfigValue = string | number | boolean

/** How a broker is made. */
export interface BrokerOptions {
  /** Settings by the names of Apache's broker.conf (`listenPort`, `flushDiskType`, ...). They win over `configText`. */
  readonly config?: Readonly<Record<string, ConfigValue>>
  /** A broker.conf as text. */
  readonly configText?: string
  /** Hears of failures and changes that no caller waits for, one line each. */
  readonly onEvent?: (line: string) => void
  /** Hears how far the recovery of the store is, when each phase begins and then at most every 200 ms. */
  readonly onRecovery?: (progress: RecoveryProgress) => void
}

/**
 * How far recovery is: `done` of `total` consume queues, or bytes of the commit log, of which there may be fewer; `etaMs` is how
 * long the phase may still take, unknown when it begins.
 */
export type RecoveryProgress = NativeRecoveryProgress

/** What a broker did until it stopped. */
export type ShutdownSummary = NativeShutdownSummary

/** A native broker with its message store in this process. */
export class Broker {
  readonly #native: NativeBroker
  readonly #running = holdProcess()
  #stopped: Promise<ShutdownSummary> | undefined

  private constructor(native: NativeBroker) {
    this.#native = native
  }

  /**
   * Opens the store, recovers it, and starts to serve; resolves once the broker listens and its name servers have been told.
   * @throws ServerError when a setting is wrong, the directory is in use or unwritable, or the port is taken
   */
  static async start(options: BrokerOptions = {}): Promise<Broker> {
    const { config = {}, configText = '', onEvent, onRecovery } = options
    try {
      const conf = configText + brokerConf(config)
      return new Broker(
        await startBroker(
          conf,
          line => onEvent?.(line),
          progress => onRecovery?.(progress)
        )
      )
    } catch (error) {
      throw serverError(error)
    }
  }

  /** `host:port` it listens on, with the port that was given for port 0. */
  get address(): string {
    return this.#native.address
  }

  /** One line for each setting that is unknown or has no effect here. */
  get warnings(): readonly string[] {
    return this.#native.warnings
  }

  /** Stops accepting, answers held pulls, unregisters, flushes and closes the store. Idempotent. */
  shutdown(): Promise<ShutdownSummary> {
    this.#stopped ??= this.#native
      .shutdown()
      .catch((error: unknown) => {
        throw serverError(error)
      })
      .finally(() => clearInterval(this.#running))
    return this.#stopped
  }

  /** `shutdown()`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.shutdown()
  }
}

/** Settings as lines of a broker.conf; those that are undefined are left out. */
export function brokerConf(config: Readonly<Record<string, ConfigValue | undefined>>): string {
  const given = Object.entries(config).filter(([, value]) => value !== undefined)
  // Two line ends first: a last line that ends with a backslash would continue on the next.
  return `\n\n${given.map(([key, value]) => `${key}=${escape(String(value))}\n`).join('')}`
}

/** A value in Java's properties syntax: backslashes, as in Windows paths, would be taken for escapes. */
function escape(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
}

import { type NativeBroker, type NativeShutdownSummary, startBroker } from '../native.js'
import { readOptions } from '../options.js'
import { holdProcess } from './hold-process.js'
import { BROKER_OPTIONS, type BrokerOptions, type ConfigValue } from './options.js'
import { serverError } from './server-error.js'

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
   * @throws ConfigError for an option that is unknown or wrong
   * @throws ServerError when a setting is wrong, the directory is in use or unwritable, or the port is taken
   */
  static async start(options: BrokerOptions = {}): Promise<Broker> {
    const { config, configText, onEvent, onRecovery } = readOptions('Broker', BROKER_OPTIONS, options)
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

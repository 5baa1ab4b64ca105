import { isIP } from 'node:net'
import { parseNameServerList } from '../client/name-server-source.js'
import { ConfigError } from '../errors.js'
import type { NativeRecoveryProgress } from '../native.js'
import { type OptionsInput, custom, int, optionalFunction, optionalInt } from '../options.js'

const MAX_PORT = 65_535

/** A value of a broker.conf key. */
export type ConfigValue = string | number | boolean

/**
 * How far recovery is: `done` of `total` consume queues, or bytes of the commit log, of which there may be fewer; `etaMs` is how
 * long the phase may still take, unknown when it begins.
 */
export type RecoveryProgress = NativeRecoveryProgress

/** Options of a broker alone. */
export const BROKER_OPTIONS = {
  /** Settings by the names of Apache's broker.conf (`listenPort`, `flushDiskType`, ...). They win over all others. */
  config: custom<Readonly<Record<string, ConfigValue | undefined>>>({}, (key, given) => {
    if (typeof given !== 'object' || given === null || Array.isArray(given)) {
      throw new ConfigError(`option ${key} must be an object with settings of a broker.conf`)
    }
    for (const [name, value] of Object.entries(given)) {
      if (value !== undefined && !['string', 'number', 'boolean'].includes(typeof value)) {
        throw new ConfigError(`option ${key} must have texts, numbers and booleans, not ${typeof value} for ${name}`)
      }
    }
    return given
  }),
  /** A broker.conf as text. @default none */
  configText: custom('', (key, given) => {
    if (typeof given !== 'string') throw new ConfigError(`option ${key} must be a text, not ${String(given)}`)
    return given
  }),
  /** Hears of failures and changes that no caller waits for, one line each. @default nobody */
  onEvent: optionalFunction<(line: string) => void>(),
  /**
   * Hears how far the recovery of the store is, when each phase begins and then at most every 200 ms.
   * @default nobody
   */
  onRecovery: optionalFunction<(progress: RecoveryProgress) => void>()
}

/** How a broker is made. */
export type BrokerOptions = OptionsInput<typeof BROKER_OPTIONS>

/** Options of a name server alone. */
export const NAME_SERVER_OPTIONS = {
  /** IP address to listen on. @default '127.0.0.1' */
  host: custom('127.0.0.1', ipAddress),
  /** 0 takes any free port. @default 9876 */
  port: int(9_876, 0, MAX_PORT)
}

/** Where a name server listens. */
export type NameServerOptions = OptionsInput<typeof NAME_SERVER_OPTIONS>

/** Options of a server, which is a name server and a broker. Those of the broker win over `configText`. */
export const SERVER_OPTIONS = {
  ...BROKER_OPTIONS,
  /** IP address to listen on. @default '127.0.0.1' */
  host: custom<string | undefined, string>(undefined, ipAddress),
  /** Port of the broker; 0 takes any free one. @default 0 */
  port: optionalInt(0, MAX_PORT),
  /** Port of the name server; 0 takes any free one. @default 0 */
  nameServerPort: int(0, 0, MAX_PORT),
  /** Where data lies. @default a temporary directory that `shutdown()` removes, or the end of the process */
  dataDir: custom<string | undefined, string>(undefined, (key, given) => {
    // It passes through a broker.conf, whose values have no blanks around them.
    if (typeof given !== 'string' || given === '' || given !== given.trim()) {
      throw new ConfigError(`option ${key} must be a directory, with no blanks around it, not ${JSON.stringify(given)}`)
    }
    return given
  }),
  /** Host name or IP address that clients are told. @default the one listened on */
  advertise: custom<string | undefined, string>(undefined, (key, given) => {
    if (typeof given !== 'string' || (isIP(given) === 0 && !/^[\w.-]+$/.test(given))) {
      throw new ConfigError(`option ${key} must be a host name or an IP address, not ${JSON.stringify(given)}`)
    }
    return given
  }),
  /** Existing name servers (`host:port`) to register with; then none is started here. @default none */
  nameServers: custom<readonly string[]>([], (key, given) => {
    if (!Array.isArray(given) || !given.every(each => typeof each === 'string')) {
      throw new ConfigError(`option ${key} must be a list of host:port, not ${JSON.stringify(given)}`)
    }
    return given.length === 0 ? [] : parseNameServerList(`option ${key}`, given)
  })
}

/** How a server (name server and broker) is made. */
export type ServerOptions = OptionsInput<typeof SERVER_OPTIONS>

function ipAddress(key: string, given: string): string {
  if (typeof given !== 'string' || isIP(given) === 0) {
    throw new ConfigError(`option ${key} must be an IP address to listen on, not ${JSON.stringify(given)}`)
  }
  return given
}

import { hrtime, pid } from 'node:process'
import type { ErrorReporter } from '../diagnostics.js'
import { ConfigError } from '../errors.js'
import { localAddress } from '../message/local-address.js'
import { bool, custom, int, optionalStr, oneOf, str } from '../options.js'
import type { OptionsOf } from '../options.js'

/** Options all clients have (`client/ClientConfig.java`). Times are milliseconds. */
export const CLIENT_OPTIONS = {
  /**
   * Name servers, `host:port`: a list, or a text with `;` between them.
   * @default the environment variable NAMESRV_ADDR
   */
  namesrvAddr: custom<readonly string[] | undefined, string | readonly string[]>(undefined, parseNamesrvAddr),
  /** The address this client calls itself by. @default the first address of the machine that is not loopback */
  clientIP: optionalStr(),
  /**
   * Clients in one process with the same instanceName (and clientIP, unitName) share their connections. `DEFAULT` is
   * replaced by `pid#nanoTime`, so that each has its own.
   * @default 'DEFAULT'
   */
  instanceName: str('DEFAULT'),
  /** Last part of the client id. @default none */
  unitName: optionalStr(),
  /** Apache's unit mode. @default false */
  unitMode: bool(false),
  /**
   * A namespace that is told with every request, for servers that keep topics apart by it; names stay as they are.
   * @default none
   */
  namespaceV2: optionalStr(),
  /** How often routes are asked for again. @default 30000 */
  pollNameServerInterval: int(30_000, 10),
  /** How often brokers hear of us. @default 30000 */
  heartbeatBrokerInterval: int(30_000, 10),
  /** How often consumers store their offsets. @default 5000 */
  persistConsumerOffsetInterval: int(5_000, 10),
  /** Time allowed for requests that are neither sends nor pulls. @default 3000 */
  mqClientApiTimeout: int(3_000, 1),
  /** How headers are encoded in requests; answers are understood in both. @default 'ROCKETMQ' */
  serializeType: oneOf(['ROCKETMQ', 'JSON'], 'ROCKETMQ'),
  /**
   * Told of failures in the background. @default a warning of the process, at most one in 30 seconds for each kind of
   * work
   */
  onError: custom<ErrorReporter | undefined, ErrorReporter>(undefined, (key, given) => {
    if (typeof given !== 'function') throw new ConfigError(`option ${key} must be a function`)
    return given
  })
}

/** The checked values of {@link CLIENT_OPTIONS}. */
export type ClientConfig = OptionsOf<typeof CLIENT_OPTIONS>

function parseNamesrvAddr(key: string, given: string | readonly string[]): readonly string[] {
  const parts = typeof given === 'string' ? given.split(/[;,]/) : [...given]
  const addresses = parts.map(part => part.trim()).filter(part => part !== '')
  for (const address of addresses) {
    if (!/^(?:\[[0-9a-fA-F:.]+\]|[^:\s]+):\d{1,5}$/.test(address)) {
      throw new ConfigError(`option ${key} must name servers as host:port, not ${JSON.stringify(address)}`)
    }
  }
  if (addresses.length === 0) throw new ConfigError(`option ${key} names no server`)
  return addresses
}

/**
 * The name servers to use: the option, else the environment.
 *
 * @throws ConfigError when there are none
 */
export function nameServersOf(config: ClientConfig): readonly string[] {
  if (config.namesrvAddr !== undefined) return config.namesrvAddr
  const fromEnvironment = process.env['NAMESRV_ADDR']
  if (fromEnvironment === undefined || fromEnvironment === '') {
    throw new ConfigError('no name server is known: give the option namesrvAddr or set NAMESRV_ADDR')
  }
  return parseNamesrvAddr('NAMESRV_ADDR', fromEnvironment)
}

/**
 * `ip@instanceName[@unitName]` (`client/ClientConfig.java#buildMQClientId`).
 *
 * @param ownInstance whether `DEFAULT` becomes `pid#nanoTime` (`#changeInstanceNameToPID`)
 */
export function buildClientId(config: ClientConfig, ownInstance: boolean): string {
  const instanceName =
    ownInstance && config.instanceName === 'DEFAULT' ? `${pid}#${hrtime.bigint()}` : config.instanceName
  const unit = config.unitName === undefined ? '' : `@${config.unitName}`
  return `${config.clientIP ?? localAddress()}@${instanceName}${unit}`
}

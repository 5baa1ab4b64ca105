import { randomBytes } from 'node:crypto'
import { env, pid } from 'node:process'
import type { ErrorReporter, Logger } from '../diagnostics.js'
import { ConfigError } from '../errors.js'
import { localAddress } from '../message/local-address.js'
import type { RPCHook } from '../remoting/rpc-hook.js'
import { bool, custom, timeMs, optionalStr, oneOf, str } from '../options.js'
import type { OptionsOf } from '../options.js'
import type { NameServerFunction, NameServerList, NameServerSource } from './name-server-source.js'
import {
  ComputedNameServers,
  HttpNameServers,
  ListedNameServers,
  keepName,
  parseNameServerList,
  systemLookup
} from './name-server-source.js'
import type { SessionCredentialsInit } from '../remoting/session-credentials.js'
import { SessionCredentials, parseCredentials } from '../remoting/session-credentials.js'
import type { TlsOptions, TlsSettings } from '../remoting/tls-settings.js'
import { parseTls } from '../remoting/tls-settings.js'

/** Options all clients have (`client/ClientConfig.java`). Times are milliseconds. */
export const CLIENT_OPTIONS = {
  /**
   * Name servers, `host:port`: a list, a text with `;` between them, or a function that gives one of these (or a promise
   * of it), asked at the start and every 2 minutes. A host name that has several addresses means all of them, unless
   * connections use TLS, where certificates are for names.
   * @default the environment variable NAMESRV_ADDR; without it, what the address server says, see `namesrvDomain`
   */
  namesrvAddr: custom<readonly string[] | NameServerFunction | undefined, NameServerList | NameServerFunction>(
    undefined,
    (key, given) => (typeof given === 'function' ? given : parseNameServerList(`option ${key}`, given))
  ),
  /**
   * The HTTP server that knows the name servers, asked at the start and every 2 minutes when none were given: host, or
   * host:port. Java's system property rocketmq.namesrv.domain.
   * @default the environment variable ROCKETMQ_NAMESRV_DOMAIN; without it 'jmenv.tbsite.net'
   */
  namesrvDomain: optionalStr(),
  /**
   * The last part of the path asked there: `http://<namesrvDomain>:8080/rocketmq/<namesrvDomainSubgroup>`. Java's system
   * property rocketmq.namesrv.domain.subgroup.
   * @default the environment variable ROCKETMQ_NAMESRV_DOMAIN_SUBGROUP; without it 'nsaddr'
   */
  namesrvDomainSubgroup: optionalStr(),
  /** The address this client calls itself by. @default the first address of the machine that is not loopback */
  clientIP: optionalStr(),
  /**
   * Clients in one process with the same instanceName (and clientIP, unitName) share their connections. `DEFAULT` is
   * replaced by `pid#number`, so that each has its own.
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
  pollNameServerInterval: timeMs(30_000, 10),
  /** How often brokers hear of us. @default 30000 */
  heartbeatBrokerInterval: timeMs(30_000, 10),
  /** How often consumers store their offsets. @default 5000 */
  persistConsumerOffsetInterval: timeMs(5_000, 10),
  /** Time allowed for requests that are neither sends nor pulls. @default 3000 */
  mqClientApiTimeout: timeMs(3_000, 1),
  /** Heartbeats leave out subscriptions that a broker knows already; for brokers from 5.1.1 on. @default false */
  useHeartbeatV2: bool(false),
  /**
   * Sends go to the port two below that of the broker, its VIP channel, which serves nothing else
   * (`common/MixAll.java#brokerVIPChannel`). @default false
   */
  vipChannelEnabled: bool(false),
  /**
   * Sees requests before they leave, and their answers; one hook, or several that are called in turn. Shared by all
   * clients of an instance, which has those of the first. @default none
   */
  rpcHook: custom<readonly RPCHook[], RPCHook | readonly RPCHook[]>([], (key, given) => {
    const hooks = Array.isArray(given) ? (given as readonly RPCHook[]) : [given as RPCHook]
    for (const hook of hooks) {
      if (typeof hook?.doBeforeRequest !== 'function' || typeof hook.doAfterResponse !== 'function') {
        throw new ConfigError(`option ${key} must have the methods doBeforeRequest and doAfterResponse`)
      }
    }
    return hooks
  }),
  /** How headers are encoded in requests; answers are understood in both. @default 'ROCKETMQ' */
  serializeType: oneOf(['ROCKETMQ', 'JSON'], 'ROCKETMQ'),
  /**
   * Connect to brokers and name servers with TLS: true, or how. Servers must prove who they are unless switched off by name.
   * @default false
   */
  tls: custom<TlsSettings | undefined, boolean | TlsOptions>(undefined, parseTls),
  /**
   * Sign every request, as brokers with ACL 1.0 or 2.0 demand it (`acl/common/AclClientRPCHook.java`). A
   * `SessionCredentials` object can be given new keys while clients run.
   * @default requests are not signed
   */
  credentials: custom<SessionCredentials | undefined, SessionCredentials | SessionCredentialsInit>(
    undefined,
    parseCredentials
  ),
  /**
   * Told of failures in the background. @default with a logger nothing, without one a warning of the process, at most one
   * in 30 seconds for each kind of work
   */
  onError: custom<ErrorReporter | undefined, ErrorReporter>(undefined, (key, given) => {
    if (typeof given !== 'function') throw new ConfigError(`option ${key} must be a function`)
    return given
  }),
  /**
   * Told of everything that `status()` tells: connections, routes, name servers, failures in the background. Has the shape
   * of pino: methods debug, info, warn and error that take an object and a text. @default silent
   */
  logger: custom<Logger | undefined, Logger>(undefined, (key, given) => {
    const missing = (['debug', 'info', 'warn', 'error'] as const).filter(level => typeof given?.[level] !== 'function')
    if (missing.length > 0) throw new ConfigError(`option ${key} must have the methods ${missing.join(', ')}`)
    return given
  })
}

/** The checked values of {@link CLIENT_OPTIONS}. */
export type ClientConfig = OptionsOf<typeof CLIENT_OPTIONS>

/**
 * Where the name servers of a client are found: the option, else the environment, else the address server
 * (`impl/factory/MQClientInstance.java#start`).
 *
 * @throws ConfigError when NAMESRV_ADDR is no list of name servers
 */
export function nameServerSource(config: ClientConfig): NameServerSource {
  const { namesrvAddr, namesrvDomain, namesrvDomainSubgroup, unitName, tls } = config
  const lookup = tls === undefined ? systemLookup : keepName
  if (typeof namesrvAddr === 'function') return new ComputedNameServers(namesrvAddr, lookup)
  if (namesrvAddr !== undefined) return new ListedNameServers('the option namesrvAddr', namesrvAddr, lookup)
  const listed = env['NAMESRV_ADDR']
  if (listed !== undefined && listed !== '') {
    const what = 'the environment variable NAMESRV_ADDR'
    return new ListedNameServers(what, parseNameServerList(what, listed), lookup)
  }
  const domain = namesrvDomain ?? (env['ROCKETMQ_NAMESRV_DOMAIN'] || 'jmenv.tbsite.net')
  const subgroup = namesrvDomainSubgroup ?? (env['ROCKETMQ_NAMESRV_DOMAIN_SUBGROUP'] || 'nsaddr')
  return new HttpNameServers(domain, subgroup, unitName, lookup)
}

/**
 * `ip@instanceName[@unitName]` (`client/ClientConfig.java#buildMQClientId`).
 *
 * @param ownInstance whether `DEFAULT` becomes `pid#number` (`#changeInstanceNameToPID`). Java's number is the time since the
 *   machine was started; containers that share an address all have pid 1 and may start together, so here it is random
 */
export function buildClientId(config: ClientConfig, ownInstance: boolean): string {
  const instanceName =
    ownInstance && config.instanceName === 'DEFAULT' ? `${pid}#${randomNumber()}` : config.instanceName
  const unit = config.unitName === undefined ? '' : `@${config.unitName}`
  return `${config.clientIP ?? localAddress()}@${instanceName}${unit}`
}

/** A number as long as those of Java's `System.nanoTime()`. */
function randomNumber(): bigint {
  return randomBytes(8).readBigUInt64BE() >> 1n
}

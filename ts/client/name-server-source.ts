import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import { ClientErrorCode, ConfigError, RouteError, toError } from '../errors.js'

/** What the option namesrvAddr may be. */
export type NameServerList = string | readonly string[]
/** Gives the name servers each time it is asked, within 10 s; `;` separates several in one text. */
export type NameServerFunction = () => NameServerList | Promise<NameServerList>

/** Time allowed for the HTTP address server (`common/namesrv/DefaultTopAddressing.java#fetchNSAddr`). */
const HTTP_TIMEOUT_MS = 3_000
/** Time allowed for a function of the user's, which may ask a registry. */
const FUNCTION_TIMEOUT_MS = 10_000
/** Time allowed for a lookup of names; what is slower is left to the connection that needs the name. */
const LOOKUP_TIMEOUT_MS = 3_000

/** Where a client gets its name servers from. */
export interface NameServerSource {
  /** What it is, for errors. */
  readonly description: string
  /** Equal for sources that give the same servers. */
  readonly identity: unknown
  /** Whether a later answer may be another one. */
  readonly mayChange: boolean
  /**
   * The name servers, `host:port`.
   *
   * @throws RouteError, saying where it looked, when there are none
   */
  fetch(): Promise<readonly string[]>
}

/** Finds all addresses of a host name. */
export type Lookup = (host: string) => Promise<readonly string[]>

/** Asks the resolver of the system, in its order. */
export async function systemLookup(host: string): Promise<readonly string[]> {
  return (await lookup(host, { all: true })).map(found => found.address)
}

/** Finds nothing: names stay names, as certificates have them. For clients that connect with TLS. */
export async function keepName(host: string): Promise<readonly string[]> {
  return [host]
}

/**
 * Checks a list of name servers. A text may hold several, with `;` between them; of an endpoint (`http://host:port`) the
 * last part counts (`common/utils/NameServerAddressUtils.java#getNameSrvAddrFromNamesrvEndpoint`).
 *
 * @param what whose list it is, for the error text
 * @throws ConfigError when it names none, or one that is not `host:port`
 */
export function parseNameServerList(what: string, given: NameServerList): readonly string[] {
  const isList = Array.isArray(given) && given.every(part => typeof part === 'string')
  if (typeof given !== 'string' && !isList) {
    throw new ConfigError(`${what} must be a text or a list of texts, not ${String(given)}`)
  }
  const parts = typeof given === 'string' ? given.split(/[;,]/) : [...given]
  const addresses = parts.map(part => part.trim().replace(/^\w+:\/\/(?:.*\/)?/, '')).filter(part => part !== '')
  for (const address of addresses) {
    if (!/^(?:\[[0-9a-fA-F:.]+\]|[^:\s]+):\d{1,5}$/.test(address)) {
      throw new ConfigError(`${what} must name servers as host:port, not ${JSON.stringify(address)}`)
    }
  }
  if (addresses.length === 0) throw new ConfigError(`${what} names no server`)
  return addresses
}

/** Name servers that were listed. A name that stands for several addresses means all of them, now and whenever asked. */
export class ListedNameServers implements NameServerSource {
  readonly description: string
  readonly identity: string
  readonly mayChange: boolean
  readonly #addresses: readonly string[]
  readonly #lookup: Lookup

  constructor(description: string, addresses: readonly string[], lookupHost: Lookup = systemLookup) {
    this.description = description
    this.#addresses = addresses
    this.#lookup = lookupHost
    this.identity = addresses.toSorted().join(';')
    this.mayChange = addresses.some(address => isIP(hostOf(address)) === 0)
  }

  async fetch(): Promise<readonly string[]> {
    return this.mayChange ? resolveAll(this.#addresses, this.#lookup) : this.#addresses
  }
}

/** Name servers that a function of the user's knows. */
export class ComputedNameServers implements NameServerSource {
  readonly description = 'the function namesrvAddr'
  readonly identity: NameServerFunction
  readonly mayChange = true
  readonly #lookup: Lookup

  constructor(compute: NameServerFunction, lookupHost: Lookup = systemLookup) {
    this.identity = compute
    this.#lookup = lookupHost
  }

  async fetch(): Promise<readonly string[]> {
    let given: NameServerList
    const compute = async (): Promise<NameServerList> => this.identity()
    try {
      given = await inTime(compute(), FUNCTION_TIMEOUT_MS, () => {
        throw new Error(`it did not answer within ${FUNCTION_TIMEOUT_MS} ms`)
      })
    } catch (thrown) {
      throw noNameServer(`${this.description} failed: ${toError(thrown).message}`, thrown)
    }
    return resolveAll(parseNameServerList('what the function namesrvAddr gives', given), this.#lookup)
  }
}

/**
 * The HTTP address server, which a client asks that was told no name server
 * (`common/namesrv/DefaultTopAddressing.java`, `common/MixAll.java#getWSAddr`): the first line of its answer is the list.
 */
export class HttpNameServers implements NameServerSource {
  readonly description: string
  readonly identity: string
  readonly mayChange = true
  readonly #url: string
  readonly #lookup: Lookup

  /** @param domain its name; port 8080 unless it has one */
  constructor(domain: string, subgroup: string, unitName: string | undefined, lookupHost: Lookup = systemLookup) {
    const host = domain.indexOf(':') > 0 ? domain : `${domain}:8080`
    const unit = unitName === undefined || unitName.trim() === '' ? '' : `-${unitName}?nofix=1`
    this.#url = `http://${host}/rocketmq/${subgroup}${unit}`
    this.#lookup = lookupHost
    this.description = `the address server ${this.#url}`
    this.identity = this.#url
  }

  async fetch(): Promise<readonly string[]> {
    const text = await this.#ask().catch((thrown: unknown) => {
      const { message, cause } = toError(thrown)
      const reason = cause instanceof Error ? `${message}, ${cause.message}` : message
      throw noNameServer(
        'no name server is known: namesrvAddr and the environment variable NAMESRV_ADDR are not set, and ' +
          `${this.description} cannot be asked (${reason})`,
        thrown
      )
    })
    const firstLine = text.trim().split(/[\r\n]/, 1)[0] ?? ''
    if (firstLine === '') throw noNameServer(`${this.description} names no server`)
    return resolveAll(parseNameServerList(`the answer of ${this.description}`, firstLine), this.#lookup)
  }

  async #ask(): Promise<string> {
    const response = await fetch(this.#url, {
      signal: AbortSignal.timeout(HTTP_TIMEOUT_MS),
      headers: { connection: 'close' }
    })
    const text = await response.text()
    if (response.status !== 200) throw new RouteError(`it answers with status ${response.status}`)
    return text
  }
}

function noNameServer(what: string, cause?: unknown): RouteError {
  const advice = 'set the option namesrvAddr or the environment variable NAMESRV_ADDR to host:port of a name server'
  return new RouteError(`${what}; ${advice}`, { cause, clientErrorCode: ClientErrorCode.NO_NAME_SERVER_EXCEPTION })
}

function hostOf(address: string): string {
  return address.slice(0, address.lastIndexOf(':')).replace(/^\[(.*)\]$/, '$1')
}

/**
 * Puts all addresses in the place of a name that has several. A name that has one, or that cannot be resolved, stays: the
 * connection resolves it again each time it is made, and says what is wrong with it.
 */
async function resolveAll(addresses: readonly string[], lookupHost: Lookup): Promise<readonly string[]> {
  const resolved = await Promise.all(addresses.map(address => resolve(address, lookupHost)))
  return [...new Set(resolved.flat())]
}

async function resolve(address: string, lookupHost: Lookup): Promise<readonly string[]> {
  const host = hostOf(address)
  if (isIP(host) !== 0) return [address]
  const found = await inTime<readonly string[]>(
    lookupHost(host).catch(() => []),
    LOOKUP_TIMEOUT_MS,
    () => []
  )
  if (found.length < 2) return [address]
  const port = address.slice(address.lastIndexOf(':'))
  return [...new Set(found)].map(ip => (ip.includes(':') ? `[${ip}]${port}` : ip + port))
}

/** What the promise gives, or, when it takes longer, what `late` gives or throws. */
async function inTime<T>(promise: Promise<T>, timeoutMs: number, late: () => T): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const tooSlow = new Promise<void>(fire => (timer = setTimeout(fire, timeoutMs))).then(late)
  try {
    return await Promise.race([promise, tooSlow])
  } finally {
    clearTimeout(timer)
  }
}

import { BrokerError, ConnectionError, RouteError, TimeoutError, ClientErrorCode, AbortedError } from '../errors.js'
import type { RemotingCommand } from '../remoting/types.js'
import { RequestCode, ResponseCode } from '../remoting/request-code.js'
import type { TopicRouteData } from '../route/topic-route-data.js'
import { parseTopicRouteData } from '../route/topic-route-data.js'
import type { Remoting } from './remoting.js'

/** How long to wait, and who may end the wait. */
export interface WaitOptions {
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
}

/** Requests to name servers. One server is asked until it cannot be reached, then the next of the list. */
export class NameServerApi {
  readonly #remoting: Remoting
  readonly #addresses: readonly string[]
  #chosen: number

  constructor(remoting: Remoting, addresses: readonly string[]) {
    this.#remoting = remoting
    this.#addresses = addresses
    this.#chosen = Math.floor(Math.random() * addresses.length)
  }

  /** All name servers. */
  get addresses(): readonly string[] {
    return this.#addresses
  }

  /**
   * The route of a topic; undefined when the name server does not know the topic.
   *
   * @throws RouteError when no name server answers
   * @throws BrokerError when one answers with another error
   */
  async getTopicRoute(topic: string, options: WaitOptions): Promise<TopicRouteData | undefined> {
    const response = await this.#invoke(RequestCode.GET_ROUTEINFO_BY_TOPIC, { topic }, options)
    if (response.code === ResponseCode.TOPIC_NOT_EXIST) return undefined
    if (response.code === ResponseCode.SUCCESS) return parseTopicRouteData(response.body)
    const address = this.#addresses[this.#chosen]!
    throw new BrokerError(response.code, response.remark, address, RequestCode.GET_ROUTEINFO_BY_TOPIC)
  }

  /** `remoting/netty/NettyRemotingClient.java#getAndCreateNameserverChannel`: sticky, then the next in the list. */
  async #invoke(code: number, extFields: Record<string, string>, options: WaitOptions): Promise<RemotingCommand> {
    let cause: unknown
    for (let tries = 0; tries < this.#addresses.length; tries++) {
      const chosen = this.#chosen
      try {
        return await this.#remoting.invoke(this.#addresses[chosen]!, { code, extFields }, options)
      } catch (error) {
        if (!(error instanceof ConnectionError || error instanceof TimeoutError)) throw error
        if (options.signal?.aborted === true) throw new AbortedError('asking a name server', options.signal)
        cause = error
        if (this.#chosen === chosen) this.#chosen = (chosen + 1) % this.#addresses.length
      }
    }
    throw new RouteError(`no name server answered (asked ${this.#addresses.join(', ')})`, {
      cause,
      clientErrorCode: ClientErrorCode.NO_NAME_SERVER_EXCEPTION
    })
  }
}

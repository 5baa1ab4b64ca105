import {
  AbortedError,
  BrokerError,
  ClientErrorCode,
  ConnectionError,
  ProtocolError,
  RouteError,
  TimeoutError,
  toError
} from '../errors.js'
import type { RemotingCommand } from '../remoting/types.js'
import { RequestCode, ResponseCode } from '../remoting/request-code.js'
import type { TopicRouteData } from '../route/topic-route-data.js'
import { parseTopicRouteData } from '../route/topic-route-data.js'
import type { NameServers } from './name-servers.js'
import type { Remoting } from './remoting.js'

/** How long to wait, and who may end the wait. */
export interface WaitOptions {
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
}

/** An answer, and who gave it. */
interface Answered {
  readonly address: string
  readonly response: RemotingCommand
}

/**
 * Requests to name servers. One server is asked until it cannot be reached, then the next of the list; the time there is is
 * shared among those that are left, so that one that hangs does not cost it all, and the send that waits for the answer.
 */
export class NameServerApi {
  /** The servers, and which of them is asked. */
  readonly nameServers: NameServers
  readonly #remoting: Remoting
  readonly #onAnswer: (address: string) => void

  /** @param onAnswer told which server has answered */
  constructor(remoting: Remoting, nameServers: NameServers, onAnswer: (address: string) => void = () => undefined) {
    this.#remoting = remoting
    this.nameServers = nameServers
    this.#onAnswer = onAnswer
  }

  /**
   * The route of a topic; undefined when the name server does not know the topic.
   *
   * @throws RouteError when no name server answers, or one refuses access
   * @throws BrokerError when one answers with another error
   * @throws ProtocolError when the route one gives cannot be read
   */
  async getTopicRoute(topic: string, options: WaitOptions): Promise<TopicRouteData | undefined> {
    const code = RequestCode.GET_ROUTEINFO_BY_TOPIC
    const { address, response } = await this.#invoke(code, { topic }, options)
    if (response.code === ResponseCode.TOPIC_NOT_EXIST) return undefined
    if (response.code === ResponseCode.SUCCESS) return readRoute(topic, address, response.body)
    const error = new BrokerError(response.code, response.remark, address, code)
    if (response.code !== ResponseCode.NO_PERMISSION) throw error
    throw new RouteError(
      `no route info of topic ${topic}: name server ${address} refuses access (${response.remark ?? 'no remark'}); ` +
        'check the credentials of this client and what they may do with the topic',
      { cause: error }
    )
  }

  /** Whose answer somebody waits for, and what to do about it: for the error of one whose time is over before it came. */
  get awaited(): string {
    const { addresses, chosen } = this.nameServers
    const asked = chosen === undefined ? '' : `; ${chosen} is being asked`
    return `no name server has answered yet (${addresses.join(', ')}${asked}); ${this.#advice}`
  }

  /** Asks one server after the other; when none answers, those the source knows by then and was not asked. */
  async #invoke(code: number, extFields: Record<string, string>, options: WaitOptions): Promise<Answered> {
    const failures = new Map<string, Error>()
    const answered = await this.#ask(code, extFields, options, failures)
    if (answered !== undefined) return answered
    if (await this.nameServers.refreshAfterFailure()) {
      const second = await this.#ask(code, extFields, options, failures)
      if (second !== undefined) return second
    }
    throw this.#unreachable(failures)
  }

  async #ask(
    code: number,
    extFields: Record<string, string>,
    options: WaitOptions,
    failures: Map<string, Error>
  ): Promise<Answered | undefined> {
    const deadlineMs = Date.now() + options.timeoutMs
    for (let tries = this.nameServers.addresses.length; tries > 0; tries--) {
      const address = this.nameServers.choose()
      if (address === undefined) return undefined
      if (failures.has(address)) {
        this.nameServers.failed(address)
        continue
      }
      const timeoutMs = Math.max(Math.ceil((deadlineMs - Date.now()) / tries), 1)
      try {
        const response = await this.#remoting.invoke(address, { code, extFields }, { ...options, timeoutMs })
        this.#onAnswer(address)
        return { address, response }
      } catch (error) {
        if (!(error instanceof ConnectionError || error instanceof TimeoutError)) throw error
        if (options.signal?.aborted === true) throw new AbortedError('asking a name server', options.signal)
        failures.set(address, error)
        this.nameServers.failed(address)
      }
    }
    return undefined
  }

  #unreachable(failures: ReadonlyMap<string, Error>): RouteError {
    const reasons = [...failures].map(([address, error]) => `${address}: ${error.message}`).join('; ')
    return new RouteError(`no name server answers (${reasons === '' ? 'none is known' : reasons}); ${this.#advice}`, {
      cause: [...failures.values()].at(-1),
      clientErrorCode: ClientErrorCode.NO_NAME_SERVER_EXCEPTION
    })
  }

  get #advice(): string {
    const { description } = this.nameServers.source
    return `their addresses are from ${description}: check that they are right and that the servers run`
  }
}

function readRoute(topic: string, address: string, body: Buffer): TopicRouteData {
  try {
    return parseTopicRouteData(body)
  } catch (error) {
    throw new ProtocolError(
      `name server ${address} gave no usable route of topic ${topic}: ${toError(error).message}; check that it is a name ` +
        `server, and what brokers have told it of the topic (mqadmin topicRoute -n ${address} -t ${topic})`,
      { cause: error }
    )
  }
}

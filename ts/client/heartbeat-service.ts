import type { ClientEvent, ErrorReporter } from '../diagnostics.js'
import { toError } from '../errors.js'
import { javaStringHash } from '../message/java-hash.js'
import type { BrokerApi } from './broker-api.js'
import type { ConsumerData } from './heartbeat.js'
import { encodeHeartbeat } from './heartbeat.js'
import type { WaitOptions } from './name-server-api.js'
import type { RouteTable } from './route-table.js'

/** A broker whose connection broke is greeted again after this long, and so on until it answers. */
const RECONNECT_INTERVAL_MS = 1_000

/** What heartbeats say, and where they go. */
export interface HeartbeatContext {
  readonly clientId: string
  readonly routes: RouteTable
  readonly brokerApi: BrokerApi
  /** `useHeartbeatV2`: what brokers know already is not said again. */
  readonly v2: boolean
  readonly report: ErrorReporter
  /** Groups of producers. */
  producerGroups(): readonly string[]
  /** Groups of consumers. */
  consumers(): readonly ConsumerData[]
  waitOptions(): WaitOptions
  /** False before the start and after the end: nobody is greeted then except by {@link HeartbeatService.toAll}. */
  isRunning(): boolean
  emit(event: ClientEvent): void
  /** A broker that had lost us knows us again. */
  reconnected(): void
  /** A broker could not be greeted for the n-th time since its connection broke. */
  unreachable(tries: number): void
}

/**
 * Keeps brokers aware of who is here: all of them in rounds, a new one as soon as a route names it, one whose connection
 * broke until it answers again (`impl/factory/MQClientInstance.java#sendHeartbeatToAllBrokerWithLock`,
 * `#sendHeartbeatToBroker`). Java greets when a channel becomes active (`ChannelEventListener#onChannelActive`); here it is
 * the heartbeat that makes the connection.
 */
export class HeartbeatService {
  readonly #context: HeartbeatContext
  /** Brokers that have answered on the connection there is. */
  readonly #connected = new Set<string>()
  /** Those whose connection broke and how often they were greeted in vain. */
  readonly #lost = new Map<string, number>()
  readonly #greetings = new Set<NodeJS.Timeout>()
  /** What a broker knows of us, by address, where it understands the second version. */
  readonly #known = new Map<string, string>()
  #round: Promise<boolean> = Promise.resolve(false)
  #waitingRound: Promise<boolean> | undefined

  constructor(context: HeartbeatContext) {
    this.#context = context
  }

  /**
   * Tells all brokers: masters only, and slaves too when there are consumers. Rounds do not overlap; each says what is true
   * when it begins, and all who ask while one goes on share the next.
   *
   * @returns false when there was nobody to tell or nothing to say
   */
  toAll(): Promise<boolean> {
    if (this.#waitingRound === undefined) {
      const round = this.#round.then(() => {
        this.#waitingRound = undefined
        return this.#toAll()
      })
      this.#waitingRound = round
      this.#round = round
    }
    return this.#waitingRound
  }

  /** A route has changed: brokers that have not heard of us do so now. */
  toNew(): void {
    if (!this.#context.isRunning()) return
    for (const address of this.#wanted()) {
      if (!this.#connected.has(address) && !this.#lost.has(address)) void this.#to(address)
    }
  }

  /** A connection has ended: that broker has forgotten us. */
  closed(address: string, reason: string): void {
    this.#known.delete(address)
    if (this.#connected.delete(address)) this.#context.emit({ type: 'disconnect', peer: 'broker', address, reason })
    if (this.#context.isRunning() && !this.#lost.has(address) && this.#wanted().includes(address))
      this.#greetLater(address, 0)
  }

  /** Greets nobody any more. */
  stop(): void {
    for (const timer of this.#greetings) clearTimeout(timer)
    this.#greetings.clear()
    this.#lost.clear()
  }

  #wanted(): string[] {
    return this.#context.routes.addresses(this.#context.consumers().length === 0)
  }

  async #toAll(): Promise<boolean> {
    const addresses = this.#wanted()
    if (addresses.length === 0 || this.#context.consumers().length + this.#context.producerGroups().length === 0) {
      return false
    }
    await Promise.all(addresses.map(address => this.#to(address)))
    return true
  }

  async #to(address: string): Promise<boolean> {
    const { clientId, brokerApi, v2, emit, report, isRunning } = this.#context
    const consumers = this.#context.consumers()
    const groups = this.#context.producerGroups()
    // Versions of subscriptions are no part of the fingerprint, but brokers must hear of them.
    const said = v2 ? JSON.stringify([groups, consumers]) : ''
    const known = v2 && this.#known.get(address) === said
    const body = encodeHeartbeat(clientId, groups, known ? consumers.map(withoutSubscriptions) : consumers, {
      heartbeatFingerprint: v2 ? fingerprintOf(groups, consumers) : 0,
      withoutSub: known
    })
    try {
      const answer = await brokerApi.heartbeat(address, body, this.#context.waitOptions())
      if (v2 && answer.subChanged) this.#known.delete(address)
      else if (v2 && answer.supportsV2) this.#known.set(address, said)
      if (!this.#connected.has(address)) {
        this.#connected.add(address)
        emit({ type: 'connect', peer: 'broker', address })
      }
      return true
    } catch (error) {
      if (isRunning()) report(toError(error), `heartbeat to ${address}`)
      return false
    }
  }

  #greetLater(address: string, tries: number): void {
    this.#lost.set(address, tries)
    const timer = setTimeout(() => {
      this.#greetings.delete(timer)
      void this.#greet(address, tries + 1)
    }, RECONNECT_INTERVAL_MS).unref()
    this.#greetings.add(timer)
  }

  async #greet(address: string, tries: number): Promise<void> {
    const { isRunning, reconnected, unreachable } = this.#context
    const reached = this.#wanted().includes(address) && (await this.#to(address))
    this.#lost.delete(address)
    if (!isRunning()) return
    if (reached) {
      reconnected()
    } else if (this.#wanted().includes(address)) {
      this.#greetLater(address, tries)
      unreachable(tries)
    }
  }
}

function withoutSubscriptions(data: ConsumerData): ConsumerData {
  return { ...data, subscriptionDataSet: [] }
}

/**
 * A number that changes with what is said; brokers keep it and compare (`HeartbeatData.java#computeHeartbeatFingerprint`:
 * the hash of it all without client id and versions of subscriptions). Never 0, which means the first version.
 */
function fingerprintOf(groups: readonly string[], consumers: readonly ConsumerData[]): number {
  const said = consumers.map(data => ({
    ...data,
    subscriptionDataSet: data.subscriptionDataSet.map(subscription => ({ ...subscription, subVersion: 0 }))
  }))
  return javaStringHash(JSON.stringify([groups, said])) || 1
}

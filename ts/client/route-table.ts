import type { TopicRouteData } from '../route/topic-route-data.js'
import { MASTER_ID, topicRouteChanged } from '../route/topic-route-data.js'

/** A broker's address for reading. */
export interface FoundBroker {
  readonly address: string
  readonly slave: boolean
}

/** The routes a client knows and the addresses of the brokers in them. */
export class RouteTable {
  readonly #routes = new Map<string, TopicRouteData>()
  readonly #brokerAddrs = new Map<string, ReadonlyMap<number, string>>()

  /** The route of a topic, if it was ever found. */
  get(topic: string): TopicRouteData | undefined {
    return this.#routes.get(topic)
  }

  /** Remembers a route; tells whether it differs from the one known before. */
  put(topic: string, route: TopicRouteData): boolean {
    if (!topicRouteChanged(this.#routes.get(topic), route)) return false
    for (const broker of route.brokerDatas) this.#brokerAddrs.set(broker.brokerName, broker.brokerAddrs)
    this.#routes.set(topic, route)
    return true
  }

  /** Address of a broker's master, for everything that writes. */
  masterAddress(brokerName: string): string | undefined {
    return this.#brokerAddrs.get(brokerName)?.get(MASTER_ID)
  }

  /**
   * Address of a broker for reading: that with `brokerId`; for a slave that is absent the one with the next id; else any
   * (`impl/factory/MQClientInstance.java#findBrokerAddressInSubscribe`).
   */
  findBroker(brokerName: string, brokerId: number): FoundBroker | undefined {
    const addresses = this.#brokerAddrs.get(brokerName)
    if (addresses === undefined) return undefined
    const wanted = [brokerId, ...(brokerId === MASTER_ID ? [] : [brokerId + 1]), ...addresses.keys()]
    for (const id of wanted) {
      const address = addresses.get(id)
      if (address !== undefined) return { address, slave: id !== MASTER_ID }
    }
    return undefined
  }

  /** An address of any broker of the topic, its master if it has one (`BrokerData.java#selectBrokerAddr`). */
  anyBrokerAddress(topic: string): string | undefined {
    const brokers = this.#routes.get(topic)?.brokerDatas ?? []
    const broker = brokers[Math.floor(Math.random() * brokers.length)]
    return broker?.brokerAddrs.get(MASTER_ID) ?? broker?.brokerAddrs.values().next().value
  }

  /** All addresses; only those of masters when `mastersOnly`. */
  addresses(mastersOnly: boolean): string[] {
    const found: string[] = []
    for (const addresses of this.#brokerAddrs.values()) {
      for (const [id, address] of addresses) if (!mastersOnly || id === MASTER_ID) found.push(address)
    }
    return found
  }

  /** Forgets addresses that are in no route any more (`impl/factory/MQClientInstance.java#cleanOfflineBroker`). */
  cleanOfflineBrokers(): void {
    const online = new Set<string>()
    for (const route of this.#routes.values()) {
      for (const broker of route.brokerDatas) for (const address of broker.brokerAddrs.values()) online.add(address)
    }
    for (const [brokerName, addresses] of this.#brokerAddrs) {
      const kept = new Map([...addresses].filter(([, address]) => online.has(address)))
      if (kept.size === 0) this.#brokerAddrs.delete(brokerName)
      else if (kept.size < addresses.size) this.#brokerAddrs.set(brokerName, kept)
    }
  }
}

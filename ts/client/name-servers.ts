import type { NameServerSource } from './name-server-source.js'

/** How soon after a question to the source the next is worth while, when no name server answers. */
const ASK_AGAIN_MS = 1_000

/** The name servers a client knows at the moment, and which of them it asks. */
export class NameServers {
  readonly source: NameServerSource
  readonly #onChange: (addresses: readonly string[], before: readonly string[]) => void
  #addresses: readonly string[] = []
  #chosen: string | undefined
  #index = Math.floor(Math.random() * 1_000)
  #refreshing: Promise<boolean> | undefined
  #askedMs = -Infinity

  /** @param onChange told of each list after the first */
  constructor(
    source: NameServerSource,
    onChange: (addresses: readonly string[], before: readonly string[]) => void = () => undefined
  ) {
    this.source = source
    this.#onChange = onChange
  }

  /** All of them, `host:port`. */
  get addresses(): readonly string[] {
    return this.#addresses
  }

  /** The one that is asked; undefined before the first question, and when the last one asked has failed. */
  get chosen(): string | undefined {
    return this.#chosen
  }

  /**
   * Asks the source for the list. A list that is another one holds from the next request on; the server that was chosen
   * stays chosen if it is in the new list too (`remoting/netty/NettyRemotingClient.java#updateNameServerAddressList`).
   * Requests under way to a server that is not in it any more end there, and its connection with them.
   *
   * @returns whether the list has changed
   * @throws RouteError, ConfigError when the source gives none; the list stays as it is
   */
  refresh(): Promise<boolean> {
    this.#refreshing ??= this.#refresh().finally(() => (this.#refreshing = undefined))
    return this.#refreshing
  }

  /** For when no server answers: asks the source if its answer may be another by now; never rejects. */
  async refreshAfterFailure(): Promise<boolean> {
    if (!this.source.mayChange) return false
    if (this.#refreshing === undefined && Date.now() - this.#askedMs < ASK_AGAIN_MS) return false
    return this.refresh().catch(() => false)
  }

  /**
   * The server to ask: the one that was asked before, until it fails, then the next of the list
   * (`remoting/netty/NettyRemotingClient.java#getAndCreateNameserverChannelAsync`).
   */
  choose(): string | undefined {
    if (this.#chosen === undefined && this.#addresses.length > 0) {
      this.#index = (this.#index + 1) & 0x7fffffff
      this.#chosen = this.#addresses[this.#index % this.#addresses.length]
    }
    return this.#chosen
  }

  /** This server could not be asked: the next is chosen, unless that has happened already. */
  failed(address: string): void {
    if (this.#chosen === address) this.#chosen = undefined
  }

  async #refresh(): Promise<boolean> {
    this.#askedMs = Date.now()
    const addresses = await this.source.fetch()
    const before = this.#addresses
    if (addresses.length === before.length && addresses.every(address => before.includes(address))) return false
    this.#addresses = addresses
    if (this.#chosen !== undefined && !addresses.includes(this.#chosen)) this.#chosen = undefined
    if (before.length > 0) this.#onChange(addresses, before)
    return true
  }
}

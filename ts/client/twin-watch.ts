import type { ErrorReporter } from '../diagnostics.js'
import { ConfigError } from '../errors.js'

/** A connection that broke may be in the list until its broker notices; what is there longer than this lives. */
const LASTS_MS = 60_000

/**
 * Notices that another process calls itself by our client id. Brokers list the members of a group by connection
 * (`broker/client/ConsumerGroupInfo.java#getAllClientId`, `broker/processor/AdminBrokerProcessor.java#getProducerConnectionList`),
 * so an id that two have is there twice.
 */
export class TwinWatch {
  readonly #clientId: string
  readonly #report: ErrorReporter
  readonly #consequence: string
  #sinceMs: number | undefined
  #reported = false

  /** @param consequence what is wrong then, for the error text */
  constructor(clientId: string, consequence: string, report: ErrorReporter) {
    this.#clientId = clientId
    this.#consequence = consequence
    this.#report = report
  }

  /** Looks at the members of a group, as a broker lists them. */
  look(group: string, members: readonly string[]): void {
    if (members.indexOf(this.#clientId) === members.lastIndexOf(this.#clientId)) {
      this.#sinceMs = undefined
      this.#reported = false
      return
    }
    this.#sinceMs ??= Date.now()
    if (this.#reported || Date.now() - this.#sinceMs < LASTS_MS) return
    this.#reported = true
    const error = new ConfigError(
      `another live client calls itself ${this.#clientId}, as this one does (seen in group ${group}): ${this.#consequence}; ` +
        'give each an instanceName of its own'
    )
    this.#report(error, 'looking for clients with the same id')
  }
}

import type { ErrorReporter } from '../diagnostics.js'
import { ConfigError } from '../errors.js'

/** A connection that broke may be in the list until its broker notices; what is there longer than this lives. */
const LASTS_MS = 60_000

/**
 * Notices that another process calls itself by our client id. Brokers list the members of a consumer group by connection
 * (`broker/client/ConsumerGroupInfo.java#getAllClientId`), so an id that two have is there twice. Then both take the same
 * queues, and others are taken by nobody.
 */
export class TwinWatch {
  readonly #clientId: string
  readonly #report: ErrorReporter
  #sinceMs: number | undefined
  #reported = false

  constructor(clientId: string, report: ErrorReporter) {
    this.#clientId = clientId
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
      `another live client calls itself ${this.#clientId}, as this one does, so both of them get the same queues of group ` +
        `${group} and other queues are read by nobody; give each an instanceName of its own`
    )
    this.#report(error, `sharing out the queues of group ${group}`)
  }
}

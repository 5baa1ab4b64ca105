import type { ConsumeStatus } from '../client/consumer-info.js'

/** Of how long rates are, and how often what was counted is noted for them (`common/stats/StatsItem.java#init`). */
const MINUTE = { keepMs: 60_000, everyMs: 10_000 } as const
const HOUR = { keepMs: 3_600_000, everyMs: 600_000 } as const

/** What is counted of a topic, since the consumer took its first queue of it. */
class Counts {
  /** Pulls that brought messages, how long they took in all, and the messages. */
  pulls = 0
  pullMs = 0
  pulledMessages = 0
  /** Calls of the listener, and how long they took in all. */
  calls = 0
  callMs = 0
  /** Messages the listener was content with, and others. */
  consumed = 0
  failed = 0
}

interface Noted {
  readonly atMs: number
  readonly counts: Readonly<Counts>
}

/** Counts of a topic, and what they were some time ago, which together are rates (`client/stat/ConsumerStatsManager.java`). */
export class ConsumeStats extends Counts {
  readonly #minute: Noted[]
  readonly #hour: Noted[]

  constructor() {
    super()
    const start = { atMs: Date.now(), counts: new Counts() }
    this.#minute = [start]
    this.#hour = [start]
  }

  /** To be called now and then: notes the counts if it is time. */
  sample(nowMs: number): void {
    this.#note(this.#minute, MINUTE, nowMs)
    this.#note(this.#hour, HOUR, nowMs)
  }

  /** Rates of the last minute, and how many messages failed in the last hour (`#consumeStatus`). */
  status(nowMs = Date.now()): ConsumeStatus {
    this.sample(nowMs)
    const [minute, hour] = [this.#minute[0]!, this.#hour[0]!]
    const seconds = Math.max(nowMs - minute.atMs, MINUTE.everyMs) / 1_000
    const last = minute.counts
    const pulls = this.pulls - last.pulls
    const called = this.calls > last.calls ? last : hour.counts
    return {
      pullRT: pulls === 0 ? 0 : (this.pullMs - last.pullMs) / pulls,
      pullTPS: (this.pulledMessages - last.pulledMessages) / seconds,
      consumeRT: this.calls === called.calls ? 0 : (this.callMs - called.callMs) / (this.calls - called.calls),
      consumeOKTPS: (this.consumed - last.consumed) / seconds,
      consumeFailedTPS: (this.failed - last.failed) / seconds,
      consumeFailedMsgs: this.failed - hour.counts.failed
    }
  }

  #note(noted: Noted[], { keepMs, everyMs }: typeof MINUTE | typeof HOUR, nowMs: number): void {
    if (nowMs - noted.at(-1)!.atMs < everyMs) return
    noted.push({ atMs: nowMs, counts: Object.assign(new Counts(), this) })
    while (noted.length > 1 && nowMs - noted[1]!.atMs >= keepMs) noted.shift()
  }
}

import type { MessageQueue } from '../message/message-queue.js'
import type { ServiceDetector } from './latency-fault-tolerance.js'
import { LatencyFaultTolerance } from './latency-fault-tolerance.js'
import type { TopicPublishInfo } from './topic-publish-info.js'

/** A failed attempt counts as one that took this long (`MQFaultStrategy.java#updateFaultItem`). */
const FAILED_LATENCY_MS = 10_000

/** The settings of a strategy; times are milliseconds. */
export interface FaultStrategyOptions {
  /** Latencies, ascending: one of at least `latencyMax[i]` isolates its broker for `notAvailableDuration[i]`. */
  readonly latencyMax: readonly number[]
  /** As many durations as there are latencies. */
  readonly notAvailableDuration: readonly number[]
  readonly startDetectorEnable: boolean
  readonly detectTimeout: number
  readonly detectInterval: number
}

/**
 * Chooses queues so that brokers that were slow or failed are left alone for a while
 * (`client/latency/MQFaultStrategy.java`). Only made when `sendLatencyFaultEnable` is on.
 */
export class MQFaultStrategy {
  /** Whether brokers that cannot be reached are watched until they can. */
  readonly detectorEnabled: boolean
  readonly #tolerance: LatencyFaultTolerance
  readonly #latencyMax: readonly number[]
  readonly #notAvailableDuration: readonly number[]
  readonly #isAvailable: (brokerName: string) => boolean
  readonly #isReachable: (brokerName: string) => boolean

  constructor(options: FaultStrategyOptions, detector: ServiceDetector) {
    const tolerance = new LatencyFaultTolerance(detector, options.detectTimeout, options.detectInterval)
    this.detectorEnabled = options.startDetectorEnable
    this.#tolerance = tolerance
    this.#latencyMax = options.latencyMax
    this.#notAvailableDuration = options.notAvailableDuration
    this.#isAvailable = brokerName => tolerance.isAvailable(brokerName)
    this.#isReachable = brokerName => tolerance.isReachable(brokerName)
  }

  /** Starts the detector if it is enabled. */
  start(): void {
    if (this.detectorEnabled) this.#tolerance.startDetector()
  }

  /** Ends the detector. */
  shutdown(): void {
    this.#tolerance.shutdown()
  }

  /**
   * The next queue in turn, of a broker that is available and not `lastBrokerName`; else of one that can be reached and is
   * not `lastBrokerName`; else whichever is next (`#selectOneMessageQueue`).
   *
   * @param resetIndex whether turns begin anew at a place by chance, as further attempts want it
   */
  selectOneMessageQueue(info: TopicPublishInfo, lastBrokerName: string | undefined, resetIndex: boolean): MessageQueue {
    if (resetIndex) info.resetIndex()
    return (
      info.selectAmong(lastBrokerName, this.#isAvailable) ??
      info.selectAmong(lastBrokerName, this.#isReachable) ??
      info.selectOneMessageQueue()
    )
  }

  /**
   * Notes the end of an attempt (`#updateFaultItem`).
   *
   * @param isolation whether the attempt failed, whatever time it took
   * @param reachable false when the broker is not to be used before the detector, or another send, has reached it
   */
  updateFaultItem(brokerName: string, latencyMs: number, isolation: boolean, reachable: boolean): void {
    const durationMs = this.#notAvailableMs(isolation ? FAILED_LATENCY_MS : latencyMs)
    this.#tolerance.updateFaultItem(brokerName, durationMs, reachable)
  }

  /** `#computeNotAvailableDuration`. */
  #notAvailableMs(latencyMs: number): number {
    for (let i = this.#latencyMax.length - 1; i >= 0; i--) {
      if (latencyMs >= this.#latencyMax[i]!) return this.#notAvailableDuration[i]!
    }
    return 0
  }
}

/** The period of the detector, and how long it waits before the first round (`LatencyFaultToleranceImpl.java#startDetector`). */
const DETECTOR_PERIOD_MS = 3_000

/** What the detector needs to know of the world. */
export interface ServiceDetector {
  /** The address of a broker's master; undefined when it is in no route any more. */
  resolve(brokerName: string): string | undefined
  /** Whether the broker at this address answers within that time. Never rejects. */
  detect(address: string, timeoutMs: number): Promise<boolean>
}

/** What is known of one broker. */
interface FaultItem {
  /** When it may be used again. */
  startTimestamp: number
  /** When it is to be looked at again. */
  checkStamp: number
  reachable: boolean
}

/**
 * Remembers by name which brokers were slow or failed, and until when they are to be left alone
 * (`client/latency/LatencyFaultToleranceImpl.java`).
 */
export class LatencyFaultTolerance {
  readonly #items = new Map<string, FaultItem>()
  readonly #detector: ServiceDetector
  readonly #detectTimeoutMs: number
  readonly #detectIntervalMs: number
  #timer: NodeJS.Timeout | undefined

  constructor(detector: ServiceDetector, detectTimeoutMs: number, detectIntervalMs: number) {
    this.#detector = detector
    this.#detectTimeoutMs = detectTimeoutMs
    this.#detectIntervalMs = detectIntervalMs
  }

  /** Notes the end of an attempt: leave the broker alone for that long (an earlier, longer isolation stays). */
  updateFaultItem(brokerName: string, notAvailableMs: number, reachable: boolean): void {
    let item = this.#items.get(brokerName)
    if (item === undefined) {
      item = { startTimestamp: 0, checkStamp: 0, reachable }
      this.#items.set(brokerName, item)
    }
    item.reachable = reachable
    if (notAvailableMs > 0) item.startTimestamp = Math.max(item.startTimestamp, Date.now() + notAvailableMs)
  }

  /** Whether a broker is isolated no longer, or never was. */
  isAvailable(brokerName: string): boolean {
    const item = this.#items.get(brokerName)
    return item === undefined || Date.now() >= item.startTimestamp
  }

  /** Whether the last that was heard of a broker is that it answers. */
  isReachable(brokerName: string): boolean {
    return this.#items.get(brokerName)?.reachable ?? true
  }

  /** Looks every 3 s at brokers that cannot be reached, until {@link shutdown}. */
  startDetector(): void {
    this.#timer ??= setInterval(() => void this.detectByOneRound(), DETECTOR_PERIOD_MS).unref()
  }

  /** Ends the detector. */
  shutdown(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  /**
   * Looks once at the brokers whose turn it is, and forgets those that are in no route. Java also asks brokers that are
   * known to be reachable and does nothing with the answer; here they are not asked.
   */
  async detectByOneRound(): Promise<void> {
    const nowMs = Date.now()
    const looks: Promise<void>[] = []
    for (const [brokerName, item] of this.#items) {
      if (nowMs < item.checkStamp) continue
      item.checkStamp = nowMs + this.#detectIntervalMs
      const address = this.#detector.resolve(brokerName)
      if (address === undefined) this.#items.delete(brokerName)
      else if (!item.reachable) looks.push(this.#look(item, address))
    }
    await Promise.all(looks)
  }

  async #look(item: FaultItem, address: string): Promise<void> {
    if (await this.#detector.detect(address, this.#detectTimeoutMs)) item.reachable = true
  }
}

import type { AbortListener } from '../abort-listeners.js'
import { checkedSignal, listenToAbort, stopListening } from '../abort-listeners.js'
import type { ClientEvent, ErrorReporter, Logger } from '../diagnostics.js'
import { warningReporter } from '../diagnostics.js'

/** Events kept for a reader that is slow. */
const MAX_EVENTS = 256

/** One for the process: what several clients share would be printed by each of them otherwise. */
const warn = warningReporter()

/** Who is told, besides those who read `status()`. */
export interface StatusOptions {
  readonly onError: ErrorReporter | undefined
  readonly logger: Logger | undefined
}

/**
 * What happens to one producer or consumer, for whoever wants to know: `status()` gives all events to any number of
 * readers; the option `logger` is told of all of them; the option `onError` of the faults. With neither, faults are
 * warnings of the process. Costs nothing while nothing happens.
 */
export class ClientStatus {
  readonly #options: StatusOptions
  readonly #streams = new Set<EventStream>()
  #ended = false

  constructor(options: StatusOptions) {
    this.#options = options
  }

  /** Tells of a failure in the background. */
  readonly report: ErrorReporter = (error, doing) => this.emit({ type: 'fault', error, doing })

  /** Tells of an event. What `logger` or `onError` throws is the user's uncaught exception, and stops nothing here. */
  emit(event: ClientEvent): void {
    const { logger, onError } = this.#options
    if (logger !== undefined) guarded(() => log(logger, event))
    if (event.type === 'fault') {
      if (onError !== undefined) guarded(() => onError(event.error, event.doing))
      else if (logger === undefined) warn(event.error, event.doing)
    }
    for (const stream of this.#streams) stream.push(event)
  }

  /** The events from now on, until the reader leaves the loop, the signal fires, or the client has shut down. */
  stream(given?: AbortSignal): AsyncIterableIterator<ClientEvent> {
    const signal = checkedSignal(given)
    const stream: EventStream = new EventStream(() => {
      this.#streams.delete(stream)
      if (signal !== undefined) stopListening(signal, stream)
    })
    if (this.#ended || signal?.aborted === true) stream.end()
    else {
      this.#streams.add(stream)
      if (signal !== undefined) listenToAbort(signal, stream)
    }
    return stream
  }

  /** Nothing happens any more: readers get what is left, and their loops end. */
  end(): void {
    this.#ended = true
    for (const stream of this.#streams) stream.end()
  }
}

/** The events that one reader has not read, at most {@link MAX_EVENTS}. */
class EventStream implements AsyncIterableIterator<ClientEvent>, AbortListener {
  readonly #onEnd: () => void
  #events: ClientEvent[] = []
  #missed = 0
  #waiting: ((result: IteratorResult<ClientEvent>) => void)[] = []
  #ended = false

  constructor(onEnd: () => void) {
    this.#onEnd = onEnd
  }

  push(event: ClientEvent): void {
    const reader = this.#waiting.shift()
    if (reader !== undefined) {
      reader({ done: false, value: event })
      return
    }
    this.#events.push(event)
    if (this.#events.length <= MAX_EVENTS) return
    this.#events.shift()
    this.#missed++
  }

  async next(): Promise<IteratorResult<ClientEvent>> {
    if (this.#missed > 0) {
      const count = this.#missed
      this.#missed = 0
      return { done: false, value: { type: 'missed', count } }
    }
    const value = this.#events.shift()
    if (value !== undefined) return { done: false, value }
    if (this.#ended) return { done: true, value: undefined }
    return new Promise(resolve => this.#waiting.push(resolve))
  }

  async return(): Promise<IteratorResult<ClientEvent>> {
    this.#events = []
    this.#missed = 0
    this.end()
    return { done: true, value: undefined }
  }

  end(): void {
    if (this.#ended) return
    this.#ended = true
    this.#onEnd()
    for (const reader of this.#waiting.splice(0)) reader({ done: true, value: undefined })
  }

  /** The reader's signal fired. */
  handleAbort(): void {
    this.end()
  }

  [Symbol.asyncIterator](): this {
    return this
  }
}

function log(logger: Logger, event: ClientEvent): void {
  switch (event.type) {
    case 'connect':
      logger.info({ peer: event.peer, address: event.address }, `connected to ${event.address}`)
      break
    case 'disconnect':
      logger.warn(
        { peer: event.peer, address: event.address, reason: event.reason },
        `connection to ${event.address} ended: ${event.reason}`
      )
      break
    case 'routeChange':
      logger.info({ topic: event.topic, brokers: event.brokers }, `route of topic ${event.topic} has changed`)
      break
    case 'nameServerChange':
      logger.info(
        { addresses: event.addresses, before: event.before },
        `name servers are now ${event.addresses.join(';')}`
      )
      break
    case 'fault':
      logger.error({ err: event.error, doing: event.doing }, `${event.doing}: ${event.error.message}`)
      break
    case 'missed':
  }
}

function guarded(tell: () => void): void {
  try {
    tell()
  } catch (thrown) {
    process.nextTick(() => {
      throw thrown
    })
  }
}

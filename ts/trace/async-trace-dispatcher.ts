import type { ErrorReporter } from '../diagnostics.js'
import { BusyError, toError } from '../errors.js'
import type { TraceContext } from './trace-context.js'
import { RMQ_SYS_TRACE_TOPIC, TRACE_TOPIC_PREFIX } from './trace-context.js'
import { encodeTraceContext } from './trace-data-encoder.js'

/** Records that wait; more are dropped (`traceContextQueue`). */
const MAX_WAITING = 2048
/** Records in one message at most, whatever is asked for. */
const MAX_BATCH_NUM = 20
/** Bytes of one trace message (`maxMsgSize`). */
export const MAX_TRACE_BYTES = 128_000
/** UTF-8 needs at most three bytes for a UTF-16 unit: 20 records below this fit in any case and need no counting. */
const SURELY_FITTING_UNITS = 2_000
/** Records wait at most so long for others (`flushTraceInterval`). */
const FLUSH_INTERVAL_MS = 5000
/** Trace messages on their way; while there are so many, records wait. Java's bound is the queue of its executor. */
const MAX_SENDING = 128

/** Who sends trace messages: a producer of the dispatcher's own. */
export interface TraceSender {
  /** Makes it ready. */
  start(): Promise<void>
  /** Sends one trace message. */
  send(topic: string, body: Buffer, keys: readonly string[]): Promise<void>
  /** Waits for what is on its way, until the signal fires, and leaves nothing behind. */
  shutdown(signal: AbortSignal | undefined): Promise<void>
}

/** How records are gathered and where they go. */
export interface TraceDispatcherOptions {
  readonly traceTopic: string | undefined
  readonly traceMsgBatchNum: number
  readonly accessChannel: 'LOCAL' | 'CLOUD'
}

/** Records of one topic for one trace topic. */
interface Group {
  readonly traceTopic: string
  readonly contexts: TraceContext[]
}

/**
 * Gathers trace records and sends them in batches (`client/trace/AsyncTraceDispatcher.java`): as soon as there are
 * `traceMsgBatchNum`, else when the last batch was more than five seconds ago. Records that find no place are dropped, and
 * failures are reported: tracing neither delays nor fails what is traced. While records wait for their batch, the process
 * stays alive, so that none is lost at its end (Java has a shutdown hook for that).
 */
export class AsyncTraceDispatcher {
  /** Messages to this topic, and those whose name begins with it, are not traced. */
  readonly traceTopicName: string
  readonly #batchNum: number
  readonly #cloud: boolean
  readonly #sender: TraceSender
  readonly #report: ErrorReporter
  #waiting: TraceContext[] = []
  #sending = 0
  #dropped = 0
  #lastFlushMs = Date.now()
  #timer: NodeJS.Timeout | undefined
  #immediate: NodeJS.Immediate | undefined
  #running = false

  constructor(options: TraceDispatcherOptions, sender: TraceSender, report: ErrorReporter) {
    this.traceTopicName = options.traceTopic ?? RMQ_SYS_TRACE_TOPIC
    this.#batchNum = Math.min(options.traceMsgBatchNum, MAX_BATCH_NUM)
    this.#cloud = options.accessChannel === 'CLOUD'
    this.#sender = sender
    this.#report = report
  }

  /** Starts the sender; fails as it does. Before that, records are dropped. */
  async start(): Promise<void> {
    await this.#sender.start()
    this.#running = true
  }

  /** Takes a record; false when it is dropped. */
  append(context: TraceContext): boolean {
    if (!this.#running) return false
    if (this.#waiting.length >= MAX_WAITING) {
      this.#drop()
      return false
    }
    this.#waiting.push(context)
    if (this.#sending < MAX_SENDING) this.#schedule()
    return true
  }

  /** Sends all that waits. */
  flush(): void {
    clearTimeout(this.#timer)
    clearImmediate(this.#immediate)
    this.#timer = undefined
    this.#immediate = undefined
    while (this.#waiting.length > 0) this.#sendBatch()
  }

  /** Sends all that waits, waits until it is sent or the signal fires, and leaves nothing behind. */
  async shutdown(signal?: AbortSignal): Promise<void> {
    if (!this.#running) return
    this.#running = false
    this.flush()
    try {
      await this.#sender.shutdown(signal)
    } catch (error) {
      this.#report(toError(error), 'ending the message trace')
    }
  }

  #drop(): void {
    // One report for each time the queue fills up.
    if (this.#dropped++ > 0) return
    this.#report(
      new BusyError(`${MAX_WAITING} trace records wait for ${this.traceTopicName}, more are dropped`),
      'tracing messages'
    )
  }

  #schedule(): void {
    if (this.#waiting.length >= this.#batchNum) this.#immediate ??= setImmediate(() => this.#sendFullBatches())
    else this.#timer ??= setTimeout(() => this.flush(), Math.max(0, this.#lastFlushMs + FLUSH_INTERVAL_MS - Date.now()))
  }

  #sendFullBatches(): void {
    this.#immediate = undefined
    while (this.#waiting.length >= this.#batchNum && this.#sending < MAX_SENDING) this.#sendBatch()
    this.#rearm()
  }

  #rearm(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#waiting.length > 0 && this.#sending < MAX_SENDING) this.#schedule()
  }

  #sendBatch(): void {
    const batch = this.#waiting.splice(0, this.#batchNum)
    this.#lastFlushMs = Date.now()
    if (this.#waiting.length === 0) this.#dropped = 0
    for (const { traceTopic, contexts } of this.#groups(batch)) this.#flushData(traceTopic, contexts)
  }

  /** One message has records of one topic only (`#sendTraceData`). */
  #groups(batch: readonly TraceContext[]): Iterable<Group> {
    const groups = new Map<string, Group>()
    for (const context of batch) {
      const traceTopic = this.#cloud ? TRACE_TOPIC_PREFIX + context.regionId : this.traceTopicName
      const key = `${context.topic} ${traceTopic}`
      const group = groups.get(key)
      if (group === undefined) groups.set(key, { traceTopic, contexts: [context] })
      else group.contexts.push(context)
    }
    return groups.values()
  }

  /** `#flushData`; where Java sends what has outgrown the limit already, it is sent before it does. */
  #flushData(traceTopic: string, contexts: readonly TraceContext[]): void {
    let data = ''
    let bytes = 0
    const keys = new Set<string>()
    for (const context of contexts) {
      const { transData, transKey } = encodeTraceContext(context)
      const size = transData.length < SURELY_FITTING_UNITS ? transData.length * 3 : Buffer.byteLength(transData)
      if (bytes > 0 && bytes + size > MAX_TRACE_BYTES) {
        this.#send(traceTopic, data, [...keys])
        data = ''
        bytes = 0
        keys.clear()
      }
      data += transData
      bytes += size
      for (const key of transKey) keys.add(key)
    }
    this.#send(traceTopic, data, [...keys])
  }

  #send(traceTopic: string, data: string, keys: readonly string[]): void {
    this.#sending++
    this.#sender
      .send(traceTopic, Buffer.from(data), keys)
      .catch((error: unknown) => this.#report(toError(error), `sending message trace to ${traceTopic}`))
      .finally(() => {
        this.#sending--
        if (this.#running) this.#rearm()
      })
  }
}

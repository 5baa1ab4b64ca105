import { tracingChannel } from 'node:diagnostics_channel'
import type {
  Counter,
  Histogram,
  Link,
  MeterProvider,
  Span,
  TextMapGetter,
  Tracer,
  TracerProvider
} from '@opentelemetry/api'
import {
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  context,
  diag,
  isSpanContextValid,
  metrics,
  propagation,
  trace
} from '@opentelemetry/api'
import { toError } from '../errors.js'
import type { Message } from '../message/message.js'
import type { SendEvent } from '../producer/send-event.js'
import { TRACE_GROUP_PREFIX } from '../trace/trace-context.js'
import { SEND, endAttributes, metricAttributes, startAttributes } from './attributes.js'

/**
 * OpenTelemetry for this package, `rocketmq-native/opentelemetry`. Needs `@opentelemetry/api`, which is not installed with
 * it.
 *
 * ```ts
 * import { instrument } from 'rocketmq-native/opentelemetry'
 *
 * instrument() // after the SDK has registered its providers
 * ```
 *
 * @packageDocumentation
 */

/** Where spans and metrics go. */
export interface InstrumentOptions {
  /** @default the global one */
  readonly tracerProvider?: TracerProvider | undefined
  /** @default the global one at the time of the call */
  readonly meterProvider?: MeterProvider | undefined
}

/** What {@link instrument} has turned on. */
export interface Instrumentation extends Disposable {
  /** Turns it off; spans of sends that are on their way still end. */
  disable(): void
}

const NAME = 'rocketmq-native'

/** In seconds, as the conventions advise. */
const DURATION_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10]

/**
 * Makes a span of every send of every producer in this process, sends its context along in the properties of the message
 * (by the global propagator: `traceparent`, `tracestate`), and counts and times sends. Producers need not know of it and
 * may be there before. Nothing that goes wrong in here reaches a send: it goes to `diag` of the API.
 */
export function instrument(options: InstrumentOptions = {}): Instrumentation {
  const sends = new SendTelemetry(options)
  const channel = tracingChannel<unknown, SendEvent>('rocketmq-native:send')
  const onStart = (event: SendEvent): void => guarded(() => sends.start(event))
  const onEnd = (event: SendEvent): void => guarded(() => sends.end(event))
  channel.start.subscribe(onStart as (message: unknown) => void)
  channel.asyncEnd.subscribe(onEnd as (message: unknown) => void)
  const disable = (): void => {
    channel.start.unsubscribe(onStart as (message: unknown) => void)
    // Ends of sends that have begun are still to be told; of later ones nothing is known here.
    sends.afterLast(() => void channel.asyncEnd.unsubscribe(onEnd as (message: unknown) => void))
  }
  return { disable, [Symbol.dispose]: disable }
}

function guarded(work: () => void): void {
  try {
    work()
  } catch (error) {
    diag.error(`${NAME}: ${toError(error).message}`, error)
  }
}

/** A send on its way. */
interface Begun {
  readonly span: Span
  readonly startMs: number
}

/** Spans and metrics of sends. */
class SendTelemetry {
  readonly #tracer: Tracer
  readonly #sentMessages: Counter
  readonly #duration: Histogram
  readonly #begun = new Map<SendEvent, Begun>()
  #onEmpty: (() => void) | undefined

  constructor({ tracerProvider, meterProvider }: InstrumentOptions) {
    this.#tracer = (tracerProvider ?? trace.getTracerProvider()).getTracer(NAME)
    const meter = (meterProvider ?? metrics.getMeterProvider()).getMeter(NAME)
    this.#sentMessages = meter.createCounter('messaging.client.sent.messages', {
      unit: '{message}',
      description: 'Number of messages producer attempted to send to the broker.'
    })
    this.#duration = meter.createHistogram('messaging.client.operation.duration', {
      unit: 's',
      description: 'Duration of messaging operation initiated by a producer or consumer client.',
      advice: { explicitBucketBoundaries: DURATION_BUCKETS }
    })
  }

  start(event: SendEvent): void {
    // Message trace watches as well; it is not watched.
    if (event.producerGroup.startsWith(TRACE_GROUP_PREFIX)) return
    const parent = context.active()
    const span = this.#tracer.startSpan(
      `${SEND} ${event.topic}`,
      { kind: SpanKind.PRODUCER, attributes: startAttributes(event), links: creationLinks(event.messages) },
      parent
    )
    this.#begun.set(event, { span, startMs: performance.now() })
    propagation.inject(trace.setSpan(parent, span), event.properties)
  }

  end(event: SendEvent): void {
    const begun = this.#begun.get(event)
    if (begun === undefined) return
    this.#begun.delete(event)
    if (this.#begun.size === 0) this.#onEmpty?.()
    const { span, startMs } = begun
    const { error } = event
    try {
      if (span.isRecording()) {
        span.setAttributes(endAttributes(event))
        if (error !== undefined) {
          span.recordException(error)
          span.setStatus({ code: SpanStatusCode.ERROR, message: error.message })
        }
      }
    } finally {
      span.end()
    }
    const attributes = metricAttributes(event)
    // Messages that travelled in a batch of others have a result and no attempts of their own.
    if (event.attempts > 0 || event.result !== undefined) this.#sentMessages.add(event.messages.length, attributes)
    this.#duration.record((performance.now() - startMs) / 1000, attributes)
  }

  /** Calls back once no send is on its way. */
  afterLast(callback: () => void): void {
    if (this.#begun.size === 0) callback()
    else this.#onEmpty = callback
  }
}

const GETTER: TextMapGetter<Message> = {
  get: (message, key) => message.getProperty(key),
  keys: message => [...message.properties.keys()]
}

/** Messages that carry a context of their own keep it; the send is linked to it. */
function creationLinks(messages: readonly Message[]): Link[] {
  const links: Link[] = []
  for (const message of messages) {
    const found = trace.getSpanContext(propagation.extract(ROOT_CONTEXT, message, GETTER))
    if (found !== undefined && isSpanContextValid(found)) links.push({ context: found })
  }
  return links
}

import assert from 'node:assert/strict'
import { channel } from 'node:diagnostics_channel'
import { after, afterEach, before, describe, it } from 'node:test'
import type { Attributes, Tracer } from '@opentelemetry/api'
import { DiagLogLevel, SpanKind, SpanStatusCode, context, diag, propagation, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { W3CTraceContextPropagator } from '@opentelemetry/core'
import type { DataPoint, Histogram } from '@opentelemetry/sdk-metrics'
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader
} from '@opentelemetry/sdk-metrics'
import type { ReadableSpan } from '@opentelemetry/sdk-trace-base'
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base'
import { ClientRegistry } from '../../../ts/client/client-registry.js'
import { ConnectionError } from '../../../ts/errors.js'
import { Message } from '../../../ts/message/message.js'
import { decodeProperties } from '../../../ts/message/properties.js'
import type { ProducerOptions } from '../../../ts/producer/options.js'
import { Producer } from '../../../ts/producer/producer.js'
import type { Instrumentation } from '../../../ts/telemetry/opentelemetry.js'
import { instrument } from '../../../ts/telemetry/opentelemetry.js'
import type { FakeSend } from '../helpers/fake-remoting.js'
import { FakeRemoting, settle } from '../helpers/fake-remoting.js'

const OFFSET_ID = '0A00000100002A9F0000000000000001'
const MESSAGE = { topic: 'T', body: 'body' }
const FOREIGN = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'

function stored(send: FakeSend): void {
  send.pending.onSent(0, send.template.queueId, 0, 0, OFFSET_ID, true, undefined)
}

/** Answers a batch of two. */
function storedPair(send: FakeSend): void {
  send.pending.onSent(0, send.template.queueId, 0, 0, `${OFFSET_ID},${OFFSET_ID}`, true, undefined)
}

function refused(send: FakeSend): void {
  send.pending.onResponse({ code: 13, version: 0, remark: 'no', extFields: {}, body: Buffer.alloc(0) })
}

function unreachable(send: FakeSend): void {
  send.pending.onFailed(new ConnectionError('refused', send.address))
}

function fail(): never {
  assert.fail('broken SDK')
}

interface Scene extends AsyncDisposable {
  readonly remoting: FakeRemoting
  readonly producer: Producer
}

async function scene(outcome: (send: FakeSend) => void, options: Partial<ProducerOptions> = {}): Promise<Scene> {
  const remoting = new FakeRemoting()
  remoting.route({ T: { a: 1 }, RMQ_SYS_TRACE_TOPIC: { a: 1 } })
  remoting.onSend = outcome
  const producer = new Producer(
    { namesrvAddr: '127.0.0.1:9876', producerGroup: 'pg', ...options },
    new ClientRegistry(() => remoting)
  )
  await producer.start()
  return { remoting, producer, [Symbol.asyncDispose]: () => producer.shutdown() }
}

/** Hides the ids, which change from run to run. */
function shown({ name, kind, attributes, status }: ReadableSpan): unknown {
  const { 'messaging.client.id': clientId, 'messaging.message.id': messageId, ...rest } = attributes
  assert.match(String(clientId), /@/)
  return { name, kind, code: status.code, hasMessageId: messageId !== undefined, ...rest }
}

describe('instrument()', () => {
  const spans = new InMemorySpanExporter()
  const tracerProvider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] })
  const exported = new InMemoryMetricExporter(AggregationTemporality.DELTA)
  const reader = new PeriodicExportingMetricReader({ exporter: exported, exportIntervalMillis: 3_600_000 })
  const meterProvider = new MeterProvider({ readers: [reader] })
  let instrumentation: Instrumentation | undefined

  before(() => {
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
    propagation.setGlobalPropagator(new W3CTraceContextPropagator())
  })
  after(async () => {
    context.disable()
    propagation.disable()
    await meterProvider.shutdown()
    await tracerProvider.shutdown()
  })
  afterEach(async () => {
    instrumentation?.disable()
    instrumentation = undefined
    spans.reset()
    await reader.forceFlush()
    exported.reset()
  })

  async function measured(name: string): Promise<DataPoint<unknown>[]> {
    await reader.forceFlush()
    const all = exported.getMetrics().flatMap(each => each.scopeMetrics.flatMap(scope => scope.metrics))
    // A union of arrays, one for each kind of metric, has no flatMap of its own.
    return all
      .filter(metric => metric.descriptor.name === name)
      .flatMap(metric => metric.dataPoints as DataPoint<unknown>[])
  }

  it('makes a span of a send, in the words of the conventions, and sends its context along', async () => {
    instrumentation = instrument({ tracerProvider, meterProvider })
    await using at = await scene(stored)
    const tracer = tracerProvider.getTracer('test')
    const parent = tracer.startSpan('parent')
    const result = await context.with(trace.setSpan(context.active(), parent), () =>
      at.producer.send({ ...MESSAGE, tags: 'x', keys: 'k1 k2', delayTimeLevel: 3 })
    )
    const [span] = spans.getFinishedSpans()
    assert.deepEqual(shown(span!), {
      name: 'send T',
      kind: SpanKind.PRODUCER,
      code: SpanStatusCode.UNSET,
      hasMessageId: true,
      'messaging.system': 'rocketmq',
      'messaging.operation.name': 'send',
      'messaging.operation.type': 'send',
      'messaging.destination.name': 'T',
      'messaging.destination.partition.id': 'a:0',
      'messaging.message.body.size': 4,
      'messaging.rocketmq.message.type': 'delay',
      'messaging.rocketmq.message.tag': 'x',
      'messaging.rocketmq.message.keys': ['k1', 'k2'],
      'messaging.rocketmq.message.delay_time_level': 3,
      'server.address': 'a',
      'server.port': 10911
    })
    assert.deepEqual(
      [span!.attributes['messaging.message.id'], span!.attributes['messaging.client.id']],
      [result.msgId, at.producer.clientId]
    )
    assert.equal(span!.parentSpanContext?.spanId, parent.spanContext().spanId)
    const { traceId, spanId } = span!.spanContext()
    const sent = decodeProperties(at.remoting.sends[0]!.fields.properties)
    assert.equal(sent.get('traceparent'), `00-${traceId}-${spanId}-01`)
  })

  it('tells how a send failed: by the code of the answer, or of the error', async () => {
    instrumentation = instrument({ tracerProvider, meterProvider })
    await using refusing = await scene(refused)
    await using lost = await scene(unreachable)
    await assert.rejects(refusing.producer.send(MESSAGE))
    await assert.rejects(
      new Promise((_resolve, reject) => lost.producer.send(MESSAGE, (error?: Error) => reject(error)))
    )
    await assert.rejects(lost.producer.send({ topic: 'T', body: '' }))
    assert.deepEqual(
      spans
        .getFinishedSpans()
        .map(({ status, attributes, events }) => [
          status.code,
          attributes['error.type'],
          events.map(({ name }) => name)
        ]),
      ['13', 'RMQ_CONNECTION', 'RMQ_ARGUMENT'].map(type => [SpanStatusCode.ERROR, type, ['exception']])
    )
  })

  it('counts messages that are batched automatically', async () => {
    instrumentation = instrument({ tracerProvider, meterProvider })
    await using at = await scene(storedPair, { autoBatch: true })
    await Promise.all([at.producer.send(MESSAGE), at.producer.send(MESSAGE)])
    assert.equal(at.remoting.sends.length, 1)
    const counted = await measured('messaging.client.sent.messages')
    assert.deepEqual(
      counted.map(({ value }) => value),
      [2]
    )
  })

  it('counts and times sends, of a batch every message, of what never left none', async () => {
    instrumentation = instrument({ tracerProvider, meterProvider })
    await using at = await scene(stored)
    await at.producer.send(MESSAGE)
    await at.producer.send([MESSAGE, MESSAGE, MESSAGE])
    await at.producer.sendOneway(MESSAGE)
    await assert.rejects(at.producer.send({ topic: 'T', body: '' }))
    const attributes: Attributes = {
      'messaging.system': 'rocketmq',
      'messaging.operation.name': 'send',
      'messaging.operation.type': 'send',
      'messaging.destination.name': 'T',
      'messaging.destination.partition.id': 'a:0',
      'server.address': 'a',
      'server.port': 10911
    }
    const sent = await measured('messaging.client.sent.messages')
    assert.deepEqual(
      sent.map(point => [point.value, point.attributes]),
      [[5, attributes]]
    )
    // The kind of this metric is a histogram.
    const durations = (await measured('messaging.client.operation.duration')) as DataPoint<Histogram>[]
    assert.deepEqual(
      durations.map(({ value, attributes: { 'error.type': type } }) => [value.count, type]),
      [
        [3, undefined],
        [1, 'RMQ_ARGUMENT']
      ]
    )
    assert.equal(durations[0]!.value.buckets.boundaries[0], 0.005)
    const batch = spans.getFinishedSpans()[1]!
    assert.equal(batch.attributes['messaging.batch.message_count'], 3)
    assert.equal(batch.attributes['messaging.message.body.size'], 12)
    const { traceId } = batch.spanContext()
    assert.equal(
      Buffer.from(at.remoting.sends[1]!.fields.body).toString().split(`traceparent\u000100-${traceId}`).length,
      4
    )
  })

  it('leaves the context a message carries already, and links the span to it', async () => {
    instrumentation = instrument({ tracerProvider, meterProvider })
    await using at = await scene(stored)
    const message = new Message({ ...MESSAGE, properties: { traceparent: FOREIGN } })
    await at.producer.send(message)
    assert.equal(decodeProperties(at.remoting.sends[0]!.fields.properties).get('traceparent'), FOREIGN)
    const [span] = spans.getFinishedSpans()
    assert.deepEqual(
      span!.links.map(link => link.context.traceId),
      ['0af7651916cd43dd8448eb211c80319c']
    )
  })

  it('does not watch the messages of message trace', async () => {
    instrumentation = instrument({ tracerProvider, meterProvider })
    const at = await scene(stored, { enableTrace: true })
    await at.producer.send(MESSAGE)
    await at.producer.shutdown()
    assert.deepEqual(
      at.remoting.sends.map(send => send.template.topic),
      ['T', 'RMQ_SYS_TRACE_TOPIC']
    )
    assert.equal(spans.getFinishedSpans().length, 1)
  })

  it('can be turned off: sends on their way get their end, later ones no span, and nothing listens any more', async () => {
    instrumentation = instrument({ tracerProvider, meterProvider })
    await using at = await scene(() => undefined)
    const sending = at.producer.send(MESSAGE)
    await settle()
    instrumentation.disable()
    assert.equal(channel('tracing:rocketmq-native:send:start').hasSubscribers, false)
    stored(at.remoting.sends[0]!)
    await sending
    assert.equal(spans.getFinishedSpans().length, 1)
    assert.equal(channel('tracing:rocketmq-native:send:asyncEnd').hasSubscribers, false)
    at.remoting.onSend = stored
    await at.producer.send(MESSAGE)
    assert.equal(spans.getFinishedSpans().length, 1)
  })

  it('cannot break a send, whatever providers and propagators do', async t => {
    const logged: string[] = []
    const log = (message: string): void => void logged.push(message)
    diag.setLogger({ error: log, warn: log, info: log, debug: log, verbose: log }, DiagLogLevel.ERROR)
    t.after(() => diag.disable())
    const real = tracerProvider.getTracer('real')
    // Tracers that break at the start and at the end of a span; the rest of them is not called.
    const brokenAtStart = { startSpan: fail } as unknown as Tracer
    const brokenAtEnd = {
      startSpan: (name: string) => Object.assign(real.startSpan(name), { setAttributes: fail, end: fail })
    } as unknown as Tracer
    for (const tracer of [brokenAtStart, brokenAtEnd]) {
      const broken = instrument({ tracerProvider: { getTracer: () => tracer }, meterProvider })
      await using at = await scene(stored)
      assert.equal((await at.producer.send(MESSAGE)).sendStatus, 'SEND_OK')
      await at.producer.sendOneway(MESSAGE)
      await new Promise(resolve => at.producer.send(MESSAGE, resolve))
      assert.equal(at.remoting.sends.length, 2)
      broken.disable()
    }
    propagation.disable()
    propagation.setGlobalPropagator({ inject: fail, extract: fail, fields: () => [] })
    const broken = instrument({ tracerProvider, meterProvider })
    await using at = await scene(stored)
    assert.equal((await at.producer.send(MESSAGE)).sendStatus, 'SEND_OK')
    broken.disable()
    propagation.disable()
    propagation.setGlobalPropagator(new W3CTraceContextPropagator())
    assert.ok(logged.length >= 7 && logged.every(line => line === 'rocketmq-native: broken SDK'))
  })
})

/** OpenTelemetry from end to end: the context of a span arrives with the message. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { propagation } from '@opentelemetry/api'
import { W3CTraceContextPropagator } from '@opentelemetry/core'
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base'
import { type MessageExt, Producer, PushConsumer, startServer } from '../../ts/index.js'
import { instrument } from '../../ts/telemetry/opentelemetry.js'
import { until } from '../interop/helpers/until.js'

it('a consumer gets the context of the span that sent the message, alone and in a batch', async t => {
  propagation.setGlobalPropagator(new W3CTraceContextPropagator())
  t.after(() => propagation.disable())
  const exporter = new InMemorySpanExporter()
  const tracerProvider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] })
  const instrumentation = instrument({ tracerProvider })
  t.after(() => instrumentation.disable())

  await using server = await startServer()
  const namesrvAddr = server.nameServerAddress
  await using producer = new Producer({ namesrvAddr, producerGroup: 'watched' })
  await producer.start()
  await producer.send({ topic: 'T', body: 'alone', properties: { mine: 'yes' } })
  await producer.send([
    { topic: 'T', body: 'first' },
    { topic: 'T', body: 'second' }
  ])
  await using consumer = new PushConsumer({
    namesrvAddr,
    consumerGroup: 'readers',
    consumeFromWhere: 'CONSUME_FROM_FIRST_OFFSET'
  })
  const received: MessageExt[] = []
  consumer.subscribe('T', '*')
  consumer.registerMessageListener(messages => void received.push(...messages))
  await consumer.start()
  await until('three messages', () => received.length === 3)
  const [alone, batch] = exporter.getFinishedSpans().map(span => {
    const { traceId, spanId } = span.spanContext()
    return `00-${traceId}-${spanId}-01`
  })
  const contexts = new Map(received.map(each => [each.body.toString(), each.getProperty('traceparent')]))
  assert.deepEqual(Object.fromEntries(contexts), { alone, first: batch, second: batch })
  assert.equal(received.find(each => each.body.toString() === 'alone')?.getProperty('mine'), 'yes')
})

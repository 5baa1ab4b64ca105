/** Message trace on a server of our own. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { Producer, PushConsumer, startServer } from '../../ts/index.js'
import { decodeTraceData } from '../../ts/trace/trace-data-encoder.js'
import { until } from '../interop/helpers/until.js'

it('records of all messages sent are in the trace topic of our broker once the producer is shut down', async () => {
  await using server = await startServer()
  const namesrvAddr = server.nameServerAddress
  const producer = new Producer({ namesrvAddr, producerGroup: 'traced', enableTrace: true })
  await producer.start()
  const sent = await Promise.all(Array.from({ length: 25 }, (_, i) => producer.send({ topic: 'T', body: `m${i}` })))
  await producer.shutdown()
  await using consumer = new PushConsumer({
    namesrvAddr,
    consumerGroup: 'tracer',
    consumeFromWhere: 'CONSUME_FROM_FIRST_OFFSET'
  })
  const traced: string[] = []
  consumer.subscribe('RMQ_SYS_TRACE_TOPIC', '*')
  consumer.registerMessageListener(messages => {
    for (const { body } of messages) traced.push(...decodeTraceData(body.toString()).map(({ msgId }) => msgId))
  })
  await consumer.start()
  await until('all records', () => traced.length >= sent.length)
  assert.deepEqual(traced.sort(), sent.map(({ msgId }) => msgId).sort())
})

import { PushConsumer } from '../../ts/index.js'
import type { DrainOutcome } from './load.js'

const DRAIN_TIMEOUT_MS = 120_000

/** Reads `count` messages as a new group, with the settings of LoadConsumer.java, and times from first to last. */
export async function drain(
  nameServer: string,
  topic: string,
  consumerGroup: string,
  count: number
): Promise<DrainOutcome> {
  const consumer = new PushConsumer({
    namesrvAddr: nameServer,
    consumerGroup,
    consumeFromWhere: 'CONSUME_FROM_FIRST_OFFSET',
    pullBatchSize: 32,
    consumeMessageBatchMaxSize: 32,
    pullThresholdForQueue: 10_000,
    pullThresholdSizeForQueue: 1_000
  })
  consumer.subscribe(topic, '*')
  let received = 0
  let first = 0
  try {
    return await new Promise((resolve, reject) => {
      const late = () => reject(new Error(`received ${received} of ${count} messages`))
      const timer = setTimeout(late, DRAIN_TIMEOUT_MS)
      consumer.registerMessageListener(messages => {
        if (received === 0) first = performance.now()
        received += messages.length
        if (received < count) return
        clearTimeout(timer)
        resolve({ messages: received, seconds: (performance.now() - first) / 1_000 })
      })
      consumer.start().catch(reject)
    })
  } finally {
    await consumer.shutdown()
  }
}

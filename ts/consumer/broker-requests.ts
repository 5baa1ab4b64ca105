import type { ConsumerInner } from '../client/client-instance.js'
import type { ConsumeMessageDirectlyResult, ProcessQueueInfo } from '../client/consumer-info.js'
import { toError } from '../errors.js'
import { decompressBody } from '../message/compression.js'
import { MessageExt } from '../message/message-ext.js'
import { MessageQueue } from '../message/message-queue.js'
import { decodeRecord, encodeRecord } from '../message/record.js'
import { MessageSysFlag, compressionTypeOf } from '../message/sys-flag.js'
import type { OffsetStore } from './offset-store.js'
import type { PushConsumerConfig } from './options.js'
import type { PullTask } from './pull-task.js'
import type { Rebalance } from './rebalance.js'
import type { ListenerResult, MessageListenerConcurrently } from './types.js'
import { ConsumeConcurrentlyContext, ConsumeConcurrentlyStatus } from './types.js'

const BYTES_PER_MIB = 1024 * 1024

/** What a running push consumer does when a broker, or an administrator through it, asks something of it. */
export function brokerRequests(
  config: PushConsumerConfig,
  listener: MessageListenerConcurrently,
  rebalance: Rebalance,
  offsetStore: OffsetStore,
  retryTopic: string
): Pick<ConsumerInner, 'resetOffset' | 'offsetsOf' | 'runningInfo' | 'consumeMessageDirectly'> {
  const startTimestampMs = Date.now()
  return {
    resetOffset: async (topic, offsets) => {
      for (const task of rebalance.tasks) {
        const { key } = task.messageQueue
        const wanted = offsets.find(({ mq }) => mq.topic === topic && mq.key === key)
        if (wanted !== undefined) rebalance.restart(task, wanted.offset)
      }
    },
    offsetsOf: topic => offsetStore.offsetsOf(topic),
    runningInfo: async () => ({
      properties: textsOf(config),
      consumeType: 'CONSUME_PASSIVELY',
      consumeOrderly: false,
      threadPoolCoreSize: config.consumeThreadMax,
      startTimestampMs,
      subscriptions: [...rebalance.subscriptions.values()],
      status: Object.fromEntries(
        [...rebalance.subscriptions.keys()].map(topic => [topic, rebalance.stats(topic).status()])
      ),
      queues: await Promise.all(
        rebalance.tasks.map(async task => [task.messageQueue, await infoOf(task, offsetStore)] as const)
      )
    }),
    consumeMessageDirectly: async (record, brokerName) => {
      const message = new MessageExt(inflated(record), 0, {
        brokerName,
        offsetDelta: 0,
        minOffset: undefined,
        maxOffset: undefined,
        retryTopic
      })
      return consumeDirectly(listener, message)
    }
  }
}

/** `impl/consumer/DefaultMQPushConsumerImpl.java#consumerRunningInfo`, `ProcessQueue.java#fillProcessQueueInfo` */
async function infoOf({ messageQueue, processQueue }: PullTask, offsetStore: OffsetStore): Promise<ProcessQueueInfo> {
  const known = offsetStore.readFromMemory(messageQueue)
  return {
    commitOffset: known >= 0 ? known : await offsetStore.readFromStore(messageQueue).catch(() => -1),
    cachedMsgMinOffset: processQueue.minOffset,
    cachedMsgMaxOffset: processQueue.maxOffset,
    cachedMsgCount: processQueue.messageCount,
    cachedMsgSizeInMiB: Math.floor(processQueue.messageBytes / BYTES_PER_MIB),
    transactionMsgMinOffset: 0,
    transactionMsgMaxOffset: 0,
    transactionMsgCount: 0,
    locked: false,
    tryUnlockTimes: 0,
    lastLockTimestamp: 0,
    droped: processQueue.dropped,
    lastPullTimestamp: processQueue.lastPullTimestamp,
    lastConsumeTimestamp: processQueue.lastConsumeTimestamp
  }
}

/** `impl/consumer/ConsumeMessageConcurrentlyService.java#consumeMessageDirectly`; returning nothing is success here. */
async function consumeDirectly(
  listener: MessageListenerConcurrently,
  message: MessageExt
): Promise<ConsumeMessageDirectlyResult> {
  const context = new ConsumeConcurrentlyContext(new MessageQueue(message.topic, message.brokerName, message.queueId))
  const startMs = Date.now()
  const end = (
    result: Pick<ConsumeMessageDirectlyResult, 'consumeResult' | 'remark'>
  ): ConsumeMessageDirectlyResult => ({
    order: false,
    autoCommit: true,
    ...result,
    spentTimeMills: Date.now() - startMs
  })
  try {
    const result: ListenerResult = await listener([message], context)
    return end({ consumeResult: result === ConsumeConcurrentlyStatus.RECONSUME_LATER ? 'CR_LATER' : 'CR_SUCCESS' })
  } catch (thrown) {
    const { name, message: text } = toError(thrown)
    return end({ consumeResult: 'CR_THROW_EXCEPTION', remark: `${name}: ${text}` })
  }
}

/** The record as a pull would bring it: its body inflated. */
function inflated(bytes: Buffer): Buffer {
  const record = decodeRecord(bytes)
  if ((record.sysFlag & MessageSysFlag.COMPRESSED) === 0) return bytes
  const body = decompressBody(compressionTypeOf(record.sysFlag), record.body)
  return encodeRecord({ ...record, sysFlag: record.sysFlag & ~MessageSysFlag.COMPRESSED, body })
}

/** The options that are plain values, as texts. */
function textsOf(config: PushConsumerConfig): Record<string, string> {
  const plain = Object.entries(config).filter(([, value]) => ['string', 'number', 'boolean'].includes(typeof value))
  return Object.fromEntries(plain.map(([name, value]) => [name, String(value)]))
}

import type { RocketMQError } from '../errors.js'
import { BrokerError, BusyError, ClientStateError, InvalidArgumentError } from '../errors.js'
import type { ClientInstance } from '../client/client-instance.js'
import { MessageQueue } from '../message/message-queue.js'
import { MQFaultStrategy } from '../route/fault-strategy.js'
import type { ProducerConfig } from './options.js'
import type { PublishTable } from './publish-table.js'

/**
 * The fault strategy of a producer, its detector running; undefined when `sendLatencyFaultEnable` is off. A broker is
 * there when it tells the end of some queue of some topic, as in `impl/producer/DefaultMQProducerImpl.java#<init>`.
 */
export function startFaultStrategy(
  config: ProducerConfig,
  instance: ClientInstance,
  table: PublishTable
): MQFaultStrategy | undefined {
  if (!config.sendLatencyFaultEnable) return undefined
  const strategy = new MQFaultStrategy(config, {
    resolve: brokerName => instance.routes.masterAddress(brokerName),
    async detect(address, timeoutMs) {
      const [topic] = table.publishTopics()
      if (topic === undefined) return false
      try {
        await instance.brokerApi.maxOffset(address, new MessageQueue(topic, '', 0), { timeoutMs })
        return true
      } catch {
        // That is the answer: it cannot be reached.
        return false
      }
    }
  })
  strategy.start()
  return strategy
}

/**
 * Notes what a failed attempt says of its broker: for promises as `impl/producer/DefaultMQProducerImpl.java#sendDefaultImpl`
 * has it, for callbacks as `impl/MQClientAPIImpl.java#sendMessageAsync`, where no failure makes a broker unreachable. A
 * limit of our own, or our end, says nothing of a broker; Java's callbacks isolate it even then.
 */
export function noteFailure(
  faults: MQFaultStrategy,
  brokerName: string,
  latencyMs: number,
  error: RocketMQError,
  hasCallback: boolean
): void {
  if (error instanceof BusyError || error instanceof ClientStateError || error instanceof InvalidArgumentError) return
  if (hasCallback) faults.updateFaultItem(brokerName, latencyMs, true, true)
  else if (error instanceof BrokerError) faults.updateFaultItem(brokerName, latencyMs, true, false)
  else faults.updateFaultItem(brokerName, latencyMs, true, !faults.detectorEnabled)
}

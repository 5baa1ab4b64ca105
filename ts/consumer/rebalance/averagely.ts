import type { AllocateMessageQueueStrategy } from './strategy.js'

/** Neighbouring queues to each member, as evenly as can be (`rebalance/AllocateMessageQueueAveragely.java`). */
export const allocateMessageQueueAveragely: AllocateMessageQueueStrategy = {
  name: 'AVG',
  allocate(_consumerGroup, currentCID, mqAll, cidAll) {
    const index = cidAll.indexOf(currentCID)
    if (index < 0) return []
    const members = cidAll.length
    const rest = mqAll.length % members
    const oneMore = rest > 0 && index < rest
    const size = mqAll.length <= members ? 1 : Math.floor(mqAll.length / members) + (oneMore ? 1 : 0)
    const start = oneMore ? index * size : index * size + rest
    return mqAll.slice(start, start + size)
  }
}

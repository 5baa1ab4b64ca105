import { InvalidArgumentError } from '../errors.js'
import type { JavaHashable } from '../message/java-hash.js'
import { javaHashCode } from '../message/java-hash.js'
import type { MessageQueue } from '../message/message-queue.js'
import type { Message } from '../message/message.js'
import type { MessageQueueSelector } from './types.js'

/**
 * The same queue for the same argument, as long as the queues stay the same
 * (`client/producer/selector/SelectMessageQueueByHash.java`). Java and this client choose the same queue for equal
 * arguments: an integer that fits 32 bits counts as Java's `Integer`, a larger one, a bigint and a Long as `Long`.
 */
export function selectMessageQueueByHash(
  queues: readonly MessageQueue[],
  _message: Message,
  arg: JavaHashable
): MessageQueue {
  // The remainder is smaller than any number whose sign cannot be taken away.
  return queues[Math.abs(javaHashCode(arg) % queues.length)]!
}

/** Any queue (`client/producer/selector/SelectMessageQueueByRandom.java`). */
export function selectMessageQueueByRandom(queues: readonly MessageQueue[]): MessageQueue {
  return queues[Math.floor(Math.random() * queues.length)]!
}

/**
 * A selector that takes only queues of brokers in these machine rooms: those named `room@broker`, as
 * `client/consumer/rebalance/AllocateMessageQueueByMachineRoom.java` reads their names. Among them the argument decides
 * as in {@link selectMessageQueueByHash}; without one (undefined) it is any of them.
 *
 * Java's `SelectMessageQueueByMachineRoom` has the list of rooms (`consumeridcs`) too, but chooses no queue at all.
 *
 * @throws InvalidArgumentError, when it is to choose and no queue is in one of the rooms
 */
export function selectMessageQueueByMachineRoom(
  consumeridcs: Iterable<string>
): MessageQueueSelector<JavaHashable | undefined> {
  const rooms = new Set(consumeridcs)
  return (queues, message, arg) => {
    const near = queues.filter(({ brokerName }) => {
      const parts = brokerName.split('@')
      return parts.length === 2 && rooms.has(parts[0]!)
    })
    if (near.length === 0) {
      throw new InvalidArgumentError(
        `no queue of topic ${message.topic} is in the machine rooms ${[...rooms].join(', ')}`
      )
    }
    return arg === undefined ? selectMessageQueueByRandom(near) : selectMessageQueueByHash(near, message, arg)
  }
}

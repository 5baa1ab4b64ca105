import type { MessageQueue } from '../message/message-queue.js'
import type { Message } from '../message/message.js'
import { javaStringHash } from '../message/java-hash.js'

/**
 * The same queue for the same argument, as long as the queues stay the same
 * (`client/producer/selector/SelectMessageQueueByHash.java`). Numbers count as Java's `Integer` does, everything else by
 * its text, so that Java and this client choose the same queue for equal texts and whole numbers.
 */
export function selectMessageQueueByHash(
  queues: readonly MessageQueue[],
  _message: Message,
  arg: string | number
): MessageQueue {
  const hash = Number.isInteger(arg) ? Number(arg) | 0 : javaStringHash(String(arg))
  return queues[Math.abs(hash % queues.length)]!
}

/** Any queue (`client/producer/selector/SelectMessageQueueByRandom.java`). */
export function selectMessageQueueByRandom(queues: readonly MessageQueue[]): MessageQueue {
  return queues[Math.floor(Math.random() * queues.length)]!
}

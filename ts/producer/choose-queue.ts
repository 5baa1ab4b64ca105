import { InvalidArgumentError } from '../errors.js'
import type { Message } from '../message/message.js'
import type { MessageQueue } from '../message/message-queue.js'
import type { ChooseQueue } from './pending-send.js'
import type { SendArguments } from './send-arguments.js'

/** The error for a message and a queue of another topic. */
export function wrongTopic(mq: MessageQueue, topic: string): InvalidArgumentError {
  return new InvalidArgumentError(`a message for topic ${topic} cannot be sent to ${mq.toString()}`)
}

/** The selector of a call, checked: one attempt, on the queue it names (`DefaultMQProducerImpl.java#sendSelectImpl`). */
export function chooser(
  { selector, arg }: SendArguments,
  message: Message | undefined,
  topic: string
): ChooseQueue | undefined {
  if (selector === undefined) return undefined
  if (message === undefined) throw new InvalidArgumentError('a batch cannot be sent by a selector')
  return queues => {
    let mq: MessageQueue | undefined
    try {
      mq = selector(queues, message, arg)
    } catch (error) {
      throw new InvalidArgumentError('the queue selector threw', { cause: error })
    }
    if (mq?.topic !== topic) {
      throw new InvalidArgumentError(`the selector chose no queue of topic ${topic}: ${String(mq)}`)
    }
    return mq
  }
}

/** Compiled, never run: what listeners may return, synchronously or not. */
import type { MessageExt, MessageListenerConcurrently, PushConsumer } from '../../../ts/index.js'

const either: MessageListenerConcurrently = messages => (messages.length > 1 ? 'CONSUME_SUCCESS' : Promise.resolve())

/** Fails to compile when a listener that is right is refused, or one that is wrong is not. */
export function listenerForms(consumer: PushConsumer, handle: (message: MessageExt) => void): void {
  consumer.registerMessageListener(() => 'CONSUME_SUCCESS')
  consumer.registerMessageListener(async () => 'CONSUME_SUCCESS')
  consumer.registerMessageListener(messages => {
    messages.forEach(handle)
    return 'RECONSUME_LATER'
  })
  consumer.registerMessageListener(async (messages, context) => {
    context.ackIndex = messages.length - 2
    return 'CONSUME_SUCCESS'
  })
  consumer.registerMessageListener(async messages => (messages.length > 1 ? 'CONSUME_SUCCESS' : undefined))
  consumer.registerMessageListener(messages => messages.forEach(handle))
  consumer.registerMessageListener(async messages => messages.forEach(handle))
  consumer.registerMessageListener(() => {
    throw new Error('later')
  })
  consumer.registerMessageListener(either)
  // @ts-expect-error no status of Apache's, so nobody knows whether it was consumed: SUCCESS is CONSUME_SUCCESS
  consumer.registerMessageListener(() => 'SUCCESS')
  // @ts-expect-error the same behind a promise: an async listener must not hide it
  consumer.registerMessageListener(async () => 'SUCCESS')
  // @ts-expect-error a number is no status; what a listener counts is not for the consumer
  consumer.registerMessageListener(messages => messages.length)
}

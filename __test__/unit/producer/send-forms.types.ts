/** Compiled, never run: in every form of a send the parameters of functions get their types from it. */
import type { Message, MessageQueue, Producer, RocketMQError, SendResult } from '../../../ts/index.js'

type Callback = (error: RocketMQError | undefined, result: SendResult | undefined) => void

const choose = (queues: readonly MessageQueue[], _message: Message, index: number): MessageQueue => queues[index]!

/** Fails to compile when a parameter has no type or the wrong one. */
export async function sendForms(producer: Producer, queue: MessageQueue, tell: Callback): Promise<SendResult[]> {
  const message = { topic: 'T', body: 'b' }
  producer.send(message, (error, result) => tell(error, result))
  producer.send([message], (error, result) => tell(error, result))
  producer.send(message, 30, (error, result) => tell(error, result))
  producer.send(message, { timeoutMs: 30 }, (error, result) => tell(error, result))
  producer.send(message, queue, (error, result) => tell(error, result))
  producer.send(message, queue, 30, (error, result) => tell(error, result))
  producer.send(
    message,
    (queues, given, arg) => choose(queues, given, arg),
    3,
    (error, result) => tell(error, result)
  )
  producer.send(
    message,
    (queues, given, arg) => choose(queues, given, arg),
    3,
    30,
    (error, result) => tell(error, result)
  )
  return [
    await producer.send(message),
    await producer.send(message, undefined),
    await producer.send(message, 30),
    await producer.send(message, queue),
    await producer.send(message, queue, 30),
    await producer.send(message, (queues, given, arg) => choose(queues, given, arg), 3),
    await producer.send(message, (queues, given, arg) => choose(queues, given, arg), 3, { timeoutMs: 30 })
  ]
}

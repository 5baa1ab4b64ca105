import { InvalidArgumentError } from '../errors.js'
import { MessageQueue } from '../message/message-queue.js'
import type { MessageQueueSelector, SendCallback, SendOptions } from './types.js'

/** What the arguments after the message say. */
export interface SendArguments {
  /** The queue, when the caller names it. */
  mq?: MessageQueue
  /** Who chooses the queue. */
  selector?: MessageQueueSelector<unknown>
  /** What the selector is given. */
  arg?: unknown
  timeoutMs?: number
  signal?: AbortSignal
  callback?: SendCallback
}

/**
 * Reads the arguments after the message: `[queue | selector, arg] [, timeoutMs | options] [, callback]`. A function is a
 * callback when it comes last, a selector when it comes first and more follows.
 *
 * @throws InvalidArgumentError when they fit none of the forms
 */
export function readSendArguments(args: readonly unknown[]): SendArguments {
  const read: SendArguments = {}
  let next = 0
  if (args[0] instanceof MessageQueue) {
    read.mq = args[0]
    next = 1
  } else if (typeof args[0] === 'function' && args.length > 1) {
    read.selector = args[0] as MessageQueueSelector<unknown>
    read.arg = args[1]
    next = 2
  }
  let last = args.length
  if (last > next && typeof args[last - 1] === 'function') {
    read.callback = args[--last] as SendCallback
  }
  if (last > next) readLimits(args[next++], read)
  if (last > next)
    throw new InvalidArgumentError(`the arguments of this send fit no form (there are ${args.length + 1})`)
  return read
}

function readLimits(given: unknown, into: SendArguments): void {
  if (given === undefined) return
  const options: SendOptions = typeof given === 'number' ? { timeoutMs: given } : (given as SendOptions)
  if (typeof options !== 'object' || options === null) {
    throw new InvalidArgumentError(`a timeout in milliseconds or an options object is wanted, not ${String(given)}`)
  }
  const { timeoutMs, signal } = options
  if (timeoutMs !== undefined) {
    if (!Number.isFinite(timeoutMs) || timeoutMs <= 0) {
      throw new InvalidArgumentError(`timeoutMs must be above 0, not ${String(timeoutMs)}`)
    }
    into.timeoutMs = Math.ceil(timeoutMs)
  }
  if (signal !== undefined) into.signal = signal
}

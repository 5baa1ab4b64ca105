import { checkedSignal } from '../abort-listeners.js'
import { InvalidArgumentError } from '../errors.js'
import { MessageQueue } from '../message/message-queue.js'
import { MAX_TIMER_MS, nearest } from '../options.js'
import type { ResultListener } from './callback.js'
import { Callback } from './callback.js'
import type { MessageQueueSelector, SendCallback, SendOptions, SendResult } from './types.js'

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
  callback?: ResultListener<SendResult>
}

/**
 * Reads the arguments after the message: `[queue | selector, arg] [, timeoutMs | options] [, callback]`. A function is a
 * callback when it comes last, a selector when it comes first and more follows.
 *
 * @param into gets them, the callback first: it is there when the others are found wrong
 * @throws InvalidArgumentError when they fit none of the forms
 */
export function readSendArguments(args: readonly unknown[], into: SendArguments): void {
  const [first] = args
  const isSelector = typeof first === 'function' && args.length > 1
  let next = first instanceof MessageQueue ? 1 : isSelector ? 2 : 0
  let last = args.length
  if (last > next && typeof args[last - 1] === 'function') into.callback = new Callback(args[--last] as SendCallback)
  if (isSelector) {
    into.selector = first as MessageQueueSelector<unknown>
    into.arg = args[1]
  } else if (next === 1) {
    into.mq = first as MessageQueue
  }
  if (last > next) readLimits(args[next++], into)
  if (last > next) {
    throw new InvalidArgumentError(
      'these arguments fit no form of send: (message [, MessageQueue | selector, arg] [, timeoutMs | options] [, callback])'
    )
  }
}

/**
 * Reads a timeout in milliseconds, or options. A timeout above 24.8 days (Java has `Long.MAX_VALUE`) counts as that.
 *
 * @throws InvalidArgumentError when it is neither, or one of the options is unknown or wrong
 */
export function readLimits(given: unknown, into: Pick<SendArguments, 'timeoutMs' | 'signal'>): void {
  if (given === undefined) return
  const options: SendOptions = typeof given === 'number' ? { timeoutMs: given } : (given as SendOptions)
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new InvalidArgumentError(`a timeout in milliseconds or an options object is wanted, not ${String(given)}`)
  }
  if ('brokerName' in options || 'queueId' in options) {
    throw new InvalidArgumentError('a queue must be a MessageQueue: new MessageQueue(topic, brokerName, queueId)')
  }
  for (const name in options) {
    if (name !== 'timeoutMs' && name !== 'signal') {
      const known = nearest(name, ['timeoutMs', 'signal'])
      throw new InvalidArgumentError(`a send has no option ${name}; did you mean ${known}?`)
    }
  }
  const { timeoutMs } = options
  const signal = checkedSignal(options.signal)
  if (timeoutMs !== undefined) {
    if (!Number.isFinite(timeoutMs) || timeoutMs <= 0) {
      throw new InvalidArgumentError(`timeoutMs must be above 0, not ${String(timeoutMs)}`)
    }
    into.timeoutMs = Math.min(Math.ceil(timeoutMs), MAX_TIMER_MS)
  }
  if (signal !== undefined) into.signal = signal
}

import { AbortedError } from '../errors.js'
import type { Message } from '../message/message.js'
import type { MessageQueue } from '../message/message-queue.js'
import { Accumulator } from './accumulator.js'
import type { BackPressure } from './back-pressure.js'
import type { ResultListener } from './callback.js'
import { chooser, wrongTopic } from './choose-queue.js'
import type { CommunicationMode } from './hooks.js'
import type { ChooseQueue, SendContext } from './pending-send.js'
import { PendingSend } from './pending-send.js'
import type { SendArguments } from './send-arguments.js'
import type { SendContent, Sendable } from './send-content.js'
import { batchAsOne, batchContent, isList, messageContent, toMessage } from './send-content.js'
import type { SendEvent } from './send-event.js'
import { newSendEvent, sendTracing, traceOneway, traceSend } from './send-event.js'
import { SendObserver } from './send-observer.js'
import type { SendResult } from './types.js'

/**
 * The sends of a running producer, from what the caller gave to a {@link PendingSend}: alone, as the batch that it is, or with
 * others in a batch that the {@link Accumulator} makes.
 */
export class Sending<Body> {
  readonly #backPressure: BackPressure
  readonly #accumulator: Accumulator | undefined
  #underWay = 0
  #onIdle: (() => void) | undefined

  /** @param context its `sendEnded` must call {@link ended} */
  constructor(
    readonly context: SendContext,
    backPressure: BackPressure
  ) {
    this.#backPressure = backPressure
    if (context.config.autoBatch) this.#accumulator = this.#newAccumulator()
  }

  /** Sends one message, or several as one batch. Without a callback there is a promise. */
  send(given: Sendable<Body> | readonly Sendable<Body>[], args: SendArguments): Promise<SendResult> | undefined {
    if (sendTracing.active) return this.#tracedSend(given, args)
    return this.#send(given, args, false, undefined) as Promise<SendResult> | undefined
  }

  /** Sends one message without an answer. */
  sendOneway(given: Sendable<Body>, args: SendArguments): Promise<unknown> {
    return sendTracing.active ? this.#tracedOneway(given, args) : this.#send(given, args, true, undefined)!
  }

  /** A send has ended, well or not. */
  ended(send: PendingSend): void {
    this.#underWay--
    this.#backPressure.ended(send)
    if (this.#underWay === 0) this.#onIdle?.()
  }

  /** Lets everything go that waits for company, and resolves when no send is under way any more. */
  async drained(): Promise<void> {
    this.#accumulator?.flush()
    if (this.#underWay > 0) await new Promise<void>(resolve => (this.#onIdle = resolve))
  }

  /** The promise of a oneway message is one of nothing, that of any other message one of its result. */
  #send(
    given: Sendable<Body> | readonly Sendable<Body>[],
    args: SendArguments,
    oneway: boolean,
    event: SendEvent | undefined
  ): Promise<SendResult | undefined> | undefined {
    const { context } = this
    const { config, hooks } = context
    const { signal, callback } = args
    const mq = args.mq === undefined ? undefined : context.table.userQueue(args.mq)
    const nowMs = Date.now()
    const message = isList(given) ? undefined : toMessage(given, config.serializer)
    const topic = message === undefined ? '' : context.table.userTopic(message.topic)
    const choose = chooser(args, message, topic)
    const accumulator = this.#accumulator
    // Hooks are told of each message that is sent, so where there are some each goes by itself.
    if (accumulator !== undefined && message !== undefined && !oneway && !hooks.any) {
      // The queue has to be known to find those who go there too; an unknown route is found by a send of its own.
      const info = choose === undefined ? undefined : context.table.get(message.topic)
      if (accumulator.accepts(message, args) && (choose === undefined || info !== undefined)) {
        const chosen = info === undefined ? mq : choose!(info.messageQueues)
        if (chosen !== undefined && chosen.topic !== topic) throw wrongTopic(chosen, topic)
        return accumulator.send(message, nowMs, chosen, args)
      }
      if (mq !== undefined || choose !== undefined) accumulator.flushChosenQueues()
    }
    const content =
      message === undefined
        ? batchContent(given as readonly Sendable<Body>[], config, nowMs)
        : this.#messageContent(message, nowMs)
    if (mq !== undefined && mq.topic !== content.topic) throw wrongTopic(mq, content.topic)
    if (signal?.aborted === true) throw new AbortedError(`the send to topic ${content.topic}`, signal)
    const timeoutMs = args.timeoutMs ?? config.sendMsgTimeout
    const observer =
      event !== undefined || hooks.any
        ? this.#observer(oneway ? 'ONEWAY' : callback === undefined ? 'SYNC' : 'ASYNC', given, message, content, event)
        : undefined
    const pending = new PendingSend(context, content, nowMs, timeoutMs, signal, callback, oneway, observer)
    if (content.compress) void pending.compress()
    return this.#begin(pending, timeoutMs, callback, mq, choose)
  }

  /** The name of a topic that was sent to before is not checked again: where there are many, each lookup of one is dear. */
  #messageContent(message: Message, nowMs: number): SendContent {
    const { config, table } = this.context
    const info = table.get(message.topic)
    const content = messageContent(message, config, nowMs, info?.isChecked === true)
    if (info !== undefined) info.isChecked = true
    return content
  }

  #begin(
    pending: PendingSend,
    timeoutMs: number,
    callback: ResultListener<SendResult> | undefined,
    mq: MessageQueue | undefined,
    choose: ChooseQueue | undefined
  ): Promise<SendResult | undefined> | undefined {
    this.#underWay++
    const promise = callback === undefined ? pending.promise() : undefined
    this.#backPressure.begin(pending, timeoutMs, mq, choose)
    return promise
  }

  #newAccumulator(): Accumulator {
    const { context } = this
    return new Accumulator(context.config, (content, startMs, mq, callback) => {
      const { sendMsgTimeout } = context.config
      const pending = new PendingSend(context, content, startMs, sendMsgTimeout, undefined, callback, false, undefined)
      return this.#begin(pending, sendMsgTimeout, callback, mq, undefined) as Promise<SendResult> | undefined
    })
  }

  #observer(
    mode: CommunicationMode,
    given: Sendable<Body> | readonly Sendable<Body>[],
    message: Message | undefined,
    content: SendContent,
    event: SendEvent | undefined
  ): SendObserver {
    const { hooks, hookOwner } = this.context
    const whole = message ?? batchAsOne(given as readonly Sendable<Body>[], content)
    return new SendObserver(hooks, hookOwner, mode, whole, content, event)
  }

  #tracedSend(given: Sendable<Body> | readonly Sendable<Body>[], args: SendArguments): Promise<SendResult> | undefined {
    const event = newSendEvent(this.context, given, args.callback === undefined ? 'SYNC' : 'ASYNC')
    return traceSend(
      event,
      args,
      (sendable, traced) => this.#send(sendable, traced, false, event) as Promise<SendResult> | undefined
    )
  }

  #tracedOneway(given: Sendable<Body>, args: SendArguments): Promise<unknown> {
    const event = newSendEvent(this.context, given, 'ONEWAY')
    return traceOneway(event, sendable => this.#send(sendable, args, true, event)!)
  }
}

import { randomUUID } from 'node:crypto'
import type { RocketMQError } from '../errors.js'
import type { AbortListener } from '../abort-listeners.js'
import { listenToAbort, stopListening } from '../abort-listeners.js'
import { AbortedError, ClientErrorCode, ClientStateError, TimeoutError, asRocketMQError } from '../errors.js'
import type { ReplyWaiter } from '../client/reply-receiver.js'
import type { Message } from '../message/message.js'
import { withProperties } from '../message/message.js'
import type { MessageExt } from '../message/message-ext.js'
import { MessageConst } from '../message/properties.js'
import type { ResultCallback, ResultListener } from './callback.js'
import { greetBrokersOf } from './greet-brokers.js'
import type { SendContext } from './pending-send.js'
import type { SendArguments } from './send-arguments.js'
import type { SendCallback } from './types.js'

/** Told the end of a request: an error, or the reply (`client/producer/RequestCallback.java`). */
export type RequestCallback = ResultCallback<MessageExt>

/** Sends a message to where the arguments say, with these limits; tells the end, and nothing at once. */
export type SendTo = (
  message: Message,
  to: Pick<SendArguments, 'mq' | 'selector' | 'arg'>,
  limits: { timeoutMs: number; signal: AbortSignal | undefined },
  callback: SendCallback
) => void

/** The requests of a producer that wait for their replies. */
export class PendingRequests {
  readonly #all = new Set<PendingRequest>()
  /** Topics whose brokers know this client, so that they can push replies to it. */
  readonly #greeted = new Set<string>()

  /**
   * Sends a request and waits for the reply (`impl/producer/DefaultMQProducerImpl.java#request`).
   *
   * @param args their `timeoutMs` is for the send and the wait together
   */
  start(
    context: SendContext,
    send: SendTo,
    message: Message,
    args: SendArguments & { timeoutMs: number },
    callback: ResultListener<MessageExt>
  ): void {
    const { instance } = context
    const request = new PendingRequest(context, message.topic, args, ended => {
      this.#all.delete(ended)
      instance.awaitedReplies.delete(ended.correlationId)
    })
    this.#all.add(request)
    instance.awaitedReplies.set(request.correlationId, request)
    request.waitWith(callback)
    void this.#send(context, send, message, args, request)
  }

  /** Fails all that wait: no reply can come any more. */
  failAll(): void {
    for (const request of this.#all) {
      request.fail(new ClientStateError('the producer was shut down while a request waited for its reply'))
    }
  }

  /** `impl/producer/DefaultMQProducerImpl.java#prepareSendRequest`, then the send. */
  async #send(
    context: SendContext,
    send: SendTo,
    message: Message,
    args: SendArguments & { timeoutMs: number },
    request: PendingRequest
  ): Promise<void> {
    try {
      if (!this.#greeted.has(message.topic)) {
        await greetBrokersOf(context, message.topic)
        this.#greeted.add(message.topic)
      }
      const timeoutMs = request.leftMs()
      if (timeoutMs <= 0 || request.ended) return
      const prepared = withProperties(message, {
        [MessageConst.CORRELATION_ID]: request.correlationId,
        [MessageConst.MESSAGE_REPLY_TO_CLIENT]: context.instance.clientId,
        [MessageConst.MESSAGE_TTL]: String(args.timeoutMs)
      })
      request.progress = 'SENDING'
      send(prepared, args, { timeoutMs, signal: args.signal }, error => {
        if (error === undefined) request.progress = 'SENT'
        else request.fail(error)
      })
    } catch (error) {
      request.fail(asRocketMQError(error))
    }
  }
}

/** One request (`client/producer/RequestResponseFuture.java`). It ends once, in time; what comes later is dropped. */
class PendingRequest implements ReplyWaiter, AbortListener {
  readonly correlationId = randomUUID()
  ended = false
  /** How far it has come: what a request whose time is over has waited for. */
  progress: 'GREETING' | 'SENDING' | 'SENT' = 'GREETING'
  readonly #context: SendContext
  readonly #topic: string
  readonly #timeoutMs: number
  readonly #signal: AbortSignal | undefined
  readonly #deadlineMs: number
  readonly #onEnd: (ended: PendingRequest) => void
  #timer: NodeJS.Timeout | undefined
  #callback: ResultListener<MessageExt> | undefined

  constructor(
    context: SendContext,
    topic: string,
    { timeoutMs, signal }: SendArguments & { timeoutMs: number },
    onEnd: (ended: PendingRequest) => void
  ) {
    this.#context = context
    this.#topic = topic
    this.#timeoutMs = timeoutMs
    this.#signal = signal
    this.#deadlineMs = Date.now() + timeoutMs
    this.#onEnd = onEnd
  }

  waitWith(callback: ResultListener<MessageExt>): void {
    this.#callback = callback
    this.#timer = setTimeout(() => this.fail(this.#timeoutError()), this.#timeoutMs)
    if (this.#signal !== undefined) listenToAbort(this.#signal, this)
  }

  leftMs(): number {
    return this.#deadlineMs - Date.now()
  }

  onReply(reply: MessageExt): void {
    this.#end(undefined, reply)
  }

  fail(error: RocketMQError): void {
    this.#end(error, undefined)
  }

  /** The signal fired. */
  handleAbort(): void {
    this.fail(new AbortedError(`the request to topic ${this.#topic}`, this.#signal!))
  }

  #end(error: RocketMQError | undefined, reply: MessageExt | undefined): void {
    if (this.ended) return
    this.ended = true
    clearTimeout(this.#timer)
    if (this.#signal !== undefined) stopListening(this.#signal, this)
    this.#onEnd(this)
    this.#callback!.tell(error, reply)
  }

  /** Tells a reply that is missing from a request that did not get that far (`DefaultMQProducerImpl.java#waitResponse`). */
  #timeoutError(): TimeoutError {
    const what = `the request to topic ${this.#topic}`
    const within = `within ${this.#timeoutMs} ms`
    if (this.progress === 'SENT') {
      return new TimeoutError(
        `${what} was sent, but got no reply ${within}: nobody consumes it, or the reply came later or failed at the replier`,
        this.#timeoutMs,
        { clientErrorCode: ClientErrorCode.REQUEST_TIMEOUT_EXCEPTION }
      )
    }
    return new TimeoutError(`${what} ${this.#hindrance(within)}`, this.#timeoutMs)
  }

  /** Why it is not known to be sent. */
  #hindrance(within: string): string {
    const { table, instance } = this.#context
    if (table.get(this.#topic) === undefined) {
      return `was not sent: it found no route ${within}: ${instance.nameServerApi.awaited}`
    }
    if (this.progress === 'GREETING') {
      return (
        `was not sent: not every broker has answered ${within} the heartbeat that makes this client known to it; check that ` +
        'the brokers this client knows run and can be reached'
      )
    }
    return (
      `failed to be sent: no broker acknowledged it ${within}, so it may be stored or not; check that the brokers of the ` +
      'topic run and can be reached, or allow more time'
    )
  }
}

import type { RocketMQError } from '../errors.js'
import { messageTypeOf } from '../message/message-type.js'
import type { Message } from '../message/message.js'
import { withProperties } from '../message/message.js'
import type { MessageQueue } from '../message/message-queue.js'
import { MessageConst, checkPropertiesLength, encodeProperty } from '../message/properties.js'
import type { CommunicationMode, HookOwner, ProducerHooks, SendMessageContext } from './hooks.js'
import type { SendContent } from './send-content.js'
import type { SendEvent } from './send-event.js'
import type { SendResult } from './types.js'

/**
 * What one send tells hooks and listeners. Sends that nobody wants to hear of have none.
 *
 * As in Java, each attempt of a send with a promise is one pair of calls of the hooks, and a send with a callback is one
 * pair in all (`impl/MQClientAPIImpl.java#onExceptionImpl` keeps the context). Where Java calls `sendMessageAfter` of an
 * asynchronous send twice, the first time before anything is known, it is called once here, at the end.
 */
export class SendObserver {
  readonly #hooks: ProducerHooks
  readonly #owner: HookOwner
  readonly #mode: CommunicationMode
  readonly #message: Message
  readonly #event: SendEvent | undefined
  /** Of the attempt that has begun and has not ended. */
  #open: SendMessageContext | undefined
  /** All properties before any hook, as encoded; empty when there was none as the send began (one added later is too late). */
  readonly #encoded: string
  #properties: SendContent['properties']

  /** @param message what is sent; for a batch, the batch as one */
  constructor(
    hooks: ProducerHooks,
    owner: HookOwner,
    mode: CommunicationMode,
    message: Message,
    content: SendContent,
    event: SendEvent | undefined
  ) {
    this.#hooks = hooks
    this.#owner = owner
    this.#mode = mode
    // The caller may use the message for something else before the last attempt is made.
    this.#message = hooks.any ? asSent(message, content, owner) : message
    this.#event = event
    this.#encoded = hooks.any ? this.#encode() : ''
    this.#properties = content.properties
  }

  /**
   * An attempt is about to be made.
   *
   * @param bodyBytes as it is sent, compressed or not
   * @returns the properties to send: hooks may have added some
   * @throws RocketMQError when a hook forbids it, or what it added cannot be sent
   */
  attempt(mq: MessageQueue, brokerAddr: string, bodyBytes: number): SendContent['properties'] {
    if (this.#event !== undefined) {
      this.#event.messageQueue = mq
      this.#event.brokerAddr = brokerAddr
      this.#event.attempts++
    }
    if (this.#encoded !== '' && this.#open === undefined) this.#callHooks(mq, brokerAddr, bodyBytes)
    return this.#properties
  }

  /** An attempt has ended; others may follow. */
  attemptEnded(error: RocketMQError | undefined, result: SendResult | undefined): void {
    if (this.#mode === 'SYNC') this.ended(error, result)
  }

  /** The send has ended. */
  ended(error: RocketMQError | undefined, result: SendResult | undefined): void {
    const context = this.#open
    if (context === undefined) return
    this.#open = undefined
    context.exception = error
    context.sendResult = result
    this.#hooks.after(context, this.#owner.report)
  }

  #callHooks(mq: MessageQueue, brokerAddr: string, bodyBytes: number): void {
    const { producerGroup, nameSrvAddr, bornHost, unitMode, namespace, report } = this.#owner
    const message = this.#message
    const communicationMode = this.#mode
    this.#hooks.checkForbidden({
      nameSrvAddr,
      group: producerGroup,
      message,
      mq,
      brokerAddr,
      communicationMode,
      unitMode
    })
    this.#open = {
      producerGroup,
      message,
      mq,
      brokerAddr,
      bornHost,
      communicationMode,
      msgType: messageTypeOf(message),
      namespace,
      bodyBytes,
      sendResult: undefined,
      exception: undefined,
      mqTraceContext: undefined,
      props: undefined
    }
    this.#hooks.before(this.#open, report)
    this.#readProperties()
  }

  /** Takes over what hooks have changed. */
  #readProperties(): void {
    const encoded = this.#encode()
    if (encoded === this.#encoded) return
    this.#properties = checkPropertiesLength(encoded)
  }

  #encode(): string {
    let encoded = ''
    for (const [name, value] of this.#message.properties) encoded += encodeProperty(name, value)
    return encoded
  }
}

/** A copy that has what the send adds, as Java's hooks see it (`impl/producer/DefaultMQProducerImpl.java#sendKernelImpl`). */
function asSent(message: Message, { uniqueId }: SendContent, { namespace }: HookOwner): Message {
  return withProperties(message, {
    [MessageConst.UNIQ_KEY]: uniqueId,
    [MessageConst.INSTANCE_ID]: namespace
  })
}

import { Tracing } from '../diagnostics.js'
import type { RocketMQError } from '../errors.js'
import { asRocketMQError } from '../errors.js'
import type { Message } from '../message/message.js'
import { SOME_UNIQUE_ID } from '../message/message-id.js'
import type { MessageQueue } from '../message/message-queue.js'
import type { ResultListener } from './callback.js'
import type { CommunicationMode } from './hooks.js'
import type { SendArguments } from './send-arguments.js'
import type { SendContext } from './pending-send.js'
import type { Sendable } from './send-content.js'
import { isList, toMessage } from './send-content.js'
import type { SendResult } from './types.js'

/** What the tracing channel `rocketmq-native:send` says of a send; one object from start to end. */
export interface SendEvent {
  /** `ip@instanceName` of the client. */
  readonly clientId: string
  readonly producerGroup: string
  readonly topic: string
  /** What is sent: one message, or those of a batch. */
  readonly messages: readonly Message[]
  /** Whether a list was given. */
  readonly batch: boolean
  readonly communicationMode: CommunicationMode
  /** Bytes of all bodies, before compression. */
  readonly bodyBytes: number
  /**
   * For listeners to `start`: what they put here becomes a property of each message, unless the message has one of that
   * name. The caller's messages are not changed.
   */
  readonly properties: Record<string, string>
  /** The queue of the last attempt. */
  messageQueue: MessageQueue | undefined
  /** `host:port` of the broker of the last attempt. */
  brokerAddr: string | undefined
  /** Attempts that were made. */
  attempts: number
  /** At the end: the answer. Undefined after an error, and after a oneway send. */
  result?: SendResult | undefined
  /** At the end: why it failed. */
  error?: RocketMQError | undefined
}

/** `tracing:rocketmq-native:send:start`, `:end`, `:asyncStart`, `:asyncEnd` and `:error`. */
export const sendTracing = new Tracing<SendEvent>('rocketmq-native:send')

/**
 * What is known of a send when it starts.
 *
 * @throws InvalidArgumentError when no message can be made from what is given
 */
export function newSendEvent<Body>(
  { instance, config }: SendContext,
  given: Sendable<Body> | readonly Sendable<Body>[],
  communicationMode: CommunicationMode
): SendEvent {
  const batch = isList(given)
  const messages = (batch ? given : [given]).map(each => toMessage(each, config.serializer))
  let bodyBytes = 0
  for (const message of messages) bodyBytes += message.body.length
  return {
    clientId: instance.clientId,
    producerGroup: config.producerGroup,
    topic: messages[0]?.topic ?? '',
    messages,
    batch,
    communicationMode,
    bodyBytes,
    properties: {},
    messageQueue: undefined,
    brokerAddr: undefined,
    attempts: 0,
    result: undefined,
    error: undefined
  }
}

/** Makes a send between the channels. */
export function traceSend(
  event: SendEvent,
  args: SendArguments,
  send: (given: Message | readonly Message[], args: SendArguments) => Promise<SendResult> | undefined
): Promise<SendResult> | undefined {
  const { callback } = args
  const traced = callback === undefined ? args : { ...args, callback: tracedCallback(event, callback) }
  let promise: Promise<SendResult> | undefined
  try {
    promise = sendTracing.run(event, () => send(toBeSent(event), traced))
  } catch (error) {
    throw failed(event, error)
  }
  return promise?.then(
    result => {
      event.result = result
      // One that travelled in a batch did not see where that went.
      event.messageQueue ??= result.messageQueue
      sendTracing.ended(event)
      return result
    },
    (error: unknown) => {
      throw failed(event, error)
    }
  )
}

/** Makes a oneway send between the channels. */
export async function traceOneway(event: SendEvent, send: (given: Message) => Promise<unknown>): Promise<void> {
  try {
    await sendTracing.run(event, () => send(withEventProperties(event)[0]!))
  } catch (error) {
    throw failed(event, error)
  }
  sendTracing.ended(event)
}

function tracedCallback(event: SendEvent, callback: ResultListener<SendResult>): ResultListener<SendResult> {
  return {
    tell(error, result) {
      event.error = error
      event.result = result
      sendTracing.ended(event)
      callback.tell(error, result)
    }
  }
}

function failed(event: SendEvent, thrown: unknown): RocketMQError {
  event.error = asRocketMQError(thrown)
  sendTracing.ended(event)
  return event.error
}

function toBeSent(event: SendEvent): Message | readonly Message[] {
  const messages = withEventProperties(event)
  return event.batch ? messages : messages[0]!
}

/**
 * The messages with the properties that listeners want sent along, in copies. What cannot be sent is left out: a
 * listener must not make a send fail.
 */
function withEventProperties({ messages, properties }: SendEvent): readonly Message[] {
  const names = Object.keys(properties)
  if (names.length === 0) return messages
  return messages.map(message => {
    try {
      const copy = message.clone()
      for (const name of names) {
        if (message.getProperty(name) === undefined) copy.putUserProperty(name, properties[name]!)
      }
      copy.encodeProperties(SOME_UNIQUE_ID)
      return copy
    } catch {
      return message
    }
  })
}

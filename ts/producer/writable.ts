import { Writable } from 'node:stream'
import { InvalidArgumentError, WriteError, asRocketMQError } from '../errors.js'
import { Message } from '../message/message.js'
import type { MessageInit } from '../message/message.js'
import type { MessageBody, Serializer } from '../message/serializer.js'
import { int, optionalStr, readOptions } from '../options.js'
import type { OptionsInput, OptionsOf } from '../options.js'
import { toMessage } from './send-content.js'
import type { SendResult } from './types.js'

/** Options of `Producer.asWritable()`. */
export const WRITABLE_OPTIONS = {
  /** The topic of what is written without one: bodies alone, and messages that name none. @default none */
  topic: optionalStr(),
  /** So many messages are on their way before a write waits for an acknowledgement. @default 1024 */
  maxInFlightMessages: int(1_024, 1),
  /** So many bytes of bodies are on their way before a write waits for an acknowledgement. @default 16777216 */
  maxInFlightBytes: int(16 * 1024 * 1024, 1)
}

/** What `Producer.asWritable()` takes. */
export type WritableOptions = OptionsInput<typeof WRITABLE_OPTIONS> & {
  /** Destroys the stream; messages that are on their way may still be stored. */
  signal?: AbortSignal | undefined
}

/** What may be written: a message, what one is made from, or a body when the stream has a topic. */
export type WritableChunk<Body = MessageBody> =
  Message | (Omit<MessageInit<Body>, 'topic'> & { topic?: string | undefined }) | Body

/**
 * A Writable that sends what is written to it, in object mode. Writes end at once while the limits of its options are
 * kept; `finish` comes when everything is acknowledged. The first message that fails destroys the stream with a
 * `WriteError` that has it; others may be on their way then.
 */
export class MessageWritable<Body = MessageBody> extends Writable {
  readonly #send: (message: Message) => Promise<SendResult>
  readonly #serializer: Serializer<unknown> | undefined
  readonly #options: OptionsOf<typeof WRITABLE_OPTIONS>
  #acknowledged = 0
  #messages = 0
  #bytes = 0
  /** Ends the write that waits for room, or the stream that waits for its last messages. */
  #resume: (() => void) | undefined
  #finish: (() => void) | undefined

  /**
   * @param send sends a message
   * @param serializer makes bodies of what is written, where the producer has one
   * @throws ConfigError for an option that is unknown or wrong
   */
  constructor(
    send: (message: Message) => Promise<SendResult>,
    serializer: Serializer<unknown> | undefined,
    given: WritableOptions
  ) {
    const { signal, ...options } = given
    const checked = readOptions('asWritable', WRITABLE_OPTIONS, options) // before anything listens to the signal
    super({ objectMode: true, ...(signal === undefined ? {} : { signal }) })
    this.#send = send
    this.#serializer = serializer
    this.#options = checked
  }

  /** Messages that were acknowledged. */
  get acknowledged(): number {
    return this.#acknowledged
  }

  override _write(chunk: WritableChunk<Body>, _encoding: BufferEncoding, callback: (error?: Error) => void): void {
    let message: Message
    try {
      message = this.#messageOf(chunk)
    } catch (error) {
      callback(new WriteError(chunk, '', asRocketMQError(error)))
      return
    }
    const bytes = message.body.length
    this.#messages++
    this.#bytes += bytes
    this.#send(message).then(
      () => this.#onAcknowledged(bytes),
      (error: unknown) => this.destroy(new WriteError(chunk, message.topic, asRocketMQError(error)))
    )
    if (this.#hasRoom) callback()
    else this.#resume = callback
  }

  override _final(callback: () => void): void {
    if (this.#messages === 0) callback()
    else this.#finish = callback
  }

  get #hasRoom(): boolean {
    return this.#messages < this.#options.maxInFlightMessages && this.#bytes < this.#options.maxInFlightBytes
  }

  #onAcknowledged(bytes: number): void {
    this.#acknowledged++
    this.#messages--
    this.#bytes -= bytes
    if (this.destroyed) return
    const resume = this.#resume
    if (resume !== undefined && this.#hasRoom) {
      this.#resume = undefined
      resume()
    }
    if (this.#messages === 0) this.#finish?.()
  }

  /** What has a `body` is a message, everything else is a body alone. */
  #messageOf(chunk: WritableChunk<Body>): Message {
    if (chunk instanceof Message) return chunk
    const init = hasBody(chunk) ? chunk : { body: chunk as Body }
    const topic = init.topic ?? this.#options.topic
    if (topic === undefined) throw new InvalidArgumentError('the message has no topic, and the stream has none either')
    return toMessage({ ...init, topic }, this.#serializer)
  }
}

function hasBody<Body>(
  chunk: WritableChunk<Body>
): chunk is Omit<MessageInit<Body>, 'topic'> & { topic?: string | undefined } {
  return typeof chunk === 'object' && chunk !== null && 'body' in chunk
}

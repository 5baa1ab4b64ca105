import { InvalidArgumentError } from '../errors.js'

/** What a message can say: text, which travels as UTF-8, or bytes, which travel as they lie in memory. */
export type MessageBody = string | ArrayBufferView | ArrayBuffer

/** Turns values of a program into message bodies; see the producer's option `serializer`. */
export interface Serializer<T> {
  /** The body for a value; what it throws makes the send fail. */
  serialize(value: T, topic: string): MessageBody
}

/**
 * A serializer for values that JSON can express; `MessageExt#json()` reads them again.
 *
 * ```ts
 * const producer = new Producer({ producerGroup: 'shop', serializer: jsonSerializer<Order>() })
 * await producer.send({ topic: 'Orders', body: { id: 1, items: ['tea'] } })
 * ```
 */
export function jsonSerializer<T>(): Serializer<T> {
  return JSON_SERIALIZER
}

const JSON_SERIALIZER: Serializer<unknown> = {
  serialize(value) {
    const text = JSON.stringify(value) as string | undefined
    if (text === undefined) throw new InvalidArgumentError(`JSON cannot express ${typeof value}`)
    return text
  }
}

/**
 * The body as bytes; bytes given are not copied.
 *
 * @throws InvalidArgumentError for anything that is no body
 */
export function bodyBytes(body: MessageBody): Buffer {
  if (typeof body === 'string') return Buffer.from(body)
  if (body?.byteLength === 0) checkAttached(ArrayBuffer.isView(body) ? body.buffer : body)
  if (Buffer.isBuffer(body)) return body
  if (ArrayBuffer.isView(body)) return Buffer.from(body.buffer, body.byteOffset, body.byteLength)
  if (body instanceof ArrayBuffer) return Buffer.from(body)
  throw new InvalidArgumentError(
    `the message body must be a string, a Buffer or another view of an ArrayBuffer, not ${describe(body)}; give the producer a serializer for bodies of other kinds`
  )
}

/**
 * What lies in a buffer that was transferred, as to another thread, has no bytes any more; that is not an empty body.
 *
 * @throws InvalidArgumentError for such a buffer
 */
export function checkAttached(buffer: ArrayBufferLike): void {
  try {
    // Node 20 has no other way to ask.
    Buffer.from(buffer)
  } catch (error) {
    throw new InvalidArgumentError(
      'the message body lies in an ArrayBuffer that was transferred, and has no bytes since',
      {
        cause: error
      }
    )
  }
}

function describe(body: unknown): string {
  return typeof body === 'object' && body !== null ? `an object of class ${body.constructor?.name}` : String(body)
}

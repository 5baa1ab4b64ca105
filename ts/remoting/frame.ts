import { InvalidArgumentError, ProtocolError, toError } from '../errors.js'
import { type NativeFrame, decodeFrame as decodeNative, encodeFrame as encodeNative } from '../native.js'

/** A whole remoting frame (`remoting/protocol/RemotingCommand.java`). */
export interface Frame {
  /** Encoding of the header. */
  readonly serializeType: 'JSON' | 'ROCKETMQ'
  /** Request or response code. */
  readonly code: number
  /** `LanguageCode`: 0 JAVA, 12 RUST, 13 NODE_JS. */
  readonly language: number
  /** Ordinal of `MQVersion`. */
  readonly version: number
  /** Correlates an answer with its request. */
  readonly opaque: number
  /** Bit 0: response; bit 1: oneway. */
  readonly flag: number
  readonly remark?: string | undefined
  readonly extFields: Readonly<Record<string, string>>
  readonly body: Uint8Array
}

/**
 * Encodes a frame with its length. A code beyond 16 bits makes the header JSON, whatever was asked for.
 * @throws InvalidArgumentError for a frame above 16 MiB, or a header name above 32,767 bytes
 */
export function encodeFrame(frame: Frame): Buffer {
  const { remark, body, ...rest } = frame
  const native: NativeFrame = { ...rest, extFields: { ...frame.extFields }, body: Buffer.from(body) }
  if (remark !== undefined) native.remark = remark
  try {
    return encodeNative(native)
  } catch (error) {
    throw new InvalidArgumentError(toError(error).message, { cause: error })
  }
}

/**
 * Decodes exactly one frame.
 * @throws ProtocolError when the bytes are no frame, or more or less than one
 */
export function decodeFrame(bytes: Uint8Array): Frame & { readonly body: Buffer } {
  try {
    const frame = decodeNative(bytes)
    return { ...frame, serializeType: frame.serializeType === 'JSON' ? 'JSON' : 'ROCKETMQ' }
  } catch (error) {
    throw new ProtocolError(toError(error).message, { cause: error })
  }
}

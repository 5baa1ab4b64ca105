import { InvalidArgumentError, ProtocolError, toError } from '../errors.js'
import { compress, compressAsync, crc32, decompress } from '../native.js'
import type { CompressionType } from './sys-flag.js'

/** Largest body that is inflated unless told otherwise: what a broker takes by default, sixteen times. */
const MAX_INFLATED_BYTES = 64 * 1024 * 1024

/**
 * Compresses a body as producers do (`common/compression`): zlib with its header, LZ4 and ZSTD as frames.
 *
 * @param level how hard; LZ4 has no levels @default 5
 * @throws InvalidArgumentError for a level the algorithm does not have
 */
export function compressBody(type: CompressionType, body: Uint8Array, level = 5): Buffer {
  try {
    return compress(type, level, body)
  } catch (error) {
    throw new InvalidArgumentError(toError(error).message, { cause: error })
  }
}

/**
 * The same off the main thread. The body is read there: leave it alone until the promise has settled.
 *
 * @throws InvalidArgumentError for a level the algorithm does not have
 */
export async function compressBodyAsync(type: CompressionType, body: Buffer, level: number): Promise<Buffer> {
  try {
    return await compressAsync(type, level, body)
  } catch (error) {
    throw new InvalidArgumentError(toError(error).message, { cause: error })
  }
}

/**
 * Inflates a body, to at most `maxBytes`.
 * @throws ProtocolError for bytes that are not of this type, cut short, or larger than `maxBytes` when inflated
 */
export function decompressBody(type: CompressionType, body: Uint8Array, maxBytes = MAX_INFLATED_BYTES): Buffer {
  try {
    return decompress(type, body, maxBytes)
  } catch (error) {
    throw new ProtocolError(toError(error).message, { cause: error })
  }
}

/** The CRC that records carry of their bodies: CRC-32 without its top bit. */
export function bodyCrc(body: Uint8Array): number {
  return crc32(body)
}

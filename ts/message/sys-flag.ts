/** Bits of a message's system flag (`common/sysflag/MessageSysFlag.java`). */
export const MessageSysFlag = {
  /** The body is compressed; the type is in the bits of {@link COMPRESSION_TYPE_FLAGS}. */
  COMPRESSED: 0x1,
  MULTI_TAGS: 0x2,
  TRANSACTION_PREPARED: 0x4,
  TRANSACTION_COMMIT: 0x8,
  /** Both transaction bits; equal to them it is a rollback. */
  TRANSACTION_ROLLBACK: 0xc,
  /** The born host is an IPv6 address. */
  BORNHOST_V6: 0x10,
  /** The store host is an IPv6 address. */
  STOREHOST_V6: 0x20
} as const

/** How message bodies are compressed, in Apache's names. */
export type CompressionType = 'ZLIB' | 'LZ4' | 'ZSTD'

/** Bits of the system flag that name the compression (`common/compression/CompressionType.java`). */
export const COMPRESSION_TYPE_FLAGS: Readonly<Record<CompressionType, number>> = {
  LZ4: 0x100,
  ZSTD: 0x200,
  ZLIB: 0x300
}

/** All bits that say whether and how a body is compressed. */
export const COMPRESSION_FLAGS = MessageSysFlag.COMPRESSED | 0x700

/** Whether the body of a received message is the sender's: one that does not inflate comes as stored, its flag still set. */
export function isReadable(message: { readonly sysFlag: number }): boolean {
  return (message.sysFlag & MessageSysFlag.COMPRESSED) === 0
}

/** How a body with these flags is compressed; no type at all is zlib (`common/sysflag/MessageSysFlag.java#getCompressionType`). */
export function compressionTypeOf(sysFlag: number): CompressionType {
  switch (sysFlag & 0x700) {
    case COMPRESSION_TYPE_FLAGS.LZ4:
      return 'LZ4'
    case COMPRESSION_TYPE_FLAGS.ZSTD:
      return 'ZSTD'
    default:
      return 'ZLIB'
  }
}

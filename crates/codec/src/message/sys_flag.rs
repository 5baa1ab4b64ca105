//! Bits of a message's sysFlag (`MessageSysFlag.java`).

/// The body is compressed.
pub const COMPRESSED: i32 = 0x1;
/// The message has several tags.
pub const MULTI_TAGS: i32 = 0x2;
/// Half message of a transaction.
pub const TRANSACTION_PREPARED: i32 = 0x4;
/// Committed message of a transaction.
pub const TRANSACTION_COMMIT: i32 = 0x8;
/// Rolled back; also the mask of the transaction bits.
pub const TRANSACTION_ROLLBACK: i32 = 0xC;
/// The born host is IPv6.
pub const BORN_HOST_V6: i32 = 0x10;
/// The store host is IPv6.
pub const STORE_HOST_V6: i32 = 0x20;
/// The body is a batch to be unwrapped by the consumer.
pub const NEED_UNWRAP: i32 = 0x40;
/// The record is an inner batch.
pub const INNER_BATCH: i32 = 0x80;
/// Compressed as LZ4 frame.
pub const COMPRESSION_LZ4: i32 = 0x100;
/// Compressed by zstd.
pub const COMPRESSION_ZSTD: i32 = 0x200;
/// Compressed by zlib.
pub const COMPRESSION_ZLIB: i32 = 0x300;
/// Mask of the compression type bits.
pub const COMPRESSION_TYPE_MASK: i32 = 0x700;

/// The transaction bits alone.
pub fn transaction_type(flag: i32) -> i32 {
    flag & TRANSACTION_ROLLBACK
}

/// `flag` with other transaction bits.
pub fn with_transaction_type(flag: i32, transaction: i32) -> i32 {
    flag & !TRANSACTION_ROLLBACK | transaction
}

//! Message body compression: zlib, LZ4 frames, ZSTD (`common/compression/*.java`).

mod lz4;
mod zlib;
mod zstd;

use crate::message::sys_flag;

/// A way to compress a body (`CompressionType.java`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompressionType {
    /// LZ4 frame format.
    Lz4,
    /// Zstandard.
    Zstd,
    /// Deflate with zlib header and checksum; what the compressed flag means without type bits.
    Zlib,
}

/// A body that cannot be inflated, or a failing compressor.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum CompressionError {
    /// The inflated body would be larger than allowed.
    #[error("inflated body is above the limit of {max} bytes")]
    TooLarge {
        /// The limit.
        max: usize,
    },
    /// The bytes are not what the flag says.
    #[error("malformed {kind:?} data: {what}")]
    Malformed {
        /// What they should be.
        kind: CompressionType,
        /// What the decoder says.
        what: String,
    },
    /// Type bits of the sysFlag that mean nothing.
    #[error("unknown compression type {0} in the sysFlag")]
    UnknownType(i32),
    /// The compressor failed, which for in-memory data means it ran out of memory or was given a bad level.
    #[error("cannot compress with {kind:?}: {what}")]
    Compress {
        /// The compressor.
        kind: CompressionType,
        /// What it says.
        what: String,
    },
}

impl CompressionType {
    /// The type bits for a sysFlag, to be set together with [`sys_flag::COMPRESSED`].
    pub fn sys_flag(self) -> i32 {
        match self {
            CompressionType::Lz4 => sys_flag::COMPRESSION_LZ4,
            CompressionType::Zstd => sys_flag::COMPRESSION_ZSTD,
            CompressionType::Zlib => sys_flag::COMPRESSION_ZLIB,
        }
    }
}

/// How a body with this sysFlag is compressed; `None` when it is not. Type bits of zero mean zlib, as before types were known.
///
/// # Errors
/// [`CompressionError::UnknownType`] for type bits nobody has defined.
pub fn from_sys_flag(flag: i32) -> Result<Option<CompressionType>, CompressionError> {
    if flag & sys_flag::COMPRESSED == 0 {
        return Ok(None);
    }
    match flag & sys_flag::COMPRESSION_TYPE_MASK {
        sys_flag::COMPRESSION_LZ4 => Ok(Some(CompressionType::Lz4)),
        sys_flag::COMPRESSION_ZSTD => Ok(Some(CompressionType::Zstd)),
        0 | sys_flag::COMPRESSION_ZLIB => Ok(Some(CompressionType::Zlib)),
        other => Err(CompressionError::UnknownType(other >> 8)),
    }
}

/// Compresses. `level` is that of zlib (0 to 9) and zstd (1 to 22), values beyond are clamped; LZ4 has none, as in Java.
///
/// # Errors
/// [`CompressionError::Compress`].
pub fn compress(kind: CompressionType, level: i32, data: &[u8]) -> Result<Vec<u8>, CompressionError> {
    match kind {
        CompressionType::Lz4 => lz4::compress(data),
        CompressionType::Zstd => zstd::compress(data, level),
        CompressionType::Zlib => zlib::compress(data, level),
    }
}

/// Inflates. Memory grows with what is really inflated, never with what the data claims.
///
/// # Errors
/// [`CompressionError::TooLarge`] as soon as more than `max_bytes` come out, [`CompressionError::Malformed`] for bad or cut data.
pub fn decompress(kind: CompressionType, data: &[u8], max_bytes: usize) -> Result<Vec<u8>, CompressionError> {
    let mut out = Vec::new();
    decompress_into(kind, data, max_bytes, &mut out)?;
    Ok(out)
}

/// [`decompress`] appending to `out`; on an error `out` is as before.
pub(crate) fn decompress_into(
    kind: CompressionType,
    data: &[u8],
    max_bytes: usize,
    out: &mut Vec<u8>,
) -> Result<(), CompressionError> {
    let start = out.len();
    let outcome = match kind {
        CompressionType::Lz4 => lz4::decompress(data, max_bytes, out),
        CompressionType::Zstd => zstd::decompress(data, max_bytes, out),
        CompressionType::Zlib => zlib::decompress(data, max_bytes, out),
    };
    if outcome.is_err() {
        out.truncate(start);
    }
    outcome
}

/// The size of the next piece of output to make room for: what is there once more, at least a few kilobytes, at most to the limit
/// and one byte, the byte that tells that there is too much.
fn next_room(done: usize, data_len: usize, max_bytes: usize) -> usize {
    let wanted = done.max(data_len.saturating_mul(4)).max(4096);
    wanted.min(max_bytes.saturating_sub(done).saturating_add(1))
}

//! Remoting frames: length, header in JSON or ROCKETMQ binary, body.

mod command;
mod ext;
mod json_header;
mod signer;
mod writer;

pub use command::Command;
pub use ext::ExtFields;
pub use signer::Signer;
pub use writer::{FrameWriter, Head};

/// The largest frame either side accepts, counted with its four length bytes (`NettyDecoder.java`, `frameMaxLength`).
pub const MAX_FRAME_BYTES: usize = 16_777_216;

/// The protocol version this library speaks: `MQVersion.Version.V5_5_0`.
pub const VERSION: i32 = 513;

/// Flag bit of a response.
pub const FLAG_RESPONSE: i32 = 1;

/// Flag bit of a request that wants no response.
pub const FLAG_ONEWAY: i32 = 2;

/// Bytes before the header: total length, then serialize type and header length.
const PREFIX_BYTES: usize = 8;

/// How a frame's header is written (`SerializeType.java`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum SerializeType {
    /// A JSON object; the default of Apache's processes.
    #[default]
    Json,
    /// The compact binary form, called ROCKETMQ.
    RocketMq,
}

/// A frame that cannot be read, or cannot be written.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum FrameError {
    /// The length field announces more than is allowed; nothing was allocated for it.
    #[error("frame of {total} bytes is above the limit of {max} bytes")]
    TooLarge {
        /// Announced length with the four length bytes.
        total: u64,
        /// The limit.
        max: usize,
    },
    /// The length field is negative or cannot even hold the header length.
    #[error("frame length {length} is too small to hold a header")]
    TooSmall {
        /// The announced length, without the four length bytes.
        length: i32,
    },
    /// The frame ends before its announced end.
    #[error("frame is cut short: need {need} bytes, have {have}")]
    Short {
        /// Bytes the frame announces.
        need: usize,
        /// Bytes that are there.
        have: usize,
    },
    /// The header is longer than the frame.
    #[error("header of {header} bytes does not fit a frame of {frame} bytes")]
    HeaderLength {
        /// Announced header length.
        header: usize,
        /// Frame length with the four length bytes.
        frame: usize,
    },
    /// Neither JSON (0) nor ROCKETMQ (1).
    #[error("unknown header serialize type {0}")]
    SerializeType(u8),
    /// The binary header is malformed.
    #[error("malformed binary header: {0}")]
    Binary(&'static str),
    /// The JSON header is malformed.
    #[error("malformed JSON header at byte {at}: {what}")]
    Json {
        /// Byte position inside the header.
        at: usize,
        /// What was expected or found.
        what: &'static str,
    },
    /// An ext field name longer than the binary header can carry.
    #[error("ext field name of {length} bytes is above the limit of 32767 bytes")]
    KeyTooLong {
        /// Length of the name.
        length: usize,
    },
}

/// Looks for the end of the frame at the start of `buffer`.
///
/// `Ok(None)` means that more bytes are needed to know, `Ok(Some(total))` that the frame takes `total` bytes with its four length
/// bytes (`buffer` may hold fewer yet).
///
/// # Errors
/// [`FrameError::TooLarge`] and [`FrameError::TooSmall`]: the stream cannot be followed any further.
pub fn frame_length(buffer: &[u8], max_frame_bytes: usize) -> Result<Option<usize>, FrameError> {
    let Some(length) = crate::bytes::i32_at(buffer, 0) else { return Ok(None) };
    let Ok(after_length) = usize::try_from(length) else { return Err(FrameError::TooSmall { length }) };
    if after_length < PREFIX_BYTES - 4 {
        return Err(FrameError::TooSmall { length });
    }
    let total = after_length as u64 + 4;
    match usize::try_from(total) {
        Ok(total) if total <= max_frame_bytes => Ok(Some(total)),
        _ => Err(FrameError::TooLarge { total, max: max_frame_bytes }),
    }
}

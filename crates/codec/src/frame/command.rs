//! Reading one whole frame.

use std::borrow::Cow;

use super::{ExtFields, FLAG_ONEWAY, FLAG_RESPONSE, FrameError, PREFIX_BYTES, SerializeType, json_header};
use crate::bytes::Reader;
use crate::header::{Header, HeaderError};

/// A decoded frame, borrowing from its bytes (`RemotingCommand.java`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command<'a> {
    /// Encoding of the header; answers use the same.
    pub serialize_type: SerializeType,
    /// Request code or response code.
    pub code: i32,
    /// Language code of the writer, see [`crate::language_code`].
    pub language: u8,
    /// Protocol version of the writer.
    pub version: i32,
    /// Correlates a response with its request. Java fills in a number of its own when a JSON header lacks it, here it is 0.
    pub opaque: i32,
    /// Bit 0 response, bit 1 oneway.
    pub flag: i32,
    /// Human-readable explanation, mostly of errors; the binary form cannot tell an empty one from none.
    pub remark: Option<Cow<'a, str>>,
    /// The header's named fields.
    pub ext: ExtFields<'a>,
    /// Everything behind the header.
    pub body: &'a [u8],
}

impl<'a> Command<'a> {
    /// Decodes exactly one frame, `frame` being the bytes that [`super::frame_length`] delimits.
    ///
    /// # Errors
    /// [`FrameError`] when the bytes are no frame; the connection they came from cannot be trusted any further.
    pub fn decode(frame: &'a [u8]) -> Result<Command<'a>, FrameError> {
        let need = super::frame_length(frame, usize::MAX)?.unwrap_or(PREFIX_BYTES);
        if need != frame.len() {
            return Err(FrameError::Short { need, have: frame.len() });
        }
        let mark = crate::bytes::i32_at(frame, 4).ok_or(FrameError::Short { need, have: frame.len() })?;
        let [serialize_type, length @ ..] = mark.to_be_bytes();
        let header_length = length.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
        let rest = frame.get(PREFIX_BYTES..).unwrap_or_default();
        let (header, body) = rest
            .split_at_checked(header_length)
            .ok_or(FrameError::HeaderLength { header: header_length, frame: frame.len() })?;
        match serialize_type {
            0 => json_header::decode(header, body),
            1 => decode_binary(header, body),
            other => Err(FrameError::SerializeType(other)),
        }
    }

    /// Whether this answers a request.
    pub fn is_response(&self) -> bool {
        self.flag & FLAG_RESPONSE != 0
    }

    /// Whether this request wants no answer.
    pub fn is_oneway(&self) -> bool {
        self.flag & FLAG_ONEWAY != 0
    }

    /// The typed header of this command.
    ///
    /// # Errors
    /// [`HeaderError`] naming the header and the field that is absent or unreadable.
    pub fn header<'c, H: Header<'c>>(&'c self) -> Result<H, HeaderError> {
        H::decode(&self.ext)
    }
}

/// `RocketMQSerializable.java#rocketMQProtocolDecode`; bytes left over in the header, which Java would take for the body, are refused.
fn decode_binary<'a>(header: &'a [u8], body: &'a [u8]) -> Result<Command<'a>, FrameError> {
    const SHORT: FrameError = FrameError::Binary("it ends early");
    let mut reader = Reader::new(header);
    let code = reader.i16().ok_or(SHORT)?;
    let language = reader.u8().ok_or(SHORT)?;
    let version = reader.i16().ok_or(SHORT)?;
    let opaque = reader.i32().ok_or(SHORT)?;
    let flag = reader.i32().ok_or(SHORT)?;
    let remark = reader.i32_prefixed().ok_or(FrameError::Binary("remark length"))?;
    let remark = std::str::from_utf8(remark).map_err(|_invalid| FrameError::Binary("remark is not UTF-8"))?;
    let block = reader.i32_prefixed().ok_or(FrameError::Binary("ext fields length"))?;
    if reader.remaining() != 0 {
        return Err(FrameError::Binary("bytes left over behind the ext fields"));
    }
    Ok(Command {
        serialize_type: SerializeType::RocketMq,
        code: code.into(),
        language,
        version: version.into(),
        opaque,
        flag,
        remark: (!remark.is_empty()).then_some(Cow::Borrowed(remark)),
        ext: ExtFields::from_binary(block)?,
        body,
    })
}

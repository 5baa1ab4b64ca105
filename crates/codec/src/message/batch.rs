//! The body of SEND_BATCH_MESSAGE (320): messages without topic, one behind the other (`MessageDecoder.java#encodeMessage`).

use std::borrow::Cow;

use super::RecordError;
use crate::bytes::{Reader, text};

/// Bytes of an element besides body and properties.
const FIXED_BYTES: usize = 22;

/// One message of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchMessage<'a> {
    /// The user's flag.
    pub flag: i32,
    /// Body.
    pub body: &'a [u8],
    /// Property string.
    pub properties: Cow<'a, str>,
}

/// The messages of a batch body; after an error it ends.
pub fn iter(body: &[u8]) -> Iter<'_> {
    Iter { reader: Reader::new(body) }
}

/// See [`iter`].
#[derive(Clone, Debug)]
pub struct Iter<'a> {
    reader: Reader<'a>,
}

impl<'a> Iterator for Iter<'a> {
    type Item = Result<BatchMessage<'a>, RecordError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.reader.remaining() == 0 {
            return None;
        }
        let element = self.element();
        if element.is_err() {
            self.reader = Reader::new(&[]);
        }
        Some(element)
    }
}

impl<'a> Iter<'a> {
    fn element(&mut self) -> Result<BatchMessage<'a>, RecordError> {
        let have = self.reader.remaining();
        let length = self.reader.i32().ok_or(RecordError::Short { need: FIXED_BYTES, have })?;
        let bad_length = || RecordError::Length { field: "batch element", length: length.into() };
        let total = usize::try_from(length).ok().filter(|total| *total >= FIXED_BYTES).ok_or_else(bad_length)?;
        let parts = self.reader.bytes(total - 4).ok_or(RecordError::Short { need: total, have })?;
        let mut parts = Reader::new(parts);
        let mut read = || {
            parts.bytes(8)?;
            let flag = parts.i32()?;
            let body = parts.i32_prefixed()?;
            let properties = text(parts.i16_prefixed()?);
            (parts.remaining() == 0).then_some(BatchMessage { flag, body, properties })
        };
        read().ok_or_else(bad_length)
    }
}

/// Appends one message to a batch body.
///
/// # Errors
/// [`RecordError::Length`] for a body or property string the format cannot hold; nothing is appended then.
pub fn append(out: &mut Vec<u8>, flag: i32, body: &[u8], properties: &str) -> Result<(), RecordError> {
    let too_long = |field, bytes: &[u8]| RecordError::Length { field, length: bytes.len() as i64 };
    let properties = properties.as_bytes();
    let properties_length = i16::try_from(properties.len()).map_err(|_large| too_long("properties", properties))?;
    let total = FIXED_BYTES + body.len() + properties.len();
    let total = i32::try_from(total).map_err(|_large| too_long("body", body))?;
    out.extend_from_slice(&total.to_be_bytes());
    out.extend_from_slice(&[0; 8]);
    out.extend_from_slice(&flag.to_be_bytes());
    out.extend_from_slice(&(body.len() as u32).to_be_bytes());
    out.extend_from_slice(body);
    out.extend_from_slice(&properties_length.to_be_bytes());
    out.extend_from_slice(properties);
    Ok(())
}

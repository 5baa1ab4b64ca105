//! The named string fields of a header.

use std::borrow::Cow;

use super::FrameError;
use crate::bytes::Reader;

/// The `extFields` of a command: names and values, in the order they came in.
///
/// A field may occur twice; like in Java the last one counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtFields<'a>(Repr<'a>);

/// Name and value of a field of a JSON header.
pub(super) type JsonField<'a> = (Cow<'a, str>, Cow<'a, str>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Repr<'a> {
    /// The map block of a binary header. Invariant: whole entries only, all names and values valid UTF-8.
    Binary(&'a [u8]),
    Json(Vec<JsonField<'a>>),
}

impl Default for ExtFields<'_> {
    fn default() -> Self {
        Self(Repr::Binary(&[]))
    }
}

impl<'a> ExtFields<'a> {
    /// Checks the map block of a binary header; nothing is copied.
    pub(super) fn from_binary(block: &'a [u8]) -> Result<Self, FrameError> {
        // Lengths and text of ordinary fields are all ASCII, so one vectorised look saves a check per field.
        let ascii = block.is_ascii();
        let mut reader = Reader::new(block);
        while reader.remaining() != 0 {
            let key = reader.i16_prefixed().ok_or(FrameError::Binary("ext field name length"))?;
            let value = reader.i32_prefixed().ok_or(FrameError::Binary("ext field value length"))?;
            if !ascii && (std::str::from_utf8(key).is_err() || std::str::from_utf8(value).is_err()) {
                return Err(FrameError::Binary("ext field is not UTF-8"));
            }
        }
        Ok(Self(Repr::Binary(block)))
    }

    pub(super) fn from_json(fields: Vec<JsonField<'a>>) -> Self {
        Self(Repr::Json(fields))
    }

    /// All fields in wire order. A binary field with an empty name or value is null to Java, hence absent here.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let (binary, json) = match &self.0 {
            Repr::Binary(block) => (*block, [].as_slice()),
            Repr::Json(fields) => (&[][..], fields.as_slice()),
        };
        BinaryFields(Reader::new(binary)).chain(json.iter().map(|(key, value)| (&**key, &**value)))
    }

    /// The value of a field; with duplicates the last.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.iter().filter(|(name, _)| *name == key).last().map(|(_, value)| value)
    }

    /// Whether there is no field at all.
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }
}

struct BinaryFields<'a>(Reader<'a>);

impl<'a> Iterator for BinaryFields<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let key = self.0.i16_prefixed()?;
            let value = self.0.i32_prefixed()?;
            if key.is_empty() || value.is_empty() {
                continue;
            }
            // SAFETY: a binary block is only made by `from_binary`, which has found every name and value in it valid UTF-8 while
            // walking it exactly as this iterator does.
            return Some(unsafe { (std::str::from_utf8_unchecked(key), std::str::from_utf8_unchecked(value)) });
        }
    }
}

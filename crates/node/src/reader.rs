//! Reads the little-endian records that JavaScript writes into a buffer for the addon.

use napi::{Error, Result, Status};

/// Goes through a record from front to back; each read fails where the record ends before.
pub struct Reader<'a> {
    rest: &'a [u8],
}

/// The record ends before it should.
pub fn cut_short() -> Error {
    Error::new(Status::InvalidArg, "a record handed to the addon is cut short")
}

impl<'a> Reader<'a> {
    pub fn new(rest: &'a [u8]) -> Self {
        Self { rest }
    }

    pub fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (head, rest) = self.rest.split_first_chunk::<N>().ok_or_else(cut_short)?;
        self.rest = rest;
        Ok(*head)
    }

    pub fn u32(&mut self) -> Result<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub fn i32(&mut self) -> Result<i32> {
        self.array().map(i32::from_le_bytes)
    }

    pub fn f64(&mut self) -> Result<f64> {
        self.array().map(f64::from_le_bytes)
    }

    pub fn bytes(&mut self, count: u32) -> Result<&'a [u8]> {
        let (head, rest) = self.rest.split_at_checked(count as usize).ok_or_else(cut_short)?;
        self.rest = rest;
        Ok(head)
    }

    pub fn text(&mut self, count: u32) -> Result<&'a str> {
        let bytes = self.bytes(count)?;
        std::str::from_utf8(bytes)
            .map_err(|error| Error::new(Status::InvalidArg, format!("text is not UTF-8: {error}")))
    }
}

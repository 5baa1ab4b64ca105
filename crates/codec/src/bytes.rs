//! A cursor over big-endian bytes that answers `None` instead of reading past the end, and text from bytes.

use std::borrow::Cow;
use std::str;

/// Bytes as text; what is not UTF-8 becomes U+FFFD, as Java's `new String(bytes, UTF_8)` does it. Checks whole words first,
/// which `String::from_utf8_lossy` does not.
pub(crate) fn text(bytes: &[u8]) -> Cow<'_, str> {
    str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed)
}

/// Reads big-endian values from the front of a slice.
#[derive(Clone, Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) fn remaining(&self) -> usize {
        self.rest.len()
    }

    pub(crate) fn bytes(&mut self, len: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.rest.split_at_checked(len)?;
        self.rest = tail;
        Some(head)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, tail) = self.rest.split_first_chunk::<N>()?;
        self.rest = tail;
        Some(*head)
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(crate) fn i16(&mut self) -> Option<i16> {
        self.array().map(i16::from_be_bytes)
    }

    pub(crate) fn i32(&mut self) -> Option<i32> {
        self.array().map(i32::from_be_bytes)
    }

    pub(crate) fn i64(&mut self) -> Option<i64> {
        self.array().map(i64::from_be_bytes)
    }

    /// An `i32` length and that many bytes; a negative or overlong length is `None`.
    pub(crate) fn i32_prefixed(&mut self) -> Option<&'a [u8]> {
        let len = self.i32()?;
        self.bytes(usize::try_from(len).ok()?)
    }

    /// An `i16` length and that many bytes; a negative or overlong length is `None`.
    pub(crate) fn i16_prefixed(&mut self) -> Option<&'a [u8]> {
        let len = self.i16()?;
        self.bytes(usize::try_from(len).ok()?)
    }
}

/// The `i32` at `at`, if it is there.
pub(crate) fn i32_at(bytes: &[u8], at: usize) -> Option<i32> {
    bytes.get(at..)?.first_chunk().copied().map(i32::from_be_bytes)
}

/// The `i64` at `at`, if it is there.
pub(crate) fn i64_at(bytes: &[u8], at: usize) -> Option<i64> {
    bytes.get(at..)?.first_chunk().copied().map(i64::from_be_bytes)
}

/// Overwrites the bytes from `at`; does nothing when they are not all there.
pub(crate) fn overwrite(bytes: &mut [u8], at: usize, value: &[u8]) {
    if let Some(target) = bytes.get_mut(at..).and_then(|tail| tail.get_mut(..value.len())) {
        target.copy_from_slice(value);
    }
}

/// Calls `at` with each place of a byte, and with the end. Eight bytes at a look: what is between them is too short for a
/// vectorised search to pay.
#[inline]
pub(crate) fn each_place(bytes: &[u8], byte: u8, mut at: impl FnMut(usize)) {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const LOW_BITS: u64 = ONES * 0x7F;
    let (words, tail) = bytes.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word) ^ (ONES * u64::from(byte));
        // The top bit of each byte that is zero, and of no other.
        let mut found = !(((word & LOW_BITS) + LOW_BITS) | word | LOW_BITS);
        while found != 0 {
            at(index * 8 + found.trailing_zeros() as usize / 8);
            found &= found - 1;
        }
    }
    let tail_at = bytes.len() - tail.len();
    tail.iter().enumerate().filter(|(_, other)| **other == byte).for_each(|(index, _)| at(tail_at + index));
    at(bytes.len());
}

/// Where the first of two byte values is, eight bytes at a look: the strings searched are too short for a vectorised search to pay.
#[inline]
pub(crate) fn find_either(bytes: &[u8], first: u8, second: u8) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    // Sets the top bit of the lowest zero byte (and maybe of bytes above it, which do not matter here).
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word & (ONES << 7);
    let (words, tail) = bytes.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let found = zeros(word ^ (ONES * u64::from(first))) | zeros(word ^ (ONES * u64::from(second)));
        if found != 0 {
            return Some(index * 8 + found.trailing_zeros() as usize / 8);
        }
    }
    let at = tail.iter().position(|byte| *byte == first || *byte == second)?;
    Some(bytes.len() - tail.len() + at)
}

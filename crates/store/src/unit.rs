//! The unit of a consume queue.
//!
//! ```text
//! 0        8      12        20
//! | physicalOffset i64 | size i32 | tagsCode i64 |     big endian; unit n of the queue is at byte 20 n
//! ```

/// Bytes of a unit.
pub(crate) const UNIT_BYTES: usize = 20;

/// What one unit says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unit {
    pub(crate) physical_offset: i64,
    pub(crate) size: i32,
    pub(crate) tags_code: i64,
}

impl Unit {
    /// Fills the place of messages that were gone before the queue's first file was made.
    pub(crate) const BLANK: Self = Self { physical_offset: 0, size: i32::MAX, tags_code: 0 };

    pub(crate) fn decode(bytes: &[u8; UNIT_BYTES]) -> Self {
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t] = *bytes;
        Self {
            physical_offset: i64::from_be_bytes([a, b, c, d, e, f, g, h]),
            size: i32::from_be_bytes([i, j, k, l]),
            tags_code: i64::from_be_bytes([m, n, o, p, q, r, s, t]),
        }
    }

    pub(crate) fn encode(self) -> [u8; UNIT_BYTES] {
        let mut bytes = [0; UNIT_BYTES];
        bytes[..8].copy_from_slice(&self.physical_offset.to_be_bytes());
        bytes[8..12].copy_from_slice(&self.size.to_be_bytes());
        bytes[12..].copy_from_slice(&self.tags_code.to_be_bytes());
        bytes
    }

    /// End of the message in the commit log.
    pub(crate) fn end(self) -> i64 {
        self.physical_offset.saturating_add(i64::from(self.size))
    }

    /// Whether it can be a unit at all: files are zero where none was written.
    pub(crate) fn is_valid(self) -> bool {
        self.physical_offset >= 0 && self.size > 0
    }
}

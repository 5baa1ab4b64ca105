//! The bytes of an index file. (`IndexFile`, `IndexHeader`)
//!
//! ```text
//! 0                40                40 + 4 * slots                  40 + 4 * slots + 20 * items
//! | header         | slots (i32)     | items (20 bytes)              |
//! header: beginTimestamp i64 | endTimestamp i64 | beginPhyOffset i64 | endPhyOffset i64 | hashSlotCount i32 | indexCount i32
//! item:   keyHash i32 | phyOffset i64 | timeDiff i32 (seconds since beginTimestamp) | number of the slot's item before i32
//! ```
//!
//! Big endian. A slot holds the number of its last item, 0 for none; items are numbered from 1 (item 0 is never used), and
//! indexCount is the number of the next one, so a file of `maxIndexNum` holds one item less.

/// Bytes of the header.
pub(super) const HEADER_BYTES: usize = 40;
/// Bytes of a slot.
pub(super) const SLOT_BYTES: usize = 4;
/// Bytes of an item.
pub(super) const ITEM_BYTES: usize = 20;

/// How many slots and items the files of a store have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Layout {
    /// `maxHashSlotNum`.
    pub(crate) slots: u32,
    /// `maxIndexNum`: a file is full when the next item would have this number.
    pub(crate) items: u32,
}

impl Layout {
    /// Length of a file.
    pub(crate) fn file_bytes(self) -> u64 {
        self.item_position(self.items)
    }

    /// The slot of a hash.
    pub(super) fn slot_of(self, hash: i32) -> u32 {
        hash.cast_unsigned() % self.slots
    }

    /// Where a slot is in the file.
    pub(super) fn slot_position(self, slot: u32) -> u64 {
        HEADER_BYTES as u64 + u64::from(slot) * SLOT_BYTES as u64
    }

    /// Where an item is in the file.
    pub(super) fn item_position(self, number: u32) -> u64 {
        self.slot_position(self.slots) + u64::from(number) * ITEM_BYTES as u64
    }
}

/// The first bytes of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    /// Store timestamp of the first message.
    pub(super) begin_timestamp: i64,
    /// Store timestamp of the last message.
    pub(super) end_timestamp: i64,
    /// Place of the first message.
    pub(super) begin_physical_offset: i64,
    /// Place of the last message.
    pub(super) end_physical_offset: i64,
    /// Slots in use.
    pub(super) slot_count: u32,
    /// Number of the next item, at least 1.
    pub(super) next_item: u32,
}

impl Header {
    /// That of a file behind one that ends as `before` does.
    pub(super) fn behind(before: Option<Header>) -> Self {
        let (timestamp, offset) = before.map_or((0, 0), |before| (before.end_timestamp, before.end_physical_offset));
        Self {
            begin_timestamp: timestamp,
            end_timestamp: timestamp,
            begin_physical_offset: offset,
            end_physical_offset: offset,
            slot_count: 0,
            next_item: 1,
        }
    }

    pub(super) fn decode(bytes: &[u8; HEADER_BYTES]) -> Self {
        let (longs, _) = bytes.as_chunks::<8>();
        let (ints, _) = bytes.as_chunks::<4>();
        let long = |index: usize| longs.get(index).map_or(0, |bytes| i64::from_be_bytes(*bytes));
        let int = |index: usize| ints.get(index).map_or(0, |bytes| i32::from_be_bytes(*bytes));
        Self {
            begin_timestamp: long(0),
            end_timestamp: long(1),
            begin_physical_offset: long(2),
            end_physical_offset: long(3),
            slot_count: u32::try_from(int(8)).unwrap_or(0),
            next_item: u32::try_from(int(9)).unwrap_or(0).max(1),
        }
    }

    pub(super) fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        let (longs, ints) = bytes.split_at_mut(32);
        let values = [self.begin_timestamp, self.end_timestamp, self.begin_physical_offset, self.end_physical_offset];
        for (place, value) in longs.as_chunks_mut().0.iter_mut().zip(values) {
            *place = value.to_be_bytes();
        }
        for (place, value) in ints.as_chunks_mut().0.iter_mut().zip([self.slot_count, self.next_item]) {
            *place = value.to_be_bytes();
        }
        bytes
    }

    /// Whether messages of a time range may be in the file. (`IndexFile#isTimeMatched`)
    pub(super) fn matches(&self, begin: i64, end: i64) -> bool {
        let within = |time: i64| self.begin_timestamp <= time && time <= self.end_timestamp;
        (begin < self.begin_timestamp && end > self.end_timestamp) || within(begin) || within(end)
    }

    /// Seconds of a message behind the file's first one. That of the first message itself is counted from the end of the
    /// file before, as `IndexFile#putKey` does.
    pub(super) fn time_diff(&self, timestamp: i64) -> i32 {
        if self.begin_timestamp <= 0 {
            return 0;
        }
        let seconds = timestamp.saturating_sub(self.begin_timestamp) / 1_000;
        i32::try_from(seconds.max(0)).unwrap_or(i32::MAX)
    }
}

/// One key of one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Item {
    /// See [`key_hash`](super::keys::key_hash).
    pub(super) hash: i32,
    /// Place of the message.
    pub(super) physical_offset: i64,
    /// Seconds behind the file's begin.
    pub(super) time_diff: i32,
    /// Number of the slot's item before this one, 0 for none.
    pub(super) previous: u32,
}

impl Item {
    pub(super) fn decode(bytes: &[u8; ITEM_BYTES]) -> Self {
        let [a, b, c, d, e] = *bytes.as_chunks::<4>().0 else { return Self::NONE };
        let high = i64::from(i32::from_be_bytes(b)) << 32;
        Self {
            hash: i32::from_be_bytes(a),
            physical_offset: high | i64::from(u32::from_be_bytes(c)),
            time_diff: i32::from_be_bytes(d),
            previous: u32::try_from(i32::from_be_bytes(e)).unwrap_or(0),
        }
    }

    const NONE: Self = Self { hash: 0, physical_offset: 0, time_diff: 0, previous: 0 };

    pub(super) fn encode(&self) -> [u8; ITEM_BYTES] {
        let mut bytes = [0; ITEM_BYTES];
        bytes[..4].copy_from_slice(&self.hash.to_be_bytes());
        bytes[4..12].copy_from_slice(&self.physical_offset.to_be_bytes());
        bytes[12..16].copy_from_slice(&self.time_diff.to_be_bytes());
        bytes[16..].copy_from_slice(&self.previous.to_be_bytes());
        bytes
    }
}

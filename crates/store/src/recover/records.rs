//! What stands in the log, as far as the checkpoint tells what to make of it.

use rocketmq_codec::message::{MAGIC_V1, MessageRecord, RecordError, decode_record};
use rocketmq_log::{LogError, Reader, SegmentedLog};

use crate::StoreError;
use crate::checkpoint::CheckpointValues;

/// What the magics of all records begin with, and where in a record they stand.
pub(super) const MAGIC_PREFIX: [u8; 3] = [0xDA, 0xA3, 0x20];
pub(super) const MAGIC_AT: usize = 4;

/// The records of a log that is being recovered, or looked at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Records<'a> {
    pub(crate) log: &'a SegmentedLog,
    pub(crate) max_message_bytes: usize,
    pub(crate) values: CheckpointValues,
    /// Whether the last stop was clean (no abort file).
    pub(crate) was_clean: bool,
}

/// What stands at a position of the log.
pub(super) enum Found<T> {
    Record(T, u64),
    Blank,
    Nothing,
}

impl Records<'_> {
    /// Reads what stands at `at`; a record must be whole, of the right CRC, and know its own place. One that a torn write
    /// may have left is taken for damage, unless it is known to be on disk.
    pub(super) fn record_at<T>(
        &self,
        reader: &mut Reader<'_>,
        at: u64,
        read: impl FnOnce(&MessageRecord<'_>) -> T,
    ) -> Result<Found<T>, LogError> {
        let read = |record: &MessageRecord<'_>, bytes: &[u8]| {
            (looks_torn(record, bytes), self.is_on_disk(record), read(record))
        };
        let (looks_torn, is_on_disk, value, size) = match self.whole_record_at(reader, at, read)? {
            Found::Record((looks_torn, is_on_disk, value), size) => (looks_torn, is_on_disk, value, size),
            Found::Blank => return Ok(Found::Blank),
            Found::Nothing => return Ok(Found::Nothing),
        };
        let mut is_followed = || Ok(!matches!(self.whole_record_at(reader, at + size, |_, _| ())?, Found::Nothing));
        let is_damage = looks_torn && !(is_on_disk && (self.knows_what_is_on_disk() || is_followed()?));
        Ok(if is_damage { Found::Nothing } else { Found::Record(value, size) })
    }

    /// The same, but what looks torn counts as well.
    pub(super) fn whole_record_at<T>(
        &self,
        reader: &mut Reader<'_>,
        at: u64,
        read: impl FnOnce(&MessageRecord<'_>, &[u8]) -> T,
    ) -> Result<Found<T>, LogError> {
        let left = self.log.segment_bytes() - at % self.log.segment_bytes();
        let head = reader.with_bytes(at, 8, |head| match decode_record(head, false) {
            Err(RecordError::Blank { .. }) => Found::Blank,
            Err(RecordError::Short { need, .. }) if need as u64 <= left => Found::Record((), need as u64),
            _ => Found::Nothing,
        })?;
        let size = match head {
            Some(Found::Record((), size)) => size,
            Some(Found::Blank) => return Ok(Found::Blank),
            _ => return Ok(Found::Nothing),
        };
        let found = reader.with_bytes(at, size as usize, |bytes| match whole_record(bytes, at) {
            Some(record) => Found::Record(read(&record, bytes), size),
            None => Found::Nothing,
        })?;
        Ok(found.unwrap_or(Found::Nothing))
    }

    /// The log is on disk up to here, as far as the checkpoint knows exactly.
    pub(super) fn flushed_position(&self) -> Option<u64> {
        self.values.flushed_position.and_then(|position| u64::try_from(position).ok())
    }

    /// Whether Apache's store was the last that was closed. One that ran for moments leaves the checkpoint as it was, but the log is
    /// longer.
    pub(crate) fn was_apache_last(&self) -> Result<bool, LogError> {
        let Some(closed_at) = self.flushed_position() else { return Ok(true) };
        let mut reader = self.log.reader();
        let is_record = |found: &Found<()>| matches!(found, Found::Record((), _));
        let found = self.record_at(&mut reader, closed_at, |_| ())?;
        if !matches!(found, Found::Blank) {
            return Ok(is_record(&found));
        }
        let next_file = reader.next_segment(closed_at);
        Ok(is_record(&self.record_at(&mut reader, next_file, |_| ())?))
    }

    /// Whether the checkpoint says that a record reached the disk.
    pub(super) fn is_on_disk(&self, record: &MessageRecord<'_>) -> bool {
        match self.values.flushed_position {
            Some(position) => record.physical_offset < position,
            // Of the records stored in the same millisecond as the last that was flushed, some may be later.
            None if self.was_clean => record.store_timestamp <= self.values.physic_msg_timestamp,
            None => record.store_timestamp < self.values.physic_msg_timestamp,
        }
    }

    /// By position, or after a clean stop, it is certain what is on disk; by a timestamp that others share it is not.
    fn knows_what_is_on_disk(&self) -> bool {
        self.was_clean || self.values.flushed_position.is_some()
    }

    /// Whether a whole record is not to be taken for one without looking at what follows it.
    pub(super) fn is_doubtful(&self, record: &MessageRecord<'_>, bytes: &[u8]) -> bool {
        looks_torn(record, bytes) && !(self.knows_what_is_on_disk() && self.is_on_disk(record))
    }

    /// Looks for a whole record behind `damage`: in the same file as far as two records of the largest size reach, and at
    /// the start of each later file.
    pub(super) fn find_behind(
        &self,
        damage: u64,
        matches: impl Fn(&MessageRecord<'_>) -> bool,
    ) -> Result<Option<u64>, StoreError> {
        const CHUNK_BYTES: usize = 64 * 1024;
        let mut reader = self.log.reader();
        let segment_end = damage - damage % self.log.segment_bytes() + self.log.segment_bytes();
        let until = segment_end.min(damage + 2 * (self.max_message_bytes as u64 + 64 * 1024));
        let mut chunk_at = damage + 1;
        let mut candidates = Vec::new();
        while chunk_at + 8 <= until {
            let len = usize::try_from(until - chunk_at).map_or(CHUNK_BYTES, |left| left.min(CHUNK_BYTES));
            reader.with_bytes(chunk_at, len, |bytes| {
                let found = bytes.windows(3).enumerate().filter(|(_, window)| *window == MAGIC_PREFIX);
                // The magic stands 4 bytes into the record; the first bytes of the chunk may belong to one before it.
                candidates.extend(found.filter_map(|(index, _)| (chunk_at + index as u64).checked_sub(4)));
            })?;
            // Overlaps, so that a magic across the border is seen.
            chunk_at += (len as u64).saturating_sub(2).max(1);
        }
        let later_files = self.log.segments().into_iter().map(|segment| segment.base());
        candidates.extend(later_files.filter(|base| *base >= segment_end));
        for at in candidates.into_iter().filter(|at| *at > damage) {
            if let Found::Record(true, _) = self.whole_record_at(&mut reader, at, |record, _| matches(record))? {
                return Ok(Some(at));
            }
        }
        Ok(None)
    }
}

/// The record at the start of `bytes` if it is whole, of the right CRC, and knows that it stands at `at`.
pub(super) fn whole_record(bytes: &[u8], at: u64) -> Option<MessageRecord<'_>> {
    let (record, _) = decode_record(bytes, true).ok()?;
    (record.physical_offset == at as i64 && !record.topic.as_bytes().contains(&0)).then_some(record)
}

/// Whether the end of a record may never have reached the disk. The CRC covers the body only, and lengths give a loss
/// before the properties away; what is lost of the properties reads as zeros up to the end of a sector or the record.
fn looks_torn(record: &MessageRecord<'_>, bytes: &[u8]) -> bool {
    const SECTOR_BYTES: usize = 512;
    let topic_length_bytes = if record.magic == MAGIC_V1 { 1 } else { 2 };
    let before = record.body_offset + record.body.len() + topic_length_bytes + record.topic.len() + 2;
    let properties = bytes.get(before..).unwrap_or_default();
    if !properties.contains(&0) {
        return false;
    }
    let start = record.physical_offset as usize + before;
    let mut zeros = properties.iter().enumerate().filter(|(_, byte)| **byte == 0).map(|(index, _)| index + 1);
    zeros.any(|end| end == properties.len() || (start + end).is_multiple_of(SECTOR_BYTES))
}

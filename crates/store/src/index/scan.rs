//! Goes through the commit log, record by record, for the keys in it.

use rocketmq_codec::message::{MAGIC_V1, MAGIC_V2, RecordError, RecordParts};
use rocketmq_env::prefetch_bytes;
use rocketmq_log::{LogError, SegmentedLog};

use super::keys::{Entry, TopicHash, push_entries};

/// Bytes looked at together; a larger record is looked at alone.
const CHUNK_BYTES: u64 = 256 * 1024;
/// One scan ends after so many entries, or so many bytes.
const SCAN_ENTRIES: usize = 1_024;
const SCAN_BYTES: u64 = 4 * 1024 * 1024;
/// How far ahead memory is asked for.
const EXPECTED_BYTES: usize = 2048;
/// Bytes of a record up to the end of its physical offset.
const PLACE_BYTES: usize = 36;

/// Where the indexer is in the log.
#[derive(Debug, Default)]
pub(super) struct Scanner {
    /// Start of the next record.
    pub(super) at: u64,
    topics: TopicHash,
}

/// Why a run over a chunk ended.
enum End {
    /// Enough entries, or the chunk's end.
    Chunk,
    /// A record of this length begins, which goes on behind the chunk.
    Record(u64),
    /// The rest of the file is blank.
    Blank,
    /// What is here is no record.
    Damage,
}

impl Scanner {
    pub(super) fn new(at: u64) -> Self {
        Self { at, topics: TopicHash::default() }
    }

    /// Appends the entries of the next records. False when the end of the log is reached.
    ///
    /// Records are not checked but for their place: recovery did that, and what is published since was written here. Damage
    /// that a clean start did not look at is passed over, up to the next record that knows its own place.
    pub(super) fn scan(&mut self, log: &SegmentedLog, entries: &mut Vec<Entry>) -> Result<bool, LogError> {
        let mut reader = log.reader();
        let stop_at = self.at.saturating_add(SCAN_BYTES);
        let mut wanted = CHUNK_BYTES;
        while entries.len() < SCAN_ENTRIES && self.at < stop_at {
            // Files may have been removed from the log's head.
            self.at = self.at.max(log.first_offset().unwrap_or(0));
            if self.at >= reader.end() {
                return Ok(false);
            }
            let next_file = reader.next_segment(self.at);
            let left = next_file.min(reader.end()) - self.at;
            let len = left.min(wanted);
            wanted = CHUNK_BYTES;
            let (at, len_wanted) = (self.at, usize::try_from(len).unwrap_or(usize::MAX));
            match reader.with_bytes(at, len_wanted, |bytes| self.run(bytes, left, entries))? {
                Some(End::Chunk) => {}
                Some(End::Record(size)) => wanted = size.max(CHUNK_BYTES),
                Some(End::Damage) if len < left => {}
                // Behind damage up to a file's end, at its blank, or where the file was just removed.
                Some(End::Blank | End::Damage) | None => self.at = next_file,
            }
        }
        Ok(true)
    }

    /// Goes over the records of a chunk; `left` bytes may be read from its start.
    fn run(&mut self, bytes: &[u8], left: u64, entries: &mut Vec<Entry>) -> End {
        let start = self.at;
        loop {
            let position = usize::try_from(self.at - start).unwrap_or(usize::MAX);
            let rest = bytes.get(position..).unwrap_or_default();
            if rest.is_empty() || entries.len() >= SCAN_ENTRIES {
                return End::Chunk;
            }
            match RecordParts::of(rest) {
                Ok(record) if record.physical_offset() == self.at as i64 => {
                    expect_after(record.record);
                    push_entries(&record, &mut self.topics, entries);
                    self.at += record.record.len() as u64;
                }
                Err(RecordError::Blank { .. }) => return End::Blank,
                Err(RecordError::Short { need, .. }) if need as u64 <= left - position as u64 => {
                    return End::Record(need as u64);
                }
                _ => {
                    let behind = next_record(rest, self.at);
                    // What may begin a record that goes on behind the chunk is looked at again.
                    let skipped = behind.unwrap_or(rest.len().saturating_sub(PLACE_BYTES - 1)).max(1);
                    self.at += skipped as u64;
                    if behind.is_none() {
                        return End::Damage;
                    }
                }
            }
        }
    }
}

/// Tells the processor that what lies a little behind a record will be looked at, as much as the record is long.
fn expect_after(record: &[u8]) {
    prefetch_bytes(record.as_ptr().wrapping_add(EXPECTED_BYTES), record.len());
}

/// Where in `bytes`, which lie at `at`, the first record behind the first byte begins.
fn next_record(bytes: &[u8], at: u64) -> Option<usize> {
    let heads = bytes.windows(PLACE_BYTES).enumerate().skip(1);
    let mut starts = heads.filter(|(index, head)| {
        let magic = head.get(4..8).and_then(|bytes| bytes.first_chunk()).map(|bytes| i32::from_be_bytes(*bytes));
        let place = head.last_chunk().map(|bytes| i64::from_be_bytes(*bytes));
        matches!(magic, Some(MAGIC_V1 | MAGIC_V2)) && place == Some((at + *index as u64) as i64)
    });
    starts.next().map(|(index, _)| index)
}

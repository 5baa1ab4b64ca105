//! Brings log and queues to one state after a start: the log ends with its last whole record, the queues know exactly the
//! records of the log. (`CommitLog#recoverNormally`, `#recoverAbnormally`)
//!
//! After a clean stop of this store the scan starts with the last record that was dispatched, as the checkpoint tells, if
//! the queues are as many and as long as they were; after another's with the last file whose first record a queue knows.
//! After an unclean one it starts at the checkpoint: units of older records are on disk; all newer ones are cut and made
//! again from the log, because the disk may hold any part of them.
//!
//! Damage before the start of the scan is not seen here, but by whoever reads it.

use std::sync::Arc;

use rocketmq_codec::message::{MAGIC_V1, MessageRecord, RecordError, decode_record, sys_flag};
use rocketmq_env::Clock;
use rocketmq_log::{LogError, Reader, SegmentedLog};

use crate::batch::takes_slot;
use crate::checkpoint::Checkpoint;
use crate::deletion::DeletedTopics;
use crate::dispatch::Progress;
use crate::light::light_queues;
use crate::message::Arrival;
use crate::queue::{Appended, Kept, Known, Queue};
use crate::queues::{Queues, TAILS_LIMIT_BYTES};
use crate::recovery_progress::{RecoveryPhase, Reporter};
use crate::tags::TagsCode;
use crate::unit::{UNIT_BYTES, Unit};
use crate::{StoreConfig, StoreError};

/// The clock is asked once for so many bytes of the log.
const REPORT_BYTES: u64 = 1024 * 1024;

/// What recovery works on.
pub(crate) struct Recovery<'a> {
    pub(crate) config: &'a StoreConfig,
    pub(crate) log: &'a mut SegmentedLog,
    pub(crate) queues: &'a Queues,
    pub(crate) deleted_topics: &'a DeletedTopics,
    pub(crate) checkpoint: &'a Checkpoint,
    pub(crate) clock: &'a dyn Clock,
    /// Whether the last stop was clean (no abort file).
    pub(crate) was_clean: bool,
}

/// What it found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Recovered {
    /// Where the scan started: everything before was on disk.
    pub(crate) scanned_from: u64,
    /// The last record, if there is one.
    pub(crate) progress: Progress,
}

/// How a scan ended.
struct Scan {
    end: u64,
    last: Progress,
    /// Stopped at bytes that are neither a record nor a blank.
    at_damage: bool,
    /// A queue lacks units before one of the records.
    gap: bool,
}

/// What stands at a position of the log.
enum Found<T> {
    Record(T, u64),
    Blank,
    Nothing,
}

impl Recovery<'_> {
    pub(crate) fn run(self) -> Result<Recovered, StoreError> {
        self.log.check_whole()?;
        let Some(first) = self.log.first_offset() else {
            // Without the log the queues say nothing (`destroyConsumeQueueStore`).
            self.queues.for_each(|queue, _| Ok(queue.clear()?))?;
            self.deleted_topics.finish(self.queues)?;
            return Ok(Recovered { scanned_from: 0, progress: Progress::default() });
        };
        let lost = self.close_gaps(first)?;
        let mut from = self.recover_to_start(first)?;
        if lost {
            from = first;
        }
        self.deleted_topics.finish(self.queues)?;
        let mut scan = self.scan(from, from == first)?;
        if scan.gap {
            // Some queue lost more than the checkpoint or the other queues tell: make all from the whole log.
            self.checkpoint.queues_lost()?;
            from = first;
            scan = self.scan(from, true)?;
        }
        if scan.at_damage {
            self.refuse_to_cut(&scan)?;
        }
        self.queues.write_tails()?;
        self.cut_queues(scan.end)?;
        self.log.truncate(scan.end)?;
        self.queues.for_each(|queue, _| {
            if first > 0 {
                queue.correct_min_offset(first as i64)?;
            }
            queue.settle_next_offset();
            Ok(())
        })?;
        Ok(Recovered { scanned_from: from, progress: scan.last })
    }

    /// Clears queues with a gap between their files, whose units the log has; whether there are any. Those that can do
    /// without what is missing are left with what is behind the gap.
    fn close_gaps(&self, log_start: u64) -> Result<bool, StoreError> {
        let mut lost = Vec::new();
        for queue in self.queues.all() {
            if queue.close_gap(log_start as i64)? == Kept::Nothing {
                lost.push(queue);
            }
        }
        if lost.is_empty() {
            return Ok(false);
        }
        self.checkpoint.queues_lost()?;
        lost.iter().try_for_each(|queue| queue.clear())?;
        Ok(true)
    }

    /// Brings the queues to what is known, and tells where the scan has to start.
    fn recover_to_start(&self, first: u64) -> Result<u64, StoreError> {
        if !self.was_clean {
            let start = self.unclean_start()?;
            self.recover_queues(start.map_or(Known::Nothing, |start| Known::Below(start as i64)))?;
            let start = start.unwrap_or(first);
            self.cut_queues(start)?;
            // A process that died while it recovered may have cut units, which the disk still has.
            self.queues.all().iter().for_each(|queue| self.queues.note_unsynced(queue));
            return Ok(start);
        }
        if let Some(start) = self.closed_start()? {
            self.recover_queues(Known::Closed)?;
            if self.queues.totals() == self.checkpoint.values().closed_with {
                return Ok(start);
            }
            // Which queue lost what is not known.
            self.checkpoint.queues_lost()?;
        }
        self.recover_queues(Known::Nothing)?;
        let knows_queues = self.checkpoint.values().logics_msg_timestamp > 0;
        Ok(if knows_queues { self.clean_start()?.unwrap_or(first) } else { first })
    }

    fn recover_queues(&self, known: Known) -> Result<(), StoreError> {
        let reporter = Reporter::new(self.config, self.clock, RecoveryPhase::ConsumeQueues);
        let total = self.queues.all().len() as u64;
        self.queues.for_each(|queue, done| {
            reporter.at(done, total);
            let is_unit_of = |offset, unit: Unit| self.is_unit_of(queue, offset, unit);
            Ok(queue.recover(known, is_unit_of)?)
        })
    }

    /// Whether the log has the record of a unit.
    fn is_unit_of(&self, queue: &Queue, offset: i64, unit: Unit) -> Result<bool, LogError> {
        let Ok(at) = u64::try_from(unit.physical_offset) else { return Ok(false) };
        let is_its = |record: &MessageRecord<'_>, _: &[u8]| {
            *record.topic == **queue.topic() && record.queue_id == queue.queue_id() && record.queue_offset == offset
        };
        Ok(matches!(self.whole_record_at(&mut self.log.reader(), at, is_its)?, Found::Record(true, _)))
    }

    /// The last record that was dispatched before this store was closed.
    fn closed_start(&self) -> Result<Option<u64>, StoreError> {
        let values = self.checkpoint.values();
        if values.flushed_position.is_none() || values.logics_physical_offset <= 0 {
            return Ok(None);
        }
        let at = values.logics_physical_offset as u64;
        let found = self.record_at(&mut self.log.reader(), at, |record| self.is_on_disk(record))?;
        Ok(matches!(found, Found::Record(true, _)).then_some(at))
    }

    /// First record of the last file that some queue knows.
    fn clean_start(&self) -> Result<Option<u64>, StoreError> {
        let known = self.queues.all().iter().map(|queue| queue.max_physical_offset()).max().unwrap_or(-1);
        self.last_file_where(|record| record.physical_offset <= known)
    }

    /// The checkpoint's record if the log is known to be on disk up to there, else the start of the last file that is older
    /// than the checkpoint.
    fn unclean_start(&self) -> Result<Option<u64>, StoreError> {
        let values = self.checkpoint.values();
        if values.logics_physical_offset > 0 {
            let at = values.logics_physical_offset as u64;
            let mut reader = self.log.reader();
            if let Found::Record(true, _) = self.record_at(&mut reader, at, |record| self.is_on_disk(record))? {
                return Ok(Some(at));
            }
        }
        let on_disk_until = values.physic_msg_timestamp.min(values.logics_msg_timestamp) - 3_000;
        self.last_file_where(|record| {
            let queues_know =
                values.logics_physical_offset <= 0 || record.physical_offset <= values.logics_physical_offset;
            record.store_timestamp <= on_disk_until && queues_know
        })
    }

    fn last_file_where(&self, matches: impl Fn(&MessageRecord<'_>) -> bool) -> Result<Option<u64>, StoreError> {
        let mut reader = self.log.reader();
        for segment in self.log.segments().iter().rev() {
            let matches = |record: &MessageRecord<'_>| record.store_timestamp != 0 && matches(record);
            if let Found::Record(true, _) = self.record_at(&mut reader, segment.base(), matches)? {
                return Ok(Some(segment.base()));
            }
        }
        Ok(None)
    }

    fn cut_queues(&self, at: u64) -> Result<(), StoreError> {
        for queue in self.queues.all() {
            if queue.truncate(at as i64)? {
                // The cut itself must reach the disk, or an old unit could come back behind newer ones.
                self.queues.note_unsynced(&queue);
            }
        }
        Ok(())
    }

    /// Goes from record to record and appends what the queues lack. Stops at a gap unless `from_first`.
    fn scan(&self, from: u64, from_first: bool) -> Result<Scan, StoreError> {
        let mut scan = Scan { end: from, last: Progress::default(), at_damage: false, gap: false };
        let mut reader = self.log.reader();
        let reporter = Reporter::new(self.config, self.clock, RecoveryPhase::CommitLog);
        // The log's end is that of its last file; only what was not flushed yet is behind the flushed position.
        let flushed = self.checkpoint.values().flushed_position.and_then(|position| u64::try_from(position).ok());
        let until = flushed.filter(|flushed| *flushed > from).unwrap_or(self.log.end());
        let (mut tails_bytes, mut report_at) = (0, from);
        loop {
            if scan.end >= report_at {
                reporter.at(scan.end - from, until.max(scan.end) - from);
                report_at = scan.end + REPORT_BYTES;
            }
            if tails_bytes >= TAILS_LIMIT_BYTES {
                self.queues.write_tails()?;
                tails_bytes = 0;
            }
            let dispatch = |record: &MessageRecord<'_>| (self.dispatch(record, from_first), last_of(record));
            match self.record_at(&mut reader, scan.end, dispatch)? {
                Found::Record((dispatched, last), size) => {
                    match dispatched? {
                        Appended::Gap => {
                            scan.gap = true;
                            return Ok(scan);
                        }
                        Appended::Tail(_) => tails_bytes += UNIT_BYTES,
                        Appended::Repeat | Appended::Impossible => {}
                    }
                    scan.end += size;
                    scan.last = last;
                }
                Found::Blank => {
                    let next = scan.end - scan.end % self.log.segment_bytes() + self.log.segment_bytes();
                    if self.log.segment_at(next).is_none() {
                        // The blank is written again by the next append.
                        return Ok(scan);
                    }
                    scan.end = next;
                }
                Found::Nothing => {
                    scan.at_damage = self.log.segment_at(scan.end).is_some();
                    return Ok(scan);
                }
            }
        }
    }

    fn dispatch(&self, record: &MessageRecord<'_>, fill_gap: bool) -> Result<Appended, StoreError> {
        // Inner batches belong to queues of another kind.
        if !takes_slot(record.sys_flag) || record.sys_flag & sys_flag::INNER_BATCH != 0 {
            return Ok(Appended::Repeat);
        }
        if self.deleted_topics.covers(&record.topic, record.physical_offset) {
            return Ok(Appended::Repeat);
        }
        let appended = match self.queues.get(&record.topic, record.queue_id) {
            Ok(queue) => self.append(record, queue, record.queue_offset, fill_gap)?,
            // Such a record cannot have had a queue here.
            Err(StoreError::IllegalTopic { .. } | StoreError::BatchConsumeQueue { .. }) => Appended::Repeat,
            Err(error) => return Err(error),
        };
        for (name, offset) in light_queues(&record.topic, &record.properties) {
            // Only those that Apache's store made: a client may send these properties too.
            if let Some(queue) = self.queues.find(name, 0)
                && !self.deleted_topics.covers(name, record.physical_offset)
                && self.append(record, queue, offset, fill_gap)? == Appended::Gap
            {
                return Ok(Appended::Gap);
            }
        }
        Ok(appended)
    }

    fn append(
        &self,
        record: &MessageRecord<'_>,
        queue: Arc<Queue>,
        queue_offset: i64,
        fill_gap: bool,
    ) -> Result<Appended, StoreError> {
        let tags_code = TagsCode::of(&record.topic, &record.properties, &self.config.message_delay_levels);
        let arrival = Arrival {
            queue,
            queue_offset,
            tags_code: tags_code.stored_at(record.store_timestamp),
            physical_offset: record.physical_offset,
            size: i32::try_from(record.total_size).unwrap_or(i32::MAX),
            store_timestamp: record.store_timestamp,
        };
        let appended = arrival.queue.append(&arrival, fill_gap);
        if let Appended::Tail(bytes) = appended {
            self.queues.tail_grew(&arrival.queue, bytes);
            self.queues.writable()?;
        }
        Ok(appended)
    }

    /// Reads what stands at `at`; a record must be whole, of the right CRC, and know its own place. One that a torn write
    /// may have left is taken for damage, unless it is known to be on disk.
    fn record_at<T>(
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
        // By position, or after a clean stop, it is certain; by a timestamp that others share it is not.
        let is_certain = self.was_clean || self.checkpoint.values().flushed_position.is_some();
        let is_damage = looks_torn && !(is_on_disk && (is_certain || is_followed()?));
        Ok(if is_damage { Found::Nothing } else { Found::Record(value, size) })
    }

    fn whole_record_at<T>(
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
        let found = reader.with_bytes(at, size as usize, |bytes| match decode_record(bytes, true) {
            Ok((record, _)) if record.physical_offset == at as i64 && !record.topic.contains('\0') => {
                Found::Record(read(&record, bytes), size)
            }
            _ => Found::Nothing,
        })?;
        Ok(found.unwrap_or(Found::Nothing))
    }

    /// Fails if a whole record that was on disk follows the damage. What follows but is newer than the checkpoint was
    /// not synced yet: a power cut may well keep it and lose what is before it. What is older than the record before the
    /// damage was left behind by an earlier cut.
    fn refuse_to_cut(&self, scan: &Scan) -> Result<(), StoreError> {
        let acknowledged =
            |record: &MessageRecord<'_>| record.store_timestamp >= scan.last.store_timestamp && self.is_on_disk(record);
        let Some(record_at) = self.find_behind(scan.end, acknowledged)? else { return Ok(()) };
        let segment = self.log.segment_at(scan.end);
        Err(StoreError::DamagedLog {
            damaged_at: scan.end as i64,
            file: segment.as_ref().map(|segment| segment.path().to_owned()).unwrap_or_default(),
            file_offset: segment.map_or(0, |segment| scan.end - segment.base()),
            record_at: record_at as i64,
        })
    }

    /// Whether the checkpoint says that a record reached the disk.
    fn is_on_disk(&self, record: &MessageRecord<'_>) -> bool {
        let values = self.checkpoint.values();
        match values.flushed_position {
            Some(position) => record.physical_offset < position,
            // Of the records stored in the same millisecond as the last that was flushed, some may be later.
            None if self.was_clean => record.store_timestamp <= values.physic_msg_timestamp,
            None => record.store_timestamp < values.physic_msg_timestamp,
        }
    }

    /// Looks for a whole record behind `damage`: in the same file as far as two records of the largest size reach, and at
    /// the start of each later file.
    fn find_behind(
        &self,
        damage: u64,
        matches: impl Fn(&MessageRecord<'_>) -> bool,
    ) -> Result<Option<u64>, StoreError> {
        const MAGIC_PREFIX: [u8; 3] = [0xDA, 0xA3, 0x20];
        const CHUNK_BYTES: usize = 64 * 1024;
        let mut reader = self.log.reader();
        let segment_end = damage - damage % self.log.segment_bytes() + self.log.segment_bytes();
        let until = segment_end.min(damage + 2 * (self.config.max_message_bytes as u64 + 64 * 1024));
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

/// Whether the end of a record may never have reached the disk. The CRC covers the body only, and lengths give a loss
/// before the properties away; what is lost of the properties reads as zeros up to the end of a sector or the record.
fn looks_torn(record: &MessageRecord<'_>, bytes: &[u8]) -> bool {
    const SECTOR_BYTES: usize = 512;
    let topic_length_bytes = if record.magic == MAGIC_V1 { 1 } else { 2 };
    let before = record.body_offset + record.body.len() + topic_length_bytes + record.topic.len() + 2;
    let properties = bytes.get(before..).unwrap_or_default();
    let start = record.physical_offset as usize + before;
    let mut zeros = properties.iter().enumerate().filter(|(_, byte)| **byte == 0).map(|(index, _)| index + 1);
    zeros.any(|end| end == properties.len() || (start + end).is_multiple_of(SECTOR_BYTES))
}

fn last_of(record: &MessageRecord<'_>) -> Progress {
    Progress { physical_offset: record.physical_offset, store_timestamp: record.store_timestamp }
}

//! Brings log and queues to one state after a start: the log ends with its last whole record, the queues know exactly the
//! records of the log. (`CommitLog#recoverNormally`, `#recoverAbnormally`)
//!
//! After a clean stop of this store the scan starts with the last record that was dispatched, as the checkpoint tells, if
//! the queues are as many and as long as they were; after another's with the last file whose first record a queue knows, and
//! queues that are not there stay away, as their topics were deleted.
//! After an unclean one it starts at the checkpoint: units of older records are on disk; all newer ones are cut and made
//! again from the log, because the disk may hold any part of them.
//!
//! Damage before the start of the scan is not seen here, but by whoever reads it.

mod heads;
mod records;
mod scan;
mod units;

use std::sync::Arc;

use rocketmq_codec::message::MessageRecord;
use rocketmq_env::Clock;
use rocketmq_log::{LogError, SegmentedLog};

use crate::checkpoint::Checkpoint;
use crate::deletion::DeletedTopics;
use crate::dispatch::Progress;
use crate::queue::{Kept, Known, Queue};
use crate::queues::Queues;
use crate::recovery_progress::{RecoveryPhase, Reporter};
use crate::unit::Unit;
use crate::{StoreConfig, StoreError};

use records::Found;
pub(crate) use records::Records;
use scan::Scan;

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

/// Where the scan has to start.
#[derive(Debug, Clone, Copy)]
struct Start {
    from: u64,
    /// Apache's store dispatched every record up to here and was stopped cleanly: what has no queue had one, and its topic was
    /// deleted. -1 where that is not known.
    dispatched_to: i64,
}

impl Start {
    fn at(from: u64) -> Self {
        Self { from, dispatched_to: -1 }
    }
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
        let Start { mut from, dispatched_to } = self.recover_to_start(first)?;
        if lost {
            from = first;
        }
        self.deleted_topics.finish(self.queues)?;
        let mut scan = self.scan(from, from == first, dispatched_to)?;
        if scan.gap {
            // Some queue lost more than the checkpoint or the other queues tell: make all from the whole log.
            self.checkpoint.queues_lost()?;
            from = first;
            scan = self.scan(from, true, dispatched_to)?;
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
            Ok(())
        })?;
        Ok(Recovered { scanned_from: from, progress: scan.last })
    }

    fn records(&self) -> Records<'_> {
        Records {
            log: &*self.log,
            max_message_bytes: self.config.max_message_bytes,
            values: self.checkpoint.values(),
            was_clean: self.was_clean,
        }
    }

    /// Clears queues with a gap between their files or before them, whose units the log has; whether there are any. Those that
    /// can do without what is missing are left with what is behind the gap.
    fn close_gaps(&self, log_start: u64) -> Result<bool, StoreError> {
        let mut lost = self.lost_heads(log_start)?;
        for queue in self.queues.all() {
            if lost.iter().any(|lost| Arc::ptr_eq(lost, &queue)) {
                continue;
            }
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
    fn recover_to_start(&self, first: u64) -> Result<Start, StoreError> {
        if !self.was_clean {
            let start = self.unclean_start()?;
            self.recover_queues(start.map_or(Known::Nothing, |start| Known::Below(start as i64)))?;
            let start = start.unwrap_or(first);
            self.cut_queues(start)?;
            // A process that died while it recovered may have cut units, which the disk still has.
            self.queues.all().iter().for_each(|queue| self.queues.note_unsynced(queue));
            return Ok(Start::at(start));
        }
        if let Some(start) = self.closed_start()? {
            self.recover_queues(Known::Closed)?;
            if self.queues.totals() == self.checkpoint.values().closed_with {
                return Ok(Start::at(start));
            }
            // Which queue lost what is not known.
            self.checkpoint.queues_lost()?;
        }
        self.recover_queues(Known::Nothing)?;
        if self.checkpoint.values().logics_msg_timestamp <= 0 {
            return Ok(Start::at(first));
        }
        let dispatched_to = self.queues.all().iter().map(|queue| queue.max_physical_offset()).max().unwrap_or(-1);
        let from = self.last_file_where(|record| record.physical_offset <= dispatched_to)?.unwrap_or(first);
        Ok(Start { from, dispatched_to })
    }

    fn recover_queues(&self, known: Known) -> Result<(), StoreError> {
        let records = self.records();
        let reporter = Reporter::new(self.config, self.clock, RecoveryPhase::ConsumeQueues);
        let total = self.queues.all().len() as u64;
        self.queues.for_each(|queue, done| {
            reporter.at(done, total);
            let is_unit_of = |offset, unit: Unit| is_unit_of(&records, queue, offset, unit);
            Ok(queue.recover(known, self.log.end() as i64, is_unit_of)?)
        })
    }

    /// The last record that was dispatched before this store was closed. `None` if Apache's was the last.
    fn closed_start(&self) -> Result<Option<u64>, StoreError> {
        let (records, values) = (self.records(), self.checkpoint.values());
        if values.logics_physical_offset <= 0 || records.was_apache_last()? {
            return Ok(None);
        }
        let at = values.logics_physical_offset as u64;
        let found = records.record_at(&mut self.log.reader(), at, |record| records.is_on_disk(record))?;
        Ok(matches!(found, Found::Record(true, _)).then_some(at))
    }

    /// The checkpoint's record if the log is known to be on disk up to there, else the start of the last file that is older
    /// than the checkpoint.
    fn unclean_start(&self) -> Result<Option<u64>, StoreError> {
        let values = self.checkpoint.values();
        if values.logics_physical_offset > 0 {
            let at = values.logics_physical_offset as u64;
            let (records, mut reader) = (self.records(), self.log.reader());
            if let Found::Record(true, _) = records.record_at(&mut reader, at, |record| records.is_on_disk(record))? {
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
        let (records, mut reader) = (self.records(), self.log.reader());
        for segment in self.log.segments().iter().rev() {
            let matches = |record: &MessageRecord<'_>| record.store_timestamp != 0 && matches(record);
            if let Found::Record(true, _) = records.record_at(&mut reader, segment.base(), matches)? {
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

    /// Fails if a whole record that was on disk follows the damage. What follows but is newer than the checkpoint was
    /// not synced yet: a power cut may well keep it and lose what is before it. What is older than the record before the
    /// damage was left behind by an earlier cut.
    fn refuse_to_cut(&self, scan: &Scan) -> Result<(), StoreError> {
        let records = self.records();
        let acknowledged = |record: &MessageRecord<'_>| {
            record.store_timestamp >= scan.last.store_timestamp && records.is_on_disk(record)
        };
        let Some(record_at) = records.find_behind(scan.end, acknowledged)? else { return Ok(()) };
        let segment = self.log.segment_at(scan.end);
        Err(StoreError::DamagedLog {
            damaged_at: scan.end as i64,
            file: segment.as_ref().map(|segment| segment.path().to_owned()).unwrap_or_default(),
            file_offset: segment.map_or(0, |segment| scan.end - segment.base()),
            record_at: record_at as i64,
        })
    }
}

/// Whether the log has the record of a unit.
fn is_unit_of(records: &Records<'_>, queue: &Queue, offset: i64, unit: Unit) -> Result<bool, LogError> {
    let Ok(at) = u64::try_from(unit.physical_offset) else { return Ok(false) };
    let is_its = |record: &MessageRecord<'_>, _: &[u8]| {
        *record.topic == *queue.topic() && record.queue_id == queue.queue_id() && record.queue_offset == offset
    };
    Ok(matches!(records.whole_record_at(&mut records.log.reader(), at, is_its)?, Found::Record(true, _)))
}

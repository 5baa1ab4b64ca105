//! Whether all files of a stopped store are sound and fit together.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use rocketmq_codec::message::{MessageRecord, decode_record, sys_flag};
use rocketmq_env::{Fs, OverlayFs, SystemClock};
use rocketmq_log::{LogError, SegmentedLog};

use super::queue_units::QueueUnits;
use super::walk::{Found, walk};
use crate::batch::takes_slot;
use crate::checkpoint::Checkpoint;
use crate::deletion::DeletedTopics;
use crate::index::{IndexCheck, IndexFault};
use crate::light::light_queues;
use crate::queue::SMALLEST_RECORD_BYTES;
use crate::queue::ext::is_address;
use crate::read::record_at;
use crate::recover::Records;
use crate::store::Parts;
use crate::tags::TagsCode;
use crate::unit::Unit;
use crate::{StoreConfig, StoreError, error};

/// Faults that are kept; further ones are counted only.
const KEPT_FAULTS: usize = 10_000;

/// Something wrong at a place of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The file, or the directory it should be in.
    pub file: PathBuf,
    /// Byte of the file.
    pub offset: u64,
    /// What is wrong.
    pub what: String,
}

/// What [`verify`] found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// Whether the store was stopped cleanly. If not, the next start recovers it.
    pub was_clean: bool,
    /// Records in the commit log.
    pub records: u64,
    /// Bytes from the start of the commit log to the end of the last record.
    pub log_bytes: u64,
    /// Queues.
    pub queues: u64,
    /// Units in them that point to a record.
    pub units: u64,
    /// Items of the index files that name a key of the record they point to.
    pub index_items: u64,
    /// Messages that a query does not find by one of their keys, though older and newer ones are indexed: no fault, for
    /// indexing can be switched off.
    pub unindexed: u64,
    /// What is wrong: the first 10,000, files that cannot be segments before the others, those as the log comes to them, then
    /// what the log does not tell.
    pub faults: Vec<Fault>,
    /// How many faults there are.
    pub fault_count: u64,
    /// Places that an unclean stop left behind and the next start puts right; no faults. If that start would refuse the files,
    /// which is a fault, those that it would put right without.
    pub unfinished: u64,
}

/// Checks every record of the commit log (length, magic, CRC of the body, its own place), and every unit of the consume queues
/// and every item of the index against it. Writes nothing: what the next start would make of the files, or why it would refuse
/// them, is seen by recovering them in memory. `progress` is told how many bytes of how many are done.
///
/// # Errors
/// [`StoreError::Locked`] if a store is running on the directory, [`StoreError::Io`] and [`StoreError::Log`] if files cannot be
/// read. Damage is no error but in the report.
pub fn verify(
    config: &StoreConfig,
    fs: &Arc<dyn Fs>,
    progress: impl FnMut(u64, u64),
) -> Result<VerifyReport, StoreError> {
    let (log, faults, was_clean) = open(config, fs)?;
    let mut verifier = Verifier::new(config, fs, &log, was_clean)?;
    verifier.wrong_files(&faults);
    verifier.list_queues()?;
    let recovered = verifier.recover();
    verifier.run(progress)?;
    if let Err(error) = recovered {
        verifier.refused(&error);
    }
    Ok(verifier.report)
}

/// Checks the commit log alone and shows every record to `see`.
pub(super) fn verify_log(
    config: &StoreConfig,
    fs: &Arc<dyn Fs>,
    mut progress: impl FnMut(u64, u64),
    mut see: impl FnMut(&MessageRecord<'_>),
) -> Result<VerifyReport, StoreError> {
    let (log, faults, was_clean) = open(config, fs)?;
    let mut verifier = Verifier::new(config, fs, &log, was_clean)?;
    verifier.wrong_files(&faults);
    verifier.walk_log(&mut progress, |verifier, record| {
        verifier.report.records += 1;
        see(record);
        Ok(())
    })?;
    Ok(verifier.report)
}

/// The log, to be looked at only, which of its files are no segments, and whether the store was stopped cleanly.
fn open(config: &StoreConfig, fs: &Arc<dyn Fs>) -> Result<(SegmentedLog, Vec<LogError>, bool), StoreError> {
    let lock = config.root.join("lock");
    let fail = |path: PathBuf| move |source| StoreError::Io { op: "look for", path, source };
    if fs.is_locked(&lock).map_err(fail(lock))? {
        return Err(StoreError::Locked { root: config.root.clone() });
    }
    let log_dir = config.commit_log_dir.as_path();
    fs.read_dir(log_dir).map_err(|source| StoreError::Io { op: "read directory", path: log_dir.into(), source })?;
    let abort = config.root.join("abort");
    let was_clean = !fs.exists(&abort).map_err(fail(abort))?;
    let overlay: Arc<dyn Fs> = Arc::new(OverlayFs::new(Arc::clone(fs)));
    let log = SegmentedLog::open_sound(overlay, config.commit_log_dir.clone(), config.commit_log_segment_bytes);
    let (log, faults) = log?;
    Ok((log, faults, was_clean))
}

struct Verifier<'a> {
    fs: &'a Arc<dyn Fs>,
    config: &'a StoreConfig,
    log: &'a SegmentedLog,
    log_start: i64,
    queues: HashMap<String, HashMap<i32, QueueUnits>>,
    deleted_topics: DeletedTopics,
    /// Whether Apache's store was the last, and stopped cleanly: topics without queues were deleted then.
    apache_stopped: bool,
    /// What the next start makes of the files, after an unclean stop.
    recovered: Option<Arc<dyn Fs>>,
    report: VerifyReport,
}

impl<'a> Verifier<'a> {
    fn new(
        config: &'a StoreConfig,
        fs: &'a Arc<dyn Fs>,
        log: &'a SegmentedLog,
        was_clean: bool,
    ) -> Result<Self, StoreError> {
        let overlay = OverlayFs::new(Arc::clone(fs));
        let checkpoint = Checkpoint::open(&overlay, &config.root)?.values();
        let records = Records { log, max_message_bytes: config.max_message_bytes, values: checkpoint, was_clean };
        Ok(Self {
            fs,
            config,
            log,
            log_start: log.first_offset().unwrap_or(0) as i64,
            queues: HashMap::new(),
            deleted_topics: DeletedTopics::load(Arc::clone(fs), &config.root)?,
            apache_stopped: was_clean && checkpoint.logics_msg_timestamp > 0 && records.was_apache_last()?,
            recovered: None,
            report: VerifyReport { was_clean, ..VerifyReport::default() },
        })
    }

    fn run(&mut self, mut progress: impl FnMut(u64, u64)) -> Result<(), StoreError> {
        let overlay = OverlayFs::new(Arc::clone(self.fs));
        let checkpoint = Checkpoint::open(&overlay, &self.config.root)?.values();
        let was_clean = self.report.was_clean;
        let mut index = IndexCheck::open(&**self.fs, self.config, self.log_start, was_clean, checkpoint)?;
        self.note(&mut index);
        let end = self.walk_log(&mut progress, |verifier, record| {
            index.record(record)?;
            verifier.note(&mut index);
            verifier.record(record)
        })?;
        let mut queues: Vec<_> = std::mem::take(&mut self.queues).into_iter().collect();
        queues.sort_by(|(a, _), (b, _)| a.cmp(b));
        for (_, of_topic) in queues {
            for mut queue in of_topic.into_values() {
                self.rest_of(&mut queue, end as i64)?;
            }
        }
        index.finish()?;
        self.note(&mut index);
        (self.report.index_items, self.report.unindexed) = (index.items, index.unindexed);
        Ok(())
    }

    /// Does in memory what the next start does.
    fn recover(&mut self) -> Result<(), StoreError> {
        let overlay: Arc<dyn Fs> = Arc::new(OverlayFs::new(Arc::clone(self.fs)));
        let mut config = self.config.clone();
        config.check()?;
        Parts::recover(&config, &overlay, &SystemClock::new(), self.report.was_clean)?;
        self.recovered = Some(overlay).filter(|_| !self.report.was_clean);
        Ok(())
    }

    /// Takes over which files are no segments.
    fn wrong_files(&mut self, faults: &[LogError]) {
        for fault in faults {
            let (file, offset) = fault.place();
            self.fault(file.to_owned(), offset, fault.to_string());
        }
    }

    /// The next start refuses the files, for a reason that may be known already.
    fn refused(&mut self, error: &StoreError) {
        let (file, offset) = error.place(&self.config.root);
        if !self.report.faults.iter().any(|fault| fault.file == file) {
            self.fault(file.to_owned(), offset, format!("the next start refuses this: {}", error::chain(error)));
        }
    }

    /// Takes over what was found in the index.
    fn note(&mut self, index: &mut IndexCheck) {
        for IndexFault { file, offset, what, is_unfinished } in index.take_faults() {
            if is_unfinished {
                self.report.unfinished += 1;
            } else {
                self.fault(file, offset, what);
            }
        }
    }

    /// Goes through the log; returns the end of its last record.
    fn walk_log(
        &mut self,
        progress: &mut impl FnMut(u64, u64),
        mut see: impl FnMut(&mut Self, &MessageRecord<'_>) -> Result<(), StoreError>,
    ) -> Result<u64, StoreError> {
        let log = self.log;
        let total = log.end() - self.log_start as u64;
        let end = walk(
            log,
            |done| progress(done, total),
            |found| match found {
                Found::Record(record) => see(self, record),
                Found::Fault { at, what } => {
                    let named = self.config.commit_log_dir.join(format!("{at:020}"));
                    if log.segment_at(at).is_none() && self.report.faults.iter().any(|fault| fault.file == named) {
                        // It is there, but no segment.
                        return Ok(());
                    }
                    let (file, offset) = self.place(at);
                    self.fault(file, offset, what);
                    Ok(())
                }
                Found::Tail { at } => {
                    let (file, offset) = self.place(at);
                    let is_cut = !self.report.was_clean;
                    self.left_behind(is_cut, file, offset, "bytes behind the last record");
                    Ok(())
                }
            },
        )?;
        self.report.log_bytes = end.saturating_sub(self.log_start as u64);
        Ok(end)
    }

    fn list_queues(&mut self) -> Result<(), StoreError> {
        let directory = self.config.root.join("consumequeue");
        for (topic, path) in subdirectories(&**self.fs, &directory)? {
            for (number, path) in subdirectories(&**self.fs, &path)? {
                let Ok(queue_id) = number.parse::<i32>() else { continue };
                let (queue, faults) = QueueUnits::open(&**self.fs, path, self.config.consume_queue_segment_bytes)?;
                self.wrong_files(&faults);
                self.queues.entry(topic.clone()).or_default().insert(queue_id, queue);
                self.report.queues += 1;
            }
        }
        Ok(())
    }

    fn record(&mut self, record: &MessageRecord<'_>) -> Result<(), StoreError> {
        self.report.records += 1;
        // Inner batches belong to queues of another kind.
        if !takes_slot(record.sys_flag) || record.sys_flag & sys_flag::INNER_BATCH != 0 {
            return Ok(());
        }
        if self.deleted_topics.covers(&record.topic, record.physical_offset) {
            return Ok(());
        }
        if self.is_of_deleted_topic(record)? {
            return Ok(());
        }
        self.unit(record, &record.topic, record.queue_id, record.queue_offset)?;
        for (name, offset) in light_queues(&record.topic, &record.properties) {
            // As recovery does: only those that Apache's store made.
            let is_there = self.queues.get(name).is_some_and(|of_topic| of_topic.contains_key(&0));
            if is_there && !self.deleted_topics.covers(name, record.physical_offset) {
                self.unit(record, name, 0, offset)?;
            }
        }
        Ok(())
    }

    /// Whether a record belongs to a topic that Apache's broker deleted, which notes that nowhere: it has no queue, or lies
    /// before that of the topic's that was made anew.
    fn is_of_deleted_topic(&mut self, record: &MessageRecord<'_>) -> Result<bool, StoreError> {
        let found = self.queues.get_mut(&*record.topic).and_then(|of_topic| of_topic.get_mut(&record.queue_id));
        let Some(queue) = found else { return Ok(self.apache_stopped) };
        let first = queue.first();
        if queue.begins_at.is_none() {
            let begins_at = queue.at(&**self.fs, first)?.map_or(0, |unit| unit.physical_offset);
            let mut bytes = Vec::new();
            // A unit that is damaged points anywhere.
            let is_there = begins_at > record.physical_offset
                && record_at(self.log, begins_at, &mut bytes)?
                && decode_record(&bytes, false).is_ok_and(|(begin, _)| {
                    begin.topic == record.topic && begin.queue_id == record.queue_id && begin.queue_offset == first
                });
            queue.begins_at = Some(if is_there { begins_at } else { 0 });
        }
        Ok(record.queue_offset >= first && queue.begins_at.is_some_and(|at| record.physical_offset < at))
    }

    /// Compares a record with its unit in one of its queues.
    fn unit(
        &mut self,
        record: &MessageRecord<'_>,
        topic: &str,
        queue_id: i32,
        queue_offset: i64,
    ) -> Result<(), StoreError> {
        let found = self.queues.get_mut(topic).and_then(|of_topic| of_topic.remove(&queue_id));
        let mut queue = match found {
            Some(queue) => queue,
            None => {
                let directory = self.config.root.join("consumequeue").join(topic);
                let directory = directory.join(queue_id.to_string());
                QueueUnits::missing(directory, self.config.consume_queue_segment_bytes)
            }
        };
        let mut outcome = Ok(());
        let index = self.index_of(&mut queue, record.physical_offset, queue_offset)?;
        if index != Some(queue_offset) {
            let (file, offset) = self.place(record.physical_offset as u64);
            let why = match index {
                Some(index) => format!("cannot be: its unit is number {index}"),
                None if queue_offset < queue.next => "was given before".to_owned(),
                None => format!("cannot be: the record before has {}", queue.next - 1),
            };
            self.fault(file, offset, format!("queue offset {queue_offset} of {topic}/{queue_id} {why}"));
        }
        if let Some(index) = index {
            outcome = self.compare(&mut queue, record, index);
            (queue.next, queue.physical_offset) = (index + 1, record.physical_offset);
        }
        match self.queues.get_mut(topic) {
            Some(of_topic) => drop(of_topic.insert(queue_id, queue)),
            None => drop(self.queues.entry(topic.to_owned()).or_default().insert(queue_id, queue)),
        }
        outcome
    }

    /// Number of the unit of a record that says its queue offset; `None` if it cannot be. No checksum covers that field: where it
    /// does not follow on, a unit that points to the record is believed.
    fn index_of(
        &self,
        queue: &mut QueueUnits,
        physical_offset: i64,
        queue_offset: i64,
    ) -> Result<Option<i64>, StoreError> {
        if queue_offset == queue.next {
            return Ok(Some(queue_offset));
        }
        if let Some(index) = queue.find(&**self.fs, physical_offset)? {
            return Ok(Some(index));
        }
        let missing = queue_offset - queue.next;
        let room = (physical_offset - queue.physical_offset) / SMALLEST_RECORD_BYTES;
        Ok((0..=room).contains(&missing).then_some(queue_offset))
    }

    fn compare(&mut self, queue: &mut QueueUnits, record: &MessageRecord<'_>, index: i64) -> Result<(), StoreError> {
        self.without_record(queue, index)?;
        let size = i32::try_from(record.total_size).unwrap_or(i32::MAX);
        let tags = TagsCode::of(&record.topic, &record.properties, &self.config.message_delay_levels);
        let tags_code = tags.stored_at(record.store_timestamp);
        let is_its = |unit: Unit| {
            let is_place = unit.physical_offset == record.physical_offset && unit.size == size;
            is_place && (unit.tags_code == tags_code || is_address(unit.tags_code))
        };
        let unit = queue.at(&**self.fs, index)?;
        if unit.is_some_and(is_its) {
            self.report.units += 1;
            return Ok(());
        }
        let is_put_right = self.is_put_right(queue, index, |unit| unit.is_some_and(is_its))?;
        let Some(unit) = unit else {
            let (file, offset) = queue.place(index);
            let what = format!("no unit for the record at {}", record.physical_offset);
            self.left_behind(is_put_right, file, offset, &what);
            return Ok(());
        };
        if is_put_right {
            self.report.unfinished += 1;
            return Ok(());
        }
        let Unit { physical_offset, size: have, tags_code: tags } = unit;
        let what = format!(
            "unit {index} is ({physical_offset}, {have} bytes, tags {tags}), the record is ({}, {size} bytes, tags {tags_code})",
            record.physical_offset
        );
        let (file, offset) = queue.place(index);
        self.fault(file, offset, what);
        Ok(())
    }

    /// Units before `until` that no record was found for: right only if they are older than the log.
    fn without_record(&mut self, queue: &mut QueueUnits, until: i64) -> Result<(), StoreError> {
        while queue.next < until {
            if queue.next < queue.first() {
                queue.next = queue.first().min(until);
            } else if let Some(unit) = queue.at(&**self.fs, queue.next)? {
                queue.next += 1;
                self.points_nowhere(queue, queue.next - 1, unit, i64::MAX)?;
            } else {
                // A hole that the next unit tells of.
                queue.next = until;
            }
        }
        Ok(())
    }

    /// A unit without a record: right only if it is older than the log.
    fn points_nowhere(
        &mut self,
        queue: &mut QueueUnits,
        index: i64,
        unit: Unit,
        log_end: i64,
    ) -> Result<(), StoreError> {
        if unit == Unit::BLANK || unit.physical_offset < self.log_start {
            return Ok(());
        }
        let (file, offset) = queue.place(index);
        let what = format!("unit {index} points to {}, where no such record is", unit.physical_offset);
        if self.is_put_right(queue, index, |recovered| recovered != Some(unit))? {
            self.report.unfinished += 1;
        } else if unit.physical_offset >= log_end {
            self.left_behind(false, file, offset, &what);
        } else {
            self.fault(file, offset, what);
        }
        Ok(())
    }

    /// Whether the next start leaves something right in the place of a unit.
    fn is_put_right(
        &self,
        queue: &mut QueueUnits,
        index: i64,
        is_right: impl FnOnce(Option<Unit>) -> bool,
    ) -> Result<bool, StoreError> {
        let Some(fs) = &self.recovered else { return Ok(false) };
        Ok(is_right(queue.recovered(&**fs)?.at(&**fs, index)?))
    }

    /// What a queue has behind its last record.
    fn rest_of(&mut self, queue: &mut QueueUnits, log_end: i64) -> Result<(), StoreError> {
        queue.next = queue.next.max(queue.first());
        while let Some(unit) = queue.at(&**self.fs, queue.next)? {
            queue.next += 1;
            self.points_nowhere(queue, queue.next - 1, unit, log_end)?;
        }
        let next = queue.next;
        if let Some((file, offset)) = queue.first_byte_set(&**self.fs, next)? {
            let is_cut = match &self.recovered {
                Some(fs) => queue.recovered(&**fs)?.first_byte_set(&**fs, next)?.is_none(),
                None => false,
            };
            self.left_behind(is_cut, file, offset, "bytes behind the last unit");
        }
        Ok(())
    }

    fn place(&self, at: u64) -> (PathBuf, u64) {
        match self.log.segment_at(at) {
            Some(segment) => (segment.path().to_owned(), at - segment.base()),
            None => (self.config.commit_log_dir.clone(), at),
        }
    }

    /// A fault, unless the store was not stopped cleanly and recovery, if it is not refused, takes care of it.
    fn left_behind(&mut self, is_put_right: bool, file: PathBuf, offset: u64, what: &str) {
        let is_refused = !self.report.was_clean && self.recovered.is_none();
        if is_put_right || is_refused {
            self.report.unfinished += 1;
        } else {
            self.fault(file, offset, what.to_owned());
        }
    }

    fn fault(&mut self, file: PathBuf, offset: u64, what: String) {
        self.report.fault_count += 1;
        if self.report.faults.len() < KEPT_FAULTS {
            self.report.faults.push(Fault { file, offset, what });
        }
    }
}

fn subdirectories(fs: &dyn Fs, directory: &std::path::Path) -> Result<Vec<(String, PathBuf)>, StoreError> {
    let fail = |source| StoreError::Io { op: "read directory", path: directory.to_owned(), source };
    if !fs.exists(directory).map_err(fail)? {
        return Ok(Vec::new());
    }
    let entries = fs.read_dir(directory).map_err(fail)?.into_iter().filter(|entry| entry.is_dir);
    Ok(entries.filter_map(|entry| Some((entry.name.to_str()?.to_owned(), directory.join(&entry.name)))).collect())
}

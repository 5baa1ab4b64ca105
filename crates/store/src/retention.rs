//! What is deleted when: commit log files by age, by room on the disk and by their sum; then the consume queue files that
//! point to them. (`DefaultMessageStore.CleanCommitLogService`, `ConsumeQueueStore.CleanConsumeQueueService`)
//!
//! Runs on the housekeeping thread in small steps, so that its other work goes on in between.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::background::Background;
use crate::disk::DiskUsage;
use crate::queue::Queue;
use crate::{RetentionConfig, StoreError, error};

/// From the start of the store to the first deletion (`DefaultMessageStore#addScheduleTask`).
const FIRST_ROUND_AFTER: Duration = Duration::from_secs(60);

/// How many rounds a deletion on demand takes (`MAX_MANUAL_DELETE_FILE_TIMES`).
pub(crate) const MANUAL_ROUNDS: u32 = 20;

/// Queues looked at in one step.
const QUEUES_PER_STEP: usize = 256;

const HOUR_MS: i64 = 3_600_000;

/// Where the work stands.
#[derive(Debug)]
pub(crate) struct Retention {
    first_round_at: Duration,
    next_round_at: Duration,
    round: Option<Round>,
    /// Start of the commit log up to which the queues were cleaned.
    cleaned_to: i64,
    /// What went wrong first in this round.
    failure: Option<String>,
}

/// One look at everything.
#[derive(Debug)]
struct Round {
    next_step_at: Duration,
    work: Work,
}

#[derive(Debug)]
enum Work {
    /// Commit log files first.
    Log {
        /// Whether those that expired go.
        expired: bool,
        /// How many may still go because of age or use of the disk.
        files_left: usize,
    },
    /// Then what pointed to them.
    Queues { left: Vec<Arc<Queue>>, log_start: i64 },
}

impl Retention {
    /// Deletes nothing before a minute has passed.
    pub(crate) fn new(now: Duration) -> Self {
        Self { first_round_at: now + FIRST_ROUND_AFTER, next_round_at: now, round: None, cleaned_to: 0, failure: None }
    }

    /// When there is something to do, on the clock's uptime.
    pub(crate) fn due(&self) -> Duration {
        self.round.as_ref().map_or(self.next_round_at, |round| round.next_step_at)
    }

    /// Does what is due at `now`.
    pub(crate) fn step(&mut self, store: &Background, now: Duration) {
        if now < self.due() {
            return;
        }
        let outcome = match self.round.take() {
            None => self.begin(store, now),
            Some(Round { work: Work::Log { expired, files_left }, .. }) => {
                self.delete_from_log(store, now, expired, files_left)
            }
            Some(Round { work: Work::Queues { left, log_start }, .. }) => self.clean_queues(now, left, log_start),
        };
        if let Err(error) = outcome {
            self.failure.get_or_insert(error::chain(&error));
        }
        if self.round.is_none() {
            store.disk.note_cleaning(self.failure.take());
        }
    }

    fn begin(&mut self, store: &Background, now: Duration) -> Result<(), StoreError> {
        let config = &store.retention;
        self.next_round_at = now + config.clean_resource_interval.max(Duration::from_millis(1));
        if store.control.keeps_files.load(Ordering::Acquire) {
            return Ok(());
        }
        let usage = store.disk.check()?;
        if now < self.first_round_at {
            self.next_round_at = self.next_round_at.min(self.first_round_at);
            return Ok(());
        }
        let manual = &store.control.manual_rounds;
        let is_manual = manual.fetch_update(Ordering::AcqRel, Ordering::Acquire, |left| left.checked_sub(1)).is_ok();
        let max_used = u32::from(config.disk_max_used_space_ratio.clamp(10, 95));
        let expired = is_manual || usage.percent() > max_used || is_hour_of(config, store);
        self.delete_from_log(store, now, expired, config.delete_file_batch_max)
    }

    /// Deletes one file, if one is to go, and comes back for the next.
    fn delete_from_log(
        &mut self,
        store: &Background,
        now: Duration,
        expired: bool,
        files_left: usize,
    ) -> Result<(), StoreError> {
        let usage = store.disk.check()?;
        let Some(reason) = reason_to_delete_first(store, &usage, expired, files_left)? else {
            return self.begin_queues(store, now);
        };
        let segment_bytes = store.log.segment_bytes();
        let end = store.log.first_offset().unwrap_or_default() + segment_bytes;
        if end > store.safe_log_start() {
            store.sync_queues()?;
        }
        if end > store.safe_log_start() {
            // What the next start needs is not on disk yet: next time.
            return self.begin_queues(store, now);
        }
        if let Err(error) = store.log.remove_before(end) {
            self.failure = Some(error::chain(&error));
            // What is gone already is to be seen in the queues all the same.
            return self.begin_queues(store, now);
        }
        let files_left = if reason == Reason::Bytes { files_left } else { files_left.saturating_sub(1) };
        let next_step_at = now + store.retention.delete_commit_log_files_interval;
        self.round = Some(Round { next_step_at, work: Work::Log { expired, files_left } });
        Ok(())
    }

    fn begin_queues(&mut self, store: &Background, now: Duration) -> Result<(), StoreError> {
        let log_start = store.log.first_offset().unwrap_or_default() as i64;
        if log_start <= self.cleaned_to {
            return Ok(());
        }
        if let Err(error) = store.index.remove_before(log_start) {
            self.failure.get_or_insert(error::chain(&error));
        }
        self.clean_queues(now, store.queues.all(), log_start)
    }

    fn clean_queues(&mut self, now: Duration, mut left: Vec<Arc<Queue>>, log_start: i64) -> Result<(), StoreError> {
        for queue in left.drain(left.len().saturating_sub(QUEUES_PER_STEP)..) {
            queue.remove_expired(log_start)?;
        }
        if left.is_empty() {
            self.cleaned_to = log_start;
        } else {
            self.round = Some(Round { next_step_at: now, work: Work::Queues { left, log_start } });
        }
        Ok(())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reason {
    /// `min_free_bytes` or `max_log_bytes`: as many files as it takes.
    Bytes,
    /// Age or use of the disk: at most `delete_file_batch_max` at a time.
    AgeOrUse,
}

/// Why the first file of the log is to go, if it is.
fn reason_to_delete_first(
    store: &Background,
    usage: &DiskUsage,
    expired: bool,
    files_left: usize,
) -> Result<Option<Reason>, StoreError> {
    let config = &store.retention;
    let segments = store.log.segments();
    let [first, _, ..] = segments.as_slice() else { return Ok(None) };
    let log_bytes = segments.len() as u64 * store.log.segment_bytes();
    let is_too_large = config.max_log_bytes.is_some_and(|max| log_bytes > max);
    if is_too_large || config.min_free_bytes.is_some_and(|min| usage.available_bytes < min) {
        return Ok(Some(Reason::Bytes));
    } else if files_left == 0 {
        return Ok(None);
    } else if config.clean_file_forcibly_enable && store.disk.is_to_clean_forcibly(usage) {
        return Ok(Some(Reason::AgeOrUse));
    } else if !expired {
        return Ok(None);
    }
    let modified_ms = store.disk.modified_ms(first.path())?;
    let reserved_ms = i64::try_from(config.file_reserved_time.as_millis()).unwrap_or(i64::MAX);
    let is_old = store.clock.now_ms() >= modified_ms.saturating_add(reserved_ms);
    Ok(is_old.then_some(Reason::AgeOrUse))
}

/// Whether it is one of the hours of `delete_when` in local time. (`UtilAll#isItTimeToDo`)
fn is_hour_of(config: &RetentionConfig, store: &Background) -> bool {
    let now_ms = store.clock.now_ms();
    let local_ms = now_ms.saturating_add(store.clock.utc_offset_ms(now_ms));
    let hour = local_ms.rem_euclid(24 * HOUR_MS) / HOUR_MS;
    config.delete_when.iter().any(|when| i64::from(*when) == hour)
}

impl Background {
    /// The log may start here at the latest, so that a power cut leaves a file with a record at its start, and units of all
    /// records before: then no offset is given out twice.
    fn safe_log_start(&self) -> u64 {
        let segment_bytes = self.log.segment_bytes();
        let start_of_file = |offset: u64| offset - offset % segment_bytes;
        let last_with_unit = u64::try_from(self.checkpoint.values().logics_physical_offset).unwrap_or(0);
        start_of_file(self.flusher.flushed().saturating_sub(1)).min(start_of_file(last_with_unit))
    }
}

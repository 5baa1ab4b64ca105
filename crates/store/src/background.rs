//! The store's housekeeping thread: writes consume queue tails, has queues synced, syncs the checkpoint.
//! (`FlushConsumeQueueService`)

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use rocketmq_env::{Clock, Parker};
use rocketmq_log::{Flusher, SegmentedLog};

use crate::checkpoint::Checkpoint;
use crate::commit_log::MAPPED_READ_BYTES;
use crate::disk::Disk;
use crate::dispatch::Dispatcher;
use crate::index::Index;
use crate::queue_syncer::QueueSyncer;
use crate::queues::Queues;
use crate::retention::Retention;
use crate::{RetentionConfig, StoreError};

/// How long a flush of the commit log may take before the queues are synced without it.
const LOG_FLUSH_TIMEOUT: Duration = Duration::from_secs(30);

/// What the thread works on.
#[derive(Debug)]
pub(crate) struct Background {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) log: Arc<SegmentedLog>,
    pub(crate) flusher: Arc<Flusher>,
    pub(crate) queues: Arc<Queues>,
    pub(crate) dispatcher: Arc<Dispatcher>,
    pub(crate) checkpoint: Arc<Checkpoint>,
    pub(crate) syncer: QueueSyncer,
    pub(crate) interval: Duration,
    pub(crate) thorough_interval: Duration,
    pub(crate) retention: RetentionConfig,
    pub(crate) disk: Disk,
    pub(crate) index: Arc<Index>,
    pub(crate) control: Arc<Control>,
}

/// What others tell the thread, and it them.
#[derive(Debug, Default)]
pub(crate) struct Control {
    pub(crate) stopping: AtomicBool,
    /// The store was opened to be read: no file is deleted, not even from the view of it.
    pub(crate) keeps_files: AtomicBool,
    /// How many rounds more delete expired files at any hour.
    pub(crate) manual_rounds: AtomicU32,
    /// The checkpoint could not be written or synced: the next start must not trust it.
    failure: Mutex<Option<String>>,
}

impl Control {
    /// Keeps the first failure.
    pub(crate) fn note_failure(&self, outcome: Result<(), StoreError>) {
        if let Err(error) = outcome {
            self.failure.lock().get_or_insert(crate::error::chain(&error));
        }
    }

    /// Why the next start must recover from the log, if it must.
    pub(crate) fn failure(&self) -> Option<String> {
        self.failure.lock().clone()
    }
}

impl Background {
    pub(crate) fn run(&self, parker: &Parker) {
        let mut thorough_at = self.clock.uptime() + self.thorough_interval;
        let mut thorough_end = self.log.end();
        let mut retention = Retention::new(self.clock.uptime());
        let mut written_to = None;
        while !self.control.stopping.load(Ordering::Acquire) {
            parker.park_for(self.interval.min(retention.due().saturating_sub(self.clock.uptime())));
            self.log.release_maps(MAPPED_READ_BYTES);
            self.dispatcher.catch_up();
            // Failures of writes are kept by the queues, refuse puts, and are retried here.
            let written = self.queues.write_tails_if_worth_it();
            let now = self.clock.uptime();
            // By amount as well as by time: that bounds what the next start has to scan.
            let is_due = now >= thorough_at || self.log.end() - thorough_end >= self.log.segment_bytes();
            if written.is_ok() && is_due && written_to.is_none() && !self.syncer.is_busy() {
                thorough_at = now + self.thorough_interval;
                thorough_end = self.log.end();
                let progress = self.dispatcher.progress();
                // What could not be written is tried again.
                written_to = self.queues.write_tails().is_ok().then(|| (self.log.end(), progress));
            }
            self.control.note_failure(self.checkpoint.sync());
            retention.step(self, self.clock.uptime());
            // Last before this one sleeps, so that one thread works at a time where time is virtual.
            if retention.due() <= self.clock.uptime() || self.control.stopping.load(Ordering::Acquire) {
                continue;
            }
            if let Some((log_end, progress)) = written_to.take() {
                self.syncer.sync_behind(&self.flusher, log_end, progress);
            } else if self.queues.has_full() {
                self.syncer.wake();
            }
        }
    }

    /// Makes all units of what is dispatched now durable, after the records they point to, and says so in the checkpoint.
    pub(crate) fn sync_queues(&self) -> Result<(), StoreError> {
        let progress = self.dispatcher.progress();
        self.queues.write_tails()?;
        if self.flusher.wait_flushed(self.log.end(), LOG_FLUSH_TIMEOUT).is_err() {
            // A slow disk: next time. A failed flush poisons the store itself.
            return Ok(());
        }
        self.syncer.sync(progress)
    }
}

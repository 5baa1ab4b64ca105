//! A thread that makes the consume queues durable, so that the one that writes their tails does not wait for the disk: a tail in
//! memory grows until it is written.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use rocketmq_env::Clock;
use rocketmq_log::Flusher;

use crate::StoreError;
use crate::checkpoint::Checkpoint;
use crate::dispatch::Progress;
use crate::queues::Queues;
use crate::worker::Worker;

/// The thread and what it is asked for.
#[derive(Debug)]
pub(crate) struct QueueSyncer {
    shared: Arc<Shared>,
    worker: Worker,
}

#[derive(Debug)]
struct Shared {
    queues: Arc<Queues>,
    checkpoint: Arc<Checkpoint>,
    /// All units up to here are in the files, and their records on disk.
    written: Mutex<Option<Progress>>,
    /// Whether a sync of all was asked for that has not ended.
    is_asked: AtomicBool,
}

impl QueueSyncer {
    pub(crate) fn start(clock: &Arc<dyn Clock>, queues: &Arc<Queues>, checkpoint: &Arc<Checkpoint>) -> Self {
        let shared = Arc::new(Shared {
            queues: Arc::clone(queues),
            checkpoint: Arc::clone(checkpoint),
            written: Mutex::new(None),
            is_asked: AtomicBool::new(false),
        });
        let worker = Worker::start(clock, {
            let shared = Arc::clone(&shared);
            move |parker| {
                // A failure is kept by the queues: from then on the checkpoint stays where it is.
                let _ = shared.queues.sync_full();
                let written = shared.written.lock().take();
                match written {
                    Some(progress) => {
                        let _ = shared.sync(progress);
                        shared.is_asked.store(false, Ordering::Release);
                    }
                    None => parker.park(),
                }
            }
        });
        Self { shared, worker }
    }

    /// Has it sync the queues with files that are full.
    pub(crate) fn wake(&self) {
        self.worker.wake();
    }

    /// Whether a sync of all is under way.
    pub(crate) fn is_busy(&self) -> bool {
        self.shared.is_asked.load(Ordering::Acquire)
    }

    /// Has all queues synced, and the checkpoint told, once the log is on disk up to `log_end`: their files have the units up to
    /// `progress`, whose records lie before that.
    pub(crate) fn sync_behind(&self, flusher: &Flusher, log_end: u64, progress: Progress) {
        self.shared.is_asked.store(true, Ordering::Release);
        let (shared, worker) = (Arc::clone(&self.shared), self.worker.unparker());
        let when_flushed = move |outcome: Result<(), _>| {
            if outcome.is_ok() {
                *shared.written.lock() = Some(progress);
                worker.unpark();
            } else {
                // A failed flush poisons the store itself.
                shared.is_asked.store(false, Ordering::Release);
            }
        };
        flusher.when_flushed(log_end, Box::new(when_flushed));
    }

    /// Syncs all queues at once, on this thread, and tells the checkpoint: see [`sync_behind`](QueueSyncer::sync_behind).
    pub(crate) fn sync(&self, progress: Progress) -> Result<(), StoreError> {
        self.shared.sync(progress)
    }

    /// Ends the thread.
    pub(crate) fn stop(&self) {
        self.worker.stop();
    }
}

impl Shared {
    fn sync(&self, progress: Progress) -> Result<(), StoreError> {
        self.queues.sync()?;
        if self.queues.sync_failure().is_some() {
            return Ok(());
        }
        self.checkpoint.queues_flushed(progress.store_timestamp, progress.physical_offset)
    }
}

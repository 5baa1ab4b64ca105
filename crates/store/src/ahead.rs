//! Threads that get the commit log's space ready before it is needed, so that appends do not wait for the file system.
//! (`AllocateMappedFileService`)

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use rocketmq_env::Clock;
use rocketmq_log::SegmentedLog;

use crate::worker::Worker;

/// The log is looked after each time it has grown by this much, a fraction of what is reserved, or by a quarter of a file.
const STEP_BYTES: u64 = 1024 * 1024;

/// The next file is looked after so often while one is filled, for the first time when such a part of it is full.
const FILE_STEPS: u64 = 8;

/// A file that could not be made is tried again after so long.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// The threads and what wakes them.
#[derive(Debug)]
pub(crate) struct Ahead {
    segment_bytes: u64,
    step_bytes: u64,
    /// End of the log at which to wake somebody next.
    next: AtomicU64,
    /// End of the log behind which the next file is looked after again.
    file_wanted_at: AtomicU64,
    /// Reserves space, and writes zeros to it.
    space: Worker,
    /// Makes the next file and reserves its space, which takes a second where the disk is busy.
    file: Worker,
}

impl Ahead {
    /// Starts them for `log`.
    pub(crate) fn start(log: &Arc<SegmentedLog>, clock: &Arc<dyn Clock>) -> Self {
        let segment_bytes = log.segment_bytes();
        let step_bytes = STEP_BYTES.min(segment_bytes / 4);
        let space = Worker::start(clock, {
            let log = Arc::clone(log);
            move |parker| {
                // What fails the append tries again, and tells whoever puts.
                if log.reserve_ahead().is_ok_and(|more| more) {
                    // Where it keeps others from the processor they stand still for as long as that takes.
                    thread::yield_now();
                } else {
                    parker.park();
                }
            }
        });
        let file = Worker::start(clock, {
            let log = Arc::clone(log);
            move |parker| {
                if log.prepare_spare().and_then(|()| log.reserve_spare()).is_ok() {
                    parker.park();
                } else {
                    parker.park_for(RETRY_INTERVAL);
                }
            }
        });
        let (next, file_wanted_at) = (AtomicU64::new(step_bytes), AtomicU64::new(0));
        Self { segment_bytes, step_bytes, next, file_wanted_at, space, file }
    }

    /// The log ends at `end` now.
    pub(crate) fn grown_to(&self, end: u64) {
        // A put as a rule ends here, without a division.
        if end < self.next.load(Ordering::Relaxed) {
            return;
        }
        // Not at the end of the file, for that may be near when the disk is busy.
        let is_begun = end % self.segment_bytes >= self.segment_bytes / FILE_STEPS;
        let file_step = end.next_multiple_of((self.segment_bytes / FILE_STEPS).max(1));
        if is_begun && self.file_wanted_at.fetch_max(file_step, Ordering::Relaxed) < file_step {
            // The next put wakes the other: one thread at a time.
            return self.file.wake();
        }
        let next = end - end % self.step_bytes + self.step_bytes;
        if self.next.fetch_max(next, Ordering::Relaxed) < next {
            self.space.wake();
        }
    }

    /// Ends the threads.
    pub(crate) fn stop(&self) {
        self.space.stop();
        self.file.stop();
    }
}

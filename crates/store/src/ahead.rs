//! Threads that get the commit log's space ready before it is needed, so that appends do not wait for the file system.
//! (`AllocateMappedFileService`)

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use parking_lot::Mutex;
use rocketmq_env::{Clock, Parker, Unparker};
use rocketmq_log::SegmentedLog;

/// The log is looked after each time it has grown by this much, a fraction of what is reserved, or by a quarter of a file.
const STEP_BYTES: u64 = 1024 * 1024;

/// A file that could not be made is tried again after so long.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// The threads and what wakes them.
#[derive(Debug)]
pub(crate) struct Ahead {
    segment_bytes: u64,
    step_bytes: u64,
    /// End of the log at which to wake somebody next.
    next: AtomicU64,
    /// The end of the file behind which a next one was asked for last.
    file_wanted_at: AtomicU64,
    /// Reserves space, and writes zeros to it.
    space: Worker,
    /// Makes the next file, which takes a second where the disk is busy.
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
                if log.prepare_spare().is_ok() {
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
        let file_end = end.next_multiple_of(self.segment_bytes);
        let is_begun = end + self.segment_bytes - self.segment_bytes / 8 >= file_end;
        if is_begun && self.file_wanted_at.fetch_max(file_end, Ordering::Relaxed) < file_end {
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

/// A thread that sleeps until there is something to do.
#[derive(Debug)]
struct Worker {
    stopping: Arc<AtomicBool>,
    unparker: Unparker,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Worker {
    /// Once it is woken the thread calls `work` again and again, which parks when nothing is left.
    fn start(clock: &Arc<dyn Clock>, work: impl Fn(&Parker) + Send + 'static) -> Self {
        let stopping = Arc::new(AtomicBool::new(false));
        let parker = Parker::new(clock);
        let unparker = parker.unparker();
        let thread = thread::spawn({
            let stopping = Arc::clone(&stopping);
            move || {
                parker.park();
                while !stopping.load(Ordering::Acquire) {
                    work(&parker);
                }
            }
        });
        Self { stopping, unparker, thread: Mutex::new(Some(thread)) }
    }

    fn wake(&self) {
        self.unparker.unpark();
    }

    fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        self.unparker.unpark();
        let thread = self.thread.lock().take();
        if let Some(thread) = thread {
            // It has nothing to say: a panic there leaves the work to the appends.
            let _ = thread.join();
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.stop();
    }
}

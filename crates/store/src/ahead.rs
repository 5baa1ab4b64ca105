//! A thread that reserves space in the commit log before it is needed, so that appends do not wait for the file system.
//! (`AllocateMappedFileService`)

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};

use parking_lot::Mutex;
use rocketmq_env::{Clock, Parker, Unparker};
use rocketmq_log::SegmentedLog;

/// The thread looks after the log each time it has grown by this much, a fraction of what it reserves, or by a quarter of a
/// file.
const STEP_BYTES: u64 = 1024 * 1024;

/// The thread and what wakes it.
#[derive(Debug)]
pub(crate) struct Ahead {
    step_bytes: u64,
    /// End of the log at which to wake it next.
    next: AtomicU64,
    stopping: Arc<AtomicBool>,
    unparker: Unparker,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Ahead {
    /// Starts it for `log`.
    pub(crate) fn start(log: Arc<SegmentedLog>, clock: &Arc<dyn Clock>) -> Self {
        let stopping = Arc::new(AtomicBool::new(false));
        let step_bytes = STEP_BYTES.min(log.segment_bytes() / 4);
        let parker = Parker::new(clock);
        let unparker = parker.unparker();
        let thread = thread::spawn({
            let stopping = Arc::clone(&stopping);
            move || {
                parker.park();
                while !stopping.load(Ordering::Acquire) {
                    // What fails the append tries again, and tells whoever puts.
                    if log.reserve_ahead().is_ok_and(|more| more) {
                        // Where it keeps others from the processor they stand still for as long as that takes.
                        thread::yield_now();
                    } else {
                        parker.park();
                    }
                }
            }
        });
        Self { step_bytes, next: AtomicU64::new(step_bytes), stopping, unparker, thread: Mutex::new(Some(thread)) }
    }

    /// The log ends at `end` now.
    pub(crate) fn grown_to(&self, end: u64) {
        // A put as a rule ends here, without a division.
        if end < self.next.load(Ordering::Relaxed) {
            return;
        }
        let next = end - end % self.step_bytes + self.step_bytes;
        if self.next.fetch_max(next, Ordering::Relaxed) < next {
            self.unparker.unpark();
        }
    }

    /// Ends the thread.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        self.unparker.unpark();
        let thread = self.thread.lock().take();
        if let Some(thread) = thread {
            // It has nothing to say: a panic there leaves the reserving to the appends.
            let _ = thread.join();
        }
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.stop();
    }
}

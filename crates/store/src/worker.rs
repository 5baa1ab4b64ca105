//! A thread of the store that works when it is woken.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use parking_lot::Mutex;
use rocketmq_env::{Clock, Parker, Unparker};

/// A thread that sleeps until there is something to do.
#[derive(Debug)]
pub(crate) struct Worker {
    stopping: Arc<AtomicBool>,
    unparker: Unparker,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Worker {
    /// Once it is woken the thread calls `work` again and again, which parks when nothing is left.
    pub(crate) fn start(clock: &Arc<dyn Clock>, work: impl Fn(&Parker) + Send + 'static) -> Self {
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

    /// What wakes it, for others.
    pub(crate) fn unparker(&self) -> Unparker {
        self.unparker.clone()
    }

    /// Has it work.
    pub(crate) fn wake(&self) {
        self.unparker.unpark();
    }

    /// Ends it once it has done what it is at. Idempotent.
    pub(crate) fn stop(&self) {
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

//! From the commit log to the consume queues, without a thread of its own.
//!
//! Appends leave what they stored in a list. Whoever appended then tries to become the dispatcher; if somebody else is, that
//! one picks the list up before it stops (flat combining). So an idle store makes a message readable before its put
//! returns, and a busy one dispatches in runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering, fence};

use parking_lot::{Mutex, RwLock};

use crate::message::Arrival;
use crate::queue::{Appended, TAIL_FULL_BYTES, TAIL_LIMIT_BYTES};
use crate::queues::Queues;

/// Above this many waiting messages a putter waits for the dispatcher instead of leaving it more.
const PENDING_LIMIT: usize = 65_536;

/// Callback of [`MessageStore::set_arrival_listener`](crate::MessageStore::set_arrival_listener).
pub type ArrivalListener = Arc<dyn Fn(&[Arrival]) + Send + Sync>;

/// Appends units and tells the listener.
pub(crate) struct Dispatcher {
    queues: Arc<Queues>,
    pending: Mutex<Vec<Arrival>>,
    pending_len: AtomicUsize,
    /// Held by the dispatcher; the buffer it takes the pending ones into.
    running: Mutex<Vec<Arrival>>,
    progress: Mutex<Progress>,
    listener: RwLock<Option<ArrivalListener>>,
}

/// The last message whose unit was appended; all before it have theirs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Progress {
    pub(crate) physical_offset: i64,
    pub(crate) store_timestamp: i64,
}

impl std::fmt::Debug for Dispatcher {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Dispatcher").field("progress", &self.progress()).finish_non_exhaustive()
    }
}

impl Dispatcher {
    pub(crate) fn new(queues: Arc<Queues>, progress: Progress) -> Self {
        Self {
            queues,
            pending: Mutex::default(),
            pending_len: AtomicUsize::new(0),
            running: Mutex::default(),
            progress: Mutex::new(progress),
            listener: RwLock::default(),
        }
    }

    pub(crate) fn set_listener(&self, listener: ArrivalListener) {
        *self.listener.write() = Some(listener);
    }

    pub(crate) fn progress(&self) -> Progress {
        *self.progress.lock()
    }

    /// Leaves stored messages for the dispatcher. Called in the order of the log.
    pub(crate) fn enqueue(&self, arrivals: impl Iterator<Item = Arrival>) {
        let mut pending = self.pending.lock();
        pending.extend(arrivals);
        self.pending_len.store(pending.len(), Ordering::Release);
    }

    /// Dispatches what is pending, unless somebody else does.
    pub(crate) fn run(&self) {
        loop {
            // Either the dispatcher that is about to stop sees our messages, or we see that it has stopped.
            fence(Ordering::SeqCst);
            let waiting = self.pending_len.load(Ordering::Acquire);
            if waiting == 0 {
                return;
            }
            let running = if waiting > PENDING_LIMIT { Some(self.running.lock()) } else { self.running.try_lock() };
            let Some(mut running) = running else { return };
            let mut run = std::mem::take(&mut *running);
            self.take_pending(&mut run);
            self.dispatch(&run);
            drop(running);
            self.tell(&run);
            run.clear();
            if let Some(mut running) = self.running.try_lock()
                && running.capacity() < run.capacity()
            {
                *running = run;
            }
        }
    }

    /// Waits until everything enqueued before is dispatched.
    pub(crate) fn drain(&self) {
        while self.pending_len.load(Ordering::Acquire) > 0 {
            drop(self.running.lock());
            self.run();
        }
        drop(self.running.lock());
    }

    fn take_pending(&self, run: &mut Vec<Arrival>) {
        let mut pending = self.pending.lock();
        std::mem::swap(run, &mut *pending);
        self.pending_len.store(0, Ordering::Release);
    }

    fn dispatch(&self, run: &[Arrival]) {
        for arrival in run {
            // Next offsets are given out by this process, in order: there are no gaps but the one before the first unit.
            if let Appended::Tail(bytes) = arrival.queue.append(arrival, true) {
                self.queues.tail_grew(&arrival.queue, bytes);
            }
        }
        if let Some(last) = run.last() {
            let (physical_offset, store_timestamp) = (last.physical_offset, last.store_timestamp);
            *self.progress.lock() = Progress { physical_offset, store_timestamp };
        }
    }

    fn tell(&self, run: &[Arrival]) {
        if run.is_empty() {
            return;
        }
        let listener = self.listener.read().clone();
        if let Some(listener) = listener {
            listener(run);
        }
    }
}

const _: () = assert!(TAIL_FULL_BYTES < TAIL_LIMIT_BYTES);

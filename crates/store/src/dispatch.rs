//! From the commit log to the consume queues, without a thread of its own.
//!
//! Whoever appends tries to become the dispatcher, still under the append lock, and then dispatches what it stored itself.
//! If somebody else is, it leaves that in a list, which the other picks up before it stops (flat combining). So an idle store
//! makes a message readable before its put returns, and a busy one dispatches in runs.
//!
//! Where nobody listens for arrivals, who reads looks after that list first, and so a few messages may wait in it: of 40,000
//! queues none is in the processor's caches, and memory is asked for those of a whole run at once.

use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering, fence};
use std::sync::{Arc, OnceLock};

use parking_lot::{Mutex, MutexGuard};

use crate::message::Arrival;
use crate::queue::{Queue, TAIL_FULL_BYTES, TAIL_LIMIT_BYTES};
use crate::queues::Queues;

/// Above this many waiting messages a putter waits for the dispatcher instead of leaving it more.
const PENDING_LIMIT: usize = 65_536;

/// So many messages are dispatched together where nobody listens for them.
const RUN: usize = 32;

/// How many messages ahead memory is asked for a queue and its tail.
const EXPECTED: usize = 8;

/// Callback of [`MessageStore::set_arrival_listener`](crate::MessageStore::set_arrival_listener).
pub type ArrivalListener = Arc<dyn Fn(&mut dyn Iterator<Item = (&Arc<Queue>, &Arrival)>) + Send + Sync>;

/// Appends units and tells the listener.
pub(crate) struct Dispatcher {
    queues: Arc<Queues>,
    pending: Mutex<Vec<Arrival>>,
    pending_len: AtomicUsize,
    /// Held by the dispatcher. Whoever holds it, for whatever reason, looks for pending messages after that
    /// ([`finish`](Dispatcher::finish)): others leave theirs because of it.
    running: Mutex<Running>,
    /// Apart from `running`, so that to ask for it hinders no putter in dispatching its own. Neither part ever falls, and each
    /// is true by itself.
    progress: (AtomicI64, AtomicI64),
    listener: OnceLock<ArrivalListener>,
}

/// What a dispatcher has: memory for what was pending.
type Running = Vec<Arrival>;

/// The part of the dispatcher, taken: whoever has it dispatches its messages by [`Dispatcher::finish`].
pub(crate) struct Claim<'d> {
    running: MutexGuard<'d, Running>,
}

/// The last message whose unit was appended; all before it have theirs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Progress {
    pub(crate) physical_offset: i64,
    pub(crate) store_timestamp: i64,
}

impl std::fmt::Debug for Dispatcher {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Dispatcher").field("pending", &self.pending_len).finish_non_exhaustive()
    }
}

impl Dispatcher {
    pub(crate) fn new(queues: Arc<Queues>, progress: Progress) -> Self {
        Self {
            queues,
            pending: Mutex::default(),
            pending_len: AtomicUsize::new(0),
            running: Mutex::default(),
            progress: (progress.physical_offset.into(), progress.store_timestamp.into()),
            listener: OnceLock::new(),
        }
    }

    /// Whom to tell of what was dispatched; the first one stays.
    pub(crate) fn set_listener(&self, listener: ArrivalListener) {
        let _ = self.listener.set(listener);
        // With the fence of those who put: either this sees what they leave, or they see the listener and leave nothing.
        fence(Ordering::SeqCst);
        self.drain();
    }

    pub(crate) fn progress(&self) -> Progress {
        let (physical_offset, store_timestamp) = &self.progress;
        Progress {
            physical_offset: physical_offset.load(Ordering::Acquire),
            store_timestamp: store_timestamp.load(Ordering::Acquire),
        }
    }

    /// Where the first message lies that waits for somebody to dispatch it.
    pub(crate) fn first_pending(&self) -> Option<i64> {
        self.pending.lock().first().map(|arrival| arrival.physical_offset)
    }

    /// How many messages wait until somebody dispatches them, unless somebody asks for them.
    fn may_wait(&self) -> usize {
        if self.listener.get().is_some() { 0 } else { RUN - 1 }
    }

    /// Takes stored messages, not more than `count`, in the order of the log: called under the append lock. Then the caller must,
    /// without that lock, [`finish`](Dispatcher::finish) with the same messages.
    pub(crate) fn enqueue<'a>(&self, arrivals: impl Iterator<Item = &'a Arrival>, count: usize) -> Option<Claim<'_>> {
        // Pending ones come from appends before this one, and only appends add to them.
        if count > self.may_wait()
            && self.pending_len.load(Ordering::Acquire) == 0
            && let Some(running) = self.running.try_lock()
        {
            return Some(Claim { running });
        }
        let mut pending = self.pending.lock();
        pending.extend(arrivals.cloned());
        self.pending_len.store(pending.len(), Ordering::Release);
        None
    }

    /// Dispatches the messages if the claim on that was got, and what is pending, unless somebody else does.
    pub(crate) fn finish<'a>(&self, claim: Option<Claim<'_>>, arrivals: impl Iterator<Item = &'a Arrival> + Clone) {
        if let Some(claim) = claim {
            self.dispatch(claim.running, arrivals);
        }
        self.finish_pending();
    }

    fn finish_pending(&self) {
        loop {
            // Either the dispatcher that is about to stop sees our messages, or we see that it has stopped.
            fence(Ordering::SeqCst);
            let waiting = self.pending_len.load(Ordering::Acquire);
            if waiting <= self.may_wait() {
                return;
            }
            let running = if waiting > PENDING_LIMIT { Some(self.running.lock()) } else { self.running.try_lock() };
            let Some(running) = running else { return };
            self.dispatch_pending(running);
        }
    }

    /// Sees to it that who reads now finds what was put before, unless another thread is just dispatching that.
    pub(crate) fn catch_up(&self) {
        // A listener hears of messages on the threads of those who put.
        while self.pending_len.load(Ordering::Acquire) > 0
            && self.may_wait() > 0
            && let Some(running) = self.running.try_lock()
        {
            self.dispatch_pending(running);
        }
    }

    /// Waits until everything enqueued before is dispatched.
    pub(crate) fn drain(&self) {
        self.dispatch_pending(self.running.lock());
        self.finish_pending();
    }

    fn dispatch_pending(&self, mut running: MutexGuard<'_, Running>) {
        let mut run = std::mem::take(&mut *running);
        {
            let mut pending = self.pending.lock();
            std::mem::swap(&mut run, &mut *pending);
            self.pending_len.store(0, Ordering::Release);
        }
        self.dispatch(running, run.iter());
        run.clear();
        // The memory is used again, unless another dispatcher has its own by now.
        if let Some(mut running) = self.running.try_lock()
            && running.capacity() == 0
        {
            *running = run;
        }
    }

    fn dispatch<'a>(&self, running: MutexGuard<'_, Running>, arrivals: impl Iterator<Item = &'a Arrival> + Clone) {
        let seats = self.queues.seats();
        // A queue has its seat until it has all its units.
        let with_queues = arrivals.clone().filter_map(|arrival| Some((seats.get(arrival.seat)?, arrival)));
        let mut ahead = arrivals.clone();
        ahead.by_ref().take(EXPECTED).for_each(|arrival| seats.expect(arrival.seat));
        let (mut last, mut long) = (None, Vec::new());
        let mut rest = with_queues.clone();
        let mut next = rest.next();
        while let Some((queue, first)) = next {
            // A run for one queue, as lists of messages are, takes its lock once.
            let mut appends = queue.appends();
            while let Some((_, arrival)) = next.filter(|(_, next)| next.seat == first.seat) {
                if let Some(later) = ahead.next() {
                    seats.expect(later.seat);
                }
                // Next offsets are given out by this process, in order: there are no gaps but the one before the first unit.
                appends.append(arrival.queue_offset, arrival.unit(), arrival.store_timestamp, true);
                last = Some(arrival);
                next = rest.next();
            }
            let grown = appends.end();
            seats.expect_at(first.seat, grown.end);
            if self.queues.tail_grew(queue, &grown) {
                long.push(Arc::clone(queue));
            }
        }
        let Some(last) = last else { return };
        let (physical_offset, store_timestamp) = &self.progress;
        physical_offset.store(last.physical_offset, Ordering::Release);
        store_timestamp.store(last.store_timestamp, Ordering::Release);
        drop(running);
        if let Some(listener) = self.listener.get() {
            listener(&mut with_queues.clone());
        }
        // That may wait for a disk, and nobody else for this one.
        drop(seats);
        long.iter().for_each(|queue| self.queues.write_long_tail(queue));
    }
}

const _: () = assert!(TAIL_FULL_BYTES < TAIL_LIMIT_BYTES);

#[cfg(test)]
mod tests;

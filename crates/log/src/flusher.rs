//! Group commit: a thread that makes the log durable. All who wait while one fdatasync runs are covered by the next, which
//! waits a moment for those who were just answered if they are known to come back at once ([`Regroup`]); nobody who comes
//! alone waits for a timer.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use rocketmq_env::{Clock, Latch, Parker, Unparker};

use crate::regroup::Regroup;
use crate::{LogError, SegmentedLog};

/// Runs once the outcome of a flush is known, on the flusher's thread (or at once if it is known already).
pub type FlushDone = Box<dyn FnOnce(Result<(), FlushError>) + Send>;

/// Why a position is not on disk.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FlushError {
    /// An fdatasync failed. What is on disk is unknown, and a later fdatasync that succeeds would not tell: nothing may be
    /// written any more.
    #[error("flush failed: {0}")]
    Failed(Arc<str>),
    /// A write failed. The bytes can be read, and are written when that works again; until then nothing more is taken.
    #[error("not written: {0}")]
    NotWritten(Arc<str>),
    /// Not within the time (Apache: FLUSH_DISK_TIMEOUT). It may still happen.
    #[error("flush took too long")]
    Timeout,
    /// The log was closed before.
    #[error("the log is closed")]
    Closed,
}

/// What a [`Flusher`] needs besides the log.
pub struct FlusherOptions {
    /// Time and timers.
    pub clock: Arc<dyn Clock>,
    /// How often to flush when nobody asks.
    pub interval: Duration,
    /// Called before each flush; what it returns goes to `after_flush` if that flush succeeds.
    pub before_flush: Box<dyn Fn() -> i64 + Send>,
    /// Called after each flush that succeeded, with its end, before those who wait hear of it.
    pub after_flush: Box<dyn Fn(i64, u64) + Send>,
}

impl std::fmt::Debug for FlusherOptions {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("FlusherOptions").field("interval", &self.interval).finish_non_exhaustive()
    }
}

/// The flusher of one log.
#[derive(Debug)]
pub struct Flusher {
    shared: Arc<Shared>,
    unparker: Unparker,
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    log: Arc<SegmentedLog>,
    flushed: AtomicU64,
    failure: OnceLock<Arc<str>>,
    /// Why the last flush could not even write.
    write_failure: Mutex<Option<Arc<str>>>,
    state: Mutex<State>,
}

struct State {
    waiters: Vec<(u64, FlushDone)>,
    /// Opened by the next flush; threads wait for it.
    next_flush: Arc<Latch>,
    waiting_threads: usize,
    /// At how many that wait the flusher is to be woken.
    wake_at: usize,
    stopping: bool,
    stopped: bool,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Shared").field("flushed", &self.flushed).finish_non_exhaustive()
    }
}

impl Flusher {
    /// Starts the thread for `log`, of which everything published so far is durable.
    pub fn start(log: Arc<SegmentedLog>, options: FlusherOptions) -> Self {
        let shared = Arc::new(Shared {
            flushed: AtomicU64::new(log.end()),
            log,
            failure: OnceLock::new(),
            write_failure: Mutex::new(None),
            state: Mutex::new(State {
                waiters: Vec::new(),
                next_flush: Arc::new(Latch::new(&options.clock)),
                waiting_threads: 0,
                wake_at: 1,
                stopping: false,
                stopped: false,
            }),
        });
        let parker = Parker::new(&options.clock);
        let unparker = parker.unparker();
        let thread = thread::spawn({
            let shared = Arc::clone(&shared);
            move || shared.run(&parker, &options)
        });
        Self { shared, unparker, thread: Mutex::new(Some(thread)) }
    }

    /// Up to where the log is durable.
    pub fn flushed(&self) -> u64 {
        self.shared.flushed.load(Ordering::Acquire)
    }

    /// The failure that stopped flushing for good, if there was one.
    pub fn failure(&self) -> Option<&Arc<str>> {
        self.shared.failure.get()
    }

    /// Runs `done` as soon as everything below `position` (which must be published) is durable, or cannot be.
    pub fn when_flushed(&self, position: u64, done: FlushDone) {
        if let Some(outcome) = self.shared.known_outcome(position) {
            return done(outcome);
        }
        let mut state = self.shared.state.lock();
        let outcome = self.shared.known_outcome(position).or(state.stopped.then_some(Err(FlushError::Closed)));
        if let Some(outcome) = outcome {
            drop(state);
            return done(outcome);
        }
        state.waiters.push((position, done));
        self.wake(state);
    }

    /// Waits until everything below `position` is durable, at most `timeout`.
    pub fn wait_flushed(&self, position: u64, timeout: Duration) -> Result<(), FlushError> {
        let latch = {
            let mut state = self.shared.state.lock();
            let outcome = self.shared.known_outcome(position).or(state.stopped.then_some(Err(FlushError::Closed)));
            if let Some(outcome) = outcome {
                return outcome;
            }
            state.waiting_threads += 1;
            let latch = Arc::clone(&state.next_flush);
            self.wake(state);
            latch
        };
        if latch.wait_for(timeout) {
            self.shared.outcome(position)
        } else {
            self.shared.known_outcome(position).unwrap_or(Err(FlushError::Timeout))
        }
    }

    /// Wakes the flusher if those who wait now are as many as it sleeps for.
    fn wake(&self, state: MutexGuard<'_, State>) {
        let is_enough = state.waiting() == state.wake_at;
        drop(state);
        if is_enough {
            self.unparker.unpark();
        }
    }

    /// Flushes what is published, answers those who wait, and ends the thread. Idempotent.
    pub fn stop(&self) -> Result<(), FlushError> {
        self.shared.state.lock().stopping = true;
        self.unparker.unpark();
        // A callback may drop the last handle of its own flusher.
        let thread = self.thread.lock().take().filter(|thread| thread.thread().id() != thread::current().id());
        if let Some(thread) = thread {
            // The thread catches nothing: if a callback panicked, nobody knows what was flushed.
            thread.join().map_err(|_panic| FlushError::Failed("the flush thread panicked".into()))?;
        }
        if let Some(failure) = self.shared.failure.get() {
            return Err(FlushError::Failed(Arc::clone(failure)));
        }
        self.shared.write_failure.lock().clone().map_or(Ok(()), |failure| Err(FlushError::NotWritten(failure)))
    }
}

impl Drop for Flusher {
    fn drop(&mut self) {
        self.shared.state.lock().stopping = true;
        self.unparker.unpark();
    }
}

/// Those whom the flush that begins now will answer.
struct Asked {
    waiters: Vec<(u64, FlushDone)>,
    threads: usize,
    /// Of the threads; those of later flushes wait for another.
    latch: Option<Arc<Latch>>,
    stopping: bool,
}

impl Asked {
    fn count(&self) -> usize {
        self.waiters.len() + self.threads
    }
}

impl State {
    fn waiting(&self) -> usize {
        self.waiters.len() + self.waiting_threads
    }

    fn take(&mut self, options: &FlusherOptions) -> Asked {
        let threads = std::mem::take(&mut self.waiting_threads);
        let latch =
            (threads > 0).then(|| std::mem::replace(&mut self.next_flush, Arc::new(Latch::new(&options.clock))));
        // While it flushes it sees for itself who comes.
        self.wake_at = usize::MAX;
        Asked { waiters: std::mem::take(&mut self.waiters), threads, latch, stopping: self.stopping }
    }
}

impl Shared {
    fn known_outcome(&self, position: u64) -> Option<Result<(), FlushError>> {
        if self.flushed.load(Ordering::Acquire) >= position {
            return Some(Ok(()));
        }
        self.failure.get().map(|failure| Err(FlushError::Failed(Arc::clone(failure))))
    }

    /// What a flush came to for one who asked for it.
    fn outcome(&self, position: u64) -> Result<(), FlushError> {
        // Before the outcome, which is known before a later flush that succeeds forgets the failure.
        let write_failure = self.write_failure.lock().clone();
        let otherwise = || write_failure.map_or(FlushError::Closed, FlushError::NotWritten);
        self.known_outcome(position).unwrap_or_else(|| Err(otherwise()))
    }

    fn run(&self, parker: &Parker, options: &FlusherOptions) {
        let mut regroup = Regroup::default();
        // Time that is moved by hand may move while a flush runs and stand still ever after.
        let has_time = options.clock.instant_at(Duration::ZERO).is_some();
        loop {
            self.wait_for(1, parker, options.interval);
            let waiting = self.state.lock().waiting();
            if has_time && let Some((count, patience)) = regroup.expected(waiting) {
                self.wait_for(count, parker, patience);
            }
            let asked = self.state.lock().take(options);
            let (stopping, count) = (asked.stopping, asked.count());
            let (from, started) = (self.flushed.load(Ordering::Acquire), options.clock.uptime());
            self.flush(options);
            let (to, ended) = (self.flushed.load(Ordering::Acquire), options.clock.uptime());
            let waiting = self.state.lock().waiting();
            regroup.flushed(count, waiting, to - from, ended.saturating_sub(started), ended);
            self.answer(asked);
            if stopping {
                let late = {
                    let mut state = self.state.lock();
                    state.stopped = true;
                    state.take(options)
                };
                return self.answer(late);
            }
        }
    }

    /// Sleeps until so many wait, or the flusher is to stop, at most `patience`.
    fn wait_for(&self, count: usize, parker: &Parker, patience: Duration) {
        let is_enough = {
            let mut state = self.state.lock();
            state.wake_at = count;
            state.stopping || state.waiting() >= count
        };
        if !is_enough {
            parker.park_for(patience);
        }
    }

    fn flush(&self, options: &FlusherOptions) {
        let before = (options.before_flush)();
        let from = self.flushed.load(Ordering::Acquire);
        let to = self.log.end();
        if from >= to || self.failure.get().is_some() {
            return;
        }
        // It is tried again with the next.
        if let Err(error) = self.log.write_out_before(to) {
            *self.write_failure.lock() = Some(text(&error));
            return;
        }
        match self.log.sync(from, to) {
            Ok(()) => {
                self.flushed.store(to, Ordering::Release);
                (options.after_flush)(before, to);
            }
            Err(error) => {
                // Set once: the first failure is the one that matters.
                let _ = self.failure.set(text(&error));
            }
        }
        *self.write_failure.lock() = None;
    }

    fn answer(&self, asked: Asked) {
        if let Some(latch) = asked.latch {
            latch.open();
        }
        for (position, done) in asked.waiters {
            done(self.outcome(position));
        }
    }
}

/// An error with its causes.
fn text(error: &LogError) -> Arc<str> {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text.into()
}

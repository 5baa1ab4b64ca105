//! Group commit: a thread that makes the log durable. All who wait while one fdatasync runs are covered by the next; no
//! timer grows a batch.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use parking_lot::Mutex;
use rocketmq_env::{Clock, Latch, Parker, Unparker};

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
    /// Not within the time (Apache: FLUSH_DISK_TIMEOUT). The bytes are written.
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
    state: Mutex<State>,
}

struct State {
    waiters: Vec<(u64, FlushDone)>,
    /// Opened by the next flush; threads wait for it.
    next_flush: Arc<Latch>,
    threads_wait: bool,
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
            state: Mutex::new(State {
                waiters: Vec::new(),
                next_flush: Arc::new(Latch::new(&options.clock)),
                threads_wait: false,
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
        drop(state);
        self.unparker.unpark();
    }

    /// Waits until everything below `position` is durable, at most `timeout`.
    pub fn wait_flushed(&self, position: u64, timeout: Duration) -> Result<(), FlushError> {
        let latch = {
            let mut state = self.shared.state.lock();
            let outcome = self.shared.known_outcome(position).or(state.stopped.then_some(Err(FlushError::Closed)));
            if let Some(outcome) = outcome {
                return outcome;
            }
            state.threads_wait = true;
            Arc::clone(&state.next_flush)
        };
        self.unparker.unpark();
        let otherwise = if latch.wait_for(timeout) { FlushError::Closed } else { FlushError::Timeout };
        self.shared.known_outcome(position).unwrap_or(Err(otherwise))
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
        self.shared.failure.get().map_or(Ok(()), |failure| Err(FlushError::Failed(Arc::clone(failure))))
    }
}

impl Drop for Flusher {
    fn drop(&mut self) {
        self.shared.state.lock().stopping = true;
        self.unparker.unpark();
    }
}

/// Those whom the flush that begins now will answer.
type Asked = (Vec<(u64, FlushDone)>, Option<Arc<Latch>>, bool);

impl State {
    fn take(&mut self, options: &FlusherOptions) -> Asked {
        let threads_wait = std::mem::take(&mut self.threads_wait);
        let latch = threads_wait.then(|| std::mem::replace(&mut self.next_flush, Arc::new(Latch::new(&options.clock))));
        (std::mem::take(&mut self.waiters), latch, self.stopping)
    }
}

impl Shared {
    fn known_outcome(&self, position: u64) -> Option<Result<(), FlushError>> {
        if self.flushed.load(Ordering::Acquire) >= position {
            return Some(Ok(()));
        }
        self.failure.get().map(|failure| Err(FlushError::Failed(Arc::clone(failure))))
    }

    fn run(&self, parker: &Parker, options: &FlusherOptions) {
        loop {
            let asked = {
                let state = self.state.lock();
                state.stopping || state.threads_wait || !state.waiters.is_empty()
            };
            if !asked {
                parker.park_for(options.interval);
            }
            let (waiters, latch, stopping) = self.state.lock().take(options);
            self.flush(options);
            self.answer(waiters, latch);
            if stopping {
                let (late, latch, _) = {
                    let mut state = self.state.lock();
                    state.stopped = true;
                    state.take(options)
                };
                return self.answer(late, latch);
            }
        }
    }

    fn flush(&self, options: &FlusherOptions) {
        let before = (options.before_flush)();
        let from = self.flushed.load(Ordering::Acquire);
        let to = self.log.end();
        if from >= to || self.failure.get().is_some() {
            return;
        }
        match self.log.sync(from, to) {
            Ok(()) => {
                self.flushed.store(to, Ordering::Release);
                (options.after_flush)(before, to);
            }
            Err(error) => self.fail(&error),
        }
    }

    fn fail(&self, error: &LogError) {
        let mut text = error.to_string();
        let mut cause = std::error::Error::source(error);
        while let Some(inner) = cause {
            text.push_str(": ");
            text.push_str(&inner.to_string());
            cause = inner.source();
        }
        // Set once: the first failure is the one that matters.
        let _ = self.failure.set(text.into());
    }

    fn answer(&self, waiters: Vec<(u64, FlushDone)>, latch: Option<Arc<Latch>>) {
        if let Some(latch) = latch {
            latch.open();
        }
        for (position, done) in waiters {
            done(self.known_outcome(position).unwrap_or(Err(FlushError::Closed)));
        }
    }
}

//! A store of which one thread runs at a time: the test, and after each of its steps whatever that woke, until all sleep
//! again. So a seed gives the same calls of the file system in the same order each time.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rocketmq_env::{Clock, FaultFs, VirtualClock};
use rocketmq_store::{FlushError, MessageStore, PutBatch, PutTicket, StoreConfig, StoreError};

/// Threads of a store that sleep on its clock: flusher, housekeeping, indexer, the one that syncs queues, and those that reserve
/// space and make a file ahead.
pub const STORE_THREADS: usize = 6;

/// A running store and the clock it has for itself.
pub struct Lockstep {
    pub store: Arc<MessageStore>,
    pub clock: Arc<VirtualClock>,
}

impl Lockstep {
    /// Opens a store in a new process at a wall time.
    pub fn open(config: StoreConfig, fs: &FaultFs, now_ms: i64) -> Result<Self, StoreError> {
        let clock = Arc::new(VirtualClock::new(now_ms));
        let store = MessageStore::open(config, fs.process(), clock.clone() as Arc<dyn Clock>)?;
        let lockstep = Self { store, clock };
        lockstep.settle();
        Ok(lockstep)
    }

    /// Lets the store's threads run until all sleep.
    fn settle(&self) {
        settle_threads(&self.clock, STORE_THREADS);
    }

    pub fn put(&self, batch: &mut PutBatch) -> Result<PutTicket, StoreError> {
        let outcome = self.store.put(batch);
        self.settle();
        outcome
    }

    pub fn wait_flushed(&self, position: i64) -> Result<(), FlushError> {
        let outcome = self.store.wait_flushed(position, Duration::from_secs(3600));
        self.settle();
        outcome
    }

    /// Moves time; what falls due runs one after the other.
    pub fn advance(&self, by: Duration) {
        let target = self.clock.uptime() + by;
        while self.clock.step(target) {
            self.settle();
        }
    }
}

/// Waits until so many threads sleep on the clock.
pub fn settle_threads(clock: &VirtualClock, threads: usize) {
    let started = Instant::now();
    while clock.pending_timers() != threads {
        assert!(
            started.elapsed() < Duration::from_secs(60),
            "{} threads sleep, not {threads}: does the store have others now?",
            clock.pending_timers()
        );
        thread::yield_now();
    }
}

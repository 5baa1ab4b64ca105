//! What the broker does by the clock.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use parking_lot::Mutex;
use rocketmq_env::{Parker, Unparker, sleep};

use crate::broker::BrokerState;
use crate::stats::SAMPLING;

/// How often held pulls are looked through for those whose time is up.
const HOLD_SCAN: Duration = Duration::from_secs(1);
/// How often clients without heartbeat are looked for (`ClientHousekeepingService.java`).
const CHANNEL_SCAN: Duration = Duration::from_secs(10);

/// Answers held pulls whose time is up (`PullRequestHoldService#run`). Runs until dropped.
pub(crate) async fn expire_held_pulls(state: Arc<BrokerState>) {
    let mut records = Vec::new();
    let mut out = Vec::new();
    loop {
        sleep(&state.clock, HOLD_SCAN).await;
        // Arrivals are told by the threads that store messages; what the store dispatched by itself is found here.
        let mut due = state.holds.take_woken();
        due.extend(state.holds.take_due(state.clock.uptime()));
        for held in due {
            state.answer_held_pull(held, &mut records, &mut out);
        }
    }
}

/// Forgets clients that send no heartbeat, and closes their connections. Runs until dropped.
pub(crate) async fn scan_not_active_channels(state: Arc<BrokerState>) {
    loop {
        sleep(&state.clock, CHANNEL_SCAN).await;
        let oldest_ms = state.clock.now_ms() - state.config.channel_expired_timeout;
        let mut expired = state.producers.remove_expired(oldest_ms);
        expired.extend(state.consumers.remove_expired(oldest_ms));
        for connection in expired {
            connection.close("no heartbeat for too long");
        }
    }
}

/// Remembers what was put and got so far (`StoreStatsService#run`). Runs until dropped.
pub(crate) async fn sample_stats(state: Arc<BrokerState>) {
    loop {
        sleep(&state.clock, SAMPLING).await;
        state.stats.sample(&*state.clock);
    }
}

/// The thread that writes the files under `config/`, so that no event loop waits for it: topics and groups when they have
/// changed, offsets every `flushConsumerOffsetInterval`.
#[derive(Debug)]
pub(crate) struct Persister {
    unparker: Unparker,
    stopping: Arc<AtomicBool>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Persister {
    /// Name of the thread.
    pub(crate) const THREAD: &str = "rocketmq-config";

    /// Starts the thread, which `parker` wakes.
    pub(crate) fn start(state: Arc<BrokerState>, parker: Parker) -> io::Result<Self> {
        let unparker = parker.unparker();
        let stopping = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&stopping);
        let interval = Duration::from_millis(state.config.flush_consumer_offset_interval.max(1));
        let thread = thread::Builder::new().name(Self::THREAD.to_owned()).spawn(move || {
            let mut offsets_due = state.clock.uptime() + interval;
            // Asked before the write, so that nothing changed before the stop is left out.
            while {
                let goes_on = !stop.load(Ordering::Acquire);
                state.topics.persist();
                state.groups.persist();
                goes_on
            } {
                let now = state.clock.uptime();
                if now >= offsets_due {
                    state.offsets.persist();
                    offsets_due = now + interval;
                }
                parker.park_for(offsets_due - now);
            }
        })?;
        Ok(Self { unparker, stopping, thread: Mutex::new(Some(thread)) })
    }

    /// Ends the thread, which writes first what topics and groups have changed.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        self.unparker.unpark();
        if let Some(thread) = self.thread.lock().take() {
            // A thread that panicked has nothing left to be waited for.
            let _ = thread.join();
        }
    }
}

//! What the broker does by the clock.

use std::sync::Arc;
use std::time::Duration;

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

/// The thread that writes consumer offsets to disk, so that no event loop waits for it.
#[derive(Debug)]
pub(crate) struct OffsetPersister {
    unparker: Unparker,
    thread: parking_lot::Mutex<Option<std::thread::JoinHandle<()>>>,
}

impl OffsetPersister {
    /// Starts the thread; it writes every `flushConsumerOffsetInterval`.
    pub(crate) fn start(state: Arc<BrokerState>) -> std::io::Result<Self> {
        let parker = Parker::new(&state.clock);
        let unparker = parker.unparker();
        let interval = Duration::from_millis(state.config.flush_consumer_offset_interval.max(1));
        let thread = std::thread::Builder::new().name("rocketmq-offsets".to_owned()).spawn(move || {
            while !parker.park_for(interval) {
                state.offsets.persist();
            }
        })?;
        Ok(Self { unparker, thread: parking_lot::Mutex::new(Some(thread)) })
    }

    /// Ends the thread.
    pub(crate) fn stop(&self) {
        self.unparker.unpark();
        if let Some(thread) = self.thread.lock().take() {
            // A thread that panicked has nothing left to be waited for.
            let _ = thread.join();
        }
    }
}

//! How far a start has come.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rocketmq_env::Clock;

use crate::StoreConfig;

/// Callback of [`StoreConfig::on_recovery`].
#[derive(Clone)]
pub struct RecoveryListener(Arc<dyn Fn(&RecoveryProgress) + Send + Sync>);

impl RecoveryListener {
    /// Calls `listen`, which must not block.
    pub fn new(listen: impl Fn(&RecoveryProgress) + Send + Sync + 'static) -> Self {
        Self(Arc::new(listen))
    }
}

impl std::fmt::Debug for RecoveryListener {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("RecoveryListener")
    }
}

/// How often the callback is called at most, after the first time of a phase.
const INTERVAL: Duration = Duration::from_millis(200);

/// What a start is doing and how far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecoveryProgress {
    /// What is being read.
    pub phase: RecoveryPhase,
    /// How much of it is done, in the unit of the phase.
    pub done: u64,
    /// How much there is. Of the commit log not more than this; behind the last record the phase ends early.
    pub total: u64,
    /// How long the phase may still take, in milliseconds; `None` at its start.
    pub eta_ms: Option<u64>,
}

/// A part of recovery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecoveryPhase {
    /// Consume queues: their number.
    ConsumeQueues,
    /// Commit log from the checkpoint on: bytes.
    CommitLog,
}

/// Tells the callback, now and then.
pub(crate) struct Reporter<'a> {
    clock: &'a dyn Clock,
    listener: Option<&'a RecoveryListener>,
    phase: RecoveryPhase,
    started: Duration,
    reported: Mutex<Option<Duration>>,
}

impl<'a> Reporter<'a> {
    pub(crate) fn new(config: &'a StoreConfig, clock: &'a dyn Clock, phase: RecoveryPhase) -> Self {
        let started = clock.uptime();
        Self { clock, listener: config.on_recovery.as_ref(), phase, started, reported: Mutex::new(None) }
    }

    /// Called often and by any thread.
    pub(crate) fn at(&self, done: u64, total: u64) {
        let Some(listener) = self.listener else { return };
        let now = self.clock.uptime();
        let Some(mut reported) = self.reported.try_lock() else { return };
        if reported.is_some_and(|reported| now.saturating_sub(reported) < INTERVAL) {
            return;
        }
        *reported = Some(now);
        drop(reported);
        let elapsed_ms = now.saturating_sub(self.started).as_millis();
        let left = u128::from(total.saturating_sub(done));
        let eta_ms = (elapsed_ms * left).checked_div(u128::from(done)).and_then(|ms| u64::try_from(ms).ok());
        (listener.0)(&RecoveryProgress { phase: self.phase, done, total, eta_ms });
    }
}

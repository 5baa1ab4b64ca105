//! Pending timers in the order in which they fall due; shared by both clocks.

use std::collections::BTreeMap;
use std::task::Waker;
use std::time::Duration;

/// Names a timer made by [`Clock::wake_at`](crate::Clock::wake_at), to cancel it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimerId {
    at: Duration,
    sequence: u64,
}

/// Timers by due time; equal times fire in the order of their making.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    pending: BTreeMap<TimerId, Waker>,
    next_sequence: u64,
}

impl Timers {
    pub(crate) fn insert(&mut self, at: Duration, waker: Waker) -> TimerId {
        let id = TimerId { at, sequence: self.next_sequence };
        self.next_sequence += 1;
        self.pending.insert(id, waker);
        id
    }

    pub(crate) fn remove(&mut self, timer: TimerId) {
        self.pending.remove(&timer);
    }

    /// When the earliest timer falls due.
    pub(crate) fn next_due(&self) -> Option<Duration> {
        self.pending.first_key_value().map(|(id, _)| id.at)
    }

    /// Takes the earliest timer if it is due at `now`.
    pub(crate) fn pop_due(&mut self, now: Duration) -> Option<Waker> {
        let first = self.pending.first_entry()?;
        if first.key().at <= now { Some(first.remove()) } else { None }
    }

    pub(crate) fn len(&self) -> usize {
        self.pending.len()
    }
}

//! Sleep for plain threads: until somebody unparks, or until a deadline on a [`Clock`].

use std::sync::Arc;
use std::task::{Wake, Waker};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use crate::{Clock, TimerId};

/// Owned by the thread that sleeps. An unpark that comes before the park is kept (one token), so no wake-up is lost.
#[derive(Debug)]
pub struct Parker {
    clock: Arc<dyn Clock>,
    shared: Arc<Shared>,
}

/// Wakes the thread that owns the [`Parker`].
#[derive(Debug, Clone)]
pub struct Unparker {
    clock: Arc<dyn Clock>,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    unparked: bool,
    /// The timed park that waits now; a timer of an earlier one must not end it.
    round: u64,
    round_expired: bool,
    timer: Option<TimerId>,
}

impl Parker {
    /// A parker whose deadlines are those of `clock`.
    pub fn new(clock: &Arc<dyn Clock>) -> Self {
        Self { clock: Arc::clone(clock), shared: Arc::default() }
    }

    /// A handle that wakes this parker from other threads.
    pub fn unparker(&self) -> Unparker {
        Unparker { clock: Arc::clone(&self.clock), shared: Arc::clone(&self.shared) }
    }

    /// Sleeps until unparked. On a clock that is moved by hand it has a timer as well, one that never falls due.
    pub fn park(&self) {
        if self.clock.instant_at(Duration::ZERO).is_none() {
            while !self.park_for(Duration::MAX) {}
            return;
        }
        let mut state = self.shared.state.lock();
        while !state.unparked {
            self.shared.changed.wait(&mut state);
        }
        state.unparked = false;
    }

    /// Sleeps until unparked (true) or until `duration` has passed on the clock (false).
    pub fn park_for(&self, duration: Duration) -> bool {
        let at = self.clock.uptime().saturating_add(duration);
        let mut state = self.shared.state.lock();
        if let Some(instant) = self.clock.instant_at(at) {
            while !state.unparked && !self.shared.changed.wait_until(&mut state, instant).timed_out() {}
            return std::mem::take(&mut state.unparked);
        }
        if !state.unparked {
            state.round += 1;
            state.round_expired = false;
            let deadline = Arc::new(Deadline { shared: Arc::clone(&self.shared), round: state.round });
            // Wakers run outside of the clock's locks, so this one may be taken before those.
            state.timer = Some(self.clock.wake_at(at, Waker::from(deadline)));
        }
        while !state.unparked && !state.round_expired {
            self.shared.changed.wait(&mut state);
        }
        std::mem::take(&mut state.unparked)
    }
}

impl Unparker {
    /// Wakes the parked thread, or lets its next park return at once.
    pub fn unpark(&self) {
        let mut state = self.shared.state.lock();
        if !state.unparked {
            state.unparked = true;
            // Here and not by the thread when it wakes: a timer that waits means a thread that sleeps.
            if let Some(timer) = state.timer.take() {
                self.clock.cancel(timer);
            }
            self.shared.changed.notify_one();
        }
    }
}

struct Deadline {
    shared: Arc<Shared>,
    round: u64,
}

impl Wake for Deadline {
    fn wake(self: Arc<Self>) {
        let mut state = self.shared.state.lock();
        if state.round == self.round {
            state.round_expired = true;
            state.timer = None;
            self.shared.changed.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::VirtualClock;

    #[test]
    fn an_unpark_before_the_park_is_not_lost() {
        let clock: Arc<dyn Clock> = Arc::new(VirtualClock::new(0));
        let parker = Parker::new(&clock);
        parker.unparker().unpark();
        assert!(parker.park_for(Duration::from_secs(1)));
    }

    #[test]
    fn a_timed_park_ends_when_the_virtual_clock_moves() {
        let virtual_clock = Arc::new(VirtualClock::new(0));
        let clock: Arc<dyn Clock> = virtual_clock.clone();
        let parked = thread::spawn(move || Parker::new(&clock).park_for(Duration::from_secs(5)));
        while virtual_clock.pending_timers() == 0 {
            thread::yield_now();
        }
        virtual_clock.advance(Duration::from_secs(5));
        assert!(!parked.join().unwrap());
    }
}

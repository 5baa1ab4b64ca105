//! Sleep for plain threads: until somebody unparks, or until a deadline on a [`Clock`].

use std::sync::Arc;
use std::task::{Wake, Waker};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use crate::Clock;

/// Owned by the thread that sleeps. An unpark that comes before the park is kept (one token), so no wake-up is lost.
#[derive(Debug)]
pub struct Parker {
    clock: Arc<dyn Clock>,
    shared: Arc<Shared>,
}

/// Wakes the thread that owns the [`Parker`].
#[derive(Debug, Clone)]
pub struct Unparker {
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
}

impl Parker {
    /// A parker whose deadlines are those of `clock`.
    pub fn new(clock: &Arc<dyn Clock>) -> Self {
        Self { clock: Arc::clone(clock), shared: Arc::default() }
    }

    /// A handle that wakes this parker from other threads.
    pub fn unparker(&self) -> Unparker {
        Unparker { shared: Arc::clone(&self.shared) }
    }

    /// Sleeps until unparked.
    pub fn park(&self) {
        let mut state = self.shared.state.lock();
        while !state.unparked {
            self.shared.changed.wait(&mut state);
        }
        state.unparked = false;
    }

    /// Sleeps until unparked (true) or until `duration` has passed on the clock (false).
    pub fn park_for(&self, duration: Duration) -> bool {
        let mut state = self.shared.state.lock();
        if state.unparked {
            state.unparked = false;
            return true;
        }
        state.round += 1;
        state.round_expired = false;
        let deadline = Arc::new(Deadline { shared: Arc::clone(&self.shared), round: state.round });
        drop(state);
        let timer = self.clock.wake_at(self.clock.uptime().saturating_add(duration), Waker::from(deadline));
        let mut state = self.shared.state.lock();
        while !state.unparked && !state.round_expired {
            self.shared.changed.wait(&mut state);
        }
        let unparked = std::mem::take(&mut state.unparked);
        drop(state);
        self.clock.cancel(timer);
        unparked
    }
}

impl Unparker {
    /// Wakes the parked thread, or lets its next park return at once.
    pub fn unpark(&self) {
        let mut state = self.shared.state.lock();
        if !state.unparked {
            state.unparked = true;
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

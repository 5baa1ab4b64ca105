//! Lets many threads wait for one thing that happens once.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};
use std::time::{Duration, Instant};

use crate::{Clock, TimerId};

/// Closed at first, then open for good. The standard library's condition variable, because it wakes all that wait by one
/// system call; a [`Parker`](crate::Parker) for each would take one call each.
#[derive(Debug)]
pub struct Latch {
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
    is_open: bool,
    /// Of those who wait on a clock that is moved by hand.
    timers: Vec<TimerId>,
}

impl Latch {
    /// A closed latch whose deadlines are those of `clock`.
    pub fn new(clock: &Arc<dyn Clock>) -> Self {
        Self { clock: Arc::clone(clock), shared: Arc::default() }
    }

    /// Opens it and wakes all who wait.
    pub fn open(&self) {
        let mut state = self.shared.lock();
        state.is_open = true;
        for timer in std::mem::take(&mut state.timers) {
            self.clock.cancel(timer);
        }
        drop(state);
        self.shared.changed.notify_all();
    }

    /// Waits until it is open (true), at most `duration` (false).
    pub fn wait_for(&self, duration: Duration) -> bool {
        let at = self.clock.uptime().saturating_add(duration);
        let mut state = self.shared.lock();
        if let Some(instant) = self.clock.instant_at(at) {
            loop {
                let left = instant.saturating_duration_since(Instant::now());
                if state.is_open || left.is_zero() {
                    return state.is_open;
                }
                let waited = self.shared.changed.wait_timeout(state, left);
                state = waited.unwrap_or_else(PoisonError::into_inner).0;
            }
        }
        if !state.is_open {
            let timer = self.clock.wake_at(at, Waker::from(Arc::clone(&self.shared)));
            state.timers.push(timer);
        }
        while !state.is_open && self.clock.uptime() < at {
            state = self.shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.is_open
    }
}

impl Shared {
    /// Nothing panics while it is locked.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Shared {
    /// A deadline has passed: those who wait look at the clock.
    fn wake(self: Arc<Self>) {
        drop(self.lock());
        self.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::{SystemClock, VirtualClock};

    #[test]
    fn all_who_wait_go_on_when_it_opens_and_later_ones_at_once() {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let latch = Latch::new(&clock);
        thread::scope(|scope| {
            let waiting: Vec<_> = (0..8).map(|_| scope.spawn(|| latch.wait_for(Duration::from_secs(600)))).collect();
            latch.open();
            assert!(waiting.into_iter().all(|thread| thread.join().unwrap()));
        });
        assert!(latch.wait_for(Duration::ZERO));
    }

    #[test]
    fn a_wait_ends_at_its_deadline_on_either_clock() {
        let system: Arc<dyn Clock> = Arc::new(SystemClock::new());
        assert!(!Latch::new(&system).wait_for(Duration::from_millis(5)));
        let virtual_clock = Arc::new(VirtualClock::new(0));
        let clock: Arc<dyn Clock> = virtual_clock.clone();
        let latch = Latch::new(&clock);
        thread::scope(|scope| {
            let waiting = scope.spawn(|| latch.wait_for(Duration::from_secs(5)));
            while virtual_clock.pending_timers() == 0 {
                thread::yield_now();
            }
            virtual_clock.advance(Duration::from_secs(5));
            assert!(!waiting.join().unwrap());
        });
    }
}

//! Lets many threads wait for one thing that happens once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Wake, Waker};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::wait_word::WaitWord;
use crate::{Clock, TimerId};

/// Closed at first, then open for good. All that wait are woken by one system call, and take no lock when they wake; a
/// [`Parker`](crate::Parker) for each would take one call each.
#[derive(Debug)]
pub struct Latch {
    clock: Arc<dyn Clock>,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    is_open: AtomicBool,
    /// Changes when it opens, and when a deadline on a clock that is moved by hand has passed.
    changed: WaitWord,
    /// Of those who wait on such a clock.
    timers: Mutex<Vec<TimerId>>,
}

impl Latch {
    /// A closed latch whose deadlines are those of `clock`.
    pub fn new(clock: &Arc<dyn Clock>) -> Self {
        Self { clock: Arc::clone(clock), shared: Arc::default() }
    }

    /// Opens it and wakes all who wait.
    pub fn open(&self) {
        let timers = {
            let mut timers = self.shared.timers.lock();
            self.shared.is_open.store(true, Ordering::Release);
            std::mem::take(&mut *timers)
        };
        timers.into_iter().for_each(|timer| self.clock.cancel(timer));
        self.shared.changed.change_and_wake_all();
    }

    /// Waits until it is open (true), at most `duration` (false).
    pub fn wait_for(&self, duration: Duration) -> bool {
        let at = self.clock.uptime().saturating_add(duration);
        let Some(instant) = self.clock.instant_at(at) else { return self.wait_by_hand(at) };
        let mut left = duration;
        loop {
            let seen = self.shared.changed.value();
            if self.is_open() || left.is_zero() {
                return self.is_open();
            }
            self.shared.changed.wait_while(seen, Some(left));
            if !self.is_open() {
                left = instant.saturating_duration_since(Instant::now());
            }
        }
    }

    /// On a clock that is moved by hand.
    fn wait_by_hand(&self, at: Duration) -> bool {
        {
            let mut timers = self.shared.timers.lock();
            if self.is_open() {
                return true;
            }
            timers.push(self.clock.wake_at(at, Waker::from(Arc::clone(&self.shared))));
        }
        loop {
            let seen = self.shared.changed.value();
            if self.is_open() || self.clock.uptime() >= at {
                return self.is_open();
            }
            self.shared.changed.wait_while(seen, None);
        }
    }

    fn is_open(&self) -> bool {
        self.shared.is_open.load(Ordering::Acquire)
    }
}

impl Wake for Shared {
    /// A deadline has passed: those who wait look at the clock.
    fn wake(self: Arc<Self>) {
        self.changed.change_and_wake_all();
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

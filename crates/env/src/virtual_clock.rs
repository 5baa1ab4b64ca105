//! A clock that stands still until a test moves it.

use std::task::Waker;
use std::time::Duration;

use parking_lot::Mutex;

use crate::timers::Timers;
use crate::{Clock, TimerId};

/// Time that moves when told.
#[derive(Debug)]
pub struct VirtualClock {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    wall_ms_at_zero: i64,
    utc_offset_ms: i64,
    uptime: Duration,
    timers: Timers,
}

impl VirtualClock {
    /// A clock whose wall time is `start_ms` (milliseconds since the Unix epoch) and whose uptime is zero.
    pub fn new(start_ms: i64) -> Self {
        Self {
            state: Mutex::new(State {
                wall_ms_at_zero: start_ms,
                utc_offset_ms: 0,
                uptime: Duration::ZERO,
                timers: Timers::default(),
            }),
        }
    }

    /// Moves time forward by `by`. Timers that fall due fire in order, each at its own time: a waker that reads the clock
    /// sees the time it asked for, and timers it makes within the interval fire as well.
    pub fn advance(&self, by: Duration) {
        let target = self.uptime().saturating_add(by);
        while self.step(target) {}
    }

    /// Moves time forward to the earliest timer that falls due until `target` and fires that one alone; false, and the
    /// time is `target`, if there is none. So a test can wait between timers until what one of them woke sleeps again.
    pub fn step(&self, target: Duration) -> bool {
        let mut state = self.state.lock();
        let waker = state.timers.next_due().filter(|due| *due <= target).and_then(|due| {
            state.uptime = state.uptime.max(due);
            state.timers.pop_due(due)
        });
        let Some(waker) = waker else {
            state.uptime = state.uptime.max(target);
            return false;
        };
        drop(state);
        waker.wake();
        true
    }

    /// Sets the wall clock to `ms`, forwards or backwards, without moving the uptime (as an administrator or NTP does).
    pub fn set_wall_ms(&self, ms: i64) {
        let mut state = self.state.lock();
        state.wall_ms_at_zero = ms - millis(state.uptime);
    }

    /// Sets how far local time is ahead of UTC, in milliseconds; 0 at first.
    pub fn set_utc_offset_ms(&self, ms: i64) {
        self.state.lock().utc_offset_ms = ms;
    }

    /// How many timers wait. A thread that sleeps in [`Parker::park_for`](crate::Parker::park_for) has one until it is
    /// woken, so a test sees here whether threads sleep.
    pub fn pending_timers(&self) -> usize {
        self.state.lock().timers.len()
    }
}

impl Clock for VirtualClock {
    fn now_ms(&self) -> i64 {
        let state = self.state.lock();
        state.wall_ms_at_zero + millis(state.uptime)
    }

    fn utc_offset_ms(&self, _at_ms: i64) -> i64 {
        self.state.lock().utc_offset_ms
    }

    fn uptime(&self) -> Duration {
        self.state.lock().uptime
    }

    fn wake_at(&self, at: Duration, waker: Waker) -> TimerId {
        self.state.lock().timers.insert(at, waker)
    }

    fn cancel(&self, timer: TimerId) {
        self.state.lock().timers.remove(timer);
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::task::Wake;

    use super::*;

    struct Note(Arc<Mutex<Vec<(u32, Duration)>>>, u32, Arc<VirtualClock>);

    impl Wake for Note {
        fn wake(self: Arc<Self>) {
            self.0.lock().push((self.1, self.2.uptime()));
        }
    }

    #[test]
    fn timers_fire_in_order_each_at_its_own_time() {
        let clock = Arc::new(VirtualClock::new(1_000));
        let fired = Arc::new(Mutex::new(Vec::new()));
        let make = |name, at| {
            let waker = Waker::from(Arc::new(Note(fired.clone(), name, clock.clone())));
            clock.wake_at(Duration::from_millis(at), waker)
        };
        make(2, 20);
        make(1, 10);
        let cancelled = make(3, 15);
        make(4, 31);
        clock.cancel(cancelled);
        clock.advance(Duration::from_millis(30));
        assert_eq!(*fired.lock(), [(1, Duration::from_millis(10)), (2, Duration::from_millis(20))]);
        assert_eq!((clock.now_ms(), clock.pending_timers()), (1_030, 1));
    }

    #[test]
    fn the_wall_clock_may_step_back_while_uptime_goes_on() {
        let clock = VirtualClock::new(5_000);
        clock.advance(Duration::from_secs(1));
        clock.set_wall_ms(100);
        clock.advance(Duration::from_secs(1));
        assert_eq!((clock.now_ms(), clock.uptime()), (1_100, Duration::from_secs(2)));
    }
}

//! The operating system's clock. One timer thread, started by the first timer, sleeps until the earliest one is due.

use std::sync::Arc;
use std::task::Waker;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use chrono::TimeZone;
use parking_lot::{Condvar, Mutex};

use crate::timers::Timers;
use crate::{Clock, TimerId};

/// Real time.
#[derive(Debug)]
pub struct SystemClock {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    started: Instant,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    timers: Timers,
    thread_running: bool,
    stopped: bool,
}

impl SystemClock {
    /// A clock whose uptime starts now.
    pub fn new() -> Self {
        let shared = Shared { started: Instant::now(), state: Mutex::default(), changed: Condvar::new() };
        Self { shared: Arc::new(shared) }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now_ms(&self) -> i64 {
        // Not by `as_millis`, whose 128 bits cost more than the rest.
        let ms = |since: Duration| since.as_secs() as i64 * 1_000 + i64::from(since.subsec_millis());
        SystemTime::now().duration_since(UNIX_EPOCH).map_or_else(|before| -ms(before.duration()), ms)
    }

    fn utc_offset_ms(&self, at_ms: i64) -> i64 {
        let local = chrono::Local.timestamp_millis_opt(at_ms).single();
        local.map_or(0, |local| i64::from(local.offset().local_minus_utc()) * 1_000)
    }

    fn uptime(&self) -> Duration {
        self.shared.started.elapsed()
    }

    fn instant_at(&self, at: Duration) -> Option<Instant> {
        self.shared.started.checked_add(at)
    }

    fn wake_at(&self, at: Duration, waker: Waker) -> TimerId {
        let mut state = self.shared.state.lock();
        let is_earliest = state.timers.next_due().is_none_or(|due| at < due);
        let id = state.timers.insert(at, waker);
        if !state.thread_running {
            state.thread_running = true;
            let shared = Arc::clone(&self.shared);
            thread::spawn(move || shared.run());
        } else if is_earliest {
            self.shared.changed.notify_one();
        }
        id
    }

    fn cancel(&self, timer: TimerId) {
        self.shared.state.lock().timers.remove(timer);
    }
}

impl Drop for SystemClock {
    fn drop(&mut self) {
        self.shared.state.lock().stopped = true;
        self.shared.changed.notify_one();
    }
}

impl Shared {
    fn run(&self) {
        let mut state = self.state.lock();
        while !state.stopped {
            if let Some(waker) = state.timers.pop_due(self.started.elapsed()) {
                parking_lot::MutexGuard::unlocked(&mut state, || waker.wake());
                continue;
            }
            match state.timers.next_due().and_then(|due| self.started.checked_add(due)) {
                Some(due) => drop(self.changed.wait_until(&mut state, due)),
                None => self.changed.wait(&mut state),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Parker, sleep};

    #[test]
    fn a_parked_thread_is_woken_by_its_deadline() {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let parker = Parker::new(&clock);
        let before = clock.uptime();
        assert!(!parker.park_for(Duration::from_millis(20)));
        assert!(clock.uptime() - before >= Duration::from_millis(20));
    }

    #[test]
    fn local_time_is_ahead_of_utc_by_whole_minutes_and_less_than_a_day() {
        for at_ms in [-1, 0, 1_700_000_000_000, i64::MAX] {
            let offset_ms = SystemClock::new().utc_offset_ms(at_ms);
            assert!(offset_ms.abs() < 86_400_000 && offset_ms % 1_000 == 0, "{at_ms}: {offset_ms}");
        }
    }

    #[test]
    fn a_dropped_sleep_leaves_no_timer() {
        let system = Arc::new(SystemClock::new());
        let clock: Arc<dyn Clock> = system.clone();
        let mut future = Box::pin(sleep(&clock, Duration::from_secs(3600)));
        let mut context = std::task::Context::from_waker(Waker::noop());
        assert!(future.as_mut().poll(&mut context).is_pending());
        assert_eq!(system.shared.state.lock().timers.len(), 1);
        drop(future);
        assert_eq!(system.shared.state.lock().timers.len(), 0);
    }
}

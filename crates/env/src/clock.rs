//! The seam for time, and a future that sleeps on it.

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use crate::TimerId;

/// Wall time, monotonic time and timers.
pub trait Clock: Send + Sync + Debug {
    /// Wall clock in milliseconds since the Unix epoch, UTC. May step backwards.
    fn now_ms(&self) -> i64;

    /// How far local time is ahead of UTC at the wall time `at_ms`, in milliseconds (summer time included).
    fn utc_offset_ms(&self, at_ms: i64) -> i64;

    /// Monotonic time since this clock was made.
    fn uptime(&self) -> Duration;

    /// The operating system's time at which [`uptime`](Clock::uptime) will be `at`; `None` if this clock is moved by hand. A
    /// thread can wait for it without a timer.
    fn instant_at(&self, _at: Duration) -> Option<Instant> {
        None
    }

    /// Wakes `waker` once, as soon as [`uptime`](Clock::uptime) is `at` or later (at once, from the clock's own thread or
    /// from the next `advance`, if that time is past). Wakers run outside of the clock's locks.
    fn wake_at(&self, at: Duration, waker: Waker) -> TimerId;

    /// Forgets a timer. Without effect if it has fired.
    fn cancel(&self, timer: TimerId);
}

/// A future that completes `duration` from now on `clock`. Needs no particular executor; the timer is cancelled when the
/// future is dropped.
pub fn sleep(clock: &Arc<dyn Clock>, duration: Duration) -> Sleep {
    Sleep { clock: Arc::clone(clock), at: clock.uptime().saturating_add(duration), registered: None }
}

/// Made by [`sleep`].
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct Sleep {
    clock: Arc<dyn Clock>,
    at: Duration,
    registered: Option<(TimerId, Waker)>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.clock.uptime() >= self.at {
            self.cancel();
            return Poll::Ready(());
        }
        let current = self.registered.as_ref().is_some_and(|(_, waker)| waker.will_wake(context.waker()));
        if !current {
            self.cancel();
            let waker = context.waker().clone();
            let timer = self.clock.wake_at(self.at, waker.clone());
            self.registered = Some((timer, waker));
        }
        Poll::Pending
    }
}

impl Sleep {
    fn cancel(&mut self) {
        if let Some((timer, _)) = self.registered.take() {
            self.clock.cancel(timer);
        }
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.cancel();
    }
}

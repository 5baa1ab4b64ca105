//! What was put and got since the start, by second and by day (`store/StoreStatsService.java`, `store/stats/BrokerStats.java`).

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use rocketmq_env::Clock;

/// How often [`StoreStats::sample`] is to be called.
pub(crate) const SAMPLING: Duration = Duration::from_secs(1);
/// Rates are told of so many samples.
const WINDOWS: [usize; 3] = [10, 60, 600];
const MAX_SAMPLES: usize = 601;
const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// Counters, all since the start.
#[derive(Debug)]
pub(crate) struct StoreStats {
    pub(crate) messages_put: AtomicU64,
    pub(crate) messages_got: AtomicU64,
    /// Pulls that found messages.
    pub(crate) gets_found: AtomicU64,
    /// Pulls that found none.
    pub(crate) gets_missed: AtomicU64,
    history: Mutex<History>,
}

/// The counters at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) messages_put: u64,
    pub(crate) messages_got: u64,
    pub(crate) gets_found: u64,
    pub(crate) gets_missed: u64,
}

#[derive(Debug)]
struct History {
    samples: VecDeque<(Duration, Totals)>,
    /// Days since the epoch in local time.
    today: i64,
    mornings: Mornings,
}

/// The counters when days began; zeros for a day on which the broker did not run yet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Mornings {
    pub(crate) yesterday: Totals,
    pub(crate) today: Totals,
}

impl StoreStats {
    pub(crate) fn new(clock: &dyn Clock) -> Self {
        let history = History { samples: VecDeque::new(), today: local_day(clock), mornings: Mornings::default() };
        Self {
            messages_put: AtomicU64::new(0),
            messages_got: AtomicU64::new(0),
            gets_found: AtomicU64::new(0),
            gets_missed: AtomicU64::new(0),
            history: Mutex::new(history),
        }
    }

    pub(crate) fn totals(&self) -> Totals {
        Totals {
            messages_put: self.messages_put.load(Ordering::Relaxed),
            messages_got: self.messages_got.load(Ordering::Relaxed),
            gets_found: self.gets_found.load(Ordering::Relaxed),
            gets_missed: self.gets_missed.load(Ordering::Relaxed),
        }
    }

    pub(crate) fn mornings(&self) -> Mornings {
        self.history.lock().mornings
    }

    /// Remembers the counters of now, and at midnight of local time as those of the morning.
    pub(crate) fn sample(&self, clock: &dyn Clock) {
        let totals = self.totals();
        let day = local_day(clock);
        let mut history = self.history.lock();
        if day > history.today {
            history.today = day;
            history.mornings = Mornings { yesterday: history.mornings.today, today: totals };
        }
        if history.samples.len() == MAX_SAMPLES {
            history.samples.pop_front();
        }
        history.samples.push_back((clock.uptime(), totals));
    }

    /// How many a second `count` rose by in the last 10, 60 and 600 seconds, with blanks between; nothing for a time longer
    /// than the broker runs, as Apache has it.
    pub(crate) fn rates(&self, count: impl Fn(&Totals) -> u64) -> String {
        let samples = &self.history.lock().samples;
        let rate = |window: usize| {
            let (began, before) = samples.get(samples.len().checked_sub(window + 1)?)?;
            let (ended, after) = samples.back()?;
            let counted = count(after) - count(before);
            // As Java prints a double.
            Some(format!("{:?}", counted as f64 / (*ended - *began).as_secs_f64()))
        };
        WINDOWS.map(|window| rate(window).unwrap_or_default()).join(" ")
    }
}

fn local_day(clock: &dyn Clock) -> i64 {
    let now_ms = clock.now_ms();
    (now_ms + clock.utc_offset_ms(now_ms)).div_euclid(DAY_MS)
}

#[cfg(test)]
mod tests {
    use rocketmq_env::VirtualClock;

    use super::*;

    /// Stores and takes samples for so many seconds.
    fn run(stats: &StoreStats, clock: &VirtualClock, seconds: u64, messages_a_second: u64) {
        for _ in 0..seconds {
            stats.messages_put.fetch_add(messages_a_second, Ordering::Relaxed);
            clock.advance(SAMPLING);
            stats.sample(clock);
        }
    }

    #[test]
    fn rates_are_of_the_last_10_60_and_600_seconds_once_there_were_so_many() {
        let clock = VirtualClock::new(0);
        let stats = StoreStats::new(&clock);
        let rates = || stats.rates(|totals| totals.messages_put);
        run(&stats, &clock, 10, 3);
        assert_eq!(rates(), "  ");
        run(&stats, &clock, 1, 3);
        assert_eq!(rates(), "3.0  ");
        run(&stats, &clock, 50, 6);
        assert_eq!(rates(), "6.0 5.5 ");
        run(&stats, &clock, 2_000, 1);
        assert_eq!(rates(), "1.0 1.0 1.0");
        run(&stats, &clock, 5, 0);
        assert!(rates().starts_with("0.5 "), "{}", rates());
    }

    #[test]
    fn mornings_are_what_was_counted_up_to_midnight_of_local_time() {
        let clock = VirtualClock::new(DAY_MS - 10_000);
        clock.set_utc_offset_ms(-3_000);
        let stats = StoreStats::new(&clock);
        run(&stats, &clock, 12, 1);
        assert_eq!(stats.mornings(), Mornings::default());
        run(&stats, &clock, 1, 1);
        let first = Totals { messages_put: 13, ..Totals::default() };
        assert_eq!(stats.mornings(), Mornings { yesterday: Totals::default(), today: first });
        run(&stats, &clock, 24 * 60 * 60, 1);
        let second = Totals { messages_put: 13 + 24 * 60 * 60, ..Totals::default() };
        assert_eq!(stats.mornings(), Mornings { yesterday: first, today: second });
    }
}

//! Whether a flush waits for those whom the one before it has just answered.
//!
//! Writers that put again as soon as they are answered are otherwise split in two halves, of which one waits while the other
//! is flushed. Together in every flush they take half the flushes; but the disk stands still until they are back. Which is
//! faster depends on what they do in between, so both are tried now and then, and the faster is kept.

use std::time::Duration;

/// How many times as fast waiting has to be. A trial is too short to tell small differences.
const WORTH_IT: f64 = 1.15;

/// What is longer than so many times its flush is a pause.
const LONGEST_PAUSE: u32 = 4;

/// Weight of the newest trial. A single one may have met the file system busy with something else.
const WEIGHT: f64 = 0.25;

/// What was seen of those who wait for flushes.
#[derive(Debug)]
pub(crate) struct Regroup {
    /// How many may wait for the next flush, and how long that may wait for them.
    expected: usize,
    patience: Duration,
    phase: Phase,
    /// Of this phase.
    flushes: u32,
    bytes: u64,
    /// Time it took, without the pauses in which nobody wanted a flush.
    busy: Duration,
    ended: Duration,
    /// Bytes flushed in a second without waiting. (Of those who wait one may stand for many messages.)
    rate_apart: f64,
    /// How many times as fast it was with waiting, a mean of the trials so far.
    gain: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Tries how fast it is without waiting.
    Apart,
    /// Tries how fast it is with it.
    Together,
    /// Does what was faster.
    Settled,
}

impl Phase {
    fn flushes(self) -> u32 {
        match self {
            Self::Apart | Self::Together => 48,
            Self::Settled => 1_024,
        }
    }
}

impl Default for Regroup {
    fn default() -> Self {
        Self {
            expected: 0,
            patience: Duration::ZERO,
            phase: Phase::Apart,
            flushes: 0,
            bytes: 0,
            busy: Duration::ZERO,
            ended: Duration::ZERO,
            rate_apart: 0.0,
            gain: 1.0,
        }
    }
}

impl Regroup {
    /// A flush of so many bytes, which took `took`, ended at `now`. Those who waited for it or now wait for the next one are
    /// `waiting`.
    pub(crate) fn flushed(&mut self, waiting: usize, bytes: u64, took: Duration, now: Duration) {
        self.expected = waiting;
        self.patience = took / 2;
        self.bytes += bytes;
        self.busy += now.saturating_sub(self.ended).min(took * LONGEST_PAUSE);
        self.ended = now;
        self.flushes += 1;
        if self.flushes >= self.phase.flushes() {
            self.end_phase();
        }
    }

    fn end_phase(&mut self) {
        let rate = self.bytes as f64 / self.busy.as_secs_f64();
        self.phase = match self.phase {
            Phase::Apart => {
                self.rate_apart = rate;
                Phase::Together
            }
            Phase::Together => {
                let gain = (rate / self.rate_apart.max(1.0)).clamp(0.5, 2.0);
                self.gain += WEIGHT * (gain - self.gain);
                Phase::Settled
            }
            Phase::Settled => Phase::Apart,
        };
        (self.flushes, self.bytes, self.busy) = (0, 0, Duration::ZERO);
    }

    /// How many the next flush should wait for if `waiting` do now, and how long at most; `None` if it should begin at once.
    pub(crate) fn expected(&self, waiting: usize) -> Option<(usize, Duration)> {
        let waits = match self.phase {
            Phase::Apart => false,
            Phase::Together => true,
            Phase::Settled => self.gain > WORTH_IT,
        };
        (waits && waiting < self.expected).then_some((self.expected, self.patience))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOOK: Duration = Duration::from_micros(90);

    /// 64 writers who are back a while after they were answered; a flush of them takes as long as one of half of them.
    /// Returns how many of the last thousand flushes waited.
    fn waits_of_writers_back_after(back: Duration) -> usize {
        let mut regroup = Regroup::default();
        let mut now = Duration::ZERO;
        let mut waits = Vec::new();
        for _ in 0..8 * (2 * Phase::Apart.flushes() + Phase::Settled.flushes()) {
            let waited = regroup.expected(32).is_some();
            let bytes = if waited { 64_000 } else { 32_000 };
            now += TOOK + if waited { back } else { Duration::ZERO };
            regroup.flushed(64, bytes, TOOK, now);
            waits.push(waited);
        }
        waits.iter().rev().take(1_000).filter(|waited| **waited).count()
    }

    #[test]
    fn flushes_wait_for_those_who_are_back_soon_and_not_for_others() {
        assert_eq!(waits_of_writers_back_after(TOOK / 3), 1_000);
        assert_eq!(waits_of_writers_back_after(TOOK * 2), 0);
    }

    #[test]
    fn a_flush_waits_half_its_time_for_those_it_answered_and_those_who_waited_meanwhile() {
        let mut regroup = Regroup { phase: Phase::Together, ..Regroup::default() };
        assert_eq!(regroup.expected(1), None, "nobody was answered yet");
        regroup.flushed(63, 32_000, TOOK, TOOK);
        assert_eq!(regroup.expected(31), Some((63, TOOK / 2)));
        assert_eq!(regroup.expected(63), None, "they are there");
        regroup.flushed(1, 1_000, TOOK, TOOK);
        assert_eq!(regroup.expected(1), None, "one writer alone never waits");
    }
}

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

/// Of how many flushes at least for which somebody was missing a trial can tell what they cost. There may be few: writers that
/// were brought together stay so for a while.
const FEWEST_APART: usize = 16;

/// Weight of the newest trial.
const WEIGHT: f64 = 0.25;

/// What was seen of those who wait for flushes.
#[derive(Debug)]
pub(crate) struct Regroup {
    /// How many may wait for the next flush, and how long that may wait for them.
    expected: usize,
    patience: Duration,
    phase: Phase,
    /// Flushes of this phase.
    flushes: u32,
    ended: Duration,
    apart: Trial,
    together: Trial,
    /// How many times as fast it was with waiting, a mean of the trials so far.
    gain: f64,
}

/// Flushes for which somebody was missing (`apart`), or that waited for all (`together`).
#[derive(Debug, Default)]
struct Trial {
    bytes: u64,
    took: Vec<Duration>,
    /// Time before each flush since the one before, without the pauses in which nobody wanted one.
    before: Vec<Duration>,
}

impl Trial {
    fn clear(&mut self) {
        self.bytes = 0;
        self.took.clear();
        self.before.clear();
    }

    fn seconds_before(&mut self) -> f64 {
        median(&mut self.before).as_secs_f64()
    }

    fn bytes_per_flush(&self) -> f64 {
        self.bytes as f64 / self.took.len() as f64
    }
}

fn median(times: &mut [Duration]) -> Duration {
    let middle = times.len() / 2;
    *times.select_nth_unstable(middle).1
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
            ended: Duration::ZERO,
            apart: Trial::default(),
            together: Trial::default(),
            gain: 1.0,
        }
    }
}

impl Regroup {
    /// A flush of so many bytes that `answered` waited for, which took `took`, ended at `now`. `waiting` wait for the next one by
    /// now.
    pub(crate) fn flushed(&mut self, answered: usize, waiting: usize, bytes: u64, took: Duration, now: Duration) {
        let trial = match self.phase {
            Phase::Apart => (answered < self.expected).then_some(&mut self.apart),
            Phase::Together => Some(&mut self.together),
            Phase::Settled => None,
        };
        if let Some(trial) = trial {
            let before = now.saturating_sub(self.ended).saturating_sub(took);
            trial.bytes += bytes;
            trial.took.push(took);
            trial.before.push(before.min(took * LONGEST_PAUSE));
        }
        self.expected = answered + waiting;
        self.patience = took / 2;
        self.ended = now;
        self.flushes += 1;
        if self.flushes >= self.phase.flushes() {
            self.end_phase();
        }
    }

    fn end_phase(&mut self) {
        self.flushes = 0;
        self.phase = match self.phase {
            Phase::Apart => Phase::Together,
            Phase::Together => {
                self.compare();
                Phase::Settled
            }
            Phase::Settled => Phase::Apart,
        };
    }

    /// Often the disk is slower in one trial than in the other by more than there is to be told, so both reckon with the same
    /// time of a flush. What differs is how much is in one, and how long the disk stands still before it.
    fn compare(&mut self) {
        if self.apart.took.len() >= FEWEST_APART {
            let (before_apart, before_together) = (self.apart.seconds_before(), self.together.seconds_before());
            let bytes = self.together.bytes_per_flush() / self.apart.bytes_per_flush();
            self.apart.took.append(&mut self.together.took);
            let took = median(&mut self.apart.took).as_secs_f64();
            let gain = bytes * (took + before_apart) / (took + before_together);
            // Flushes of nothing in no time tell nothing.
            if gain.is_finite() {
                self.gain += WEIGHT * (gain.clamp(0.5, 2.0) - self.gain);
            }
        }
        self.apart.clear();
        self.together.clear();
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

    /// 64 writers who are back a while after they were answered; how long a flush takes depends on its number. Returns how many
    /// of the last thousand flushes waited.
    fn waits_of_writers_back_after(back: Duration, took: impl Fn(u32) -> Duration) -> usize {
        let mut regroup = Regroup::default();
        let mut now = Duration::ZERO;
        let mut waits = Vec::new();
        for number in 0..8 * (2 * Phase::Apart.flushes() + Phase::Settled.flushes()) {
            let waited = regroup.expected(32).is_some();
            let took = took(number);
            if waited {
                now += back + took;
                regroup.flushed(64, 0, 64_000, took, now);
            } else {
                now += took;
                regroup.flushed(32, 32, 32_000, took, now);
            }
            waits.push(waited);
        }
        waits.iter().rev().take(1_000).filter(|waited| **waited).count()
    }

    #[test]
    fn flushes_wait_for_those_who_are_back_soon_and_not_for_others() {
        assert_eq!(waits_of_writers_back_after(TOOK / 3, |_| TOOK), 1_000);
        assert_eq!(waits_of_writers_back_after(TOOK * 2, |_| TOOK), 0);
    }

    #[test]
    fn a_disk_that_is_fast_while_one_thing_is_tried_and_slow_while_the_other_is_decides_nothing() {
        let trials = 2 * Phase::Apart.flushes() + Phase::Settled.flushes();
        let slow_apart = |number| if number % trials < Phase::Apart.flushes() { TOOK * 2 } else { TOOK };
        let fast_apart = |number| if number % trials < Phase::Apart.flushes() { TOOK / 2 } else { TOOK };
        assert_eq!(waits_of_writers_back_after(TOOK * 2, slow_apart), 0);
        assert_eq!(waits_of_writers_back_after(TOOK / 3, fast_apart), 1_000);
    }

    #[test]
    fn writers_who_are_all_there_without_waiting_tell_nothing_of_it() {
        let mut regroup = Regroup { gain: 1.5, ..Regroup::default() };
        for number in 1..10_000 {
            regroup.flushed(64, 0, 64_000, TOOK, TOOK * number);
        }
        assert_eq!(regroup.gain, 1.5);
    }

    #[test]
    fn a_flush_waits_half_its_time_for_those_it_answered_and_those_who_waited_meanwhile() {
        let mut regroup = Regroup { phase: Phase::Together, ..Regroup::default() };
        assert_eq!(regroup.expected(1), None, "nobody was answered yet");
        regroup.flushed(32, 31, 32_000, TOOK, TOOK);
        assert_eq!(regroup.expected(31), Some((63, TOOK / 2)));
        assert_eq!(regroup.expected(63), None, "they are there");
        regroup.flushed(1, 0, 1_000, TOOK, TOOK);
        assert_eq!(regroup.expected(1), None, "one writer alone never waits");
    }
}

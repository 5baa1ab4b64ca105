//! Everything ends at a chosen changing call of the file system, again and again, recovery and close included: what was
//! acknowledged stays and is found by its key, what was never put does not appear, what was lost stays lost, what was
//! recovered stays. Each life appends in one of the ways there are: through a mapping of reserved space, by calls into it, or
//! without any.
//!
//! A crash point is one such call at which the power went off or the process was killed, and after which the store was
//! opened again (which may have been the next crash point) and compared with the model. `POWER_CUT_SEEDS=n` runs n seeds,
//! `POWER_CUT_FIRST_SEED=n` others; a seed makes the same calls each time.
#![allow(clippy::unwrap_used, reason = "a test that unwraps in vain fails, which is what it is for")]

mod common;

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use common::lockstep::Lockstep;
use common::model::{End, Message, Model};
use common::random::Random;
use common::*;
use parking_lot::Mutex;
use rocketmq_env::{Fault, FaultFs, Operation};
use rocketmq_store::{FlushDiskType, PutBatch, StoreConfig};

/// Seeds of one run of the test: enough for [`CRASH_POINTS`].
const SEEDS: u64 = 1_000;
const LIVES: u64 = 12;

/// Fewer means that the test does not do what it says.
const CRASH_POINTS: u64 = 10_000;

/// Large enough for several windows of reserved space, and for zeros that are written ahead.
const LARGE_SEGMENT_BYTES: u64 = 384 * 1024;

const QUEUES: [(&str, i32); 4] = [("Topic", 0), ("Topic", 1), ("Topic", 2), ("Other", 0)];

/// What a store was doing when everything ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Phase {
    Opening,
    Running,
    Closing,
}

/// How the commit log is written to in one life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Appends {
    /// ASYNC_FLUSH: through a mapping of reserved space.
    Mapped,
    /// SYNC_FLUSH: by calls, into reserved space.
    Reserved,
    /// Either, where no space can be reserved.
    Plain,
}

/// A place where everything ended.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Point {
    phase: Phase,
    end: End,
    operation: Operation,
    path: PathBuf,
    appends: Appends,
    is_large: bool,
    /// How much of the commit log was reserved and written through a mapping in the life that ended there.
    reservations: u64,
    mapped_writes: u64,
}

/// How many crash points were met, by what was going on.
#[derive(Debug, Default)]
struct Tally {
    points: BTreeMap<(Phase, End, Operation), u64>,
    /// By how the log was written to in that life.
    appends: BTreeMap<Appends, u64>,
    /// In lives in which space was reserved.
    reserved: u64,
    /// In lives in which the log was written to through a mapping.
    mapped: u64,
    /// At zeros that were written ahead of mapped appends.
    zeros: u64,
    /// In lives with windows within a file.
    large: u64,
    /// At a file that was deleted because the log was too large.
    deletions: u64,
}

impl Tally {
    fn add(&mut self, point: &Point) {
        *self.points.entry((point.phase, point.end, point.operation)).or_default() += 1;
        *self.appends.entry(point.appends).or_default() += 1;
        self.reserved += u64::from(point.reservations > 0);
        self.mapped += u64::from(point.mapped_writes > 0);
        let is_zeros = point.appends == Appends::Mapped && point.operation == Operation::Write;
        self.zeros += u64::from(is_zeros && point.path.starts_with("/store/commitlog"));
        self.large += u64::from(point.is_large);
        let is_removal = point.phase == Phase::Running && point.operation == Operation::Remove;
        self.deletions += u64::from(is_removal && point.path.starts_with("/store/commitlog"));
    }
}

/// One seed's run.
struct Run {
    random: Random,
    fs: FaultFs,
    model: Model,
    config: StoreConfig,
    now_ms: i64,
    ended: End,
    number: u64,
    appends: Appends,
    /// Of this life.
    calls_before: [u64; 2],
    met: Vec<Point>,
    /// Hash of how many calls were made at each step: the same for each run of a seed.
    trace: DefaultHasher,
    /// The same in words, for a seed that fails.
    events: Vec<String>,
}

impl Run {
    fn new(seed: u64) -> Self {
        let mut random = Random(seed);
        let commit_log_segment_bytes = if random.one_in(12) {
            LARGE_SEGMENT_BYTES
        } else {
            [4096, 4096, 6144, 16 * 1024][random.below(4) as usize]
        };
        let mut config = StoreConfig {
            commit_log_segment_bytes,
            max_message_bytes: (commit_log_segment_bytes / 2) as usize,
            consume_queue_segment_bytes: [200, 200, 400, 2_000][random.below(4) as usize],
            flush_consume_queue_thorough_interval: Duration::from_secs(1 + random.below(6)),
            ..small("/store")
        };
        let fs = FaultFs::new();
        let torn = random.one_in(4);
        // Where sectors are torn the model does not know where each message is.
        let deletes = !torn && random.one_in(3);
        if deletes {
            config.retention.max_log_bytes = Some((1 + random.below(3)) * commit_log_segment_bytes);
        }
        fs.set_whole_sectors(!torn);
        Self {
            random,
            fs,
            model: Model::new(torn),
            config,
            now_ms: START_MS,
            ended: End::Close,
            number: 0,
            appends: Appends::Plain,
            calls_before: [0; 2],
            met: Vec::new(),
            trace: DefaultHasher::new(),
            events: Vec::new(),
        }
    }

    fn run(&mut self) {
        for _ in 0..LIVES {
            self.life();
        }
        let last = Lockstep::open(self.config.clone(), &self.fs, self.now_ms).unwrap();
        self.model.check_after(self.ended, &last.store, &mut self.random);
        self.check_keys(&last);
        last.store.close().unwrap();
        self.model.len().hash(&mut self.trace);
    }

    /// One start of the store, until everything ends at a call chosen before, or the store is closed before that.
    fn life(&mut self) {
        self.choose_appends();
        // Starts make some tens of calls, runs some hundreds.
        let calls = if self.random.one_in(3) { 50 } else { 300 };
        self.fs.power_off_at(self.fs.calls() + 1 + self.random.below(calls));
        if self.is_large() || self.random.one_in(3) {
            let in_log = [(Operation::Allocate, 6), (Operation::MappedWrite, 40), (Operation::Write, 15)];
            // In large files zeros are written ahead of mapped appends.
            let choice = self.random.below(if self.is_large() { 5 } else { 3 });
            let (operation, most) = in_log[choice.min(2) as usize];
            self.fs.power_off_in(operation, "commitlog", self.random.below(most));
        } else if self.deletes() && self.random.one_in(2) {
            let directory = ["commitlog", "/store/"][self.random.below(2) as usize];
            self.fs.power_off_in(Operation::Remove, directory, self.random.below(4));
        }
        let opened = Lockstep::open(self.config.clone(), &self.fs, self.now_ms);
        self.trace("open");
        let Ok(running) = opened else { return self.crash(Phase::Opening) };
        if self.fs.last_call().is_some() {
            // A failure of the housekeeping, of which open does not hear.
            drop(running);
            return self.crash(Phase::Opening);
        }
        self.model.check_after(self.ended, &running.store, &mut self.random);
        assert!(self.deletes() || running.store.min_physical_offset() == 0, "the log has lost its head");
        self.check_keys(&running);
        if self.fs.last_call().is_some() {
            drop(running);
            return self.crash(Phase::Running);
        }
        let close_after = if self.random.one_in(3) { self.random.below(40) } else { 1_000 };
        for _ in 0..close_after {
            if !self.step(&running) {
                drop(running);
                return self.crash(Phase::Running);
            }
        }
        if self.random.one_in(2) {
            self.fs.power_off_at(self.fs.calls() + 1 + self.random.below(20));
        }
        let closed = running.store.close();
        self.trace("close");
        drop(running);
        match closed {
            Ok(()) => {
                self.model.flushed();
                self.ended = End::Close;
                // What happens after a close is no part of it.
                self.fs.kill_process();
                if self.random.one_in(2) {
                    self.fs.power_cut(self.random.next());
                }
            }
            Err(error) => {
                assert!(self.fs.last_call().is_some(), "{error:?}");
                self.crash(Phase::Closing);
            }
        }
        self.pass_time();
    }

    /// How the log is written to in this life, whatever it was before.
    fn choose_appends(&mut self) {
        let is_sync = self.random.one_in(2);
        self.config.flush_disk_type = if is_sync { FlushDiskType::SyncFlush } else { FlushDiskType::AsyncFlush };
        self.appends = if is_sync { Appends::Reserved } else { Appends::Mapped };
        self.fs.heal();
        if self.random.one_in(6) {
            self.appends = Appends::Plain;
            let path_contains = "commitlog".to_owned();
            let operation = Operation::Allocate;
            self.fs.inject(Fault { operation, path_contains, after: 0, times: u64::MAX, os_error: None });
        }
        self.calls_before = self.space_calls();
    }

    fn space_calls(&self) -> [u64; 2] {
        [Operation::Allocate, Operation::MappedWrite].map(|operation| self.fs.calls_of(operation))
    }

    fn deletes(&self) -> bool {
        self.config.retention.max_log_bytes.is_some()
    }

    fn is_large(&self) -> bool {
        self.config.commit_log_segment_bytes == LARGE_SEGMENT_BYTES
    }

    /// One thing a user of the store does; false if everything ended.
    fn step(&mut self, running: &Lockstep) -> bool {
        let choice = self.random.below(10);
        let went_well = match choice {
            0..=4 => self.put(running),
            5 | 6 => {
                let flushed = running.wait_flushed(running.store.max_physical_offset());
                if flushed.is_ok() {
                    self.model.flushed();
                }
                flushed.is_ok()
            }
            7 | 8 => {
                // Files are deleted from a minute after the start on.
                let is_long = self.deletes() && self.random.one_in(2);
                let most = if is_long { 75_000 } else { 2_500 };
                running.advance(Duration::from_millis(200 + self.random.below(most)));
                true
            }
            _ => {
                // To read may be to write.
                let written = running.store.write_out(running.store.max_physical_offset()).is_ok();
                if written && self.fs.last_call().is_none() {
                    self.model.written();
                    self.model.check_some(&running.store, &mut self.random);
                    self.check_keys(running);
                }
                true
            }
        };
        self.trace(["put", "flush", "advance", "read"][[0, 0, 0, 0, 0, 1, 1, 2, 2, 3][choice as usize]]);
        let is_over = self.fs.last_call().is_some();
        assert!(went_well || is_over, "a call failed though all is well");
        !is_over
    }

    fn put(&mut self, running: &Lockstep) -> bool {
        let mut batch = PutBatch::new();
        let mut messages = Vec::new();
        for _ in 0..1 + self.random.below(4) {
            let (topic, queue_id) = QUEUES[self.random.below(QUEUES.len() as u64) as usize];
            let mut body = format!("{}-", self.number).into_bytes();
            self.number += 1;
            let filler = if self.random.one_in(4) { 0 } else { b'x' };
            let longest = if self.is_large() { 30_000 } else { 700 };
            body.append(&mut vec![filler; self.random.below(longest) as usize]);
            let properties = format!("KEYS\u{1}key {}\u{2}TAGS\u{1}t\u{2}", key_of(&body));
            push(&mut batch, &running.store, topic, queue_id, &body, &properties);
            messages.push(Message { topic, queue_id, body, place: None });
        }
        match running.put(&mut batch) {
            // Nobody hears of the end in the middle of a write through a mapping.
            Ok(_) if self.fs.last_call().is_none_or(|(operation, _)| operation != Operation::MappedWrite) => {
                self.model.stored(&batch, messages);
                let stays_in_process = self.appends == Appends::Reserved && self.random.one_in(2);
                if !stays_in_process && running.store.write_out(running.store.max_physical_offset()).is_ok() {
                    self.model.written();
                }
                // The write may have been the call at which everything ends.
                stays_in_process || self.fs.last_call().is_none()
            }
            _ => {
                self.model.in_doubt(messages);
                false
            }
        }
    }

    /// Finds a few messages by their keys, each once. What is not indexed yet is, which may be when everything ends.
    fn check_keys(&mut self, running: &Lockstep) {
        for _ in 0..2 {
            let Some(message) = self.model.any(&running.store, &mut self.random) else { return };
            let result = running.store.query(message.topic, key_of(&message.body), 32, 0, i64::MAX);
            if self.fs.last_call().is_some() {
                return;
            }
            let mut found = Vec::new();
            for offset in result.unwrap().physical_offsets {
                assert!(running.store.record_at(offset, &mut found).unwrap());
            }
            let bodies: Vec<_> = records(&found).into_iter().map(|(_, body)| body).collect();
            assert_eq!(bodies, [message.body.as_slice()], "{message:?}");
        }
    }

    /// Everything has ended: what survives is decided.
    fn crash(&mut self, phase: Phase) {
        let (operation, path) = self.fs.last_call().unwrap();
        let end = if self.random.one_in(4) { End::Kill } else { End::PowerCut };
        let [reservations, mapped_writes] = self.space_calls();
        self.met.push(Point {
            phase,
            end,
            operation,
            path: path.clone(),
            appends: self.appends,
            is_large: self.is_large(),
            reservations: reservations - self.calls_before[0],
            mapped_writes: mapped_writes - self.calls_before[1],
        });
        self.trace(&format!("{end:?} while {phase:?} at {operation:?} {}", path.display()));
        match end {
            End::Kill => self.fs.kill_process(),
            _ => self.fs.power_cut(self.random.next()),
        }
        // What a power cut took is not back because the next start was killed.
        if phase != Phase::Opening || self.ended != End::PowerCut {
            self.ended = end;
        }
        self.pass_time();
    }

    /// The next start is later by the wall clock, or earlier if that was set back.
    fn pass_time(&mut self) {
        self.now_ms += self.random.below(20_000) as i64 - if self.random.one_in(10) { 3_600_000 } else { 0 };
    }

    fn trace(&mut self, event: &str) {
        let calls = self.fs.calls();
        calls.hash(&mut self.trace);
        self.events.push(format!("{event}: {} messages, {calls} calls", self.model.len()));
    }
}

/// The number at the start of a body.
fn key_of(body: &[u8]) -> &str {
    let digits = body.iter().position(|byte| *byte == b'-').unwrap();
    std::str::from_utf8(&body[..digits]).unwrap()
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

#[test]
fn nothing_acknowledged_is_lost_and_nothing_else_appears_wherever_everything_ends() {
    let first = number("POWER_CUT_FIRST_SEED", 0);
    let seeds = number("POWER_CUT_SEEDS", SEEDS);
    let next = AtomicU64::new(first);
    let tally = Mutex::new(Tally::default());
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + seeds {
                        return;
                    }
                    let mut run = Run::new(seed);
                    let outcome = std::panic::catch_unwind(AssertUnwindSafe(|| run.run()));
                    assert!(outcome.is_ok(), "{:#?}\nPOWER_CUT_FIRST_SEED={seed} POWER_CUT_SEEDS=1 fails", run.events);
                    let mut tally = tally.lock();
                    run.met.iter().for_each(|point| tally.add(point));
                }
            });
        }
    });
    let tally = tally.into_inner();
    let points = &tally.points;
    let of = |phase| points.iter().filter(|((met, ..), _)| *met == phase).map(|(_, count)| count).sum::<u64>();
    let (opening, running, closing) = (of(Phase::Opening), of(Phase::Running), of(Phase::Closing));
    println!("{} crash points: {opening} opening, {running} running, {closing} closing", opening + running + closing);
    for ((phase, end, operation), count) in points {
        println!("{phase:?} {end:?} {operation:?}: {count}");
    }
    let Tally { appends, reserved, mapped, zeros, large, deletions, .. } = &tally;
    println!("{deletions} at deletions of log files");
    println!(
        "{appends:?}, {reserved} with space reserved, {mapped} with mapped writes, {zeros} at zeros, {large} large"
    );
    if seeds >= SEEDS {
        assert!(opening + running + closing >= CRASH_POINTS);
        assert!(opening > CRASH_POINTS / 5 && running > CRASH_POINTS / 5 && closing > CRASH_POINTS / 50);
        assert!(*reserved > CRASH_POINTS / 2 && *mapped > CRASH_POINTS / 5 && *zeros > CRASH_POINTS / 200);
        assert!(*deletions > CRASH_POINTS / 400);
    }
}

#[test]
fn a_seed_makes_the_same_calls_each_time() {
    for seed in 0..25 {
        let traces = [0; 2].map(|_| {
            let mut run = Run::new(seed);
            run.run();
            run.trace.finish()
        });
        assert_eq!(traces[0], traces[1], "seed {seed}");
    }
}

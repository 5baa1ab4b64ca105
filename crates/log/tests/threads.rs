//! What threads share of a log. Run by Miri (see CONTRIBUTING.md), which tries many orders, sees reads of bytes that are being
//! written, and ends when all threads wait for each other.
#![allow(clippy::unwrap_used, reason = "a test that unwraps in vain fails, which is what it is for")]

mod common;

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use common::Bare;
use parking_lot::Mutex;
use rocketmq_env::{Clock, VirtualClock};
use rocketmq_log::{AppendCursor, FlushError, Flusher, FlusherOptions, SegmentedLog};

const SEGMENT_BYTES: u64 = 32;
const RECORD_BYTES: u64 = 8;

fn open() -> SegmentedLog {
    SegmentedLog::open(Arc::new(Bare), PathBuf::from("/log"), SEGMENT_BYTES).unwrap()
}

/// Appends the record that belongs at `at`.
fn append(log: &SegmentedLog, cursor: &mut AppendCursor, at: u64) {
    log.append(cursor, at, &[at as u8 + 1; RECORD_BYTES as usize]).unwrap();
    log.publish(at + RECORD_BYTES);
}

/// Reads all records from `from` to the end as of now; files before it may be gone. Returns that end.
fn read(log: &SegmentedLog, from: u64) -> u64 {
    let mut reader = log.reader();
    let mut at = from;
    while at < reader.end() {
        let whole =
            reader.with_bytes(at, RECORD_BYTES as usize, |bytes| bytes.iter().all(|byte| *byte == at as u8 + 1));
        let whole = whole.unwrap();
        assert!(whole == Some(true) || whole.is_none() && log.first_offset().unwrap() > at, "{at}: {whole:?}");
        at += RECORD_BYTES;
    }
    at
}

#[test]
fn readers_see_whole_records_while_one_writes_and_files_are_made_ahead_and_removed() {
    for reserved in [false, true] {
        let log = if reserved { open().with_space_reserved(false) } else { open() };
        let log = &log;
        let end = 10 * RECORD_BYTES;
        thread::scope(|scope| {
            scope.spawn(move || {
                let mut cursor = AppendCursor::default();
                (0..end).step_by(RECORD_BYTES as usize).for_each(|at| append(log, &mut cursor, at));
            });
            scope.spawn(move || {
                while log.end() < end {
                    log.prepare_spare().unwrap();
                    log.reserve_ahead().unwrap();
                    let end = log.end();
                    log.write_out_before(end).unwrap();
                    log.sync(0, end).unwrap();
                    log.remove_before(log.end().saturating_sub(SEGMENT_BYTES)).unwrap();
                    thread::yield_now();
                }
            });
            for _ in 0..2 {
                scope.spawn(move || {
                    let mut at = 0;
                    while at < end {
                        at = read(log, at);
                        thread::yield_now();
                    }
                });
            }
        });
    }
}

/// The flusher of `log`, whose clock stands still: nothing but being asked makes it flush.
fn start(log: &Arc<SegmentedLog>) -> Flusher {
    start_with(log, &Arc::new(VirtualClock::new(0)), || {})
}

/// The flusher of `log`, which does something in each flush.
fn start_with(log: &Arc<SegmentedLog>, clock: &Arc<VirtualClock>, in_flush: impl Fn() + Send + 'static) -> Flusher {
    let options = FlusherOptions {
        clock: Arc::clone(clock) as Arc<dyn Clock>,
        interval: Duration::from_secs(1),
        before_flush: Box::new(move || {
            in_flush();
            0
        }),
        after_flush: Box::new(|_, _| {}),
    };
    Flusher::start(Arc::clone(log), options)
}

#[test]
fn whoever_waits_for_a_flush_hears_of_it() {
    let log = Arc::new(open());
    let flusher = start(&log);
    let writing = Mutex::new(AppendCursor::default());
    let called = Arc::new(AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for _ in 0..2 {
                    let (from, end) = {
                        let mut cursor = writing.lock();
                        let from = log.end();
                        append(&log, &mut cursor, from);
                        (from, log.end())
                    };
                    let called = Arc::clone(&called);
                    let done = move |outcome: Result<(), FlushError>| {
                        outcome.unwrap();
                        called.fetch_add(1, Ordering::Relaxed);
                    };
                    flusher.when_flushed(end, Box::new(done));
                    flusher.wait_flushed(end, Duration::from_secs(3600)).unwrap();
                    assert!(flusher.flushed() >= end);
                    read(&log, from);
                }
            });
        }
    });
    flusher.stop().unwrap();
    assert_eq!((called.load(Ordering::Relaxed), flusher.flushed()), (6, log.end()));
}

#[test]
fn a_flusher_that_stops_answers_each_who_waits_once() {
    let log = Arc::new(open());
    let flusher = start(&log);
    append(&log, &mut AppendCursor::default(), 0);
    let outcomes = Arc::new(Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let of_callbacks = Arc::clone(&outcomes);
                flusher.when_flushed(RECORD_BYTES, Box::new(move |outcome| of_callbacks.lock().push(outcome)));
                let waited = flusher.wait_flushed(2 * RECORD_BYTES, Duration::from_secs(3600));
                assert_eq!(waited, Err(FlushError::Closed), "nobody ever writes that far");
            });
        }
        scope.spawn(|| flusher.stop().unwrap());
    });
    assert_eq!(*outcomes.lock(), [const { Ok::<(), FlushError>(()) }; 2]);
}

#[test]
fn no_flush_waits_for_others_on_a_clock_that_is_moved_by_hand() {
    let log = Arc::new(open());
    let clock = Arc::new(VirtualClock::new(0));
    let (asked, awaited) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let flusher = start_with(&log, &clock, {
        let (clock, asked, awaited) = (Arc::clone(&clock), Arc::clone(&asked), Arc::clone(&awaited));
        move || {
            // Each flush is of all who ask, and takes its time.
            while asked.load(Ordering::Acquire) < awaited.load(Ordering::Acquire) {
                thread::yield_now();
            }
            clock.advance(Duration::from_millis(1));
        }
    });
    let (answer, answers) = mpsc::channel();
    let mut cursor = AppendCursor::default();
    // Enough flushes of two for one to see what waiting for the second would bring, then one of one.
    for callers in [2; 60].into_iter().chain([1]) {
        awaited.fetch_add(callers, Ordering::Release);
        let from = log.end();
        append(&log, &mut cursor, from);
        for _ in 0..callers {
            let answer = answer.clone();
            flusher.when_flushed(log.end(), Box::new(move |outcome| answer.send(outcome).unwrap()));
            asked.fetch_add(1, Ordering::Release);
        }
        for _ in 0..callers {
            answers.recv_timeout(Duration::from_secs(60)).unwrap().unwrap();
        }
    }
}

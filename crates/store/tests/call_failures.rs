//! Each single call of the file system fails once, or it and all later ones of its kind do, while a store is opened, filled,
//! flushed, closed and opened again. Whatever the call: no panic, a failed put stores nothing, a message that was stored stays
//! readable, and after the cause is gone the next start has all that was acknowledged.
#![allow(clippy::unwrap_used, reason = "a test that unwraps in vain fails, which is what it is for")]

mod common;

use std::time::Duration;

use common::lockstep::Lockstep;
use common::model::{End, Message, Model};
use common::random::Random;
use common::*;
use rocketmq_env::{Fault, FaultFs, Operation};
use rocketmq_store::{FlushDiskType, PutBatch, StoreConfig, StoreError};

const EIO: Option<i32> = Some(5);
const ENOMEM: Option<i32> = Some(12);
const EACCES: Option<i32> = Some(13);
const ENOSPC: Option<i32> = Some(28);
/// Half of the bytes are transferred.
const SHORT: Option<i32> = None;
/// The file system cannot do that.
const UNSUPPORTED: Option<i32> = None;

fn config(flush_disk_type: FlushDiskType) -> StoreConfig {
    StoreConfig { flush_disk_type, flush_consume_queue_thorough_interval: Duration::from_secs(2), ..small("/store") }
}

/// What the calls of one run are told.
#[derive(Debug, Clone, Copy)]
struct Plan {
    operation: Operation,
    os_error: Option<i32>,
    after: u64,
    for_ever: bool,
    end: End,
}

impl Plan {
    /// Each call fails with either kind of flush, that is, with either way of appending.
    fn is_mapped(&self) -> bool {
        matches!(self.operation, Operation::MapForWriting | Operation::BringIn)
            || (self.end == End::Kill) != self.for_ever
    }
}

/// Messages in batches that roll over commit log files and consume queue files, some flushed, with time passing in between.
/// Ends early when the store refuses writes for good.
fn use_store(running: &Lockstep, model: &mut Model, first: u64) {
    for number in first..first + 12 {
        let mut batch = PutBatch::new();
        let mut messages = Vec::new();
        for index in 0..1 + number % 4 {
            let (topic, queue_id) = if number % 5 == 4 { ("Other", 0) } else { ("Topic", (index % 2) as i32) };
            let mut body = format!("{number}-{index}-").into_bytes();
            body.resize(200 + 100 * (number as usize % 5), b'x');
            if running.store.queue(topic, queue_id).is_err() {
                continue;
            }
            push(&mut batch, &running.store, topic, queue_id, &body, "TAGS\u{1}t\u{2}");
            messages.push(Message { topic, queue_id, body, place: None });
        }
        // A put that failed has stored nothing, unless it could not take that back: then no other put follows.
        match running.put(&mut batch) {
            Ok(ticket) => {
                model.stored(&batch, messages);
                let is_mapped = running.store.config().flush_disk_type == FlushDiskType::AsyncFlush;
                if is_mapped || number % 3 == 1 && running.store.write_out(ticket.end).is_ok() {
                    model.written();
                }
                if number % 3 == 0 && running.wait_flushed(ticket.end).is_ok() {
                    model.flushed();
                }
            }
            Err(StoreError::Poisoned { .. }) => {
                let again = running.put(&mut batch);
                assert!(matches!(again, Err(StoreError::Poisoned { .. })), "writes come back: {again:?}");
            }
            Err(_) if matches!(running.store.writable(), Err(StoreError::Poisoned { .. })) => model.in_doubt(messages),
            Err(_) => {}
        }
        if number % 4 == 3 {
            running.advance(Duration::from_millis(1_100));
        }
    }
}

/// Whether the planned failure happened.
fn run(plan: Plan) -> bool {
    let fs = FaultFs::new();
    fs.set_whole_sectors(true);
    let mut model = Model::default();
    let mut random = Random(plan.after);
    let Plan { operation, os_error, after, for_ever, end } = plan;
    let config = || config(if plan.is_mapped() { FlushDiskType::AsyncFlush } else { FlushDiskType::SyncFlush });
    let times = if for_ever { u64::MAX } else { 1 };
    fs.inject(Fault { operation, path_contains: String::new(), after, times, os_error });
    if operation == Operation::ZeroRange {
        // Only what a failed put leaves is zeroed. The first has nobody ahead of it who would meet the failure instead.
        let path_contains = "commitlog".to_owned();
        fs.inject(Fault { operation: Operation::Allocate, path_contains, after: 0, times: 1, os_error: EIO });
    }
    let mut how = End::Kill;
    for round in 0..2 {
        // A start that fails may be repeated at once.
        let opened = Lockstep::open(config(), &fs, START_MS).or_else(|error| {
            assert!(!error.to_string().is_empty());
            Lockstep::open(config(), &fs, START_MS)
        });
        let Ok(running) = opened else { break };
        // A failure of reading that is still to come is for the store and not for the test.
        let reads_well =
            |fs: &FaultFs| !matches!(operation, Operation::Read | Operation::Open) || !fs.has_failures_left();
        if reads_well(&fs) {
            model.check_after(how, &running.store, &mut random);
        }
        use_store(&running, &mut model, 100 * round);
        if reads_well(&fs) {
            model.check_some(&running.store, &mut random);
        }
        how = End::Kill;
        if round == 0 {
            // So that the second start recovers.
            fs.kill_process();
        } else if running.store.close().is_ok() {
            model.flushed();
            how = End::Close;
        }
        drop(running);
    }
    let happened = !fs.has_failures_left() || for_ever;
    fs.heal();
    match end {
        End::PowerCut => fs.power_cut(after),
        _ => fs.kill_process(),
    }
    let last = Lockstep::open(config(), &fs, START_MS).unwrap_or_else(|error| panic!("{plan:?}: {error:?}"));
    model.check_after(if end == End::PowerCut { End::PowerCut } else { how }, &last.store, &mut random);
    use_store(&last, &mut model, 1_000);
    last.store.close().unwrap();
    happened
}

/// Fails each call of a kind in turn, until none is left.
fn each_call(operation: Operation, os_errors: &[Option<i32>]) {
    for os_error in os_errors.iter().copied() {
        for end in [End::Kill, End::PowerCut] {
            let mut after = 0;
            loop {
                let plan = Plan { operation, os_error, after, for_ever: false, end };
                let outcome = std::panic::catch_unwind(|| run(plan));
                match outcome {
                    Ok(true) => after += 1,
                    Ok(false) => break,
                    Err(_) => panic!("{plan:?}"),
                }
                let plan = Plan { for_ever: true, ..plan };
                assert!(std::panic::catch_unwind(|| run(plan)).is_ok(), "{plan:?}");
            }
            assert!(after > 0, "no {operation:?} was made");
        }
    }
}

#[test]
fn whichever_write_fails_or_is_short_nothing_is_lost() {
    each_call(Operation::Write, &[EIO, ENOSPC, SHORT]);
}

#[test]
fn whichever_read_fails_or_is_short_nothing_is_lost() {
    each_call(Operation::Read, &[EIO, SHORT]);
}

#[test]
fn whichever_fsync_fails_nothing_acknowledged_is_lost() {
    each_call(Operation::Sync, &[EIO, ENOSPC]);
}

#[test]
fn whichever_fsync_of_a_directory_fails_nothing_acknowledged_is_lost() {
    each_call(Operation::SyncDir, &[EIO]);
}

#[test]
fn whichever_file_cannot_be_opened_made_or_looked_at_nothing_is_lost() {
    each_call(Operation::Open, &[EIO, EACCES, ENOSPC]);
}

#[test]
fn whichever_file_cannot_be_extended_nothing_is_lost() {
    each_call(Operation::SetLen, &[EIO, ENOSPC]);
}

#[test]
fn whichever_range_cannot_be_zeroed_nothing_is_lost() {
    each_call(Operation::ZeroRange, &[EIO, ENOSPC]);
}

#[test]
fn whichever_space_cannot_be_reserved_nothing_is_lost() {
    each_call(Operation::Allocate, &[EIO, ENOSPC, UNSUPPORTED]);
}

#[test]
fn whichever_space_cannot_be_mapped_nothing_is_lost() {
    each_call(Operation::MapForWriting, &[EIO, ENOMEM, UNSUPPORTED]);
}

#[test]
fn whichever_pages_cannot_be_brought_in_nothing_is_lost() {
    each_call(Operation::BringIn, &[EIO, ENOMEM, UNSUPPORTED]);
}

#[test]
fn whichever_directory_cannot_be_made_nothing_is_lost() {
    each_call(Operation::CreateDir, &[EACCES, ENOSPC]);
}

#[test]
fn whichever_file_cannot_be_removed_nothing_is_lost() {
    each_call(Operation::Remove, &[EIO, EACCES]);
}

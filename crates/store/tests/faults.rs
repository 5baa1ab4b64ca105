//! Files that fail, fill up, are damaged or missing: each has its outcome.
#![allow(clippy::unwrap_used, reason = "a test that unwraps in vain fails, which is what it is for")]

mod common;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use common::*;
use rocketmq_env::{Fault, FaultFs, Fs, OpenMode, Operation, VirtualClock};
use rocketmq_log::LogError;
use rocketmq_store::{FlushDiskType, FlushError, MessageStore, PutBatch, PutError, StoreConfig, StoreError};

const EIO: i32 = 5;

/// SYNC_FLUSH appends by calls, ASYNC_FLUSH through a mapping.
const FLUSHES: [FlushDiskType; 2] = [FlushDiskType::SyncFlush, FlushDiskType::AsyncFlush];

const HOUR: Duration = Duration::from_secs(3600);

fn store_on(fs: &FaultFs) -> Arc<MessageStore> {
    open_with(small("/store"), fs, &Arc::new(VirtualClock::new(START_MS))).unwrap()
}

fn sync_store_on(fs: &FaultFs) -> Arc<MessageStore> {
    let config = StoreConfig { flush_disk_type: FlushDiskType::SyncFlush, ..small("/store") };
    open_with(config, fs, &Arc::new(VirtualClock::new(START_MS))).unwrap()
}

/// A store where each put is written at once, as no space can be reserved.
fn plain_store_on(fs: &FaultFs) -> Arc<MessageStore> {
    let path_contains = "commitlog".to_owned();
    fs.inject(Fault { operation: Operation::Allocate, path_contains, after: 0, times: u64::MAX, os_error: None });
    sync_store_on(fs)
}

fn fail(fs: &FaultFs, operation: Operation, path: &str, after: u64, times: u64) {
    fs.inject(Fault { operation, path_contains: path.to_owned(), after, times, os_error: Some(EIO) });
}

fn segment(base: u64) -> String {
    format!("/store/commitlog/{base:020}")
}

#[test]
fn one_byte_transfers_change_nothing() {
    let fs = FaultFs::new();
    fs.set_one_byte_transfers(true);
    let store = store_on(&fs);
    let bodies: Vec<Vec<u8>> = (0..60).map(|number: i32| number.to_string().repeat(20).into_bytes()).collect();
    for body in &bodies {
        put(&store, "Topic", 0, body).unwrap();
    }
    store.close().unwrap();
    drop(store);
    assert_eq!(read_all(&store_on(&fs), "Topic", 0), bodies);
}

#[test]
fn a_failed_write_stores_nothing_of_its_batch_and_the_next_put_succeeds() {
    for nth in 0..6 {
        let fs = FaultFs::new();
        let store = plain_store_on(&fs);
        put(&store, "Topic", 0, b"before").unwrap();
        // Four batches of about 3 KiB in files of 4 KiB: blanks and new files are hit as well.
        fail(&fs, Operation::Write, "commitlog", nth, 1);
        let mut expected = vec![b"before".to_vec()];
        for number in 0..4_u8 {
            let mut batch = PutBatch::new();
            for _ in 0..6 {
                push(&mut batch, &store, "Topic", 0, &[number; 400], "");
            }
            match store.put(&mut batch) {
                Ok(_) => expected.extend(std::iter::repeat_n(vec![number; 400], 6)),
                Err(error) => assert!(matches!(error, StoreError::Log(LogError::Io { op: "write", .. })), "{error:?}"),
            }
        }
        assert_eq!(expected.len(), 19, "one batch has failed");
        put(&store, "Topic", 0, b"after").unwrap();
        expected.push(b"after".to_vec());
        assert_eq!(read_all(&store, "Topic", 0), expected);
        fs.kill_process();
        drop(store);
        assert_eq!(read_all(&store_on(&fs), "Topic", 0), expected, "write {nth}");
    }
}

#[test]
fn a_failed_batch_does_not_come_back_behind_a_shorter_one() {
    let fs = FaultFs::new();
    let store = plain_store_on(&fs);
    put(&store, "Topic", 0, b"before").unwrap();
    let mut batch = PutBatch::new();
    for _ in 0..5 {
        push(&mut batch, &store, "Topic", 0, b"never acknowledged", "");
    }
    // The first half reaches the file, the rest does not.
    let short =
        Fault { operation: Operation::Write, path_contains: "commitlog".into(), after: 0, times: 1, os_error: None };
    fs.inject(short);
    fail(&fs, Operation::Write, "commitlog", 0, 1);
    assert!(store.put(&mut batch).is_err());
    put(&store, "Topic", 0, b"same length as it ").unwrap();
    fs.kill_process();
    drop(store);
    assert_eq!(read_all(&store_on(&fs), "Topic", 0), [&b"before"[..], b"same length as it "]);
}

#[test]
fn a_failed_write_is_tried_again_and_loses_nothing() {
    for nth in 0..8 {
        let fs = FaultFs::new();
        let store = sync_store_on(&fs);
        let mut expected = Vec::new();
        fail(&fs, Operation::Write, "commitlog", nth, 1);
        for number in 0..12_u8 {
            // Files of 4 KiB: blanks and new files are hit as well, by a put that then stores nothing.
            match put(&store, "Topic", 0, &[number; 900]) {
                Ok((_, ticket)) => {
                    expected.push(vec![number; 900]);
                    // It may be tried again before this thread wakes up.
                    let flushed = (number % 2 == 1).then(|| store.wait_flushed(ticket.end, HOUR));
                    assert!(matches!(flushed, None | Some(Ok(()) | Err(FlushError::NotWritten(_)))), "{flushed:?}");
                }
                Err(error) => assert!(matches!(error, StoreError::Log(LogError::Io { op: "write", .. })), "{error:?}"),
            }
            assert_eq!(read_all(&store, "Topic", 0), expected, "write {nth}");
        }
        assert!(!fs.has_failures_left() && expected.len() >= 11, "write {nth}: {}", expected.len());
        store.wait_flushed(store.max_physical_offset(), HOUR).unwrap();
        fs.power_cut(nth);
        drop(store);
        assert_eq!(read_all(&store_on(&fs), "Topic", 0), expected, "write {nth}");
    }
}

#[test]
fn a_put_too_long_to_be_gathered_stores_nothing_when_a_write_fails_and_takes_nobody_with_it() {
    // First that of what was gathered before it fails, then its own.
    for nth in 0..2 {
        let fs = FaultFs::new();
        let config = StoreConfig {
            flush_disk_type: FlushDiskType::SyncFlush,
            commit_log_segment_bytes: 64 * 1024,
            max_message_bytes: 16 * 1024,
            ..small("/store")
        };
        let store = open_with(config.clone(), &fs, &Arc::new(VirtualClock::new(START_MS))).unwrap();
        put(&store, "Topic", 0, b"gathered").unwrap();
        fail(&fs, Operation::Write, "commitlog", nth, 1);
        let refused = put(&store, "Topic", 0, &[1; 8 * 1024]);
        assert!(matches!(refused, Err(StoreError::Log(LogError::Io { op: "write", .. }))), "{refused:?}");
        assert!(!fs.has_failures_left());
        assert_eq!(read_all(&store, "Topic", 0), [b"gathered"]);
        let (_, ticket) = put(&store, "Topic", 0, &[2; 8 * 1024]).unwrap();
        put(&store, "Topic", 0, b"gathered behind it").unwrap();
        store.wait_flushed(ticket.end + 1, HOUR).unwrap();
        fs.power_cut(nth);
        drop(store);
        let store = open_with(config, &fs, &Arc::new(VirtualClock::new(START_MS))).unwrap();
        assert_eq!(read_all(&store, "Topic", 0), [&b"gathered"[..], &[2; 8 * 1024], b"gathered behind it"]);
    }
}

#[test]
fn while_no_write_succeeds_puts_are_refused_and_reads_go_on() {
    let fs = FaultFs::new();
    let store = sync_store_on(&fs);
    let (_, ticket) = put(&store, "Topic", 0, b"on disk").unwrap();
    store.wait_flushed(ticket.end, HOUR).unwrap();
    put(&store, "Topic", 0, b"in memory").unwrap();
    fail(&fs, Operation::Write, "commitlog", 0, u64::MAX);
    assert!(store.write_out(store.max_physical_offset()).is_err());
    let flushed = store.wait_flushed(store.max_physical_offset(), HOUR);
    assert!(matches!(flushed, Err(FlushError::NotWritten(_))), "{flushed:?}");
    for _ in 0..3 {
        let refused = put(&store, "Topic", 0, b"refused");
        assert!(matches!(refused, Err(StoreError::Log(LogError::Io { op: "write", .. }))), "{refused:?}");
        assert_eq!(read_all(&store, "Topic", 0), [&b"on disk"[..], b"in memory"]);
    }
    fs.heal();
    put(&store, "Topic", 0, b"again").unwrap();
    store.close().unwrap();
    drop(store);
    assert_eq!(read_all(&store_on(&fs), "Topic", 0), [&b"on disk"[..], b"in memory", b"again"]);
}

#[test]
fn a_store_that_never_could_write_its_last_messages_says_so_at_its_close() {
    let fs = FaultFs::new();
    let store = sync_store_on(&fs);
    put(&store, "Topic", 0, b"in memory").unwrap();
    fail(&fs, Operation::Write, "commitlog", 0, u64::MAX);
    let closed = store.close();
    assert!(matches!(&closed, Err(StoreError::Poisoned { reason }) if reason.contains("not written")), "{closed:?}");
    assert!(fs.metadata(Path::new("/store/abort")).is_ok(), "the next start recovers");
}

#[test]
fn what_was_written_out_or_read_survives_the_process_without_a_flush() {
    let fs = FaultFs::new();
    let store = sync_store_on(&fs);
    let (_, ticket) = put(&store, "Topic", 0, b"written out").unwrap();
    store.write_out(ticket.end).unwrap();
    put(&store, "Topic", 0, b"read").unwrap();
    assert_eq!(read_all(&store, "Topic", 0), [&b"written out"[..], b"read"]);
    assert_eq!(store.flushed_physical_offset(), 0);
    fs.kill_process();
    drop(store);
    assert_eq!(read_all(&store_on(&fs), "Topic", 0), [&b"written out"[..], b"read"]);
}

#[test]
fn a_failed_reservation_or_mapping_stores_nothing_of_its_batch_and_the_next_put_succeeds() {
    let (sync, mapped) = (FlushDiskType::SyncFlush, FlushDiskType::AsyncFlush);
    for (operation, flush_disk_type) in [
        (Operation::Allocate, sync),
        (Operation::Allocate, mapped),
        (Operation::MapForWriting, mapped),
        (Operation::BringIn, mapped),
    ] {
        for nth in 0..2 {
            let fs = FaultFs::new();
            let config = StoreConfig { flush_disk_type, ..small("/store") };
            let store = open_with(config, &fs, &Arc::new(VirtualClock::new(START_MS))).unwrap();
            // The first file, and one that is reached in the middle of a batch.
            fail(&fs, operation, "commitlog", nth, 1);
            let mut expected = Vec::new();
            for number in 0..8_u8 {
                let mut batch = PutBatch::new();
                for _ in 0..3 {
                    push(&mut batch, &store, "Topic", 0, &[number; 400], "");
                }
                match store.put(&mut batch) {
                    Ok(_) => expected.extend(std::iter::repeat_n(vec![number; 400], 3)),
                    Err(error) => {
                        // With a mapping that is a part of the write.
                        let expected_op = if flush_disk_type == sync { "reserve space in" } else { "write" };
                        assert!(
                            matches!(error, StoreError::Log(LogError::Io { op, .. }) if op == expected_op),
                            "{error:?}"
                        );
                    }
                }
            }
            // The thread that works ahead may have met it: then nobody noticed.
            assert!(!fs.has_failures_left() && expected.len() >= 21, "{operation:?} {nth}: {}", expected.len());
            assert!(nth > 0 || expected.len() == 21, "the first put has nobody ahead of it");
            assert_eq!(read_all(&store, "Topic", 0), expected);
            store.write_out(store.max_physical_offset()).unwrap();
            fs.kill_process();
            drop(store);
            assert_eq!(read_all(&store_on(&fs), "Topic", 0), expected, "{operation:?} {nth}");
        }
    }
}

#[test]
fn a_disk_without_space_for_a_whole_window_takes_messages_until_it_is_full_and_goes_on_when_there_is_space() {
    for (flush_disk_type, power_cut) in FLUSHES.into_iter().flat_map(|flush| [(flush, false), (flush, true)]) {
        let fs = FaultFs::new();
        let clock = Arc::new(VirtualClock::new(START_MS));
        let config = StoreConfig {
            flush_disk_type,
            // An eighth is more than is put on the full disk: the next file is not asked for.
            commit_log_segment_bytes: 4 << 20,
            consume_queue_segment_bytes: 20_000,
            max_message_bytes: 1 << 17,
            ..small("/store")
        };
        let store = open_with(config.clone(), &fs, &clock).unwrap();
        // Its space is the first window.
        put(&store, "Topic", 0, &[1; 60_000]).unwrap();
        fs.set_free_bytes(Some(100_000));
        let mut expected = vec![vec![1; 60_000]];
        let mut refused = 0;
        for number in 0..40_u8 {
            match put(&store, "Topic", 0, &[number; 10_000]) {
                Ok(_) => expected.push(vec![number; 10_000]),
                Err(StoreError::Log(error)) => {
                    assert!(error.is_storage_full(), "{error:?}");
                    refused += 1;
                }
                Err(StoreError::ConsumeQueuesBehind { .. }) => refused += 1,
                Err(error) => panic!("{error:?}"),
            }
        }
        assert!(expected.len() > 12, "{} messages: space that was there was not used", expected.len());
        assert!(refused > 10, "{refused}");
        assert_eq!(read_all(&store, "Topic", 0), expected);
        fs.set_free_bytes(None);
        while store.writable().is_err() {
            clock.advance(Duration::from_millis(100));
            std::thread::yield_now();
        }
        for number in 0..40_u8 {
            put(&store, "Topic", 0, &[number; 10_000]).unwrap();
            expected.push(vec![number; 10_000]);
        }
        assert_eq!(read_all(&store, "Topic", 0), expected);
        let flushed = store.wait_flushed(store.max_physical_offset(), HOUR);
        assert_eq!(flushed, Ok(()));
        if power_cut {
            fs.power_cut(7);
        } else {
            store.close().unwrap();
        }
        drop(store);
        assert_eq!(read_all(&open_with(config, &fs, &clock).unwrap(), "Topic", 0), expected);
    }
}

#[test]
fn a_full_disk_refuses_puts_until_there_is_space_again() {
    for flush_disk_type in FLUSHES {
        refuses_puts_until_there_is_space_again(StoreConfig { flush_disk_type, ..small("/store") });
    }
}

fn refuses_puts_until_there_is_space_again(config: StoreConfig) {
    let fs = FaultFs::new();
    let clock = Arc::new(VirtualClock::new(START_MS));
    let store = open_with(config, &fs, &clock).unwrap();
    let mut expected = Vec::new();
    for number in 0..10_u8 {
        put(&store, "Topic", 0, &[number; 300]).unwrap();
        expected.push(vec![number; 300]);
    }
    fs.set_free_bytes(Some(2_048));
    let mut refused = 0;
    // Into what was reserved before go up to 15.
    for number in 10..40_u8 {
        match put(&store, "Topic", 0, &[number; 300]) {
            Ok(_) => expected.push(vec![number; 300]),
            Err(StoreError::Log(error)) => {
                assert!(error.is_storage_full(), "{error:?}");
                refused += 1;
            }
            // The consume queues may meet the full disk first.
            Err(StoreError::ConsumeQueuesBehind { .. }) => refused += 1,
            Err(error) => panic!("{error:?}"),
        }
    }
    assert!(refused > 5);
    assert_eq!(read_all(&store, "Topic", 0), expected);
    fs.set_free_bytes(None);
    while store.writable().is_err() {
        clock.advance(Duration::from_millis(100));
        std::thread::yield_now();
    }
    put(&store, "Topic", 0, b"space again").unwrap();
    expected.push(b"space again".to_vec());
    store.close().unwrap();
    drop(store);
    assert_eq!(read_all(&store_on(&fs), "Topic", 0), expected);
}

#[test]
fn a_failed_flush_refuses_all_later_puts_but_no_reads() {
    let fs = FaultFs::new();
    let store = store_on(&fs);
    put(&store, "Topic", 0, b"one").unwrap();
    fail(&fs, Operation::Sync, "commitlog", 0, 1);
    let (_, ticket) = put(&store, "Topic", 0, b"two").unwrap();
    let flushed = store.wait_flushed(ticket.end, HOUR);
    assert!(matches!(flushed, Err(FlushError::Failed(_))), "{flushed:?}");
    assert!(matches!(put(&store, "Topic", 0, b"three"), Err(StoreError::Poisoned { .. })));
    assert!(matches!(store.writable(), Err(StoreError::Poisoned { .. })));
    // A later fdatasync would succeed; it proves nothing.
    assert!(store.wait_flushed(ticket.end, HOUR).is_err());
    assert_eq!(read_all(&store, "Topic", 0), [b"one", b"two"]);
    assert!(store.close().is_err());
    assert!(fs.metadata(Path::new("/store/abort")).is_ok(), "the next start recovers");
    drop(store);
    assert_eq!(read_all(&store_on(&fs), "Topic", 0), [b"one", b"two"]);
}

#[test]
fn consume_queues_that_cannot_be_written_refuse_puts_until_they_can() {
    let fs = FaultFs::new();
    let clock = Arc::new(VirtualClock::new(START_MS));
    let store = open_with(small("/store"), &fs, &clock).unwrap();
    put(&store, "Topic", 0, b"one").unwrap();
    fail(&fs, Operation::Write, "consumequeue", 0, u64::MAX);
    while store.writable().is_ok() {
        clock.advance(Duration::from_millis(100));
        std::thread::yield_now();
    }
    assert!(matches!(put(&store, "Topic", 0, b"two"), Err(StoreError::ConsumeQueuesBehind { .. })));
    assert_eq!(read_all(&store, "Topic", 0), [b"one"]);
    fs.heal();
    while store.writable().is_err() {
        clock.advance(Duration::from_millis(100));
        std::thread::yield_now();
    }
    put(&store, "Topic", 0, b"two").unwrap();
    store.close().unwrap();
    drop(store);
    assert_eq!(read_all(&store_on(&fs), "Topic", 0), [b"one", b"two"]);
}

#[test]
fn damage_before_whole_records_is_refused_and_named_after_either_kind_of_stop() {
    for clean in [true, false] {
        let fs = FaultFs::new();
        let store = store_on(&fs);
        let (mut damaged_at, mut last_at) = (0, 0);
        for number in 0..12 {
            let (outcome, ticket) = put(&store, "Topic", 0, &[number; 100]).unwrap();
            if number == 7 {
                damaged_at = outcome.physical_offset;
            }
            last_at = outcome.physical_offset;
            store.wait_flushed(ticket.end, HOUR).unwrap();
        }
        if clean {
            store.close().unwrap();
            // Where the checkpoint points to: with a whole record there nobody would look at those before.
            let file = last_at as u64 / 4096 * 4096;
            fs.corrupt(Path::new(&segment(file)), last_at as u64 - file + 90, 0x10).unwrap();
        } else {
            fs.kill_process();
        }
        drop(store);
        fs.corrupt(Path::new(&segment(0)), damaged_at as u64 + 90, 0x10).unwrap();
        match open_with(small("/store"), &fs, &Arc::new(VirtualClock::new(START_MS))) {
            Err(StoreError::DamagedLog { damaged_at: at, file, file_offset, record_at }) => {
                assert_eq!((at, file_offset), (damaged_at, damaged_at as u64));
                assert_eq!(file, Path::new(&segment(0)));
                assert!(record_at > at);
            }
            other => panic!("clean {clean}: {other:?}"),
        }
    }
}

#[test]
fn any_truncation_of_the_last_record_cuts_that_record_alone() {
    let fs = FaultFs::new();
    let store = store_on(&fs);
    put(&store, "Topic", 0, b"first").unwrap();
    let (last, ticket) = put(&store, "Topic", 0, b"last").unwrap();
    store.close().unwrap();
    drop(store);
    let file = fs.open(Path::new(&segment(0)), OpenMode::ReadWrite).unwrap();
    let mut record = vec![0; (ticket.end - last.physical_offset) as usize];
    file.read_exact_at(&mut record, last.physical_offset as u64).unwrap();
    for kept in 0..record.len() {
        let mut torn = record.clone();
        torn[kept..].fill(0);
        if torn == record {
            continue;
        }
        let file = fs.open(Path::new(&segment(0)), OpenMode::ReadWrite).unwrap();
        file.write_all_at(&torn, last.physical_offset as u64).unwrap();
        let store = store_on(&fs);
        assert_eq!(read_all(&store, "Topic", 0), [b"first"], "{kept} bytes kept");
        // The message put next takes the place of the torn one.
        let (again, _) = put(&store, "Topic", 0, b"last").unwrap();
        assert_eq!(again.physical_offset, last.physical_offset);
        store.close().unwrap();
    }
}

#[test]
fn consume_queues_that_are_gone_are_made_again_from_the_log() {
    let directory = tempfile::tempdir().unwrap();
    let fill = |store: &MessageStore| {
        for number in 0..100 {
            put(store, if number % 2 == 0 { "Even" } else { "Odd" }, number % 4, number.to_string().as_bytes())
                .unwrap();
        }
    };
    let store = open_os(small(directory.path()));
    fill(&store);
    fill(&store);
    let expected = read_all(&store, "Even", 2);
    assert_eq!(expected.len(), 50);
    store.close().unwrap();
    for gone in ["consumequeue/Even/2", "consumequeue/Even", "consumequeue"] {
        std::fs::remove_dir_all(directory.path().join(gone)).unwrap();
        let store = open_os(small(directory.path()));
        assert_eq!(read_all(&store, "Even", 2), expected, "{gone}");
        assert_eq!(read_all(&store, "Odd", 1).len(), 50, "{gone}");
        store.close().unwrap();
    }
}

#[test]
fn files_that_are_no_segments_are_refused_by_name() {
    for (name, len) in [("00000000000000000000", 4_000), ("notes.txt", 4_096), ("00000000000000000007", 4_096)] {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("commitlog");
        std::fs::create_dir_all(&log).unwrap();
        std::fs::write(log.join(name), vec![0; len]).unwrap();
        let fs = Arc::new(rocketmq_env::OsFs);
        let clock = Arc::new(rocketmq_env::SystemClock::new());
        let error = MessageStore::open(small(directory.path()), fs, clock).unwrap_err();
        assert!(error.to_string().contains(name), "{error}");
    }
}

#[test]
fn empty_files_left_by_a_crash_are_taken_as_the_end() {
    let directory = tempfile::tempdir().unwrap();
    let store = open_os(small(directory.path()));
    put(&store, "Topic", 0, b"one").unwrap();
    store.close().unwrap();
    std::fs::write(directory.path().join("commitlog/00000000000000004096"), b"").unwrap();
    std::fs::write(directory.path().join("consumequeue/Topic/0/00000000000000000200"), b"").unwrap();
    let store = open_os(small(directory.path()));
    assert_eq!(read_all(&store, "Topic", 0), [b"one"]);
    for _ in 0..50 {
        put(&store, "Topic", 0, &[7; 300]).unwrap();
    }
    assert_eq!(read_all(&store, "Topic", 0).len(), 51);
}

#[test]
fn zeros_at_the_end_of_properties_are_refused_and_those_that_apache_stored_are_not_taken_for_a_torn_write() {
    for clean in [true, false] {
        let fs = FaultFs::new();
        let store = store_on(&fs);
        let queue = store.queue("Topic", 0).unwrap();
        let with_zero = message(&queue, b"body", "name\u{1}value\0");
        assert_eq!(PutBatch::new().push(&store, &with_zero), Err(PutError::ZeroInProperties { at: 10 }));
        let (_, ticket) = put_tagged(&store, "Topic", 0, b"body", "name\u{1}value\u{2}").unwrap();
        store.wait_flushed(ticket.end, HOUR).unwrap();
        if clean {
            store.close().unwrap();
        } else {
            fs.kill_process();
        }
        drop(store);
        fs.corrupt(Path::new(&segment(0)), ticket.end as u64 - 1, 2).unwrap();
        assert_eq!(read_all(&store_on(&fs), "Topic", 0), [b"body"], "clean {clean}");
    }
}

#[test]
fn a_get_that_has_all_it_was_asked_for_reads_nothing_more_of_the_queue() {
    let fs = FaultFs::new();
    let store = store_on(&fs);
    // Ten units are a file of the queue; those of a closed store are in files, not in memory.
    for number in 0..9 {
        put(&store, "Topic", 0, &[number]).unwrap();
    }
    store.close().unwrap();
    drop(store);
    let store = store_on(&fs);
    fail(&fs, Operation::Read, "consumequeue", 1, u64::MAX);
    let mut out = Vec::new();
    let result = store.get("Topic", 0, 0, 5, 1 << 20, None, &mut out).unwrap();
    assert_eq!((result.count, result.next_begin_offset), (5, 5));
    assert!(store.get("Topic", 0, 5, 4, 1 << 20, None, &mut out).is_err());
}

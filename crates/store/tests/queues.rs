//! Many queues, and what a start makes of queues and log: bounded where all is in order, refused or made again where not.
#![allow(clippy::unwrap_used, reason = "a test that unwraps in vain fails, which is what it is for")]

mod common;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Waker;
use std::time::Duration;

use common::lockstep::Lockstep;
use common::*;
use parking_lot::Mutex;
use rocketmq_env::{Clock, Fault, FaultFs, Fs, OpenMode, Operation, OsFs, TimerId, VirtualClock};
use rocketmq_log::LogError;
use rocketmq_store::{MessageStore, PutBatch, RecoveryListener, RecoveryPhase, StoreConfig, StoreError};

/// Above the number from which on queues are treated together.
const MANY: i32 = 2_100;

fn store_on(fs: &FaultFs) -> Arc<MessageStore> {
    open_with(small("/store"), fs, &Arc::new(VirtualClock::new(START_MS))).unwrap()
}

fn log_file(base: u64) -> PathBuf {
    PathBuf::from(format!("/store/commitlog/{base:020}"))
}

fn many_config(root: impl AsRef<Path>) -> StoreConfig {
    StoreConfig { commit_log_segment_bytes: 1 << 20, max_open_consume_queue_files: 8, ..small(root) }
}

fn put_to_many(store: &MessageStore, number: u8) {
    for index in 0..MANY {
        put(store, &format!("Topic-{}", index / 4), index % 4, &[number; 3]).unwrap();
    }
}

fn check_many(store: &MessageStore, numbers: u8) {
    let expected: Vec<_> = (0..numbers).map(|number| vec![number; 3]).collect();
    for index in 0..MANY {
        assert_eq!(read_all(store, &format!("Topic-{}", index / 4), index % 4), expected, "{index}");
    }
}

#[cfg(target_os = "linux")]
fn open_files_below(directory: &Path) -> usize {
    let descriptors = std::fs::read_dir("/proc/self/fd").unwrap();
    let targets = descriptors.filter_map(|entry| std::fs::read_link(entry.unwrap().path()).ok());
    targets.filter(|target| target.starts_with(directory) && target.is_file()).count()
}

#[cfg(target_os = "linux")]
#[test]
fn thousands_of_queues_need_few_open_files() {
    let directory = tempfile::tempdir().unwrap();
    let queues = directory.path().join("consumequeue");
    for round in 0..3 {
        let store = open_os(many_config(directory.path()));
        check_many(&store, round);
        put_to_many(&store, round);
        check_many(&store, round + 1);
        assert!(open_files_below(&queues) <= 8, "{}", open_files_below(&queues));
        if round == 1 {
            drop(store);
        } else {
            store.close().unwrap();
        }
    }
}

#[test]
fn many_queues_are_on_disk_once_the_store_is_closed() {
    for seed in 0..3 {
        let fs = FaultFs::new();
        let clock = Arc::new(VirtualClock::new(START_MS));
        let store = open_with(many_config("/store"), &fs, &clock).unwrap();
        put_to_many(&store, 0);
        store.close().unwrap();
        drop(store);
        fs.power_cut(seed);
        let store = open_with(many_config("/store"), &fs, &clock).unwrap();
        check_many(&store, 1);
    }
}

#[test]
fn many_queues_that_cannot_be_synced_are_recovered_at_the_next_start() {
    let fs = FaultFs::new();
    let clock = Arc::new(VirtualClock::new(START_MS));
    let store = open_with(many_config("/store"), &fs, &clock).unwrap();
    put_to_many(&store, 0);
    let path_contains = "consumequeue".to_owned();
    fs.inject(Fault { operation: Operation::Sync, path_contains, after: 0, times: 1, os_error: Some(5) });
    assert!(store.close().is_err());
    assert!(fs.exists(Path::new("/store/abort")).unwrap());
    drop(store);
    fs.power_cut(7);
    check_many(&open_with(many_config("/store"), &fs, &clock).unwrap(), 1);
}

#[test]
fn a_clean_start_reads_the_log_from_its_last_message_on_unless_somebody_else_wrote_it() {
    for apache_wrote in [false, true] {
        let fs = FaultFs::new();
        let store = store_on(&fs);
        let (first, _) = put(&store, "Topic", 0, b"damaged later").unwrap();
        for number in 0..5 {
            put(&store, "Topic", number % 3, b"whole").unwrap();
        }
        store.close().unwrap();
        drop(store);
        fs.corrupt(&log_file(0), first.physical_offset as u64 + 90, 0x10).unwrap();
        if apache_wrote {
            apache_stores(&fs, "/store");
        }
        match open_with(small("/store"), &fs, &Arc::new(VirtualClock::new(START_MS))) {
            Ok(store) if !apache_wrote => {
                let offsets: Vec<_> = (0..3).map(|queue_id| store.max_offset("Topic", queue_id).unwrap()).collect();
                assert_eq!(offsets, [3, 2, 1]);
                let (next, _) = put(&store, "Topic", 1, b"next").unwrap();
                assert_eq!(next.queue_offset, 2);
            }
            Err(StoreError::DamagedLog { damaged_at: 0, .. }) if apache_wrote => {}
            other => panic!("Apache wrote: {apache_wrote}: {other:?}"),
        }
    }
}

#[test]
fn a_clean_start_changes_no_file_but_those_of_the_store_itself() {
    let fs = FaultFs::new();
    let store = store_on(&fs);
    for number in 0..40 {
        put(&store, "Topic", number % 4, &[7; 100]).unwrap();
    }
    store.close().unwrap();
    drop(store);
    for operation in [Operation::Write, Operation::ZeroRange, Operation::SetLen, Operation::Sync, Operation::SyncDir] {
        let path_contains = "consumequeue/".to_owned();
        fs.inject(Fault { operation, path_contains, after: 0, times: u64::MAX, os_error: Some(5) });
    }
    for operation in [Operation::Write, Operation::ZeroRange, Operation::SetLen] {
        let path_contains = "commitlog/".to_owned();
        fs.inject(Fault { operation, path_contains, after: 0, times: u64::MAX, os_error: Some(5) });
    }
    let store = store_on(&fs);
    assert_eq!(store.max_offset("Topic", 3).unwrap(), 10);
}

#[test]
fn a_queue_that_is_gone_after_a_clean_stop_is_missed_however_old_its_messages_are() {
    let fs = FaultFs::new();
    let store = store_on(&fs);
    put(&store, "Rare", 0, b"in the first file of the log alone").unwrap();
    for _ in 0..60 {
        put(&store, "Topic", 0, &[1; 300]).unwrap();
    }
    store.close().unwrap();
    drop(store);
    fs.remove_file(Path::new("/store/consumequeue/Rare/0/00000000000000000000")).unwrap();
    let store = store_on(&fs);
    assert_eq!(read_all(&store, "Rare", 0), [b"in the first file of the log alone"]);
    assert_eq!(read_all(&store, "Topic", 0).len(), 60);
}

#[test]
fn a_log_with_files_missing_in_the_middle_is_refused_and_one_without_its_head_is_not() {
    let fs = FaultFs::new();
    let store = store_on(&fs);
    for _ in 0..60 {
        put(&store, "Topic", 0, &[1; 300]).unwrap();
    }
    store.close().unwrap();
    drop(store);
    let content = fs.read(&log_file(4096), 4096).unwrap();
    fs.remove_file(&log_file(4096)).unwrap();
    match open_with(small("/store"), &fs, &Arc::new(VirtualClock::new(START_MS))) {
        Err(StoreError::Log(LogError::SegmentMissing { missing, next })) => {
            assert_eq!((missing, next), (log_file(4096), log_file(8192)));
        }
        other => panic!("{other:?}"),
    }
    fs.remove_file(&log_file(0)).unwrap();
    let file = fs.open(&log_file(4096), OpenMode::CreateNew).unwrap();
    file.write_all_at(&content, 0).unwrap();
    let store = store_on(&fs);
    assert!(store.min_offset("Topic", 0).unwrap() > 0 && store.max_offset("Topic", 0).unwrap() == 60);
    assert_eq!(read_all(&store, "Topic", 0).len() as i64, 60 - store.min_offset("Topic", 0).unwrap());
}

#[test]
fn a_queue_with_files_missing_in_the_middle_is_made_again_as_far_as_the_log_goes() {
    let queue_file = |base: u64| PathBuf::from(format!("/store/consumequeue/Topic/0/{base:020}"));
    for (log_files_gone, clean) in [(0, true), (0, false), (1, true), (8, true), (8, false)] {
        let fs = FaultFs::new();
        let store = store_on(&fs);
        for _ in 0..120 {
            put(&store, "Topic", 0, &[1; 300]).unwrap();
        }
        put(&store, "Other", 0, b"another queue").unwrap();
        store.close().unwrap();
        drop(store);
        if !clean {
            drop(fs.open(Path::new("/store/abort"), OpenMode::CreateNew).unwrap());
        }
        for file in 0..log_files_gone {
            fs.remove_file(&log_file(file * 4096)).unwrap();
        }
        // Ten units in a file, nine or ten messages in one of the log.
        fs.remove_file(&queue_file(400)).unwrap();
        fs.remove_file(&queue_file(600)).unwrap();
        let store = store_on(&fs);
        let (min, max) = (store.min_offset("Topic", 0).unwrap(), store.max_offset("Topic", 0).unwrap());
        assert_eq!(max, 120, "{log_files_gone} {clean}");
        assert_eq!(min == 0, log_files_gone == 0);
        assert_eq!(read_all(&store, "Topic", 0).len() as i64, max - min);
        let from_log = store.store_timestamp_at("Topic", 0, min).unwrap();
        assert!(from_log.is_some() && store.min_physical_offset() == log_files_gone as i64 * 4096);
        assert_eq!(read_all(&store, "Other", 0), [b"another queue"]);
    }
}

#[test]
fn an_empty_file_that_somebody_else_made_for_a_queue_is_taken_and_any_other_is_not() {
    for (content, is_taken) in [(vec![0; 200], true), (vec![0; 199], false), (vec![1; 200], false)] {
        for is_known in [false, true] {
            let fs = FaultFs::new();
            let clock = Arc::new(VirtualClock::new(START_MS));
            let store = open_with(small("/store"), &fs, &clock).unwrap();
            if is_known {
                put(&store, "Topic", 0, b"one").unwrap();
            }
            fs.create_dir_all(Path::new("/store/consumequeue/Topic/0")).unwrap();
            let path = Path::new("/store/consumequeue/Topic/0/00000000000000000000");
            fs.open(path, OpenMode::CreateNew).unwrap().write_all_at(&content, 0).unwrap();
            let taken = if is_known { store.close() } else { store.queue("Topic", 0).map(drop) };
            assert_eq!(taken.is_ok(), is_taken, "known {is_known}: {taken:?}");
            if is_taken {
                if !is_known {
                    put(&store, "Topic", 0, b"one").unwrap();
                    store.close().unwrap();
                }
                drop(store);
                assert_eq!(read_all(&store_on(&fs), "Topic", 0), [b"one"]);
            }
        }
    }
}

/// A second passes whenever somebody looks.
#[derive(Debug)]
struct RestlessClock(AtomicU64);

impl Clock for RestlessClock {
    fn now_ms(&self) -> i64 {
        START_MS
    }

    fn utc_offset_ms(&self, _at_ms: i64) -> i64 {
        0
    }

    fn uptime(&self) -> Duration {
        Duration::from_secs(self.0.fetch_add(1, Ordering::Relaxed))
    }

    fn wake_at(&self, at: Duration, waker: Waker) -> TimerId {
        VirtualClock::new(START_MS).wake_at(at, waker)
    }

    fn cancel(&self, _timer: TimerId) {}
}

#[test]
fn a_long_recovery_tells_how_far_it_is_and_how_long_it_will_take() {
    let directory = tempfile::tempdir().unwrap();
    let config = StoreConfig { commit_log_segment_bytes: 1 << 20, ..small(directory.path()) };
    let store = open_os(config.clone());
    for number in 0..2_500 {
        put(&store, "Topic", number % 8, &[1; 1_000]).unwrap();
    }
    drop(store);
    // Without the checkpoint the whole log is read.
    std::fs::remove_file(directory.path().join("checkpoint")).unwrap();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let listener = RecoveryListener::new({
        let heard = Arc::clone(&heard);
        move |progress| heard.lock().push(*progress)
    });
    let config = StoreConfig { on_recovery: Some(listener), ..config };
    let store = MessageStore::open(config, Arc::new(OsFs), Arc::new(RestlessClock(AtomicU64::new(0)))).unwrap();
    let heard = heard.lock();
    let of_queues = heard.iter().filter(|progress| progress.phase == RecoveryPhase::ConsumeQueues);
    assert!(of_queues.count() > 0);
    let of_log: Vec<_> = heard.iter().filter(|progress| progress.phase == RecoveryPhase::CommitLog).collect();
    assert!(of_log.len() >= 3, "{of_log:?}");
    assert!(of_log.iter().is_sorted_by_key(|progress| progress.done));
    // The store may have made the next file before it ended.
    let totals = [3 << 20, 4 << 20];
    assert!(
        of_log.iter().all(|progress| progress.done <= progress.total && totals.contains(&progress.total)),
        "{of_log:?}"
    );
    assert!(of_log.last().unwrap().eta_ms.is_some());
    drop(store);
}

#[test]
fn an_empty_file_is_completed_if_it_is_the_last_and_refused_by_name_if_not() {
    let queue_file = |base: u64| PathBuf::from(format!("/store/consumequeue/Topic/0/{base:020}"));
    for clean in [true, false] {
        for (emptied, need) in
            [(log_file(4096), 4096), (log_file(0), 4096), (queue_file(200), 200), (queue_file(0), 200)]
        {
            let fs = FaultFs::new();
            let store = store_on(&fs);
            for _ in 0..60 {
                put(&store, "Topic", 0, &[1; 300]).unwrap();
            }
            store.close().unwrap();
            drop(store);
            if !clean {
                drop(fs.open(Path::new("/store/abort"), OpenMode::CreateNew).unwrap());
            }
            fs.open(&emptied, OpenMode::ReadWrite).unwrap().set_len(0).unwrap();
            match open_with(small("/store"), &fs, &Arc::new(VirtualClock::new(START_MS))) {
                Err(StoreError::Log(LogError::SegmentLength { path, have: 0, need: told })) => {
                    assert_eq!((path, told), (emptied.clone(), need));
                }
                other => panic!("{}: {other:?}", emptied.display()),
            }
            assert_eq!(fs.metadata(&emptied).unwrap().len, 0, "nothing was written");
        }
    }
}

#[test]
fn a_queue_whose_first_files_are_gone_is_made_again_as_far_as_the_log_goes() {
    let queue_file = |base: u64| PathBuf::from(format!("/store/consumequeue/Topic/0/{base:020}"));
    // Files that are gone: of the log, of the queue.
    for (log_files, queue_files) in [(0, 1), (0, 3), (1, 2), (2, 5), (6, 8)] {
        for (clean, with_checkpoint) in [(true, true), (true, false), (false, true), (false, false)] {
            let context = format!("{log_files} {queue_files} {clean} {with_checkpoint}");
            let fs = FaultFs::new();
            let store = store_on(&fs);
            for number in 0..120_u8 {
                put(&store, "Topic", 0, &[number; 300]).unwrap();
            }
            put(&store, "Other", 0, b"another queue").unwrap();
            store.close().unwrap();
            drop(store);
            for file in 0..log_files {
                fs.remove_file(&log_file(file * 4096)).unwrap();
            }
            let store = store_on(&fs);
            let expected = (store.min_offset("Topic", 0).unwrap(), read_all(&store, "Topic", 0));
            store.close().unwrap();
            drop(store);
            for file in 0..queue_files {
                fs.remove_file(&queue_file(file * 200)).unwrap();
            }
            if !clean {
                drop(fs.open(Path::new("/store/abort"), OpenMode::CreateNew).unwrap());
            }
            if !with_checkpoint {
                fs.remove_file(Path::new("/store/checkpoint")).unwrap();
            }
            let store = store_on(&fs);
            assert_eq!((store.min_offset("Topic", 0).unwrap(), read_all(&store, "Topic", 0)), expected, "{context}");
            assert_eq!(read_all(&store, "Other", 0), [b"another queue"], "{context}");
            let (outcome, _) = put(&store, "Topic", 0, b"next").unwrap();
            assert_eq!(outcome.queue_offset, 120, "{context}");
        }
    }
}

#[test]
fn a_queue_that_lost_a_whole_file_with_the_head_of_the_log_keeps_its_offsets() {
    let fs = FaultFs::new();
    let store = store_on(&fs);
    put(&store, "Other", 0, &[2; 300]).unwrap();
    // Ten units lie in a file.
    for _ in 0..10 {
        put(&store, "Topic", 0, &[1; 200]).unwrap();
    }
    while store.max_physical_offset() < 2 * 4096 {
        put(&store, "Other", 0, &[2; 300]).unwrap();
    }
    let expected: Vec<_> = (0..15).map(|number| vec![number; 300]).collect();
    for body in &expected {
        put(&store, "Topic", 0, body).unwrap();
    }
    let others = store.max_offset("Other", 0).unwrap();
    store.close().unwrap();
    drop(store);
    fs.remove_file(&log_file(0)).unwrap();
    fs.remove_file(Path::new("/store/consumequeue/Topic/0/00000000000000000000")).unwrap();
    for start in 0..3 {
        if start == 2 {
            drop(fs.open(Path::new("/store/abort"), OpenMode::CreateNew).unwrap());
        }
        let store = store_on(&fs);
        assert!((1..others).contains(&store.min_offset("Other", 0).unwrap()), "the log begins with the other topic");
        assert_eq!(store.min_offset("Topic", 0).unwrap(), 10, "{start}");
        assert!(read_all(&store, "Topic", 0) == expected, "{start}");
        store.close().unwrap();
    }
}

#[test]
fn a_power_cut_leaves_holes_in_the_last_two_files_of_a_queue_at_most() {
    for seed in 0..200 {
        let fs = FaultFs::new();
        let store = Lockstep::open(small("/store"), &fs, START_MS).unwrap();
        // Some files at a time, or a part of one: 10 units each.
        for puts in [40, 3, 8, 7, 27] {
            for _ in 0..puts {
                let mut batch = PutBatch::new();
                push(&mut batch, &store.store, "T", 0, &[1; 10], "");
                store.put(&mut batch).unwrap();
            }
            if puts == 27 {
                fs.power_off_at(fs.calls() + 1 + seed % 40);
            }
            store.advance(Duration::from_secs(1));
        }
        fs.power_cut(seed);
        drop(store);
        let (fs, directory) = (fs.process(), Path::new("/store/consumequeue/T/0"));
        let mut names: Vec<_> = fs.read_dir(directory).unwrap().into_iter().map(|entry| entry.name).collect();
        names.sort();
        assert!(names.len() >= 6, "{seed}: {names:?}");
        for name in names.iter().take(names.len() - 2) {
            let bytes = fs.read(&directory.join(name), 1_000).unwrap();
            let is_whole = bytes.len() == 200 && bytes.chunks(20).all(|unit| unit[8..12] != [0; 4]);
            assert!(is_whole, "{seed}: {name:?} of {names:?} has a hole");
        }
    }
}

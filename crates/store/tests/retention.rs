//! Old files go by age, room and sum; what is below the start of the log is gone for queues and readers too; a full disk
//! refuses writes, not reads.
#![allow(clippy::unwrap_used, reason = "a test that unwraps in vain fails, which is what it is for")]

mod common;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use common::lockstep::{STORE_THREADS, settle_threads};
use common::*;
use rocketmq_env::{DiskSpace, Fault, FaultFs, Fs, Operation, VirtualClock};
use rocketmq_store::{FlushDiskType, GetStatus, MessageStore, RetentionConfig, StoreConfig, StoreError};

const HOUR: Duration = Duration::from_secs(3600);
const SEGMENT_BYTES: i64 = 4096;

struct World {
    fs: FaultFs,
    clock: Arc<VirtualClock>,
}

impl World {
    fn new() -> Self {
        let world = Self { fs: FaultFs::new(), clock: Arc::new(VirtualClock::new(START_MS)) };
        world.fs.set_clock(world.clock.clone());
        world
    }

    fn open(&self, retention: RetentionConfig) -> Arc<MessageStore> {
        open_with(StoreConfig { retention, message_index_enable: false, ..small("/store") }, &self.fs, &self.clock)
            .unwrap()
    }

    /// Lets time pass in steps in which the store's threads do what is due.
    fn pass(&self, seconds: u64) {
        for _ in 0..seconds {
            self.clock.advance(Duration::from_secs(1));
            // All sleep again; without an index there is one less.
            settle_threads(&self.clock, STORE_THREADS - 1);
        }
    }

    fn pass_until(&self, what: &str, mut done: impl FnMut() -> bool) {
        for _ in 0..600 {
            if done() {
                return;
            }
            self.pass(1);
        }
        panic!("not within ten minutes: {what}");
    }

    fn fill_disk(&self, percent: u64) {
        let rest = 100 - percent;
        self.fs.set_disk_space(Some(DiskSpace { total_bytes: 100, free_bytes: rest, available_bytes: rest }));
    }

    fn files(&self, directory: &str) -> Vec<String> {
        let entries = self.fs.read_dir(Path::new(directory)).unwrap();
        entries.into_iter().map(|entry| entry.name.into_string().unwrap()).collect()
    }
}

/// Puts messages of 1,000 bytes, three of which fit into a file, into queue 0 and 1 in turn.
fn fill(store: &MessageStore, files: u32) {
    for number in 0..files * 3 {
        let mut body = format!("{number}-").into_bytes();
        body.resize(1_000, b'x');
        put(store, "Topic", (number % 2) as i32, &body).unwrap();
    }
}

fn file_count(store: &MessageStore) -> i64 {
    (store.max_physical_offset() - 1) / SEGMENT_BYTES + 1 - store.min_physical_offset() / SEGMENT_BYTES
}

/// What both queues say is what the log holds, and nothing of it is missing.
fn check_rest(store: &MessageStore, messages: u32) {
    let mut left = 0;
    for queue_id in 0..2 {
        let bodies = read_all(store, "Topic", queue_id);
        let min = store.min_offset("Topic", queue_id).unwrap();
        for (offset, body) in (min..).zip(&bodies) {
            assert!(body.starts_with(format!("{}-", offset * 2 + i64::from(queue_id)).as_bytes()));
        }
        assert_eq!(min + bodies.len() as i64, i64::from(messages / 2));
        left += bodies.len() as i64;
        let (result, _) = get(store, "Topic", queue_id, min - 1);
        assert_eq!((result.status, result.next_begin_offset), (GetStatus::OffsetTooSmall, min));
    }
    assert_eq!(left, file_count(store) * 3);
}

#[test]
fn expired_files_go_at_the_configured_hour_of_local_time_only() {
    let world = World::new();
    // 22:13 UTC.
    world.clock.set_utc_offset_ms(3_600_000);
    let store = world.open(RetentionConfig::default());
    fill(&store, 4);
    world.clock.advance(73 * HOUR);
    world.pass(30);
    fill(&store, 4);
    world.pass(30);
    assert_eq!(file_count(&store), 8, "00:14 local time");
    world.clock.advance(3 * HOUR + HOUR * 46 / 60);
    // The fourth was written to when the fifth was begun: a blank ends each.
    world.pass_until("04:00 local time", || file_count(&store) == 5);
    world.pass(60);
    assert_eq!(file_count(&store), 5, "the others are not old enough");
}

#[test]
fn the_last_file_stays_however_old() {
    let world = World::new();
    let store = world.open(RetentionConfig { delete_when: (0..24).collect(), ..RetentionConfig::default() });
    fill(&store, 3);
    world.clock.advance(1000 * HOUR);
    world.pass_until("one file is left", || file_count(&store) == 1);
    world.pass(120);
    assert_eq!(file_count(&store), 1);
    world.pass_until("queues follow", || store.min_offset("Topic", 0).unwrap() == 3);
    assert_eq!(read_all(&store, "Topic", 0).len() + read_all(&store, "Topic", 1).len(), 3);
}

#[test]
fn above_the_use_limit_expired_files_go_at_any_hour_and_others_do_not() {
    let world = World::new();
    let store = world.open(RetentionConfig { delete_when: vec![], ..RetentionConfig::default() });
    fill(&store, 3);
    world.clock.advance(73 * HOUR);
    fill(&store, 3);
    world.pass(90);
    assert_eq!(file_count(&store), 6);
    world.fill_disk(76);
    world.pass_until("the old ones are gone", || file_count(&store) == 4);
    world.pass(60);
    assert_eq!(file_count(&store), 4);
}

#[test]
fn above_the_forced_limit_files_go_whatever_their_age_until_there_is_room() {
    let world = World::new();
    let store = world.open(RetentionConfig { delete_file_batch_max: 1, ..RetentionConfig::default() });
    fill(&store, 30);
    world.fill_disk(86);
    world.pass_until("some are gone", || file_count(&store) < 28);
    world.fill_disk(85);
    world.pass(1);
    let left = file_count(&store);
    world.pass(60);
    assert_eq!(file_count(&store), left, "there is room again");
    put(&store, "Topic", 0, b"a full disk it was not").unwrap();
}

#[test]
fn without_force_nothing_goes_before_its_time() {
    let world = World::new();
    let store = world.open(RetentionConfig { clean_file_forcibly_enable: false, ..RetentionConfig::default() });
    fill(&store, 3);
    world.fill_disk(89);
    world.pass(120);
    assert_eq!(file_count(&store), 3);
}

#[test]
fn a_full_disk_refuses_puts_and_not_reads_until_there_is_room_again() {
    let world = World::new();
    let store = world.open(RetentionConfig { clean_file_forcibly_enable: false, ..RetentionConfig::default() });
    put(&store, "Topic", 0, b"before").unwrap();
    world.fill_disk(91);
    world.pass_until("puts are refused", || store.writable().is_err());
    let error = put(&store, "Topic", 0, b"meanwhile").unwrap_err();
    assert!(matches!(error, StoreError::DiskFull { used_percent: 91, limit_percent: 90, .. }), "{error}");
    assert_eq!(read_all(&store, "Topic", 0), [b"before"]);
    world.fill_disk(80);
    world.pass_until("puts succeed", || store.writable().is_ok());
    put(&store, "Topic", 0, b"after").unwrap();
    assert_eq!(read_all(&store, "Topic", 0), [&b"before"[..], b"after"]);
}

#[test]
fn a_store_on_a_full_disk_refuses_the_first_put_already() {
    let world = World::new();
    world.fs.create_dir_all(Path::new("/store")).unwrap();
    world.fill_disk(95);
    let store = world.open(RetentionConfig::default());
    assert!(matches!(put(&store, "Topic", 0, b"first"), Err(StoreError::DiskFull { .. })));
}

#[test]
fn the_log_stays_within_its_bytes_and_never_loses_its_last_file() {
    let world = World::new();
    let max_log_bytes = Some(5 * SEGMENT_BYTES as u64);
    let store = world.open(RetentionConfig { max_log_bytes, ..RetentionConfig::default() });
    fill(&store, 30);
    world.pass_until("five files are left", || file_count(&store) == 5);
    world.pass_until("queues follow", || get(&store, "Topic", 1, 0).0.status == GetStatus::OffsetTooSmall);
    world.pass(30);
    check_rest(&store, 90);
    store.close().unwrap();
    let store = world.open(RetentionConfig { max_log_bytes: Some(1), ..RetentionConfig::default() });
    check_rest(&store, 90);
    world.pass_until("one file is left", || file_count(&store) == 1);
    world.pass(30);
    check_rest(&store, 90);
}

#[test]
fn files_go_while_fewer_bytes_than_wanted_are_available() {
    let world = World::new();
    let store = world.open(RetentionConfig { min_free_bytes: Some(1 << 20), ..RetentionConfig::default() });
    fill(&store, 6);
    world.pass(120);
    assert_eq!(file_count(&store), 6);
    world.fs.set_disk_space(Some(DiskSpace { total_bytes: 4 << 20, free_bytes: 2 << 20, available_bytes: 1 << 19 }));
    world.pass_until("one file is left", || file_count(&store) == 1);
}

#[test]
fn on_demand_expired_files_go_at_any_hour() {
    let world = World::new();
    let store = world.open(RetentionConfig { delete_when: vec![], ..RetentionConfig::default() });
    fill(&store, 3);
    world.clock.advance(73 * HOUR);
    world.pass(60);
    assert_eq!(file_count(&store), 3);
    store.delete_expired_files();
    world.pass_until("one file is left", || file_count(&store) == 1);
}

#[test]
fn queue_files_and_times_follow_the_start_of_the_log() {
    let world = World::new();
    let store = world.open(RetentionConfig { max_log_bytes: Some(1), ..RetentionConfig::default() });
    // Ten units fill a file of a queue.
    fill(&store, 15);
    world.clock.advance(Duration::from_secs(5));
    fill(&store, 15);
    world.pass(5);
    assert_eq!(world.files("/store/consumequeue/Topic/0").len(), 5);
    world.pass_until("queue files go", || world.files("/store/consumequeue/Topic/0").len() == 1);
    assert_eq!(store.earliest_store_time().unwrap(), Some(START_MS + 5_000));
    assert_eq!(store.earliest_time("Topic", 0).unwrap(), Some(START_MS + 5_000));
    assert!(store.min_offset("Topic", 0).unwrap() >= 40);
    assert_eq!(store.max_offset("Topic", 0).unwrap(), 46);
    assert_eq!(store.cleaning_failure(), None);
}

#[test]
fn a_queue_all_of_whose_messages_are_gone_goes_on_where_it_was_after_any_restart() {
    for is_clean in [true, false] {
        let world = World::new();
        let retention = RetentionConfig { max_log_bytes: Some(1), ..RetentionConfig::default() };
        let store = world.open(retention.clone());
        for _ in 0..5 {
            put(&store, "Old", 0, b"gone soon").unwrap();
        }
        fill(&store, 9);
        world.pass_until("the queue is empty", || store.min_offset("Old", 0).unwrap() == 5);
        let (result, _) = get(&store, "Old", 0, 5);
        assert_eq!(result.status, GetStatus::OffsetOverflowOne);
        if is_clean {
            store.close().unwrap();
        } else {
            drop(store);
            world.fs.power_cut(1);
        }
        let store = world.open(retention.clone());
        assert_eq!(
            (store.min_offset("Old", 0).unwrap(), store.max_offset("Old", 0).unwrap()),
            (5, 5),
            "clean: {is_clean}"
        );
        assert_eq!(put(&store, "Old", 0, b"new").unwrap().0.queue_offset, 5);
        // On demand such a queue goes altogether.
        fill(&store, 6);
        world.pass_until("the queue is empty", || store.min_offset("Old", 0).unwrap() == 6);
        assert!(store.clean_expired_queues(|topic| topic == "Old").unwrap().is_empty());
        assert_eq!(store.clean_expired_queues(|_| false).unwrap(), ["Old".into()].into());
        assert!(!world.fs.exists(Path::new("/store/consumequeue/Old")).unwrap());
        assert_eq!(put(&store, "Old", 0, b"anew").unwrap().0.queue_offset, 0);
    }
}

fn file_end(offset: i64) -> i64 {
    (offset + SEGMENT_BYTES - 1) / SEGMENT_BYTES * SEGMENT_BYTES
}

fn failing(operation: Operation, path: &str) -> Fault {
    Fault { operation, path_contains: path.to_owned(), after: 0, times: u64::MAX, os_error: Some(5) }
}

#[test]
fn a_file_that_cannot_be_removed_stays_part_of_the_log_until_it_can() {
    let world = World::new();
    let store = world.open(RetentionConfig { max_log_bytes: Some(1), ..RetentionConfig::default() });
    fill(&store, 4);
    world.fs.inject(failing(Operation::Remove, "00000000000000004096"));
    world.pass_until("the deletion fails", || store.cleaning_failure().is_some());
    assert!(store.cleaning_failure().unwrap().contains("00000000000000004096"));
    assert_eq!(store.min_physical_offset(), SEGMENT_BYTES);
    check_rest(&store, 12);
    world.fs.heal();
    world.pass_until("it is tried again", || file_count(&store) == 1);
    world.pass_until("all is well", || store.cleaning_failure().is_none());
    check_rest(&store, 12);
}

#[test]
fn a_get_of_messages_whose_file_has_just_gone_says_so_and_goes_on_behind_them() {
    let world = World::new();
    let store = world.open(RetentionConfig { max_log_bytes: Some(1), ..RetentionConfig::default() });
    fill(&store, 10);
    world.pass(2);
    // The queues keep their units while they cannot be corrected.
    world.fs.inject(failing(Operation::Read, "consumequeue"));
    world.pass_until("the correction fails", || store.cleaning_failure().is_some());
    world.fs.heal();
    assert_eq!((file_count(&store), store.min_offset("Topic", 0).unwrap()), (1, 0));
    let mut out = Vec::new();
    let result = store.get("Topic", 0, 0, 1, 1 << 20, None, &mut out).unwrap();
    assert_eq!((result.status, result.next_begin_offset, out.len()), (GetStatus::MessageWasRemoving, 10, 0));
    let (result, found) = get(&store, "Topic", 0, 10);
    assert_eq!((result.status, result.next_begin_offset), (GetStatus::Found, 15));
    assert!((1..3).contains(&found.len()), "those in the last file");
    world.pass_until("the queue follows", || get(&store, "Topic", 0, 0).0.status == GetStatus::OffsetTooSmall);
}

#[test]
fn wherever_the_power_goes_off_while_files_are_deleted_only_the_oldest_are_missing() {
    let max_log_bytes = 4 * SEGMENT_BYTES;
    let retention = RetentionConfig {
        max_log_bytes: Some(max_log_bytes as u64),
        delete_commit_log_files_interval: Duration::from_millis(1),
        ..RetentionConfig::default()
    };
    let config = || StoreConfig {
        flush_disk_type: FlushDiskType::SyncFlush,
        retention: retention.clone(),
        message_index_enable: false,
        ..small("/store")
    };
    let mut deleted = 0;
    for call in 1..100 {
        for seed in 0..3 {
            let context = format!("call {call}, seed {seed}");
            let world = World::new();
            let store = open_with(config(), &world.fs, &world.clock).unwrap();
            fill(&store, 12);
            store.wait_flushed(store.max_physical_offset(), HOUR).unwrap();
            let announced = store.min_physical_offset();
            assert_eq!(announced, 0);
            let end = store.max_physical_offset();
            world.fs.power_off_at(world.fs.calls() + call);
            world.pass(75);
            drop(store);
            world.fs.power_cut(seed);
            let store =
                open_with(config(), &world.fs, &world.clock).unwrap_or_else(|error| panic!("{context}: {error:?}"));
            assert_eq!(store.max_physical_offset(), end, "{context}");
            assert!(store.min_physical_offset() <= file_end(end) - max_log_bytes, "{context}");
            check_rest(&store, 36);
            deleted += i32::from(store.min_physical_offset() > 0);
            put(&store, "Topic", 0, b"36-").unwrap();
            assert_eq!(store.max_offset("Topic", 0).unwrap(), 19, "{context}");
        }
    }
    assert!(deleted > 50, "{deleted}");
}

#[test]
fn no_power_cut_after_a_deletion_gives_an_offset_out_twice() {
    let retention = RetentionConfig { max_log_bytes: Some(1), ..RetentionConfig::default() };
    let mut deleted = 0;
    for call in (1..120).step_by(2) {
        for seed in 0..4 {
            let context = format!("call {call}, seed {seed}");
            let world = World::new();
            let store = world.open(retention.clone());
            fill(&store, 5);
            put(&store, "Idle", 0, b"never again").unwrap();
            store.wait_flushed(store.max_physical_offset(), HOUR).unwrap();
            world.pass(58);
            // What is put now is not on disk when the files before it are to go.
            fill(&store, 5);
            world.fs.power_off_at(world.fs.calls() + call);
            world.pass(10);
            drop(store);
            world.fs.power_cut(seed);
            let store = world.open(retention.clone());
            for queue_id in 0..2 {
                let outcome = put(&store, "Topic", queue_id, b"next").unwrap().0;
                assert!(outcome.queue_offset >= 7, "{context}: {} in queue {queue_id}", outcome.queue_offset);
            }
            assert_eq!(put(&store, "Idle", 0, b"after all").unwrap().0.queue_offset, 1, "{context}");
            deleted += i32::from(store.min_physical_offset() > 0);
        }
    }
    assert!(deleted > 20, "{deleted}");
}

#[test]
fn nothing_is_deleted_while_what_follows_cannot_reach_the_disk() {
    let world = World::new();
    let store = world.open(RetentionConfig { max_log_bytes: Some(1), ..RetentionConfig::default() });
    fill(&store, 6);
    world.fs.inject(failing(Operation::Sync, "commitlog"));
    world.pass(120);
    // Housekeeping may have flushed some of the files while they were filled.
    let on_disk = store.flushed_physical_offset();
    assert!(store.min_physical_offset() <= on_disk, "{} of {on_disk}", store.min_physical_offset());
    check_rest(&store, 18);
}

#[test]
fn a_store_opened_to_be_read_keeps_everything() {
    let world = World::new();
    let store = world.open(RetentionConfig::default());
    fill(&store, 6);
    store.close().unwrap();
    drop(store);
    let retention = RetentionConfig { max_log_bytes: Some(1), ..RetentionConfig::default() };
    let config = StoreConfig { retention, message_index_enable: false, ..small("/store") };
    let store = MessageStore::open_read_only(config, world.fs.process(), world.clock.clone()).unwrap();
    world.pass(120);
    check_rest(&store, 18);
    assert!(matches!(store.delete_topics(&["Topic"]), Err(StoreError::ReadOnly)));
    assert!(matches!(store.clean_expired_queues(|_| false), Err(StoreError::ReadOnly)));
}

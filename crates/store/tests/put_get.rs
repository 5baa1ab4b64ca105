//! Putting, getting, rolling over, reopening.
#![allow(clippy::unwrap_used, reason = "a test that unwraps in vain fails, which is what it is for")]

mod common;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use common::*;
use parking_lot::Mutex;
use rocketmq_codec::message::{decode_record, java_string_hash, sys_flag};
use rocketmq_env::{FaultFs, Fs, OpenMode, OsFs, SystemClock, VirtualClock};
use rocketmq_store::{
    Boundary, FlushDiskType, GetStatus, MessageStore, PutBatch, PutError, PutMessage, StoreConfig, StoreError,
    TagFilter,
};

fn body(number: usize) -> Vec<u8> {
    format!("message number {number}").into_bytes()
}

#[test]
fn messages_come_back_in_order_across_file_ends_and_reopening() {
    let directory = tempfile::tempdir().unwrap();
    for round in 0..4 {
        let store = open_os(small(directory.path()));
        for number in round * 100..(round + 1) * 100 {
            for queue_id in 0..3 {
                let (outcome, _) = put(&store, "Topic", queue_id, &body(number)).unwrap();
                assert_eq!(outcome.queue_offset, number as i64);
            }
        }
        for queue_id in 0..3 {
            let expected: Vec<_> = (0..(round + 1) * 100).map(body).collect();
            assert_eq!(read_all(&store, "Topic", queue_id), expected);
        }
        store.close().unwrap();
    }
    for entry in std::fs::read_dir(directory.path().join("commitlog")).unwrap() {
        assert_eq!(entry.unwrap().metadata().unwrap().len(), 4096);
    }
    for entry in std::fs::read_dir(directory.path().join("consumequeue/Topic/0")).unwrap() {
        assert_eq!(entry.unwrap().metadata().unwrap().len(), 200);
    }
}

#[test]
fn an_unclean_stop_loses_nothing_that_was_written() {
    let directory = tempfile::tempdir().unwrap();
    for round in 0..4 {
        let store = open_os(small(directory.path()));
        assert_eq!(read_all(&store, "Topic", 0).len(), round * 50);
        for number in round * 50..(round + 1) * 50 {
            put(&store, "Topic", 0, &body(number)).unwrap();
        }
        drop(store);
        assert!(directory.path().join("abort").exists());
    }
    let store = open_os(small(directory.path()));
    assert_eq!(read_all(&store, "Topic", 0), (0..200).map(body).collect::<Vec<_>>());
}

#[test]
fn a_batch_gets_consecutive_offsets_and_one_timestamp() {
    let directory = tempfile::tempdir().unwrap();
    let store = open_os(StoreConfig::new(directory.path()));
    let mut batch = PutBatch::new();
    for number in 0..64 {
        push(&mut batch, &store, "Topic", number % 4, &body(number as usize), "");
    }
    let ticket = store.put(&mut batch).unwrap();
    for number in 0..64 {
        let outcome = batch.outcome(number).unwrap();
        assert_eq!(outcome.queue_offset, number as i64 / 4);
        assert_eq!(outcome.store_timestamp, ticket.store_timestamp);
    }
    assert_eq!(ticket.end, store.max_physical_offset());
    store.wait_flushed(ticket.end, Duration::from_secs(60)).unwrap();
    assert!(store.flushed_physical_offset() >= ticket.end);
}

#[test]
fn joined_records_lie_in_one_file_and_others_roll_one_by_one() {
    let directory = tempfile::tempdir().unwrap();
    let store = open_os(small(directory.path()));
    let queue = store.queue("Topic", 0).unwrap();
    let message = message(&queue, &[7; 900], "");
    put(&store, "Topic", 0, &[1; 1000]).unwrap();
    let mut batch = PutBatch::new();
    batch.push(&store, &message).unwrap();
    for _ in 0..3 {
        batch.push_joined(&store, &message).unwrap();
    }
    let _ = store.put(&mut batch).unwrap();
    assert_eq!(batch.outcome(0).unwrap().physical_offset, 4096);
    assert!(batch.outcome(3).unwrap().physical_offset < 8192);
    batch.clear();
    for _ in 0..5 {
        batch.push(&store, &message).unwrap();
    }
    let _ = store.put(&mut batch).unwrap();
    assert_eq!(batch.outcome(0).unwrap().physical_offset, 8192);
    assert_eq!(batch.outcome(4).unwrap().physical_offset, 12_288);
    batch.clear();
    for _ in 0..5 {
        batch.push_joined(&store, &message).unwrap();
    }
    assert!(matches!(store.put(&mut batch), Err(StoreError::BatchTooLarge { .. })));
    assert_eq!(read_all(&store, "Topic", 0).len(), 10);
}

#[test]
fn what_a_record_cannot_hold_is_refused_and_leaves_the_batch_as_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let store = open_os(small(directory.path()));
    let queue = store.queue("Topic", 0).unwrap();
    let mut batch = PutBatch::new();
    push(&mut batch, &store, "Topic", 0, b"fine", "");
    let properties = "p".repeat(40_000);
    let too_large = [0; 2049];
    let mut message = message(&queue, &too_large, "");
    assert_eq!(batch.push(&store, &message), Err(PutError::MessageSizeExceeded { need: 2049, have: 2048 }));
    message.body = b"";
    message.properties = &properties;
    assert_eq!(batch.push(&store, &message), Err(PutError::PropertiesSizeExceeded { need: 40_000, have: 32_767 }));
    message.properties = &properties[..5_000];
    assert!(matches!(batch.push(&store, &message), Err(PutError::MessageSizeExceeded { have: 4088, .. })));
    let _ = store.put(&mut batch).unwrap();
    assert_eq!(read_all(&store, "Topic", 0), [b"fine"]);
    for topic in ["", "..", "a/b", "a\\b", "a\0"] {
        assert!(matches!(store.queue(topic, 0), Err(StoreError::IllegalTopic { .. })), "{topic:?}");
    }
}

#[test]
fn what_goes_to_queues_that_are_not_written_is_refused_and_a_crc_that_came_along_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    let store = open_os(small(directory.path()));
    let queue = store.queue("Topic", 0).unwrap();
    let mut batch = PutBatch::new();
    let topic = || "Topic".to_owned();
    for properties in ["INNER_NUM\u{1}3\u{2}", "TAGS\u{1}a\u{2}INNER_NUM\u{1}1"] {
        let pushed = batch.push(&store, &message(&queue, b"x", properties));
        assert_eq!(pushed, Err(PutError::InnerBatch { topic: topic() }), "{properties:?}");
    }
    for sys_flag in [sys_flag::INNER_BATCH, sys_flag::NEED_UNWRAP] {
        let pushed = batch.push(&store, &PutMessage { sys_flag, ..message(&queue, b"x", "") });
        assert_eq!(pushed, Err(PutError::InnerBatch { topic: topic() }), "{sys_flag:#x}");
    }
    let pushed = batch.push(&store, &message(&queue, b"x", "INNER_MULTI_DISPATCH\u{1}a,%LMQ%b\u{2}"));
    assert_eq!(pushed, Err(PutError::LightQueues { topic: topic(), names: "a,%LMQ%b".to_owned() }));
    assert!(batch.is_empty());
    // Apache drops a CRC only where it appends one itself (enabledAppendPropCRC, off by default).
    let kept = "INNER_NUM\u{1}\u{2}INNER_MULTI_DISPATCH\u{1}other\u{2}__CRC32#\u{1}123\u{2}";
    batch.push(&store, &message(&queue, b"x", kept)).unwrap();
    let _ = store.put(&mut batch).unwrap();
    let mut out = Vec::new();
    assert!(store.record_at(0, &mut out).unwrap());
    assert_eq!(decode_record(&out, true).unwrap().0.properties, kept);
}

#[test]
fn prepared_and_rolled_back_messages_take_no_offset() {
    let directory = tempfile::tempdir().unwrap();
    let store = open_os(small(directory.path()));
    let queue = store.queue("Topic", 0).unwrap();
    let mut batch = PutBatch::new();
    let types = [0, sys_flag::TRANSACTION_PREPARED, sys_flag::TRANSACTION_ROLLBACK, sys_flag::TRANSACTION_COMMIT, 0];
    for sys_flag in types {
        let body = sys_flag.to_be_bytes();
        batch.push(&store, &PutMessage { sys_flag, ..message(&queue, &body, "") }).unwrap();
    }
    let _ = store.put(&mut batch).unwrap();
    let offsets: Vec<_> = (0..5).map(|index| batch.outcome(index).unwrap().queue_offset).collect();
    assert_eq!(offsets, [0, 0, 0, 1, 2]);
    assert_eq!(store.max_offset("Topic", 0).unwrap(), 3);
    drop(store);
    let store = open_os(small(directory.path()));
    assert_eq!(store.max_offset("Topic", 0).unwrap(), 3);
    let mut out = Vec::new();
    assert!(store.record_at(batch.outcome(1).unwrap().physical_offset, &mut out).unwrap());
    assert_eq!(records(&out), [(0, sys_flag::TRANSACTION_PREPARED.to_be_bytes().to_vec())]);
    assert!(!store.record_at(batch.outcome(1).unwrap().physical_offset + 1, &mut out).unwrap());
}

#[test]
fn get_answers_with_apaches_statuses_and_next_offsets() {
    let directory = tempfile::tempdir().unwrap();
    let store = open_os(small(directory.path()));
    let status = |topic: &str, offset| {
        let (result, _) = get(&store, topic, 0, offset);
        (result.status, result.next_begin_offset)
    };
    assert_eq!(status("None", 5), (GetStatus::NoMatchedLogicQueue, 0));
    store.queue("Empty", 0).unwrap();
    assert_eq!(status("Empty", 5), (GetStatus::NoMessageInQueue, 0));
    for number in 0..25 {
        put_tagged(&store, "Topic", 0, &body(number), if number == 7 { "TAGS\u{1}b\u{2}" } else { "TAGS\u{1}a\u{2}" })
            .unwrap();
    }
    assert_eq!(status("Topic", -1), (GetStatus::OffsetTooSmall, 0));
    assert_eq!(status("Topic", 25), (GetStatus::OffsetOverflowOne, 25));
    assert_eq!(status("Topic", 26), (GetStatus::OffsetOverflowBadly, 25));
    // One consume queue file (10 units) per get.
    assert_eq!(status("Topic", 3), (GetStatus::Found, 10));
    let b = TagFilter::new([java_string_hash("b")]);
    let mut out = Vec::new();
    let result = store.get("Topic", 0, 0, 32, 1 << 20, Some(&b), &mut out).unwrap();
    assert_eq!((result.status, result.next_begin_offset, result.count), (GetStatus::Found, 10, 1));
    assert_eq!(records(&out), [(7, body(7))]);
    out.clear();
    let result = store.get("Topic", 0, 8, 32, 1 << 20, Some(&b), &mut out).unwrap();
    assert_eq!((result.status, result.next_begin_offset, result.count), (GetStatus::NoMatchedMessage, 10, 0));
    store.close().unwrap();
    assert!(matches!(store.get("Topic", 0, 0, 1, 1, None, &mut out), Err(StoreError::Closed)));
    assert!(matches!(put(&store, "Topic", 0, b"late"), Err(StoreError::Closed)));
}

#[test]
fn an_exact_filter_passes_over_tags_that_only_share_a_hash_and_they_do_not_count() {
    let directory = tempfile::tempdir().unwrap();
    let store = open_os(small(directory.path()));
    for tags in ["BB", "BB", "Aa", "BB", "Aa", "Aa"] {
        put_tagged(&store, "Topic", 0, tags.as_bytes(), &format!("TAGS\u{1}{tags}\u{2}")).unwrap();
    }
    let get = |filter: &TagFilter, offset| {
        let mut out = Vec::new();
        let result = store.get("Topic", 0, offset, 2, 1 << 20, Some(filter), &mut out).unwrap();
        (
            result.status,
            result.next_begin_offset,
            result.count,
            records(&out).into_iter().map(|record| record.0).collect(),
        )
    };
    let (found, none) = (GetStatus::Found, GetStatus::NoMatchedMessage);
    assert_eq!(get(&TagFilter::exact(&["Aa"]), 0), (found, 5, 2, vec![2, 4]));
    assert_eq!(get(&TagFilter::exact(&["zz", "Aa"]), 4), (found, 6, 2, vec![4, 5]));
    assert_eq!(get(&TagFilter::exact(&["C\""]), 0), (none, 6, 0, vec![]), "a third tag with that hash");
    assert_eq!(get(&TagFilter::new([java_string_hash("Aa")]), 0), (found, 2, 2, vec![0, 1]), "as the broker filters");
}

#[test]
fn a_get_keeps_its_limits_but_returns_the_first_message_always() {
    let directory = tempfile::tempdir().unwrap();
    let store = open_os(StoreConfig::new(directory.path()));
    for _ in 0..100 {
        put(&store, "Topic", 0, &[1; 20_000]).unwrap();
    }
    let count = |max_count, max_bytes| {
        let mut out = Vec::new();
        let result = store.get("Topic", 0, 0, max_count, max_bytes, None, &mut out).unwrap();
        assert_eq!((result.count as i64, result.bytes), (result.next_begin_offset, out.len()));
        result.count
    };
    assert_eq!(count(5, 1 << 20), 5);
    assert_eq!(count(32, 1), 1);
    assert_eq!(count(32, 50_000), 2);
    assert_eq!(count(32, 1 << 20), 262_144 / 20_096);
}

#[test]
fn offset_by_time_passes_over_damaged_records_and_no_others() {
    let fs = FaultFs::new();
    let clock = Arc::new(VirtualClock::new(START_MS));
    let store = open_with(small("/store"), &fs, &clock).unwrap();
    let places: Vec<_> = (0..7)
        .map(|_| {
            clock.advance(Duration::from_millis(10));
            put(&store, "Topic", 0, b"x").unwrap().0.physical_offset as u64
        })
        .collect();
    store.close().unwrap();
    drop(store);
    let log = fs.open(Path::new("/store/commitlog/00000000000000000000"), OpenMode::ReadWrite).unwrap();
    // The magic of those in the middle, where the search begins.
    for place in places.get(2..5).unwrap() {
        log.write_all_at(&[0], place + 4).unwrap();
    }
    let store = open_with(small("/store"), &fs, &clock).unwrap();
    let find = |step: i64, boundary| store.offset_by_time("Topic", 0, START_MS + 10 * step, boundary).unwrap();
    let both = |step| (find(step, Boundary::Lower), find(step, Boundary::Upper));
    assert_eq!(both(0), (0, 0));
    assert_eq!(both(1), (0, 0));
    assert_eq!(both(2), (1, 1));
    // A damaged one may have been stored then: who begins with it misses nothing.
    assert_eq!(both(6), (2, 5));
    assert_eq!(both(8), (7, 6));
}

#[test]
fn offset_by_time_follows_both_boundary_rules() {
    let fs = FaultFs::new();
    let clock = Arc::new(VirtualClock::new(START_MS));
    let store = open_with(small("/store"), &fs, &clock).unwrap();
    // Times 0, 0, 0, 20, 20, 40 after the start.
    for step in [0, 0, 0, 20, 0, 20] {
        clock.advance(Duration::from_millis(step));
        put(&store, "Topic", 0, b"x").unwrap();
    }
    let find = |ms, boundary| store.offset_by_time("Topic", 0, START_MS + ms, boundary).unwrap();
    let both = |ms| (find(ms, Boundary::Lower), find(ms, Boundary::Upper));
    assert_eq!(both(-1), (0, 0));
    assert_eq!(both(0), (0, 2));
    assert_eq!(both(10), (3, 2));
    assert_eq!(both(20), (3, 4));
    assert_eq!(both(30), (5, 4));
    assert_eq!(both(40), (5, 5));
    assert_eq!(both(41), (6, 5));
    assert_eq!(store.store_timestamp_at("Topic", 0, 4).unwrap(), Some(START_MS + 20));
    assert_eq!(store.store_timestamp_at("Topic", 0, 6).unwrap(), None);
    assert_eq!(store.earliest_time("Topic", 0).unwrap(), Some(START_MS));
    assert_eq!(store.earliest_store_time().unwrap(), Some(START_MS));
    clock.set_wall_ms(START_MS - 5_000);
    let (outcome, _) = put(&store, "Topic", 0, b"after the clock went back").unwrap();
    assert_eq!(outcome.store_timestamp, START_MS + 40);
}

#[test]
fn the_listener_hears_of_each_message_once_it_is_readable() {
    let directory = tempfile::tempdir().unwrap();
    let store = open_os(small(directory.path()));
    let heard = Arc::new(Mutex::new(Vec::new()));
    let (runs, reader) = (heard.clone(), Arc::downgrade(&store));
    store.set_arrival_listener(Arc::new(move |arrivals| {
        let arrivals: Vec<_> = arrivals.collect();
        for (queue, arrival) in &arrivals {
            let end = reader.upgrade().unwrap().max_offset(queue.topic(), queue.queue_id()).unwrap();
            assert!(end > arrival.queue_offset);
        }
        runs.lock()
            .push(arrivals.iter().map(|(_, arrival)| (arrival.queue_offset, arrival.tags_code)).collect::<Vec<_>>());
    }));
    let mut batch = PutBatch::new();
    push(&mut batch, &store, "Topic", 0, b"x", "TAGS\u{1}a\u{2}");
    push(&mut batch, &store, "Topic", 0, b"y", "");
    let _ = store.put(&mut batch).unwrap();
    put(&store, "Topic", 0, b"z").unwrap();
    assert_eq!(*heard.lock(), [vec![(0, 97), (1, 0)], vec![(2, 0)]]);
}

#[test]
fn many_threads_fill_queues_without_gaps_or_repeats() {
    let directory = tempfile::tempdir().unwrap();
    let store = open_os(StoreConfig { commit_log_segment_bytes: 1 << 16, ..StoreConfig::new(directory.path()) });
    std::thread::scope(|scope| {
        for thread in 0..4_u64 {
            let store = &store;
            scope.spawn(move || {
                for number in 0..500_u64 {
                    let body = (thread << 32 | number).to_be_bytes();
                    let (_, ticket) = put(store, "Topic", (number % 2) as i32, &body).unwrap();
                    if number % 100 == 0 {
                        store.wait_flushed(ticket.end, Duration::from_secs(60)).unwrap();
                    }
                }
            });
        }
    });
    store.close().unwrap();
    let store = open_os(StoreConfig { commit_log_segment_bytes: 1 << 16, ..StoreConfig::new(directory.path()) });
    let mut all: Vec<Vec<u8>> = (0..2).flat_map(|queue_id| read_all(&store, "Topic", queue_id)).collect();
    all.sort();
    let expected =
        (0..4_u64).flat_map(|thread| (0..500).map(move |number| (thread << 32 | number).to_be_bytes().to_vec()));
    assert_eq!(all, expected.collect::<Vec<_>>());
}

/// Files and mappings of this process that lie in a directory.
#[cfg(target_os = "linux")]
fn held_in(directory: &std::path::Path) -> Vec<String> {
    let targets = std::fs::read_dir("/proc/self/fd").unwrap().filter_map(|fd| std::fs::read_link(fd.ok()?.path()).ok());
    let files = targets.map(|target| target.display().to_string());
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let held = files.chain(maps.lines().map(str::to_owned));
    held.filter(|held| held.contains(directory.to_str().unwrap())).collect()
}

#[test]
#[cfg(target_os = "linux")]
fn a_closed_store_holds_no_file_whoever_still_has_it_or_a_queue_of_it() {
    for flush_disk_type in [FlushDiskType::AsyncFlush, FlushDiskType::SyncFlush] {
        let directory = tempfile::tempdir().unwrap();
        let config = || StoreConfig { enable_consume_queue_ext: true, flush_disk_type, ..small(directory.path()) };
        let writer = open_os(config());
        for number in 0..100 {
            put_tagged(&writer, "Topic", number % 5, &body(number as usize), "KEYS\u{1}k\u{2}").unwrap();
        }
        let queue = writer.queue("Topic", 0).unwrap();
        let reads = |store: &MessageStore| {
            assert_eq!(read_all(store, "Topic", 0).len(), 20);
            assert_eq!(store.query("Topic", "k", 64, 0, i64::MAX).unwrap().physical_offsets.len(), 64);
            assert!(!held_in(directory.path()).is_empty());
        };
        reads(&writer);
        writer.close().unwrap();
        assert_eq!(held_in(directory.path()), Vec::<String>::new(), "{flush_disk_type:?}");
        assert_eq!(writer.offsets(&queue), (0, 20));
        let reader = MessageStore::open_read_only(config(), Arc::new(OsFs), Arc::new(SystemClock::new())).unwrap();
        reads(&reader);
        reader.close().unwrap();
        assert_eq!(held_in(directory.path()), Vec::<String>::new(), "{flush_disk_type:?}, read-only");
    }
}

#[test]
fn a_read_that_a_close_overtakes_finds_what_is_there_or_that_the_store_is_closed() {
    let directory = tempfile::tempdir().unwrap();
    for _ in 0..20 {
        let store = open_os(small(directory.path()));
        put_tagged(&store, "Topic", 0, b"x", "KEYS\u{1}k\u{2}").unwrap();
        std::thread::scope(|scope| {
            for reader in 0..4 {
                let store = &store;
                scope.spawn(move || {
                    let found = || {
                        let mut out = Vec::new();
                        Ok(match reader {
                            0 => store.get("Topic", 0, 0, 1, 1, None, &mut out)?.status == GetStatus::Found,
                            1 => store.record_at(0, &mut out)?,
                            2 => store.earliest_store_time()?.is_some(),
                            _ => !store.query("Topic", "k", 64, 0, i64::MAX)?.physical_offsets.is_empty(),
                        })
                    };
                    loop {
                        match found() {
                            Ok(found) => assert!(found, "reader {reader}"),
                            Err(error) => return assert!(matches!(error, StoreError::Closed), "{error}"),
                        }
                    }
                });
            }
            store.close().unwrap();
        });
    }
}

#[test]
fn a_directory_in_use_is_refused_with_its_name() {
    let directory = tempfile::tempdir().unwrap();
    let store = open_os(small(directory.path()));
    let fs = Arc::new(rocketmq_env::OsFs);
    let clock = Arc::new(rocketmq_env::SystemClock::new());
    let second = rocketmq_store::MessageStore::open(small(directory.path()), fs, clock);
    assert!(matches!(second, Err(StoreError::Locked { .. })));
    store.close().unwrap();
    store.close().unwrap();
    assert!(!directory.path().join("abort").exists());
    open_os(small(directory.path())).close().unwrap();
}

#[test]
fn queue_tails_reach_their_files_within_a_second_of_the_clock() {
    let fs = FaultFs::new();
    let clock = Arc::new(VirtualClock::new(START_MS));
    let store = open_with(small("/store"), &fs, &clock).unwrap();
    put(&store, "Topic", 0, b"x").unwrap();
    let file = std::path::Path::new("/store/consumequeue/Topic/0/00000000000000000000");
    use rocketmq_env::Fs;
    assert!(fs.metadata(file).is_err());
    while fs.metadata(file).map_or(0, |found| found.len) != 200 {
        clock.advance(Duration::from_millis(100));
        std::thread::yield_now();
    }
}

#[test]
fn a_topic_with_queues_of_inner_batches_is_refused_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(directory.path().join("batchconsumequeue/Batches/0")).unwrap();
    let store = open_os(small(directory.path()));
    let is_refusal = |error: StoreError| {
        matches!(&error, StoreError::BatchConsumeQueue { .. })
            && error.to_string().contains("batchconsumequeue/Batches")
    };
    assert!(is_refusal(store.queue("Batches", 0).unwrap_err()));
    assert!(is_refusal(store.get("Batches", 0, 0, 1, 100, None, &mut Vec::new()).unwrap_err()));
    assert!(is_refusal(store.find_queue("Batches", 0).unwrap_err()));
    assert!(is_refusal(store.min_offset("Batches", 0).unwrap_err()));
    assert!(is_refusal(store.max_offset("Batches", 0).unwrap_err()));
    assert!(is_refusal(store.offset_by_time("Batches", 0, 0, Boundary::Lower).unwrap_err()));
    assert!(is_refusal(store.store_timestamp_at("Batches", 0, 0).unwrap_err()));
    put(&store, "Topic", 0, b"another topic").unwrap();
    store.close().unwrap();
    assert!(directory.path().join("batchconsumequeue/Batches/0").exists());
    assert!(!directory.path().join("consumequeue/Batches").exists());
}

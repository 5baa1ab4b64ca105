//! A deleted topic is gone with its files and stays so, and one that is made anew starts at offset 0 and loses nothing.
#![allow(clippy::unwrap_used, reason = "a test that unwraps in vain fails, which is what it is for")]

mod common;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use common::*;
use rocketmq_env::{Fault, FaultFs, Fs, OpenMode, Operation, VirtualClock};
use rocketmq_store::{FlushDiskType, GetStatus, MessageStore, PutBatch, StoreConfig, StoreError};

const HOUR: Duration = Duration::from_secs(3600);

struct World {
    fs: FaultFs,
    clock: Arc<VirtualClock>,
}

impl World {
    fn new() -> Self {
        Self { fs: FaultFs::new(), clock: Arc::new(VirtualClock::new(START_MS)) }
    }

    fn open(&self) -> Arc<MessageStore> {
        let config = StoreConfig { flush_disk_type: FlushDiskType::SyncFlush, ..small("/store") };
        open_with(config, &self.fs, &self.clock).unwrap()
    }

    fn exists(&self, path: &str) -> bool {
        self.fs.exists(Path::new(path)).unwrap()
    }

    /// Ends the store in one of three ways and opens it again.
    fn reopen(&self, store: Arc<MessageStore>, how: u64) -> Arc<MessageStore> {
        match how {
            0 => store.close().unwrap(),
            1 => {
                store.write_out(store.max_physical_offset()).unwrap();
                self.fs.kill_process();
            }
            seed => {
                store.wait_flushed(store.max_physical_offset(), HOUR).unwrap();
                self.fs.power_cut(seed);
            }
        }
        drop(store);
        self.open()
    }
}

/// Puts messages with bodies `{name}-0`, `{name}-1` and so on into two queues of a topic.
fn fill(store: &MessageStore, topic: &str, name: &str, count: u32) {
    for number in 0..count {
        for queue_id in 0..2 {
            put(store, topic, queue_id, format!("{name}-{number}").as_bytes()).unwrap();
        }
    }
}

fn check(store: &MessageStore, topic: &str, name: &str, count: u32, context: &str) {
    for queue_id in 0..2 {
        let bodies: Vec<_> = (0..count).map(|number| format!("{name}-{number}").into_bytes()).collect();
        assert_eq!(store.min_offset(topic, queue_id).unwrap(), 0, "{context}");
        assert_eq!(read_all(store, topic, queue_id), bodies, "{context}: {topic} {queue_id}");
    }
}

#[test]
fn a_deleted_topic_is_gone_and_starts_at_offset_0_when_it_is_used_again() {
    let world = World::new();
    let store = world.open();
    fill(&store, "Topic", "old", 15);
    fill(&store, "Other", "other", 15);
    while !world.exists("/store/consumequeue/Topic/1") || !world.exists("/store/consumequeue/Other/0") {
        // Whoever writes them may not wait for the clock yet.
        world.clock.advance(Duration::from_secs(1));
        std::thread::yield_now();
    }
    let (outcome, _) = put(&store, "Topic", 0, b"last").unwrap();
    assert_eq!(store.delete_topics(&["Topic", "Unknown"]).unwrap(), 1);
    assert_eq!(get(&store, "Topic", 0, 0).0.status, GetStatus::NoMatchedLogicQueue);
    assert!(!world.exists("/store/consumequeue/Topic") && world.exists("/store/consumequeue/Other/0"));
    assert!(store.record_at(outcome.physical_offset, &mut Vec::new()).unwrap());
    fill(&store, "Topic", "new", 3);
    check(&store, "Topic", "new", 3, "");
    check(&store, "Other", "other", 15, "");
    assert_eq!(store.delete_topics(&["Unknown"]).unwrap(), 0);
}

#[test]
fn a_put_through_an_old_handle_fails_as_a_whole_and_brings_nothing_back() {
    let world = World::new();
    let store = world.open();
    fill(&store, "Topic", "old", 3);
    let mut batch = PutBatch::new();
    push(&mut batch, &store, "Other", 0, b"in the same batch", "");
    push(&mut batch, &store, "Topic", 0, b"too late", "");
    store.delete_topics(&["Topic"]).unwrap();
    let end = store.max_physical_offset();
    let error = store.put(&mut batch).unwrap_err();
    assert!(matches!(&error, StoreError::TopicDeleted { topic } if topic == "Topic"), "{error}");
    assert_eq!((store.max_physical_offset(), store.max_offset("Other", 0).unwrap()), (end, 0));
    world.clock.advance(Duration::from_secs(5));
    assert!(store.find_queue("Topic", 0).unwrap().is_none() && !world.exists("/store/consumequeue/Topic"));
    batch.clear();
    push(&mut batch, &store, "Topic", 0, b"anew", "");
    store.put(&mut batch).unwrap();
    assert_eq!(batch.outcome(0).unwrap().queue_offset, 0);
}

#[test]
fn an_old_handle_puts_nothing_to_the_queue_that_was_made_after_its_own_was_deleted() {
    let world = World::new();
    let store = world.open();
    fill(&store, "Topic", "old", 3);
    let old = store.queue("Topic", 0).unwrap();
    let mut before = PutBatch::new();
    before.push(&store, &message(&old, b"before the deletion", "")).unwrap();
    for anew in ["Topic", "Another", "Topic"] {
        store.delete_topics(&["Topic", "Another"]).unwrap();
        for is_used in [false, true] {
            if is_used {
                fill(&store, anew, "new", 3);
            }
            let queues: Vec<_> = (0..3).map(|queue_id| store.queue(anew, queue_id).unwrap()).collect();
            let mut after = PutBatch::new();
            after.push(&store, &message(&old, b"after it", "")).unwrap();
            for batch in [&mut before, &mut after] {
                let error = store.put(batch).unwrap_err();
                assert!(matches!(&error, StoreError::TopicDeleted { topic } if topic == "Topic"), "{error}");
            }
            let ends: i64 = queues.iter().map(|queue| store.offsets(queue).1).sum();
            assert_eq!(ends, if is_used { 6 } else { 0 });
        }
        check(&store, anew, "new", 3, "");
    }
}

#[test]
fn no_restart_brings_a_deleted_topic_back_or_loses_what_was_put_after_it_was_made_anew() {
    for how in 0..12 {
        let context = format!("restart {how}");
        let world = World::new();
        let store = world.open();
        fill(&store, "Other", "other", 4);
        fill(&store, "Topic", "old", 9);
        fill(&store, "Gone", "gone", 9);
        store.delete_topics(&["Gone", "Topic"]).unwrap();
        fill(&store, "Topic", "new", 3);
        let store = world.reopen(store, how);
        check(&store, "Topic", "new", 3, &context);
        check(&store, "Other", "other", 4, &context);
        assert!(
            store.find_queue("Gone", 0).unwrap().is_none() && !world.exists("/store/consumequeue/Gone"),
            "{context}"
        );
        store.delete_topics(&["Topic"]).unwrap();
        let store = world.reopen(store, how);
        assert!(store.find_queue("Topic", 0).unwrap().is_none(), "{context}");
        fill(&store, "Topic", "third", 2);
        let store = world.reopen(store, how);
        check(&store, "Topic", "third", 2, &context);
    }
}

#[test]
fn wherever_the_power_goes_off_a_topic_is_deleted_or_whole() {
    let (mut deleted, mut whole) = (0, 0);
    for call in 1..40 {
        for seed in 0..6 {
            let context = format!("call {call}, seed {seed}");
            let world = World::new();
            let store = world.open();
            fill(&store, "Topic", "old", 25);
            fill(&store, "Other", "other", 3);
            store.wait_flushed(store.max_physical_offset(), HOUR).unwrap();
            if seed % 2 == 0 {
                // With units in the files, and without.
                world.clock.advance(Duration::from_secs(4));
            }
            world.fs.power_off_at(world.fs.calls() + call);
            let outcome = store.delete_topics(&["Topic"]);
            drop(store);
            world.fs.power_cut(seed);
            let store = world.open();
            check(&store, "Other", "other", 3, &context);
            if store.find_queue("Topic", 0).unwrap().is_none() {
                deleted += 1;
                assert!(store.find_queue("Topic", 1).unwrap().is_none() && !world.exists("/store/consumequeue/Topic"));
                fill(&store, "Topic", "new", 2);
                let store = world.reopen(store, 2 + seed);
                check(&store, "Topic", "new", 2, &context);
            } else {
                whole += 1;
                assert!(outcome.is_err(), "{context}");
                check(&store, "Topic", "old", 25, &context);
            }
        }
    }
    assert!(deleted > 20 && whole > 10, "{deleted} {whole}");
}

#[test]
fn a_deletion_that_cannot_be_noted_leaves_the_topic_as_it_is() {
    let world = World::new();
    let store = world.open();
    fill(&store, "Topic", "old", 3);
    world.fs.inject(failing(Operation::Write, "deletedTopics"));
    assert!(matches!(store.delete_topics(&["Topic"]), Err(StoreError::Io { .. })));
    put(&store, "Topic", 0, b"old-3").unwrap();
    put(&store, "Topic", 1, b"old-3").unwrap();
    check(&store, "Topic", "old", 4, "");
    world.fs.heal();
    assert_eq!(store.delete_topics(&["Topic"]).unwrap(), 1);
}

#[test]
fn a_deletion_that_stops_half_way_takes_no_puts_and_is_finished_by_a_repetition_or_a_restart() {
    for how in [None, Some(0), Some(1)] {
        let world = World::new();
        let store = world.open();
        fill(&store, "Topic", "old", 25);
        store.close().unwrap();
        let store = world.open();
        world.fs.inject(failing(Operation::Remove, "Topic/1/00000000000000000200"));
        assert!(matches!(store.delete_topics(&["Topic"]), Err(StoreError::Log(_))));
        assert!(matches!(put(&store, "Topic", 0, b"between"), Err(StoreError::TopicDeleted { .. })));
        world.fs.inject(failing(Operation::Write, "deletedTopics"));
        assert!(matches!(store.delete_topics(&["Topic"]), Err(StoreError::Io { .. })));
        assert!(matches!(put(&store, "Topic", 0, b"between"), Err(StoreError::TopicDeleted { .. })));
        world.fs.heal();
        let store = match how {
            None => {
                assert_eq!(store.delete_topics(&["Topic"]).unwrap(), 1);
                store
            }
            Some(how) => world.reopen(store, how),
        };
        assert!(
            store.find_queue("Topic", 0).unwrap().is_none() && !world.exists("/store/consumequeue/Topic"),
            "{how:?}"
        );
        fill(&store, "Topic", "new", 2);
        check(&store, "Topic", "new", 2, "");
    }
}

#[test]
fn puts_that_race_with_deletions_are_stored_or_refused_and_offsets_never_have_a_gap() {
    let world = World::new();
    let store = world.open();
    let puts = 400;
    std::thread::scope(|scope| {
        let putter = scope.spawn(|| {
            let mut stored = 0;
            for number in 0..puts {
                match put(&store, "Topic", 0, format!("{number}").as_bytes()) {
                    Ok(_) => stored += 1,
                    Err(StoreError::TopicDeleted { .. }) => {}
                    Err(error) => panic!("{error}"),
                }
            }
            stored
        });
        while !putter.is_finished() {
            store.delete_topics(&["Topic"]).unwrap();
            world.clock.advance(Duration::from_millis(300));
        }
        assert!(putter.join().unwrap() > 0);
    });
    // A put may have found its own handle deleted for good; the next one does not.
    let mut expected = read_all(&store, "Topic", 0);
    assert_eq!(store.min_offset("Topic", 0).unwrap(), 0);
    put(&store, "Topic", 0, b"last").unwrap();
    expected.push(b"last".to_vec());
    assert_eq!(read_all(&store, "Topic", 0), expected);
    let store = world.reopen(store, 3);
    assert_eq!(read_all(&store, "Topic", 0), expected);
}

fn failing(operation: Operation, path: &str) -> Fault {
    Fault { operation, path_contains: path.to_owned(), after: 0, times: u64::MAX, os_error: Some(5) }
}

#[test]
fn what_is_put_after_the_log_lost_its_end_belongs_to_no_topic_that_was_deleted_before() {
    for lost in ["all of the log", "its end"] {
        let world = World::new();
        let store = world.open();
        fill(&store, "Topic", "old", 9);
        store.delete_topics(&["Topic"]).unwrap();
        let deleted_to = store.max_physical_offset();
        store.close().unwrap();
        drop(store);
        if lost == "its end" {
            // As after a power cut that kept the note and not what was put before it.
            let path = Path::new("/store/config/deletedTopics.json");
            let note = format!("{{\"topicTable\":{{\"Topic\":{}}}}}", deleted_to + 100_000);
            let file = world.fs.open(path, OpenMode::CreateTruncate).unwrap();
            file.write_all_at(note.as_bytes(), 0).unwrap();
            file.sync_all().unwrap();
        } else {
            for directory in ["/store/commitlog", "/store/consumequeue/Topic/0", "/store/consumequeue/Topic/1"] {
                for entry in world.fs.read_dir(Path::new(directory)).unwrap_or_default() {
                    world.fs.remove_file(&Path::new(directory).join(entry.name)).unwrap();
                }
            }
        }
        let store = world.open();
        fill(&store, "Topic", "new", 5);
        check(&store, "Topic", "new", 5, lost);
        let store = world.reopen(store, 0);
        check(&store, "Topic", "new", 5, lost);
    }
}

#[test]
fn a_topic_that_apache_deleted_does_not_come_back_after_its_clean_stop() {
    // Apache removes the directories; where they are left somebody asks for the queues again.
    for leaves_directories in [false, true] {
        let world = World::new();
        let store = world.open();
        fill(&store, "Topic", "old", 3);
        fill(&store, "Other", "other", 3);
        store.close().unwrap();
        drop(store);
        apache_stores(&world.fs, "/store");
        for queue_id in 0..2 {
            let directory = format!("/store/consumequeue/Topic/{queue_id}");
            for entry in world.fs.read_dir(Path::new(&directory)).unwrap() {
                world.fs.remove_file(&Path::new(&directory).join(entry.name)).unwrap();
            }
            if !leaves_directories {
                world.fs.remove_dir(Path::new(&directory)).unwrap();
            }
        }
        let store = world.open();
        check(&store, "Other", "other", 3, "");
        if leaves_directories {
            check(&store, "Topic", "old", 3, "");
        } else {
            assert!(store.find_queue("Topic", 0).unwrap().is_none());
            fill(&store, "Topic", "new", 2);
            check(&store, "Topic", "new", 2, "");
        }
    }
}

//! Ext files of consume queues: what filters find in them, what a power cut leaves, what goes with deleted messages.
#![allow(clippy::unwrap_used, reason = "a test that unwraps in vain fails, which is what it is for")]

mod common;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use common::*;
use rocketmq_codec::message::java_string_hash;
use rocketmq_env::{FaultFs, Fs, VirtualClock};
use rocketmq_store::{
    FlushDiskType, MessageStore, RetentionConfig, StoreConfig, StoreError, TagFilter, rebuild, verify,
};

const TAGS: [&str; 3] = ["red", "green", "blue"];

fn config() -> StoreConfig {
    StoreConfig {
        enable_consume_queue_ext: true,
        consume_queue_ext_segment_bytes: 130,
        flush_disk_type: FlushDiskType::SyncFlush,
        ..small("/store")
    }
}

fn open(config: StoreConfig, fs: &FaultFs) -> Result<Arc<MessageStore>, StoreError> {
    open_with(config, fs, &Arc::new(VirtualClock::new(START_MS)))
}

fn put_number(store: &MessageStore, number: usize) -> Result<(), StoreError> {
    let properties = format!("TAGS\u{1}{}\u{2}", TAGS[number % 3]);
    let (_, ticket) = put_tagged(store, "T", 0, number.to_string().as_bytes(), &properties)?;
    let flushed = store.wait_flushed(ticket.end, Duration::from_secs(3600));
    flushed.map_err(|error| StoreError::Poisoned { reason: error.to_string() })
}

/// The numbers in the queue whose tag passes, by gets with a filter.
fn filtered(store: &MessageStore, tag: &str) -> Vec<usize> {
    let filter = TagFilter::new([java_string_hash(tag)]);
    let mut offset = store.min_offset("T", 0).unwrap();
    let mut bytes = Vec::new();
    while offset < store.max_offset("T", 0).unwrap() {
        let result = store.get("T", 0, offset, 32, 1 << 20, Some(&filter), &mut bytes).unwrap();
        assert!(result.next_begin_offset > offset, "{result:?}");
        offset = result.next_begin_offset;
    }
    records(&bytes).into_iter().map(|(_, body)| String::from_utf8(body).unwrap().parse().unwrap()).collect()
}

fn check(store: &MessageStore, what: &str) {
    let (min, max) = (store.min_offset("T", 0).unwrap() as usize, store.max_offset("T", 0).unwrap() as usize);
    for (index, tag) in TAGS.iter().enumerate() {
        let expected: Vec<_> = (min..max).filter(|number| number % 3 == index).collect();
        assert_eq!(filtered(store, tag), expected, "{what}, {tag}");
    }
}

fn ext_files(fs: &FaultFs) -> Vec<PathBuf> {
    let directory = Path::new("/store/consumequeue_ext/T/0");
    let entries = fs.read_dir(directory).unwrap_or_default();
    let mut files: Vec<_> = entries.into_iter().map(|entry| PathBuf::from(entry.name)).collect();
    files.sort();
    files
}

#[test]
fn filters_find_the_tags_codes_in_ext_files_in_memory_and_after_every_kind_of_stop() {
    let fs = FaultFs::new();
    for round in 0..6 {
        let store = open(config(), &fs).unwrap();
        check(&store, "opened");
        (round * 20..round * 20 + 20).for_each(|number| put_number(&store, number).unwrap());
        check(&store, "put");
        if round % 2 == 0 {
            store.close().unwrap();
        }
    }
    assert!(ext_files(&fs).len() > 10);
}

#[test]
fn after_a_power_cut_at_any_call_each_message_has_its_own_tag() {
    for call in (1..400).step_by(3) {
        let fs = FaultFs::new();
        let config = || StoreConfig { flush_consume_queue_thorough_interval: Duration::ZERO, ..config() };
        let store = open(config(), &fs).unwrap();
        (0..10).for_each(|number| put_number(&store, number).unwrap());
        store.close().unwrap();
        let store = open(config(), &fs).unwrap();
        fs.power_off_at(fs.calls() + call);
        let acknowledged = 10 + (10..40).take_while(|number| put_number(&store, *number).is_ok()).count();
        let _ = store.close();
        drop(store);
        fs.power_cut(call);
        for round in 0..2 {
            let store = open(config(), &fs).unwrap();
            let max = store.max_offset("T", 0).unwrap() as usize;
            assert!(max >= acknowledged, "call {call}, round {round}: {max} of {acknowledged}");
            check(&store, &format!("call {call}, round {round}"));
            (max..max + 7).for_each(|number| put_number(&store, number).unwrap());
            check(&store, &format!("call {call}, round {round}, more"));
            if round == 1 {
                store.close().unwrap();
            }
        }
    }
}

#[test]
fn a_queue_that_had_no_ext_files_goes_on_with_them_and_without() {
    let fs = FaultFs::new();
    for (round, enabled) in [false, true, false, true].into_iter().enumerate() {
        let store = open(StoreConfig { enable_consume_queue_ext: enabled, ..config() }, &fs).unwrap();
        (round * 20..round * 20 + 20).for_each(|number| put_number(&store, number).unwrap());
        if enabled {
            check(&store, "enabled");
        }
        store.close().unwrap();
    }
    let store = open(StoreConfig { enable_consume_queue_ext: false, ..config() }, &fs).unwrap();
    let passed = filtered(&store, "red");
    let red_or_in_ext = |number: &usize| number.is_multiple_of(3) || !(number / 20).is_multiple_of(2);
    assert_eq!(passed, (0..80).filter(red_or_in_ext).collect::<Vec<_>>());
}

#[test]
fn a_deleted_topic_takes_its_ext_files_along() {
    let fs = FaultFs::new();
    let store = open(config(), &fs).unwrap();
    (0..30).for_each(|number| put_number(&store, number).unwrap());
    store.close().unwrap();
    let store = open(config(), &fs).unwrap();
    store.delete_topics(&["T"]).unwrap();
    assert!(!fs.exists(Path::new("/store/consumequeue_ext/T")).unwrap());
    (0..5).for_each(|number| put_number(&store, number).unwrap());
    check(&store, "made again");
}

#[test]
fn ext_files_before_the_first_message_are_removed() {
    let fs = FaultFs::new();
    let clock = Arc::new(VirtualClock::new(START_MS));
    let retention = RetentionConfig { max_log_bytes: Some(8192), ..RetentionConfig::default() };
    let store = open_with(StoreConfig { retention, ..config() }, &fs, &clock).unwrap();
    (0..200).for_each(|number| put_number(&store, number).unwrap());
    let limit = Path::new("00000000000000001000");
    let first = || ext_files(&fs).first().cloned();
    for _ in 0..100_000 {
        if first().is_some_and(|first| first.as_path() > limit) {
            break;
        }
        clock.advance(Duration::from_secs(1));
        std::thread::yield_now();
    }
    assert!(first().unwrap().as_path() > limit);
    assert!(store.min_offset("T", 0).unwrap() > 50);
    check(&store, "the rest");
}

#[test]
fn verify_finds_no_fault_in_ext_addresses_and_rebuild_makes_them_anew() {
    let fs = FaultFs::new();
    let store = open(config(), &fs).unwrap();
    (0..50).for_each(|number| put_number(&store, number).unwrap());
    store.close().unwrap();
    let shared = fs.process();
    let mut from_disk = StoreConfig { enable_consume_queue_ext: false, consume_queue_ext_segment_bytes: 1, ..config() };
    from_disk.take_file_sizes_from_disk(&*shared).unwrap();
    assert_eq!((from_disk.enable_consume_queue_ext, from_disk.consume_queue_ext_segment_bytes), (true, 130));
    assert_eq!(verify(&from_disk, &shared, |_, _| {}).unwrap().faults, []);
    let clock: Arc<dyn rocketmq_env::Clock> = Arc::new(VirtualClock::new(START_MS));
    rebuild(&from_disk, &shared, &clock, |_, _| {}).unwrap();
    assert_eq!(verify(&from_disk, &shared, |_, _| {}).unwrap().faults, []);
    check(&open(config(), &fs).unwrap(), "rebuilt");
}

#[test]
fn a_length_of_ext_files_that_holds_no_unit_is_refused() {
    let fs = FaultFs::new();
    for consume_queue_ext_segment_bytes in [0, 23, 1 << 31] {
        let error = open(StoreConfig { consume_queue_ext_segment_bytes, ..config() }, &fs).unwrap_err();
        assert!(error.to_string().starts_with("mappedFileSizeConsumeQueueExt"), "{error}");
    }
}

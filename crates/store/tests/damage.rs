//! Bits that flip and files that end early, anywhere, in a store that is stopped or running: opening it works or fails with a
//! reason, nothing panics, and a get never returns another message than the one asked for.
#![allow(clippy::unwrap_used, reason = "a test that unwraps in vain fails, which is what it is for")]

mod common;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use common::random::Random;
use common::*;
use rocketmq_codec::message::decode_record;
use rocketmq_env::{FaultFs, Fs, OpenMode, VirtualClock};
use rocketmq_store::{Boundary, GetStatus, MessageStore, StoreConfig};

const QUEUES: [(&str, i32); 3] = [("Topic", 0), ("Topic", 1), ("Other", 0)];

/// Body by queue (as an index of [`QUEUES`]) and offset.
type Expected = BTreeMap<(usize, i64), Vec<u8>>;

fn config() -> StoreConfig {
    StoreConfig { flush_consume_queue_thorough_interval: Duration::from_secs(2), ..small("/store") }
}

fn open(fs: &FaultFs) -> Result<Arc<MessageStore>, rocketmq_store::StoreError> {
    open_with(config(), fs, &Arc::new(VirtualClock::new(START_MS)))
}

/// A store with messages in several files of each kind. All records have one length, so that a flipped unit may well point
/// to another whole record.
fn filled() -> (FaultFs, Arc<MessageStore>, Expected) {
    let fs = FaultFs::new();
    let store = open(&fs).unwrap();
    let mut expected = Expected::new();
    for number in 0..40_i64 {
        let index = [0, 1, 0, 2][number as usize % 4];
        let (topic, queue_id) = QUEUES[index];
        let body = format!("{number:03}{}", "b".repeat(135)).into_bytes();
        let (outcome, ticket) = put_tagged(&store, topic, queue_id, &body, "TAGS\u{1}t\u{2}").unwrap();
        store.wait_flushed(ticket.end, Duration::from_secs(3600)).unwrap();
        expected.insert((index, outcome.queue_offset), body);
    }
    (fs, store, expected)
}

/// Every file below a directory.
fn files(fs: &FaultFs, directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs.read_dir(directory).unwrap() {
        let path = directory.join(entry.name);
        if entry.is_dir { found.extend(files(fs, &path)) } else { found.push(path) }
    }
    found.sort();
    found
}

/// Reads all there is, each way. Returns how many messages were right. No checksum covers the head of a record: a recovery
/// that makes queues from the log believes the one with the byte `damaged_at` whatever it says of itself.
fn read_everything(store: &MessageStore, expected: &Expected, damaged_at: Option<i64>, context: &str) -> usize {
    let mut right = 0;
    for (index, (topic, queue_id)) in QUEUES.into_iter().enumerate() {
        let mut offset = store.min_offset(topic, queue_id).unwrap();
        for timestamp in [0, START_MS, i64::MAX] {
            let _any_answer = store.offset_by_time(topic, queue_id, timestamp, Boundary::Lower);
        }
        let _any_answer = store.earliest_time(topic, queue_id);
        while offset < store.max_offset(topic, queue_id).unwrap() {
            let mut out = Vec::new();
            let Ok(result) = store.get(topic, queue_id, offset, 1, 1 << 20, None, &mut out) else { break };
            if result.status == GetStatus::Found {
                match decode_record(&out, true) {
                    Ok((record, size))
                        if damaged_at.is_some_and(|at| (0..size as i64).contains(&(at - record.physical_offset))) =>
                    {
                        right += usize::from(expected.values().any(|body| body == record.body));
                    }
                    Ok((record, _)) => {
                        // Else the get went on behind what is damaged.
                        assert!(record.queue_offset >= offset, "{context}: {record:?}");
                        let body = expected.get(&(index, record.queue_offset));
                        assert_eq!(Some(record.body), body.map(Vec::as_slice), "{context}: another message");
                        right += 1;
                    }
                    // The damage is within this record, and whoever decodes it sees that.
                    Err(_) => assert!(out.len() >= 4, "{context}"),
                }
            }
            assert!(result.next_begin_offset > offset, "{context}: {result:?}");
            offset = result.next_begin_offset;
        }
    }
    for physical in (0..store.max_physical_offset()).step_by(97) {
        let _any_answer = store.record_at(physical, &mut Vec::new());
    }
    right
}

/// First offset of a file.
fn base(path: &Path) -> i64 {
    path.file_name().unwrap().to_str().unwrap().parse().unwrap()
}

/// Flips a bit in every so many bytes of every file, each in a copy of the store, which is then opened and read.
/// Returns how many were refused.
fn flip_everywhere(fs: &FaultFs, expected: &Expected, step: usize) -> usize {
    let mut random = Random(step as u64);
    let (mut refused, mut whole) = (0, 0);
    for path in files(fs, Path::new("/store")) {
        let len = fs.metadata(&path).unwrap().len as usize;
        let content = fs.read(&path, 1 << 20).unwrap();
        // Behind the last byte that says anything every byte is as good as another.
        let used = content.iter().rposition(|byte| *byte != 0).map_or(0, |last| (last + 40).min(len));
        for offset in (random.below(step as u64) as usize..used).step_by(step) {
            let damaged = fs.fork();
            let mask = 1 << random.below(8);
            damaged.corrupt(&path, offset as u64, mask).unwrap();
            let context = format!("byte {offset} of {} with mask {mask}", path.display());
            match open(&damaged) {
                Ok(store) => {
                    let in_log = path.starts_with("/store/commitlog").then(|| base(&path) + offset as i64);
                    whole += usize::from(read_everything(&store, expected, in_log, &context) == expected.len());
                }
                Err(error) => {
                    assert!(
                        error.to_string().contains("/store/") || error.to_string().contains("commit log"),
                        "{error}"
                    );
                    refused += 1;
                }
            }
        }
    }
    assert!(whole > 0);
    refused
}

#[test]
fn a_bit_that_flips_in_a_store_that_was_closed_never_makes_a_get_return_another_message() {
    let (fs, store, expected) = filled();
    store.close().unwrap();
    drop(store);
    let _those_in_the_last_record = flip_everywhere(&fs, &expected, 11);
}

#[test]
fn a_bit_that_flips_in_a_store_that_was_killed_never_makes_a_get_return_another_message() {
    let (fs, store, expected) = filled();
    fs.kill_process();
    drop(store);
    assert!(flip_everywhere(&fs, &expected, 11) > 0, "what was acknowledged was cut away");
}

#[test]
fn a_bit_that_flips_under_a_running_store_never_makes_a_get_return_another_message() {
    let (fs, store, expected) = filled();
    store.close().unwrap();
    drop(store);
    let store = open(&fs).unwrap();
    assert_eq!(read_everything(&store, &expected, None, "undamaged"), expected.len());
    let mut random = Random(1);
    for path in files(&fs, Path::new("/store")) {
        if !path.starts_with("/store/commitlog") && !path.starts_with("/store/consumequeue") {
            continue;
        }
        for offset in (0..fs.metadata(&path).unwrap().len).step_by(3) {
            let mask = 1 << random.below(8);
            fs.corrupt(&path, offset, mask).unwrap();
            let context = format!("byte {offset} of {} with mask {mask}", path.display());
            let right = read_everything(&store, &expected, None, &context);
            assert!(right >= expected.len() - 1, "{context}: {} of {right} are hidden", expected.len());
            fs.corrupt(&path, offset, mask).unwrap();
        }
    }
}

#[test]
fn a_file_that_ends_early_is_refused_by_name_or_completed() {
    for clean in [true, false] {
        let (fs, store, expected) = filled();
        if clean {
            store.close().unwrap();
        } else {
            fs.kill_process();
        }
        drop(store);
        for path in files(&fs, Path::new("/store")) {
            let len = fs.metadata(&path).unwrap().len;
            for kept in (0..len).step_by(if len > 1_000 { 61 } else { 7 }) {
                let shorter = fs.fork();
                shorter.open(&path, OpenMode::ReadWrite).unwrap().set_len(kept).unwrap();
                let context = format!("{} of {kept} bytes, clean {clean}", path.display());
                match open(&shorter) {
                    Ok(store) => drop(read_everything(&store, &expected, None, &context)),
                    Err(error) => assert!(error.to_string().contains("/store/"), "{context}: {error}"),
                }
            }
        }
    }
}

#[test]
fn a_checkpoint_that_is_gone_empty_or_garbage_loses_nothing() {
    for clean in [true, false] {
        for content in [None, Some(vec![]), Some(vec![0; 4096]), Some(vec![0xFF; 4096]), Some(vec![0x7F; 4096])] {
            let (fs, store, expected) = filled();
            if clean {
                store.close().unwrap();
            } else {
                fs.kill_process();
            }
            drop(store);
            let path = Path::new("/store/checkpoint");
            match &content {
                None => fs.remove_file(path).unwrap(),
                Some(bytes) => {
                    let file = fs.open(path, OpenMode::CreateTruncate).unwrap();
                    file.write_all_at(bytes, 0).unwrap();
                }
            }
            let store = open(&fs).unwrap();
            let context = format!("clean {clean}, {:?}", content.map(|bytes| bytes.first().copied()));
            assert_eq!(read_everything(&store, &expected, None, &context), expected.len(), "{context}");
            store.close().unwrap();
        }
    }
}

/// Found by the fuzz target `recovery`.
#[test]
fn a_magic_in_the_first_bytes_of_the_log_is_no_record() {
    let fs = FaultFs::new();
    let path = Path::new("/store/commitlog/00000000000000000000");
    fs.create_dir_all(path.parent().unwrap()).unwrap();
    let file = fs.open(path, OpenMode::CreateNew).unwrap();
    file.write_all_at(&[0, 0, 0xDA, 0xA3, 0x20, 0xA7], 0).unwrap();
    file.set_len(4096).unwrap();
    assert_eq!(open(&fs).unwrap().max_physical_offset(), 0);
}

/// Found by the fuzz target `derived`.
#[test]
fn a_damaged_last_unit_that_reaches_far_hides_no_message_that_is_put_later() {
    for (clean, without_checkpoint) in [(true, false), (true, true), (false, false), (false, true)] {
        for size in [300, 700, 5_000, i32::MAX] {
            let (fs, store, expected) = filled();
            store.close().unwrap();
            drop(store);
            if !clean {
                drop(fs.open(Path::new("/store/abort"), OpenMode::CreateNew).unwrap());
            }
            if without_checkpoint {
                fs.remove_file(Path::new("/store/checkpoint")).unwrap();
            }
            let next = |index| expected.keys().filter(|(at, _)| *at == index).count() as i64;
            for (index, (topic, queue_id)) in QUEUES.iter().enumerate() {
                let at = (next(index) - 1) as u64 * 20;
                let path = format!("/store/consumequeue/{topic}/{queue_id}/{:020}", at - at % 200);
                let file = fs.open(Path::new(&path), OpenMode::ReadWrite).unwrap();
                file.write_all_at(&i32::to_be_bytes(size), at % 200 + 8).unwrap();
            }
            let store = open(&fs).unwrap();
            for (index, (topic, queue_id)) in QUEUES.into_iter().enumerate() {
                let context = format!("{topic} {queue_id}, size {size}, clean {clean}, {without_checkpoint}");
                let (outcome, _) = put(&store, topic, queue_id, b"new").unwrap();
                assert_eq!(outcome.queue_offset, next(index), "{context}");
                assert_eq!(
                    get(&store, topic, queue_id, outcome.queue_offset).1,
                    [(next(index), b"new".to_vec())],
                    "{context}"
                );
            }
        }
    }
}

/// Found by fuzzing: the length reaches over the message that is put next, but not behind the log's last file.
#[test]
fn a_message_that_is_put_within_the_damaged_length_of_the_last_unit_is_there_after_the_next_start() {
    let config = StoreConfig { commit_log_segment_bytes: 1024, consume_queue_segment_bytes: 100, ..config() };
    let fs = FaultFs::new();
    let open = || open_with(config.clone(), &fs, &Arc::new(VirtualClock::new(START_MS))).unwrap();
    let store = open();
    for number in 0..14 {
        put_tagged(&store, "Topic", number % 2, b"body 0 of 0", "KEYS\u{1}key0\u{2}").unwrap();
    }
    store.close().unwrap();
    drop(store);
    let file = fs.open(Path::new("/store/consumequeue/Topic/0/00000000000000000100"), OpenMode::ReadWrite).unwrap();
    file.write_all_at(&i32::to_be_bytes(522), 28).unwrap();
    let store = open();
    let (outcome, _) = put_tagged(&store, "Topic", 0, b"new", "KEYS\u{1}new\u{2}").unwrap();
    assert_eq!(outcome.queue_offset, 7);
    store.close().unwrap();
    drop(store);
    assert_eq!(get(&open(), "Topic", 0, 7).1, [(7, b"new".to_vec())]);
}

#[test]
fn a_damaged_length_in_a_unit_hides_that_message_alone_over_any_number_of_starts() {
    for at in 0..19_u64 {
        let (fs, store, mut expected) = filled();
        store.close().unwrap();
        drop(store);
        let unit = at * 20;
        let path = format!("/store/consumequeue/Topic/0/{:020}", unit - unit % 200);
        let file = fs.open(Path::new(&path), OpenMode::ReadWrite).unwrap();
        file.write_all_at(&i32::to_be_bytes(700), unit % 200 + 8).unwrap();
        for start in 0..3 {
            let store = open(&fs).unwrap();
            for ((index, offset), body) in &expected {
                let (topic, queue_id) = QUEUES[*index];
                let found = get(&store, topic, queue_id, *offset).1;
                if (*index, *offset) != (0, at as i64) {
                    assert_eq!(
                        found.first(),
                        Some(&(*offset, body.clone())),
                        "unit {at}, start {start}, {topic} {queue_id}"
                    );
                }
            }
            let (outcome, _) = put(&store, "Topic", 0, b"new").unwrap();
            assert!(expected.insert((0, outcome.queue_offset), b"new".to_vec()).is_none(), "unit {at}, start {start}");
            store.close().unwrap();
        }
    }
}

#[test]
fn queues_whose_directories_were_swapped_return_no_message_of_the_other_topic() {
    for clean in [true, false] {
        let (fs, store, expected) = filled();
        store.close().unwrap();
        drop(store);
        if !clean {
            drop(fs.open(Path::new("/store/abort"), OpenMode::CreateNew).unwrap());
        }
        let queue = |topic: &str| files(&fs, Path::new(&format!("/store/consumequeue/{topic}/0")));
        let contents: Vec<_> = ["Topic", "Other"]
            .map(|topic| queue(topic).into_iter().map(|path| fs.read(&path, 1 << 20).unwrap()).collect())
            .into();
        let swapped = contents.iter().rev().collect::<Vec<&Vec<Vec<u8>>>>();
        for (topic, files) in ["Topic", "Other"].into_iter().zip(swapped) {
            queue(topic).iter().for_each(|path| fs.remove_file(path).unwrap());
            for (number, bytes) in files.iter().enumerate() {
                let path = format!("/store/consumequeue/{topic}/0/{:020}", number * 200);
                fs.open(Path::new(&path), OpenMode::CreateNew).unwrap().write_all_at(bytes, 0).unwrap();
            }
        }
        let _right = read_everything(&open(&fs).unwrap(), &expected, None, "swapped");
    }
}

#[test]
fn a_record_whose_parts_do_not_fit_is_left_out_and_those_around_it_are_returned() {
    let (fs, store, expected) = filled();
    let of_queue = |index| {
        expected.iter().filter(move |((at, _), _)| *at == index).map(|((_, offset), body)| (*offset, body.clone()))
    };
    let mut out = Vec::new();
    store.get("Topic", 0, 5, 1, 1 << 20, None, &mut out).unwrap();
    let record = decode_record(&out, true).unwrap().0;
    let place = record.physical_offset;
    let (file, at) = (format!("/store/commitlog/{:020}", place - place % 4096), place as u64 % 4096);
    // Lengths of the body, the topic and the properties.
    let topic_length = (record.body_offset + record.body.len()) as u64;
    let properties_length = topic_length + 1 + record.topic.len() as u64;
    for byte in [record.body_offset as u64 - 2, topic_length, properties_length + 1] {
        fs.corrupt(Path::new(&file), at + byte, 4).unwrap();
        // Ten units lie in a file, which a get does not leave.
        let mut found = get(&store, "Topic", 0, 0).1;
        found.extend(get(&store, "Topic", 0, 10).1);
        let others: Vec<_> = of_queue(0).filter(|(offset, _)| *offset != 5).collect();
        assert!(found == others, "byte {byte}: {} of {} are returned", found.len(), others.len());
        assert!(!store.record_at(place, &mut Vec::new()).unwrap(), "byte {byte}");
        // The log is read up to it, and then it is named.
        let mut log = Vec::new();
        let read = store.records_from(0, 100, 1 << 20, &mut log).unwrap();
        assert_eq!(read.next_physical_offset, place, "byte {byte}");
        assert_eq!(records(&log).len(), read.count);
        let error = store.records_from(place, 100, 1 << 20, &mut log).unwrap_err().to_string();
        assert!(error.contains(&format!("({file}, byte {at})")), "{error}");
        fs.corrupt(Path::new(&file), at + byte, 4).unwrap();
    }
}

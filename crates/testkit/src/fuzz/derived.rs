//! A good commit log whose consume queues, index files and checkpoint are damaged: bytes at any place of them are others, or
//! they end early. The first byte says whether the stop was clean; the rest are patches. Opening works or fails, what can be
//! read can be read to its end and is what was put, and what is put then is read back and found by its key.
//! Needs no seeds: the files are those of a store that was closed.

use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use rocketmq_codec::message::decode_record;
use rocketmq_env::{FaultFs, VirtualClock};
use rocketmq_store::{MessageStore, PutBatch, StoreConfig, StoreError};

use super::write_file;
use crate::plain_message;

const QUEUES: i32 = 2;

/// The files of the good store, those of its commit log apart.
static LOG: LazyLock<Vec<(PathBuf, Vec<u8>)>> = LazyLock::new(|| good_files(true));
static DERIVED: LazyLock<Vec<(PathBuf, Vec<u8>)>> = LazyLock::new(|| good_files(false));

fn open(fs: &FaultFs) -> Result<Arc<MessageStore>, StoreError> {
    let config = StoreConfig {
        commit_log_segment_bytes: 1024,
        consume_queue_segment_bytes: 100,
        max_message_bytes: 512,
        max_hash_slot_num: 3,
        max_index_num: 6,
        ..StoreConfig::new("/store")
    };
    MessageStore::open(config, fs.process(), Arc::new(VirtualClock::new(1_700_000_000_000)))
}

fn body(queue_id: i32, offset: i64) -> Vec<u8> {
    format!("body {offset} of {queue_id}").into_bytes()
}

/// Puts a message with a key of its own; its place.
fn put(store: &MessageStore, queue_id: i32, key: &str) -> (i64, i64) {
    let queue = store.queue("Topic", queue_id).unwrap();
    let (body, properties) = (body(queue_id, store.offsets(&queue).1), format!("KEYS\u{1}{key}\u{2}"));
    let mut batch = PutBatch::new();
    batch.push(store, &plain_message(&queue, &body, &properties)).unwrap();
    store.put(&mut batch).unwrap();
    let outcome = batch.outcome(0).unwrap();
    (outcome.queue_offset, outcome.physical_offset)
}

fn good_files(of_log: bool) -> Vec<(PathBuf, Vec<u8>)> {
    let fs = FaultFs::new();
    let store = open(&fs).unwrap();
    for number in 0..14 {
        put(&store, number % QUEUES, &format!("key{number}"));
    }
    store.close().unwrap();
    drop(store);
    let mut found = Vec::new();
    let process = fs.process();
    let mut directories = vec![PathBuf::from("/store")];
    while let Some(directory) = directories.pop() {
        for entry in process.read_dir(&directory).unwrap() {
            let path = directory.join(&entry.name);
            if entry.is_dir {
                directories.push(path);
            } else if path.starts_with("/store/commitlog") == of_log {
                found.push((path.clone(), process.read(&path, 1 << 20).unwrap()));
            }
        }
    }
    found.sort();
    found
}

/// All messages of a queue.
fn read(store: &MessageStore, queue_id: i32) -> usize {
    let mut messages = 0;
    let mut offset = store.min_offset("Topic", queue_id).unwrap();
    while offset < store.max_offset("Topic", queue_id).unwrap() {
        let mut out = Vec::new();
        let result = store.get("Topic", queue_id, offset, 32, 1 << 20, None, &mut out).unwrap();
        let mut bytes = &out[..];
        while !bytes.is_empty() {
            let (record, size) = decode_record(bytes, true).unwrap();
            assert_eq!((record.queue_id, record.body), (queue_id, &*body(queue_id, record.queue_offset)));
            bytes = &bytes[size..];
            messages += 1;
        }
        assert!(result.next_begin_offset > offset, "{result:?}");
        offset = result.next_begin_offset;
    }
    messages
}

/// Damages the files of a good store with them. Panics where that goes wrong.
pub fn derived(bytes: &[u8]) {
    let Some((how, mut patches)) = bytes.split_first() else { return };
    let mut files = DERIVED.clone();
    let mut is_index_damaged = false;
    // Which file, where (2 bytes), how many, then as many bytes; 0 bytes: the file ends there.
    while let [which, high, low, len, rest @ ..] = patches {
        let index = usize::from(*which) % files.len();
        is_index_damaged |= files[index].0.starts_with("/store/index");
        let file = &mut files[index].1;
        let at = usize::from(u16::from_be_bytes([*high, *low])) % file.len().max(1);
        let (patch, rest) = rest.split_at(rest.len().min(usize::from(len % 9)));
        patches = rest;
        if patch.is_empty() {
            file.truncate(at);
        }
        for (to, from) in file.iter_mut().skip(at).zip(patch) {
            *to = *from;
        }
    }
    let fs = FaultFs::new();
    let process = fs.process();
    for (path, bytes) in LOG.iter().chain(&files) {
        write_file(&*process, path, bytes);
    }
    if how & 1 != 0 {
        write_file(&*process, Path::new("/store/abort"), b"1");
    }
    let Ok(store) = open(&fs) else { return };
    for queue_id in 0..QUEUES {
        read(&store, queue_id);
    }
    for number in 0..14 {
        let _ = store.query("Topic", &format!("key{number}"), 64, 0, i64::MAX);
    }
    let before = store.max_offset("Topic", 0).unwrap();
    let (offset, place) = put(&store, 0, "new");
    assert!(offset >= before);
    let mut out = Vec::new();
    let result = store.get("Topic", 0, offset, 1, 1 << 20, None, &mut out).unwrap();
    assert_eq!(result.count, 1, "{result:?}");
    let found = store.query("Topic", "new", 64, 0, i64::MAX).unwrap();
    // No checksum covers the slots and items of an index file: a chain that is cut hides what hangs on it.
    assert!(is_index_damaged || found.physical_offsets.contains(&place), "{found:?} {place}");
    let messages = [0, 1].map(|queue_id| read(&store, queue_id));
    store.close().unwrap();
    drop(store);
    let store = open(&fs).unwrap();
    // A start may find that a unit is wrong, and make it again: then there are more.
    let then = [0, 1].map(|queue_id| read(&store, queue_id));
    assert!(then.iter().zip(messages).all(|(then, before)| *then >= before), "{then:?} {messages:?}");
}

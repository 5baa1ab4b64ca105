//! A store in a temp directory or in memory, and messages to put into it.
#![allow(dead_code, reason = "each test file uses a part")]

pub mod lockstep;
pub mod model;
pub mod random;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rocketmq_codec::message::decode_record;
use rocketmq_env::{Clock, FaultFs, Fs, OpenMode, OsFs, SystemClock, VirtualClock};
use rocketmq_store::{
    GetResult, HostAddr, MessageStore, PutBatch, PutMessage, PutOutcome, PutTicket, QueueHandle, StoreConfig,
    StoreError,
};

/// Start of time in tests.
pub const START_MS: i64 = 1_700_000_000_000;

/// Files of a size at which everything rolls.
pub fn small(root: impl AsRef<Path>) -> StoreConfig {
    StoreConfig {
        commit_log_segment_bytes: 4096,
        consume_queue_segment_bytes: 200,
        max_open_consume_queue_files: 2,
        max_message_bytes: 2048,
        max_hash_slot_num: 7,
        max_index_num: 20,
        flush_interval_commit_log: Duration::from_millis(500),
        ..StoreConfig::new(root.as_ref())
    }
}

pub fn open_os(config: StoreConfig) -> Arc<MessageStore> {
    MessageStore::open(config, Arc::new(OsFs), Arc::new(SystemClock::new())).unwrap()
}

pub fn open_with(
    config: StoreConfig,
    fs: &FaultFs,
    clock: &Arc<VirtualClock>,
) -> Result<Arc<MessageStore>, StoreError> {
    MessageStore::open(config, fs.process(), clock.clone() as Arc<dyn Clock>)
}

pub fn host() -> HostAddr {
    HostAddr::from("127.0.0.1:10911".parse::<std::net::SocketAddr>().unwrap())
}

/// A plain message.
pub fn message<'a>(queue: &'a QueueHandle, body: &'a [u8], properties: &'a str) -> PutMessage<'a> {
    PutMessage {
        queue,
        flag: 0,
        sys_flag: 0,
        born_timestamp: START_MS,
        born_host: host(),
        store_host: host(),
        reconsume_times: 0,
        prepared_transaction_offset: 0,
        body,
        properties,
    }
}

/// Adds a message to a batch.
pub fn push(batch: &mut PutBatch, store: &MessageStore, topic: &str, queue_id: i32, body: &[u8], properties: &str) {
    let queue = store.queue(topic, queue_id).unwrap();
    batch.push(store, &message(&queue, body, properties)).unwrap();
}

/// Puts one message.
pub fn put(
    store: &MessageStore,
    topic: &str,
    queue_id: i32,
    body: &[u8],
) -> Result<(PutOutcome, PutTicket), StoreError> {
    put_tagged(store, topic, queue_id, body, "")
}

pub fn put_tagged(
    store: &MessageStore,
    topic: &str,
    queue_id: i32,
    body: &[u8],
    properties: &str,
) -> Result<(PutOutcome, PutTicket), StoreError> {
    let mut batch = PutBatch::new();
    push(&mut batch, store, topic, queue_id, body, properties);
    let ticket = store.put(&mut batch)?;
    Ok((batch.outcome(0).unwrap(), ticket))
}

/// (queue offset, body) of the records in `bytes`.
pub fn records(mut bytes: &[u8]) -> Vec<(i64, Vec<u8>)> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let (record, size) = decode_record(bytes, true).unwrap();
        found.push((record.queue_offset, record.body.to_vec()));
        bytes = &bytes[size..];
    }
    found
}

pub fn get(store: &MessageStore, topic: &str, queue_id: i32, offset: i64) -> (GetResult, Vec<(i64, Vec<u8>)>) {
    let mut out = Vec::new();
    let result = store.get(topic, queue_id, offset, 32, 1 << 20, None, &mut out).unwrap();
    (result, records(&out))
}

/// All bodies of a queue, in order.
pub fn read_all(store: &MessageStore, topic: &str, queue_id: i32) -> Vec<Vec<u8>> {
    let mut offset = store.min_offset(topic, queue_id).unwrap();
    let mut bodies = Vec::new();
    while offset < store.max_offset(topic, queue_id).unwrap() {
        let (result, found) = get(store, topic, queue_id, offset);
        for (at, body) in found {
            assert_eq!(
                at,
                store.min_offset(topic, queue_id).unwrap() + bodies.len() as i64,
                "queue {queue_id}: {result:?}"
            );
            bodies.push(body);
        }
        assert!(result.next_begin_offset > offset, "{result:?}");
        offset = result.next_begin_offset;
    }
    bodies
}

/// The checkpoint as Apache leaves it after it has stored messages: another timestamp, and no positions that belong to it.
pub fn apache_stores(fs: &dyn Fs, root: impl AsRef<Path>) {
    let file = fs.open(&root.as_ref().join("checkpoint"), OpenMode::ReadWrite).unwrap();
    let mut timestamp = [0; 8];
    file.read_exact_at(&mut timestamp, 0).unwrap();
    file.write_all_at(&(i64::from_be_bytes(timestamp) + 1).to_be_bytes(), 0).unwrap();
}

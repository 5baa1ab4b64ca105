//! Any bytes as the files of a store. The first byte says which files there are and how the last stop was; the rest is cut into
//! commit log, consume queue and checkpoint. Opening works or fails, all that it then holds can be read, and a store that
//! opened once and was closed opens again with as many messages.

use std::path::Path;
use std::sync::Arc;

use rocketmq_env::{FaultFs, VirtualClock};
use rocketmq_store::{MessageStore, StoreConfig, StoreError};

use super::write_file;

const LOG_BYTES: usize = 1024;
const QUEUE_BYTES: usize = 200;

/// A file of that length, zero behind the bytes.
fn write(fs: &FaultFs, path: &str, bytes: &[u8], len: usize) {
    let padding = vec![0; len - bytes.len()];
    write_file(fs, Path::new(path), &[bytes, &padding].concat());
}

fn open(fs: &FaultFs) -> Result<Arc<MessageStore>, StoreError> {
    let config = StoreConfig {
        commit_log_segment_bytes: LOG_BYTES as u64,
        consume_queue_segment_bytes: QUEUE_BYTES as u64,
        max_message_bytes: 512,
        max_hash_slot_num: 7,
        max_index_num: 20,
        ..StoreConfig::new("/store")
    };
    MessageStore::open(config, fs.process(), Arc::new(VirtualClock::new(1_700_000_000_000)))
}

fn read_all(store: &MessageStore) -> usize {
    let mut messages = 0;
    for queue in store.queues() {
        let (topic, queue_id) = (queue.topic(), queue.queue_id());
        let (mut offset, end) = store.offsets(&queue);
        while offset < end {
            let mut out = Vec::new();
            let result = store.get(topic, queue_id, offset, 32, 1 << 20, None, &mut out).unwrap();
            messages += result.count;
            assert!(result.next_begin_offset > offset, "{result:?}");
            offset = result.next_begin_offset;
        }
    }
    messages
}

/// Opens them as the files of a store. Panics where that goes wrong.
pub fn recovery(bytes: &[u8]) {
    let Some((which, mut rest)) = bytes.split_first() else { return };
    let fs = FaultFs::new();
    let mut take = |len: usize| {
        let (taken, left) = rest.split_at(rest.len().min(len));
        rest = left;
        taken
    };
    if which & 1 != 0 {
        write(&fs, "/store/abort", b"1", 1);
    }
    write(&fs, "/store/commitlog/00000000000000000000", take(LOG_BYTES), LOG_BYTES);
    if which & 2 != 0 {
        write(&fs, "/store/commitlog/00000000000000001024", take(LOG_BYTES), LOG_BYTES);
    }
    if which & 4 != 0 {
        write(&fs, "/store/consumequeue/Topic/0/00000000000000000000", take(QUEUE_BYTES), QUEUE_BYTES);
    }
    if which & 8 != 0 {
        write(&fs, "/store/checkpoint", take(4096), 4096);
    }
    let Ok(store) = open(&fs) else { return };
    let messages = read_all(&store);
    store.close().unwrap();
    drop(store);
    assert_eq!(read_all(&open(&fs).unwrap()), messages);
}

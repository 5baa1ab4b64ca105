//! skeleton
use std::sync::Arc;
use std::time::Duration;

use rocketmq_env::{Clock, Fs};

use crate::*;

/// Callback of [`MessageStore::when_flushed`].
pub type FlushDone = Box<dyn FnOnce(Result<(), FlushError>) + Send>;

/// Callback of [`MessageStore::set_arrival_listener`].
pub type ArrivalListener = Arc<dyn Fn(&[Arrival]) + Send + Sync>;

/// Reusable by a connection.
#[derive(Debug, Default)]
pub struct PutBatch {}

impl PutBatch {
    /// An empty batch.
    pub fn new() -> Self {
        Self::default()
    }
    /// Forgets the messages, keeps the memory.
    pub fn clear(&mut self) {}
    /// How many messages it holds.
    pub fn len(&self) -> usize {
        0
    }
    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        true
    }
    /// Encodes a message, gives its index.
    pub fn push(&mut self, store: &MessageStore, message: &PutMessage<'_>) -> Result<usize, PutError> {
        let _ = (store, message);
        unimplemented!()
    }
    /// As push, but the record must lie in the same commit log file as the one pushed before it (320 batches).
    pub fn push_joined(&mut self, store: &MessageStore, message: &PutMessage<'_>) -> Result<usize, PutError> {
        let _ = (store, message);
        unimplemented!()
    }
    /// Forgets the messages from index `len` on (a 320 batch of which one message is refused).
    pub fn truncate(&mut self, len: usize) {
        let _ = len;
    }
    /// Where message `index` went; after a successful put.
    pub fn outcome(&self, index: usize) -> Option<PutOutcome> {
        let _ = index;
        None
    }
}

/// The message store.
#[derive(Debug)]
pub struct MessageStore {}

impl MessageStore {
    /// Opens.
    pub fn open(config: StoreConfig, fs: Arc<dyn Fs>, clock: Arc<dyn Clock>) -> Result<Arc<Self>, StoreError> {
        let _ = (config, fs, clock);
        unimplemented!()
    }
    /// Closes; idempotent.
    pub fn close(&self) -> Result<(), StoreError> {
        unimplemented!()
    }
    /// Its settings.
    pub fn config(&self) -> &StoreConfig {
        unimplemented!()
    }
    /// The queue, created (in memory) if missing.
    pub fn queue(&self, topic: &str, queue_id: i32) -> Arc<Queue> {
        let _ = (topic, queue_id);
        unimplemented!()
    }
    /// The queue if it exists.
    pub fn find_queue(&self, topic: &str, queue_id: i32) -> Option<Arc<Queue>> {
        let _ = (topic, queue_id);
        unimplemented!()
    }
    /// Stores the batch.
    pub fn put(&self, batch: &mut PutBatch) -> Result<PutTicket, StoreError> {
        let _ = batch;
        unimplemented!()
    }
    /// Runs `done` once an fdatasync covers `position`.
    pub fn when_flushed(&self, position: i64, done: FlushDone) {
        let _ = (position, done);
        unimplemented!()
    }
    /// Waits for an fdatasync that covers `position`.
    pub fn wait_flushed(&self, position: i64, timeout: Duration) -> Result<(), FlushError> {
        let _ = (position, timeout);
        unimplemented!()
    }
    /// Gets.
    #[expect(clippy::too_many_arguments, reason = "Apache's getMessage")]
    pub fn get(
        &self,
        topic: &str,
        queue_id: i32,
        offset: i64,
        max_count: usize,
        max_bytes: usize,
        filter: Option<&TagFilter>,
        out: &mut Vec<u8>,
    ) -> Result<GetResult, StoreError> {
        let _ = (topic, queue_id, offset, max_count, max_bytes, filter, out);
        unimplemented!()
    }
    /// First offset of a queue, 0 if there is no such queue.
    pub fn min_offset(&self, topic: &str, queue_id: i32) -> i64 {
        let _ = (topic, queue_id);
        unimplemented!()
    }
    /// One more than the last offset of a queue, 0 if there is no such queue.
    pub fn max_offset(&self, topic: &str, queue_id: i32) -> i64 {
        let _ = (topic, queue_id);
        unimplemented!()
    }
    /// Offset by time.
    pub fn offset_by_time(
        &self,
        topic: &str,
        queue_id: i32,
        timestamp_ms: i64,
        boundary: Boundary,
    ) -> Result<i64, StoreError> {
        let _ = (topic, queue_id, timestamp_ms, boundary);
        unimplemented!()
    }
    /// Appends the record at a commit log offset to `out`; false if no record starts there.
    pub fn record_at(&self, physical_offset: i64, out: &mut Vec<u8>) -> Result<bool, StoreError> {
        let _ = (physical_offset, out);
        unimplemented!()
    }
    /// Store timestamp of the message at a queue offset.
    pub fn store_timestamp_at(&self, topic: &str, queue_id: i32, offset: i64) -> Result<Option<i64>, StoreError> {
        let _ = (topic, queue_id, offset);
        unimplemented!()
    }
    /// Store timestamp of the first message of a queue.
    pub fn earliest_time(&self, topic: &str, queue_id: i32) -> Result<Option<i64>, StoreError> {
        let _ = (topic, queue_id);
        unimplemented!()
    }
    /// Store timestamp of the first message of the store.
    pub fn earliest_store_time(&self) -> Result<Option<i64>, StoreError> {
        unimplemented!()
    }
    /// First and end position of the commit log.
    pub fn min_physical_offset(&self) -> i64 {
        unimplemented!()
    }
    /// End of the commit log.
    pub fn max_physical_offset(&self) -> i64 {
        unimplemented!()
    }
    /// Up to where the commit log is on disk.
    pub fn flushed_physical_offset(&self) -> i64 {
        unimplemented!()
    }
    /// Whether put would be refused, and why.
    pub fn writable(&self) -> Result<(), StoreError> {
        unimplemented!()
    }
    /// Called after consume queue entries have become readable, one call per dispatch run, outside of all locks.
    pub fn set_arrival_listener(&self, listener: ArrivalListener) {
        let _ = listener;
        unimplemented!()
    }
}

//! The store: its parts, and the calls that are passed to them.

mod lifecycle;

pub(crate) use lifecycle::Parts;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::Mutex;
use rocketmq_env::{File, Fs, Unparker};
use rocketmq_log::{FlushDone, FlushError, Flusher};

use crate::ahead::Ahead;
use crate::background::Background;
use crate::batch::PutBatch;
use crate::commit_log::CommitLog;
use crate::deletion::DeletedTopics;
use crate::disk::DiskUsage;
use crate::dispatch::{ArrivalListener, Dispatcher};
use crate::get::{Boundary, GetResult, GetStatus, Reads, TagFilter};
use crate::index::{Index, QueryResult};
use crate::log_read::LogRead;
use crate::message::PutTicket;
use crate::queue::{Queue, QueueHandle};
use crate::queues::Queues;
use crate::seat::Hints;
use crate::{StoreConfig, StoreError, log_read, read};

/// The message store: a directory with commit log, consume queues and checkpoint, as Apache's `DefaultMessageStore` keeps it.
///
/// Dropping it without [`close`](MessageStore::close) is an unclean stop: what was acknowledged is safe, and the next start
/// recovers.
#[derive(Debug)]
pub struct MessageStore {
    config: StoreConfig,
    fs: Arc<dyn Fs>,
    pub(crate) commit_log: Arc<CommitLog>,
    pub(crate) queues: Arc<Queues>,
    pub(crate) dispatcher: Arc<Dispatcher>,
    pub(crate) hints: Hints,
    flusher: Arc<Flusher>,
    ahead: Ahead,
    index: Arc<Index>,
    pub(crate) background: Arc<Background>,
    unparker: Unparker,
    thread: Mutex<Option<JoinHandle<()>>>,
    closed: AtomicBool,
    pub(crate) deleted_topics: DeletedTopics,
    /// One deletion of queues at a time.
    pub(crate) deleting: Mutex<()>,
    /// The directory's lock; `None` once closed.
    lock: Mutex<Option<Arc<dyn File>>>,
}

impl MessageStore {
    /// Its settings.
    pub fn config(&self) -> &StoreConfig {
        &self.config
    }

    /// The queue, made (in memory only) if there is none yet.
    ///
    /// # Errors
    /// [`StoreError::IllegalTopic`] if the topic cannot name a directory or the number is negative,
    /// [`StoreError::BatchConsumeQueue`] if its queues are those of inner batches.
    pub fn queue(&self, topic: &str, queue_id: i32) -> Result<QueueHandle, StoreError> {
        Ok(self.queues.get(topic, queue_id)?.into())
    }

    /// The queue, if there is one.
    ///
    /// # Errors
    /// [`StoreError::BatchConsumeQueue`] if its queues are those of inner batches, which are not there to be read.
    pub fn find_queue(&self, topic: &str, queue_id: i32) -> Result<Option<QueueHandle>, StoreError> {
        Ok(self.dispatched(topic, queue_id)?.map(Into::into))
    }

    /// The queue, with all that was put.
    fn dispatched(&self, topic: &str, queue_id: i32) -> Result<Option<Arc<Queue>>, StoreError> {
        self.dispatcher.catch_up();
        let found = self.queues.find(topic, queue_id);
        if found.is_none() {
            self.queues.check_kind(topic)?;
        }
        Ok(found)
    }

    /// All queues, by topic and number.
    pub fn queues(&self) -> Vec<QueueHandle> {
        self.queues.all().into_iter().map(Into::into).collect()
    }

    /// Stores the messages of a batch, all or none; [`PutBatch::outcome`] tells where they went. They are readable from the
    /// commit log when this returns, and from their queues for whoever looks then, unless another thread is just entering them
    /// there. They are on disk once [`when_flushed`](MessageStore::when_flushed) says so; with SYNC_FLUSH a process that is
    /// killed before that takes them with it, unless [`write_out`](MessageStore::write_out) was called.
    ///
    /// # Errors
    /// A failed write stores nothing, and later puts may succeed (space may have come back). After a failed flush every put
    /// fails with [`StoreError::Poisoned`].
    pub fn put(&self, batch: &mut PutBatch) -> Result<PutTicket, StoreError> {
        let also_check = || self.check_flush_and_queues();
        let (ticket, claim) = self.commit_log.append(batch, &self.dispatcher, also_check)?;
        self.dispatcher.finish(claim, batch.arrivals());
        self.ahead.grown_to(ticket.end as u64);
        Ok(ticket)
    }

    fn check_flush_and_queues(&self) -> Result<(), StoreError> {
        self.background.disk.writable()?;
        if let Some(reason) = self.flusher.failure() {
            return Err(StoreError::Poisoned { reason: reason.to_string() });
        }
        self.queues.writable()
    }

    /// Whether a put would be refused now, and why.
    pub fn writable(&self) -> Result<(), StoreError> {
        self.commit_log.writable()?;
        self.check_flush_and_queues()
    }

    /// Sees to it that everything below `position` (the end of a [`PutTicket`]) survives the process, for messages whose flush
    /// nobody waits for. With ASYNC_FLUSH it does anyway.
    ///
    /// # Errors
    /// [`StoreError::Log`] when it could not be written: it can still be read, and is written as soon as that works again.
    pub fn write_out(&self, position: i64) -> Result<(), StoreError> {
        Ok(self.commit_log.log.write_out_before(u64::try_from(position).unwrap_or(0))?)
    }

    /// Runs `done` as soon as an fdatasync covers everything below `position` (the end of a [`PutTicket`]), or has failed to.
    /// It runs on the flush thread (at once if the outcome is known) and must not block.
    pub fn when_flushed(&self, position: i64, done: FlushDone) {
        self.flusher.when_flushed(u64::try_from(position).unwrap_or(0), done);
    }

    /// Waits until an fdatasync covers everything below `position`, at most `timeout`.
    pub fn wait_flushed(&self, position: i64, timeout: Duration) -> Result<(), FlushError> {
        self.flusher.wait_flushed(u64::try_from(position).unwrap_or(0), timeout)
    }

    /// Appends messages of a queue from `offset` on to `out`, as stored records one behind the other: at most `max_count` and
    /// `max_bytes` and the configured limits, but always the first. Status and next offset are those of Apache's
    /// `DefaultMessageStore#getMessage`.
    #[expect(clippy::too_many_arguments, reason = "those of Apache's getMessage")]
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
        let copy = |record: &[u8]| {
            let is_whole = read::is_whole(record, topic);
            out.extend_from_slice(if is_whole { record } else { &[] });
            is_whole
        };
        self.get_each(topic, queue_id, offset, max_count, max_bytes, filter, Reads::Whole, copy)
    }

    /// As [`get`](MessageStore::get), but shows each record where it lies, without a copy. Its head says that it is the message, and
    /// how long it is; whether all of it is right is for `each` to see ([`is_whole`](crate::is_whole)), who leaves it out with
    /// `false`. `reads` tells how much of it `each` will read.
    #[expect(clippy::too_many_arguments, reason = "those of Apache's getMessage")]
    pub fn get_each(
        &self,
        topic: &str,
        queue_id: i32,
        offset: i64,
        max_count: usize,
        max_bytes: usize,
        filter: Option<&TagFilter>,
        reads: Reads,
        each: impl FnMut(&[u8]) -> bool,
    ) -> Result<GetResult, StoreError> {
        self.while_open(|| {
            let Some(queue) = self.dispatched(topic, queue_id)? else {
                let status = GetStatus::NoMatchedLogicQueue;
                return Ok(GetResult {
                    status,
                    next_begin_offset: 0,
                    min_offset: 0,
                    max_offset: 0,
                    count: 0,
                    bytes: 0,
                });
            };
            let get = read::Get { offset, max_count, max_bytes, filter, reads };
            read::get(&self.commit_log.log, &self.config, &queue, &get, each)
        })
    }

    /// First offset of a queue; 0 if there is no such queue.
    ///
    /// # Errors
    /// Those of [`find_queue`](MessageStore::find_queue).
    pub fn min_offset(&self, topic: &str, queue_id: i32) -> Result<i64, StoreError> {
        Ok(self.dispatched(topic, queue_id)?.map_or(0, |queue| queue.min_offset()))
    }

    /// One more than the last offset of a queue; 0 if there is no such queue.
    ///
    /// # Errors
    /// Those of [`find_queue`](MessageStore::find_queue).
    pub fn max_offset(&self, topic: &str, queue_id: i32) -> Result<i64, StoreError> {
        Ok(self.dispatched(topic, queue_id)?.map_or(0, |queue| queue.max_offset()))
    }

    /// Both, as of one moment.
    pub fn offsets(&self, queue: &QueueHandle) -> (i64, i64) {
        self.dispatcher.catch_up();
        queue.queue().offsets()
    }

    /// The offset a time (milliseconds since the epoch) stands for, between min and max offset; 0 if there is no such queue.
    pub fn offset_by_time(
        &self,
        topic: &str,
        queue_id: i32,
        timestamp_ms: i64,
        boundary: Boundary,
    ) -> Result<i64, StoreError> {
        self.while_open(|| {
            let Some(queue) = self.dispatched(topic, queue_id)? else { return Ok(0) };
            read::offset_by_time(&self.commit_log.log, &queue, timestamp_ms, boundary)
        })
    }

    /// Store timestamp of the message at a queue offset; `None` if it is not there (any more).
    pub fn store_timestamp_at(&self, topic: &str, queue_id: i32, offset: i64) -> Result<Option<i64>, StoreError> {
        self.while_open(|| {
            let Some(queue) = self.dispatched(topic, queue_id)? else { return Ok(None) };
            read::store_timestamp_at(&self.commit_log.log, &queue, offset)
        })
    }

    /// Store timestamp of the first message of a queue.
    pub fn earliest_time(&self, topic: &str, queue_id: i32) -> Result<Option<i64>, StoreError> {
        self.store_timestamp_at(topic, queue_id, self.min_offset(topic, queue_id)?)
    }

    /// Store timestamp of the first message of the store.
    pub fn earliest_store_time(&self) -> Result<Option<i64>, StoreError> {
        self.while_open(|| {
            let head = read::record_head(&mut self.commit_log.log.reader(), self.min_physical_offset())?;
            Ok(head.map(|head| head.store_timestamp))
        })
    }

    /// Appends the record that starts at a commit log offset to `out`; false if none does.
    pub fn record_at(&self, physical_offset: i64, out: &mut Vec<u8>) -> Result<bool, StoreError> {
        self.while_open(|| read::record_at(&self.commit_log.log, physical_offset, out))
    }

    /// Appends the records of the commit log from `physical_offset` on to `out`, whatever queue they belong to: at most
    /// `max_count` and `max_bytes`, but always the first. An offset below the log's start stands for it.
    ///
    /// # Errors
    /// [`StoreError::NoRecord`] if no record begins there.
    pub fn records_from(
        &self,
        physical_offset: i64,
        max_count: usize,
        max_bytes: usize,
        out: &mut Vec<u8>,
    ) -> Result<LogRead, StoreError> {
        self.while_open(|| log_read::records_from(&self.commit_log.log, physical_offset, max_count, max_bytes, out))
    }

    /// Where in the commit log the messages of a topic are that have `key` among their keys, or as unique key, and were stored
    /// between two times (milliseconds since the epoch, both included). At most `max_count` and as configured, the newest; for
    /// messages with the tag, `key` is `T#tag`. All that were put before are found, unless the index is far behind; each offset
    /// is that of a record, see [`QueryResult`] for what it may hold. (`DefaultMessageStore#queryMessage`)
    ///
    /// # Errors
    /// [`StoreError::Closed`], [`StoreError::Log`] if the index or the log cannot be read.
    pub fn query(
        &self,
        topic: &str,
        key: &str,
        max_count: usize,
        begin_ms: i64,
        end_ms: i64,
    ) -> Result<QueryResult, StoreError> {
        self.while_open(|| {
            let mut result = self.index.query(topic, key, max_count, begin_ms, end_ms)?;
            let mut reader = self.commit_log.log.reader();
            let mut failure = None;
            result.physical_offsets.retain(|offset| match read::record_head(&mut reader, *offset) {
                Ok(head) => head.is_some(),
                Err(error) => {
                    failure.get_or_insert(error);
                    false
                }
            });
            failure.map_or(Ok(result), |error| Err(error.into()))
        })
    }

    /// Indexes everything that is in the log.
    pub(crate) fn build_index(&self) -> Result<(), StoreError> {
        self.index.build()
    }

    /// Start of the commit log.
    pub fn min_physical_offset(&self) -> i64 {
        self.commit_log.log.first_offset().unwrap_or(0) as i64
    }

    /// End of the commit log.
    pub fn max_physical_offset(&self) -> i64 {
        self.commit_log.log.end() as i64
    }

    /// Up to where the commit log is on disk.
    pub fn flushed_physical_offset(&self) -> i64 {
        self.flusher.flushed() as i64
    }

    /// Bytes of the commit log whose messages wait to be entered in their queues.
    pub fn dispatch_behind_bytes(&self) -> i64 {
        self.dispatcher.catch_up();
        let end = self.max_physical_offset();
        self.dispatcher.first_pending().map_or(0, |first| (end - first).max(0))
    }

    /// From now on `listener` hears of messages whose queue entries have become readable: one call per dispatch run, on the
    /// thread of a put. It must not wait, nor ask the store for a queue. Calls of different threads may overlap, and come in
    /// any order.
    pub fn set_arrival_listener(&self, listener: ArrivalListener) {
        self.dispatcher.set_listener(listener);
    }

    /// How full the store's disks are now.
    pub fn disk_usage(&self) -> Result<DiskUsage, StoreError> {
        self.background.disk.usage()
    }

    /// Why expired files could not be deleted the last time it was tried; `None` if nothing went wrong.
    pub fn cleaning_failure(&self) -> Option<String> {
        self.background.disk.cleaning_failure()
    }

    /// Reads, unless the store is closed: what is read while it closes may have found files gone, and says nothing.
    fn while_open<T>(&self, read: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
        let check_open = || if self.closed.load(Ordering::Acquire) { Err(StoreError::Closed) } else { Ok(()) };
        check_open()?;
        let found = read();
        check_open()?;
        found
    }
}

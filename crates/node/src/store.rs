//! The message store as JavaScript drives it, without a broker: puts and gets cross once a call.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use napi::bindgen_prelude::{AsyncTask, BigInt, Buffer, BufferSlice, Function};
use napi::{Env, Error, Result, Status, Task};
use napi_derive::napi;
use parking_lot::Mutex;
use rocketmq_codec::message::{PullLimits, decode_pulled, decode_record, is_plain};
use rocketmq_env::{Clock, Fs, OsFs, SystemClock};
use rocketmq_store::{
    Boundary, FlushDiskType, FlushError, GetResult, HostAddr, MessageStore, PutBatch, QueueHandle, Reads,
    RecoveryListener, StoreConfig, StoreError, TagFilter, is_whole,
};

use crate::failure::{failure, invalid};
use crate::recovery::{NativeRecoveryProgress, recovery_listener};
use crate::store_put::{push_all, write_outcomes};
use crate::store_topics::Topics;

/// What one get may grow to when its bodies are inflated.
const GET_LIMITS: PullLimits = PullLimits { max_body_bytes: 64 * 1024 * 1024, max_total_bytes: 256 * 1024 * 1024 };

/// No such topic.
const NONE: u32 = u32::MAX;

/// How a store is opened.
#[napi(object)]
pub struct NativeStoreOptions {
    pub directory: String,
    pub read_only: bool,
    pub sync_flush: bool,
    /// Left out: as the files that are there, or Apache's default.
    pub commit_log_file_bytes: Option<f64>,
    pub consume_queue_file_bytes: Option<f64>,
    pub max_message_bytes: u32,
    pub flush_interval_ms: u32,
    /// Left out: nothing is deleted.
    pub file_reserved_time_hours: Option<u32>,
    /// Left out: as Apache's, above 90 % of the disk.
    pub disk_full_ratio: Option<u32>,
    pub host: String,
    pub port: i32,
}

/// A queue and its offsets.
#[napi(object)]
pub struct NativeStoredQueue {
    pub topic: String,
    pub queue_id: i32,
    pub min_offset: BigInt,
    pub max_offset: BigInt,
}

/// Where the commit log begins and ends, and up to where it is on disk.
#[napi(object)]
pub struct NativeLogPositions {
    pub min: BigInt,
    pub max: BigInt,
    pub flushed: BigInt,
}

/// What the index says of a key.
#[napi(object)]
pub struct NativeQuery {
    /// Places of messages that may have the key, ascending; one with the key twice is there twice.
    pub offsets: Vec<f64>,
    /// Store timestamp and place of the last message that is indexed; both 0 if there is none.
    pub last_update_timestamp: f64,
    pub last_update_offset: BigInt,
}

/// An open store.
#[napi]
pub struct NativeMessageStore {
    store: Arc<MessageStore>,
    host: HostAddr,
    topics: Mutex<Topics>,
    batch: Mutex<PutBatch>,
    answer: Mutex<Answer>,
}

/// What a read found, until JavaScript has room for it.
#[derive(Default)]
struct Answer {
    stored: Vec<u8>,
    /// Head and records, ready to be read.
    bytes: Vec<u8>,
}

/// Bytes of what is told before the records:
/// `u64 status | i64 next | i64 min | i64 max`, little endian.
const HEAD_BYTES: usize = 32;

/// An error of the store, as that of the caller where it is.
pub fn store_failure(error: &StoreError) -> Error {
    match error {
        StoreError::IllegalTopic { .. } | StoreError::Config { .. } | StoreError::NoRecord { .. } => invalid(error),
        StoreError::BatchTooLarge { .. } => invalid(error),
        _ => failure(error),
    }
}

fn join(low: i32, high: i32) -> i64 {
    (i64::from(high) << 32) | i64::from(low.cast_unsigned())
}

#[napi]
impl NativeMessageStore {
    /// The number of a topic for `put` and reads; the queue is made if there is none yet.
    #[napi]
    pub fn topic(&self, topic: String, queue_id: i32) -> Result<u32> {
        self.store.queue(&topic, queue_id).map_err(|error| store_failure(&error))?;
        Ok(self.topics.lock().add(&topic))
    }

    /// The number of a topic that has this queue; 2^32 - 1 if there is no such queue.
    #[napi]
    pub fn find_topic(&self, topic: String, queue_id: i32) -> Result<u32> {
        let found = self.store.find_queue(&topic, queue_id).map_err(|error| store_failure(&error))?;
        Ok(found.map_or(NONE, |_there| self.topics.lock().add(&topic)))
    }

    /// Stores the messages in the first `used` bytes, all or none, and writes over them where they went. They outlive the
    /// process at once, unless the caller waits for their flush.
    #[napi]
    pub fn put(&self, mut messages: BufferSlice<'_>, used: u32, flush_follows: bool) -> Result<()> {
        let mut batch = self.batch.lock();
        batch.clear();
        let bytes = messages.get(..used as usize).ok_or_else(|| Error::new(Status::InvalidArg, "used is too large"))?;
        push_all(&mut batch, &self.store, &mut self.topics.lock(), self.host, bytes)?;
        let ticket = self.store.put(&mut batch).map_err(|error| store_failure(&error))?;
        if !flush_follows {
            self.store.write_out(ticket.end).map_err(|error| store_failure(&error))?;
        }
        write_outcomes(&batch, ticket, &mut messages)
    }

    /// Writes a head and messages of a queue to `into` from `at` on, if there is room; returns how many bytes they are. What
    /// found no room is fetched by `take`.
    #[napi]
    #[allow(clippy::too_many_arguments, reason = "an object would cost more than the read")]
    pub fn get(
        &self,
        topic: u32,
        queue_id: i32,
        offset_low: i32,
        offset_high: i32,
        max_count: u32,
        max_bytes: u32,
        tags: Option<Vec<String>>,
        mut into: BufferSlice<'_>,
        at: u32,
    ) -> Result<u32> {
        let topics = self.topics.lock();
        let topic = known(&topics, topic)?;
        let filter = tags.map(|tags| TagFilter::exact(&tags));
        let mut answer = self.answer.lock();
        answer.stored.clear();
        let (offset, count) = (join(offset_low, offset_high), max_count as usize);
        let bytes = max_bytes as usize;
        let mut room = Room { bytes: into.get_mut(at as usize..).unwrap_or_default(), used: HEAD_BYTES };
        let found =
            self.store.get_each(topic, queue_id, offset, count, bytes, filter.as_ref(), Reads::Whole, |record| {
                if !is_whole(record, topic) {
                    return false;
                }
                // In order: behind one that needs work or room come all others.
                let is_placed = answer.stored.is_empty() && is_plain(record) && room.push(record);
                if !is_placed {
                    answer.stored.extend_from_slice(record);
                }
                true
            });
        let found = found.map_err(|error| store_failure(&error))?;
        if answer.stored.is_empty() && room.write_head(&found) {
            return length(room.used);
        }
        answer.fill(room.placed(), found)?;
        answer.write(into, at)
    }

    /// The same for records of the commit log from a position on; the head has the log's bounds.
    #[napi]
    pub fn read_log(
        &self,
        low: i32,
        high: i32,
        max_count: u32,
        max_bytes: u32,
        into: BufferSlice<'_>,
        at: u32,
    ) -> Result<u32> {
        let mut answer = self.answer.lock();
        answer.stored.clear();
        let (max_count, max_bytes) = (max_count as usize, max_bytes as usize);
        let read = self.store.records_from(join(low, high), max_count, max_bytes, &mut answer.stored);
        let read = read.map_err(|error| store_failure(&error))?;
        let result = GetResult {
            status: rocketmq_store::GetStatus::Found,
            next_begin_offset: read.next_physical_offset,
            min_offset: self.store.min_physical_offset(),
            max_offset: self.store.max_physical_offset(),
            count: read.count,
            bytes: answer.stored.len(),
        };
        answer.fill(&[], result)?;
        answer.write(into, at)
    }

    /// What the last read found no room for.
    #[napi]
    pub fn take(&self, into: BufferSlice<'_>, at: u32) -> Result<u32> {
        self.answer.lock().write(into, at)
    }

    /// The record that begins at a position of the commit log, its body inflated.
    #[napi]
    pub fn record_at(&self, low: i32, high: i32) -> Result<Option<Buffer>> {
        let (mut stored, mut record) = (Vec::new(), Vec::new());
        if !self.store.record_at(join(low, high), &mut stored).map_err(|error| store_failure(&error))? {
            return Ok(None);
        }
        make_readable(&stored, &mut record)?;
        Ok(Some(record.into()))
    }

    /// Places of the newest messages by key, unique key, or tag (`T#tag`), stored between two times.
    #[napi]
    pub fn query(&self, topic: String, key: String, max_count: u32, begin: f64, end: f64) -> Result<NativeQuery> {
        #[expect(clippy::cast_possible_truncation, reason = "a time beyond i64 is as good as its end")]
        let (begin, end) = (begin as i64, end as i64);
        let found = self.store.query(&topic, &key, max_count as usize, begin, end);
        let found = found.map_err(|error| store_failure(&error))?;
        #[expect(clippy::cast_precision_loss, reason = "positions and times are exact in a double up to 2^53")]
        let to_double = |value: i64| value as f64;
        Ok(NativeQuery {
            offsets: found.physical_offsets.into_iter().map(to_double).collect(),
            last_update_timestamp: to_double(found.index_last_update_timestamp),
            last_update_offset: found.index_last_update_phy_offset.into(),
        })
    }

    /// The offset of a queue that a time stands for.
    #[napi]
    pub fn offset_by_time(&self, topic: u32, queue_id: i32, timestamp_ms: f64, upper: bool) -> Result<BigInt> {
        let topics = self.topics.lock();
        let topic = known(&topics, topic)?;
        let boundary = if upper { Boundary::Upper } else { Boundary::Lower };
        #[expect(clippy::cast_possible_truncation, reason = "a time beyond i64 is as good as its end")]
        let timestamp = timestamp_ms as i64;
        let offset = self.store.offset_by_time(topic, queue_id, timestamp, boundary);
        Ok(offset.map_err(|error| store_failure(&error))?.into())
    }

    /// Offsets of one queue; null if there is no such queue.
    #[napi]
    pub fn offsets(&self, topic: u32, queue_id: i32) -> Result<Option<NativeStoredQueue>> {
        let found = self.store.find_queue(known(&self.topics.lock(), topic)?, queue_id);
        Ok(found.map_err(|error| store_failure(&error))?.map(|queue| self.stored_queue(&queue)))
    }

    /// All queues, by topic and number.
    #[napi]
    pub fn queues(&self) -> Vec<NativeStoredQueue> {
        self.store.queues().iter().map(|queue| self.stored_queue(queue)).collect()
    }

    /// The commit log's bounds.
    #[napi]
    pub fn positions(&self) -> NativeLogPositions {
        NativeLogPositions {
            min: self.store.min_physical_offset().into(),
            max: self.store.max_physical_offset().into(),
            flushed: self.store.flushed_physical_offset().into(),
        }
    }

    /// Resolves once an fdatasync covers everything below a position of the commit log: to true, or to false when that is not so
    /// in time.
    #[napi(ts_return_type = "Promise<boolean>")]
    pub fn wait_flushed(&self, low: i32, high: i32, timeout_ms: u32) -> AsyncTask<WaitFlushed> {
        let timeout = Duration::from_millis(u64::from(timeout_ms));
        AsyncTask::new(WaitFlushed { store: Arc::clone(&self.store), position: join(low, high), timeout })
    }

    /// Flushes everything and ends the store.
    #[napi(ts_return_type = "Promise<void>")]
    pub fn close(&self) -> AsyncTask<CloseStore> {
        AsyncTask::new(CloseStore { store: Arc::clone(&self.store) })
    }

    fn stored_queue(&self, queue: &QueueHandle) -> NativeStoredQueue {
        let (min_offset, max_offset) = self.store.offsets(queue);
        NativeStoredQueue {
            topic: queue.topic().to_string(),
            queue_id: queue.queue_id(),
            min_offset: min_offset.into(),
            max_offset: max_offset.into(),
        }
    }
}

fn known(topics: &Topics, topic: u32) -> Result<&str> {
    topics.name(topic).ok_or_else(|| Error::new(Status::InvalidArg, "unknown topic"))
}

/// Appends stored records to `out` with their bodies inflated; one whose body cannot be comes as it is stored, and its sysFlag
/// tells so.
fn make_readable(stored: &[u8], out: &mut Vec<u8>) -> Result<()> {
    let mut table = Vec::new();
    let mut rest = stored;
    while let Err(error) = decode_pulled(rest, None, GET_LIMITS, out, &mut table) {
        rest = rest.get(error.offset..).unwrap_or_default();
        let (_, length) = decode_record(rest, false).map_err(|_unreadable| failure(&error))?;
        let (bytes, behind) = rest.split_at(length);
        out.extend_from_slice(bytes);
        rest = behind;
    }
    Ok(())
}

/// The part of JavaScript's buffer that an answer goes to.
struct Room<'a> {
    bytes: &'a mut [u8],
    used: usize,
}

impl Room<'_> {
    /// Copies a record behind those before; false if there is no room.
    fn push(&mut self, record: &[u8]) -> bool {
        let Some(target) = self.bytes.get_mut(self.used..self.used + record.len()) else { return false };
        target.copy_from_slice(record);
        self.used += record.len();
        true
    }

    /// The records that were copied.
    fn placed(&self) -> &[u8] {
        self.bytes.get(HEAD_BYTES..self.used).unwrap_or_default()
    }

    /// False if there is no room.
    fn write_head(&mut self, result: &GetResult) -> bool {
        let target = self.bytes.first_chunk_mut();
        target.map(|target| *target = head(result)).is_some()
    }
}

fn head(result: &GetResult) -> [u8; HEAD_BYTES] {
    let words = [result.status as i64, result.next_begin_offset, result.min_offset, result.max_offset];
    let mut head = [0; HEAD_BYTES];
    for (target, word) in head.as_chunks_mut().0.iter_mut().zip(words) {
        *target = word.to_le_bytes();
    }
    head
}

fn length(bytes: usize) -> Result<u32> {
    u32::try_from(bytes).map_err(|_large| Error::new(Status::InvalidArg, "a read of more than 4 GiB"))
}

impl Answer {
    /// Makes head and readable records of plain ones and of what is stored behind them.
    fn fill(&mut self, plain: &[u8], result: GetResult) -> Result<()> {
        self.bytes.clear();
        self.bytes.resize(HEAD_BYTES, 0);
        self.bytes.extend_from_slice(plain);
        make_readable(&self.stored, &mut self.bytes)?;
        if let Some(target) = self.bytes.first_chunk_mut() {
            *target = head(&result);
        }
        Ok(())
    }

    fn write(&self, mut into: BufferSlice<'_>, at: u32) -> Result<u32> {
        let start = at as usize;
        if let Some(target) = into.get_mut(start..start + self.bytes.len()) {
            target.copy_from_slice(&self.bytes);
        }
        length(self.bytes.len())
    }
}

/// Opens a store; recovery runs off the main thread.
#[napi(ts_return_type = "Promise<NativeMessageStore>")]
pub fn open_message_store(
    options: NativeStoreOptions,
    on_recovery: Function<'_, NativeRecoveryProgress, ()>,
) -> Result<AsyncTask<OpenStore>> {
    let recovery = Some(recovery_listener(&on_recovery)?);
    Ok(AsyncTask::new(OpenStore { options, recovery }))
}

pub struct OpenStore {
    options: NativeStoreOptions,
    recovery: Option<RecoveryListener>,
}

impl Task for OpenStore {
    type Output = NativeMessageStore;
    type JsValue = NativeMessageStore;

    fn compute(&mut self) -> Result<NativeMessageStore> {
        let options = &self.options;
        let ip = options.host.parse().map_err(|_error| {
            Error::new(Status::InvalidArg, format!("storeHost {} does not begin with an IP address", options.host))
        })?;
        let fs: Arc<dyn Fs> = Arc::new(OsFs);
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let mut config = StoreConfig {
            flush_disk_type: if options.sync_flush { FlushDiskType::SyncFlush } else { FlushDiskType::AsyncFlush },
            flush_interval_commit_log: Duration::from_millis(u64::from(options.flush_interval_ms)),
            max_message_bytes: options.max_message_bytes as usize,
            // The caller says for each get how much it may be.
            max_transfer_bytes: usize::MAX,
            max_transfer_count: usize::MAX,
            max_msgs_num_batch: usize::MAX,
            on_recovery: self.recovery.take(),
            ..StoreConfig::new(PathBuf::from(&options.directory))
        };
        match options.file_reserved_time_hours {
            Some(hours) => config.retention.file_reserved_time = Duration::from_secs(u64::from(hours) * 3600),
            None => {
                config.retention.file_reserved_time = Duration::MAX;
                config.retention.clean_file_forcibly_enable = false;
            }
        }
        config.retention.disk_full_ratio = options.disk_full_ratio.and_then(|percent| u8::try_from(percent).ok());
        config.take_file_sizes_from_disk(&*fs).map_err(|error| store_failure(&error))?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked in ts/store/options.ts")]
        {
            if let Some(bytes) = options.commit_log_file_bytes {
                config.commit_log_segment_bytes = bytes as u64;
            }
            if let Some(bytes) = options.consume_queue_file_bytes {
                config.consume_queue_segment_bytes = bytes as u64;
            }
        }
        let open = if options.read_only { MessageStore::open_read_only } else { MessageStore::open };
        let store = open(config, fs, clock).map_err(|error| store_failure(&error))?;
        let host = HostAddr { ip, port: options.port };
        Ok(NativeMessageStore {
            store,
            host,
            topics: Mutex::default(),
            batch: Mutex::default(),
            answer: Mutex::default(),
        })
    }

    fn resolve(&mut self, _: Env, output: NativeMessageStore) -> Result<NativeMessageStore> {
        Ok(output)
    }
}

pub struct WaitFlushed {
    store: Arc<MessageStore>,
    position: i64,
    timeout: Duration,
}

impl Task for WaitFlushed {
    type Output = bool;
    type JsValue = bool;

    fn compute(&mut self) -> Result<bool> {
        match self.store.wait_flushed(self.position, self.timeout) {
            Ok(()) => Ok(true),
            Err(FlushError::Timeout) => Ok(false),
            Err(error) => Err(failure(&error)),
        }
    }

    fn resolve(&mut self, _: Env, is_in_time: bool) -> Result<bool> {
        Ok(is_in_time)
    }
}

pub struct CloseStore {
    store: Arc<MessageStore>,
}

impl Task for CloseStore {
    type Output = ();
    type JsValue = ();

    fn compute(&mut self) -> Result<()> {
        self.store.close().map_err(|error| failure(&error))
    }

    fn resolve(&mut self, _: Env, (): ()) -> Result<()> {
        Ok(())
    }
}

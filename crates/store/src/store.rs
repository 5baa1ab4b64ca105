//! The store: opens and closes the parts, and passes calls to them.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use parking_lot::Mutex;
use rocketmq_env::{Clock, File, Fs, OpenMode, OverlayFs, Parker, Unparker};
use rocketmq_log::{FlushDone, FlushError, Flusher, FlusherOptions, SegmentedLog};

use crate::ahead::Ahead;
use crate::background::{Background, Control};
use crate::batch::PutBatch;
use crate::checkpoint::Checkpoint;
use crate::commit_log::CommitLog;
use crate::deletion::DeletedTopics;
use crate::disk::{Disk, DiskUsage};
use crate::dispatch::{ArrivalListener, Dispatcher};
use crate::get::{Boundary, GetResult, GetStatus, TagFilter};
use crate::index::{Index, IndexFiles, Judge, QueryResult};
use crate::log_read::LogRead;
use crate::message::PutTicket;
use crate::queue::{Queue, ext};
use crate::queues::Queues;
use crate::recover::{Recovered, Recovery};
use crate::unit::UNIT_BYTES;
use crate::{FlushDiskType, StoreConfig, StoreError, error, log_read, read};

/// Smallest commit log file; no use but in tests.
const MIN_SEGMENT_BYTES: u64 = 1024;

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
    dispatcher: Arc<Dispatcher>,
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
    /// Locks the directory (made if missing), recovers what is in it, and starts the threads.
    ///
    /// # Errors
    /// [`StoreError::Locked`] if another process or another store has it open, [`StoreError::DamagedLog`] if recovering
    /// would cut acknowledged messages, [`StoreError::Log`] for files that are not those of a store with this configuration.
    pub fn open(mut config: StoreConfig, fs: Arc<dyn Fs>, clock: Arc<dyn Clock>) -> Result<Arc<Self>, StoreError> {
        check(&mut config)?;
        let root = config.root.as_path();
        make_root(&*fs, &config)?;
        let lock = lock(&*fs, root)?;
        let abort = root.join("abort");
        let was_clean = !fs.exists(&abort).map_err(io_at("stat", &abort))?;
        let mut log =
            SegmentedLog::open(Arc::clone(&fs), config.commit_log_dir.clone(), config.commit_log_segment_bytes)?
                .with_space_reserved(config.flush_disk_type == FlushDiskType::AsyncFlush);
        let queues = Queues::load(Arc::clone(&fs), &config)?;
        let checkpoint = Checkpoint::open(&*fs, root)?;
        let deleted_topics = DeletedTopics::load(Arc::clone(&fs), root)?;
        let recovery = Recovery {
            config: &config,
            log: &mut log,
            queues: &queues,
            deleted_topics: &deleted_topics,
            checkpoint: &checkpoint,
            clock: &*clock,
            was_clean,
        };
        let recovered = recovery.run()?;
        let index_msg_timestamp = checkpoint.values().index_msg_timestamp;
        let mut index = IndexFiles::load(&*fs, &config, &Judge { log: &log, was_clean, index_msg_timestamp })?;
        index.settle(&*fs, &checkpoint)?;
        make_durable(&log, &queues, &checkpoint, recovered)?;
        write_abort(&*fs, root)?;
        Self::start(config, fs, clock, Parts { log, queues, index, deleted_topics, checkpoint, recovered, lock })
    }

    /// Opens a stopped store to be read: puts fail with [`StoreError::ReadOnly`], and nothing in its directory is written, made
    /// or locked, so any number of these may be open, on a read-only file system too. Recovery runs over an [`OverlayFs`]: what
    /// an unclean stop left to cut or complete is cut and completed in memory, the index when queries need it.
    ///
    /// # Errors
    /// [`StoreError::Locked`] if a broker, or a store opened for writing, runs on the directory: what it has not written yet
    /// would look like damage. A broker started later does no harm, but what it deletes can no longer be read. Else those of
    /// [`open`](MessageStore::open), and [`StoreError::Io`] if there is no commit log.
    pub fn open_read_only(
        config: StoreConfig,
        fs: Arc<dyn Fs>,
        clock: Arc<dyn Clock>,
    ) -> Result<Arc<Self>, StoreError> {
        let lock = config.root.join("lock");
        if fs.is_locked(&lock).map_err(io_at("ask for the lock", &lock))? {
            return Err(StoreError::Locked { root: config.root });
        }
        let log = config.commit_log_dir.as_path();
        fs.read_dir(log).map_err(io_at("read directory", log))?;
        let store = Self::open(config, Arc::new(OverlayFs::new(fs)), clock)?;
        store.commit_log.refuse_as_read_only();
        store.background.control.keeps_files.store(true, Ordering::Release);
        store.index.stop()?;
        Ok(store)
    }

    fn start(
        config: StoreConfig,
        fs: Arc<dyn Fs>,
        clock: Arc<dyn Clock>,
        parts: Parts,
    ) -> Result<Arc<Self>, StoreError> {
        let Parts { log, queues, index, deleted_topics, checkpoint, recovered, lock } = parts;
        let disk = Disk::new(Arc::clone(&fs), &config);
        disk.note_cleaning(disk.check().err().map(|error| error::chain(&error)));
        let parker = Parker::new(&clock);
        let unparker = parker.unparker();
        queues.start(unparker.clone())?;
        let (log, queues, checkpoint) = (Arc::new(log), Arc::new(queues), Arc::new(checkpoint));
        let last_store_timestamp = recovered.progress.store_timestamp;
        let commit_log = Arc::new(CommitLog::new(Arc::clone(&log), Arc::clone(&clock), last_store_timestamp));
        let dispatcher = Arc::new(Dispatcher::new(Arc::clone(&queues), recovered.progress));
        let control = Arc::new(Control::default());
        let options = FlusherOptions {
            clock: Arc::clone(&clock),
            interval: config.flush_interval_commit_log,
            before_flush: Box::new({
                let commit_log = Arc::clone(&commit_log);
                move || commit_log.last_store_timestamp()
            }),
            after_flush: Box::new({
                let (checkpoint, control) = (Arc::clone(&checkpoint), Arc::clone(&control));
                move |store_timestamp, flushed| {
                    control.note_failure(checkpoint.log_flushed(store_timestamp, flushed as i64));
                }
            }),
        };
        let flusher = Arc::new(Flusher::start(Arc::clone(&log), options));
        let ahead = Ahead::start(Arc::clone(&log), &clock);
        let index = Index::start(
            Arc::clone(&fs),
            Arc::clone(&clock),
            &config,
            Arc::clone(&log),
            Arc::clone(&checkpoint),
            index,
        );
        let background = Arc::new(Background {
            clock: Arc::clone(&clock),
            log,
            flusher: Arc::clone(&flusher),
            queues: Arc::clone(&queues),
            dispatcher: Arc::clone(&dispatcher),
            checkpoint,
            interval: config.flush_interval_consume_queue,
            thorough_interval: config.flush_consume_queue_thorough_interval,
            retention: config.retention.clone(),
            disk,
            index: Arc::clone(&index),
            control,
        });
        let thread = thread::spawn({
            let background = Arc::clone(&background);
            move || background.run(&parker)
        });
        Ok(Arc::new(Self {
            config,
            fs,
            commit_log,
            queues,
            dispatcher,
            flusher,
            ahead,
            index,
            background,
            unparker,
            thread: Mutex::new(Some(thread)),
            closed: AtomicBool::new(false),
            deleted_topics,
            deleting: Mutex::default(),
            lock: Mutex::new(Some(lock)),
        }))
    }

    /// Ends the store cleanly: refuses puts, dispatches, flushes everything, moves the checkpoint, removes the abort file,
    /// releases the directory. Idempotent.
    ///
    /// # Errors
    /// Whatever could not be flushed; the abort file stays then, so the next start recovers.
    pub fn close(&self) -> Result<(), StoreError> {
        let Some(lock) = self.lock.lock().take() else { return Ok(()) };
        self.commit_log.close();
        self.closed.store(true, Ordering::Release);
        self.dispatcher.drain();
        let flushed = self.stop_threads();
        let outcome = flushed.and_then(|()| self.finish());
        drop(lock);
        outcome
    }

    fn stop_threads(&self) -> Result<(), StoreError> {
        self.ahead.stop();
        self.background.control.stopping.store(true, Ordering::Release);
        self.unparker.unpark();
        let thread = self.thread.lock().take();
        if let Some(thread) = thread.filter(|thread| thread.thread().id() != thread::current().id())
            && thread.join().is_err()
        {
            return Err(StoreError::Poisoned { reason: "the housekeeping thread panicked".to_owned() });
        }
        self.index.stop()?;
        self.flusher.stop().map_err(|error| StoreError::Poisoned { reason: error.to_string() })
    }

    fn finish(&self) -> Result<(), StoreError> {
        self.background.sync_queues()?;
        if !self.background.control.keeps_files.load(Ordering::Acquire) {
            self.index.close()?;
        }
        self.background.checkpoint.closed(self.queues.totals())?;
        self.background.checkpoint.sync()?;
        if let Some(reason) = self.background.control.failure().or(self.queues.sync_failure()) {
            return Err(StoreError::Poisoned { reason });
        }
        self.commit_log.log.remove_spare()?;
        let root = self.config.root.as_path();
        self.fs.remove_file(&root.join("abort")).map_err(io_at("remove", &root.join("abort")))?;
        self.fs.sync_dir(root).map_err(io_at("fsync", root))
    }

    /// Its settings.
    pub fn config(&self) -> &StoreConfig {
        &self.config
    }

    /// The queue, made (in memory only) if there is none yet.
    ///
    /// # Errors
    /// [`StoreError::IllegalTopic`] if the topic cannot name a directory or the number is negative,
    /// [`StoreError::BatchConsumeQueue`] if its queues are those of inner batches.
    pub fn queue(&self, topic: &str, queue_id: i32) -> Result<Arc<Queue>, StoreError> {
        self.queues.get(topic, queue_id)
    }

    /// The queue, if there is one.
    ///
    /// # Errors
    /// [`StoreError::BatchConsumeQueue`] if its queues are those of inner batches, which are not there to be read.
    pub fn find_queue(&self, topic: &str, queue_id: i32) -> Result<Option<Arc<Queue>>, StoreError> {
        let found = self.queues.find(topic, queue_id);
        if found.is_none() {
            self.queues.check_kind(topic)?;
        }
        Ok(found)
    }

    /// All queues, in no particular order.
    pub fn queues(&self) -> Vec<Arc<Queue>> {
        self.queues.all()
    }

    /// Stores the messages of a batch, all or none; [`PutBatch::outcome`] tells where they went. They are readable from the
    /// commit log when this returns, and from their queues once dispatched (at once, unless another thread that puts is
    /// just doing that). They are on disk once [`when_flushed`](MessageStore::when_flushed) says so; with SYNC_FLUSH a process that is
    /// killed before that takes them with it, unless [`write_out`](MessageStore::write_out) was called.
    ///
    /// # Errors
    /// A failed write stores nothing, and later puts may succeed (space may have come back). After a failed flush every put
    /// fails with [`StoreError::Poisoned`].
    pub fn put(&self, batch: &mut PutBatch) -> Result<PutTicket, StoreError> {
        let also_check = || self.check_flush_and_queues();
        let (ticket, claim) = self.commit_log.append(batch, &self.dispatcher, also_check)?;
        self.dispatcher.finish(claim, batch.arrivals());
        // What is wanted in a new file comes after it, with the next put: one thread at a time is woken.
        if !self.want_spare(ticket.end as u64) {
            self.ahead.grown_to(ticket.end as u64);
        }
        Ok(ticket)
    }

    fn check_flush_and_queues(&self) -> Result<(), StoreError> {
        self.background.disk.writable()?;
        if let Some(reason) = self.flusher.failure() {
            return Err(StoreError::Poisoned { reason: reason.to_string() });
        }
        self.queues.writable()
    }

    /// Asks for the next commit log file when the current one is half full; false if that is no news.
    fn want_spare(&self, end: u64) -> bool {
        let segment_bytes = self.config.commit_log_segment_bytes;
        let file_end = end.next_multiple_of(segment_bytes);
        let wanted = &self.background.control.spare_wanted_at;
        let is_news = end + segment_bytes / 2 >= file_end
            && wanted.load(Ordering::Relaxed) < file_end
            && wanted.fetch_max(file_end, Ordering::AcqRel) < file_end;
        if is_news {
            self.unparker.unpark();
        }
        is_news
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
        self.get_each(topic, queue_id, offset, max_count, max_bytes, filter, |record| out.extend_from_slice(record))
    }

    /// As [`get`](MessageStore::get), but shows each record where it lies, without a copy.
    #[expect(clippy::too_many_arguments, reason = "those of Apache's getMessage")]
    pub fn get_each(
        &self,
        topic: &str,
        queue_id: i32,
        offset: i64,
        max_count: usize,
        max_bytes: usize,
        filter: Option<&TagFilter>,
        each: impl FnMut(&[u8]),
    ) -> Result<GetResult, StoreError> {
        self.check_open()?;
        let Some(queue) = self.find_queue(topic, queue_id)? else {
            let status = GetStatus::NoMatchedLogicQueue;
            return Ok(GetResult { status, next_begin_offset: 0, min_offset: 0, max_offset: 0, count: 0, bytes: 0 });
        };
        let get = read::Get { offset, max_count, max_bytes, filter };
        read::get(&self.commit_log.log, &self.config, &queue, &get, each)
    }

    /// First offset of a queue; 0 if there is no such queue.
    ///
    /// # Errors
    /// Those of [`find_queue`](MessageStore::find_queue).
    pub fn min_offset(&self, topic: &str, queue_id: i32) -> Result<i64, StoreError> {
        Ok(self.find_queue(topic, queue_id)?.map_or(0, |queue| queue.min_offset()))
    }

    /// One more than the last offset of a queue; 0 if there is no such queue.
    ///
    /// # Errors
    /// Those of [`find_queue`](MessageStore::find_queue).
    pub fn max_offset(&self, topic: &str, queue_id: i32) -> Result<i64, StoreError> {
        Ok(self.find_queue(topic, queue_id)?.map_or(0, |queue| queue.max_offset()))
    }

    /// The offset a time (milliseconds since the epoch) stands for, between min and max offset; 0 if there is no such queue.
    pub fn offset_by_time(
        &self,
        topic: &str,
        queue_id: i32,
        timestamp_ms: i64,
        boundary: Boundary,
    ) -> Result<i64, StoreError> {
        self.check_open()?;
        let Some(queue) = self.find_queue(topic, queue_id)? else { return Ok(0) };
        read::offset_by_time(&self.commit_log.log, &queue, timestamp_ms, boundary)
    }

    /// Store timestamp of the message at a queue offset; `None` if it is not there (any more).
    pub fn store_timestamp_at(&self, topic: &str, queue_id: i32, offset: i64) -> Result<Option<i64>, StoreError> {
        self.check_open()?;
        let Some(queue) = self.find_queue(topic, queue_id)? else { return Ok(None) };
        read::store_timestamp_at(&self.commit_log.log, &queue, offset)
    }

    /// Store timestamp of the first message of a queue.
    pub fn earliest_time(&self, topic: &str, queue_id: i32) -> Result<Option<i64>, StoreError> {
        self.store_timestamp_at(topic, queue_id, self.min_offset(topic, queue_id)?)
    }

    /// Store timestamp of the first message of the store.
    pub fn earliest_store_time(&self) -> Result<Option<i64>, StoreError> {
        self.check_open()?;
        let head = read::record_head(&mut self.commit_log.log.reader(), self.min_physical_offset())?;
        Ok(head.map(|head| head.store_timestamp))
    }

    /// Appends the record that starts at a commit log offset to `out`; false if none does.
    pub fn record_at(&self, physical_offset: i64, out: &mut Vec<u8>) -> Result<bool, StoreError> {
        self.check_open()?;
        read::record_at(&self.commit_log.log, physical_offset, out)
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
        self.check_open()?;
        log_read::records_from(&self.commit_log.log, physical_offset, max_count, max_bytes, out)
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
        self.check_open()?;
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

    /// From now on `listener` hears of messages whose queue entries have become readable: one call per dispatch run, on the
    /// thread of a put, outside of all locks. Calls of different threads may overlap, and come in any order.
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

    fn check_open(&self) -> Result<(), StoreError> {
        if self.closed.load(Ordering::Acquire) { Err(StoreError::Closed) } else { Ok(()) }
    }
}

impl Drop for MessageStore {
    fn drop(&mut self) {
        if self.lock.lock().is_some() {
            self.commit_log.close();
            // Nobody is left to hear of a failure, and the abort file makes the next start recover.
            let _ = self.stop_threads();
        }
    }
}

struct Parts {
    log: SegmentedLog,
    queues: Queues,
    deleted_topics: DeletedTopics,
    index: IndexFiles,
    checkpoint: Checkpoint,
    recovered: Recovered,
    lock: Arc<dyn File>,
}

fn check(config: &mut StoreConfig) -> Result<(), StoreError> {
    let bytes = config.commit_log_segment_bytes;
    let wrong = |why| Err(StoreError::Config { name: "mappedFileSizeCommitLog", value: bytes, why });
    if bytes < MIN_SEGMENT_BYTES {
        return wrong("less than 1024 bytes");
    } else if bytes > i32::MAX as u64 {
        return wrong("a blank record could not tell its length");
    }
    check_index(config)?;
    let (name, value) = ("mappedFileSizeConsumeQueueExt", config.consume_queue_ext_segment_bytes);
    if value < ext::MIN_SEGMENT_BYTES {
        return Err(StoreError::Config { name, value, why: "less than one unit" });
    } else if value > i32::MAX as u64 {
        return Err(StoreError::Config { name, value, why: "Apache keeps it in an int" });
    }
    let unit_bytes = UNIT_BYTES as u64;
    config.consume_queue_segment_bytes = config.consume_queue_segment_bytes.max(1).next_multiple_of(unit_bytes);
    Ok(())
}

/// Makes the directory of the store. A start that died may have made it, or those in it, without their entries being on
/// disk, and all that is stored there goes with an entry that is lost.
fn make_root(fs: &dyn Fs, config: &StoreConfig) -> Result<(), StoreError> {
    let durably = |directory: &Path| fs.create_dir_all_durably(directory);
    let exists = |directory: &Path| fs.exists(directory).map_err(io_at("stat", directory));
    durably(&config.root).map_err(io_at("create", &config.root))?;
    if exists(&config.commit_log_dir)? {
        durably(&config.commit_log_dir).map_err(io_at("fsync the entry of", &config.commit_log_dir))?;
    }
    for directory in ["consumequeue", "consumequeue_ext"].map(|name| config.root.join(name)) {
        if exists(&directory)? {
            durably(&directory).map_err(io_at("fsync the entry of", &directory))?;
            // The entries of topics; those of queues are synced with their first file.
            fs.sync_dir(&directory).map_err(io_at("fsync", &directory))?;
        }
    }
    if exists(&config.commit_log_dir)? {
        return Ok(());
    }
    for above in config.root.ancestors().skip(1).take_while(|path| !path.as_os_str().is_empty()) {
        match durably(above) {
            // Whoever may not read a directory has not made the one in it either.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => break,
            outcome => outcome.map_err(io_at("fsync the entry of", above))?,
        }
    }
    Ok(())
}

/// Apache keeps both numbers and the length of an index file in an int.
fn check_index(config: &StoreConfig) -> Result<(), StoreError> {
    let (slots, items) = (u64::from(config.max_hash_slot_num), u64::from(config.max_index_num));
    let wrong = |name, value, why| Err(StoreError::Config { name, value, why });
    if slots == 0 {
        wrong("maxHashSlotNum", slots, "an index file needs a slot")
    } else if items < 2 {
        wrong("maxIndexNum", items, "an index file of n items holds n - 1")
    } else if 40 + 4 * slots + 20 * items > i32::MAX as u64 {
        wrong("maxIndexNum", items, "an index file would be longer than 2,147,483,647 bytes")
    } else {
        Ok(())
    }
}

/// (`DefaultMessageStore#start`)
pub(crate) fn lock(fs: &dyn Fs, root: &Path) -> Result<Arc<dyn File>, StoreError> {
    let path = root.join("lock");
    let lock = fs.try_lock(&path).map_err(io_at("lock", &path))?;
    let lock = lock.ok_or_else(|| StoreError::Locked { root: root.to_owned() })?;
    lock.write_all_at(b"lock", 0).map_err(io_at("write", &path))?;
    Ok(lock)
}

/// The file that tells the next start of an unclean stop. (`DefaultMessageStore#createTempFile`)
pub(crate) fn write_abort(fs: &dyn Fs, root: &Path) -> Result<(), StoreError> {
    let path = root.join("abort");
    let file = fs.open(&path, OpenMode::CreateTruncate).map_err(io_at("create", &path))?;
    file.write_all_at(std::process::id().to_string().as_bytes(), 0).map_err(io_at("write", &path))?;
    file.sync_all().map_err(io_at("fsync", &path))?;
    fs.sync_dir(root).map_err(io_at("fsync", root))
}

/// What recovery found may be in the page cache only, and so may be what it cut.
fn make_durable(
    log: &SegmentedLog,
    queues: &Queues,
    checkpoint: &Checkpoint,
    recovered: Recovered,
) -> Result<(), StoreError> {
    log.sync(recovered.scanned_from, log.end())?;
    queues.write_tails()?;
    queues.sync()?;
    let progress = recovered.progress;
    checkpoint.log_cut(log.end() as i64)?;
    checkpoint.log_flushed(progress.store_timestamp, log.end() as i64)?;
    checkpoint.queues_flushed(progress.store_timestamp, progress.physical_offset)?;
    checkpoint.sync()
}

fn io_at<'p>(op: &'static str, path: &'p Path) -> impl FnOnce(io::Error) -> StoreError + 'p {
    move |source| StoreError::Io { op, path: path.to_owned(), source }
}

//! Opening and closing: the lock, recovery, the threads.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use parking_lot::Mutex;
use rocketmq_env::{Clock, File, Fs, OverlayFs, Parker};
use rocketmq_log::{Flusher, FlusherOptions, SegmentedLog};

use super::MessageStore;
use crate::ahead::Ahead;
use crate::background::{Background, Control};
use crate::checkpoint::Checkpoint;
use crate::commit_log::CommitLog;
use crate::deletion::DeletedTopics;
use crate::directory::{io_at, lock, make_root, write_abort};
use crate::disk::Disk;
use crate::dispatch::Dispatcher;
use crate::index::{Index, IndexFiles, Judge};
use crate::queue_syncer::QueueSyncer;
use crate::queues::Queues;
use crate::recover::{Recovered, Recovery};
use crate::seat::{Hints, NextOffsets};
use crate::{FlushDiskType, StoreConfig, StoreError, error};

impl MessageStore {
    /// Locks the directory (made if missing), recovers what is in it, and starts the threads.
    ///
    /// # Errors
    /// [`StoreError::Locked`] if another process or another store has it open, [`StoreError::DamagedLog`] if recovering
    /// would cut acknowledged messages, [`StoreError::Log`] for files that are not those of a store with this configuration.
    pub fn open(mut config: StoreConfig, fs: Arc<dyn Fs>, clock: Arc<dyn Clock>) -> Result<Arc<Self>, StoreError> {
        config.check()?;
        let root = config.root.as_path();
        make_root(&*fs, &config)?;
        let lock = lock(&*fs, root)?;
        let abort = root.join("abort");
        let was_clean = !fs.exists(&abort).map_err(io_at("stat", &abort))?;
        let parts = Parts::recover(&config, &fs, &*clock, was_clean)?;
        let Parts { log, queues, deleted_topics, checkpoint, recovered } = parts;
        let index_msg_timestamp = checkpoint.values().index_msg_timestamp;
        let mut index = IndexFiles::load(&*fs, &config, &Judge { log: &log, was_clean, index_msg_timestamp })?;
        index.settle(&*fs, &checkpoint)?;
        make_durable(&log, &queues, &checkpoint, recovered)?;
        write_abort(&*fs, root)?;
        let parts = Parts { log, queues, deleted_topics, checkpoint, recovered };
        Self::start(config, fs, clock, parts, index, lock)
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
        index: IndexFiles,
        lock: Arc<dyn File>,
    ) -> Result<Arc<Self>, StoreError> {
        let Parts { log, queues, deleted_topics, checkpoint, recovered } = parts;
        let disk = Disk::new(Arc::clone(&fs), &config);
        disk.note_cleaning(disk.check().err().map(|error| error::chain(&error)));
        let parker = Parker::new(&clock);
        let unparker = parker.unparker();
        let (log, queues, checkpoint) = (Arc::new(log), Arc::new(queues), Arc::new(checkpoint));
        let syncer = QueueSyncer::start(&clock, &queues, &checkpoint);
        queues.start(unparker.clone())?;
        let last_store_timestamp = recovered.progress.store_timestamp;
        let offsets = NextOffsets::of_all(&queues.seats());
        let hints = Hints { offsets: offsets.hint(), places: queues.seats().hint() };
        let commit_log = Arc::new(CommitLog::new(Arc::clone(&log), Arc::clone(&clock), last_store_timestamp, offsets));
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
        let ahead = Ahead::start(&log, &clock);
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
            syncer,
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
            hints,
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

    /// Ends the store cleanly: refuses puts, dispatches, flushes everything, moves the checkpoint, removes the abort file, lets
    /// go of all files and mappings whoever still has the store or a queue of it, releases the directory. A deletion and reads
    /// that are under way end first, or fail with [`StoreError::Closed`]. Idempotent.
    ///
    /// # Errors
    /// Whatever could not be flushed; the abort file stays then, so the next start recovers.
    pub fn close(&self) -> Result<(), StoreError> {
        let Some(lock) = self.lock.lock().take() else { return Ok(()) };
        self.commit_log.close();
        self.closed.store(true, Ordering::Release);
        let deletion_ended = self.deleting.lock();
        self.dispatcher.drain();
        let flushed = self.stop_threads();
        let outcome = flushed.and_then(|()| self.finish());
        drop(deletion_ended);
        self.release();
        drop(lock);
        outcome
    }

    fn release(&self) {
        self.commit_log.release();
        self.queues.release();
        self.index.release();
        self.background.checkpoint.release();
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
        self.background.syncer.stop();
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

/// The parts of a store that recovery brings to one state.
#[derive(Debug)]
pub(crate) struct Parts {
    log: SegmentedLog,
    queues: Queues,
    deleted_topics: DeletedTopics,
    checkpoint: Checkpoint,
    recovered: Recovered,
}

impl Parts {
    /// Opens them and recovers them. Nobody else has the directory.
    pub(crate) fn recover(
        config: &StoreConfig,
        fs: &Arc<dyn Fs>,
        clock: &dyn Clock,
        was_clean: bool,
    ) -> Result<Self, StoreError> {
        let (log_dir, root) = (config.commit_log_dir.clone(), config.root.as_path());
        let mut log = SegmentedLog::open(Arc::clone(fs), log_dir, config.commit_log_segment_bytes)?
            .with_space_reserved(config.flush_disk_type == FlushDiskType::AsyncFlush);
        let queues = Queues::load(Arc::clone(fs), config)?;
        let checkpoint = Checkpoint::open(&**fs, root)?;
        let deleted_topics = DeletedTopics::load(Arc::clone(fs), root)?;
        let recovery = Recovery {
            config,
            log: &mut log,
            queues: &queues,
            deleted_topics: &deleted_topics,
            checkpoint: &checkpoint,
            clock,
            was_clean,
        };
        let recovered = recovery.run()?;
        deleted_topics.cap(log.end() as i64)?;
        Ok(Self { log, queues, deleted_topics, checkpoint, recovered })
    }
}

/// What recovery found may be in the page cache only, and so may be what it cut.
fn make_durable(
    log: &SegmentedLog,
    queues: &Queues,
    checkpoint: &Checkpoint,
    recovered: Recovered,
) -> Result<(), StoreError> {
    // As told when it was flushed, so it is little; Apache's broker does not tell.
    if let Some(flushed) = checkpoint.values().flushed_position {
        log.write_again((flushed.max(0) as u64).max(recovered.scanned_from), log.end())?;
    }
    log.sync(recovered.scanned_from, log.end())?;
    queues.write_tails()?;
    queues.sync()?;
    let progress = recovered.progress;
    checkpoint.log_cut(log.end() as i64)?;
    checkpoint.log_flushed(progress.store_timestamp, log.end() as i64)?;
    checkpoint.queues_flushed(progress.store_timestamp, progress.physical_offset)?;
    checkpoint.sync()
}

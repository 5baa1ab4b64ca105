//! All consume queues: found by topic and number, written out and synced in the background.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;

use parking_lot::{Mutex, RwLock, RwLockReadGuard};
use rocketmq_env::{File, FilePool, Fs, OpenMode, Unparker};
use rocketmq_log::{LogError, SegmentedLog};
use smol_str::SmolStr;

use crate::checkpoint::QueueTotals;
use crate::light::is_light;
use crate::queue::ext::Ext;
use crate::queue::{Grown, Queue, TAIL_FULL_BYTES, TAIL_LIMIT_BYTES};
use crate::seat::Seats;
use crate::{StoreConfig, StoreError, error};

/// Above this many queues it pays to treat them together instead of one by one.
const MANY_QUEUES: usize = 512;

/// Most memory that tails take which are not worth writing one by one.
pub(crate) const TAILS_LIMIT_BYTES: usize = 64 * 1024 * 1024;

/// Where ext files are, if queues have them.
#[derive(Debug)]
struct ExtFiles {
    /// `{root}/consumequeue_ext`
    directory: PathBuf,
    segment_bytes: u64,
}

type Table = HashMap<SmolStr, HashMap<i32, Arc<Queue>>>;

/// The queues of a store.
#[derive(Debug)]
pub(crate) struct Queues {
    raw_fs: Arc<dyn Fs>,
    /// The same, with few of its files open.
    fs: Arc<dyn Fs>,
    /// `{root}/consumequeue`
    directory: PathBuf,
    /// `{root}/batchconsumequeue`
    batch_directory: PathBuf,
    segment_bytes: u64,
    ext: Option<ExtFiles>,
    /// Open since before the first write, so that syncing it tells of every failure; empty where directories cannot be opened.
    file_system: Mutex<Option<Arc<dyn File>>>,
    table: RwLock<Table>,
    seats: RwLock<Seats>,
    /// Queues with a tail to write.
    tails: Mutex<Vec<Arc<Queue>>>,
    /// Queues with files to sync.
    unsynced: Mutex<Vec<Arc<Queue>>>,
    /// Of these, those with a file that is full.
    full: Mutex<Vec<Arc<Queue>>>,
    /// Held by who syncs all: the next may not take what that one is at for synced.
    syncing: Mutex<()>,
    /// Why tails cannot be written at the moment.
    failure: Mutex<Option<String>>,
    has_failure: AtomicBool,
    sync_failure: Mutex<Option<String>>,
    background: OnceLock<Unparker>,
}

impl Queues {
    /// Opens all queues, as their files are. (`ConsumeQueueStore#load`)
    pub(crate) fn load(fs: Arc<dyn Fs>, config: &StoreConfig) -> Result<Self, StoreError> {
        let raw_fs = fs;
        let fs: Arc<dyn Fs> =
            Arc::new(FilePool::new(Arc::clone(&raw_fs), config.root.clone(), config.max_open_consume_queue_files));
        let (directory, segment_bytes) = (config.root.join("consumequeue"), config.consume_queue_segment_bytes);
        let ext = config.enable_consume_queue_ext.then(|| ExtFiles {
            directory: config.root.join("consumequeue_ext"),
            segment_bytes: config.consume_queue_ext_segment_bytes,
        });
        let topics = subdirectories(&*fs, &directory)?;
        let loaded = in_parts(&topics, |topics| load_topics(&fs, topics, segment_bytes, ext.as_ref()))?;
        let (mut table, mut seats) = (Table::new(), Seats::default());
        for queue in loaded.into_iter().flatten() {
            let queue = seats.add(queue);
            table.entry(queue.topic().into()).or_default().insert(queue.queue_id(), queue);
        }
        let file_system = raw_fs.open(&directory, OpenMode::Read).ok();
        Ok(Self {
            raw_fs,
            fs,
            directory,
            batch_directory: config.root.join("batchconsumequeue"),
            segment_bytes,
            ext,
            file_system: Mutex::new(file_system),
            table: RwLock::new(table),
            seats: RwLock::new(seats),
            tails: Mutex::default(),
            unsynced: Mutex::default(),
            full: Mutex::default(),
            syncing: Mutex::default(),
            failure: Mutex::default(),
            has_failure: AtomicBool::new(false),
            sync_failure: Mutex::default(),
            background: OnceLock::new(),
        })
    }

    /// Makes the directory, if this is a new store, for puts to come; `background` is woken when a tail is long.
    pub(crate) fn start(&self, background: Unparker) -> Result<(), StoreError> {
        // Set once, when the store opens.
        let _ = self.background.set(background);
        let mut file_system = self.file_system.lock();
        if file_system.is_none() {
            let made = self.raw_fs.create_dir_all_durably(&self.directory);
            made.map_err(|source| StoreError::Io { op: "create", path: self.directory.clone(), source })?;
            *file_system = self.raw_fs.open(&self.directory, OpenMode::Read).ok();
        }
        Ok(())
    }

    /// Lets go of all files, which are not used any more.
    pub(crate) fn release(&self) {
        *self.file_system.lock() = None;
        self.table.read().values().flat_map(HashMap::values).for_each(|queue| queue.release());
    }

    pub(crate) fn find(&self, topic: &str, queue_id: i32) -> Option<Arc<Queue>> {
        self.table.read().get(topic)?.get(&queue_id).cloned()
    }

    /// The queue, made in memory if missing.
    pub(crate) fn get(&self, topic: &str, queue_id: i32) -> Result<Arc<Queue>, StoreError> {
        if let Some(queue) = self.find(topic, queue_id) {
            return Ok(queue);
        }
        if !is_directory_name(topic) || queue_id < 0 {
            return Err(StoreError::IllegalTopic { topic: format!("{topic}/{queue_id}") });
        }
        self.check_kind(topic)?;
        let directory = self.directory.join(topic).join(queue_id.to_string());
        let mut table = self.table.write();
        let name = table.get_key_value(topic).map_or_else(|| SmolStr::from(topic), |(name, _)| name.clone());
        let of_topic = table.entry(name.clone()).or_default();
        if let Some(queue) = of_topic.get(&queue_id) {
            return Ok(Arc::clone(queue));
        }
        let files = SegmentedLog::open_new(Arc::clone(&self.fs), directory, self.segment_bytes)?;
        let ext = ExtFiles::open_for(self.ext.as_ref(), &self.fs, topic, queue_id, true)?;
        let queue = self.seats.write().add(Queue::new(name, queue_id, files, ext));
        of_topic.insert(queue_id, Arc::clone(&queue));
        Ok(queue)
    }

    /// Fails for a topic whose queues are of the kind that is not there. A queue of this kind beside them would keep
    /// Apache's broker from starting (`ConsumeQueueStore#queueTypeShouldBe`).
    pub(crate) fn check_kind(&self, topic: &str) -> Result<(), StoreError> {
        let directory = self.batch_directory.join(topic);
        match is_directory_name(topic).then(|| self.fs.exists(&directory)) {
            Some(Ok(true)) => Err(StoreError::BatchConsumeQueue { directory }),
            Some(Err(source)) => Err(StoreError::Io { op: "stat", path: directory, source }),
            _ => Ok(()),
        }
    }

    /// All by their seats; nobody can make or remove any while this is held.
    pub(crate) fn seats(&self) -> RwLockReadGuard<'_, Seats> {
        self.seats.read()
    }

    /// All, by topic and number: recovery makes the same calls each time.
    pub(crate) fn all(&self) -> Vec<Arc<Queue>> {
        let mut queues: Vec<_> = self.table.read().values().flat_map(HashMap::values).cloned().collect();
        queues.sort_by(|a, b| (a.topic(), a.queue_id()).cmp(&(b.topic(), b.queue_id())));
        queues
    }

    /// The queues of a topic.
    pub(crate) fn of_topic(&self, topic: &str) -> Vec<Arc<Queue>> {
        self.table.read().get(topic).map(|queues| queues.values().cloned().collect()).unwrap_or_default()
    }

    /// Removes queues of a topic durably, files first, so that a queue made after them finds none. Nothing is put to them any more,
    /// and nothing that was waits for its unit.
    pub(crate) fn destroy(&self, topic: &str, queues: &[Arc<Queue>]) -> Result<(), StoreError> {
        for queue in queues {
            queue.destroy()?;
        }
        if let Some(ext) = &self.ext {
            self.remove_topic(&ext.directory, topic)?;
        }
        self.remove_topic(&self.directory, topic)?;
        let mut table = self.table.write();
        if let Some(of_topic) = table.get_mut(topic) {
            of_topic.retain(|_, queue| !queues.iter().any(|removed| Arc::ptr_eq(removed, queue)));
            if of_topic.is_empty() {
                table.remove(topic);
            }
        }
        drop(table);
        let mut seats = self.seats.write();
        queues.iter().for_each(|queue| seats.vacate(queue.seat()));
        Ok(())
    }

    /// Removes the directory of a topic if no queue is left in it.
    fn remove_topic(&self, parent: &Path, topic: &str) -> Result<(), StoreError> {
        let directory = parent.join(topic);
        let fail = |op| {
            let path = directory.clone();
            move |source| StoreError::Io { op, path, source }
        };
        if self.fs.exists(&directory).map_err(fail("stat"))? {
            self.fs.sync_dir(&directory).map_err(fail("fsync"))?;
            match self.fs.remove_dir(&directory) {
                Ok(()) => self.fs.sync_dir(parent).map_err(fail("fsync directory of"))?,
                // Of other queues of the topic, or of one that is just being made.
                Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {}
                Err(error) => return Err(fail("remove")(error)),
            }
        }
        Ok(())
    }

    /// How many there are and how far they go.
    pub(crate) fn totals(&self) -> QueueTotals {
        let max_offsets = self.all().into_iter().map(|queue| queue.max_offset()).filter(|max| *max > 0);
        max_offsets.fold(QueueTotals::default(), |totals, max| QueueTotals {
            queues: totals.queues + 1,
            max_offsets: totals.max_offsets.saturating_add(max),
        })
    }

    /// Runs `work` for each queue; of many, on all processors. `work` is told how many were begun before.
    pub(crate) fn for_each(
        &self,
        work: impl Fn(&Arc<Queue>, u64) -> Result<(), StoreError> + Sync,
    ) -> Result<(), StoreError> {
        let begun = AtomicU64::new(0);
        let all = |queues: &[Arc<Queue>]| {
            queues.iter().try_for_each(|queue| work(queue, begun.fetch_add(1, Ordering::Relaxed)))
        };
        in_parts(&self.all(), all).map(drop)
    }

    /// Notes what became of a queue's tail; true if whoever appended is to write it.
    #[must_use]
    pub(crate) fn tail_grew(&self, queue: &Arc<Queue>, grown: &Grown) -> bool {
        let bytes = &grown.bytes;
        if grown.to_list {
            self.tails.lock().push(Arc::clone(queue));
        }
        let is_too_long = bytes.end >= TAIL_LIMIT_BYTES;
        if !is_too_long
            && bytes.start / TAIL_FULL_BYTES < bytes.end / TAIL_FULL_BYTES
            && let Some(background) = self.background.get()
        {
            background.unpark();
        }
        is_too_long
    }

    /// Writes a tail that is too long.
    pub(crate) fn write_long_tail(&self, queue: &Arc<Queue>) {
        // A failure keeps the queue on the list and refuses further puts.
        if let Err(error) = self.write_tail_of(queue) {
            self.failed(&error);
        }
    }

    /// Writes tails to the files, as is done every second: all of them if they are few or long together. Of many short ones
    /// each would cost an open and a write for a few units.
    pub(crate) fn write_tails_if_worth_it(&self) -> Result<(), StoreError> {
        let has_failure = self.has_failure.load(Ordering::Acquire);
        if has_failure || self.tails.lock().len() <= MANY_QUEUES || self.tails_bytes() >= TAILS_LIMIT_BYTES {
            return self.write_tails();
        }
        Ok(())
    }

    fn tails_bytes(&self) -> usize {
        let mut queues = std::mem::take(&mut *self.tails.lock());
        let bytes = queues.iter().map(|queue| queue.tail_bytes()).sum();
        self.tails.lock().append(&mut queues);
        bytes
    }

    /// Writes all tails to the files. On failure what is left stays for the next time.
    pub(crate) fn write_tails(&self) -> Result<(), StoreError> {
        let mut queues = std::mem::take(&mut *self.tails.lock());
        while let Some(queue) = queues.pop() {
            queue.set_listed(false);
            if let Err(error) = self.write_tail_of(&queue) {
                if queue.set_listed(true) {
                    queues.push(queue);
                }
                self.tails.lock().append(&mut queues);
                self.failed(&error);
                return Err(error.into());
            }
        }
        if self.has_failure.swap(false, Ordering::AcqRel) {
            *self.failure.lock() = None;
        }
        Ok(())
    }

    fn write_tail_of(&self, queue: &Arc<Queue>) -> Result<(), LogError> {
        // Called while the queue is held for that: who finds its tail written finds it on the list, too.
        queue.write_tail(|has_begun_file| {
            self.note_unsynced(queue);
            if has_begun_file && !queue.has_full_file.swap(true, Ordering::AcqRel) {
                self.full.lock().push(Arc::clone(queue));
            }
        })
    }

    /// Whether [`sync_full`](Queues::sync_full) has something to do.
    pub(crate) fn has_full(&self) -> bool {
        !self.full.lock().is_empty()
    }

    /// Syncs the queues with files that are full, so that the one who fills the next does not have to.
    pub(crate) fn sync_full(&self) -> Result<(), StoreError> {
        while let Some(queue) = { self.full.lock().pop() } {
            queue.has_full_file.store(false, Ordering::Release);
            if let Err(error) = queue.sync() {
                self.note_sync_failure(&error);
                return Err(error.into());
            }
        }
        Ok(())
    }

    /// Puts the queue on the list of those to sync.
    pub(crate) fn note_unsynced(&self, queue: &Arc<Queue>) {
        if !queue.is_unsynced.swap(true, Ordering::AcqRel) {
            self.unsynced.lock().push(Arc::clone(queue));
        }
    }

    /// Makes all files that changed durable: many with one call for the whole file system, where there is one.
    pub(crate) fn sync(&self) -> Result<(), StoreError> {
        let _one_at_a_time = self.syncing.lock();
        let mut queues = std::mem::take(&mut *self.unsynced.lock());
        // Ext files may be on another file system.
        if queues.len() > MANY_QUEUES && self.ext.is_none() {
            match self.sync_at_once(&queues) {
                Ok(true) => return Ok(()),
                Ok(false) => {}
                Err(error) => {
                    queues.iter().for_each(|queue| queue.is_unsynced.store(true, Ordering::Release));
                    self.unsynced.lock().append(&mut queues);
                    self.note_sync_failure(&error);
                    return Err(error);
                }
            }
        }
        while let Some(queue) = queues.pop() {
            queue.is_unsynced.store(false, Ordering::Release);
            if let Err(error) = queue.sync() {
                if !queue.is_unsynced.swap(true, Ordering::AcqRel) {
                    queues.push(queue);
                }
                self.unsynced.lock().append(&mut queues);
                self.note_sync_failure(&error);
                return Err(error.into());
            }
        }
        Ok(())
    }

    fn sync_at_once(&self, queues: &[Arc<Queue>]) -> Result<bool, StoreError> {
        let Some(file_system) = self.file_system.lock().clone() else { return Ok(false) };
        let written: Vec<i64> = queues
            .iter()
            .map(|queue| {
                // What is written from here on puts the queue on the list again.
                queue.is_unsynced.store(false, Ordering::Release);
                queue.written()
            })
            .collect();
        let fail = |source| StoreError::Io { op: "sync the file system of", path: self.directory.clone(), source };
        let is_synced = file_system.sync_file_system().map_err(fail)?;
        if is_synced {
            queues.iter().zip(written).for_each(|(queue, written)| queue.synced(written));
        }
        Ok(is_synced)
    }

    /// Fails while tails cannot be written.
    pub(crate) fn writable(&self) -> Result<(), StoreError> {
        if !self.has_failure.load(Ordering::Acquire) {
            return Ok(());
        }
        let reason = self.failure.lock().clone().unwrap_or_default();
        Err(StoreError::ConsumeQueuesBehind { reason })
    }

    /// Why the files' state on disk is unknown, if it is: an fsync failed.
    pub(crate) fn sync_failure(&self) -> Option<String> {
        self.sync_failure.lock().clone()
    }

    /// Keeps the first.
    fn note_sync_failure(&self, error: &dyn std::error::Error) {
        self.sync_failure.lock().get_or_insert_with(|| error::chain(error));
    }

    fn failed(&self, error: &LogError) {
        if error.is_sync_failure() {
            self.note_sync_failure(error);
        }
        *self.failure.lock() = Some(error::chain(error));
        self.has_failure.store(true, Ordering::Release);
    }
}

/// Runs `work` on parts of a list, one for each processor if the list is long.
fn in_parts<T: Sync, R: Send>(
    list: &[T],
    work: impl Fn(&[T]) -> Result<R, StoreError> + Sync,
) -> Result<Vec<R>, StoreError> {
    let threads = if list.len() < MANY_QUEUES { 1 } else { thread::available_parallelism().map_or(1, usize::from) };
    if threads == 1 {
        return Ok(vec![work(list)?]);
    }
    thread::scope(|scope| {
        let parts = list.chunks(list.len().div_ceil(threads));
        let running: Vec<_> = parts.map(|part| scope.spawn(|| work(part))).collect();
        let panicked = || StoreError::Poisoned { reason: "a thread that read consume queues panicked".to_owned() };
        running.into_iter().map(|thread| thread.join().map_err(|_panic| panicked())?).collect()
    })
}

impl ExtFiles {
    /// The ext files of a queue, if it has them. Light queues never do (`ConsumeQueue#doDispatchLmqQueue`). To those of a new
    /// queue nothing points: a deletion that was interrupted left them.
    fn open_for(
        of_store: Option<&Self>,
        fs: &Arc<dyn Fs>,
        topic: &str,
        queue_id: i32,
        is_new: bool,
    ) -> Result<Option<Ext>, LogError> {
        let Some(Self { directory, segment_bytes }) = of_store.filter(|_| !is_light(topic)) else { return Ok(None) };
        let directory = directory.join(topic).join(queue_id.to_string());
        let mut files = SegmentedLog::open(Arc::clone(fs), directory, *segment_bytes)?;
        if is_new {
            files.clear()?;
        }
        Ok(Some(Ext::new(files)))
    }
}

fn load_topics(
    fs: &Arc<dyn Fs>,
    topics: &[(String, PathBuf)],
    segment_bytes: u64,
    ext: Option<&ExtFiles>,
) -> Result<Vec<Queue>, StoreError> {
    let mut queues = Vec::new();
    for (topic, path) in topics {
        let topic = SmolStr::from(topic.as_str());
        for (number, path) in subdirectories(&**fs, path)? {
            // Apache skips other names as well.
            let Ok(queue_id) = number.parse::<i32>() else { continue };
            let files = SegmentedLog::open(Arc::clone(fs), path, segment_bytes)?;
            let ext = ExtFiles::open_for(ext, fs, &topic, queue_id, false)?;
            queues.push(Queue::new(topic.clone(), queue_id, files, ext));
        }
    }
    Ok(queues)
}

/// Whether a topic, which comes from clients, names a directory of its own.
fn is_directory_name(topic: &str) -> bool {
    let separates = |byte: u8| matches!(byte, b'/' | b'\\' | 0);
    !topic.is_empty() && topic.len() <= 255 && topic != "." && topic != ".." && !topic.bytes().any(separates)
}

fn subdirectories(fs: &dyn Fs, directory: &Path) -> Result<Vec<(String, PathBuf)>, StoreError> {
    let entries = match fs.read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(StoreError::Io { op: "read directory", path: directory.to_owned(), source }),
        Ok(entries) => entries,
    };
    let directories = entries.into_iter().filter(|entry| entry.is_dir);
    Ok(directories.filter_map(|entry| Some((entry.name.to_str()?.to_owned(), directory.join(&entry.name)))).collect())
}

//! All consume queues: found by topic and number, written out and synced in the background.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use parking_lot::{Mutex, RwLock};
use rocketmq_env::{FilePool, Fs, Unparker};
use rocketmq_log::{LogError, SegmentedLog};

use crate::queue::{Queue, TAIL_FULL_BYTES, TAIL_LIMIT_BYTES};
use crate::{StoreConfig, StoreError, error};

type Table = HashMap<Arc<str>, HashMap<i32, Arc<Queue>>>;

/// The queues of a store.
#[derive(Debug)]
pub(crate) struct Queues {
    fs: Arc<dyn Fs>,
    /// `{root}/consumequeue`
    directory: PathBuf,
    segment_bytes: u64,
    table: RwLock<Table>,
    /// Queues with a tail to write.
    tails: Mutex<Vec<Arc<Queue>>>,
    /// Queues with files to sync.
    unsynced: Mutex<Vec<Arc<Queue>>>,
    /// Why tails cannot be written at the moment.
    failure: Mutex<Option<String>>,
    has_failure: AtomicBool,
    sync_failure: Mutex<Option<String>>,
    background: OnceLock<Unparker>,
}

impl Queues {
    /// Opens all queues, as their files are. (`ConsumeQueueStore#load`)
    pub(crate) fn load(fs: Arc<dyn Fs>, config: &StoreConfig) -> Result<Self, StoreError> {
        let fs: Arc<dyn Fs> = Arc::new(FilePool::new(fs, config.max_open_consume_queue_files));
        let (directory, segment_bytes) = (config.root.join("consumequeue"), config.consume_queue_segment_bytes);
        let mut table = Table::new();
        for (topic, path) in subdirectories(&*fs, &directory)? {
            let topic: Arc<str> = topic.into();
            for (number, path) in subdirectories(&*fs, &path)? {
                // Apache skips other names as well.
                let Ok(queue_id) = number.parse::<i32>() else { continue };
                let files = SegmentedLog::open(Arc::clone(&fs), path, segment_bytes)?;
                let queue = Arc::new(Queue::new(Arc::clone(&topic), queue_id, files));
                table.entry(Arc::clone(&topic)).or_default().insert(queue_id, queue);
            }
        }
        Ok(Self {
            fs,
            directory,
            segment_bytes,
            table: RwLock::new(table),
            tails: Mutex::default(),
            unsynced: Mutex::default(),
            failure: Mutex::default(),
            has_failure: AtomicBool::new(false),
            sync_failure: Mutex::default(),
            background: OnceLock::new(),
        })
    }

    /// Whom to wake when a tail is long.
    pub(crate) fn set_background(&self, unparker: Unparker) {
        // Set once, when the store opens.
        let _ = self.background.set(unparker);
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
        let directory = self.directory.join(topic).join(queue_id.to_string());
        let mut table = self.table.write();
        let name = table.get_key_value(topic).map_or_else(|| Arc::from(topic), |(name, _)| Arc::clone(name));
        let of_topic = table.entry(Arc::clone(&name)).or_default();
        if let Some(queue) = of_topic.get(&queue_id) {
            return Ok(Arc::clone(queue));
        }
        let files = SegmentedLog::open(Arc::clone(&self.fs), directory, self.segment_bytes)?;
        let queue = Arc::new(Queue::new(name, queue_id, files));
        of_topic.insert(queue_id, Arc::clone(&queue));
        Ok(queue)
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

    /// Removes closed queues of a topic durably, files first, so that a queue made after them finds none.
    pub(crate) fn destroy(&self, topic: &str, queues: &[Arc<Queue>]) -> Result<(), StoreError> {
        let directory = self.directory.join(topic);
        let fail = |op| {
            let path = directory.clone();
            move |source| StoreError::Io { op, path, source }
        };
        for queue in queues {
            queue.destroy()?;
        }
        if self.fs.exists(&directory).map_err(fail("stat"))? {
            self.fs.sync_dir(&directory).map_err(fail("fsync"))?;
            match self.fs.remove_dir(&directory) {
                Ok(()) => self.fs.sync_dir(&self.directory).map_err(fail("fsync directory of"))?,
                // Of other queues of the topic, or of one that is just being made.
                Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {}
                Err(error) => return Err(fail("remove")(error)),
            }
        }
        let mut table = self.table.write();
        if let Some(of_topic) = table.get_mut(topic) {
            of_topic.retain(|_, queue| !queues.iter().any(|removed| Arc::ptr_eq(removed, queue)));
            if of_topic.is_empty() {
                table.remove(topic);
            }
        }
        Ok(())
    }

    /// Notes that a queue's tail has `bytes` now.
    pub(crate) fn tail_grew(&self, queue: &Arc<Queue>, bytes: usize) {
        if !queue.has_tail.load(Ordering::Relaxed) && !queue.has_tail.swap(true, Ordering::AcqRel) {
            self.tails.lock().push(Arc::clone(queue));
        }
        if bytes >= TAIL_LIMIT_BYTES {
            // A failure keeps the queue on the list and refuses further puts.
            if let Err(error) = self.write_tail_of(queue) {
                self.failed(&error);
            }
        } else if bytes >= TAIL_FULL_BYTES
            && bytes % TAIL_FULL_BYTES < crate::unit::UNIT_BYTES
            && let Some(background) = self.background.get()
        {
            background.unpark();
        }
    }

    /// Writes all tails to the files. On failure what is left stays for the next time.
    pub(crate) fn write_tails(&self) -> Result<(), StoreError> {
        let mut queues = std::mem::take(&mut *self.tails.lock());
        while let Some(queue) = queues.pop() {
            queue.has_tail.store(false, Ordering::Release);
            if let Err(error) = self.write_tail_of(&queue) {
                if !queue.has_tail.swap(true, Ordering::AcqRel) {
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
        if queue.write_tail()? {
            self.note_unsynced(queue);
        }
        Ok(())
    }

    /// Puts the queue on the list of those to sync.
    pub(crate) fn note_unsynced(&self, queue: &Arc<Queue>) {
        if !queue.is_unsynced.swap(true, Ordering::AcqRel) {
            self.unsynced.lock().push(Arc::clone(queue));
        }
    }

    /// Makes all files that changed durable.
    pub(crate) fn sync(&self) -> Result<(), StoreError> {
        let mut queues = std::mem::take(&mut *self.unsynced.lock());
        while let Some(queue) = queues.pop() {
            queue.is_unsynced.store(false, Ordering::Release);
            if let Err(error) = queue.sync() {
                if !queue.is_unsynced.swap(true, Ordering::AcqRel) {
                    queues.push(queue);
                }
                self.unsynced.lock().append(&mut queues);
                self.sync_failure.lock().get_or_insert_with(|| error::chain(&error));
                return Err(error.into());
            }
        }
        Ok(())
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

    fn failed(&self, error: &LogError) {
        if error.is_sync_failure() {
            self.sync_failure.lock().get_or_insert_with(|| error::chain(error));
        }
        *self.failure.lock() = Some(error::chain(error));
        self.has_failure.store(true, Ordering::Release);
    }
}

/// Whether a topic, which comes from clients, names a directory of its own.
fn is_directory_name(topic: &str) -> bool {
    let separates = |byte: u8| matches!(byte, b'/' | b'\\' | 0);
    !topic.is_empty() && topic.len() <= 255 && topic != "." && topic != ".." && !topic.bytes().any(separates)
}

fn subdirectories(fs: &dyn Fs, directory: &Path) -> Result<Vec<(String, PathBuf)>, StoreError> {
    let fail = |source| StoreError::Io { op: "read directory", path: directory.to_owned(), source };
    if !fs.exists(directory).map_err(fail)? {
        return Ok(Vec::new());
    }
    let entries = fs.read_dir(directory).map_err(fail)?;
    let directories = entries.into_iter().filter(|entry| entry.is_dir);
    Ok(directories.filter_map(|entry| Some((entry.name.to_str()?.to_owned(), directory.join(&entry.name)))).collect())
}

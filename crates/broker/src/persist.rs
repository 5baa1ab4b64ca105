//! Files under `config/` (`common/ConfigManager.java`).

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use rocketmq_codec::json;
use rocketmq_env::{Clock, Fs, Unparker};
use rocketmq_store::config_file;
use serde::de::DeserializeOwned;

use crate::error::BrokerError;
use crate::event::{BrokerEvent, EventSink};

/// Where a table of the broker is kept on disk.
#[derive(Debug)]
pub struct ConfigFile {
    file: config_file::ConfigFile,
    clock: Arc<dyn Clock>,
    events: EventSink,
    name: &'static str,
}

impl ConfigFile {
    /// The file `config/{name}` under the store's root.
    pub fn new(
        fs: &Arc<dyn Fs>,
        clock: &Arc<dyn Clock>,
        events: &EventSink,
        root: &std::path::Path,
        name: &'static str,
    ) -> Self {
        Self {
            file: config_file::ConfigFile::new(Arc::clone(fs), root.join("config").join(name)),
            clock: Arc::clone(clock),
            events: events.clone(),
            name,
        }
    }

    /// Wall clock, for data versions.
    pub fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    /// What the file holds, or its `.bak` when the file is missing or damaged, which the operator is told. `None` when there
    /// is neither.
    pub fn load<T: DeserializeOwned>(&self) -> Result<Option<T>, BrokerError> {
        let loaded = self.file.load(|bytes| json::from_slice::<T>(bytes));
        let loaded = loaded.map_err(|source| BrokerError::ConfigFile { path: self.file.path().to_owned(), source })?;
        Ok(loaded.map(|loaded| {
            if let Some(cause) = loaded.fallback {
                self.events.emit(BrokerEvent::PreviousVersionLoaded { file: self.name, cause });
            }
            loaded.value
        }))
    }

    /// Replaces the file and returns whether that went well. A failure is told to the operator here; the table lives on
    /// in memory and is written again with its next change.
    pub fn persist(&self, bytes: &[u8]) -> bool {
        match self.file.persist(bytes) {
            Ok(()) => true,
            Err(error) => {
                self.events.emit(BrokerEvent::PersistFailed { file: self.name, cause: error.to_string() });
                false
            }
        }
    }
}

/// What waits for a table to be on disk.
pub type Then = Box<dyn FnOnce() + Send>;

/// The file of a table that changes one by one, written by a thread of its own: no event loop waits for the disk, and what
/// is changed during one write shares the next.
pub struct TableFile {
    file: ConfigFile,
    /// Number of the table's newest version.
    newest: AtomicU64,
    /// The one in the file.
    written: AtomicU64,
    waiting: Mutex<Vec<(u64, Then)>>,
    writer: Unparker,
}

impl TableFile {
    /// `writer` is woken to write.
    pub fn new(file: ConfigFile, writer: Unparker) -> Self {
        let (newest, written) = (AtomicU64::new(1), AtomicU64::new(0));
        Self { file, newest, written, waiting: Mutex::default(), writer }
    }

    /// The file to load from.
    pub fn file(&self) -> &ConfigFile {
        &self.file
    }

    /// Number of the table's newest version; the one that was loaded is 1.
    pub fn newest(&self) -> u64 {
        self.newest.load(Ordering::Acquire)
    }

    /// Whether the file holds that version or a later one.
    pub fn is_written(&self, version: u64) -> bool {
        self.written.load(Ordering::Acquire) >= version
    }

    /// The table changes: it is written soon. Returns the number of its version.
    pub fn changed(&self) -> u64 {
        let version = self.newest.fetch_add(1, Ordering::AcqRel) + 1;
        self.writer.unpark();
        version
    }

    /// Runs `then` when the table as it is now was written: at once, or on the thread that writes. It runs as well when that
    /// failed, which is told to the operator (as `ConfigManager#persist`, which logs it).
    pub fn when_written(&self, then: Then) {
        let newest = self.newest();
        let mut waiting = self.waiting.lock();
        if self.is_written(newest) {
            drop(waiting);
            return then();
        }
        waiting.push((newest, then));
    }

    /// Writes the table if it has changed since. `content` gives a version and its bytes. For one thread at a time.
    pub fn write(&self, content: impl FnOnce() -> (u64, Vec<u8>)) {
        if self.is_written(self.newest()) {
            return;
        }
        let (version, bytes) = content();
        self.file.persist(&bytes);
        let mut waiting = self.waiting.lock();
        self.written.store(version, Ordering::Release);
        let (due, later) = std::mem::take(&mut *waiting).into_iter().partition(|(awaited, _)| *awaited <= version);
        *waiting = later;
        drop(waiting);
        let due: Vec<(u64, Then)> = due;
        due.into_iter().for_each(|(_, then)| then());
    }
}

impl fmt::Debug for TableFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TableFile").field("file", &self.file).field("newest", &self.newest).finish_non_exhaustive()
    }
}

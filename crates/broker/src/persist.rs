//! One file under `config/` (`common/ConfigManager.java`).

use std::sync::Arc;

use rocketmq_codec::json;
use rocketmq_env::{Clock, Fs};
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
        let loaded =
            loaded.map_err(|source| BrokerError::ConfigFile { path: self.file.path().to_owned(), source })?;
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

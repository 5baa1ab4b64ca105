//! One file under `config/` (`common/ConfigManager.java`).

use std::path::PathBuf;
use std::sync::Arc;

use rocketmq_codec::json;
use rocketmq_env::{Clock, Fs};
use rocketmq_store::config_file;
use serde::de::DeserializeOwned;

use crate::error::BrokerError;
use crate::event::{BrokerEvent, EventSink};

/// Where a table of the broker is kept on disk.
#[derive(Debug, Clone)]
pub struct ConfigFile {
    fs: Arc<dyn Fs>,
    clock: Arc<dyn Clock>,
    events: EventSink,
    path: PathBuf,
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
            fs: Arc::clone(fs),
            clock: Arc::clone(clock),
            events: events.clone(),
            path: root.join("config").join(name),
            name,
        }
    }

    /// Wall clock, for data versions.
    pub fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    /// What the file holds, or its `.bak` when the file is missing or damaged. `None` when there is neither.
    pub fn load<T: DeserializeOwned>(&self) -> Result<Option<T>, BrokerError> {
        config_file::load(&*self.fs, &self.path, |bytes| json::from_slice::<T>(bytes))
            .map_err(|source| BrokerError::ConfigFile { path: self.path.clone(), source })
    }

    /// Replaces the file and returns whether that went well. A failure is told to the operator here; the table lives on
    /// in memory and is written again with its next change.
    pub fn persist(&self, bytes: &[u8]) -> bool {
        match config_file::persist(&*self.fs, &self.path, bytes) {
            Ok(()) => true,
            Err(error) => {
                self.events.emit(BrokerEvent::PersistFailed { file: self.name, cause: error.to_string() });
                false
            }
        }
    }
}

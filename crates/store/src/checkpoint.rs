//! The checkpoint file: up to where log and queues are on disk, so that recovery knows where to start.
//!
//! ```text
//! 0                   8                   16                 24                   32                40
//! | physicMsgTimestamp | logicsMsgTimestamp | indexMsgTimestamp | masterFlushedOffset | confirmPhyOffset | logicsPhysicalOffset |
//! ```
//!
//! Six i64, big endian, in a file of 4096 bytes. (`StoreCheckpoint`, 5.5.0)
//!
//! Timestamps are coarse: many records share one. So the last 16 bytes, which Apache leaves alone, hold the exact position up
//! to which the log is on disk, and a copy of physicMsgTimestamp; it counts only while the copy agrees, that is, until Apache
//! has flushed. The 16 bytes before say how many queues and units there were when the store was closed last.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use rocketmq_env::{File, Fs, OpenMode};

use crate::StoreError;

const FILE_BYTES: usize = 4096;
const FIELD_BYTES: usize = 8;
const POSITION_AT: usize = FILE_BYTES - 2 * FIELD_BYTES;
const TOTALS_AT: usize = POSITION_AT - 2 * FIELD_BYTES;

/// The values of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct CheckpointValues {
    /// Store timestamp of the last message whose record is on disk.
    pub(crate) physic_msg_timestamp: i64,
    /// Store timestamp of the last message up to which all consume queue units are on disk.
    pub(crate) logics_msg_timestamp: i64,
    /// Store timestamp of the last message in the index files that are on disk.
    pub(crate) index_msg_timestamp: i64,
    master_flushed_offset: i64,
    confirm_phy_offset: i64,
    /// Start of the record of that message (since 5.5.0; 0 in files of older versions).
    pub(crate) logics_physical_offset: i64,
    /// The log is on disk up to here; `None` if only the timestamps tell.
    pub(crate) flushed_position: Option<i64>,
    /// What the queues were at the last clean stop of this store; tells nothing without `flushed_position`.
    pub(crate) closed_with: QueueTotals,
}

/// What tells that no queue is missing or shorter than it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct QueueTotals {
    /// Queues that ever held a message.
    pub(crate) queues: i64,
    /// Sum of their max offsets.
    pub(crate) max_offsets: i64,
}

/// The open file.
#[derive(Debug)]
pub(crate) struct Checkpoint {
    path: PathBuf,
    /// `None` once the store has closed it.
    file: Mutex<Option<Arc<dyn File>>>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    values: CheckpointValues,
    written: CheckpointValues,
    synced: CheckpointValues,
    page: Box<[u8; FILE_BYTES]>,
}

impl Checkpoint {
    /// Opens the file under `root`, or makes it.
    pub(crate) fn open(fs: &dyn Fs, root: &Path) -> Result<Self, StoreError> {
        let path = root.join("checkpoint");
        let fail = |op| {
            let path = path.clone();
            move |source| StoreError::Io { op, path, source }
        };
        let exists = fs.exists(&path).map_err(fail("stat"))?;
        let mode = if exists { OpenMode::ReadWrite } else { OpenMode::CreateNew };
        let file = fs.open(&path, mode).map_err(fail("open"))?;
        if file.len().map_err(fail("stat"))? < FILE_BYTES as u64 {
            file.set_len(FILE_BYTES as u64).map_err(fail("extend"))?;
            file.sync_all().map_err(fail("fsync"))?;
            fs.sync_dir(root).map_err(fail("fsync directory of"))?;
        }
        let mut page = Box::new([0; FILE_BYTES]);
        file.read_exact_at(&mut *page, 0).map_err(fail("read"))?;
        let values = CheckpointValues::decode(&page);
        let state = Mutex::new(State { values, written: values, synced: values, page });
        Ok(Self { path, file: Mutex::new(Some(file)), state })
    }

    pub(crate) fn values(&self) -> CheckpointValues {
        self.state.lock().values
    }

    /// The log is on disk up to `position`, behind a record stored at `timestamp`. Written to the page cache at once: after a mere kill the
    /// next start knows which records were acknowledged.
    pub(crate) fn log_flushed(&self, timestamp: i64, position: i64) -> Result<(), StoreError> {
        let mut state = self.state.lock();
        state.values.flushed_position = Some(position);
        state.values.physic_msg_timestamp = state.values.physic_msg_timestamp.max(timestamp);
        self.write(&mut state)
    }

    /// Units are on disk up to that of the record at `physical_offset`, stored at `timestamp`.
    pub(crate) fn queues_flushed(&self, timestamp: i64, physical_offset: i64) -> Result<(), StoreError> {
        let mut state = self.state.lock();
        state.values.logics_msg_timestamp = state.values.logics_msg_timestamp.max(timestamp);
        state.values.logics_physical_offset = state.values.logics_physical_offset.max(physical_offset);
        self.write(&mut state)
    }

    /// The store is being closed with these queues, which are on disk.
    pub(crate) fn closed(&self, totals: QueueTotals) -> Result<(), StoreError> {
        let mut state = self.state.lock();
        state.values.closed_with = totals;
        self.write(&mut state)
    }

    /// Queues are going to be made again from the whole log: until that is done, no start may trust what there is of them.
    pub(crate) fn queues_lost(&self) -> Result<(), StoreError> {
        let mut state = self.state.lock();
        state.values.logics_msg_timestamp = 0;
        state.values.logics_physical_offset = 0;
        self.write(&mut state)?;
        drop(state);
        self.sync()
    }

    /// The index files up to the one that ends at `timestamp` are on disk, later ones are not known to be.
    pub(crate) fn index_flushed(&self, timestamp: i64) -> Result<(), StoreError> {
        let mut state = self.state.lock();
        state.values.index_msg_timestamp = timestamp;
        self.write(&mut state)
    }

    /// The log was cut at `end`: nothing behind it is on disk.
    pub(crate) fn log_cut(&self, end: i64) -> Result<(), StoreError> {
        let mut state = self.state.lock();
        state.values.logics_physical_offset = state.values.logics_physical_offset.min(end);
        self.write(&mut state)
    }

    /// Nothing of the queues counts as on disk: the next start makes all of them from the log.
    pub(crate) fn forget_queues(&self) -> Result<(), StoreError> {
        let mut state = self.state.lock();
        state.values.logics_msg_timestamp = 0;
        state.values.logics_physical_offset = 0;
        self.write(&mut state)
    }

    /// Makes the file durable if it changed.
    pub(crate) fn sync(&self) -> Result<(), StoreError> {
        let written = {
            let state = self.state.lock();
            if state.synced == state.written {
                return Ok(());
            }
            state.written
        };
        self.file()?.sync_data().map_err(|source| self.fail("fdatasync", source))?;
        self.state.lock().synced = written;
        Ok(())
    }

    /// Lets go of the file.
    pub(crate) fn release(&self) {
        *self.file.lock() = None;
    }

    fn file(&self) -> Result<Arc<dyn File>, StoreError> {
        self.file.lock().clone().ok_or(StoreError::Closed)
    }

    fn write(&self, state: &mut State) -> Result<(), StoreError> {
        if state.values != state.written {
            state.values.encode(&mut state.page);
            self.file()?.write_all_at(&*state.page, 0).map_err(|source| self.fail("write", source))?;
            state.written = state.values;
        }
        Ok(())
    }

    fn fail(&self, op: &'static str, source: io::Error) -> StoreError {
        StoreError::Io { op, path: self.path.clone(), source }
    }
}

impl CheckpointValues {
    fn fields(&mut self) -> [&mut i64; 6] {
        [
            &mut self.physic_msg_timestamp,
            &mut self.logics_msg_timestamp,
            &mut self.index_msg_timestamp,
            &mut self.master_flushed_offset,
            &mut self.confirm_phy_offset,
            &mut self.logics_physical_offset,
        ]
    }

    fn decode(page: &[u8; FILE_BYTES]) -> Self {
        let (fields, _) = page.as_chunks();
        let mut values = Self::default();
        for (field, bytes) in values.fields().into_iter().zip(fields) {
            *field = i64::from_be_bytes(*bytes);
        }
        if let [.., position, timestamp] = fields {
            let position = i64::from_be_bytes(*position);
            // 0 in a new file, which may stand for one that was removed, says nothing of the log.
            let counts = position > 0 && i64::from_be_bytes(*timestamp) == values.physic_msg_timestamp;
            values.flushed_position = counts.then_some(position);
        }
        if let Some([queues, max_offsets]) = page.get(TOTALS_AT..POSITION_AT).map(|totals| totals.as_chunks().0) {
            let (queues, max_offsets) = (i64::from_be_bytes(*queues), i64::from_be_bytes(*max_offsets));
            values.closed_with = QueueTotals { queues, max_offsets };
        }
        values
    }

    fn encode(mut self, page: &mut [u8; FILE_BYTES]) {
        let totals = [self.closed_with.queues, self.closed_with.max_offsets];
        for (value, bytes) in totals.into_iter().zip(page[TOTALS_AT..].as_chunks_mut().0) {
            *bytes = value.to_be_bytes();
        }
        let position = self.flushed_position.map(|position| [position, self.physic_msg_timestamp]);
        for (field, bytes) in self.fields().into_iter().zip(page.as_chunks_mut().0) {
            *bytes = field.to_be_bytes();
        }
        for (value, bytes) in position.into_iter().flatten().zip(page[POSITION_AT..].as_chunks_mut().0) {
            *bytes = value.to_be_bytes();
        }
    }
}

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
//! to which the log is on disk, and a check of it and physicMsgTimestamp; it counts only while that agrees, that is, until
//! Apache has flushed. The 16 bytes before say how many queues and units there were when the store was closed last.
//!
//! A power cut may tear a field: its high bytes are new and its low ones old then, which is more than either where a byte
//! was carried, and claims for the disk what is not on it. So the last bytes of their sector are a check of the six fields, out
//! of the way of those that later versions may add. Where that disagrees, Apache has written them since, or a write of ours was
//! torn: the abort file tells.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use rocketmq_env::{File, Fs, OpenMode};

use crate::StoreError;
use crate::directory::abort_is_ours;

const FILE_BYTES: usize = 4096;
const FIELD_BYTES: usize = 8;
const POSITION_AT: usize = FILE_BYTES - 2 * FIELD_BYTES;
const TOTALS_AT: usize = POSITION_AT - 2 * FIELD_BYTES;
const FIELDS: usize = 6;
const CHECK_AT: usize = 512 - FIELD_BYTES;
/// As much as tearing off the last two bytes of a timestamp can add to it.
const TORN_MS: i64 = 1 << 16;

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
        let values = CheckpointValues::decode(&page, abort_is_ours(fs, root)?);
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
    fn fields(&mut self) -> [&mut i64; FIELDS] {
        [
            &mut self.physic_msg_timestamp,
            &mut self.logics_msg_timestamp,
            &mut self.index_msg_timestamp,
            &mut self.master_flushed_offset,
            &mut self.confirm_phy_offset,
            &mut self.logics_physical_offset,
        ]
    }

    /// `may_be_torn` if a store of ours wrote it last, and was not closed.
    fn decode(page: &[u8; FILE_BYTES], may_be_torn: bool) -> Self {
        let (fields, _) = page.as_chunks();
        let mut values = Self::default();
        for (field, bytes) in values.fields().into_iter().zip(fields) {
            *field = i64::from_be_bytes(*bytes);
        }
        if let [.., position, check] = fields {
            let position = i64::from_be_bytes(*position);
            // 0 in a new file, which may stand for one that was removed, says nothing of the log.
            let counts =
                position > 0 && i64::from_be_bytes(*check) == check_of([position, values.physic_msg_timestamp]);
            values.flushed_position = counts.then_some(position);
        }
        let check = fields.get(CHECK_AT / FIELD_BYTES).map_or(0, |check| i64::from_be_bytes(*check));
        if may_be_torn && check != check_of(values.fields().map(|field| *field)) {
            values.logics_physical_offset = 0;
            let Self { physic_msg_timestamp, logics_msg_timestamp, index_msg_timestamp, .. } = &mut values;
            for timestamp in [physic_msg_timestamp, logics_msg_timestamp, index_msg_timestamp] {
                *timestamp = (*timestamp - TORN_MS).max(0);
            }
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
        let position = self.flushed_position;
        let position = position.map(|position| [position, check_of([position, self.physic_msg_timestamp])]);
        let fields = self.fields().map(|field| *field);
        for (field, bytes) in fields.into_iter().zip(page.as_chunks_mut().0) {
            *bytes = field.to_be_bytes();
        }
        page[CHECK_AT..][..FIELD_BYTES].copy_from_slice(&check_of(fields).to_be_bytes());
        for (value, bytes) in position.into_iter().flatten().zip(page[POSITION_AT..].as_chunks_mut().0) {
            *bytes = value.to_be_bytes();
        }
    }
}

/// Other values have another check, whatever bytes of them are exchanged. (The finish of splitmix64, value by value.)
fn check_of<const N: usize>(values: [i64; N]) -> i64 {
    let mixed = values.into_iter().fold(0u64, |check, value| {
        let mut mixed = (check ^ value as u64).wrapping_add(0x9E37_79B9_7F4A_7C15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    });
    mixed as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn values(position: i64, timestamp: i64) -> CheckpointValues {
        CheckpointValues {
            physic_msg_timestamp: timestamp,
            logics_msg_timestamp: timestamp - 1,
            index_msg_timestamp: timestamp - 2,
            master_flushed_offset: 0,
            confirm_phy_offset: 0,
            logics_physical_offset: position - 1,
            flushed_position: Some(position),
            closed_with: QueueTotals { queues: 0, max_offsets: 0 },
        }
    }

    fn page(values: CheckpointValues) -> Box<[u8; FILE_BYTES]> {
        let mut page = Box::new([0; FILE_BYTES]);
        values.encode(&mut page);
        page
    }

    #[test]
    fn a_page_that_was_written_is_read_as_it_was() {
        for values in [values(4_096, 1_700_000_000_255), values(i64::MAX, i64::MAX)] {
            assert_eq!(CheckpointValues::decode(&page(values), true), values);
        }
        assert_eq!(CheckpointValues::decode(&[0; FILE_BYTES], true), CheckpointValues::default());
    }

    #[test]
    fn a_write_that_was_torn_in_any_two_places_claims_no_more_than_it_would_have_or_the_one_before_did() {
        const SECTOR_BYTES: usize = 512;
        // Two bytes are carried in each field (a third one in a timestamp every five hours).
        let befores = [values(0xFFF0, 0x18B_CFE5_FFF0), values(0xFFF0, 0x18B_CFE6_0010)];
        let after = values(0x1_0010, 0x18B_CFE6_0010);
        let new = page(after);
        for (before, first) in befores.into_iter().flat_map(|before| (0..=8 * FIELD_BYTES).map(move |at| (before, at)))
        {
            for last in FILE_BYTES - 4 * FIELD_BYTES..=FILE_BYTES {
                let mut torn = page(before);
                torn[..first].copy_from_slice(&new[..first]);
                let last_sector = FILE_BYTES - SECTOR_BYTES;
                torn[last_sector..last].copy_from_slice(&new[last_sector..last]);
                let found = CheckpointValues::decode(&torn, true);
                let context = format!("torn at {first} and {last}: {found:?}");
                assert!(found.physic_msg_timestamp <= after.physic_msg_timestamp, "{context}");
                assert!(found.logics_msg_timestamp <= after.logics_msg_timestamp, "{context}");
                assert!(found.index_msg_timestamp <= after.index_msg_timestamp, "{context}");
                let offsets = [0, before.logics_physical_offset, after.logics_physical_offset];
                assert!(offsets.contains(&found.logics_physical_offset), "{context}");
                let positions = [None, before.flushed_position, after.flushed_position];
                assert!(positions.contains(&found.flushed_position), "{context}");
            }
        }
    }

    #[test]
    fn what_apache_wrote_last_counts_but_for_the_position_it_knows_nothing_of() {
        let mut page = page(values(4_096, 1_700_000_000_000));
        page[..FIELD_BYTES].copy_from_slice(&1_700_000_100_000i64.to_be_bytes());
        let found = CheckpointValues::decode(&page, false);
        let physic_msg_timestamp = 1_700_000_100_000;
        let expected = values(4_096, 1_700_000_000_000);
        assert_eq!(found, CheckpointValues { physic_msg_timestamp, flushed_position: None, ..expected });
    }
}

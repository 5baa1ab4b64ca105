//! An open file of the in-memory file system.

use std::fmt;
use std::io;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use parking_lot::Mutex;

use super::world::World;
use crate::fs::{File, Map, WriteMap};

pub(super) struct Handle {
    pub(super) world: Arc<Mutex<World>>,
    pub(super) path: PathBuf,
    pub(super) inode: u64,
    /// Handles of an earlier life of the machine are dead.
    pub(super) epoch: u64,
    pub(super) is_lock: bool,
    /// Of how many failed write-backs of the file it has told.
    pub(super) failures_told: AtomicU64,
}

impl fmt::Debug for Handle {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Handle").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        if self.is_lock {
            self.world.lock().unlock(&self.path, self.epoch);
        }
    }
}

impl File for Handle {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.world.lock().read_at(self, buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.world.lock().write_at(self, bytes, offset)
    }

    fn len(&self) -> io::Result<u64> {
        self.world.lock().len(self)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.world.lock().set_len(self, len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.world.lock().sync(self)
    }

    fn sync_all(&self) -> io::Result<()> {
        self.sync_data()
    }

    fn write_back(&self, _range: Range<u64>, _wait: bool) -> io::Result<()> {
        self.world.lock().write_back(self)
    }

    fn map(&self) -> io::Result<Option<Map>> {
        Ok(None)
    }

    fn allocate(&self, offset: u64, len: u64) -> io::Result<bool> {
        self.world.lock().reserve(self, offset, len)
    }

    fn map_for_writing(&self) -> io::Result<Option<WriteMap>> {
        let Some(len) = self.world.lock().map_for_writing(self)? else { return Ok(None) };
        let handle = Self {
            world: Arc::clone(&self.world),
            path: self.path.clone(),
            is_lock: false,
            failures_told: AtomicU64::default(),
            ..*self
        };
        Ok(Some(WriteMap::simulated(FaultMap { handle, len })))
    }

    fn may_have_data(&self, offset: u64) -> io::Result<bool> {
        self.world.lock().may_have_data(self, offset)
    }

    fn sync_file_system(&self) -> io::Result<bool> {
        self.world.lock().sync_everything(self).map(|()| true)
    }

    fn zero_range(&self, offset: u64, len: u64) -> io::Result<()> {
        self.world.lock().zero_range(self, offset, len)
    }
}

/// A file that is mapped for writing.
pub(crate) struct FaultMap {
    handle: Handle,
    len: usize,
}

impl FaultMap {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn bring_in(&self, range: Range<u64>) -> io::Result<bool> {
        self.handle.world.lock().bring_in(&self.handle, range)
    }

    /// Without effect once everything has ended: then there is no process that could write.
    pub(crate) fn write(&self, offset: usize, bytes: &[u8]) {
        self.handle.world.lock().write_mapped(&self.handle, offset as u64, bytes);
    }
}

//! Files that are plain memory: nothing but the log itself keeps those who write and read it apart. So Miri sees each read of
//! a byte that somebody may be writing, which behind the lock of `FaultFs` would look fine.

use std::cell::UnsafeCell;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rocketmq_env::{DirEntry, DiskSpace, File, Fs, Map, Metadata, OpenMode};

/// No file may be longer.
const FILE_BYTES: usize = 256;

/// A file system in which each file is new.
#[derive(Debug)]
pub struct Bare;

#[derive(Debug)]
struct Memory {
    bytes: Box<[UnsafeCell<u8>]>,
    len: AtomicU64,
}

// SAFETY: not at all. That its users keep apart is what Miri checks.
unsafe impl Sync for Memory {}

impl Fs for Bare {
    fn open(&self, _: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        // A file that is there is opened once more to be synced only.
        let file_bytes = if mode == OpenMode::CreateNew { FILE_BYTES } else { 0 };
        let bytes = (0..file_bytes).map(|_| UnsafeCell::new(0)).collect();
        Ok(Arc::new(Memory { bytes, len: AtomicU64::new(0) }))
    }

    fn create_dir_all(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn read_dir(&self, _: &Path) -> io::Result<Vec<DirEntry>> {
        Ok(Vec::new())
    }

    fn remove_file(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn remove_dir(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn rename(&self, _: &Path, _: &Path) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn sync_dir(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn metadata(&self, _: &Path) -> io::Result<Metadata> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn disk_space(&self, _: &Path) -> io::Result<DiskSpace> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn try_lock(&self, _: &Path) -> io::Result<Option<Arc<dyn File>>> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

impl Memory {
    fn at(&self, offset: u64, len: usize) -> &[UnsafeCell<u8>] {
        &self.bytes[offset as usize..][..len]
    }
}

impl File for Memory {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let bytes = self.at(offset, buffer.len());
        for (to, from) in buffer.iter_mut().zip(bytes) {
            // SAFETY: see above.
            *to = unsafe { *from.get() };
        }
        Ok(buffer.len())
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        for (from, to) in bytes.iter().zip(self.at(offset, bytes.len())) {
            // SAFETY: see above.
            unsafe { *to.get() = *from };
        }
        Ok(bytes.len())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.len.load(Ordering::Relaxed))
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        assert!(len <= FILE_BYTES as u64);
        self.len.store(len, Ordering::Relaxed);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn sync_all(&self) -> io::Result<()> {
        Ok(())
    }

    fn map(&self) -> io::Result<Option<Map>> {
        Ok(None)
    }

    fn allocate(&self, _: u64, _: u64) -> io::Result<bool> {
        Ok(true)
    }
}

//! One file of a log.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use rocketmq_env::{File, Fs, Map, OpenMode};

use crate::LogError;
use crate::append_window::{OpenWindow, Prepared, Target, Windows};

/// Of the usual block of a file system.
const BLOCK_BYTES: usize = 4096;

/// So much is written back at a time.
const WRITE_BACK_BYTES: u64 = 8 * 1024 * 1024;

/// One file of a log, open for reading and writing.
#[derive(Debug)]
pub struct Segment {
    base: u64,
    path: PathBuf,
    file: Arc<dyn File>,
    /// Made by the first read; `None` inside where the file system cannot map.
    map: OnceLock<Option<Map>>,
    /// Bytes read through the mapping since its pages were given back.
    mapped_reads: AtomicU64,
    /// What is ready for whoever appends.
    windows: Windows,
    /// Whether the file's length and directory entry are known to be on disk.
    entry_synced: AtomicBool,
}

impl Segment {
    /// Opens an existing file, extending it if asked to.
    pub(crate) fn open(fs: &dyn Fs, path: PathBuf, base: u64, extend_to: Option<u64>) -> Result<Self, LogError> {
        let file = fs.open(&path, OpenMode::ReadWrite).map_err(|source| fail("open", &path, 0, source))?;
        if let Some(len) = extend_to {
            file.set_len(len).map_err(|source| fail("extend", &path, len, source))?;
        }
        // Whoever made the file may have died before syncing the directory.
        Ok(Self {
            base,
            path,
            file,
            map: OnceLock::new(),
            mapped_reads: AtomicU64::new(0),
            windows: Windows::default(),
            entry_synced: AtomicBool::new(false),
        })
    }

    /// Makes a new file of its full length. On failure no file is left. A file of that length that somebody else made (an
    /// Apache broker that was started on the same directory, before it found that locked) is taken if it is all zero.
    pub(crate) fn create(fs: &dyn Fs, path: PathBuf, base: u64, len: u64) -> Result<Self, LogError> {
        let file = match fs.open(&path, OpenMode::CreateNew) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let exists = fail("create", &path, 0, error);
                let found = Self::open(fs, path, base, None)?;
                let has_len = found.file.len().map_err(|source| fail("stat", &found.path, 0, source))? == len;
                return if has_len && found.is_zero(len)? { Ok(found) } else { Err(exists) };
            }
            file => file.map_err(|source| fail("create", &path, 0, source))?,
        };
        if let Err(source) = file.set_len(len) {
            let error = fail("extend", &path, len, source);
            // A file of the wrong length would stop the next start (a last one of length 0 does not).
            return match fs.remove_file(&path) {
                Ok(()) => Err(error),
                Err(_) => file.set_len(0).map_err(|source| fail("empty", &path, 0, source)).and(Err(error)),
            };
        }
        Ok(Self {
            base,
            path,
            file,
            map: OnceLock::new(),
            mapped_reads: AtomicU64::new(0),
            windows: Windows::untouched(),
            entry_synced: AtomicBool::new(false),
        })
    }

    /// Offset in the log of its first byte.
    pub fn base(&self) -> u64 {
        self.base
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes at `offset` of this file.
    pub(crate) fn write(&self, bytes: &[u8], offset: u64) -> Result<(), LogError> {
        self.file.write_all_at(bytes, offset).map_err(|source| fail("write", &self.path, offset, source))
    }

    /// See [`File::write_again`].
    pub(crate) fn write_again(&self, offset: u64, len: u64) -> Result<(), LogError> {
        self.file.write_again(offset, len).map_err(|source| fail("write", &self.path, offset, source))
    }

    /// Writes at `offset` of this file, which has `segment_bytes`, as its one writer, who is in `window` of it: into space
    /// reserved ahead, through a mapping.
    ///
    /// # Safety
    /// Nobody may read or write these bytes meanwhile.
    pub(crate) unsafe fn append(
        &self,
        window: &mut OpenWindow,
        bytes: &[u8],
        offset: u64,
        segment_bytes: u64,
    ) -> Result<(), LogError> {
        // SAFETY: passed on to the caller.
        let written = unsafe { window.write(&self.windows, self.target(segment_bytes, true), bytes, offset) };
        written.map_err(|source| fail("write", &self.path, offset, source))
    }

    /// Sees to it that `from..to` of this file, which has `segment_bytes`, is reserved for its one writer, who is in `window` of
    /// it; false where the file system reserves nothing.
    pub(crate) fn reserve(
        &self,
        window: &mut OpenWindow,
        (from, to): (u64, u64),
        segment_bytes: u64,
    ) -> Result<bool, LogError> {
        let reserved = window.reserve(&self.windows, self.target(segment_bytes, false), (from, to));
        reserved.map_err(|source| fail("reserve space in", &self.path, from, source))
    }

    fn target(&self, file_bytes: u64, mapped: bool) -> Target<'_> {
        Target { file: &*self.file, file_bytes, mapped }
    }

    /// Does a part of what makes the space ready that will be appended to next, `at_least` so far ahead if there are limits that
    /// allow it. The log ends at `log_end`.
    pub(crate) fn reserve_ahead(
        &self,
        fs: &dyn Fs,
        (segment_bytes, mapped): (u64, bool),
        log_end: u64,
        at_least: u64,
    ) -> Result<Prepared, LogError> {
        let target = self.target(segment_bytes, mapped);
        let prepared = self.windows.prepare_next(target, log_end.saturating_sub(self.base), at_least);
        let prepared = prepared.map_err(|source| fail("reserve space in", &self.path, 0, source))?;
        if prepared == Prepared::Zeros && !mapped {
            self.open_apart(fs)?.sync_data().map_err(|source| fail("fdatasync", &self.path, 0, source))?;
        }
        Ok(prepared)
    }

    /// Reserves the space of this file, which has `segment_bytes`, for its writer to come.
    pub(crate) fn reserve_all(&self, segment_bytes: u64) -> Result<(), LogError> {
        let reserved = self.windows.reserve_all(self.target(segment_bytes, false));
        reserved.map_err(|source| fail("reserve space in", &self.path, 0, source))
    }

    /// A handle of its own, for those who sync while others wait for a sync: the operating system tells each handle once of
    /// bytes that it could not write, takes them for written, and nobody may hear of that in place of the others (Linux:
    /// `errseq_t`).
    fn open_apart(&self, fs: &dyn Fs) -> Result<Arc<dyn File>, LogError> {
        fs.open(&self.path, OpenMode::ReadWrite).map_err(|source| fail("open", &self.path, 0, source))
    }

    /// Nobody appends to this file any more: what is mapped for that is given back.
    pub(crate) fn end_appends(&self) {
        self.windows.close();
    }

    /// Makes `len` bytes at `offset` of this file zero again.
    pub(crate) fn zero(&self, offset: u64, len: u64) -> Result<(), LogError> {
        self.windows.zero(&*self.file, offset, len).map_err(|source| fail("zero", &self.path, offset, source))
    }

    /// Whether everything from `offset` to `len` is known to be zero without reading it all.
    pub(crate) fn is_known_zero(&self, offset: u64, len: u64) -> Result<bool, LogError> {
        // Only whole blocks are known to be holes.
        let block_end = offset.next_multiple_of(BLOCK_BYTES as u64).min(len);
        if !self.is_zero_between(offset, block_end)? {
            return Ok(false);
        }
        Ok(block_end == len || !self.may_have_data(block_end)?)
    }

    /// Whether anything but zeros may stand at or behind `offset`.
    pub(crate) fn may_have_data(&self, offset: u64) -> Result<bool, LogError> {
        self.file.may_have_data(offset).map_err(|source| fail("seek data in", &self.path, offset, source))
    }

    /// See [`File::expect_random_reads`].
    pub(crate) fn expect_random_reads(&self, random: bool) -> Result<(), LogError> {
        self.file.expect_random_reads(random).map_err(|source| fail("advise on", &self.path, 0, source))
    }

    pub(crate) fn is_zero(&self, len: u64) -> Result<bool, LogError> {
        let mut at = 0;
        while at < len && !self.is_known_zero(at, len)? {
            let end = (at + BLOCK_BYTES as u64).min(len);
            if !self.is_zero_between(at, end)? {
                return Ok(false);
            }
            at = end;
        }
        Ok(true)
    }

    /// Within one block.
    fn is_zero_between(&self, from: u64, end: u64) -> Result<bool, LogError> {
        let mut block = [0; BLOCK_BYTES];
        let len = usize::try_from(end - from).map_or(BLOCK_BYTES, |len| len.min(BLOCK_BYTES));
        let bytes = block.get_mut(..len).unwrap_or_default();
        self.read(bytes, from)?;
        Ok(bytes.iter().all(|byte| *byte == 0))
    }

    /// Makes what was written durable; a new file's length and directory entry first.
    pub(crate) fn sync(&self, fs: &dyn Fs) -> Result<(), LogError> {
        if self.entry_synced.load(Ordering::Acquire) {
            return self.file.sync_data().map_err(|source| fail("fdatasync", &self.path, 0, source));
        }
        self.sync_entry_by(&*self.file, fs)
    }

    /// Has `from..to` of this file written to the disk, a little at a time: what others read from the disk or sync meanwhile
    /// waits for no more than that (measured: 0.1 s, not 1 s).
    pub(crate) fn write_back(&self, from: u64, to: u64) -> Result<(), LogError> {
        let fail = |source| fail("write back", &self.path, from, source);
        let (mut at, mut under_way) = (from, None);
        while at < to {
            let part = at..at.saturating_add(WRITE_BACK_BYTES).min(to);
            at = part.end;
            self.file.write_back(part.clone(), false).map_err(fail)?;
            if let Some(before) = under_way.replace(part) {
                self.file.write_back(before, true).map_err(fail)?;
            }
        }
        Ok(())
    }

    /// Makes a new file's length and directory entry durable, beside those who wait for what is written to it.
    pub(crate) fn sync_entry(&self, fs: &dyn Fs) -> Result<(), LogError> {
        if self.entry_synced.load(Ordering::Acquire) { Ok(()) } else { self.sync_entry_by(&*self.open_apart(fs)?, fs) }
    }

    fn sync_entry_by(&self, file: &dyn File, fs: &dyn Fs) -> Result<(), LogError> {
        file.sync_all().map_err(|source| fail("fsync", &self.path, 0, source))?;
        if let Some(directory) = self.path.parent() {
            fs.sync_dir(directory).map_err(|source| fail("fsync", directory, 0, source))?;
        }
        self.entry_synced.store(true, Ordering::Release);
        Ok(())
    }

    /// Runs `read` on `len` bytes at `offset` of this file, straight from the mapping where there is one.
    ///
    /// # Safety
    /// Nobody may write these bytes meanwhile.
    pub(crate) unsafe fn with_bytes<R>(
        &self,
        offset: u64,
        len: usize,
        scratch: &mut Vec<u8>,
        read: impl FnOnce(&[u8]) -> R,
    ) -> Result<R, LogError> {
        if let (Some(map), Ok(offset)) = (self.map()?, usize::try_from(offset)) {
            // SAFETY: the caller keeps writers away from the range; segments are never shortened.
            if let Some(bytes) = unsafe { map.bytes(offset, len) } {
                self.mapped_reads.fetch_add(len as u64, Ordering::Relaxed);
                return Ok(read(bytes));
            }
        }
        scratch.resize(len, 0);
        self.file.read_exact_at(scratch, offset).map_err(|source| fail("read", &self.path, offset, source))?;
        Ok(read(scratch))
    }

    /// Tells the processor that these bytes will be read soon.
    pub(crate) fn prefetch(&self, offset: u64, len: usize) {
        if let (Some(Some(map)), Ok(offset)) = (self.map.get(), usize::try_from(offset)) {
            map.prefetch(offset, len);
        }
    }

    /// Gives the pages of the mapping back once more than `bytes` were read through it since the last time, so that the
    /// process does not seem to own every page of the log that it ever looked at.
    pub(crate) fn release_map(&self, bytes: u64) {
        if self.mapped_reads.load(Ordering::Relaxed) > bytes
            && let Some(Some(map)) = self.map.get()
        {
            self.mapped_reads.store(0, Ordering::Relaxed);
            map.release();
        }
    }

    /// Reads without the mapping: for small, rarely read files, of which there may be more than mappings allowed.
    pub(crate) fn read(&self, buffer: &mut [u8], offset: u64) -> Result<(), LogError> {
        self.file.read_exact_at(buffer, offset).map_err(|source| fail("read", &self.path, offset, source))
    }

    fn map(&self) -> Result<Option<&Map>, LogError> {
        if let Some(map) = self.map.get() {
            return Ok(map.as_ref());
        }
        let map = self.file.map().map_err(|source| fail("map", &self.path, 0, source))?;
        Ok(self.map.get_or_init(|| map).as_ref())
    }
}

pub(crate) fn fail(op: &'static str, path: &Path, offset: u64, source: io::Error) -> LogError {
    LogError::Io { op, path: path.to_owned(), offset, source }
}

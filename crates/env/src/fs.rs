//! The seam for files: what the log and the store need of a file system, no more.

use std::ffi::OsString;
use std::fmt::{self, Debug};
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use crate::fault_fs::FaultMap;
use crate::prefetch::prefetch_bytes;

/// A file system.
pub trait Fs: Send + Sync + Debug {
    /// Opens the file at `path`.
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>>;

    /// Creates a directory and its missing parents. An existing directory is fine.
    fn create_dir_all(&self, path: &Path) -> io::Result<()>;

    /// The entries of a directory, in no particular order.
    fn read_dir(&self, path: &Path) -> io::Result<Vec<DirEntry>>;

    /// Removes a file.
    fn remove_file(&self, path: &Path) -> io::Result<()>;

    /// Removes an empty directory.
    fn remove_dir(&self, path: &Path) -> io::Result<()>;

    /// Renames a file, replacing the target.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Makes the directory's entries (creations, renames, removals) durable. Without effect where directories cannot be
    /// synced (Windows).
    fn sync_dir(&self, path: &Path) -> io::Result<()>;

    /// Size, time and kind of a file.
    fn metadata(&self, path: &Path) -> io::Result<Metadata>;

    /// How much room the file system has on which `path`, which must exist, lies.
    fn disk_space(&self, path: &Path) -> io::Result<DiskSpace>;

    /// Creates `path` if missing and takes the exclusive operating system lock on its byte 0, the one Apache's
    /// `DefaultMessageStore#start` takes (`FileChannel.tryLock(0, 1, false)`). `None` if this or another process holds it.
    /// The lock lives as long as the returned file.
    fn try_lock(&self, path: &Path) -> io::Result<Option<Arc<dyn File>>>;

    /// Whether somebody holds the lock that [`try_lock`](Fs::try_lock) takes. No file is made.
    fn is_locked(&self, path: &Path) -> io::Result<bool> {
        Ok(self.exists(path)? && self.try_lock(path)?.is_none())
    }

    /// Whether there is a file or directory at `path`.
    fn exists(&self, path: &Path) -> io::Result<bool> {
        match self.metadata(path) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Creates a directory and its missing parents so that a power cut does not take them away again. The entry of one that
    /// exists is synced as well: whoever made it may have died before that.
    fn create_dir_all_durably(&self, path: &Path) -> io::Result<()> {
        let mut made = Vec::new();
        for path in path.ancestors().take_while(|path| !path.as_os_str().is_empty()) {
            if self.exists(path)? {
                break;
            }
            made.push(path);
        }
        if made.is_empty() {
            made.push(path);
        } else {
            self.create_dir_all(path)?;
        }
        for parent in made.iter().filter_map(|path| path.parent()) {
            self.sync_dir(if parent.as_os_str().is_empty() { Path::new(".") } else { parent })?;
        }
        Ok(())
    }

    /// The whole content of a file; a file above `max_bytes` is refused before memory is allocated for it.
    fn read(&self, path: &Path, max_bytes: u64) -> io::Result<Vec<u8>> {
        let file = self.open(path, OpenMode::Read)?;
        let len = file.len()?;
        if len > max_bytes {
            let what = format!("file of {len} bytes is above the limit of {max_bytes}");
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        }
        let mut bytes = vec![0; usize::try_from(len).map_err(io::Error::other)?];
        file.read_exact_at(&mut bytes, 0)?;
        Ok(bytes)
    }
}

/// How [`Fs::open`] opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenMode {
    /// An existing file, for reading; or a directory, to [`sync its file system`](File::sync_file_system), where
    /// directories can be opened.
    Read,
    /// An existing file, for reading and writing.
    ReadWrite,
    /// A file that must not exist yet, for reading and writing.
    CreateNew,
    /// A new or emptied file, for reading and writing.
    CreateTruncate,
}

/// One entry of a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirEntry {
    /// File name without its directory.
    pub name: OsString,
    /// Whether it is a directory.
    pub is_dir: bool,
}

/// What [`Fs::metadata`] tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metadata {
    /// Length in bytes.
    pub len: u64,
    /// Last modification, milliseconds since the Unix epoch (0 where unknown).
    pub modified_ms: i64,
    /// Whether it is a directory.
    pub is_dir: bool,
}

/// What [`Fs::disk_space`] tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiskSpace {
    /// Size of the file system in bytes.
    pub total_bytes: u64,
    /// Bytes that nobody uses.
    pub free_bytes: u64,
    /// Bytes that this process may use: those free without the ones kept for the superuser.
    pub available_bytes: u64,
}

/// An open file with positioned reads and writes; may be used by several threads at once.
#[expect(clippy::len_without_is_empty, reason = "a file's length is an I/O call, emptiness is no idea of its own")]
pub trait File: Send + Sync + Debug {
    /// Reads at most `buffer.len()` bytes at `offset`; 0 at the end of the file.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes at most `bytes.len()` bytes at `offset` and returns how many.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize>;

    /// Length in bytes.
    fn len(&self) -> io::Result<u64>;

    /// Cuts or extends (with a hole) the file.
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// Makes the content durable (fdatasync). Metadata that reading does not need may lag.
    fn sync_data(&self) -> io::Result<()>;

    /// Makes content and metadata durable (fsync).
    fn sync_all(&self) -> io::Result<()>;

    /// Has `range` written to the disk, so that a sync has less to do, and waits for what is under way there if `wait`. Durable
    /// only after a sync, which may not hear any more of what failed here. Nothing where no call does that.
    fn write_back(&self, _range: Range<u64>, _wait: bool) -> io::Result<()> {
        Ok(())
    }

    /// Maps the whole file, as long as it is now, shared and read-only. `None` where that is not supported.
    fn map(&self) -> io::Result<Option<Map>>;

    /// Reserves disk space for `len` bytes from `offset`, which must lie within the file, and changes nothing that can be
    /// read: writes there cannot run out of space any more, and syncing them costs less. False where that is not supported.
    fn allocate(&self, _offset: u64, _len: u64) -> io::Result<bool> {
        Ok(false)
    }

    /// Maps the whole file, as long as it is now, for writing. What is written must have been reserved by
    /// [`allocate`](File::allocate): where a page has no space and the disk is full, a write to it ends the process. `None` where
    /// that is not supported.
    fn map_for_writing(&self) -> io::Result<Option<WriteMap>> {
        Ok(None)
    }

    /// Whether anything but zeros may stand at or behind `offset`; true where only reading tells.
    fn may_have_data(&self, _offset: u64) -> io::Result<bool> {
        Ok(true)
    }

    /// Tells the system whether reads are single ones here and there: it then reads nothing ahead, until told otherwise.
    fn expect_random_reads(&self, _random: bool) -> io::Result<()> {
        Ok(())
    }

    /// Makes everything durable that was written to the file system on which this file lies, entries of directories
    /// included, and fails if any of it was lost since this file was opened. False where no call does that.
    fn sync_file_system(&self) -> io::Result<bool> {
        Ok(false)
    }

    /// Makes `len` bytes from `offset` read as zero. By a hole where the file system can, else by writing.
    fn zero_range(&self, offset: u64, len: u64) -> io::Result<()> {
        self.write_zeros(offset, len)
    }

    /// Writes `len` zeros from `offset` on, not beyond the end of the file. What is written there later has its place on disk,
    /// so syncing it changes nothing but the bytes.
    fn write_zeros(&self, offset: u64, len: u64) -> io::Result<()> {
        // A file system with large folios takes that many pages at once. More at once come from memory that a hypervisor may
        // have taken back, which costs ten times as much.
        static CHUNK: [u8; 32 * 1024] = [0; 32 * 1024];
        let end = offset.saturating_add(len).min(self.len()?);
        let mut at = offset;
        while at < end {
            let chunk = usize::try_from(end - at).map_or(CHUNK.len(), |left| left.min(CHUNK.len()));
            self.write_all_at(CHUNK.get(..chunk).unwrap_or_default(), at)?;
            at += chunk as u64;
        }
        Ok(())
    }

    /// Writes `len` bytes from `offset` on over themselves. After a sync that failed the operating system takes for written
    /// what is not on disk, also for the next process, whose syncs then succeed and change nothing.
    fn write_again(&self, offset: u64, len: u64) -> io::Result<()> {
        let mut buffer = vec![0; 256 * 1024];
        let mut at = offset;
        while at < offset + len {
            let left = usize::try_from(offset + len - at).unwrap_or(usize::MAX).min(buffer.len());
            let bytes = buffer.get_mut(..left).unwrap_or_default();
            self.read_exact_at(bytes, at)?;
            self.write_all_at(bytes, at)?;
            at += left as u64;
        }
        Ok(())
    }

    /// Fills `buffer` from `offset`; `UnexpectedEof` if the file ends before.
    fn read_exact_at(&self, mut buffer: &mut [u8], mut offset: u64) -> io::Result<()> {
        while !buffer.is_empty() {
            match self.read_at(buffer, offset) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => {
                    buffer = buffer.get_mut(read..).unwrap_or_default();
                    offset += read as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Writes all of `bytes` at `offset`, going on after short writes.
    fn write_all_at(&self, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.write_at(bytes, offset) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    bytes = bytes.get(written..).unwrap_or_default();
                    offset += written as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// A read-only mapping of a file, which others go on writing behind the part that is being read.
pub struct Map {
    raw: memmap2::MmapRaw,
}

impl Map {
    pub(crate) fn new(raw: memmap2::MmapRaw) -> Self {
        Self { raw }
    }

    /// Length of the mapping in bytes.
    pub fn len(&self) -> usize {
        self.raw.len()
    }

    /// Whether the mapped file was empty.
    pub fn is_empty(&self) -> bool {
        self.raw.len() == 0
    }

    /// Gives the mapped pages back: they count no more as this process's memory, and stay in the page cache, from where
    /// the next read of them takes them again. Does nothing where the platform has no such call.
    pub fn release(&self) {
        #[cfg(unix)]
        // SAFETY: the mapping is shared and read-only, so dropping its pages loses nothing; slices of it stay valid and are
        // faulted in again. A failure leaves the pages where they are.
        let _ = unsafe { self.raw.unchecked_advise(memmap2::UncheckedAdvice::DontNeed) };
    }

    /// Tells the processor that `len` bytes from `offset` will be read soon, where it can be told; at most 512 of them.
    pub fn prefetch(&self, offset: usize, len: usize) {
        let len = len.min(512).min(self.raw.len().saturating_sub(offset));
        prefetch_bytes(self.raw.as_ptr().wrapping_add(offset), len);
    }

    /// `len` bytes from `offset`; `None` if they are not within the mapping.
    ///
    /// # Safety
    /// While the slice lives nobody may write these bytes of the file (writing others is fine) nor cut the file below
    /// their end. An append-only log gives that for all bytes below its published end.
    pub unsafe fn bytes(&self, offset: usize, len: usize) -> Option<&[u8]> {
        let end = offset.checked_add(len)?;
        if end > self.raw.len() {
            return None;
        }
        // SAFETY: the range lies within the mapping, which lives as long as `self`; the caller keeps writers away from it.
        Some(unsafe { std::slice::from_raw_parts(self.raw.as_ptr().add(offset), len) })
    }
}

/// A file that can be written without a system call.
pub struct WriteMap {
    pages: Pages,
}

enum Pages {
    Mapped(memmap2::MmapRaw),
    /// Those of [`FaultFs`](crate::FaultFs), behind a pointer so that it makes the real ones no larger.
    Simulated(Box<FaultMap>),
}

impl WriteMap {
    /// Pages start at multiples of this on every platform.
    pub const ALIGNMENT: u64 = 64 * 1024;

    pub(crate) fn new(raw: memmap2::MmapRaw) -> Self {
        Self { pages: Pages::Mapped(raw) }
    }

    pub(crate) fn simulated(map: FaultMap) -> Self {
        Self { pages: Pages::Simulated(Box::new(map)) }
    }

    fn len(&self) -> usize {
        match &self.pages {
            Pages::Mapped(raw) => raw.len(),
            Pages::Simulated(map) => map.len(),
        }
    }

    /// Brings the pages of a range in, which starts at a multiple of [`ALIGNMENT`](WriteMap::ALIGNMENT), so that writes need not
    /// wait for them; false where the platform cannot, and nothing should be written through the mapping: a disk that cannot
    /// be read is an error here, and would be a signal there.
    pub fn bring_in(&self, range: Range<u64>) -> io::Result<bool> {
        match &self.pages {
            Pages::Mapped(raw) => bring_in(raw, range),
            Pages::Simulated(map) => map.bring_in(range),
        }
    }

    /// Gives the pages of a range back, which starts and ends at multiples of [`ALIGNMENT`](WriteMap::ALIGNMENT): what was
    /// written to them stays in the file. Does nothing where the platform has no such call.
    #[cfg_attr(not(unix), expect(unused_variables, reason = "there is no such call"))]
    pub fn release(&self, range: Range<u64>) {
        #[cfg(unix)]
        if let (Pages::Mapped(raw), Ok(start), Ok(end)) =
            (&self.pages, usize::try_from(range.start), usize::try_from(range.end))
        {
            let len = end.min(raw.len()).saturating_sub(start);
            // SAFETY: the mapping is shared, so dropping its pages loses nothing: who writes there brings them in again. A failure
            // leaves them where they are.
            let _ = unsafe { raw.unchecked_advise_range(memmap2::UncheckedAdvice::DontNeed, start, len) };
        }
    }

    /// Copies `bytes` to `offset` of the file; false if they do not lie within it.
    ///
    /// # Safety
    /// Nobody may read or write this range of the file meanwhile.
    pub unsafe fn write(&self, offset: usize, bytes: &[u8]) -> bool {
        if offset.checked_add(bytes.len()).is_none_or(|end| end > self.len()) {
            return false;
        }
        match &self.pages {
            // SAFETY: the range lies within the mapping, which is writable and lives as long as `self`; the caller keeps
            // everybody else away from it.
            Pages::Mapped(raw) => unsafe {
                std::ptr::copy_nonoverlapping(bytes.as_ptr(), raw.as_mut_ptr().add(offset), bytes.len());
            },
            Pages::Simulated(map) => map.write(offset, bytes),
        }
        true
    }
}

#[cfg(target_os = "linux")]
fn bring_in(raw: &memmap2::MmapRaw, range: Range<u64>) -> io::Result<bool> {
    let start = usize::try_from(range.start).map_err(io::Error::other)?;
    let len = usize::try_from(range.end - range.start).map_err(io::Error::other)?;
    match raw.advise_range(memmap2::Advice::PopulateWrite, start, len) {
        Ok(()) => Ok(true),
        // Kernels before 5.14 bring pages in when they are written and no sooner.
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => Ok(false),
        // A write to the page would be a signal.
        Err(error) if error.raw_os_error() == Some(libc::EFAULT) => {
            Err(io::Error::other("the disk is full, or failed: it has no place for a page of this file"))
        }
        Err(error) => Err(error),
    }
}

#[cfg(not(target_os = "linux"))]
fn bring_in(_raw: &memmap2::MmapRaw, _range: Range<u64>) -> io::Result<bool> {
    Ok(false)
}

impl Debug for WriteMap {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("WriteMap").field("len", &self.len()).finish()
    }
}

impl Debug for Map {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Map").field("len", &self.len()).finish()
    }
}

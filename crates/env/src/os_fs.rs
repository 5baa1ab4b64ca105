//! The operating system's files.

use std::fs;
use std::io;
#[cfg(target_os = "linux")]
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

#[cfg(target_os = "linux")]
use crate::fs::WriteMap;
use crate::fs::{DirEntry, DiskSpace, File, Fs, Map, Metadata, OpenMode};
use crate::os_linux;
use crate::os_lock::{LockedFile, is_locked, try_lock};

/// The real file system.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsFs;

impl Fs for OsFs {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        let mut options = fs::OpenOptions::new();
        options.read(true).write(mode != OpenMode::Read);
        match mode {
            OpenMode::Read | OpenMode::ReadWrite => {}
            OpenMode::CreateNew => drop(options.create_new(true)),
            OpenMode::CreateTruncate => drop(options.create(true).truncate(true)),
        }
        Ok(Arc::new(options.open(path)?))
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        fs::create_dir_all(path)
    }

    fn read_dir(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        fs::read_dir(path)?
            .map(|entry| {
                let entry = entry?;
                let kind = entry.file_type()?;
                // Follows links: a commit log directory may be a link to another disk.
                let is_dir = kind.is_dir() || kind.is_symlink() && entry.path().is_dir();
                Ok(DirEntry { name: entry.file_name(), is_dir })
            })
            .collect()
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        if cfg!(unix) { fs::File::open(path)?.sync_all() } else { Ok(()) }
    }

    fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        let found = fs::metadata(path)?;
        let modified = found.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let modified_ms = modified.and_then(|since| i64::try_from(since.as_millis()).ok()).unwrap_or(0);
        Ok(Metadata { len: found.len(), modified_ms, is_dir: found.is_dir() })
    }

    fn disk_space(&self, path: &Path) -> io::Result<DiskSpace> {
        let found = fs4::statvfs(path)?;
        let (free_bytes, available_bytes) = (found.free_space(), found.available_space());
        Ok(DiskSpace { total_bytes: found.total_space(), free_bytes, available_bytes })
    }

    fn try_lock(&self, path: &Path) -> io::Result<Option<Arc<dyn File>>> {
        Ok(try_lock(path)?.map(|locked| Arc::new(locked) as Arc<dyn File>))
    }

    fn is_locked(&self, path: &Path) -> io::Result<bool> {
        match is_locked(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            outcome => outcome,
        }
    }
}

impl File for fs::File {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        #[cfg(unix)]
        return std::os::unix::fs::FileExt::read_at(self, buffer, offset);
        #[cfg(windows)]
        return std::os::windows::fs::FileExt::seek_read(self, buffer, offset);
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        #[cfg(unix)]
        return std::os::unix::fs::FileExt::write_at(self, bytes, offset);
        #[cfg(windows)]
        return std::os::windows::fs::FileExt::seek_write(self, bytes, offset);
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        fs::File::set_len(self, len)
    }

    fn sync_data(&self) -> io::Result<()> {
        fs::File::sync_data(self)
    }

    fn sync_all(&self) -> io::Result<()> {
        fs::File::sync_all(self)
    }

    #[cfg(target_os = "linux")]
    fn write_back(&self, range: Range<u64>, wait: bool) -> io::Result<()> {
        os_linux::write_back(self, range, wait)
    }

    fn map(&self) -> io::Result<Option<Map>> {
        if os_linux::holes_take_space(self)? {
            return Ok(None);
        }
        memmap2::MmapOptions::new().map_raw_read_only(self).map(|raw| Some(Map::new(raw)))
    }

    fn allocate(&self, offset: u64, len: u64) -> io::Result<bool> {
        fallocate(self, 0, offset, len)
    }

    /// Pages come one by one: the kernel would else read ahead, that is, clear many pages at once, and where it has to get
    /// them from a hypervisor first that takes ten times as long (measured: 2 us a page, against 0.7 to 7.5 us).
    #[cfg(target_os = "linux")]
    fn map_for_writing(&self) -> io::Result<Option<WriteMap>> {
        let raw = memmap2::MmapOptions::new().map_raw(self)?;
        raw.advise(memmap2::Advice::Random)?;
        Ok(Some(WriteMap::new(raw)))
    }

    fn may_have_data(&self, offset: u64) -> io::Result<bool> {
        os_linux::may_have_data(self, offset)
    }

    #[cfg(target_os = "linux")]
    fn expect_random_reads(&self, random: bool) -> io::Result<()> {
        os_linux::expect_random_reads(self, random)
    }

    fn sync_file_system(&self) -> io::Result<bool> {
        os_linux::sync_file_system(self)
    }

    fn zero_range(&self, offset: u64, len: u64) -> io::Result<()> {
        if fallocate(self, PUNCH_HOLE, offset, len)? { Ok(()) } else { self.write_zeros(offset, len) }
    }
}

#[cfg(target_os = "linux")]
const PUNCH_HOLE: i32 = libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE;

#[cfg(not(target_os = "linux"))]
const PUNCH_HOLE: i32 = 0;

/// False where the platform or the file system cannot.
#[cfg(target_os = "linux")]
fn fallocate(file: &fs::File, mode: i32, offset: u64, len: u64) -> io::Result<bool> {
    use std::os::fd::AsRawFd;
    if len == 0 {
        return Ok(true);
    }
    let offset = libc::off_t::try_from(offset).map_err(io::Error::other)?;
    let len = libc::off_t::try_from(len).map_err(io::Error::other)?;
    // SAFETY: the descriptor is open for the duration of the call; no memory is passed.
    if unsafe { libc::fallocate(file.as_raw_fd(), mode, offset, len) } == 0 {
        return Ok(true);
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        Some(libc::EOPNOTSUPP | libc::ENOSYS) => Ok(false),
        _ => Err(error),
    }
}

#[cfg(not(target_os = "linux"))]
fn fallocate(_file: &fs::File, _mode: i32, _offset: u64, _len: u64) -> io::Result<bool> {
    Ok(false)
}

impl File for LockedFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        File::read_at(&self.file, buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        File::write_at(&self.file, bytes, offset)
    }

    fn len(&self) -> io::Result<u64> {
        File::len(&self.file)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        File::set_len(&self.file, len)
    }

    fn sync_data(&self) -> io::Result<()> {
        File::sync_data(&self.file)
    }

    fn sync_all(&self) -> io::Result<()> {
        File::sync_all(&self.file)
    }

    fn map(&self) -> io::Result<Option<Map>> {
        File::map(&self.file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_lock_of_the_same_process_is_refused_until_the_first_is_dropped() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lock");
        let first = OsFs.try_lock(&path).unwrap();
        assert!(first.is_some());
        assert!(OsFs.try_lock(&path).unwrap().is_none());
        drop(first);
        assert!(OsFs.try_lock(&path).unwrap().is_some());
    }

    /// The usual place of a tmpfs. That a full one ends who looks at a hole through a mapping takes a mount to see.
    #[test]
    #[cfg(target_os = "linux")]
    fn files_on_tmpfs_are_read_without_a_mapping() {
        let directory = tempfile::tempdir_in("/dev/shm").unwrap();
        let file = OsFs.open(&directory.path().join("file"), OpenMode::CreateNew).unwrap();
        file.set_len(4096).unwrap();
        assert!(file.map().unwrap().is_none());
    }

    #[test]
    fn the_disk_has_no_more_available_than_free_and_no_more_free_than_its_size() {
        let directory = tempfile::tempdir().unwrap();
        let space = OsFs.disk_space(directory.path()).unwrap();
        assert!(space.available_bytes <= space.free_bytes && space.free_bytes <= space.total_bytes, "{space:?}");
        assert!(space.total_bytes > 0);
        assert_eq!(OsFs.disk_space(&directory.path().join("no")).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn asking_for_a_lock_takes_none_makes_no_file_and_leaves_the_one_that_is_held() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lock");
        assert!(!OsFs.is_locked(&path).unwrap());
        assert!(!path.exists());
        let held = OsFs.try_lock(&path).unwrap();
        assert!(OsFs.is_locked(&path).unwrap());
        assert!(OsFs.try_lock(&path).unwrap().is_none());
        drop(held);
        assert!(!OsFs.is_locked(&path).unwrap());
    }

    #[test]
    fn a_map_sees_what_is_written_later() {
        let directory = tempfile::tempdir().unwrap();
        let file = OsFs.open(&directory.path().join("segment"), OpenMode::CreateNew).unwrap();
        file.set_len(10_000).unwrap();
        let map = file.map().unwrap().unwrap();
        file.write_all_at(b"late", 5_000).unwrap();
        // SAFETY: nobody writes the range any more.
        assert_eq!(unsafe { map.bytes(5_000, 4) }, Some(&b"late"[..]));
        // SAFETY: outside of the mapping, nothing is read.
        assert_eq!(unsafe { map.bytes(9_999, 2) }, None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_is_written_through_a_mapping_is_in_the_file_and_what_is_reserved_reads_as_before() {
        let directory = tempfile::tempdir().unwrap();
        let file = OsFs.open(&directory.path().join("segment"), OpenMode::CreateNew).unwrap();
        file.write_all_at(&[7; 300_000], 0).unwrap();
        let start = WriteMap::ALIGNMENT;
        assert!(file.allocate(start, 100_000).unwrap());
        let map = file.map_for_writing().unwrap().unwrap();
        let at = start as usize + 99_996;
        if map.bring_in(start..start + 100_000).unwrap() {
            // SAFETY: nobody else has the file.
            assert!(unsafe { map.write(at, b"last") });
            map.release(start..2 * start);
            // SAFETY: as before.
            assert!(unsafe { map.write(start as usize, b"first") });
        }
        // SAFETY: outside of the file, nothing is written.
        assert!(!unsafe { map.write(299_997, b"last") });
        let mut expected = vec![7; 300_000];
        expected[at..at + 4].copy_from_slice(b"last");
        expected[start as usize..start as usize + 5].copy_from_slice(b"first");
        let mut bytes = vec![0; 300_000];
        file.read_exact_at(&mut bytes, 0).unwrap();
        assert_eq!(bytes, expected);
    }

    #[test]
    fn a_file_has_data_up_to_the_last_block_that_was_written() {
        let directory = tempfile::tempdir().unwrap();
        let file = OsFs.open(&directory.path().join("segment"), OpenMode::CreateNew).unwrap();
        file.set_len(10 << 20).unwrap();
        file.write_all_at(b"data", 3 << 20).unwrap();
        assert!(file.may_have_data(0).unwrap() && file.may_have_data(3 << 20).unwrap());
        // Where the file system tells: a whole megabyte behind is further than any of its blocks reaches.
        if cfg!(target_os = "linux") {
            assert!(!file.may_have_data(4 << 20).unwrap());
        }
    }

    #[test]
    fn the_file_system_of_a_directory_can_be_synced() {
        let directory = tempfile::tempdir().unwrap();
        if cfg!(unix) {
            let handle = OsFs.open(directory.path(), OpenMode::Read).unwrap();
            handle.sync_file_system().unwrap();
        }
    }

    #[test]
    fn a_zeroed_range_reads_as_zero_and_keeps_the_length() {
        let directory = tempfile::tempdir().unwrap();
        let file = OsFs.open(&directory.path().join("segment"), OpenMode::CreateNew).unwrap();
        file.write_all_at(&[7; 20_000], 0).unwrap();
        file.zero_range(100, 15_000).unwrap();
        let mut bytes = vec![1; 20_000];
        file.read_exact_at(&mut bytes, 0).unwrap();
        assert_eq!(file.len().unwrap(), 20_000);
        assert!(bytes[..100].iter().chain(&bytes[15_100..]).all(|&byte| byte == 7));
        assert!(bytes[100..15_100].iter().all(|&byte| byte == 0));
    }
}

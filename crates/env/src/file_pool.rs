//! Many files with few of them open: each is opened when it is used, and closed when others are used.
//!
//! An fsync tells of write errors since the file was opened, and a file may be closed between a write and its fsync. Linux
//! keeps an error that nobody has been told of for the next who opens the file (since 4.16), as long as it keeps the inode in
//! memory. So what is written through a pool must be something that can be made again, as consume queues can.

use std::collections::{HashSet, VecDeque};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use crate::fs::{DirEntry, DiskSpace, File, Fs, Map, Metadata, OpenMode};

/// A file system that keeps at most a number of its files open, those used last (second chance).
///
/// Two calls do less at first than those of other file systems: opening an existing file checks nothing until the file is
/// used, and directories made by [`create_dir_all_durably`](Fs::create_dir_all_durably) are durable once the innermost is
/// synced, so that a thousand new queues do not sync their common parent a thousand times.
#[derive(Debug)]
pub struct FilePool {
    shared: Arc<Shared>,
    /// The directory below which all files lie.
    root: PathBuf,
    /// Directories whose entries are on disk. Of others nobody knows: a process that died may have made them.
    synced: Mutex<HashSet<PathBuf>>,
}

#[derive(Debug)]
struct Shared {
    fs: Arc<dyn Fs>,
    capacity: usize,
    /// The open files, in the order of their opening or their last chance.
    open: Mutex<VecDeque<Weak<Slot>>>,
}

/// A file that may be open.
#[derive(Debug, Default)]
struct Slot {
    file: Mutex<Option<Arc<dyn File>>>,
    was_used: AtomicBool,
}

impl FilePool {
    /// The files of `fs` below `root`, at most `capacity` open at once (and one more for each call that is under way).
    pub fn new(fs: Arc<dyn Fs>, root: PathBuf, capacity: usize) -> Self {
        let shared = Shared { fs, capacity, open: Mutex::default() };
        Self { shared: Arc::new(shared), root, synced: Mutex::default() }
    }
}

impl Shared {
    /// Closes files that were not used for the longest time.
    fn keep(&self, slot: &Arc<Slot>) {
        let mut open = self.open.lock();
        while open.len() >= self.capacity
            && let Some(oldest) = open.pop_front()
        {
            let Some(slot) = oldest.upgrade() else { continue };
            if slot.was_used.swap(false, Ordering::Relaxed) {
                open.push_back(oldest);
            } else {
                // Calls that are under way keep the file open until they end.
                drop(slot.file.lock().take());
            }
        }
        open.push_back(Arc::downgrade(slot));
    }
}

/// A file of the pool.
#[derive(Debug)]
struct PooledFile {
    pool: Arc<Shared>,
    path: PathBuf,
    mode: OpenMode,
    slot: Arc<Slot>,
}

impl PooledFile {
    fn file(&self) -> io::Result<Arc<dyn File>> {
        let mut file = self.slot.file.lock();
        if let Some(file) = &*file {
            self.slot.was_used.store(true, Ordering::Relaxed);
            return Ok(Arc::clone(file));
        }
        let opened = self.pool.fs.open(&self.path, self.mode)?;
        *file = Some(Arc::clone(&opened));
        // Whoever makes room locks slots, this one too perhaps.
        drop(file);
        self.pool.keep(&self.slot);
        Ok(opened)
    }
}

impl File for PooledFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file()?.read_at(buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.file()?.write_at(bytes, offset)
    }

    fn len(&self) -> io::Result<u64> {
        self.file()?.len()
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file()?.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file()?.sync_data()
    }

    fn sync_all(&self) -> io::Result<()> {
        self.file()?.sync_all()
    }

    fn map(&self) -> io::Result<Option<Map>> {
        self.file()?.map()
    }

    fn may_have_data(&self, offset: u64) -> io::Result<bool> {
        self.file()?.may_have_data(offset)
    }

    /// Forgotten when the pool closes the file.
    fn expect_random_reads(&self, random: bool) -> io::Result<()> {
        self.file()?.expect_random_reads(random)
    }

    fn zero_range(&self, offset: u64, len: u64) -> io::Result<()> {
        self.file()?.zero_range(offset, len)
    }
}

impl Fs for FilePool {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        let (file, mode) = match mode {
            OpenMode::Read | OpenMode::ReadWrite => (None, mode),
            OpenMode::CreateNew | OpenMode::CreateTruncate => {
                (Some(self.shared.fs.open(path, mode)?), OpenMode::ReadWrite)
            }
        };
        let is_open = file.is_some();
        let slot = Arc::new(Slot { file: Mutex::new(file), was_used: AtomicBool::new(false) });
        if is_open {
            self.shared.keep(&slot);
        }
        Ok(Arc::new(PooledFile { pool: Arc::clone(&self.shared), path: path.to_owned(), mode, slot }))
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        self.shared.fs.create_dir_all(path)
    }

    fn create_dir_all_durably(&self, path: &Path) -> io::Result<()> {
        let mut missing = Vec::new();
        for path in path.ancestors() {
            if self.exists(path)? {
                break;
            }
            missing.push(path);
        }
        // First: a failure half way leaves entries as well.
        let mut synced = self.synced.lock();
        for parent in missing.iter().filter_map(|path| path.parent()) {
            synced.remove(parent);
        }
        drop(synced);
        self.shared.fs.create_dir_all(path)
    }

    fn read_dir(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        self.shared.fs.read_dir(path)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.shared.fs.remove_file(path)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        self.shared.fs.remove_dir(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.shared.fs.rename(from, to)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.shared.fs.sync_dir(path)?;
        for ancestor in path.ancestors().skip(1).take_while(|ancestor| ancestor.starts_with(&self.root)) {
            // Before the sync: an entry that is made meanwhile makes it unknown again.
            let is_new = self.synced.lock().insert(ancestor.to_owned());
            if is_new && let Err(error) = self.shared.fs.sync_dir(ancestor) {
                self.synced.lock().remove(ancestor);
                return Err(error);
            }
        }
        Ok(())
    }

    fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        self.shared.fs.metadata(path)
    }

    fn disk_space(&self, path: &Path) -> io::Result<DiskSpace> {
        self.shared.fs.disk_space(path)
    }

    fn try_lock(&self, path: &Path) -> io::Result<Option<Arc<dyn File>>> {
        self.shared.fs.try_lock(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FaultFs;

    fn pool_on(fs: &FaultFs, capacity: usize) -> FilePool {
        fs.create_dir_all(Path::new("/d")).unwrap();
        FilePool::new(fs.process(), "/d".into(), capacity)
    }

    fn open_count(pool: &FilePool) -> usize {
        let open = pool.shared.open.lock();
        open.iter().filter(|slot| slot.upgrade().is_some_and(|slot| slot.file.lock().is_some())).count()
    }

    #[test]
    fn many_files_work_while_few_are_open() {
        let fs = FaultFs::new();
        let pool = pool_on(&fs, 3);
        let path = |number: u8| PathBuf::from(format!("/d/{number}"));
        let files: Vec<_> = (0..50).map(|number| pool.open(&path(number), OpenMode::CreateNew).unwrap()).collect();
        for _round in 0..3 {
            for (number, file) in (0_u8..).zip(&files) {
                file.write_all_at(&[number; 9], 0).unwrap();
            }
            assert_eq!(open_count(&pool), 3);
        }
        for (number, file) in (0_u8..).zip(&files) {
            let mut bytes = [0; 9];
            file.read_exact_at(&mut bytes, 0).unwrap();
            assert_eq!(bytes, [number; 9]);
        }
    }

    #[test]
    fn a_file_in_steady_use_stays_open() {
        let fs = FaultFs::new();
        let pool = pool_on(&fs, 3);
        let steady = pool.open(Path::new("/d/steady"), OpenMode::CreateNew).unwrap();
        for number in 0..20 {
            assert_eq!(steady.len().unwrap(), 0);
            let other = pool.open(Path::new(&format!("/d/{number}")), OpenMode::CreateNew).unwrap();
            assert_eq!(other.len().unwrap(), 0);
            std::mem::forget(other);
        }
        // A file that was closed in between could not be opened again now.
        fs.remove_file(Path::new("/d/steady")).unwrap();
        assert!(steady.len().is_ok());
    }

    #[test]
    fn what_was_written_before_a_file_was_closed_is_synced_after() {
        let fs = FaultFs::new();
        let pool = pool_on(&fs, 1);
        let first = pool.open(Path::new("/d/first"), OpenMode::CreateNew).unwrap();
        first.write_all_at(b"content", 0).unwrap();
        drop(pool.open(Path::new("/d/second"), OpenMode::CreateNew).unwrap());
        assert_eq!(open_count(&pool), 0, "the second took the place of the first and is dropped");
        first.sync_all().unwrap();
        pool.sync_dir(Path::new("/d")).unwrap();
        fs.sync_dir(Path::new("/")).unwrap();
        fs.power_cut(1);
        assert_eq!(fs.read(Path::new("/d/first"), 100).unwrap(), b"content");
    }

    #[test]
    fn new_directories_are_durable_once_the_innermost_is_synced_even_those_of_a_process_that_died() {
        for seed in 0..20 {
            let fs = FaultFs::new();
            pool_on(&fs, 1).create_dir_all_durably(Path::new("/d/topic/0")).unwrap();
            fs.kill_process();
            let pool = pool_on(&fs, 1);
            fs.sync_dir(Path::new("/")).unwrap();
            for path in ["/d/topic/0", "/d/topic/1"] {
                pool.create_dir_all_durably(Path::new(path)).unwrap();
                pool.sync_dir(Path::new(path)).unwrap();
            }
            fs.power_cut(seed);
            assert!(fs.exists(Path::new("/d/topic/0")).unwrap() && fs.exists(Path::new("/d/topic/1")).unwrap());
        }
    }
}

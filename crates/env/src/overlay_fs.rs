//! A file system that is only looked at: what is written to it stays in memory.
//!
//! So recovery, which cuts and completes files, runs as always over a store that must not change, or may not be written.

mod file;

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::fs::{DirEntry, DiskSpace, File, Fs, Metadata, OpenMode};
use file::{Changes, OverlayFile};

/// The file system below as it is, with every change kept in memory and forgotten with the last clone. Of the one below only
/// reading calls are made. Memory is used by the 4 KiB page written.
#[derive(Debug, Clone)]
pub struct OverlayFs {
    below: Arc<dyn Fs>,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    /// Files that were opened for writing or made here.
    files: HashMap<PathBuf, Arc<Mutex<Changes>>>,
    directories: HashSet<PathBuf>,
    /// What is there below but not here.
    removed: HashSet<PathBuf>,
}

impl OverlayFs {
    /// `below` with nothing changed.
    pub fn new(below: Arc<dyn Fs>) -> Self {
        Self { below, state: Arc::default() }
    }

    fn handle(&self, path: &Path, changes: Arc<Mutex<Changes>>) -> io::Result<Arc<dyn File>> {
        let from_below = changes.lock().is_from_below();
        let below = from_below.then(|| self.below.open(path, OpenMode::Read)).transpose()?;
        Ok(Arc::new(OverlayFile { below, changes }))
    }

    fn make(&self, state: &mut State, path: &Path) -> io::Result<Arc<dyn File>> {
        let changes = Arc::new(Mutex::new(Changes::of_new_file()));
        state.files.insert(path.to_owned(), Arc::clone(&changes));
        state.removed.remove(path);
        self.handle(path, changes)
    }

    fn metadata_in(&self, state: &State, path: &Path) -> io::Result<Metadata> {
        if let Some(changes) = state.files.get(path) {
            let len = changes.lock().len();
            let modified_ms = self.below.metadata(path).map_or(0, |below| below.modified_ms);
            return Ok(Metadata { len, modified_ms, is_dir: false });
        }
        if state.directories.contains(path) {
            return Ok(Metadata { len: 0, modified_ms: 0, is_dir: true });
        }
        if state.removed.contains(path) {
            return Err(io::ErrorKind::NotFound.into());
        }
        self.below.metadata(path)
    }

    fn exists_in(&self, state: &State, path: &Path) -> io::Result<bool> {
        match self.metadata_in(state, path) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl Fs for OverlayFs {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        let mut state = self.state.lock();
        let exists = self.exists_in(&state, path)?;
        match mode {
            OpenMode::Read | OpenMode::ReadWrite if !exists => Err(io::ErrorKind::NotFound.into()),
            OpenMode::CreateNew if exists => Err(io::ErrorKind::AlreadyExists.into()),
            OpenMode::CreateNew | OpenMode::CreateTruncate => self.make(&mut state, path),
            OpenMode::Read | OpenMode::ReadWrite => {
                if let Some(changes) = state.files.get(path) {
                    return self.handle(path, Arc::clone(changes));
                }
                if mode == OpenMode::Read {
                    return self.below.open(path, mode);
                }
                let len = self.below.metadata(path)?.len;
                let changes = Arc::new(Mutex::new(Changes::to_file_of(len)));
                state.files.insert(path.to_owned(), Arc::clone(&changes));
                self.handle(path, changes)
            }
        }
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        for directory in path.ancestors().filter(|path| !path.as_os_str().is_empty()) {
            if self.exists_in(&state, directory)? {
                break;
            }
            state.removed.remove(directory);
            state.directories.insert(directory.to_owned());
        }
        Ok(())
    }

    fn read_dir(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        let state = self.state.lock();
        let mut entries = match self.below.read_dir(path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound && state.directories.contains(path) => Vec::new(),
            Err(error) => return Err(error),
        };
        entries.retain(|entry| !state.removed.contains(&path.join(&entry.name)));
        let files = state.files.keys().map(|path| (path, false));
        let directories = state.directories.iter().map(|path| (path, true));
        for (made, is_dir) in files.chain(directories).filter(|(made, _)| made.parent() == Some(path)) {
            let name = made.file_name().unwrap_or(OsStr::new("")).to_owned();
            if entries.iter().all(|entry| entry.name != name) {
                entries.push(DirEntry { name, is_dir });
            }
        }
        Ok(entries)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        self.metadata_in(&state, path)?;
        state.files.remove(path);
        state.removed.insert(path.to_owned());
        Ok(())
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        if !self.read_dir(path)?.is_empty() {
            return Err(io::ErrorKind::DirectoryNotEmpty.into());
        }
        let mut state = self.state.lock();
        state.directories.remove(path);
        state.removed.insert(path.to_owned());
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let bytes = self.read(from, u64::MAX)?;
        self.open(to, OpenMode::CreateTruncate)?.write_all_at(&bytes, 0)?;
        self.remove_file(from)
    }

    fn sync_dir(&self, _path: &Path) -> io::Result<()> {
        Ok(())
    }

    fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        self.metadata_in(&self.state.lock(), path)
    }

    fn disk_space(&self, path: &Path) -> io::Result<DiskSpace> {
        self.below.disk_space(path)
    }

    /// A lock among nobody: the file system is this process's own.
    fn try_lock(&self, path: &Path) -> io::Result<Option<Arc<dyn File>>> {
        self.open(path, OpenMode::CreateTruncate).map(Some)
    }

    fn is_locked(&self, path: &Path) -> io::Result<bool> {
        self.below.is_locked(path)
    }
}

#[cfg(test)]
mod tests;

//! The exclusive lock on byte 0 of a lock file, compatible with Java's `FileChannel.tryLock(0, 1, false)`, and effective
//! within one process as well.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;

/// A locked file; the lock ends when it is dropped.
#[derive(Debug)]
pub(crate) struct LockedFile {
    pub(crate) file: File,
    #[cfg(all(unix, not(target_os = "linux")))]
    _registration: in_process::Registration,
}

fn open_options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    options
}

/// Java's lock is a POSIX record lock. An open-file-description lock conflicts with it, and also with one taken by this
/// process, and is not lost when some other descriptor of the file is closed.
#[cfg(target_os = "linux")]
pub(crate) fn try_lock(path: &Path) -> io::Result<Option<LockedFile>> {
    let file = open_options().open(path)?;
    set_lock(&file, libc::F_OFD_SETLK).map(|locked| locked.then_some(LockedFile { file }))
}

#[cfg(all(unix, not(target_os = "linux")))]
pub(crate) fn try_lock(path: &Path) -> io::Result<Option<LockedFile>> {
    // A POSIX record lock does not exclude its own process, and closing any descriptor of the file drops it: ask the
    // registry before opening.
    let Some(registration) = in_process::register(path)? else { return Ok(None) };
    let file = open_options().open(path)?;
    set_lock(&file, libc::F_SETLK).map(|locked| locked.then_some(LockedFile { file, _registration: registration }))
}

/// Nobody else may have the file open at all: Java opens it before it locks.
#[cfg(windows)]
pub(crate) fn try_lock(path: &Path) -> io::Result<Option<LockedFile>> {
    use std::os::windows::fs::OpenOptionsExt;
    const ERROR_SHARING_VIOLATION: i32 = 32;
    match open_options().share_mode(0).open(path) {
        Ok(file) => Ok(Some(LockedFile { file })),
        Err(error) if error.raw_os_error() == Some(ERROR_SHARING_VIOLATION) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether somebody, this process included, holds the lock.
#[cfg(target_os = "linux")]
pub(crate) fn is_locked(path: &Path) -> io::Result<bool> {
    query_lock(&File::open(path)?, libc::F_OFD_GETLK)
}

#[cfg(all(unix, not(target_os = "linux")))]
pub(crate) fn is_locked(path: &Path) -> io::Result<bool> {
    // Registered while the file is open: closing it would drop a lock that this process took meanwhile.
    let Some(_registration) = in_process::register(path)? else { return Ok(true) };
    query_lock(&File::open(path)?, libc::F_GETLK)
}

#[cfg(windows)]
pub(crate) fn is_locked(path: &Path) -> io::Result<bool> {
    use std::os::windows::fs::OpenOptionsExt;
    const ERROR_SHARING_VIOLATION: i32 = 32;
    match OpenOptions::new().read(true).share_mode(0).open(path) {
        Ok(_file) => Ok(false),
        Err(error) if error.raw_os_error() == Some(ERROR_SHARING_VIOLATION) => Ok(true),
        Err(error) => Err(error),
    }
}

/// Byte 0, to be written by one.
#[cfg(unix)]
fn first_byte() -> libc::flock {
    // SAFETY: flock is a plain C struct for which all zeros is a valid value.
    let mut range: libc::flock = unsafe { std::mem::zeroed() };
    range.l_type = libc::F_WRLCK as libc::c_short;
    range.l_whence = libc::SEEK_SET as libc::c_short;
    range.l_start = 0;
    range.l_len = 1;
    range
}

#[cfg(unix)]
fn query_lock(file: &File, command: libc::c_int) -> io::Result<bool> {
    use std::os::fd::AsRawFd;
    let mut range = first_byte();
    // SAFETY: the descriptor is open for the duration of the call, which writes to `range` only.
    if unsafe { libc::fcntl(file.as_raw_fd(), command, &mut range) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(range.l_type != libc::F_UNLCK as libc::c_short)
}

#[cfg(unix)]
fn set_lock(file: &File, command: libc::c_int) -> io::Result<bool> {
    use std::os::fd::AsRawFd;
    let range = first_byte();
    // SAFETY: the descriptor is open for the duration of the call and `range` outlives it.
    if unsafe { libc::fcntl(file.as_raw_fd(), command, &range) } == 0 {
        return Ok(true);
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        Some(libc::EAGAIN | libc::EACCES) => Ok(false),
        _ => Err(error),
    }
}

#[cfg(all(unix, not(target_os = "linux")))]
mod in_process {
    use std::collections::HashSet;
    use std::io;
    use std::path::{Path, PathBuf};

    use parking_lot::Mutex;

    static HELD: Mutex<Option<HashSet<PathBuf>>> = Mutex::new(None);

    #[derive(Debug)]
    pub(crate) struct Registration(PathBuf);

    pub(crate) fn register(path: &Path) -> io::Result<Option<Registration>> {
        let directory = path.parent().unwrap_or(Path::new(".")).canonicalize()?;
        let path = directory.join(path.file_name().unwrap_or_default());
        let inserted = HELD.lock().get_or_insert_default().insert(path.clone());
        Ok(inserted.then_some(Registration(path)))
    }

    impl Drop for Registration {
        fn drop(&mut self) {
            if let Some(held) = HELD.lock().as_mut() {
                held.remove(&self.0);
            }
        }
    }
}

//! What Linux tells of files and file systems, and others do not.

use std::fs;
use std::io;
#[cfg(target_os = "linux")]
use std::ops::Range;

/// Whether there is data at or behind `offset`: what was never written, or only reserved, is a hole.
#[cfg(target_os = "linux")]
pub(crate) fn may_have_data(file: &fs::File, offset: u64) -> io::Result<bool> {
    use std::os::fd::AsRawFd;
    let offset = libc::off_t::try_from(offset).map_err(io::Error::other)?;
    // SAFETY: the descriptor is open for the duration of the call; no memory is passed. Nobody uses the file's position.
    if unsafe { libc::lseek(file.as_raw_fd(), offset, libc::SEEK_DATA) } >= 0 {
        return Ok(true);
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        Some(libc::ENXIO) => Ok(false),
        // A file system that cannot tell.
        Some(libc::EINVAL | libc::EOPNOTSUPP | libc::ENOSYS) => Ok(true),
        _ => Err(error),
    }
}

/// Whether a look at a hole through a mapping takes memory of the file system's: on tmpfs, and when that is full the look ends
/// the process.
#[cfg(target_os = "linux")]
pub(crate) fn holes_take_space(file: &fs::File) -> io::Result<bool> {
    use std::mem::MaybeUninit;
    use std::os::fd::AsRawFd;
    let mut told = MaybeUninit::<libc::statfs>::uninit();
    // SAFETY: the descriptor is open for the duration of the call, which writes to nothing but `told`, as large as it expects.
    if unsafe { libc::fstatfs(file.as_raw_fd(), told.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call succeeded, so it filled the structure.
    Ok(unsafe { told.assume_init() }.f_type == libc::TMPFS_MAGIC)
}

#[cfg(target_os = "linux")]
pub(crate) fn expect_random_reads(file: &fs::File, random: bool) -> io::Result<()> {
    use std::os::fd::AsRawFd;
    let advice = if random { libc::POSIX_FADV_RANDOM } else { libc::POSIX_FADV_NORMAL };
    // SAFETY: the descriptor is open for the duration of the call; no memory is passed.
    match unsafe { libc::posix_fadvise(file.as_raw_fd(), 0, 0, advice) } {
        0 => Ok(()),
        code => Err(io::Error::from_raw_os_error(code)),
    }
}

#[cfg(target_os = "linux")]
pub(crate) fn write_back(file: &fs::File, range: Range<u64>, wait: bool) -> io::Result<()> {
    use std::os::fd::AsRawFd;
    let offset = libc::off64_t::try_from(range.start).map_err(io::Error::other)?;
    let len = libc::off64_t::try_from(range.end.saturating_sub(range.start)).map_err(io::Error::other)?;
    let flags = if wait { libc::SYNC_FILE_RANGE_WAIT_BEFORE } else { libc::SYNC_FILE_RANGE_WRITE };
    // SAFETY: the descriptor is open for the duration of the call; no memory is passed.
    if unsafe { libc::sync_file_range(file.as_raw_fd(), offset, len, flags) } == 0 {
        return Ok(());
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        // A file system that does not do that.
        Some(libc::EINVAL | libc::EOPNOTSUPP | libc::ENOSYS | libc::ESPIPE) => Ok(()),
        _ => Err(error),
    }
}

/// Before 5.8 the call told of no write errors.
#[cfg(target_os = "linux")]
pub(crate) fn sync_file_system(file: &fs::File) -> io::Result<bool> {
    use std::os::fd::AsRawFd;
    if kernel_release().is_none_or(|release| release < (5, 8)) {
        return Ok(false);
    }
    // SAFETY: the descriptor is open for the duration of the call; no memory is passed.
    match unsafe { libc::syncfs(file.as_raw_fd()) } {
        0 => Ok(true),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(target_os = "linux")]
fn kernel_release() -> Option<(u32, u32)> {
    let text = fs::read_to_string("/proc/sys/kernel/osrelease").ok()?;
    let mut numbers = text.split(|byte: char| !byte.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn may_have_data(_file: &fs::File, _offset: u64) -> io::Result<bool> {
    Ok(true)
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn holes_take_space(_file: &fs::File) -> io::Result<bool> {
    Ok(false)
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn sync_file_system(_file: &fs::File) -> io::Result<bool> {
    Ok(false)
}

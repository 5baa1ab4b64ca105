//! What can go wrong with a log.

use std::io;
use std::path::{Path, PathBuf};

/// A failure of one file or directory.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// A system call failed.
    #[error("cannot {op} {} at byte {offset}", path.display())]
    Io {
        /// What was tried.
        op: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// Where in it.
        offset: u64,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A log cannot be cut while somebody reads it.
    #[error("{} is being read", directory.display())]
    InUse {
        /// Directory of the log.
        directory: PathBuf,
    },
    /// A file of the wrong length (Apache refuses it as well).
    #[error("{} has {have} bytes, the configured length is {need}", path.display())]
    SegmentLength {
        /// The file.
        path: PathBuf,
        /// Its length.
        have: u64,
        /// The configured length.
        need: u64,
    },
    /// Files are missing in the middle of a log. (Apache logs that and reads on across the gap, `MappedFileQueue#checkSelf`.)
    #[error(
        "{} is missing, but {} is there: bring the missing files back, or move the ones before the gap away to do \
         without them", missing.display(), next.display()
    )]
    SegmentMissing {
        /// The first file that is missing.
        missing: PathBuf,
        /// The first that is there again.
        next: PathBuf,
    },
    /// A file whose name is not the offset of its first byte.
    #[error("{} is not a segment: its name is no multiple of {segment_bytes}", path.display())]
    SegmentName {
        /// The file.
        path: PathBuf,
        /// The configured length.
        segment_bytes: u64,
    },
}

impl LogError {
    /// The file or directory, and the byte of it.
    pub fn place(&self) -> (&Path, u64) {
        match self {
            Self::Io { path, offset, .. } => (path, *offset),
            Self::SegmentLength { path, have, need } => (path, *have.min(need)),
            Self::InUse { directory: path } | Self::SegmentMissing { missing: path, .. } => (path, 0),
            Self::SegmentName { path, .. } => (path, 0),
        }
    }

    /// Whether an fsync failed: what is on disk is unknown then, and stays so if a later one succeeds.
    pub fn is_sync_failure(&self) -> bool {
        matches!(self, Self::Io { op: "fsync" | "fdatasync" | "write back", .. })
    }

    /// Whether the disk is full.
    pub fn is_storage_full(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull)
    }
}

//! How full the store's disks are, and whether that is too full for writes.
//! (`DefaultMessageStore.CleanCommitLogService#isSpaceToDelete`, `RunningFlags`)

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use parking_lot::Mutex;
use rocketmq_env::{DiskSpace, Fs};

use crate::{RetentionConfig, StoreConfig, StoreError};

/// How full the disks are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiskUsage {
    /// Used part of the commit log's disk in percent, rounded up.
    pub commit_log_percent: u32,
    /// Used part of the consume queues' disk in percent, rounded up.
    pub consume_queue_percent: u32,
    /// Bytes available to the store on the commit log's disk.
    pub available_bytes: u64,
}

impl DiskUsage {
    /// The fuller of both, in percent.
    pub(crate) fn percent(&self) -> u32 {
        self.commit_log_percent.max(self.consume_queue_percent)
    }
}

/// Measures, and remembers for the puts whether the disk is full.
#[derive(Debug)]
pub(crate) struct Disk {
    fs: Arc<dyn Fs>,
    commit_log_dir: PathBuf,
    root: PathBuf,
    clean_forcibly_percent: u32,
    warning_level_percent: u32,
    /// Above this use writes are refused, until it is at most `writable_percent`.
    full_percent: u32,
    writable_percent: u32,
    is_full: AtomicBool,
    /// As measured last.
    used_percent: AtomicU32,
    /// Why files could not be deleted the last time it was tried.
    cleaning_failure: Mutex<Option<String>>,
}

impl Disk {
    pub(crate) fn new(fs: Arc<dyn Fs>, config: &StoreConfig) -> Self {
        let RetentionConfig {
            disk_space_clean_forcibly_ratio, disk_space_warning_level_ratio, disk_full_ratio, ..
        } = config.retention;
        // (`CleanCommitLogService#getDiskSpaceCleanForciblyRatio`, `#getDiskSpaceWarningLevelRatio`)
        let clean_forcibly_percent = u32::from(disk_space_clean_forcibly_ratio.clamp(30, 85));
        let warning_level_percent = u32::from(disk_space_warning_level_ratio.clamp(35, 90));
        let own_limit = disk_full_ratio.map(u32::from);
        Self {
            fs,
            commit_log_dir: config.commit_log_dir.clone(),
            root: config.root.clone(),
            clean_forcibly_percent,
            warning_level_percent,
            full_percent: own_limit.unwrap_or(warning_level_percent),
            writable_percent: own_limit.unwrap_or(clean_forcibly_percent),
            is_full: AtomicBool::new(false),
            used_percent: AtomicU32::new(0),
            cleaning_failure: Mutex::default(),
        }
    }

    /// How full the disks are now.
    pub(crate) fn usage(&self) -> Result<DiskUsage, StoreError> {
        let commit_log = self.space_of(&self.commit_log_dir)?;
        let consume_queue = self.space_of(&self.root)?;
        Ok(DiskUsage {
            commit_log_percent: used_percent(commit_log),
            consume_queue_percent: used_percent(consume_queue),
            available_bytes: commit_log.available_bytes,
        })
    }

    /// Measures, and lets or forbids writes accordingly. In between the two limits it stays as it was, as Apache's does.
    pub(crate) fn check(&self) -> Result<DiskUsage, StoreError> {
        let usage = self.usage()?;
        let percent = usage.percent();
        self.used_percent.store(percent, Ordering::Relaxed);
        if percent > self.full_percent {
            self.is_full.store(true, Ordering::Release);
        } else if percent <= self.writable_percent {
            self.is_full.store(false, Ordering::Release);
        }
        Ok(usage)
    }

    /// Whether files are to be deleted whatever their age.
    pub(crate) fn is_to_clean_forcibly(&self, usage: &DiskUsage) -> bool {
        usage.percent() > self.clean_forcibly_percent.min(self.warning_level_percent)
    }

    /// Fails while the disk is full.
    pub(crate) fn writable(&self) -> Result<(), StoreError> {
        if !self.is_full.load(Ordering::Acquire) {
            return Ok(());
        }
        Err(StoreError::DiskFull {
            used_percent: self.used_percent.load(Ordering::Relaxed),
            limit_percent: self.full_percent,
            cleaning: self.cleaning_failure().map(|failure| format!(" (files could not be deleted: {failure})")),
        })
    }

    /// Remembers how the last deletion of files went.
    pub(crate) fn note_cleaning(&self, failure: Option<String>) {
        *self.cleaning_failure.lock() = failure;
    }

    /// Why files could not be deleted the last time it was tried.
    pub(crate) fn cleaning_failure(&self) -> Option<String> {
        self.cleaning_failure.lock().clone()
    }

    /// When a file was written to last, milliseconds since the epoch.
    pub(crate) fn modified_ms(&self, path: &Path) -> Result<i64, StoreError> {
        let found =
            self.fs.metadata(path).map_err(|source| StoreError::Io { op: "stat", path: path.to_owned(), source })?;
        Ok(found.modified_ms)
    }

    /// Of the file system on which `path` lies, or will lie.
    fn space_of(&self, path: &Path) -> Result<DiskSpace, StoreError> {
        let mut existing = path;
        loop {
            match (self.fs.disk_space(existing), existing.parent()) {
                (Ok(space), _) => return Ok(space),
                (Err(error), Some(parent)) if error.kind() == io::ErrorKind::NotFound => {
                    existing = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
                }
                (Err(source), _) => {
                    return Err(StoreError::Io { op: "measure the disk of", path: path.to_owned(), source });
                }
            }
        }
    }
}

/// Of what its user may use at all, how much is used. (`UtilAll#getDiskPartitionSpaceUsedPercent`)
fn used_percent(space: DiskSpace) -> u32 {
    let used = space.total_bytes.saturating_sub(space.free_bytes);
    let entire = used.saturating_add(space.available_bytes);
    if entire == 0 {
        return 0;
    }
    u32::try_from((u128::from(used) * 100).div_ceil(u128::from(entire))).unwrap_or(100)
}

#[cfg(test)]
mod tests {
    use rocketmq_env::FaultFs;

    use super::*;

    fn disk() -> (FaultFs, Disk) {
        let fs = FaultFs::new();
        let disk = Disk::new(fs.process(), &StoreConfig::new("/a/store"));
        (fs, disk)
    }

    fn fill(fs: &FaultFs, used: u64) {
        fs.set_disk_space(Some(DiskSpace {
            total_bytes: 1_000,
            free_bytes: 1_000 - used,
            available_bytes: 1_000 - used,
        }));
    }

    #[test]
    fn the_used_part_is_rounded_up_and_what_the_superuser_keeps_counts_as_not_there() {
        let percent = |total_bytes, free_bytes, available_bytes| {
            used_percent(DiskSpace { total_bytes, free_bytes, available_bytes })
        };
        assert_eq!(percent(1_000, 1_000, 1_000), 0);
        assert_eq!(percent(1_000, 999, 999), 1);
        assert_eq!(percent(1_000, 500, 400), 56);
        assert_eq!(percent(1_000, 0, 0), 100);
        assert_eq!(percent(0, 0, 0), 0);
        assert_eq!(percent(u64::MAX, u64::MAX / 2, u64::MAX / 2), 51);
    }

    #[test]
    fn writes_are_refused_above_the_warning_level_until_the_lower_limit_is_kept_again() {
        let (fs, disk) = disk();
        for (used, is_full) in [(900, false), (901, true), (851, true), (850, false), (890, false)] {
            fill(&fs, used);
            disk.check().unwrap();
            assert_eq!(disk.writable().is_err(), is_full, "{used}");
        }
    }

    #[test]
    fn a_limit_of_our_own_has_no_second_one_and_100_refuses_nothing() {
        for (limit, used, is_full) in [(95, 950, false), (95, 951, true), (95, 949, false), (100, 1_000, false)] {
            let fs = FaultFs::new();
            let mut config = StoreConfig::new("/a/store");
            config.retention.disk_full_ratio = Some(limit);
            let disk = Disk::new(fs.process(), &config);
            fill(&fs, 1_000);
            disk.check().unwrap();
            fill(&fs, used);
            disk.check().unwrap();
            assert_eq!(disk.writable().is_err(), is_full, "{limit} {used}");
        }
    }

    #[test]
    fn limits_beyond_those_of_apache_are_brought_within() {
        let (fs, _) = disk();
        let mut config = StoreConfig::new("/store");
        config.retention.disk_space_warning_level_ratio = 100;
        config.retention.disk_space_clean_forcibly_ratio = 5;
        let disk = Disk::new(fs.process(), &config);
        assert_eq!((disk.clean_forcibly_percent, disk.warning_level_percent), (30, 90));
    }
}

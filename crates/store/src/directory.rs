//! The directory of a store and the two files in it that say who has it open.

use std::io;
use std::path::Path;
use std::sync::Arc;

use rocketmq_env::{File, Fs, OpenMode};

use crate::{StoreConfig, StoreError};

/// Makes the directory of the store, and that of its log, which tells those who only read that a store is there. A start that
/// died may have made it, or those in it, without their entries being on disk, and all that is stored there goes with an entry
/// that is lost.
pub(crate) fn make_root(fs: &dyn Fs, config: &StoreConfig) -> Result<(), StoreError> {
    let durably = |directory: &Path| fs.create_dir_all_durably(directory);
    let exists = |directory: &Path| fs.exists(directory).map_err(io_at("stat", directory));
    durably(&config.root).map_err(io_at("create", &config.root))?;
    if exists(&config.commit_log_dir)? {
        durably(&config.commit_log_dir).map_err(io_at("fsync the entry of", &config.commit_log_dir))?;
    }
    for directory in ["consumequeue", "consumequeue_ext"].map(|name| config.root.join(name)) {
        if exists(&directory)? {
            durably(&directory).map_err(io_at("fsync the entry of", &directory))?;
            // The entries of topics; those of queues are synced with their first file.
            fs.sync_dir(&directory).map_err(io_at("fsync", &directory))?;
        }
    }
    if exists(&config.commit_log_dir)? {
        return Ok(());
    }
    for above in config.root.ancestors().skip(1).take_while(|path| !path.as_os_str().is_empty()) {
        match durably(above) {
            // Whoever may not read a directory has not made the one in it either.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => break,
            outcome => outcome.map_err(io_at("fsync the entry of", above))?,
        }
    }
    // Last, since where it is all this was done.
    durably(&config.commit_log_dir).map_err(io_at("create", &config.commit_log_dir))
}

/// (`DefaultMessageStore#start`)
pub(crate) fn lock(fs: &dyn Fs, root: &Path) -> Result<Arc<dyn File>, StoreError> {
    let path = root.join("lock");
    let lock = fs.try_lock(&path).map_err(io_at("lock", &path))?;
    let lock = lock.ok_or_else(|| StoreError::Locked { root: root.to_owned() })?;
    lock.write_all_at(b"lock", 0).map_err(io_at("write", &path))?;
    Ok(lock)
}

/// Second line of the abort file of a store of ours; Apache's has none.
const ABORT_IS_OURS: &str = "rocketmq-native";

/// The file that tells the next start of an unclean stop, and whose. (`DefaultMessageStore#createTempFile`)
pub(crate) fn write_abort(fs: &dyn Fs, root: &Path) -> Result<(), StoreError> {
    let path = root.join("abort");
    let file = fs.open(&path, OpenMode::CreateTruncate).map_err(io_at("create", &path))?;
    let text = format!("{}\n{ABORT_IS_OURS}\n", std::process::id());
    file.write_all_at(text.as_bytes(), 0).map_err(io_at("write", &path))?;
    file.sync_all().map_err(io_at("fsync", &path))?;
    fs.sync_dir(root).map_err(io_at("fsync", root))
}

/// Whether a store of ours was the last one to run here, and was not closed.
pub(crate) fn abort_is_ours(fs: &dyn Fs, root: &Path) -> Result<bool, StoreError> {
    let path = root.join("abort");
    let file = match fs.open(&path, OpenMode::Read) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        file => file.map_err(io_at("open", &path))?,
    };
    let len = file.len().map_err(io_at("stat", &path))?;
    let mut text = vec![0; usize::try_from(len).map_or(64, |len| len.min(64))];
    file.read_exact_at(&mut text, 0).map_err(io_at("read", &path))?;
    Ok(text.trim_ascii_end().ends_with(ABORT_IS_OURS.as_bytes()))
}

pub(crate) fn io_at<'p>(op: &'static str, path: &'p Path) -> impl FnOnce(io::Error) -> StoreError + 'p {
    move |source| StoreError::Io { op, path: path.to_owned(), source }
}

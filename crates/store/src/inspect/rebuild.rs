//! Makes the consume queues and the index anew from the commit log.
//!
//! That is what recovery does after an unclean stop, so this is one from the log's first record on: first the abort file and a
//! checkpoint that knows no queues and no index reach the disk, then the old queues go, and with the start, which believes no
//! index file that the checkpoint does not know, the old index. Whatever interrupts it, the next start completes it.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use rocketmq_env::{Clock, Fs};

use super::verify::{VerifyReport, verify_log};
use crate::checkpoint::Checkpoint;
use crate::directory::{lock, write_abort};
use crate::{MessageStore, StoreConfig, StoreError};

/// Makes the consume queues and the index of a stopped store anew and closes it cleanly. Queues of which the log has no record any more stay
/// as they are: they know what offset comes next. `progress` is told how many bytes of the log, of how many, were checked.
///
/// # Errors
/// [`StoreError::LogFaults`] if a record of the log is damaged; nothing is changed then. Those of
/// [`MessageStore::open`]; calling it again, or opening the store, goes on where it ended.
pub fn rebuild(
    config: &StoreConfig,
    fs: &Arc<dyn Fs>,
    clock: &Arc<dyn Clock>,
    progress: impl FnMut(u64, u64),
) -> Result<VerifyReport, StoreError> {
    let mut queues = HashSet::new();
    let report = verify_log(config, fs, progress, |record| {
        if !queues.contains(&(record.topic.to_string(), record.queue_id)) {
            queues.insert((record.topic.to_string(), record.queue_id));
        }
    })?;
    if let Some(fault) = report.faults.first() {
        let (count, file, offset) = (report.fault_count, fault.file.clone(), fault.offset);
        return Err(StoreError::LogFaults { count, file, offset, what: fault.what.clone() });
    }
    let root = config.root.as_path();
    let lock = lock(&**fs, root)?;
    // Before the abort file says that a store of ours ran here.
    let checkpoint = Checkpoint::open(&**fs, root)?;
    write_abort(&**fs, root)?;
    checkpoint.forget_queues()?;
    checkpoint.index_flushed(0)?;
    checkpoint.sync()?;
    for (topic, queue_id) in queues {
        remove_files(&**fs, &root.join("consumequeue").join(topic).join(queue_id.to_string()))?;
    }
    // Whoever gets the lock before the next line completes the work.
    drop(lock);
    let store = MessageStore::open(config.clone(), Arc::clone(fs), Arc::clone(clock))?;
    store.build_index()?;
    store.close()?;
    Ok(report)
}

fn remove_files(fs: &dyn Fs, directory: &Path) -> Result<(), StoreError> {
    let fail = |source| StoreError::Io { op: "remove the files of", path: directory.to_owned(), source };
    if !fs.exists(directory).map_err(fail)? {
        return Ok(());
    }
    for entry in fs.read_dir(directory).map_err(fail)?.into_iter().filter(|entry| !entry.is_dir) {
        fs.remove_file(&directory.join(entry.name)).map_err(fail)?;
    }
    fs.sync_dir(directory).map_err(fail)
}

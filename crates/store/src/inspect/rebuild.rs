//! Makes the consume queues and the index anew from the commit log.
//!
//! That is what recovery does after an unclean stop, so this is one from the log's first record on: first the abort file and a
//! checkpoint that knows no queues and no index reach the disk, then the old queues go, and with the start, which believes no
//! index file that the checkpoint does not know, the old index. Whatever interrupts it, the next start completes it.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use rocketmq_codec::message::MessageRecord;
use rocketmq_env::{Clock, Fs};

use super::verify::{VerifyReport, verify_log};
use crate::batch::takes_slot;
use crate::checkpoint::Checkpoint;
use crate::deletion::DeletedTopics;
use crate::directory::{lock, write_abort};
use crate::{MessageStore, StoreConfig, StoreError};

/// Makes the consume queues and the index of a stopped store anew and closes it cleanly. Queues of which the log has no record any more stay
/// as they are: they know what offset comes next. `progress` is told how many bytes of the log, of how many, were checked.
///
/// # Errors
/// [`StoreError::LogFaults`] if a record of the log is damaged, or Apache's broker deleted and made anew a topic more than once;
/// nothing is changed then. Those of
/// [`MessageStore::open`]; calling it again, or opening the store, goes on where it ended.
pub fn rebuild(
    config: &StoreConfig,
    fs: &Arc<dyn Fs>,
    clock: &Arc<dyn Clock>,
    progress: impl FnMut(u64, u64),
) -> Result<VerifyReport, StoreError> {
    let root = config.root.as_path();
    let deleted_topics = DeletedTopics::load(Arc::clone(fs), root)?;
    let mut topics: HashMap<String, OfTopic> = HashMap::new();
    let report = verify_log(config, fs, progress, |record| match topics.get_mut(&*record.topic) {
        // Noted by a store like this.
        _ if deleted_topics.covers(&record.topic, record.physical_offset) => {}
        Some(topic) => topic.see(record),
        None => topics.entry(record.topic.to_string()).or_default().see(record),
    })?;
    if let Some(fault) = report.faults.first() {
        let (count, file, offset) = (report.fault_count, fault.file.clone(), fault.offset);
        return Err(StoreError::LogFaults { count, file, offset, what: fault.what.clone() });
    }
    if let Some((topic, at)) = topics.iter().find_map(|(topic, of_topic)| Some((topic, of_topic.unclear_at?))) {
        let what = format!("a queue of {topic} begins for the third time: the topic was deleted more than once");
        return Err(StoreError::LogFaults { count: 1, file: config.commit_log_dir.clone(), offset: at as u64, what });
    }
    let lock = lock(&**fs, root)?;
    // Before the abort file says that a store of ours ran here.
    let checkpoint = Checkpoint::open(&**fs, root)?;
    write_abort(&**fs, root)?;
    checkpoint.forget_queues()?;
    checkpoint.index_flushed(0)?;
    checkpoint.sync()?;
    for (topic, of_topic) in &topics {
        if of_topic.anew_from > 0 {
            deleted_topics.add(&[topic], of_topic.anew_from, 0)?;
        }
        for queue_id in of_topic.queues.keys() {
            remove_files(&**fs, &root.join("consumequeue").join(topic).join(queue_id.to_string()))?;
        }
    }
    // Whoever gets the lock before the next line completes the work.
    drop(lock);
    let store = MessageStore::open(config.clone(), Arc::clone(fs), Arc::clone(clock))?;
    store.build_index()?;
    store.close()?;
    Ok(report)
}

/// The queues of a topic as its records tell. Where a queue begins with offset 0 again, Apache's broker deleted the topic, which
/// it notes nowhere, and it was made anew: only records from the first such place on have queues.
#[derive(Default)]
struct OfTopic {
    /// Place of the first record that began a queue again; 0 without one.
    anew_from: i64,
    /// Number to whether it began again.
    queues: HashMap<i32, bool>,
    /// Place of a record with which a queue began for the third time: then nothing tells which of the others are left.
    unclear_at: Option<i64>,
}

impl OfTopic {
    fn see(&mut self, record: &MessageRecord<'_>) {
        let is_first = takes_slot(record.sys_flag) && record.queue_offset == 0;
        match self.queues.get_mut(&record.queue_id) {
            None => drop(self.queues.insert(record.queue_id, false)),
            Some(began_again) if is_first && *began_again => self.unclear_at = Some(record.physical_offset),
            Some(began_again) if is_first => {
                *began_again = true;
                if self.anew_from == 0 {
                    self.anew_from = record.physical_offset;
                }
            }
            Some(_) => {}
        }
    }
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

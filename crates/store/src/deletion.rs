//! Deletion of topics. (`DefaultMessageStore#deleteTopics`, `ConsumeQueueStore#deleteTopic`)
//!
//! Records stay in the commit log until its files go; only the queues are deleted. Recovery makes queues from records, so it
//! must know which records belong to a topic that was deleted: after an unclean stop Apache brings such queues back, and if
//! the topic was made anew meanwhile, its first messages are lost. So `config/deletedTopics.json`, which Apache ignores, says
//! up to where in the log the records of a topic count no more. It is written before the first file is removed; from then on
//! the deletion is finished by the next start if need be.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;
use rocketmq_env::Fs;
use serde::{Deserialize, Serialize};

use crate::config_file::ConfigFile;
use crate::queues::Queues;
use crate::{MessageStore, StoreError};

/// `config/deletedTopics.json`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeletedTopicsFile {
    /// Topic to end of the commit log when it was deleted.
    topic_table: BTreeMap<String, i64>,
}

impl DeletedTopicsFile {
    /// Whether a record of `topic` at `physical_offset` belongs to a topic that was deleted.
    pub(crate) fn covers(&self, topic: &str, physical_offset: i64) -> bool {
        self.topic_table.get(topic).is_some_and(|end| physical_offset < *end)
    }
}

/// Which records belong to deleted topics.
#[derive(Debug)]
pub(crate) struct DeletedTopics {
    file: ConfigFile,
    /// Why the content comes from the previous version of the file, if it does.
    fallback: Option<String>,
    content: Mutex<DeletedTopicsFile>,
}

impl DeletedTopics {
    /// What the file under `root` says.
    pub(crate) fn load(fs: Arc<dyn Fs>, root: &Path) -> Result<Self, StoreError> {
        let path = root.join("config").join("deletedTopics.json");
        let file = ConfigFile::new(fs, path);
        let loaded = file.load(|bytes| serde_json::from_slice(bytes));
        let loaded = loaded.map_err(|source| StoreError::Io { op: "read", path: file.path().to_owned(), source })?;
        let (content, fallback) = loaded.map(|loaded| (loaded.value, loaded.fallback)).unwrap_or_default();
        Ok(Self { file, fallback, content: Mutex::new(content) })
    }

    /// Whether a record of `topic` at `physical_offset` belongs to a topic that was deleted.
    pub(crate) fn covers(&self, topic: &str, physical_offset: i64) -> bool {
        self.content.lock().covers(topic, physical_offset)
    }

    /// The deletions so far.
    pub(crate) fn all(&self) -> DeletedTopicsFile {
        self.content.lock().clone()
    }

    /// What is put from now on, behind the log's `end`, belongs to no topic that was deleted: the log may have lost its end since,
    /// or all of it.
    pub(crate) fn cap(&self, end: i64) -> Result<(), StoreError> {
        let mut content = self.content.lock();
        if content.topic_table.values().all(|deleted_to| *deleted_to <= end) {
            return Ok(());
        }
        let mut changed = content.clone();
        changed.topic_table.values_mut().for_each(|deleted_to| *deleted_to = end.min(*deleted_to));
        self.persist(&changed)?;
        *content = changed;
        Ok(())
    }

    /// Remembers durably that `topics` were deleted when the log ended at `end`, and forgets those of which the log, which
    /// starts at `log_start`, has no records left.
    pub(crate) fn add(&self, topics: &[&str], end: i64, log_start: i64) -> Result<(), StoreError> {
        let mut content = self.content.lock();
        let mut changed = content.clone();
        changed.topic_table.retain(|_, end| *end > log_start);
        changed.topic_table.extend(topics.iter().map(|topic| ((*topic).to_owned(), end)));
        self.persist(&changed)?;
        *content = changed;
        Ok(())
    }

    fn persist(&self, content: &DeletedTopicsFile) -> Result<(), StoreError> {
        let fail = |source| StoreError::Io { op: "write", path: self.file.path().to_owned(), source };
        let bytes = serde_json::to_vec_pretty(content).map_err(|error| fail(error.into()))?;
        self.file.persist(&bytes).map_err(fail)
    }

    /// Finishes what a crash interrupted: removes queues that have no message stored after the deletion of their topic.
    pub(crate) fn finish(&self, queues: &Queues) -> Result<(), StoreError> {
        let table = self.content.lock().topic_table.clone();
        for (topic, end) in table {
            let mut of_topic = queues.of_topic(&topic);
            of_topic.retain(|queue| queue.max_physical_offset() <= end);
            queues.destroy(&topic, &of_topic)?;
        }
        Ok(())
    }
}

impl MessageStore {
    /// What is wrong with `config/deletedTopics.json`, if this store was opened with its previous version: a topic that was
    /// deleted last may have queues again.
    pub fn deleted_topics_fallback(&self) -> Option<&str> {
        self.deleted_topics.fallback.as_deref()
    }

    /// Deletes the queues of topics with their files, durably. A topic that is used again starts at offset 0. Returns how
    /// many of the topics had queues.
    ///
    /// A put through a handle of a deleted queue fails as a whole with [`StoreError::TopicDeleted`]; [`MessageStore::queue`]
    /// gives one of a new queue. What was put before is deleted with the topic, though [`MessageStore::record_at`] finds it
    /// until its commit log file goes.
    ///
    /// # Errors
    /// Either nothing was deleted, or the topics take no puts until a repetition succeeds or the store is opened again,
    /// which finishes the deletion.
    pub fn delete_topics(&self, topics: &[&str]) -> Result<usize, StoreError> {
        let _one_at_a_time = self.deleting.lock();
        self.commit_log.writable()?;
        let topics: Vec<&str> =
            topics.iter().copied().filter(|topic| !self.queues.of_topic(topic).is_empty()).collect();
        if topics.is_empty() {
            return Ok(0);
        }
        // Under the append lock: every record of these queues lies before the end, none comes behind it.
        let (queues, closed, end) = self.commit_log.exclusively(|end, offsets| {
            let queues: Vec<_> = topics.iter().map(|topic| self.queues.of_topic(topic)).collect();
            let mut seats: Vec<_> = queues.iter().flatten().map(|queue| queue.seat()).collect();
            // Those of an attempt that failed half way stay closed whatever comes of this one.
            seats.retain(|seat| offsets.is_open(*seat));
            seats.iter().for_each(|seat| offsets.set_closed(*seat, true));
            (queues, seats, end)
        });
        if let Err(error) = self.deleted_topics.add(&topics, end, self.min_physical_offset()) {
            self.commit_log.exclusively(|_, offsets| closed.iter().for_each(|seat| offsets.set_closed(*seat, false)));
            return Err(error);
        }
        self.dispatcher.drain();
        for (topic, queues) in topics.iter().zip(&queues) {
            self.queues.destroy(topic, queues)?;
        }
        Ok(topics.len())
    }

    /// Removes queues of which all messages are gone from the commit log, with their files; the next message gets offset 0.
    /// Returns the topics that lost a queue. (`ConsumeQueueStore#cleanExpired`)
    pub fn clean_expired_queues(&self, is_kept: impl Fn(&str) -> bool) -> Result<BTreeSet<String>, StoreError> {
        let _one_at_a_time = self.deleting.lock();
        self.commit_log.writable()?;
        self.dispatcher.drain();
        let log_start = self.min_physical_offset();
        let mut removed = BTreeSet::new();
        for queue in self.queues.all() {
            let is_expired = || queue.has_only_expired(log_start) && !is_kept(queue.topic());
            let closed = is_expired()
                && self.commit_log.exclusively(|_, offsets| {
                    // Messages that wait for their units are newer.
                    let has_all_units = queue.max_offset() == offsets.next(queue.seat());
                    has_all_units && is_expired() && {
                        offsets.set_closed(queue.seat(), true);
                        true
                    }
                });
            if closed {
                self.queues.destroy(queue.topic(), &[Arc::clone(&queue)])?;
                removed.insert(queue.topic().to_string());
            }
        }
        Ok(removed)
    }

    /// Has expired commit log files deleted at any hour for the next rounds. (`#executeDeleteFilesManually`)
    pub fn delete_expired_files(&self) {
        let rounds = &self.background.control.manual_rounds;
        rounds.store(crate::retention::MANUAL_ROUNDS, std::sync::atomic::Ordering::Release);
    }
}

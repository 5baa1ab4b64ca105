//! Offsets that consumers committed (`broker/offset/ConsumerOffsetManager.java`).

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use rocketmq_codec::body::DataVersion;
use rocketmq_codec::json;
use serde::{Deserialize, Serialize};

use crate::config::BrokerConfig;
use crate::error::BrokerError;
use crate::persist::ConfigFile;

/// Queue id to offset.
pub type Offsets = BTreeMap<i32, i64>;

/// `config/consumerOffset.json`; keys are `topic@group`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ConsumerOffsetFile {
    data_version: DataVersion,
    /// Derived; written because Apache writes it, ignored when read.
    #[serde(skip_deserializing)]
    group_topic_map: BTreeMap<String, BTreeSet<String>>,
    offset_table: BTreeMap<String, Offsets>,
}

#[derive(Debug, Default)]
struct Table {
    /// Group to topic to offsets: so that a commit needs no key built.
    groups: HashMap<String, HashMap<String, Offsets>>,
    data_version: DataVersion,
    commits: u64,
}

/// The committed offset of every group on every queue.
#[derive(Debug)]
pub struct ConsumerOffsetManager {
    table: Mutex<Table>,
    dirty: AtomicBool,
    file: ConfigFile,
    version_step: u64,
}

impl ConsumerOffsetManager {
    /// What `config/consumerOffset.json` holds.
    pub fn load(config: &BrokerConfig, file: ConfigFile) -> Result<Self, BrokerError> {
        let mut table = Table {
            data_version: DataVersion { timestamp: file.now_ms(), ..DataVersion::default() },
            ..Table::default()
        };
        if let Some(stored) = file.load::<ConsumerOffsetFile>()? {
            for (key, offsets) in stored.offset_table {
                // Neither name can contain the separator, so a key without it belongs to nobody.
                if let Some((topic, group)) = key.split_once('@') {
                    table.groups.entry(group.to_owned()).or_default().insert(topic.to_owned(), offsets);
                }
            }
            table.data_version = stored.data_version;
        }
        Ok(Self {
            table: Mutex::new(table),
            dirty: AtomicBool::new(false),
            file,
            version_step: config.consumer_offset_update_version_step.max(1),
        })
    }

    /// Remembers an offset, a lower one too (`#commitOffset`).
    pub fn commit(&self, group: &str, topic: &str, queue_id: i32, offset: i64) {
        let mut table = self.table.lock();
        match table.groups.get_mut(group).and_then(|topics| topics.get_mut(topic)) {
            Some(offsets) => {
                offsets.insert(queue_id, offset);
            }
            None => {
                let offsets = Offsets::from([(queue_id, offset)]);
                table.groups.entry(group.to_owned()).or_default().insert(topic.to_owned(), offsets);
            }
        }
        table.commits += 1;
        if table.commits.is_multiple_of(self.version_step) {
            table.data_version.next(0, self.file.now_ms());
        }
        drop(table);
        self.dirty.store(true, Ordering::Release);
    }

    /// The committed offset.
    pub fn query(&self, group: &str, topic: &str, queue_id: i32) -> Option<i64> {
        self.table.lock().groups.get(group)?.get(topic)?.get(&queue_id).copied()
    }

    /// Topics on which the group committed (`#whichTopicByConsumer`).
    pub fn topics_of(&self, group: &str) -> Vec<String> {
        self.table.lock().groups.get(group).map(|topics| topics.keys().cloned().collect()).unwrap_or_default()
    }

    /// Groups that committed on the topic (`#whichGroupByTopic`).
    pub fn groups_of(&self, topic: &str) -> BTreeSet<String> {
        let table = self.table.lock();
        table.groups.iter().filter(|(_, topics)| topics.contains_key(topic)).map(|(group, _)| group.clone()).collect()
    }

    /// Forgets what the group committed (`#cleanOffset`).
    pub fn clean_group(&self, group: &str) {
        if self.table.lock().groups.remove(group).is_some() {
            self.dirty.store(true, Ordering::Release);
        }
    }

    /// Forgets what all groups committed on the topic (`#cleanOffsetByTopic`).
    pub fn clean_topic(&self, topic: &str) {
        let mut table = self.table.lock();
        let mut was_there = false;
        for topics in table.groups.values_mut() {
            was_there |= topics.remove(topic).is_some();
        }
        drop(table);
        if was_there {
            self.dirty.store(true, Ordering::Release);
        }
    }

    /// Everything, keyed `topic@group`, with its version.
    pub fn snapshot(&self) -> (BTreeMap<String, Offsets>, DataVersion) {
        let table = self.table.lock();
        let mut offset_table = BTreeMap::new();
        for (group, topics) in &table.groups {
            for (topic, offsets) in topics {
                offset_table.insert(format!("{topic}@{group}"), offsets.clone());
            }
        }
        (offset_table, table.data_version.clone())
    }

    /// Writes `config/consumerOffset.json` if anything was committed since.
    pub fn persist(&self) {
        if !self.dirty.swap(false, Ordering::AcqRel) {
            return;
        }
        let (offset_table, data_version) = self.snapshot();
        let mut group_topic_map: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (topic, group) in offset_table.keys().filter_map(|key| key.split_once('@')) {
            group_topic_map.entry(group.to_owned()).or_default().insert(topic.to_owned());
        }
        if !self.file.persist(&json::to_vec_pretty(&ConsumerOffsetFile { data_version, group_topic_map, offset_table }))
        {
            self.dirty.store(true, Ordering::Release);
        }
    }
}

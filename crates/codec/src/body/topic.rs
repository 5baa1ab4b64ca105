//! Topic configuration.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{java_enum, known_or_null};

/// Permission bits of topics and brokers (`PermName.java`).
pub mod perm {
    /// Queues can be handed out before others.
    pub const PRIORITY: i32 = 0x8;
    /// Consumers may read.
    pub const READ: i32 = 0x4;
    /// Producers may write.
    pub const WRITE: i32 = 0x2;
    /// Topics may be created in its image.
    pub const INHERIT: i32 = 0x1;
}

java_enum! {
    /// How many tags a message of the topic can have (`TopicFilterType.java`).
    pub enum TopicFilterType {
        /// One.
        SingleTag = "SINGLE_TAG",
        /// Several.
        MultiTag = "MULTI_TAG",
    }
}

/// Counts the changes of a table, `DataVersion.java`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DataVersion {
    /// Number of changes.
    pub counter: i64,
    /// Epoch of the master, 0 without one.
    pub state_version: i64,
    /// Milliseconds of the last change.
    pub timestamp: i64,
}

impl DataVersion {
    /// The version after one more change at `now_ms`, `DataVersion.java#nextVersion`.
    pub fn next(&mut self, state_version: i64, now_ms: i64) {
        self.timestamp = now_ms;
        self.state_version = state_version;
        self.counter += 1;
    }

    /// Which is newer: by state version, then counter, then time, `DataVersion.java#compare`.
    pub fn compare(&self, other: &DataVersion) -> Ordering {
        let key = |version: &DataVersion| (version.state_version, version.counter, version.timestamp);
        key(self).cmp(&key(other))
    }
}

/// Configuration of a topic, `TopicConfig.java`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TopicConfig {
    /// `message.type` and its likes.
    pub attributes: BTreeMap<String, String>,
    /// Whether queues must not move while a broker is away.
    pub order: bool,
    /// Permission bits, see [`perm`].
    pub perm: i32,
    /// Queues to read from.
    pub read_queue_nums: i32,
    /// Single or several tags.
    #[serde(deserialize_with = "known_or_null", skip_serializing_if = "Option::is_none")]
    pub topic_filter_type: Option<TopicFilterType>,
    /// Name.
    pub topic_name: String,
    /// Bit 0 unit, bit 1 unit subscription.
    pub topic_sys_flag: i32,
    /// Queues to write to.
    pub write_queue_nums: i32,
}

impl Default for TopicConfig {
    fn default() -> Self {
        Self {
            attributes: BTreeMap::new(),
            order: false,
            perm: perm::READ | perm::WRITE,
            read_queue_nums: 16,
            topic_filter_type: Some(TopicFilterType::SingleTag),
            topic_name: String::new(),
            topic_sys_flag: 0,
            write_queue_nums: 16,
        }
    }
}

/// Response body of GET_ALL_TOPIC_CONFIG (21), part of the body of 103, and the file `topics.json` (there without the mapping members):
/// `TopicConfigSerializeWrapper.java`, `TopicConfigAndMappingSerializeWrapper.java`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TopicConfigSerializeWrapper {
    /// Version of the table.
    pub data_version: DataVersion,
    /// Version of the mappings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mapping_data_version: Option<DataVersion>,
    /// Topics by name.
    pub topic_config_table: BTreeMap<String, TopicConfig>,
    /// Static topics, in full.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topic_queue_mapping_detail_map: Option<BTreeMap<String, TopicQueueMappingDetail>>,
    /// Static topics, in short.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topic_queue_mapping_info_map: Option<BTreeMap<String, TopicQueueMappingInfo>>,
}

/// Which physical queues a broker has for a static topic, `TopicQueueMappingInfo.java`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TopicQueueMappingInfo {
    /// Broker.
    pub bname: String,
    /// Physical queue by logical queue.
    pub curr_id_map: BTreeMap<i32, i32>,
    /// Whether the mapping is out of date.
    pub dirty: bool,
    /// Counts changes.
    pub epoch: i64,
    /// Scope, `__global__`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// Topic.
    pub topic: String,
    /// Logical queues.
    pub total_queues: i32,
}

/// [`TopicQueueMappingInfo`] with the history of each queue, `TopicQueueMappingDetail.java`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TopicQueueMappingDetail {
    /// Broker.
    pub bname: String,
    /// Physical queue by logical queue.
    pub curr_id_map: BTreeMap<i32, i32>,
    /// Whether the mapping is out of date.
    pub dirty: bool,
    /// Counts changes.
    pub epoch: i64,
    /// History by logical queue.
    pub hosted_queues: BTreeMap<i32, Vec<LogicQueueMappingItem>>,
    /// Scope, `__global__`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// Topic.
    pub topic: String,
    /// Logical queues.
    pub total_queues: i32,
}

/// A stretch of a logical queue on one broker, `LogicQueueMappingItem.java`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LogicQueueMappingItem {
    /// Broker.
    pub bname: String,
    /// End in the physical queue, -1 while open.
    pub end_offset: i64,
    /// Generation.
    #[serde(rename = "gen")]
    pub generation: i32,
    /// Begin in the logical queue.
    pub logic_offset: i64,
    /// Physical queue.
    pub queue_id: i32,
    /// Begin in the physical queue.
    pub start_offset: i64,
    /// When it ended, -1 while open.
    pub time_of_end: i64,
    /// When it began.
    pub time_of_start: i64,
}

impl Default for LogicQueueMappingItem {
    fn default() -> Self {
        Self {
            bname: String::new(),
            end_offset: -1,
            generation: 0,
            logic_offset: 0,
            queue_id: 0,
            start_offset: 0,
            time_of_end: -1,
            time_of_start: -1,
        }
    }
}

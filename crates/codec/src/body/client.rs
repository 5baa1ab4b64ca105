//! What clients say of themselves: heartbeats, subscriptions, locks.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{MessageQueue, java_enum, known_or_null};
use crate::message::java_string_hash;

java_enum! {
    /// How a consumer gets its messages (`ConsumeType.java`).
    pub enum ConsumeType {
        /// It pulls when it likes.
        ConsumeActively = "CONSUME_ACTIVELY",
        /// Push consumer.
        ConsumePassively = "CONSUME_PASSIVELY",
        /// POP consumer.
        ConsumePop = "CONSUME_POP",
    }
}

java_enum! {
    /// Who of a group gets a message (`MessageModel.java`).
    pub enum MessageModel {
        /// Everyone.
        Broadcasting = "BROADCASTING",
        /// One of them.
        Clustering = "CLUSTERING",
    }
}

java_enum! {
    /// Where a group without offsets starts (`ConsumeFromWhere.java`).
    pub enum ConsumeFromWhere {
        /// At the end.
        LastOffset = "CONSUME_FROM_LAST_OFFSET",
        /// Deprecated, means the end.
        LastOffsetAndFromMinWhenBootFirst = "CONSUME_FROM_LAST_OFFSET_AND_FROM_MIN_WHEN_BOOT_FIRST",
        /// Deprecated, means the end.
        MinOffset = "CONSUME_FROM_MIN_OFFSET",
        /// Deprecated, means the end.
        MaxOffset = "CONSUME_FROM_MAX_OFFSET",
        /// At the beginning.
        FirstOffset = "CONSUME_FROM_FIRST_OFFSET",
        /// At a time.
        Timestamp = "CONSUME_FROM_TIMESTAMP",
    }
}

/// Body of HEART_BEAT (34), `HeartbeatData.java`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HeartbeatData {
    /// Client id.
    #[serde(rename = "clientID")]
    pub client_id: String,
    /// Consumer groups of the client.
    pub consumer_data_set: Vec<ConsumerData>,
    /// Not 0 marks the second form of heartbeat: hash of the subscriptions.
    pub heartbeat_fingerprint: i32,
    /// Producer groups of the client.
    pub producer_data_set: Vec<ProducerData>,
    /// Whether subscriptions are left out because the broker knows the fingerprint.
    pub without_sub: bool,
}

/// A consumer group in a heartbeat, `ConsumerData.java`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ConsumerData {
    /// Where the group starts.
    #[serde(deserialize_with = "known_or_null", skip_serializing_if = "Option::is_none")]
    pub consume_from_where: Option<ConsumeFromWhere>,
    /// Pull, push or POP.
    #[serde(deserialize_with = "known_or_null", skip_serializing_if = "Option::is_none")]
    pub consume_type: Option<ConsumeType>,
    /// Group.
    pub group_name: String,
    /// Clustering or broadcasting.
    #[serde(deserialize_with = "known_or_null", skip_serializing_if = "Option::is_none")]
    pub message_model: Option<MessageModel>,
    /// What it subscribes to.
    pub subscription_data_set: Vec<SubscriptionData>,
    /// Unit mode.
    pub unit_mode: bool,
}

/// A producer group in a heartbeat, `ProducerData.java`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ProducerData {
    /// Group.
    pub group_name: String,
}

/// A subscription to a topic, `SubscriptionData.java`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SubscriptionData {
    /// Filter class in use.
    pub class_filter_mode: bool,
    /// Java hashes of the tags.
    pub code_set: BTreeSet<i32>,
    /// `TAG` or `SQL92`.
    pub expression_type: String,
    /// The expression, `*` for everything.
    pub sub_string: String,
    /// Milliseconds of its making; a newer one replaces an older.
    pub sub_version: i64,
    /// The tags, empty for everything.
    pub tags_set: BTreeSet<String>,
    /// Topic.
    pub topic: String,
}

impl Default for SubscriptionData {
    fn default() -> Self {
        Self {
            class_filter_mode: false,
            code_set: BTreeSet::new(),
            expression_type: SubscriptionData::TAG.to_owned(),
            sub_string: String::new(),
            sub_version: 0,
            tags_set: BTreeSet::new(),
            topic: String::new(),
        }
    }
}

impl SubscriptionData {
    /// Expression type of a list of tags.
    pub const TAG: &'static str = "TAG";
    /// Expression type of an SQL condition.
    pub const SQL92: &'static str = "SQL92";
    /// Expression for everything.
    pub const SUB_ALL: &'static str = "*";

    /// A subscription by tags, `A || B`, or `*` or nothing for all (`FilterAPI.java#buildSubscriptionData`). `None` when the
    /// expression has no tag in it at all, which Java refuses.
    pub fn by_tags(topic: &str, expression: &str, sub_version: i64) -> Option<Self> {
        let mut data = Self { topic: topic.to_owned(), sub_version, ..Self::default() };
        if expression.is_empty() || expression == Self::SUB_ALL {
            data.sub_string = Self::SUB_ALL.to_owned();
            return Some(data);
        }
        data.sub_string = expression.to_owned();
        for tag in expression.split("||").map(str::trim).filter(|tag| !tag.is_empty()) {
            data.tags_set.insert(tag.to_owned());
            data.code_set.insert(java_string_hash(tag));
        }
        let separators_only = expression.split("||").all(str::is_empty);
        (!separators_only).then_some(data)
    }
}

/// Body of LOCK_BATCH_MQ (41), `LockBatchRequestBody.java`, and of UNLOCK_BATCH_MQ (42), `UnlockBatchRequestBody.java`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LockBatchRequestBody {
    /// Who locks.
    pub client_id: String,
    /// For which group.
    pub consumer_group: String,
    /// Which queues.
    pub mq_set: Vec<MessageQueue>,
    /// Do not ask the other replicas.
    pub only_this_broker: bool,
}

/// Response body of LOCK_BATCH_MQ (41), `LockBatchResponseBody.java`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LockBatchResponseBody {
    /// The queues that are locked now.
    #[serde(rename = "lockOKMQSet")]
    pub lock_ok_mq_set: Vec<MessageQueue>,
}

/// Response body of GET_CONSUMER_LIST_BY_GROUP (38), `GetConsumerListByGroupResponseBody.java`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GetConsumerListByGroupResponseBody {
    /// Client ids.
    pub consumer_id_list: Vec<String>,
}

/// Body of CHECK_CLIENT_CONFIG (46), `CheckClientRequestBody.java`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CheckClientRequestBody {
    /// Client id.
    pub client_id: String,
    /// Consumer group.
    pub group: String,
    /// Namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The subscription to check.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscription_data: Option<SubscriptionData>,
}

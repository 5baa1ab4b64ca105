//! Subscription groups and their offsets.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{DataVersion, MASTER_ID, java_enum, known_or_null};

java_enum! {
    /// How long a retry waits (`GroupRetryPolicyType.java`).
    pub enum GroupRetryPolicyType {
        /// Doubling.
        Exponential = "EXPONENTIAL",
        /// From a table.
        Customized = "CUSTOMIZED",
    }
}

/// When a message that was consumed in vain comes again, `GroupRetryPolicy.java`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GroupRetryPolicy {
    /// Waiting times from a table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customized_retry_policy: Option<CustomizedRetryPolicy>,
    /// Waiting times that grow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exponential_retry_policy: Option<ExponentialRetryPolicy>,
    /// Which of the two.
    #[serde(rename = "type", deserialize_with = "known_or_null", skip_serializing_if = "Option::is_none")]
    pub policy_type: Option<GroupRetryPolicyType>,
}

impl Default for GroupRetryPolicy {
    fn default() -> Self {
        Self {
            customized_retry_policy: None,
            exponential_retry_policy: None,
            policy_type: Some(GroupRetryPolicyType::Customized),
        }
    }
}

/// Waiting times in milliseconds, one per attempt, `CustomizedRetryPolicy.java`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CustomizedRetryPolicy {
    /// The table; the last holds for all further attempts.
    pub next: Vec<i64>,
}

impl Default for CustomizedRetryPolicy {
    /// The delay levels: 1s 5s 10s 30s, 1 to 10 minutes, 20m 30m 1h 2h.
    fn default() -> Self {
        let seconds =
            [1, 5, 10, 30].into_iter().chain((1..=10).map(|minute| minute * 60)).chain([1200, 1800, 3600, 7200]);
        Self { next: seconds.map(|seconds| seconds * 1000).collect() }
    }
}

/// Waiting times that grow by a factor, `ExponentialRetryPolicy.java`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ExponentialRetryPolicy {
    /// First, in milliseconds.
    pub initial: i64,
    /// Longest, in milliseconds.
    pub max: i64,
    /// Factor.
    pub multiplier: i64,
}

impl Default for ExponentialRetryPolicy {
    fn default() -> Self {
        Self { initial: 5_000, max: 7_200_000, multiplier: 2 }
    }
}

/// A subscription kept with the group, `SimpleSubscriptionData.java`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SimpleSubscriptionData {
    /// Expression.
    pub expression: String,
    /// `TAG` or `SQL92`.
    pub expression_type: String,
    /// Topic.
    pub topic: String,
    /// Version.
    pub version: i64,
}

/// Configuration of a consumer group, body of 200, `SubscriptionGroupConfig.java`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SubscriptionGroupConfig {
    /// Free attributes.
    pub attributes: BTreeMap<String, String>,
    /// Broker id to read from.
    pub broker_id: i64,
    /// Whether members may consume in broadcast.
    pub consume_broadcast_enable: bool,
    /// Whether members may consume.
    pub consume_enable: bool,
    /// Whether members may start at the beginning.
    pub consume_from_min_enable: bool,
    /// Whether members consume in order.
    pub consume_message_orderly: bool,
    /// Minutes a message may take.
    pub consume_timeout_minute: i32,
    /// Name.
    pub group_name: String,
    /// Waiting times between attempts.
    pub group_retry_policy: GroupRetryPolicy,
    /// Unit bits.
    pub group_sys_flag: i32,
    /// Whether members hear of each other's coming and going.
    pub notify_consumer_ids_changed_enable: bool,
    /// Attempts before the dead letter queue.
    pub retry_max_times: i32,
    /// Queues of the retry topic.
    pub retry_queue_nums: i32,
    /// Subscriptions kept with the group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscription_data_set: Option<Vec<SimpleSubscriptionData>>,
    /// Broker id suggested to slow members.
    pub which_broker_when_consume_slowly: i64,
}

impl Default for SubscriptionGroupConfig {
    fn default() -> Self {
        Self {
            attributes: BTreeMap::new(),
            broker_id: MASTER_ID,
            consume_broadcast_enable: true,
            consume_enable: true,
            consume_from_min_enable: true,
            consume_message_orderly: false,
            consume_timeout_minute: 15,
            group_name: String::new(),
            group_retry_policy: GroupRetryPolicy::default(),
            group_sys_flag: 0,
            notify_consumer_ids_changed_enable: true,
            retry_max_times: 16,
            retry_queue_nums: 1,
            subscription_data_set: None,
            which_broker_when_consume_slowly: 1,
        }
    }
}

/// Response body of GET_ALL_SUBSCRIPTIONGROUP_CONFIG (201) and the file `subscriptionGroup.json`, `SubscriptionGroupWrapper.java`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SubscriptionGroupWrapper {
    /// Version of the table.
    pub data_version: DataVersion,
    /// Forbidden bits by group and topic.
    pub forbidden_table: BTreeMap<String, BTreeMap<String, i32>>,
    /// Groups by name.
    pub subscription_group_table: BTreeMap<String, SubscriptionGroupConfig>,
}

/// Response body of GET_ALL_CONSUMER_OFFSET (43) and the file `consumerOffset.json`, `ConsumerOffsetSerializeWrapper.java`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ConsumerOffsetSerializeWrapper {
    /// Version of the table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_version: Option<DataVersion>,
    /// Next offset by queue, by `topic@group`.
    pub offset_table: BTreeMap<String, BTreeMap<i32, i64>>,
}

//! Topics: 17, 105, 215, 216, 351.

use std::borrow::Cow;

use super::headers;

headers! {
    /// Request header of UPDATE_AND_CREATE_TOPIC (17), `CreateTopicRequestHeader.java`.
    pub struct CreateTopicRequestHeader<'a> {
        /// Topic.
        topic: Cow<'a, str> = "topic",
        /// Not used by brokers, but required.
        default_topic: Cow<'a, str> = "defaultTopic",
        /// Queues to read from.
        read_queue_nums: i32 = "readQueueNums",
        /// Queues to write to.
        write_queue_nums: i32 = "writeQueueNums",
        /// Permission bits, see [`crate::body::perm`].
        perm: i32 = "perm",
        /// `SINGLE_TAG` or `MULTI_TAG`.
        topic_filter_type: Cow<'a, str> = "topicFilterType",
        /// Unit bits.
        topic_sys_flag: Option<i32> = "topicSysFlag",
        /// Whether queues must not move while a broker is away.
        order: bool = "order" or false,
        /// `+key=value,-key` changes.
        attributes: Option<Cow<'a, str>> = "attributes",
        /// Create in spite of conflicts.
        force: Option<bool> = "force",
    }

    /// Request header of GET_ROUTEINFO_BY_TOPIC (105), `GetRouteInfoRequestHeader.java`.
    pub struct GetRouteInfoRequestHeader<'a> {
        /// Topic.
        topic: Cow<'a, str> = "topic",
        /// Answer with quoted keys.
        accept_standard_json_only: Option<bool> = "acceptStandardJsonOnly",
    }

    /// Request header of DELETE_TOPIC_IN_BROKER (215), `DeleteTopicRequestHeader.java`.
    pub struct DeleteTopicRequestHeader<'a> {
        /// Topic.
        topic: Cow<'a, str> = "topic",
    }

    /// Request header of DELETE_TOPIC_IN_NAMESRV (216), `DeleteTopicFromNamesrvRequestHeader.java`.
    pub struct DeleteTopicFromNamesrvRequestHeader<'a> {
        /// Topic.
        topic: Cow<'a, str> = "topic",
        /// Only from the brokers of this cluster.
        cluster_name: Option<Cow<'a, str>> = "clusterName",
    }

    /// Request header of GET_TOPIC_CONFIG (351), `GetTopicConfigRequestHeader.java`.
    pub struct GetTopicConfigRequestHeader<'a> {
        /// Topic.
        topic: Cow<'a, str> = "topic",
    }
}

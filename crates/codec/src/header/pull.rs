//! Pulling: 11 and 361.

use std::borrow::Cow;

use super::headers;

/// Bits of [`PullMessageRequestHeader::sys_flag`] (`PullSysFlag.java`).
pub mod pull_sys_flag {
    /// `commit_offset` is to be stored.
    pub const COMMIT_OFFSET: i32 = 0x1;
    /// The broker may hold the request until a message comes.
    pub const SUSPEND: i32 = 0x2;
    /// `subscription` is given.
    pub const SUBSCRIPTION: i32 = 0x4;
    /// A filter class is in use.
    pub const CLASS_FILTER: i32 = 0x8;
    /// A lite pull consumer asks.
    pub const LITE_PULL_MESSAGE: i32 = 0x10;
}

headers! {
    /// Request header of PULL_MESSAGE (11) and LITE_PULL_MESSAGE (361), `PullMessageRequestHeader.java`.
    pub struct PullMessageRequestHeader<'a> {
        /// Consumer group.
        consumer_group: Cow<'a, str> = "consumerGroup",
        /// Topic.
        topic: Cow<'a, str> = "topic",
        /// Lite topic.
        lite_topic: Option<Cow<'a, str>> = "liteTopic",
        /// Queue.
        queue_id: i32 = "queueId",
        /// First offset wanted.
        queue_offset: i64 = "queueOffset",
        /// Messages wanted at most.
        max_msg_nums: i32 = "maxMsgNums",
        /// [`pull_sys_flag`] bits.
        sys_flag: i32 = "sysFlag",
        /// Offset to store for the group.
        commit_offset: i64 = "commitOffset",
        /// How long the broker may hold the request, in milliseconds.
        suspend_timeout_millis: i64 = "suspendTimeoutMillis",
        /// Filter expression.
        subscription: Option<Cow<'a, str>> = "subscription",
        /// Version of the subscription: milliseconds of its making.
        sub_version: i64 = "subVersion",
        /// `TAG` or `SQL92`.
        expression_type: Option<Cow<'a, str>> = "expressionType",
        /// Bytes wanted at most.
        max_msg_bytes: Option<i32> = "maxMsgBytes",
        /// Absent for an SDK, else what kind of proxy asks.
        request_source: Option<i32> = "requestSource",
        /// Client behind a proxy (the spelling is Apache's).
        proxy_froward_client_id: Option<Cow<'a, str>> = "proxyFrowardClientId",
    }

    /// Response header of 11 and 361, `PullMessageResponseHeader.java`.
    pub struct PullMessageResponseHeader {
        /// Broker id to pull from next.
        suggest_which_broker_id: i64 = "suggestWhichBrokerId",
        /// Offset to pull next.
        next_begin_offset: i64 = "nextBeginOffset",
        /// First offset there is.
        min_offset: i64 = "minOffset",
        /// Offset the next message will get.
        max_offset: i64 = "maxOffset",
        /// To add to the offsets of the messages.
        offset_delta: Option<i64> = "offsetDelta",
        /// Flags of the topic.
        topic_sys_flag: Option<i32> = "topicSysFlag",
        /// Flags of the group.
        group_sys_flag: Option<i32> = "groupSysFlag",
        /// Why a pull is forbidden.
        forbidden_type: Option<i32> = "forbiddenType",
    }
}

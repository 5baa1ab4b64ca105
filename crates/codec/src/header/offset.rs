//! Offsets: 14, 15, 29, 30, 31, 32.

use std::borrow::Cow;

use super::{Field, FrameWriter, headers};

/// Which of several messages with the same time SEARCH_OFFSET_BY_TIMESTAMP means (`BoundaryType.java`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum BoundaryType {
    /// The first.
    #[default]
    Lower,
    /// The last.
    Upper,
}

impl Field<'_> for BoundaryType {
    fn absent() -> Option<Self> {
        None
    }

    /// `BoundaryType.java#getType`: anything but `upper` is lower.
    fn read(text: &str) -> Option<Self> {
        Some(if text.eq_ignore_ascii_case("upper") { BoundaryType::Upper } else { BoundaryType::Lower })
    }

    fn write(&self, key: &str, writer: &mut FrameWriter<'_>) {
        writer.ext_str(key, if *self == BoundaryType::Upper { "UPPER" } else { "LOWER" });
    }
}

headers! {
    /// Request header of QUERY_CONSUMER_OFFSET (14), `QueryConsumerOffsetRequestHeader.java`.
    pub struct QueryConsumerOffsetRequestHeader<'a> {
        /// Consumer group.
        consumer_group: Cow<'a, str> = "consumerGroup",
        /// Topic.
        topic: Cow<'a, str> = "topic",
        /// Queue.
        queue_id: i32 = "queueId",
        /// Whether a group without offset gets 0 for a queue that still has its first message in memory; absent means yes.
        set_zero_if_not_found: Option<bool> = "setZeroIfNotFound",
    }

    /// Request header of UPDATE_CONSUMER_OFFSET (15), `UpdateConsumerOffsetRequestHeader.java`.
    pub struct UpdateConsumerOffsetRequestHeader<'a> {
        /// Consumer group.
        consumer_group: Cow<'a, str> = "consumerGroup",
        /// Topic.
        topic: Cow<'a, str> = "topic",
        /// Queue.
        queue_id: i32 = "queueId",
        /// The next offset to consume.
        commit_offset: i64 = "commitOffset",
    }

    /// Request header of SEARCH_OFFSET_BY_TIMESTAMP (29), `SearchOffsetRequestHeader.java`.
    pub struct SearchOffsetRequestHeader<'a> {
        /// Topic.
        topic: Cow<'a, str> = "topic",
        /// Lite topic.
        lite_topic: Option<Cow<'a, str>> = "liteTopic",
        /// Queue.
        queue_id: i32 = "queueId",
        /// Store time in milliseconds since the epoch.
        timestamp: i64 = "timestamp",
        /// Absent means [`BoundaryType::Lower`].
        boundary_type: Option<BoundaryType> = "boundaryType",
    }

    /// Request header of GET_MAX_OFFSET (30), `GetMaxOffsetRequestHeader.java`.
    pub struct GetMaxOffsetRequestHeader<'a> {
        /// Topic.
        topic: Cow<'a, str> = "topic",
        /// Queue.
        queue_id: i32 = "queueId",
        /// Only count what consumers can see.
        committed: bool = "committed" or true,
    }

    /// Request header of GET_MIN_OFFSET (31), `GetMinOffsetRequestHeader.java`.
    pub struct GetMinOffsetRequestHeader<'a> {
        /// Topic.
        topic: Cow<'a, str> = "topic",
        /// Queue.
        queue_id: i32 = "queueId",
    }

    /// Request header of GET_EARLIEST_MSG_STORETIME (32), `GetEarliestMsgStoretimeRequestHeader.java`.
    pub struct GetEarliestMsgStoretimeRequestHeader<'a> {
        /// Topic.
        topic: Cow<'a, str> = "topic",
        /// Queue.
        queue_id: i32 = "queueId",
    }

    /// Response header of 14, 29, 30 and 31: `QueryConsumerOffsetResponseHeader.java` and its likes.
    pub struct OffsetResponseHeader {
        /// The offset.
        offset: i64 = "offset",
    }

    /// Response header of 32, `GetEarliestMsgStoretimeResponseHeader.java`.
    pub struct GetEarliestMsgStoretimeResponseHeader {
        /// Milliseconds since the epoch.
        timestamp: i64 = "timestamp",
    }
}

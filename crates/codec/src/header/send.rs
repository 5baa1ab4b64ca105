//! Sending: 10, 310, 320, and sending back: 36.

use std::borrow::Cow;

use super::headers;

headers! {
    /// Request header of SEND_MESSAGE (10), `SendMessageRequestHeader.java`.
    pub struct SendMessageRequestHeader<'a> {
        /// Group of the producer.
        producer_group: Cow<'a, str> = "producerGroup",
        /// Topic.
        topic: Cow<'a, str> = "topic",
        /// Template for automatic creation of the topic, usually `TBW102`.
        default_topic: Cow<'a, str> = "defaultTopic",
        /// Queues of an automatically created topic.
        default_topic_queue_nums: i32 = "defaultTopicQueueNums",
        /// Queue; negative leaves the choice to the broker.
        queue_id: i32 = "queueId",
        /// System flag bits, see [`crate::message::sys_flag`].
        sys_flag: i32 = "sysFlag",
        /// Milliseconds since the epoch at the producer.
        born_timestamp: i64 = "bornTimestamp",
        /// The user's flag.
        flag: i32 = "flag",
        /// Property string.
        properties: Option<Cow<'a, str>> = "properties",
        /// How often the message was consumed in vain.
        reconsume_times: Option<i32> = "reconsumeTimes",
        /// Unit mode.
        unit_mode: Option<bool> = "unitMode",
        /// Whether the body is a batch.
        batch: Option<bool> = "batch",
        /// Limit for `reconsume_times` of a retried message.
        max_reconsume_times: Option<i32> = "maxReconsumeTimes",
    }

    /// Request header of SEND_MESSAGE_V2 (310) and SEND_BATCH_MESSAGE (320): the same with one-letter names,
    /// `SendMessageRequestHeaderV2.java`.
    pub struct SendMessageRequestHeaderV2<'a> {
        /// Group of the producer.
        producer_group: Cow<'a, str> = "a",
        /// Topic.
        topic: Cow<'a, str> = "b",
        /// Template for automatic creation of the topic, usually `TBW102`.
        default_topic: Cow<'a, str> = "c",
        /// Queues of an automatically created topic.
        default_topic_queue_nums: i32 = "d",
        /// Queue; negative leaves the choice to the broker.
        queue_id: i32 = "e",
        /// System flag bits, see [`crate::message::sys_flag`].
        sys_flag: i32 = "f",
        /// Milliseconds since the epoch at the producer.
        born_timestamp: i64 = "g",
        /// The user's flag.
        flag: i32 = "h",
        /// Property string.
        properties: Option<Cow<'a, str>> = "i",
        /// How often the message was consumed in vain.
        reconsume_times: Option<i32> = "j",
        /// Unit mode.
        unit_mode: Option<bool> = "k",
        /// Limit for `reconsume_times` of a retried message.
        max_reconsume_times: Option<i32> = "l",
        /// Whether the body is a batch.
        batch: Option<bool> = "m",
        /// The broker the message is for, by name.
        broker_name: Option<Cow<'a, str>> = "n",
    }

    /// Response header of 10, 310 and 320, `SendMessageResponseHeader.java`. The Java client also reads the ext fields `MSG_REGION`
    /// and `TRACE_ON`.
    pub struct SendMessageResponseHeader<'a> {
        /// Offset message id; of a batch all of them, joined by commas.
        msg_id: Cow<'a, str> = "msgId",
        /// Queue the message is in.
        queue_id: i32 = "queueId",
        /// Offset in that queue; of a batch the first.
        queue_offset: i64 = "queueOffset",
        /// The client's unique id.
        transaction_id: Option<Cow<'a, str>> = "transactionId",
        /// Id of an inner batch.
        batch_uniq_id: Option<Cow<'a, str>> = "batchUniqId",
        /// What takes a timer message back.
        recall_handle: Option<Cow<'a, str>> = "recallHandle",
    }

    /// Request header of CONSUMER_SEND_MSG_BACK (36), `ConsumerSendMsgBackRequestHeader.java`.
    pub struct ConsumerSendMsgBackRequestHeader<'a> {
        /// Commit log offset of the message.
        offset: i64 = "offset",
        /// Consumer group.
        group: Cow<'a, str> = "group",
        /// Delay level; 0 lets the broker choose, negative means dead letter queue.
        delay_level: i32 = "delayLevel",
        /// The message's own id.
        origin_msg_id: Option<Cow<'a, str>> = "originMsgId",
        /// The message's topic.
        origin_topic: Option<Cow<'a, str>> = "originTopic",
        /// Unit mode.
        unit_mode: bool = "unitMode" or false,
        /// Limit before the dead letter queue.
        max_reconsume_times: Option<i32> = "maxReconsumeTimes",
    }
}

impl<'a> From<SendMessageRequestHeader<'a>> for SendMessageRequestHeaderV2<'a> {
    /// `SendMessageRequestHeaderV2.java#createSendMessageRequestHeaderV2`, without the broker's name.
    fn from(long: SendMessageRequestHeader<'a>) -> Self {
        Self {
            producer_group: long.producer_group,
            topic: long.topic,
            default_topic: long.default_topic,
            default_topic_queue_nums: long.default_topic_queue_nums,
            queue_id: long.queue_id,
            sys_flag: long.sys_flag,
            born_timestamp: long.born_timestamp,
            flag: long.flag,
            properties: long.properties,
            reconsume_times: long.reconsume_times,
            unit_mode: long.unit_mode,
            max_reconsume_times: long.max_reconsume_times,
            batch: long.batch,
            broker_name: None,
        }
    }
}

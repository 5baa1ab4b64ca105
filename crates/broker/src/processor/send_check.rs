//! Whether a message may be sent (`AbstractSendMessageProcessor#msgCheck`, `SendMessageProcessor#handleRetryAndDLQ`).

use std::sync::Arc;

use rocketmq_codec::body::perm;
use rocketmq_codec::header::SendMessageRequestHeaderV2;
use rocketmq_codec::message::sys_flag;
use rocketmq_codec::response_code;
use rocketmq_remoting::Connection;

use super::properties::Traits;
use super::reply::{Handled, Refusal};
use super::session::Session;
use crate::broker::BrokerState;
use crate::names;
use crate::topic::Topic;

/// Queues of a dead letter topic (`DLQ_NUMS_PER_GROUP`).
pub(super) const DLQ_NUMS_PER_GROUP: i32 = 1;
/// From this version on the client may set maxReconsumeTimes itself (V3_4_9).
pub(super) const VERSION_MAX_RECONSUME_TIMES: i32 = 121;

/// Bits of `topicSysFlag` (`common/sysflag/TopicSysFlag.java`).
pub(super) mod topic_sys_flag {
    /// A unit topic.
    pub(crate) const UNIT: i32 = 1;
    /// Has unit subscribers.
    pub(crate) const UNIT_SUB: i32 = 2;
}

impl BrokerState {
    /// SYSTEM_BUSY when too many answers wait for the disk already.
    pub(super) fn refuse_when_overloaded(&self) -> Handled {
        if self.deferred.is_full() {
            return Err(Refusal::new(
                response_code::SYSTEM_BUSY,
                "[OVERLOAD]system busy, start flow control for a while",
            ));
        }
        Ok(())
    }

    /// The topic to send to, made when that is allowed.
    pub(super) fn check_send(
        &self,
        connection: &Connection,
        session: &mut Session,
        header: &SendMessageRequestHeaderV2<'_>,
    ) -> Result<Arc<Topic>, Refusal> {
        let start = self.config.start_accept_send_request_timestamp;
        if start > 0 && self.clock.now_ms() < start {
            let remark = format!("broker unable to service, until {start}");
            return Err(Refusal::new(response_code::SYSTEM_ERROR, remark));
        }
        // What was found fit for sending stays so until the topic table changes.
        if let Some((generation, topic)) = session.topic.take()
            && topic.name() == header.topic
            && generation == self.topics.generation()
        {
            return self.check_queue_id(connection, header, topic);
        }
        let name = &*header.topic;
        if self.config.broker_permission & perm::WRITE == 0 && self.topics.is_order_topic(name) {
            let remark = format!("the broker[{}] sending message is forbidden", self.advertised().host);
            return Err(Refusal::new(response_code::NO_PERMISSION, remark));
        }
        names::validate_topic(name).map_err(|remark| Refusal::new(response_code::INVALID_PARAMETER, remark))?;
        if names::is_not_allowed_send_topic(name) {
            let remark = format!("Sending message to topic[{name}] is forbidden.");
            return Err(Refusal::new(response_code::NO_PERMISSION, remark));
        }
        let topic = match self.topics.select(name) {
            Some(topic) => topic,
            None => self.create_topic(header)?,
        };
        self.check_queue_id(connection, header, topic)
    }

    fn check_queue_id(
        &self,
        connection: &Connection,
        header: &SendMessageRequestHeaderV2<'_>,
        topic: Arc<Topic>,
    ) -> Result<Arc<Topic>, Refusal> {
        let config = topic.config();
        if header.queue_id >= config.write_queue_nums.max(config.read_queue_nums) {
            let remark = format!(
                "request queueId[{}] is illegal, topic {} has {} queues to read and {} to write Producer: {}",
                header.queue_id,
                config.topic_name,
                config.read_queue_nums,
                config.write_queue_nums,
                connection.peer()
            );
            return Err(Refusal::new(response_code::INVALID_PARAMETER, remark));
        }
        topic.expect_queue(header.queue_id);
        Ok(topic)
    }

    fn create_topic(&self, header: &SendMessageRequestHeaderV2<'_>) -> Result<Arc<Topic>, Refusal> {
        let is_retry = header.topic.starts_with(names::RETRY_GROUP_TOPIC_PREFIX);
        let flags = match header.unit_mode {
            Some(true) if is_retry => topic_sys_flag::UNIT_SUB,
            Some(true) => topic_sys_flag::UNIT,
            _ => 0,
        };
        let queue_nums = header.default_topic_queue_nums;
        let created = self
            .topics
            .create_in_send_message(&header.topic, &header.default_topic, queue_nums, flags)
            .or_else(|| is_retry.then(|| self.topics.create_in_send_message_back(&header.topic, 1, false, flags)));
        let Some(created) = created else {
            let remark = format!("topic[{}] not exist, apply first please!{}", header.topic, names::SUGGEST_TODO);
            return Err(Refusal::new(response_code::TOPIC_NOT_EXIST, remark));
        };
        if created.is_new {
            self.registration.topics_changed();
        }
        Ok(created.topic)
    }

    /// Where a message sent to a retry topic goes when it is not to be retried any more.
    pub(super) fn dead_letter_topic(
        &self,
        topic: &Topic,
        header: &SendMessageRequestHeaderV2<'_>,
        version: i32,
    ) -> Result<Option<Arc<Topic>>, Refusal> {
        let group = topic.name().strip_prefix(names::RETRY_GROUP_TOPIC_PREFIX).unwrap_or_default();
        let config = self.groups.find(group).ok_or_else(|| no_such_group(group))?;
        let asked = header.max_reconsume_times.filter(|_| version >= VERSION_MAX_RECONSUME_TIMES);
        let max_reconsume_times = asked.unwrap_or(config.retry_max_times);
        // A group with locks consumes in order; its messages must not come again behind later ones.
        if header.reconsume_times.unwrap_or_default() <= max_reconsume_times && self.locks.is_lock_all_expired(group) {
            return Ok(None);
        }
        Ok(Some(self.retry_or_dlq_topic(&names::dlq_topic(group), DLQ_NUMS_PER_GROUP, 0)))
    }

    /// A retry or dead letter topic, made when missing.
    pub(super) fn retry_or_dlq_topic(&self, name: &str, queue_nums: i32, flags: i32) -> Arc<Topic> {
        let created = self.topics.create_in_send_message_back(name, queue_nums, false, flags);
        if created.is_new {
            self.registration.topics_changed();
        }
        created.topic
    }
}

/// SUBSCRIPTION_GROUP_NOT_EXIST with Apache's remark.
pub(super) fn no_such_group(group: &str) -> Refusal {
    let remark = format!("subscription group not exist, {group} {}", names::SUGGEST_TODO);
    Refusal::new(response_code::SUBSCRIPTION_GROUP_NOT_EXIST, remark)
}

/// Messages that need services this broker does not have must not be stored as if they were plain.
pub(super) fn refuse_what_is_not_there(traits: &Traits, flags: i32) -> Handled {
    let what = if traits.is_half || flags & sys_flag::TRANSACTION_ROLLBACK != 0 {
        "transaction messages"
    } else if traits.delay_level > 0 {
        "messages with a delay level"
    } else if traits.is_timer {
        "timer messages"
    } else if traits.is_request() {
        "request-reply"
    } else if traits.is_lite {
        "messages of lite topics"
    } else {
        return Ok(());
    };
    let remark = format!("this broker does not support {what} yet; the message was not stored");
    Err(Refusal::new(response_code::REQUEST_CODE_NOT_SUPPORTED, remark))
}

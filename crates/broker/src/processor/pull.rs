//! Pulling: 11 and 361 (`broker/processor/PullMessageProcessor.java`, `DefaultPullMessageResultHandler.java`).

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rocketmq_codec::body::{MASTER_ID, perm};
use rocketmq_codec::header::{PullMessageRequestHeader, PullMessageResponseHeader, pull_sys_flag};
use rocketmq_codec::{Command, FrameWriter, Head, SerializeType, request_code, response_code};
use rocketmq_remoting::Connection;
use rocketmq_store::{GetResult, GetStatus};

use super::reply::{Handled, Refusal, header};
use crate::broker::BrokerState;
use crate::client::consumer::NoSubscription;
use crate::filter::Subscription;
use crate::long_polling::HeldPull;
use crate::names::SUGGEST_TODO;
use crate::topic::Topic;

/// Once the answers to one read of a connection have so many bytes, further pulls get no more than
/// [`CROWDED_TRANSFER_BYTES`] each, so that a burst of pulls cannot grow the heap.
const CROWDED_REPLY_BYTES: usize = 32 * 1024 * 1024;
/// What Apache's broker gives at most for messages on disk (`maxTransferBytesOnMessageInDisk`).
const CROWDED_TRANSFER_BYTES: usize = 65_536;
/// A connection with more bytes than this on the way gets no held pull answered until it has taken some.
const MAX_OUTBOUND_BYTES: usize = 4 * 1024 * 1024;

/// Values of `forbiddenType` (`ForbiddenType.java`).
mod forbidden_type {
    pub(super) const BROKER: i32 = 1;
    pub(super) const GROUP: i32 = 2;
    pub(super) const TOPIC: i32 = 3;
    pub(super) const BROADCASTING_DISABLE: i32 = 4;
    pub(super) const SUBSCRIPTION: i32 = 5;
}

/// A pull with what its answer needs.
#[derive(Debug)]
pub struct PullRequest<'a> {
    pub(crate) code: i32,
    pub(crate) serialize_type: SerializeType,
    pub(crate) opaque: i32,
    pub(crate) header: PullMessageRequestHeader<'a>,
}

impl PullRequest<'_> {
    fn has_flag(&self, flag: i32) -> bool {
        self.header.sys_flag & flag != 0
    }

    fn into_owned(self) -> PullRequest<'static> {
        fn own(text: Cow<'_, str>) -> Cow<'static, str> {
            Cow::Owned(text.into_owned())
        }
        let header = self.header;
        PullRequest {
            code: self.code,
            serialize_type: self.serialize_type,
            opaque: self.opaque,
            header: PullMessageRequestHeader {
                consumer_group: own(header.consumer_group),
                topic: own(header.topic),
                lite_topic: header.lite_topic.map(own),
                queue_id: header.queue_id,
                queue_offset: header.queue_offset,
                max_msg_nums: header.max_msg_nums,
                sys_flag: header.sys_flag,
                commit_offset: header.commit_offset,
                suspend_timeout_millis: header.suspend_timeout_millis,
                subscription: header.subscription.map(own),
                sub_version: header.sub_version,
                expression_type: header.expression_type.map(own),
                max_msg_bytes: header.max_msg_bytes,
                request_source: header.request_source,
                proxy_froward_client_id: header.proxy_froward_client_id.map(own),
            },
        }
    }
}

/// Everything a permitted pull is about.
struct Permitted {
    topic: Arc<Topic>,
    subscription: Arc<Subscription>,
    group_sys_flag: i32,
}

/// How a pull went.
enum Pulled {
    /// The answer is in the output.
    Answered,
    /// There is nothing yet; the pull may wait.
    NothingYet(Permitted),
}

impl BrokerState {
    /// Answers a pull or holds it.
    pub(super) fn pull_message(
        &self,
        connection: &Arc<Connection>,
        records: &mut Vec<u8>,
        request: &Command<'_>,
        out: &mut Vec<u8>,
    ) -> Handled {
        let pull = PullRequest {
            code: request.code,
            serialize_type: request.serialize_type,
            opaque: request.opaque,
            header: header(request)?,
        };
        match self.pull(connection, &pull, true, records, out)? {
            Pulled::Answered => Ok(()),
            Pulled::NothingYet(permitted) => self.hold_pull(connection, pull, permitted, records, out),
        }
    }

    fn hold_pull(
        &self,
        connection: &Arc<Connection>,
        pull: PullRequest<'_>,
        permitted: Permitted,
        records: &mut Vec<u8>,
        out: &mut Vec<u8>,
    ) -> Handled {
        let hold_ms = if self.config.long_polling_enable {
            pull.header.suspend_timeout_millis
        } else {
            self.config.short_polling_time_mills
        };
        let hold = Duration::from_millis(u64::try_from(hold_ms).unwrap_or_default());
        let (queue_id, offset, opaque) = (pull.header.queue_id, pull.header.queue_offset, pull.opaque);
        let Some(queue) = permitted.topic.queue(&self.store, queue_id) else {
            return Err(Refusal::system_error("the queue is gone"));
        };
        let held = HeldPull {
            connection: Arc::clone(connection),
            request: pull.into_owned(),
            subscription: permitted.subscription,
            deadline: self.clock.uptime().saturating_add(hold),
            postponed: false,
        };
        if self.holds.hold(queue.topic(), held).is_err() {
            let remark = "[OVERLOAD]system busy, too many pulls are held";
            return Err(Refusal::new(response_code::SYSTEM_BUSY, remark));
        }
        // What arrived between looking and holding found nobody to wake.
        if self.store.offsets(&queue).1 > offset
            && let Some(held) = self.holds.take_back(queue.topic(), queue_id, connection.id(), opaque)
        {
            self.pull(connection, &held.request, false, records, out)?;
        }
        Ok(())
    }

    /// Answers a pull that was held: something arrived, or its time is up.
    pub(crate) fn answer_held_pull(&self, mut held: HeldPull, records: &mut Vec<u8>, out: &mut Vec<u8>) {
        let connection = Arc::clone(&held.connection);
        if !connection.is_open() {
            return;
        }
        out.clear();
        let (serialize_type, opaque) = (held.request.serialize_type, held.request.opaque);
        if connection.outbound_bytes() > MAX_OUTBOUND_BYTES {
            if self.clock.uptime() < held.deadline {
                held.postponed = true;
                let topic: Arc<str> = Arc::from(&*held.request.header.topic);
                if self.holds.hold(&topic, held).is_ok() {
                    return;
                }
            }
            let remark = "[OVERLOAD]system busy, the connection takes no more";
            Refusal::new(response_code::SYSTEM_BUSY, remark).write(out, serialize_type, opaque);
        } else if let Err(refusal) = self.pull(&connection, &held.request, false, records, out) {
            out.clear();
            refusal.write(out, serialize_type, opaque);
        }
        connection.send(out);
    }

    fn pull(
        &self,
        connection: &Connection,
        pull: &PullRequest<'_>,
        may_suspend: bool,
        records: &mut Vec<u8>,
        out: &mut Vec<u8>,
    ) -> Result<Pulled, Refusal> {
        let permitted = self.check_pull(connection, pull)?;
        let asked = &pull.header;
        let max_bytes = if out.len() > CROWDED_REPLY_BYTES { CROWDED_TRANSFER_BYTES } else { usize::MAX };
        records.clear();
        let result = self
            .store
            .get(
                &asked.topic,
                asked.queue_id,
                asked.queue_offset,
                usize::try_from(asked.max_msg_nums).unwrap_or_default(),
                max_bytes,
                permitted.subscription.filter.as_ref(),
                records,
            )
            .map_err(Refusal::system_error)?;
        let gets = if result.status == GetStatus::Found { &self.stats.gets_found } else { &self.stats.gets_missed };
        gets.fetch_add(1, Ordering::Relaxed);
        if may_suspend && pull.has_flag(pull_sys_flag::COMMIT_OFFSET) {
            self.offsets.commit(&asked.consumer_group, &asked.topic, asked.queue_id, asked.commit_offset);
        }
        let (code, remark) = outcome(&result, asked.queue_offset);
        if code == response_code::PULL_NOT_FOUND && may_suspend && pull.has_flag(pull_sys_flag::SUSPEND) {
            return Ok(Pulled::NothingYet(permitted));
        }
        let head = Head { remark: Some(remark), ..Head::response(code, pull.opaque) };
        let mut frame = FrameWriter::begin(out, pull.serialize_type, head);
        frame.header(&PullMessageResponseHeader {
            suggest_which_broker_id: MASTER_ID,
            next_begin_offset: result.next_begin_offset,
            min_offset: result.min_offset,
            max_offset: result.max_offset,
            offset_delta: None,
            topic_sys_flag: Some(permitted.topic.config().topic_sys_flag),
            group_sys_flag: Some(permitted.group_sys_flag),
            forbidden_type: None,
        });
        if code == response_code::SUCCESS {
            self.stats.messages_got.fetch_add(result.count as u64, Ordering::Relaxed);
            frame.begin_body().extend_from_slice(records);
        }
        frame.finish().map_err(Refusal::system_error)?;
        Ok(Pulled::Answered)
    }

    /// The checks before a pull, in Apache's order.
    fn check_pull(&self, connection: &Connection, pull: &PullRequest<'_>) -> Result<Permitted, Refusal> {
        let asked = &pull.header;
        let (group, topic_name) = (&*asked.consumer_group, &*asked.topic);
        if self.config.broker_permission & perm::READ == 0 {
            let remark = format!("the broker[{}] pulling message is forbidden", self.advertised().host);
            return Err(no_permission(remark, forbidden_type::BROKER));
        }
        if pull.code == request_code::LITE_PULL_MESSAGE && !self.config.lite_pull_message_enable {
            let remark = format!("the broker[{}] for lite pull consumer is forbidden", self.advertised().host);
            return Err(no_permission(remark, forbidden_type::BROKER));
        }
        let group_config = self.groups.find(group).ok_or_else(|| {
            let remark = format!("subscription group [{group}] does not exist, {SUGGEST_TODO}");
            Refusal::new(response_code::SUBSCRIPTION_GROUP_NOT_EXIST, remark)
        })?;
        if !group_config.consume_enable {
            let remark = format!("subscription group no permission, {group}");
            return Err(no_permission(remark, forbidden_type::GROUP));
        }
        let topic = self.topics.select(topic_name).ok_or_else(|| {
            let remark = format!("topic[{topic_name}] not exist, apply first please! {SUGGEST_TODO}");
            Refusal::new(response_code::TOPIC_NOT_EXIST, remark)
        })?;
        if topic.config().perm & perm::READ == 0 {
            let remark = format!("the topic[{topic_name}] pulling message is forbidden");
            return Err(no_permission(remark, forbidden_type::TOPIC));
        }
        if asked.queue_id < 0 || asked.queue_id >= topic.config().read_queue_nums {
            let remark = format!(
                "queueId[{}] is illegal, topic:[{topic_name}] topicConfig.readQueueNums:[{}] consumer:[{}]",
                asked.queue_id,
                topic.config().read_queue_nums,
                connection.peer()
            );
            return Err(Refusal::new(response_code::INVALID_PARAMETER, remark));
        }
        let subscription = if pull.has_flag(pull_sys_flag::SUBSCRIPTION) {
            let expression = asked.subscription.as_deref().unwrap_or_default();
            let parsed = Subscription::parse(topic_name, expression, asked.expression_type.as_deref());
            let remark = "parse the consumer's subscription failed";
            Arc::new(parsed.ok_or_else(|| Refusal::new(response_code::SUBSCRIPTION_PARSE_FAILED, remark))?)
        } else {
            self.check_subscription(pull, group_config.consume_broadcast_enable)?
        };
        if !subscription.is_tag_type() {
            let kind = &subscription.data.expression_type;
            let remark = format!("The broker does not support consumer to filter message by {kind}");
            return Err(Refusal::new(response_code::SYSTEM_ERROR, remark));
        }
        Ok(Permitted { topic, subscription, group_sys_flag: group_config.group_sys_flag })
    }

    /// The subscription that the group's heartbeats brought.
    fn check_subscription(&self, pull: &PullRequest<'_>, broadcast_enable: bool) -> Result<Arc<Subscription>, Refusal> {
        let (group, topic) = (&*pull.header.consumer_group, &*pull.header.topic);
        let found = self.consumers.subscription(group, topic);
        if found.as_ref().err() == Some(&NoSubscription::NoGroup) {
            let remark = format!("the consumer's group info not exist{SUGGEST_TODO}");
            return Err(Refusal::new(response_code::SUBSCRIPTION_NOT_EXIST, remark));
        }
        if !broadcast_enable && self.consumers.is_broadcasting(group) {
            let remark = format!("the consumer group[{group}] can not consume by broadcast way");
            return Err(no_permission(remark, forbidden_type::BROADCASTING_DISABLE));
        }
        if self.groups.is_read_forbidden(group, topic) {
            let remark = format!("the consumer group[{group}] is forbidden for topic[{topic}]");
            return Err(no_permission(remark, forbidden_type::SUBSCRIPTION));
        }
        let subscription = found.map_err(|_none| {
            let remark = format!("the consumer's subscription not exist{SUGGEST_TODO}");
            Refusal::new(response_code::SUBSCRIPTION_NOT_EXIST, remark)
        })?;
        if subscription.data.sub_version < pull.header.sub_version {
            let remark = "the consumer's subscription not latest";
            return Err(Refusal::new(response_code::SUBSCRIPTION_NOT_LATEST, remark));
        }
        Ok(subscription)
    }
}

fn no_permission(remark: String, forbidden_type: i32) -> Refusal {
    Refusal { forbidden_type: Some(forbidden_type), ..Refusal::new(response_code::NO_PERMISSION, remark) }
}

/// Response code and remark of a get (`PullMessageProcessor#composeResponseHeader`).
fn outcome(result: &GetResult, asked_offset: i64) -> (i32, &'static str) {
    let moved_unless_zero =
        if asked_offset == 0 { response_code::PULL_NOT_FOUND } else { response_code::PULL_OFFSET_MOVED };
    match result.status {
        GetStatus::Found => (response_code::SUCCESS, "FOUND"),
        GetStatus::NoMatchedMessage => (response_code::PULL_RETRY_IMMEDIATELY, "NO_MATCHED_MESSAGE"),
        GetStatus::MessageWasRemoving => (response_code::PULL_RETRY_IMMEDIATELY, "MESSAGE_WAS_REMOVING"),
        GetStatus::OffsetFoundNull => (response_code::PULL_NOT_FOUND, "OFFSET_FOUND_NULL"),
        GetStatus::OffsetOverflowOne => (response_code::PULL_NOT_FOUND, "OFFSET_OVERFLOW_ONE"),
        GetStatus::OffsetOverflowBadly => (response_code::PULL_OFFSET_MOVED, "OFFSET_OVERFLOW_BADLY"),
        GetStatus::OffsetTooSmall => (response_code::PULL_OFFSET_MOVED, "OFFSET_TOO_SMALL"),
        GetStatus::NoMatchedLogicQueue => (moved_unless_zero, "NO_MATCHED_LOGIC_QUEUE"),
        GetStatus::NoMessageInQueue => (moved_unless_zero, "NO_MESSAGE_IN_QUEUE"),
    }
}

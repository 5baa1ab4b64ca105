//! Sending back: 36 (`AbstractSendMessageProcessor#consumerSendMsgBack`).

use std::sync::Arc;

use rocketmq_codec::body::perm;
use rocketmq_codec::header::ConsumerSendMsgBackRequestHeader;
use rocketmq_codec::message::{MessageRecord, decode_record, properties};
use rocketmq_codec::{Command, response_code};
use rocketmq_remoting::Connection;
use rocketmq_store::{PutBatch, PutMessage};

use super::reply::{Handled, Refusal, header, succeed_empty, succeed_when};
use super::send_check::{DLQ_NUMS_PER_GROUP, VERSION_MAX_RECONSUME_TIMES, no_such_group, topic_sys_flag};
use crate::broker::BrokerState;
use crate::names;
use crate::topic::Topic;

impl BrokerState {
    /// A message that was consumed in vain goes to the dead letter topic when it may not come again. That it comes again
    /// later needs delay levels, which are not there: then the answer is an error, and the client keeps the message.
    pub(super) fn consumer_send_msg_back(
        &self,
        connection: &Arc<Connection>,
        request: &Command<'_>,
        out: &mut Vec<u8>,
    ) -> Handled {
        let back: ConsumerSendMsgBackRequestHeader<'_> = header(request)?;
        let group = self.groups.find(&back.group).ok_or_else(|| no_such_group(&back.group))?;
        if self.config.broker_permission & perm::WRITE == 0 {
            let remark = format!("the broker[{}] sending message is forbidden", self.advertised().host);
            return Err(Refusal::new(response_code::NO_PERMISSION, remark));
        }
        if group.retry_queue_nums <= 0 {
            return succeed_empty(request, out);
        }
        let flags = if back.unit_mode { topic_sys_flag::UNIT_SUB } else { 0 };
        let retry_topic = self.retry_or_dlq_topic(&names::retry_topic(&back.group), group.retry_queue_nums, flags);
        if retry_topic.config().perm & perm::WRITE == 0 {
            let remark = format!("the topic[{}] sending message is forbidden", retry_topic.name());
            return Err(Refusal::new(response_code::NO_PERMISSION, remark));
        }
        let mut bytes = Vec::new();
        if !self.store.record_at(back.offset, &mut bytes).map_err(Refusal::system_error)? {
            return Err(Refusal::system_error(format_args!("look message by offset failed, {}", back.offset)));
        }
        let (message, _) = decode_record(&bytes, false).map_err(Refusal::system_error)?;
        let asked = back.max_reconsume_times.filter(|_| request.version >= VERSION_MAX_RECONSUME_TIMES);
        let max_reconsume_times = asked.unwrap_or(group.retry_max_times);
        if message.reconsume_times < max_reconsume_times && back.delay_level >= 0 {
            let remark = "this broker does not support messages with a delay level yet; the message was not sent back";
            return Err(Refusal::new(response_code::REQUEST_CODE_NOT_SUPPORTED, remark));
        }
        let topic = self.put_dead_letter(&back.group, &message)?;
        if self.topics.is_on_disk(&topic) {
            return succeed_empty(request, out);
        }
        succeed_when(|then| self.topics.when_written(then), connection, request, out)
    }

    fn put_dead_letter(&self, group: &str, message: &MessageRecord<'_>) -> Result<Arc<Topic>, Refusal> {
        let topic = self.retry_or_dlq_topic(&names::dlq_topic(group), DLQ_NUMS_PER_GROUP, 0);
        let queue = topic.queue(&self.store, 0).ok_or_else(|| Refusal::system_error("the topic has no queue"))?;
        let mut text = message.properties.clone().into_owned();
        if properties::get(&text, properties::name::RETRY_TOPIC).is_none() {
            properties::append(&mut text, properties::name::RETRY_TOPIC, &message.topic);
        }
        properties::set(&mut text, properties::name::WAIT, "false");
        properties::set(&mut text, properties::name::DELAY, "0");
        if properties::get(&text, properties::name::ORIGIN_MESSAGE_ID).is_none() {
            properties::append(&mut text, properties::name::ORIGIN_MESSAGE_ID, &message.offset_message_id());
        }
        let mut batch = PutBatch::new();
        let dead_letter = PutMessage {
            queue: &queue,
            flag: message.flag,
            sys_flag: message.sys_flag,
            born_timestamp: message.born_timestamp,
            born_host: message.born_host,
            store_host: self.advertised().store_host,
            reconsume_times: message.reconsume_times.saturating_add(1),
            prepared_transaction_offset: 0,
            body: message.body,
            properties: &text,
        };
        batch.push(&self.store, &dead_letter).map_err(Refusal::system_error)?;
        // WAIT=false: Apache's broker does not wait for the disk here either.
        let put = self.store.put(&mut batch).and_then(|ticket| self.store.write_out(ticket.end));
        put.map_err(|error| self.store_refused(&error))?;
        Ok(topic)
    }
}

//! Sending: 10, 310 and 320 (`broker/processor/SendMessageProcessor.java`). The messages of a burst are collected in the
//! session's batch and stored by one put; see [`super::send_reply`] for their answers.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use rocketmq_codec::body::TopicFilterType;
use rocketmq_codec::header::{SendMessageRequestHeader, SendMessageRequestHeaderV2};
use rocketmq_codec::message::{batch, properties, sys_flag};
use rocketmq_codec::{Command, request_code, response_code};
use rocketmq_remoting::Connection;
use rocketmq_store::{PutError, PutMessage, QueueHandle};

use super::properties::push;
use super::reply::{Handled, Refusal, header};
use super::session::{Session, WaitingSend};
use crate::broker::BrokerState;
use crate::names;
use crate::topic::Topic;

/// A batch that grew to so much is stored before more is added.
const MAX_BATCH_BYTES: usize = 4 * 1024 * 1024;

type SendHeader<'a> = SendMessageRequestHeaderV2<'a>;

impl BrokerState {
    /// Takes a message or a batch of them into the session's batch.
    pub(super) fn send_message(
        &self,
        connection: &Arc<Connection>,
        session: &mut Session,
        request: &Command<'_>,
        out: &mut Vec<u8>,
    ) -> Handled {
        let header: SendHeader<'_> = match request.code {
            request_code::SEND_MESSAGE => header::<SendMessageRequestHeader<'_>>(request)?.into(),
            _ => header(request)?,
        };
        self.refuse_when_overloaded()?;
        let topic = self.check_send(connection, session, &header)?;
        if request.body.is_empty() {
            return Err(self.message_illegal());
        }
        if session.batch.byte_len() > MAX_BATCH_BYTES {
            self.store_batch(connection, session, out);
        }
        let queue_id = match header.queue_id {
            negative if negative < 0 => next_queue(session, topic.config().write_queue_nums)?,
            given => given,
        };
        let waiting = if header.batch == Some(true) {
            self.add_batch(connection, session, request, &header, &topic, queue_id)?
        } else {
            self.add_single(connection, session, request, &header, &topic, queue_id)?
        };
        session.waiting.push(waiting);
        session.topic = Some((self.topics.generation(), topic));
        Ok(())
    }

    /// `SendMessageProcessor#sendMessage`.
    fn add_single(
        &self,
        connection: &Connection,
        session: &mut Session,
        request: &Command<'_>,
        header: &SendHeader<'_>,
        topic: &Arc<Topic>,
        mut queue_id: i32,
    ) -> Result<WaitingSend, Refusal> {
        let dead_letters;
        let mut topic = topic;
        let source = header.properties.as_deref().unwrap_or_default();
        let mut traits = self.broker_properties.edit(source, &mut session.properties);
        if header.topic.starts_with(names::RETRY_GROUP_TOPIC_PREFIX)
            && let Some(found) = self.dead_letter_topic(topic, header, request.version)?
        {
            dead_letters = found;
            topic = &dead_letters;
            queue_id = 0;
            traits.delay_level = 0;
            traits.wants_reply = false;
            properties::set(&mut session.properties, properties::name::DELAY, "-1");
            traits.uniq_key = None;
        }
        super::send_check::refuse_what_is_not_there(&traits, header.sys_flag)?;
        if let Some(priority) = traits.priority {
            if traits.is_ordered {
                properties::remove(&mut session.properties, super::properties::PRIORITY);
                traits.uniq_key = None;
            } else {
                queue_id = priority.min(topic.config().write_queue_nums - 1);
            }
        }
        let uniq_key = self.keep_uniq_key(session, traits.uniq_key);
        let queue = topic.queue(&self.store, queue_id).ok_or_else(|| self.message_illegal())?;
        let (body, properties) = (request.body, session.properties.as_str());
        let message = PutMessage { body, properties, ..self.message_to(&queue, connection, header, topic) };
        let index = session.batch.push(&self.store, &message).map_err(|error| self.put_refused(error))?;
        let awaits_topic = !self.topics.is_on_disk(topic);
        Ok(waiting(request, traits.no_wait, awaits_topic, queue_id, index..index + 1, uniq_key))
    }

    /// Copies the message's unique id to where its answer finds it; a message without one gets one.
    fn keep_uniq_key(&self, session: &mut Session, known: Option<Range<usize>>) -> Range<usize> {
        let start = session.uniq_keys.len();
        let known = known.and_then(|range| session.properties.get(range)).map(Cow::Borrowed).or_else(|| {
            properties::get(&session.properties, properties::name::UNIQ_KEY).map(|value| Cow::Owned(value.to_owned()))
        });
        match known {
            Some(value) => session.uniq_keys.push_str(&value),
            None => {
                let id = self.unique_ids.next(self.clock.now_ms());
                push(&mut session.properties, properties::name::UNIQ_KEY, &id);
                session.uniq_keys.push_str(&id);
            }
        }
        start..session.uniq_keys.len()
    }

    /// `SendMessageProcessor#sendBatchMessage`: each message is stored with exactly the properties that it brings.
    fn add_batch(
        &self,
        connection: &Connection,
        session: &mut Session,
        request: &Command<'_>,
        header: &SendHeader<'_>,
        topic: &Topic,
        queue_id: i32,
    ) -> Result<WaitingSend, Refusal> {
        if topic.name().len() > 127 {
            let remark = format!("message topic length too long {}", topic.name().len());
            return Err(Refusal::new(response_code::MESSAGE_ILLEGAL, remark));
        }
        if topic.name().starts_with(names::RETRY_GROUP_TOPIC_PREFIX) {
            let remark = format!("batch request does not support retry group {}", topic.name());
            return Err(Refusal::new(response_code::MESSAGE_ILLEGAL, remark));
        }
        if request.body.len() > self.store.config().max_message_bytes {
            return Err(self.message_illegal());
        }
        let outer = header.properties.as_deref().unwrap_or_default();
        let traits = self.broker_properties.edit(outer, &mut session.properties);
        let uniq_key_start = session.uniq_keys.len();
        if let Some(value) = traits.uniq_key.clone().and_then(|range| session.properties.get(range)) {
            session.uniq_keys.push_str(value);
        }
        let uniq_key = uniq_key_start..session.uniq_keys.len();
        let is_illegal = traits.delay_level > 0 || traits.has_inner_num;
        if is_illegal || header.sys_flag & sys_flag::TRANSACTION_ROLLBACK != 0 {
            return Err(self.message_illegal());
        }
        super::send_check::refuse_what_is_not_there(&traits, header.sys_flag)?;
        let queue = topic.queue(&self.store, queue_id).ok_or_else(|| self.message_illegal())?;
        let first = session.batch.len();
        let common = self.message_to(&queue, connection, header, topic);
        for element in batch::iter(request.body) {
            let pushed = element.map_err(|_malformed| self.message_illegal()).and_then(|element| {
                let message =
                    PutMessage { flag: element.flag, body: element.body, properties: &element.properties, ..common };
                let pushed = if session.batch.len() == first {
                    session.batch.push(&self.store, &message)
                } else {
                    session.batch.push_joined(&self.store, &message)
                };
                pushed.map_err(|error| self.put_refused(error))
            });
            if let Err(refusal) = pushed {
                session.batch.truncate(first);
                return Err(refusal);
            }
        }
        let awaits_topic = !self.topics.is_on_disk(topic);
        Ok(waiting(request, traits.no_wait, awaits_topic, queue_id, first..session.batch.len(), uniq_key))
    }

    /// What the header of a send says of its message or messages, without body and properties.
    fn message_to<'q>(
        &self,
        queue: &'q QueueHandle,
        connection: &Connection,
        header: &SendHeader<'_>,
        topic: &Topic,
    ) -> PutMessage<'q> {
        PutMessage {
            queue,
            flag: header.flag,
            sys_flag: with_multi_tags(header.sys_flag, topic),
            born_timestamp: header.born_timestamp,
            born_host: connection.peer().into(),
            store_host: self.advertised().store_host,
            reconsume_times: header.reconsume_times.unwrap_or_default(),
            prepared_transaction_offset: 0,
            body: &[],
            properties: "",
        }
    }

    /// MESSAGE_ILLEGAL with Apache's remark.
    pub(super) fn message_illegal(&self) -> Refusal {
        let limit = self.store.config().max_message_bytes;
        let remark = format!(
            "the message is illegal, maybe msg body or properties length not matched. msg body length limit {limit}B, msg \
             properties length limit 32KB."
        );
        Refusal::new(response_code::MESSAGE_ILLEGAL, remark)
    }

    fn put_refused(&self, error: PutError) -> Refusal {
        let mut refusal = self.message_illegal();
        refusal.remark = format!("{} ({error})", refusal.remark);
        refusal
    }
}

fn waiting(
    request: &Command<'_>,
    no_wait: bool,
    awaits_topic: bool,
    queue_id: i32,
    messages: Range<usize>,
    uniq_key: Range<usize>,
) -> WaitingSend {
    WaitingSend {
        opaque: request.opaque,
        serialize_type: request.serialize_type,
        oneway: request.is_oneway(),
        no_wait,
        queue_id,
        awaits_topic,
        messages,
        uniq_key,
    }
}

fn with_multi_tags(flags: i32, topic: &Topic) -> i32 {
    match topic.config().topic_filter_type {
        Some(TopicFilterType::MultiTag) => flags | sys_flag::MULTI_TAGS,
        _ => flags,
    }
}

/// A queue for a message that leaves the choice to the broker; Apache takes a random one, this takes turns.
fn next_queue(session: &mut Session, write_queue_nums: i32) -> Result<i32, Refusal> {
    let Some(count) = u32::try_from(write_queue_nums).ok().filter(|count| *count > 0) else {
        return Err(Refusal::new(response_code::SYSTEM_ERROR, "the topic has no queue to write to"));
    };
    session.next_queue = session.next_queue.wrapping_add(1);
    Ok((session.next_queue % count).cast_signed())
}

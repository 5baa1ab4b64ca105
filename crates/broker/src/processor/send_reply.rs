//! Storing a burst's messages with one put, and their answers (`SendMessageProcessor#handlePutMessageResult`).

use std::sync::Arc;
use std::sync::atomic::Ordering;

use rocketmq_codec::header::SendMessageResponseHeader;
use rocketmq_codec::message::message_id::offset_id;
use rocketmq_codec::{FrameWriter, Head, SerializeType, response_code};
use rocketmq_remoting::Connection;
use rocketmq_store::{PutBatch, StoreError};

use super::reply::Refusal;
use super::session::{Session, WaitingSend};
use crate::broker::BrokerState;
use crate::event::BrokerEvent;

impl BrokerState {
    /// Stores the session's batch and answers the sends that wait for it: into `out`, or later when they wait for the disk.
    /// An acknowledged message has a topic that a restart knows, as Apache's broker writes it before the message
    /// (`TopicConfigManager#createTopicInSendMessageMethod`).
    pub(super) fn store_batch(&self, connection: &Arc<Connection>, session: &mut Session, out: &mut Vec<u8>) {
        if session.waiting.is_empty() {
            return;
        }
        let put = self.store.put(&mut session.batch).and_then(|ticket| {
            if !session.waiting.iter().all(|send| self.waits_for_flush(send)) {
                self.store.write_out(ticket.end)?;
            }
            Ok(ticket)
        });
        match put {
            Ok(ticket) => {
                self.store_works();
                self.stats.messages_put.fetch_add(session.batch.len() as u64, Ordering::Relaxed);
                let (mut after_topics, mut after_flush) = (Vec::new(), Vec::new());
                for send in session.waiting.iter().filter(|send| !send.oneway) {
                    let target = match (send.awaits_topic, self.waits_for_flush(send)) {
                        (true, _) => &mut after_topics,
                        (false, true) => &mut after_flush,
                        (false, false) => &mut *out,
                    };
                    self.write_send_reply(&session.batch, send, &session.uniq_keys, target);
                }
                if !after_flush.is_empty() {
                    self.deferred.defer(connection, after_flush).send_when_flushed(&self.store, ticket.end);
                }
                if !after_topics.is_empty() {
                    let deferred = self.deferred.defer(connection, after_topics);
                    let flush_of = self.sync_flush.then(|| Arc::clone(&self.store));
                    self.topics.when_written(Box::new(move || match flush_of {
                        Some(store) => deferred.send_when_flushed(&store, ticket.end),
                        None => deferred.send(),
                    }));
                }
            }
            Err(error) => {
                let refusal = self.store_refused(&error);
                for send in session.waiting.iter().filter(|send| !send.oneway) {
                    self.write_send_refusal(&refusal, send.serialize_type, send.opaque, out);
                }
            }
        }
        session.clear_batch();
    }

    fn waits_for_flush(&self, send: &WaitingSend) -> bool {
        // What waits for its topic waits for the disk anyhow.
        self.sync_flush && !send.oneway && (!send.no_wait || send.awaits_topic)
    }

    fn write_send_reply(&self, batch: &PutBatch, send: &WaitingSend, uniq_keys: &str, out: &mut Vec<u8>) {
        let host = self.advertised().store_host;
        let mut outcomes = send.messages.clone().filter_map(|index| batch.outcome(index));
        let Some(first) = outcomes.next() else {
            let refusal = Refusal::system_error("store putMessage return null");
            return self.write_send_refusal(&refusal, send.serialize_type, send.opaque, out);
        };
        let first_id = offset_id(&host, first.physical_offset);
        let mut ids = String::new();
        if send.messages.len() > 1 {
            ids.reserve(send.messages.len() * (first_id.len() + 1));
            ids.push_str(&first_id);
            for outcome in outcomes {
                ids.push(',');
                ids.push_str(&offset_id(&host, outcome.physical_offset));
            }
        }
        let uniq_key = uniq_keys.get(send.uniq_key.clone()).filter(|key| !key.is_empty());
        let mut frame =
            FrameWriter::begin(out, send.serialize_type, Head::response(response_code::SUCCESS, send.opaque));
        frame.header(&SendMessageResponseHeader {
            msg_id: if ids.is_empty() { first_id.as_str().into() } else { ids.as_str().into() },
            queue_id: send.queue_id,
            queue_offset: first.queue_offset,
            transaction_id: uniq_key.map(Into::into),
            batch_uniq_id: None,
            recall_handle: None,
        });
        self.write_broker_fields(&mut frame);
        if let Err(error) = frame.finish() {
            // The ids of a batch of some 500,000 messages; it is stored, but nobody can be told where.
            self.write_send_refusal(&Refusal::system_error(error), send.serialize_type, send.opaque, out);
        }
    }

    /// A refusal of a send; its answer carries the broker's fields like every other.
    pub(super) fn write_send_refusal(
        &self,
        refusal: &Refusal,
        serialize_type: SerializeType,
        opaque: i32,
        out: &mut Vec<u8>,
    ) {
        let head = Head { remark: Some(&refusal.remark), ..Head::response(refusal.code, opaque) };
        let mut frame = FrameWriter::begin(out, serialize_type, head);
        self.write_broker_fields(&mut frame);
        // A remark is far below the frame limit, so there is nothing that could fail.
        let _ = frame.finish();
    }

    fn write_broker_fields(&self, frame: &mut FrameWriter<'_>) {
        frame.ext_str("MSG_REGION", &self.config.region_id);
        frame.ext_bool("TRACE_ON", self.config.trace_on);
    }

    /// What a put that failed is answered with; the operator hears of it once.
    pub(super) fn store_refused(&self, error: &StoreError) -> Refusal {
        if matches!(error, StoreError::BatchTooLarge { .. }) {
            return self.message_illegal();
        }
        if let StoreError::TopicDeleted { topic } = error {
            // Who sends again, as clients do, sends to the new queue.
            self.topics.forget_queues(topic);
            return Refusal::new(response_code::SERVICE_NOT_AVAILABLE, error.to_string());
        }
        if !self.store_failed.swap(true, Ordering::Relaxed) {
            self.config.events.emit(BrokerEvent::StoreFailed { cause: error.to_string() });
        }
        let remark = format!(
            "service not available now. It may be caused by one of the following reasons: the broker's disk is full, \
             messages are put to the slave, message store has been shut down, etc. [{error}]"
        );
        Refusal::new(response_code::SERVICE_NOT_AVAILABLE, remark)
    }

    fn store_works(&self) {
        if self.store_failed.load(Ordering::Relaxed) {
            self.store_failed.store(false, Ordering::Relaxed);
        }
    }
}

//! Clients: 34, 35, 46 (`broker/processor/ClientManageProcessor.java`), 38 (`ConsumerManageProcessor.java`), 41 and 42
//! (`AdminBrokerProcessor.java`), and 40 to them (`broker/client/DefaultConsumerIdsChangeListener.java`).

use std::sync::Arc;
use std::sync::atomic::Ordering;

use rocketmq_codec::body::{
    CheckClientRequestBody, ConsumerData, GetConsumerListByGroupResponseBody, HeartbeatData, LockBatchRequestBody,
    LockBatchResponseBody,
};
use rocketmq_codec::header::{
    GetConsumerListByGroupRequestHeader, HeartbeatResponseHeader, NotifyConsumerIdsChangedRequestHeader,
    UnregisterClientRequestHeader,
};
use rocketmq_codec::{Command, FLAG_ONEWAY, FrameWriter, Head, SerializeType, request_code, response_code};
use rocketmq_remoting::Connection;

use super::reply::{Handled, Refusal, header, json_body, succeed_empty, succeed_with_header, succeed_with_json};
use super::send_check::topic_sys_flag;
use crate::broker::BrokerState;
use crate::client::ClientChannelInfo;
use crate::client::consumer::Change;
use crate::filter::is_tag_type;
use crate::names;

impl BrokerState {
    pub(super) fn heart_beat(&self, connection: &Arc<Connection>, request: &Command<'_>, out: &mut Vec<u8>) -> Handled {
        let heartbeat: HeartbeatData = json_body(request)?;
        let client = ClientChannelInfo {
            connection: Arc::clone(connection),
            client_id: heartbeat.client_id.clone(),
            language: request.language,
            version: request.version,
            last_update_ms: self.clock.now_ms(),
        };
        let fingerprint = heartbeat.heartbeat_fingerprint;
        let mut sub_changed = false;
        for consumer in &heartbeat.consumer_data_set {
            let known = self.heartbeat_fingerprints.lock().insert(consumer.group_name.clone(), fingerprint);
            sub_changed |= known.is_some_and(|known| known != fingerprint);
            let without_sub = fingerprint != 0 && heartbeat.without_sub;
            self.register_consumer(consumer, &client, without_sub);
        }
        for producer in &heartbeat.producer_data_set {
            self.producers.register(&producer.group_name, &client);
        }
        let answer = HeartbeatResponseHeader {
            support_heartbeat_v2: Some(true),
            // A heartbeat without fingerprint says everything each time.
            sub_change: Some(fingerprint == 0 || sub_changed),
        };
        succeed_with_header(request, out, &answer)
    }

    fn register_consumer(&self, consumer: &ConsumerData, client: &ClientChannelInfo, without_sub: bool) {
        let Some(group) = self.groups.find(&consumer.group_name) else { return };
        let is_order = consumer.subscription_data_set.iter().any(|sub| self.topics.is_order_topic(&sub.topic));
        let flags = if consumer.unit_mode { topic_sys_flag::UNIT_SUB } else { 0 };
        let retry_topic = names::retry_topic(&consumer.group_name);
        let created = self.topics.create_in_send_message_back(&retry_topic, group.retry_queue_nums, is_order, flags);
        if created.is_new {
            self.registration.topics_changed();
        }
        let change = self.consumers.register(consumer, client, without_sub);
        if let Some(change) = change.filter(|_| group.notify_consumer_ids_changed_enable) {
            self.notify_consumer_ids_changed(&change);
        }
    }

    pub(super) fn unregister_client(
        &self,
        connection: &Arc<Connection>,
        request: &Command<'_>,
        out: &mut Vec<u8>,
    ) -> Handled {
        let leaving: UnregisterClientRequestHeader<'_> = header(request)?;
        if let Some(group) = &leaving.producer_group {
            self.producers.unregister(group, connection);
        }
        if let Some(group) = &leaving.consumer_group {
            let notify = self.groups.get(group).is_none_or(|group| group.notify_consumer_ids_changed_enable);
            let change = self.consumers.unregister(group, connection);
            if let Some(change) = change.filter(|_| notify) {
                self.notify_consumer_ids_changed(&change);
            }
        }
        succeed_empty(request, out)
    }

    /// A connection is gone, and with it the clients on it.
    pub(crate) fn forget_clients(&self, connection: &Connection) {
        self.producers.disconnected(connection);
        for change in self.consumers.disconnected(connection) {
            self.notify_consumer_ids_changed(&change);
        }
    }

    /// Tells the members of a group to share out the queues anew (40).
    pub(crate) fn notify_consumer_ids_changed(&self, change: &Change) {
        if !self.config.notify_consumer_ids_changed_enable {
            return;
        }
        let mut frame_bytes = Vec::with_capacity(256);
        for member in &change.members {
            let opaque = self.next_opaque.fetch_add(1, Ordering::Relaxed) & i32::MAX;
            let head = Head { flag: FLAG_ONEWAY, ..Head::request(request_code::NOTIFY_CONSUMER_IDS_CHANGED, opaque) };
            frame_bytes.clear();
            let mut frame = FrameWriter::begin(&mut frame_bytes, SerializeType::Json, head);
            frame.header(&NotifyConsumerIdsChangedRequestHeader { consumer_group: change.group.as_str().into() });
            if frame.finish().is_ok() {
                member.send(&frame_bytes);
            }
        }
    }

    pub(super) fn get_consumer_list_by_group(&self, request: &Command<'_>, out: &mut Vec<u8>) -> Handled {
        let asked: GetConsumerListByGroupRequestHeader<'_> = header(request)?;
        let consumer_id_list = self.consumers.client_ids(&asked.consumer_group);
        if consumer_id_list.is_empty() {
            let remark = format!("no consumer for this group, {}", asked.consumer_group);
            return Err(Refusal::new(response_code::SYSTEM_ERROR, remark));
        }
        succeed_with_json(request, out, &GetConsumerListByGroupResponseBody { consumer_id_list })
    }

    pub(super) fn check_client_config(&self, request: &Command<'_>, out: &mut Vec<u8>) -> Handled {
        let asked: CheckClientRequestBody = json_body(request)?;
        if let Some(subscription) = asked.subscription_data.filter(|sub| !is_tag_type(&sub.expression_type)) {
            let kind = subscription.expression_type;
            let remark = format!("The broker does not support consumer to filter message by {kind}");
            return Err(Refusal::new(response_code::SYSTEM_ERROR, remark));
        }
        succeed_empty(request, out)
    }

    pub(super) fn lock_batch_mq(&self, request: &Command<'_>, out: &mut Vec<u8>) -> Handled {
        let asked: LockBatchRequestBody = json_body(request)?;
        let lock_ok_mq_set = self.locks.try_lock_batch(&asked.consumer_group, asked.mq_set, &asked.client_id);
        succeed_with_json(request, out, &LockBatchResponseBody { lock_ok_mq_set })
    }

    pub(super) fn unlock_batch_mq(&self, request: &Command<'_>, out: &mut Vec<u8>) -> Handled {
        let asked: LockBatchRequestBody = json_body(request)?;
        self.locks.unlock_batch(&asked.consumer_group, &asked.mq_set, &asked.client_id);
        succeed_empty(request, out)
    }
}

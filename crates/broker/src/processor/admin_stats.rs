//! What is going on, for administrators: 26, 28, 202, 203, 204, 208, 300.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rocketmq_codec::body::{
    ConsumeFromWhere, ConsumeType, KVTable, MessageModel, MessageQueue, MessageQueueKey, SubscriptionData,
};
use rocketmq_codec::{Command, MAX_FRAME_BYTES, VERSION, json, language_code, response_code};
use serde::Serialize;

use super::reply::{Handled, Refusal, field, succeed, succeed_with_json};
use crate::broker::BrokerState;
use crate::client::ClientChannelInfo;

/// Above so many queues an answer with an entry for each, of at least 96 bytes, does not fit into a frame.
pub(super) const MAX_ANSWERED_QUEUES: i64 = (MAX_FRAME_BYTES / 96) as i64;

/// `remoting/protocol/body/Connection.java`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ClientConnection {
    client_addr: String,
    client_id: String,
    language: &'static str,
    version: i32,
}

impl From<ClientChannelInfo> for ClientConnection {
    fn from(client: ClientChannelInfo) -> Self {
        Self {
            client_addr: client.connection.peer().to_string(),
            client_id: client.client_id,
            language: language_code::name(client.language),
            version: client.version,
        }
    }
}

/// `ProducerConnection.java`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ProducerConnection {
    connection_set: Vec<ClientConnection>,
}

/// `ConsumerConnection.java`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ConsumerConnection {
    connection_set: Vec<ClientConnection>,
    #[serde(skip_serializing_if = "Option::is_none")]
    consume_from_where: Option<ConsumeFromWhere>,
    #[serde(skip_serializing_if = "Option::is_none")]
    consume_type: Option<ConsumeType>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_model: Option<MessageModel>,
    subscription_table: BTreeMap<String, SubscriptionData>,
}

/// `remoting/protocol/admin/TopicStatsTable.java`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TopicStatsTable {
    offset_table: BTreeMap<MessageQueueKey, TopicOffset>,
    topic_put_tps: f64,
}

/// `TopicOffset.java`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TopicOffset {
    last_update_timestamp: i64,
    max_offset: i64,
    min_offset: i64,
}

/// `ConsumeStats.java`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ConsumeStats {
    consume_tps: f64,
    offset_table: BTreeMap<MessageQueueKey, OffsetWrapper>,
}

/// `OffsetWrapper.java`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OffsetWrapper {
    broker_offset: i64,
    consumer_offset: i64,
    last_timestamp: i64,
    pull_offset: i64,
}

/// `GroupList.java`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct GroupList {
    group_list: BTreeSet<String>,
}

impl BrokerState {
    pub(super) fn get_broker_config(&self, request: &Command<'_>, out: &mut Vec<u8>) -> Handled {
        let config = &self.config;
        let settings: [(&str, String); 14] = [
            ("brokerClusterName", config.broker_cluster_name.clone()),
            ("brokerName", config.broker_name.clone()),
            ("brokerId", config.broker_id.to_string()),
            ("brokerIP1", self.advertised().host.clone()),
            ("listenPort", self.advertised().port.to_string()),
            ("namesrvAddr", config.namesrv_addrs.join(";")),
            ("brokerPermission", config.broker_permission.to_string()),
            ("autoCreateTopicEnable", config.auto_create_topic_enable.to_string()),
            ("autoCreateSubscriptionGroup", config.auto_create_subscription_group.to_string()),
            ("defaultTopicQueueNums", config.default_topic_queue_nums.to_string()),
            ("longPollingEnable", config.long_polling_enable.to_string()),
            ("storePathRootDir", config.store.root.display().to_string()),
            ("flushDiskType", if self.sync_flush { "SYNC_FLUSH" } else { "ASYNC_FLUSH" }.to_owned()),
            ("maxMessageSize", config.store.max_message_bytes.to_string()),
        ];
        let text: String = settings.iter().map(|(key, value)| format!("{key}={value}\n")).collect();
        let version = String::from_utf8_lossy(&json::to_vec(&self.topics.data_version())).into_owned();
        succeed(request, out, |frame| {
            frame.ext_str("version", &version);
            frame.begin_body().extend_from_slice(text.as_bytes());
        })
    }

    pub(super) fn get_broker_runtime_info(&self, request: &Command<'_>, out: &mut Vec<u8>) -> Handled {
        let store = &self.store;
        let earliest = store.earliest_store_time().map_err(Refusal::system_error)?.unwrap_or(-1);
        let disk = store.disk_usage().map_err(Refusal::system_error)?;
        // As Java prints a double.
        let ratio = |percent: u32| format!("{:?}", f64::from(percent) / 100.0);
        let (now, mornings) = (self.stats.totals(), self.stats.mornings());
        let facts: [(&str, String); 25] = [
            ("brokerActive", "true".to_owned()),
            ("brokerVersionDesc", "V5_5_0".to_owned()),
            ("brokerVersion", VERSION.to_string()),
            ("bootTimestamp", self.started_ms.to_string()),
            ("startAcceptSendRequestTimeStamp", self.config.start_accept_send_request_timestamp.to_string()),
            ("earliestMessageTimeStamp", earliest.to_string()),
            ("msgPutTotalYesterdayMorning", mornings.yesterday.messages_put.to_string()),
            ("msgPutTotalTodayMorning", mornings.today.messages_put.to_string()),
            ("msgPutTotalTodayNow", now.messages_put.to_string()),
            ("msgGetTotalYesterdayMorning", mornings.yesterday.messages_got.to_string()),
            ("msgGetTotalTodayMorning", mornings.today.messages_got.to_string()),
            ("msgGetTotalTodayNow", now.messages_got.to_string()),
            ("putMessageTimesTotal", now.messages_put.to_string()),
            ("putTps", self.stats.rates(|totals| totals.messages_put)),
            ("getFoundTps", self.stats.rates(|totals| totals.gets_found)),
            ("getMissTps", self.stats.rates(|totals| totals.gets_missed)),
            ("getTotalTps", self.stats.rates(|totals| totals.gets_found + totals.gets_missed)),
            ("getTransferredTps", self.stats.rates(|totals| totals.messages_got)),
            ("commitLogDiskRatio", ratio(disk.commit_log_percent)),
            ("consumeQueueDiskRatio", ratio(disk.consume_queue_percent)),
            ("commitLogMinOffset", store.min_physical_offset().to_string()),
            ("commitLogMaxOffset", store.max_physical_offset().to_string()),
            (
                "remainHowManyDataToFlush",
                format!("{} B", store.max_physical_offset() - store.flushed_physical_offset()),
            ),
            ("dispatchBehindBytes", store.dispatch_behind_bytes().to_string()),
            ("pageCacheLockTimeMills", self.put_lock_wait().as_millis().to_string()),
        ];
        let mut table: BTreeMap<_, _> = facts.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        // Requests are served by the event loops that read them; no queue of a thread pool is between.
        for pool in ["send", "pull", "litePull", "query", "ack"] {
            for fact in ["Size", "Capacity", "HeadWaitTimeMills"] {
                table.insert(format!("{pool}ThreadPoolQueue{fact}"), "0".to_owned());
            }
        }
        succeed_with_json(request, out, &KVTable { table })
    }

    /// How long a put waits now for those before it. Apache tells how long the put under way has been in the lock.
    fn put_lock_wait(&self) -> Duration {
        let began = self.clock.uptime();
        // Whether it would be refused is not asked here.
        let _ = self.store.writable();
        self.clock.uptime() - began
    }

    pub(super) fn get_topic_stats_info(&self, request: &Command<'_>, out: &mut Vec<u8>) -> Handled {
        let name = field(request, "topic")?;
        let Some(topic) = self.topics.select(name) else {
            let remark = format!("topic[{name}] not exist");
            return Err(Refusal::new(response_code::TOPIC_NOT_EXIST, remark));
        };
        let queue_nums = topic.config().write_queue_nums.max(topic.config().read_queue_nums);
        check_stats_queues(queue_nums.into())?;
        let mut offset_table = BTreeMap::new();
        for queue_id in 0..queue_nums {
            let max_offset = self.store.max_offset(name, queue_id).map_err(Refusal::system_error)?;
            let offset = TopicOffset {
                last_update_timestamp: self.store_time(name, queue_id, max_offset - 1)?,
                max_offset,
                min_offset: self.store.min_offset(name, queue_id).map_err(Refusal::system_error)?,
            };
            offset_table.insert(self.queue_key(name, queue_id), offset);
        }
        // Rates are not counted yet.
        succeed_with_json(request, out, &TopicStatsTable { offset_table, topic_put_tps: 0.0 })
    }

    pub(super) fn get_consume_stats(&self, request: &Command<'_>, out: &mut Vec<u8>) -> Handled {
        let group = field(request, "consumerGroup")?;
        let mut offset_table = BTreeMap::new();
        let mut queues = 0;
        for name in self.topics_for_consume_stats(request, group) {
            let Some(topic) = self.topics.select(&name) else { continue };
            queues += i64::from(topic.config().read_queue_nums.max(0));
            check_stats_queues(queues)?;
            for queue_id in 0..topic.config().read_queue_nums {
                let consumer_offset = self.offsets.query(group, &name, queue_id).unwrap_or(-1);
                let wrapper = OffsetWrapper {
                    broker_offset: self.store.max_offset(&name, queue_id).map_err(Refusal::system_error)?,
                    consumer_offset: consumer_offset.max(0),
                    last_timestamp: self.store_time(&name, queue_id, consumer_offset - 1)?,
                    pull_offset: consumer_offset.max(0),
                };
                offset_table.insert(self.queue_key(&name, queue_id), wrapper);
            }
        }
        // Rates are not counted yet.
        succeed_with_json(request, out, &ConsumeStats { consume_tps: 0.0, offset_table })
    }

    /// The topics of `topicList` (with `;` between), whoever subscribes to them; else `topic`, or all that the group committed
    /// on, without those that a connected group does not subscribe to any more. (`#getTopicsForCollectingConsumeStats`)
    fn topics_for_consume_stats(&self, request: &Command<'_>, group: &str) -> Vec<String> {
        let given = |name| request.ext.get(name).filter(|value| !value.trim().is_empty());
        if let Some(list) = given("topicList") {
            return list.split(';').filter(|topic| !topic.is_empty()).map(str::to_owned).collect();
        }
        let mut topics = given("topic").map_or_else(|| self.offsets.topics_of(group), |topic| vec![topic.to_owned()]);
        topics.retain(|topic| !self.consumers.subscribes_only_to_others(group, topic));
        topics
    }

    /// When the message was stored; 0 when there is none.
    fn store_time(&self, topic: &str, queue_id: i32, offset: i64) -> Result<i64, Refusal> {
        if offset < 0 {
            return Ok(0);
        }
        let time = self.store.store_timestamp_at(topic, queue_id, offset).map_err(Refusal::system_error)?;
        Ok(time.unwrap_or(0))
    }

    fn queue_key(&self, topic: &str, queue_id: i32) -> MessageQueueKey {
        MessageQueueKey(MessageQueue {
            topic: topic.to_owned(),
            broker_name: self.config.broker_name.clone(),
            queue_id,
        })
    }

    pub(super) fn get_consumer_connection_list(&self, request: &Command<'_>, out: &mut Vec<u8>) -> Handled {
        let group = field(request, "consumerGroup")?;
        let Some(view) = self.consumers.view(group) else {
            let remark = format!("the consumer group[{group}] not online");
            return Err(Refusal::new(response_code::CONSUMER_NOT_ONLINE, remark));
        };
        let body = ConsumerConnection {
            connection_set: view.channels.into_iter().map(Into::into).collect(),
            consume_from_where: view.consume_from_where,
            consume_type: view.consume_type,
            message_model: view.message_model,
            subscription_table: view.subscriptions,
        };
        succeed_with_json(request, out, &body)
    }

    pub(super) fn get_producer_connection_list(&self, request: &Command<'_>, out: &mut Vec<u8>) -> Handled {
        let group = field(request, "producerGroup")?;
        let Some(channels) = self.producers.channels(group) else {
            return Err(Refusal::system_error(format_args!("the producer group[{group}] not exist")));
        };
        let connection_set = channels.into_iter().map(Into::into).collect();
        succeed_with_json(request, out, &ProducerConnection { connection_set })
    }

    pub(super) fn query_topic_consume_by_who(&self, request: &Command<'_>, out: &mut Vec<u8>) -> Handled {
        let topic = field(request, "topic")?;
        let mut group_list = self.offsets.groups_of(topic);
        group_list.extend(self.consumers.groups_subscribing(topic));
        succeed_with_json(request, out, &GroupList { group_list })
    }
}

/// How many queues a topic has is whatever somebody asked for: an answer about too many is not even begun.
fn check_stats_queues(count: i64) -> Handled {
    if count > MAX_ANSWERED_QUEUES {
        let remark =
            format!("the statistics of {count} queues do not fit into an answer, those of {MAX_ANSWERED_QUEUES} do");
        return Err(Refusal::system_error(remark));
    }
    Ok(())
}

use std::collections::BTreeMap;

use rocketmq_codec::body::{
    CheckClientRequestBody, ClusterInfo, ConsumeFromWhere, ConsumeType, ConsumerOffsetSerializeWrapper, DataVersion,
    GetConsumerListByGroupResponseBody, GroupRetryPolicyType, HeartbeatData, KVTable, LockBatchRequestBody,
    LockBatchResponseBody, MessageModel, MessageQueue, MessageQueueKey, RegisterBrokerBody, SubscriptionData,
    SubscriptionGroupConfig, SubscriptionGroupWrapper, TopicConfig, TopicConfigSerializeWrapper, TopicList,
    TopicRouteData,
};
use rocketmq_codec::json;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::{TIME, UNICODE, bytes, text};

const FILE: &str = include_str!("../../../testkit/golden/bodies.txt");

/// Reads the golden body, and writes it again to the same bytes.
fn read<T: DeserializeOwned + Serialize>(name: &str) -> T {
    let golden = text(FILE, name);
    let body: T = json::from_slice(golden.as_bytes()).unwrap();
    assert_eq!(String::from_utf8(json::to_vec(&body)).unwrap(), golden, "{name}");
    body
}

#[test]
fn heartbeats_are_those_of_apache() {
    let heartbeat: HeartbeatData = read("heartbeat");
    assert_eq!((&*heartbeat.client_id, heartbeat.heartbeat_fingerprint), ("10.0.0.1@1#2", 0));
    assert_eq!(heartbeat.producer_data_set[0].group_name, "PG");
    let consumer = &heartbeat.consumer_data_set[0];
    assert_eq!(consumer.consume_type, Some(ConsumeType::ConsumePassively));
    assert_eq!(consumer.message_model, Some(MessageModel::Clustering));
    assert_eq!(consumer.consume_from_where, Some(ConsumeFromWhere::LastOffset));
    let by_tags = SubscriptionData::by_tags("TopicTest", "TagA", TIME).unwrap();
    assert_eq!(consumer.subscription_data_set, [by_tags]);
    read::<HeartbeatData>("heartbeat_empty");
}

#[test]
fn routes_and_clusters_are_those_of_apache() {
    let route: TopicRouteData = read("route");
    assert_eq!(route.broker_datas[0].broker_addrs[&1], "10.0.0.2:10911");
    assert_eq!((route.queue_datas[0].perm, route.queue_datas[0].read_queue_nums), (6, 4));
    let full: TopicRouteData = read("route_full");
    assert_eq!(full.order_topic_conf.as_deref(), Some("broker-a:4"));
    let cluster: ClusterInfo = read("cluster");
    assert!(cluster.cluster_addr_table["DefaultCluster"].contains("broker-a"));
}

#[test]
fn strict_routes_quote_their_keys_like_apaches() {
    let golden = text(FILE, "route_strict");
    let route: TopicRouteData = serde_json::from_str(golden).unwrap();
    assert_eq!(route.broker_datas[0].zone_name, Some(format!("{UNICODE}<script>&'()")));
    assert_eq!(String::from_utf8(json::to_vec_strict(&route)).unwrap(), golden);
}

#[test]
fn topic_tables_are_those_of_apache() {
    let topic: TopicConfig = read("topic_config");
    assert_eq!(
        (&*topic.topic_name, topic.read_queue_nums, &*topic.attributes["message.type"]),
        ("TopicTest", 8, "NORMAL")
    );
    assert_eq!(read::<DataVersion>("data_version"), DataVersion { counter: 7, state_version: 0, timestamp: TIME });
    read::<TopicConfigSerializeWrapper>("topic_table");
    let pretty = bytes(FILE, "topic_table_pretty");
    let table: TopicConfigSerializeWrapper = json::from_slice(&pretty).unwrap();
    assert_eq!(json::to_vec_pretty(&table), pretty);
}

#[test]
fn register_bodies_are_read_plain_and_compressed() {
    let plain = text(FILE, "register").as_bytes();
    let body = RegisterBrokerBody::decode(plain, false, 513, 0).unwrap();
    assert_eq!(body.filter_server_list, ["10.0.0.3:1"]);
    let wrapper = &body.topic_config_serialize_wrapper;
    assert_eq!((wrapper.data_version.counter, wrapper.topic_config_table.len()), (3, 2));
    assert_eq!(wrapper.topic_queue_mapping_info_map.as_ref().unwrap()["Static"].total_queues, 8);
    // Java's table is a hash map: the order of its entries is not ours, all else is.
    let written = json::to_vec(&body);
    assert_eq!(written.len(), plain.len());
    assert_eq!(json::from_slice::<RegisterBrokerBody>(&written).unwrap(), body);

    let compressed = bytes(FILE, "register_compressed");
    let inflated = RegisterBrokerBody::decode(&compressed, true, 513, 1 << 20).unwrap();
    let mut expected = body.clone();
    // The compressed form has no place for these.
    expected.topic_config_serialize_wrapper.mapping_data_version = None;
    expected.topic_config_serialize_wrapper.topic_queue_mapping_detail_map = None;
    assert_eq!(inflated, expected);
    RegisterBrokerBody::decode(&compressed, true, 513, 300).unwrap_err();
    for length in 0..compressed.len() {
        RegisterBrokerBody::decode(&compressed[..length], true, 513, 1 << 20).unwrap_err();
    }
}

#[test]
fn groups_and_offsets_are_those_of_apache() {
    let group: SubscriptionGroupConfig = read("group");
    assert_eq!(group, SubscriptionGroupConfig { group_name: "CG".into(), ..SubscriptionGroupConfig::default() });
    let full: SubscriptionGroupConfig = read("group_full");
    assert_eq!(full.group_retry_policy.policy_type, Some(GroupRetryPolicyType::Exponential));
    assert_eq!(full.group_retry_policy.customized_retry_policy, Some(Default::default()));
    assert_eq!(full.group_retry_policy.exponential_retry_policy, Some(Default::default()));
    read::<SubscriptionGroupWrapper>("group_table");
    let offsets: ConsumerOffsetSerializeWrapper = read("consumer_offsets");
    assert_eq!(offsets.offset_table["TopicTest@CG"][&1], 4_294_967_296);
    assert_eq!(json::to_vec_pretty(&offsets), bytes(FILE, "consumer_offsets_pretty"));
}

#[test]
fn locks_lists_and_tables_are_those_of_apache() {
    let queue = MessageQueue { topic: "TopicTest".into(), broker_name: "broker-a".into(), queue_id: 3 };
    assert_eq!(read::<MessageQueue>("message_queue"), queue);
    assert_eq!(read::<LockBatchRequestBody>("lock").mq_set, std::slice::from_ref(&queue));
    assert_eq!(read::<LockBatchRequestBody>("unlock").mq_set, std::slice::from_ref(&queue));
    assert_eq!(read::<LockBatchResponseBody>("locked").lock_ok_mq_set, [queue]);
    let members: GetConsumerListByGroupResponseBody = read("consumer_list");
    assert_eq!(members.consumer_id_list, ["c1", "c2"]);
    assert_eq!(json::to_vec_pretty(&members), bytes(FILE, "consumer_list_pretty"));
    assert_eq!(json::to_vec_pretty(&LockBatchResponseBody::default()), bytes(FILE, "consumer_list_empty_pretty"));
    assert_eq!(read::<KVTable>("kv_table").table["key"], UNICODE);
    assert!(read::<TopicList>("topic_list").topic_list.contains("TopicTest"));
    let check: CheckClientRequestBody = read("check_client");
    assert_eq!(check.subscription_data, SubscriptionData::by_tags("TopicTest", "*", TIME));
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct QueueKeys {
    offset_table: BTreeMap<MessageQueueKey, i64>,
}

#[test]
fn maps_by_message_queue_have_raw_object_keys() {
    let keys: QueueKeys = read("queue_keys");
    let queue = MessageQueue { topic: "TopicTest".into(), broker_name: "broker-a".into(), queue_id: 3 };
    assert_eq!(keys.offset_table[&MessageQueueKey(queue)], 10);
    let quoted = r#"{"offsetTable":{"{\"brokerName\":\"broker-a\",\"queueId\":3,\"topic\":\"TopicTest\"}":"10"}}"#;
    assert_eq!(json::from_slice::<QueueKeys>(quoted.as_bytes()).unwrap(), keys);
}

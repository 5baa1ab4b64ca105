//! Heartbeats, groups, locks.

mod support;

use rocketmq_codec::body::{GetConsumerListByGroupResponseBody, LockBatchResponseBody};
use rocketmq_codec::{request_code, response_code};
use support::{Peer, TestBroker, parse, pull_fields};

fn members(peer: &mut Peer) -> Vec<String> {
    let answer = peer.call(request_code::GET_CONSUMER_LIST_BY_GROUP, &[("consumerGroup", "CG")], &[]);
    if answer.code != response_code::SUCCESS {
        assert_eq!(answer.remark, "no consumer for this group, CG");
        return Vec::new();
    }
    let mut ids = parse::<GetConsumerListByGroupResponseBody>(&answer.body).consumer_id_list;
    ids.sort();
    ids
}

/// Waits for the request that says that the members of CG changed.
fn expect_notify(peer: &mut Peer) {
    let request = peer.receive();
    assert_eq!((request.code, request.flag), (request_code::NOTIFY_CONSUMER_IDS_CHANGED, 2), "oneway request");
    assert_eq!(request.field("consumerGroup"), "CG");
}

#[test]
fn members_of_a_group_hear_of_each_others_coming_and_going() {
    let server = TestBroker::start();
    let (mut first, mut second) = (server.connect(), server.connect());
    let answer = first.heartbeat("c1", "CG", "T");
    assert_eq!((answer.field("IS_SUPPORT_HEART_BEAT_V2"), answer.field("IS_SUB_CHANGE")), ("true", "true"));
    assert_eq!(members(&mut first), ["c1"]);
    second.heartbeat("c2", "CG", "T");
    expect_notify(&mut first);
    assert_eq!(members(&mut second), ["c1", "c2"]);
    let leaving = [("clientID", "c2"), ("consumerGroup", "CG")];
    assert_eq!(second.call(request_code::UNREGISTER_CLIENT, &leaving, &[]).code, response_code::SUCCESS);
    expect_notify(&mut first);
    assert_eq!(members(&mut first), ["c1"]);
    second.heartbeat("c2", "CG", "T");
    expect_notify(&mut first);
    drop(second);
    expect_notify(&mut first);
    assert_eq!(members(&mut first), ["c1"], "a connection that ends takes its clients with it");
}

#[test]
fn a_heartbeat_makes_the_retry_topic_of_its_group() {
    let server = TestBroker::start();
    let mut peer = server.connect();
    peer.heartbeat("c1", "CG", "T");
    let answer = peer.call(request_code::GET_TOPIC_CONFIG, &[("topic", "%RETRY%CG")], &[]);
    assert_eq!(answer.code, response_code::SUCCESS, "{answer:?}");
}

#[test]
fn a_pull_without_own_subscription_needs_the_heartbeats() {
    let server = TestBroker::start();
    let mut peer = server.connect();
    peer.send("T", 0, b"x", "");
    let pull = pull_fields("T", "0", "0", "", "0", "0");
    let before = peer.call(request_code::PULL_MESSAGE, &pull, &[]);
    assert_eq!(before.code, response_code::SUBSCRIPTION_NOT_EXIST, "{before:?}");
    peer.heartbeat("c1", "CG", "T");
    assert_eq!(peer.call(request_code::PULL_MESSAGE, &pull, &[]).records().len(), 1);
    let mut newer = pull.clone();
    newer.retain(|(key, _)| *key != "subVersion");
    newer.push(("subVersion", "2"));
    let late = peer.call(request_code::PULL_MESSAGE, &newer, &[]);
    assert_eq!(late.code, response_code::SUBSCRIPTION_NOT_LATEST);
}

#[test]
fn a_queue_is_locked_for_one_client_at_a_time() {
    let server = TestBroker::start();
    let mut peer = server.connect();
    let mut lock = |code, client: &str| {
        let body = format!(
            r#"{{"clientId":"{client}","consumerGroup":"CG","mqSet":[{{"brokerName":"broker-test","queueId":0,"topic":"T"}}],"onlyThisBroker":false}}"#
        );
        let answer = peer.call(code, &[], body.as_bytes());
        assert_eq!(answer.code, response_code::SUCCESS);
        answer.body
    };
    let mut held =
        |client| parse::<LockBatchResponseBody>(&lock(request_code::LOCK_BATCH_MQ, client)).lock_ok_mq_set.len();
    assert_eq!((held("a"), held("b"), held("a")), (1, 0, 1));
    lock(request_code::UNLOCK_BATCH_MQ, "a");
    let body = lock(request_code::LOCK_BATCH_MQ, "b");
    assert_eq!(parse::<LockBatchResponseBody>(&body).lock_ok_mq_set.len(), 1);
}

#[test]
fn a_message_sent_back_for_the_last_time_becomes_a_dead_letter() {
    let server = TestBroker::start();
    let mut peer = server.connect();
    peer.heartbeat("c1", "CG", "T");
    let sent = peer.send("T", 0, b"poison", "KEYS\u{1}k\u{2}");
    let pulled = peer.pull("T", 0, 0, "*");
    let offset = pulled.records()[0].physical_offset.to_string();
    let mut back = |delay_level| {
        let fields = [("offset", offset.as_str()), ("group", "CG"), ("delayLevel", delay_level), ("unitMode", "false")];
        peer.call(request_code::CONSUMER_SEND_MSG_BACK, &fields, &[])
    };
    let later = back("0");
    assert_eq!(later.code, response_code::REQUEST_CODE_NOT_SUPPORTED, "{later:?}");
    assert_eq!(back("-1").code, response_code::SUCCESS);
    let dead = peer.pull("%DLQ%CG", 0, 0, "*");
    let records = dead.records();
    let record = &records[0];
    assert_eq!((record.body, record.reconsume_times), (&b"poison"[..], 1));
    let property = |name| rocketmq_codec::message::properties::get(&record.properties, name);
    assert_eq!((property("RETRY_TOPIC"), property("KEYS")), (Some("T"), Some("k")));
    assert_eq!(property("ORIGIN_MESSAGE_ID"), Some(sent.field("msgId")));
}

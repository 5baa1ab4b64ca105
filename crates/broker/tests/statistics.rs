//! What administrators are told of topics, groups and the broker: 28, 202, 208.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use rocketmq_codec::body::{KVTable, MessageQueueKey};
use rocketmq_codec::{request_code, response_code};
use rocketmq_env::VirtualClock;
use serde::Deserialize;
use serde::de::IgnoredAny;
use support::{Peer, TestBroker, parse, until};

/// `TopicStatsTable` and `ConsumeStats`, of which only the queues matter here.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stats {
    offset_table: BTreeMap<MessageQueueKey, IgnoredAny>,
}

fn create_topic(peer: &mut Peer, topic: &str, read_queue_nums: &str, write_queue_nums: &str) {
    let fields = [
        ("topic", topic),
        ("defaultTopic", "TBW102"),
        ("readQueueNums", read_queue_nums),
        ("writeQueueNums", write_queue_nums),
        ("perm", "6"),
        ("topicFilterType", "SINGLE_TAG"),
        ("order", "false"),
    ];
    let answer = peer.call(request_code::UPDATE_AND_CREATE_TOPIC, &fields, &[]);
    assert_eq!(answer.code, response_code::SUCCESS, "{answer:?}");
}

fn topics_in_consume_stats(peer: &mut Peer, more: &[(&str, &str)]) -> Vec<String> {
    let mut fields = vec![("consumerGroup", "CG")];
    fields.extend_from_slice(more);
    let answer = peer.call(request_code::GET_CONSUME_STATS, &fields, &[]);
    assert_eq!(answer.code, response_code::SUCCESS, "{answer:?}");
    let topics: BTreeSet<_> = parse::<Stats>(&answer.body).offset_table.into_keys().map(|key| key.0.topic).collect();
    topics.into_iter().collect()
}

#[test]
fn topic_stats_cover_queues_that_are_only_read_or_only_written() {
    let server = TestBroker::start();
    let mut peer = server.connect();
    for (topic, read, write) in [("Shrinking", "3", "1"), ("Growing", "1", "4")] {
        create_topic(&mut peer, topic, read, write);
        let answer = peer.call(request_code::GET_TOPIC_STATS_INFO, &[("topic", topic)], &[]);
        let queues: Vec<_> =
            parse::<Stats>(&answer.body).offset_table.into_keys().map(|key| key.0.queue_id.to_string()).collect();
        assert_eq!(queues.len().to_string(), read.max(write), "{topic}: {queues:?}");
    }
}

#[test]
fn consume_stats_leave_out_topics_that_a_connected_group_gave_up() {
    let server = TestBroker::start();
    let mut peer = server.connect();
    peer.heartbeat("client", "CG", "GivenUp");
    for topic in ["Kept", "GivenUp"] {
        create_topic(&mut peer, topic, "1", "1");
        let fields = [("consumerGroup", "CG"), ("topic", topic), ("queueId", "0"), ("commitOffset", "1")];
        let answer = peer.call(request_code::UPDATE_CONSUMER_OFFSET, &fields, &[]);
        assert_eq!(answer.code, response_code::SUCCESS, "{answer:?}");
    }
    peer.call(request_code::UNREGISTER_CLIENT, &[("clientID", "client"), ("consumerGroup", "CG")], &[]);
    assert_eq!(topics_in_consume_stats(&mut peer, &[]), ["GivenUp", "Kept"], "nobody is connected");
    peer.heartbeat("client", "CG", "Kept");
    assert_eq!(topics_in_consume_stats(&mut peer, &[]), ["Kept"]);
    assert!(topics_in_consume_stats(&mut peer, &[("topic", "GivenUp")]).is_empty());
    let listed = [("topicList", "GivenUp;Unknown;"), ("topic", "Kept")];
    assert_eq!(topics_in_consume_stats(&mut peer, &listed), ["GivenUp"], "topics of a list, whoever subscribes");
}

#[test]
fn runtime_info_has_rates_and_the_totals_of_this_morning() {
    const SECOND: Duration = Duration::from_secs(1);
    let clock = Arc::new(VirtualClock::new(24 * 60 * 60 * 1_000 - 5_000));
    let server = TestBroker::start_with(Arc::clone(&clock) as _, |_| {});
    let mut peer = server.connect();
    peer.send("T", 0, b"yesterday", "");
    let mut info = KVTable::default();
    // The sampler runs on a thread of its own: the clock moves until it saw the new day, and then enough seconds of it.
    until("a new day began", || {
        clock.advance(SECOND);
        info = runtime_info(&mut peer);
        info.table["msgPutTotalTodayMorning"] == "1"
    });
    assert_eq!(info.table["msgPutTotalYesterdayMorning"], "0");
    peer.send("T", 0, b"today", "");
    peer.pull("T", 0, 0, "*");
    until("rates are known", || {
        clock.advance(SECOND);
        info = runtime_info(&mut peer);
        let ten_seconds = |key: &str| info.table[key].split(' ').next().unwrap().parse::<f64>();
        ["putTps", "getFoundTps", "getTotalTps", "getTransferredTps"].iter().all(|key| ten_seconds(key).is_ok())
    });
    assert_eq!((&*info.table["msgPutTotalTodayNow"], &*info.table["msgGetTotalTodayNow"]), ("2", "2"));
    let zeros = ["msgGetTotalTodayMorning", "dispatchBehindBytes", "pageCacheLockTimeMills", "sendThreadPoolQueueSize"];
    for key in zeros {
        assert_eq!(info.table[key], "0", "{key}");
    }
}

fn runtime_info(peer: &mut Peer) -> KVTable {
    parse(&peer.call(request_code::GET_BROKER_RUNTIME_INFO, &[], &[]).body)
}

//! What strangers can do to a broker.

mod support;

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use rocketmq_codec::{request_code, response_code};
use rocketmq_env::{OsFs, SystemClock};
use support::{TestBroker, pull_fields, send_fields};

#[test]
fn a_malformed_frame_ends_only_its_connection() {
    let server = TestBroker::start();
    let mut good = server.connect();
    for garbage in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0x7F, 0xFF, 0xFF, 0xFF, 0, 0], &[0xFF; 64], &[0, 0, 0, 2, 0, 0]] {
        let mut bad = server.connect();
        bad.write(garbage);
        assert!(bad.try_receive().is_none(), "{garbage:?}");
    }
    assert_eq!(good.send("T", 0, b"x", "").code, response_code::SUCCESS);
}

#[test]
fn what_came_before_a_malformed_frame_is_answered() {
    let server = TestBroker::start();
    let mut peer = server.connect();
    let mut bytes = peer.frame(request_code::GET_MAX_OFFSET, &[("topic", "T"), ("queueId", "0")], &[]);
    bytes.extend_from_slice(&[0xFF; 16]);
    peer.write(&bytes);
    assert_eq!(peer.receive().number("offset"), 0);
    assert!(peer.try_receive().is_none());
}

#[test]
fn a_peer_that_does_not_read_is_not_read_from() {
    let server = TestBroker::start();
    let mut good = server.connect();
    for _ in 0..32 {
        good.send("T", 0, &[7; 8 * 1024], "");
    }
    let mut slow = server.connect();
    let pull = slow.frame(request_code::PULL_MESSAGE, &pull_fields("T", "0", "0", "*", "4", "0"), &[]);
    let pulls = pull.repeat(100);
    // Each pull asks for 256 KiB. A server that went on reading would have to keep many gigabytes for all of these.
    slow.stream.set_write_timeout(Some(Duration::from_secs(2))).unwrap();
    let taken = (0..2_000).take_while(|_| slow.stream.write_all(&pulls).is_ok()).count();
    assert!(taken < 2_000, "all {taken} batches were read though nothing was taken back");
    assert_eq!(good.send("T", 0, b"x", "").code, response_code::SUCCESS, "others are served meanwhile");
}

#[test]
fn headers_that_lack_fields_are_answered_with_their_names() {
    let server = TestBroker::start();
    let answer = server.connect().call(request_code::SEND_MESSAGE_V2, &[("a", "PG")], b"x");
    assert_eq!(answer.code, response_code::SYSTEM_ERROR);
    assert!(answer.remark.contains("<b>"), "{}", answer.remark);
    let answer = server.connect().call(request_code::HEART_BEAT, &[], b"{not json");
    assert_eq!(answer.code, response_code::SYSTEM_ERROR);
}

#[test]
fn however_many_queues_a_topic_is_said_to_have_only_those_in_use_cost_memory() {
    let most = i32::MAX.to_string();
    let server = TestBroker::start();
    let mut peer = server.connect();
    let fields = [
        ("topic", "T"),
        ("defaultTopic", "TBW102"),
        ("readQueueNums", most.as_str()),
        ("writeQueueNums", most.as_str()),
        ("perm", "7"),
        ("topicFilterType", "SINGLE_TAG"),
        ("order", "false"),
    ];
    assert_eq!(peer.call(request_code::UPDATE_AND_CREATE_TOPIC, &fields, &[]).code, response_code::SUCCESS);
    let group = format!(r#"{{"groupName":"CG","retryQueueNums":{most},"consumeEnable":true}}"#);
    let code = request_code::UPDATE_AND_CREATE_SUBSCRIPTIONGROUP;
    assert_eq!(peer.call(code, &[], group.as_bytes()).code, response_code::SUCCESS);
    assert_eq!(peer.heartbeat("c1", "CG", "T").code, response_code::SUCCESS);
    // What inherits from T has as many if the client wants them.
    let fields: Vec<_> = send_fields("Heir", "0", "")
        .into_iter()
        .map(|(name, value)| match name {
            "c" => (name, "T"),
            "d" => (name, most.as_str()),
            _ => (name, value),
        })
        .collect();
    assert_eq!(peer.call(request_code::SEND_MESSAGE_V2, &fields, b"x").code, response_code::SUCCESS);
    // After a restart they come from topics.json.
    let (_, directory) = server.stop();
    let server = TestBroker::start_in(directory, Arc::new(OsFs), Arc::new(SystemClock::new()), |_| {});
    let mut peer = server.connect();
    for topic in ["T", "Heir", "%RETRY%CG"] {
        let config = peer.call(request_code::GET_TOPIC_CONFIG, &[("topic", topic)], &[]);
        let text = String::from_utf8(config.body).unwrap();
        assert!(text.contains(&format!("\"readQueueNums\":{most}")), "{text}");
    }
    for queue_id in [0, 1023, 1024, i32::MAX - 1] {
        for offset in 0..2 {
            assert_eq!(peer.send("T", queue_id, b"x", "").number("queueOffset"), offset, "queue {queue_id}");
        }
        assert_eq!(peer.pull("T", queue_id, 0, "*").records().len(), 2, "queue {queue_id}");
    }
    assert_eq!(peer.send("T", i32::MAX, b"x", "").code, response_code::INVALID_PARAMETER);
    let stats = peer.call(request_code::GET_TOPIC_STATS_INFO, &[("topic", "T")], &[]);
    assert_eq!(stats.code, response_code::SYSTEM_ERROR);
    assert!(stats.remark.contains("do not fit into an answer"), "{}", stats.remark);
    let stats = peer.call(request_code::GET_CONSUME_STATS, &[("consumerGroup", "CG"), ("topic", "T")], &[]);
    assert_eq!(stats.code, response_code::SYSTEM_ERROR);
}

//! Messages by key, unique key and tag: request 12.
#![allow(clippy::unwrap_used, reason = "a test that unwraps in vain fails, which is what it is for")]

mod support;

use std::sync::Arc;

use rocketmq_codec::{request_code, response_code};
use rocketmq_env::SystemClock;
use support::{Peer, Received, TestBroker};

fn ask(peer: &mut Peer, key: &str, more: &[(&str, &str)]) -> Received {
    let max = i64::MAX.to_string();
    let mut fields = vec![("topic", "T"), ("key", key), ("beginTimestamp", "0"), ("endTimestamp", max.as_str())];
    if !more.iter().any(|(name, _)| *name == "maxNum") {
        fields.push(("maxNum", "64"));
    }
    fields.extend_from_slice(more);
    peer.call(request_code::QUERY_MESSAGE, &fields, &[])
}

fn bodies(answer: &Received) -> Vec<String> {
    answer.records().iter().map(|record| String::from_utf8(record.body.to_vec()).unwrap()).collect()
}

#[test]
fn messages_are_found_by_key_unique_key_and_tag() {
    let server = TestBroker::start();
    let mut peer = server.connect();
    for number in 0..5 {
        let properties =
            format!("KEYS\u{1}all key{number}\u{2}UNIQ_KEY\u{1}ID{number}\u{2}TAGS\u{1}tag{}\u{2}", number % 2);
        assert_eq!(peer.send("T", 0, format!("body {number}").as_bytes(), &properties).code, response_code::SUCCESS);
    }
    assert_eq!(bodies(&ask(&mut peer, "key3", &[])), ["body 3"]);
    assert_eq!(bodies(&ask(&mut peer, "ID4", &[("indexType", "K")])), ["body 4"]);
    assert_eq!(bodies(&ask(&mut peer, "all", &[("maxNum", "2")])), ["body 3", "body 4"]);
    // The number is the broker's for unique keys.
    let unique = [("_UNIQUE_KEY_QUERY", "true"), ("maxNum", "0")];
    assert_eq!(bodies(&ask(&mut peer, "ID2", &unique)), ["body 2"]);
    let by_tag = ask(&mut peer, "tag1", &[("indexType", "T")]);
    assert_eq!(bodies(&by_tag), ["body 1", "body 3"]);
    let last = ask(&mut peer, "key4", &[]);
    assert_eq!(by_tag.number("indexLastUpdatePhyoffset"), last.records()[0].physical_offset);
    assert_eq!(by_tag.number("indexLastUpdateTimestamp"), last.records()[0].store_timestamp);
}

#[test]
fn a_key_that_nobody_has_is_not_found_and_a_query_without_times_is_refused() {
    let server = TestBroker::start();
    let mut peer = server.connect();
    peer.send("T", 0, b"body", "KEYS\u{1}key\u{2}");
    let found = ask(&mut peer, "key", &[]);
    let none = ask(&mut peer, "tag1", &[]);
    assert_eq!(none.code, response_code::QUERY_NOT_FOUND);
    assert_eq!(none.remark, "can not find message, maybe time range not correct");
    // (`QueryMessageProcessor#queryMessage` sets these before it looks at what was found.)
    for field in ["indexLastUpdateTimestamp", "indexLastUpdatePhyoffset"] {
        assert_eq!(none.number(field), found.number(field), "{field}");
    }
    let lacking = peer.call(request_code::QUERY_MESSAGE, &[("topic", "T"), ("key", "key"), ("maxNum", "1")], &[]);
    assert_eq!(lacking.code, response_code::SYSTEM_ERROR);
    assert!(lacking.remark.contains("beginTimestamp"), "{}", lacking.remark);
}

#[test]
fn an_answer_is_no_longer_than_a_client_takes_and_holds_the_newest() {
    let server = TestBroker::start_with(Arc::new(SystemClock::new()), |_| {});
    let mut peer = server.connect();
    for number in 0..6_u8 {
        let answer = peer.send("T", 0, &vec![number; 3 << 20], "KEYS\u{1}large\u{2}");
        assert_eq!(answer.code, response_code::SUCCESS);
    }
    let answer = ask(&mut peer, "large", &[]);
    let first_bytes: Vec<u8> = answer.records().iter().map(|record| record.body[0]).collect();
    assert_eq!(first_bytes, [2, 3, 4, 5]);
}

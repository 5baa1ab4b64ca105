//! Messages in and out: 310, 10, 320, 11.

mod support;

use rocketmq_codec::message::{batch, properties};
use rocketmq_codec::{SerializeType, request_code, response_code};
use support::{TestBroker, send_fields};

#[test]
fn a_message_comes_back_as_it_was_sent_in_both_encodings() {
    let server = TestBroker::start();
    let mut peer = server.connect();
    for (round, encoding) in [SerializeType::Json, SerializeType::RocketMq].into_iter().enumerate() {
        peer.serialize_type = encoding;
        let sent = peer.send("T", 1, b"hello", "KEYS\u{1}k\u{2}UNIQ_KEY\u{1}ABC\u{2}WAIT\u{1}true\u{2}");
        assert_eq!(sent.code, response_code::SUCCESS, "{sent:?}");
        assert_eq!((sent.number("queueId"), sent.number("queueOffset")), (1, round as i64));
        assert_eq!(sent.field("transactionId"), "ABC");
        assert_eq!((sent.field("MSG_REGION"), sent.field("TRACE_ON")), ("DefaultRegion", "true"));
        let pulled = peer.pull("T", 1, round as i64, "*");
        assert_eq!(pulled.code, response_code::SUCCESS, "{pulled:?}");
        assert_eq!(pulled.number("nextBeginOffset"), round as i64 + 1);
        assert_eq!((pulled.number("minOffset"), pulled.number("maxOffset")), (0, round as i64 + 1));
        let records = pulled.records();
        let [record] = records.as_slice() else { panic!("{records:?}") };
        assert_eq!((record.body, &*record.topic, record.queue_id, record.flag), (&b"hello"[..], "T", 1, 7));
        assert_eq!(record.born_timestamp, 1_700_000_000_000);
        assert_eq!(record.born_host, peer.stream.local_addr().unwrap().into());
        assert_eq!(record.store_host, server.broker.local_addr().into());
        assert_eq!(&*record.offset_message_id(), sent.field("msgId"));
        let property = |name| properties::get(&record.properties, name);
        assert_eq!((property("KEYS"), property("UNIQ_KEY"), property("WAIT")), (Some("k"), Some("ABC"), Some("true")));
        assert_eq!((property("CLUSTER"), property("TRACE_ON")), (Some("DefaultCluster"), Some("true")));
    }
}

#[test]
fn the_long_header_of_code_10_is_understood_too() {
    let server = TestBroker::start();
    let mut peer = server.connect();
    let fields = [
        ("producerGroup", "PG"),
        ("topic", "T"),
        ("defaultTopic", "TBW102"),
        ("defaultTopicQueueNums", "4"),
        ("queueId", "0"),
        ("sysFlag", "0"),
        ("bornTimestamp", "1"),
        ("flag", "0"),
    ];
    let sent = peer.call(request_code::SEND_MESSAGE, &fields, b"x");
    assert_eq!(sent.code, response_code::SUCCESS, "{sent:?}");
    assert_eq!(sent.field("transactionId").len(), 32, "the broker gave it a unique id");
}

#[test]
fn a_burst_of_sends_is_answered_one_by_one_in_order() {
    let server = TestBroker::start();
    let mut peer = server.connect();
    peer.serialize_type = SerializeType::RocketMq;
    // A topic that is new is written first, and others are answered meanwhile.
    assert_eq!(peer.call(request_code::SEND_MESSAGE_V2, &send_fields("T", "1", ""), b"first").code, 0);
    let mut bytes = Vec::new();
    for number in 0..500 {
        let queue_id = (number % 4).to_string();
        let fields = send_fields("T", &queue_id, "");
        bytes.extend(peer.frame(request_code::SEND_MESSAGE_V2, &fields, format!("m{number}").as_bytes()));
    }
    bytes.extend(peer.frame(request_code::GET_MAX_OFFSET, &[("topic", "T"), ("queueId", "3")], &[]));
    peer.write(&bytes);
    for number in 0..500 {
        let sent = peer.receive();
        assert_eq!((sent.code, sent.opaque), (response_code::SUCCESS, number + 2));
        assert_eq!(sent.number("queueOffset"), i64::from(number / 4) + i64::from(number % 4 == 1));
    }
    assert_eq!(peer.receive().number("offset"), 125, "what is asked behind sends sees them");
    let pulled = peer.pull("T", 2, 0, "*");
    let records = pulled.records();
    let bodies: Vec<_> = records.iter().map(|record| record.body).collect();
    assert_eq!(bodies.len(), 32);
    assert_eq!((bodies[0], bodies[31]), (&b"m2"[..], &b"m126"[..]));
}

#[test]
fn a_batch_is_stored_message_by_message_with_consecutive_offsets() {
    let server = TestBroker::start();
    let mut peer = server.connect();
    let mut body = Vec::new();
    for number in 0..3 {
        let property = format!("UNIQ_KEY\u{1}U{number}\u{2}TAGS\u{1}TagA\u{2}");
        batch::append(&mut body, number, format!("b{number}").as_bytes(), &property).unwrap();
    }
    let mut fields = send_fields("T", "0", "UNIQ_KEY\u{1}BATCH\u{2}");
    fields.retain(|(key, _)| *key != "m");
    fields.push(("m", "true"));
    let sent = peer.call(request_code::SEND_BATCH_MESSAGE, &fields, &body);
    assert_eq!(sent.code, response_code::SUCCESS, "{sent:?}");
    assert_eq!((sent.number("queueOffset"), sent.field("transactionId")), (0, "BATCH"));
    let pulled = peer.pull("T", 0, 0, "TagA");
    let records = pulled.records();
    let ids: Vec<_> = records.iter().map(|record| record.offset_message_id().to_string()).collect();
    assert_eq!(ids.join(","), sent.field("msgId"));
    for (number, record) in records.iter().enumerate() {
        assert_eq!((record.queue_offset, record.flag), (number as i64, number as i32));
        assert_eq!(record.properties, format!("UNIQ_KEY\u{1}U{number}\u{2}TAGS\u{1}TagA\u{2}"), "nothing is added");
    }
}

#[test]
fn a_damaged_batch_is_refused_whole() {
    let server = TestBroker::start();
    let mut peer = server.connect();
    let mut body = Vec::new();
    batch::append(&mut body, 0, b"whole", "").unwrap();
    body.extend_from_slice(&[0, 0, 0, 99, 1]);
    let mut fields = send_fields("T", "0", "");
    fields.retain(|(key, _)| *key != "m");
    fields.push(("m", "true"));
    assert_eq!(peer.call(request_code::SEND_BATCH_MESSAGE, &fields, &body).code, response_code::MESSAGE_ILLEGAL);
    assert_eq!(peer.call(request_code::GET_MAX_OFFSET, &[("topic", "T"), ("queueId", "0")], &[]).number("offset"), 0);
}

#[test]
fn a_pull_gets_only_the_tags_it_asks_for() {
    let server = TestBroker::start();
    let mut peer = server.connect();
    for tag in ["TagA", "TagB", "TagC", "TagB"] {
        peer.send("T", 0, tag.as_bytes(), &format!("TAGS\u{1}{tag}\u{2}"));
    }
    let pulled = peer.pull("T", 0, 0, "TagB || TagC");
    let records = pulled.records();
    let bodies: Vec<_> = records.iter().map(|record| record.body).collect();
    assert_eq!(bodies, [b"TagB", b"TagC", b"TagB"]);
    let none = peer.pull("T", 0, 0, "TagX");
    assert_eq!((none.code, none.remark.as_str()), (response_code::PULL_RETRY_IMMEDIATELY, "NO_MATCHED_MESSAGE"));
    assert_eq!(none.number("nextBeginOffset"), 4);
}

#[test]
fn offsets_beyond_the_queue_are_corrected() {
    let server = TestBroker::start();
    let mut peer = server.connect();
    peer.send("T", 0, b"x", "");
    let overflow = peer.pull("T", 0, 99, "*");
    assert_eq!((overflow.code, overflow.number("nextBeginOffset")), (response_code::PULL_OFFSET_MOVED, 1));
    assert_eq!(overflow.remark, "OFFSET_OVERFLOW_BADLY");
    let end = peer.pull("T", 0, 1, "*");
    assert_eq!((end.code, end.remark.as_str()), (response_code::PULL_NOT_FOUND, "OFFSET_OVERFLOW_ONE"));
    assert_eq!(peer.pull("T", 1, 0, "*").code, response_code::PULL_NOT_FOUND, "an empty queue");
    assert_eq!(peer.pull("T", 9, 0, "*").code, response_code::INVALID_PARAMETER);
    assert_eq!(peer.pull("Other", 0, 0, "*").code, response_code::TOPIC_NOT_EXIST);
}

#[test]
fn a_topic_is_created_by_the_first_send_only_where_that_is_allowed() {
    let server = TestBroker::start_with(std::sync::Arc::new(rocketmq_env::SystemClock::new()), |config| {
        config.auto_create_topic_enable = false;
    });
    let mut peer = server.connect();
    let refused = peer.send("T", 0, b"x", "");
    assert_eq!(refused.code, response_code::TOPIC_NOT_EXIST, "{refused:?}");
    assert!(refused.remark.starts_with("topic[T] not exist, apply first please!"), "{}", refused.remark);
    let server = TestBroker::start();
    assert_eq!(server.connect().send("T", 3, b"x", "").code, response_code::SUCCESS);
    assert_eq!(
        server.connect().send("T", 4, b"x", "").code,
        response_code::INVALID_PARAMETER,
        "4 queues by the client's wish"
    );
    assert_eq!(server.connect().send("bad.name", 0, b"x", "").code, response_code::INVALID_PARAMETER);
    assert_eq!(server.connect().send("SCHEDULE_TOPIC_XXXX", 0, b"x", "").code, response_code::NO_PERMISSION);
}

#[test]
fn messages_that_need_what_is_not_there_are_refused_and_not_stored() {
    let server = TestBroker::start();
    let mut peer = server.connect();
    peer.send("T", 0, b"plain", "");
    for property in [
        "DELAY\u{1}3\u{2}",
        "TIMER_DELAY_SEC\u{1}5\u{2}",
        "TIMER_DELIVER_MS\u{1}5\u{2}",
        "TRAN_MSG\u{1}true\u{2}",
        "CORRELATION_ID\u{1}id\u{2}REPLY_TO_CLIENT\u{1}client\u{2}TTL\u{1}3000\u{2}",
    ] {
        let refused = peer.send("T", 0, b"x", property);
        assert_eq!(refused.code, response_code::REQUEST_CODE_NOT_SUPPORTED, "{property:?}");
        assert!(refused.remark.contains("was not stored"), "{}", refused.remark);
    }
    assert_eq!(peer.call(request_code::GET_MAX_OFFSET, &[("topic", "T"), ("queueId", "0")], &[]).number("offset"), 1);
}

#[test]
fn illegal_messages_are_refused_one_by_one() {
    let server = TestBroker::start_with(std::sync::Arc::new(rocketmq_env::SystemClock::new()), |config| {
        config.store.max_message_bytes = 1000;
    });
    let mut peer = server.connect();
    assert_eq!(peer.send("T", 0, &[1; 1001], "").code, response_code::MESSAGE_ILLEGAL);
    assert_eq!(peer.send("T", 0, b"", "").code, response_code::MESSAGE_ILLEGAL);
    let long = format!("k\u{1}{}\u{2}", "v".repeat(32_767));
    assert_eq!(peer.send("T", 0, b"x", &long).code, response_code::MESSAGE_ILLEGAL);
    for property in ["INNER_NUM\u{1}3", "INNER_MULTI_DISPATCH\u{1}%LMQ%a"] {
        let refused = peer.send("T", 0, b"x", property);
        assert_eq!(refused.code, response_code::MESSAGE_ILLEGAL, "{property:?}");
        assert!(refused.remark.contains(&property[..9]), "{}", refused.remark);
    }
    assert_eq!(peer.send("T", 0, &[1; 1000], "").code, response_code::SUCCESS);
}

#[test]
fn an_unknown_request_code_is_answered_with_apaches_remark() {
    let server = TestBroker::start();
    let answer = server.connect().call(9999, &[], &[]);
    assert_eq!(answer.code, response_code::REQUEST_CODE_NOT_SUPPORTED);
    assert_eq!(answer.remark, " request type 9999 not supported");
}

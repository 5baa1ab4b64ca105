//! JSON as strangers write it: headers and bodies that are not quite what Apache emits, and what is refused.

use std::collections::BTreeMap;

use proptest::prelude::*;
use rocketmq_codec::body::{
    ConsumerData, HeartbeatData, LockBatchRequestBody, SubscriptionGroupConfig, TopicRouteData,
};
use rocketmq_codec::json::{self, JsonError};
use rocketmq_codec::{Command, FrameError, FrameWriter, Head, SerializeType, header, language_code};

fn frame(header: &str) -> Vec<u8> {
    let mut frame = (header.len() as u32 + 4).to_be_bytes().to_vec();
    frame.extend_from_slice(&(header.len() as u32).to_be_bytes());
    frame.extend_from_slice(header.as_bytes());
    frame
}

fn ext<'a>(command: &'a Command<'_>) -> Vec<(&'a str, &'a str)> {
    command.ext.iter().collect()
}

#[test]
fn a_header_may_have_text_for_numbers_blanks_and_members_nobody_knows() {
    let frame = frame(
        " { \"opaque\" : \"7\" , \"code\":\"310\", \"x\":[1,{\"y\":\"]}\"}], \"language\":\"GO\", \"flag\":1,\"version\":317 ,\n\
         \"extFields\" : { \"a\" : 5, \"b\":true, \"c\":null, \"d\":\"\\u00fc\\ud83d\\ude80\", \"e\":-1.5, \"f\":\"\" } } \n",
    );
    let command = Command::decode(&frame).unwrap();
    assert_eq!((command.code, command.opaque, command.flag, command.version), (310, 7, 1, 317));
    assert_eq!(command.language, language_code::GO);
    assert_eq!(ext(&command), [("a", "5"), ("b", "true"), ("d", "ü\u{1F680}"), ("e", "-1.5"), ("f", "")]);
}

#[test]
fn a_language_is_a_name_or_an_ordinal() {
    for (text, code) in [("\"CPP\"", 1), ("9", 9), ("\"KLINGON\"", language_code::OTHER), ("null", language_code::JAVA)]
    {
        let frame = frame(&format!("{{\"language\":{text}}}"));
        assert_eq!(Command::decode(&frame).unwrap().language, code, "{text}");
    }
}

#[test]
fn null_remarks_and_fields_are_absent() {
    let frame = frame(r#"{"remark":null,"extFields":null,"code":0,"opaque":1}"#);
    let command = Command::decode(&frame).unwrap();
    assert_eq!(command.remark, None);
    assert!(command.ext.is_empty());
}

#[test]
fn the_last_of_equal_fields_counts_in_both_encodings() {
    for serialize_type in [SerializeType::Json, SerializeType::RocketMq] {
        let mut out = Vec::new();
        let mut writer = FrameWriter::begin(&mut out, serialize_type, Head::request(30, 1));
        writer.ext_str("topic", "first");
        writer.ext_i32("queueId", 3);
        writer.ext_str("topic", "last");
        writer.finish().unwrap();
        let command = Command::decode(&out).unwrap();
        assert_eq!(command.ext.get("topic"), Some("last"));
        assert_eq!(command.header::<header::GetMinOffsetRequestHeader<'_>>().unwrap().topic, "last");
    }
}

#[test]
fn headers_that_are_no_json_are_refused_with_a_position() {
    for text in [
        "",
        "{",
        "[]",
        "{}x",
        "{\"code\"}",
        "{\"code\":}",
        "{\"code\":1",
        "{code:1}",
        "{\"code\":1,}",
        "{\"code\":1 \"flag\":2}",
        "{\"code\":4294967296}",
        "{\"code\":\"x\"}",
        "{\"remark\":\"\\q\"}",
        "{\"remark\":\"\\u12\"}",
        "{\"remark\":\"",
        "{\"extFields\":[]}",
        "{\"extFields\":{\"a\":[}}",
    ] {
        let error = Command::decode(&frame(text)).unwrap_err();
        assert!(matches!(error, FrameError::Json { .. }), "{text}: {error}");
    }
}

#[test]
fn nesting_that_would_overflow_the_stack_is_refused() {
    let deep = "[".repeat(1_000_000);
    Command::decode(&frame(&format!("{{\"x\":{deep}"))).unwrap_err();
    for text in
        [deep.clone(), format!("{{\"consumerDataSet\":{deep}"), "{\"a\":".repeat(1_000_000), "{{".repeat(1_000_000)]
    {
        let error = json::from_slice::<HeartbeatData>(text.as_bytes()).unwrap_err();
        assert!(matches!(error, JsonError::Syntax { .. }), "{error}");
    }
}

#[test]
fn bodies_may_have_bare_keys_quoted_numbers_nulls_and_unknown_names() {
    let route: TopicRouteData = json::from_slice(
        br#"{"brokerDatas":[{"brokerAddrs":{ 0 :"a:1", "1":"b:2"},"brokerName":"b","zoneName":null}],
            "queueDatas":[{"perm":"6","readQueueNums":4.0,"writeQueueNums":"8"}],"orderTopicConf":7,"new":{0:{1:[]}}}"#,
    )
    .unwrap();
    assert_eq!(route.broker_datas[0].broker_addrs, BTreeMap::from([(0, "a:1".into()), (1, "b:2".into())]));
    let queues = &route.queue_datas[0];
    assert_eq!((queues.perm, queues.read_queue_nums, queues.write_queue_nums), (6, 4, 8));
    assert_eq!(route.order_topic_conf.as_deref(), Some("7"));

    let consumer: ConsumerData = json::from_slice(
        br#"{"groupName":null,"consumeType":"CONSUME_SOMEHOW","messageModel":"BROADCASTING","unitMode":"true"}"#,
    )
    .unwrap();
    assert_eq!((consumer.consume_type, &*consumer.group_name, consumer.unit_mode), (None, "", true));
    assert!(consumer.message_model.is_some());
}

#[test]
fn absent_members_have_the_defaults_of_java() {
    let group: SubscriptionGroupConfig = json::from_slice(br#"{"groupName":"CG","retryMaxTimes":3}"#).unwrap();
    assert_eq!((group.retry_max_times, group.retry_queue_nums, group.consume_enable), (3, 1, true));
    let lock: LockBatchRequestBody = json::from_slice(b"{}").unwrap();
    assert_eq!(lock, LockBatchRequestBody::default());
}

#[test]
fn bodies_of_another_shape_are_refused() {
    for text in [
        "",
        "7",
        "{\"heartbeatFingerprint\":inf}",
        "{\"heartbeatFingerprint\":4.5}",
        "{\"clientID\":[]}",
        "{\"heartbeatFingerprint\":\"x\"}",
        "{\"producerDataSet\":{}}",
        "{} {}",
        "{\"a\":1",
        "\u{feff}",
    ] {
        json::from_slice::<HeartbeatData>(text.as_bytes()).unwrap_err();
    }
    json::from_slice::<HeartbeatData>(b"{\"clientID\":\"\xff\"}").unwrap_err();
}

proptest! {
    #[test]
    fn any_text_survives_in_both_encodings(remark in ".*", fields in prop::collection::vec((".+", ".+"), 0..8), body in prop::collection::vec(any::<u8>(), 0..64)) {
        for serialize_type in [SerializeType::Json, SerializeType::RocketMq] {
            let mut out = Vec::new();
            let head = Head { remark: (!remark.is_empty()).then_some(&*remark), ..Head::response(1, -9) };
            let mut writer = FrameWriter::begin(&mut out, serialize_type, head);
            for (key, value) in &fields {
                writer.ext_str(key, value);
            }
            writer.begin_body().extend_from_slice(&body);
            writer.finish().unwrap();
            let command = Command::decode(&out).unwrap();
            prop_assert_eq!(command.remark.as_deref(), head.remark);
            prop_assert_eq!(command.body, &*body);
            prop_assert_eq!(ext(&command), fields.iter().map(|(key, value)| (&**key, &**value)).collect::<Vec<_>>());
        }
    }

    #[test]
    fn any_bytes_are_a_body_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200), text in "[\\[\\]{}:,\"\\\\a0 -]*") {
        let _ = json::from_slice::<HeartbeatData>(&bytes);
        let _ = json::from_slice::<TopicRouteData>(text.as_bytes());
        let _ = Command::decode(&frame(&text));
    }
}

use std::collections::BTreeMap;

use rocketmq_codec::header::{
    BoundaryType, BrokerHeartbeatRequestHeader, ConsumerSendMsgBackRequestHeader, CreateTopicRequestHeader,
    GetMaxOffsetRequestHeader, NotifyConsumerIdsChangedRequestHeader, PullMessageRequestHeader,
    PullMessageResponseHeader, QueryConsumerOffsetRequestHeader, QueryDataVersionResponseHeader,
    RegisterBrokerRequestHeader, RpcRequestHeader, SearchOffsetRequestHeader, SendMessageRequestHeader,
    SendMessageRequestHeaderV2, SendMessageResponseHeader, UnregisterClientRequestHeader,
    UpdateConsumerOffsetRequestHeader,
};
use rocketmq_codec::{Command, EncodeHeader, FrameWriter, Head, Header, SerializeType, frame_length};

use crate::{TIME, UNICODE, bytes, lines, unhex};

const FILE: &str = include_str!("../../../testkit/golden/frames.txt");
const ENCODINGS: [(&str, SerializeType); 2] = [("json", SerializeType::Json), ("rocketmq", SerializeType::RocketMq)];

fn head<'a>(command: &'a Command<'_>) -> Head<'a> {
    Head {
        code: command.code,
        language: command.language,
        version: command.version,
        opaque: command.opaque,
        flag: command.flag,
        remark: command.remark.as_deref(),
    }
}

fn map<'a>(command: &'a Command<'_>) -> BTreeMap<&'a str, &'a str> {
    command.ext.iter().collect()
}

#[test]
fn every_frame_of_apache_comes_out_byte_for_byte_when_written_again() {
    for (name, hex) in lines(FILE) {
        let frame = unhex(hex);
        assert_eq!(frame_length(&frame, usize::MAX), Ok(Some(frame.len())), "{name}");
        let command = Command::decode(&frame).unwrap();
        let mut out = b"before".to_vec();
        let mut writer = FrameWriter::begin(&mut out, command.serialize_type, head(&command));
        // An empty header object is `"extFields":{}`, no header object is nothing at all.
        if name == "heartbeat.json" {
            writer.header(&RpcRequestHeader {
                logical: None,
                namespace: None,
                namespaced: None,
                broker_name: None,
                oneway: None,
            });
        }
        for (key, value) in command.ext.iter() {
            writer.ext_str(key, value);
        }
        writer.begin_body().extend_from_slice(command.body);
        writer.finish().unwrap();
        assert_eq!(out[6..], frame, "{name}");
    }
}

#[test]
fn both_encodings_of_a_command_say_the_same() {
    for (name, hex) in lines(FILE).filter(|(name, _)| name.ends_with(".json") && *name != "pop_code.json") {
        let (json, binary) = (unhex(hex), bytes(FILE, &name.replace(".json", ".rocketmq")));
        let (json, binary) = (Command::decode(&json).unwrap(), Command::decode(&binary).unwrap());
        assert_eq!((json.serialize_type, binary.serialize_type), (SerializeType::Json, SerializeType::RocketMq));
        assert_eq!((json.code, json.language, json.version), (binary.code, binary.language, binary.version), "{name}");
        assert_eq!((json.opaque, json.flag, json.body), (binary.opaque, binary.flag, binary.body), "{name}");
        assert_eq!(json.remark, binary.remark, "{name}");
        assert_eq!(map(&json), map(&binary), "{name}");
        assert_eq!((json.version, json.language), (513, 0), "{name}");
    }
}

#[test]
fn a_code_beyond_16_bits_is_lost_in_apaches_binary_form_and_written_as_json_by_us() {
    assert_eq!(Command::decode(&bytes(FILE, "pop_code.rocketmq")).unwrap().code, 3442);
    let mut out = Vec::new();
    FrameWriter::begin(&mut out, SerializeType::RocketMq, Head { language: 0, ..Head::request(200_050, 28) })
        .finish()
        .unwrap();
    assert_eq!(out, bytes(FILE, "pop_code.json"));
}

/// The golden frame's header decodes to `expected`, and `expected` (with `rest`, the inherited fields) encodes to the same fields. In
/// binary a header with Apache's own encoder (`fast`) is the same to the byte.
fn check<H>(name: &str, expected: &H, broker_name: Option<&str>, fast: bool)
where
    H: for<'a> Header<'a> + EncodeHeader + PartialEq + std::fmt::Debug,
{
    for (suffix, serialize_type) in ENCODINGS {
        let frame = bytes(FILE, &format!("{name}.{suffix}"));
        let command = Command::decode(&frame).unwrap();
        assert_eq!(command.header::<H>().as_ref(), Ok(expected), "{name}.{suffix}");
        check_encoding(&command, &frame, expected, broker_name, fast && serialize_type == SerializeType::RocketMq);
    }
}

fn check_encoding(
    command: &Command<'_>,
    frame: &[u8],
    header: &impl EncodeHeader,
    broker_name: Option<&str>,
    bytewise: bool,
) {
    let rpc = command.header::<RpcRequestHeader<'_>>().unwrap();
    assert_eq!(rpc.broker_name.as_deref(), broker_name);
    let mut out = Vec::new();
    let mut writer = FrameWriter::begin(&mut out, command.serialize_type, head(command));
    writer.header(header);
    writer.header(&rpc);
    writer.begin_body().extend_from_slice(command.body);
    writer.finish().unwrap();
    if bytewise {
        assert_eq!(out, frame);
    }
    assert_eq!(map(&Command::decode(&out).unwrap()), map(command));
}

/// [`check`] for a header that borrows.
macro_rules! check_borrowed {
    ($name:literal, $ty:ident, $expected:expr, $broker_name:expr, $fast:expr) => {
        for (suffix, serialize_type) in ENCODINGS {
            let frame = bytes(FILE, &format!("{}.{suffix}", $name));
            let command = Command::decode(&frame).unwrap();
            let expected = $expected;
            assert_eq!(command.header::<$ty<'_>>().as_ref(), Ok(&expected), "{}.{suffix}", $name);
            check_encoding(
                &command,
                &frame,
                &expected,
                $broker_name,
                $fast && serialize_type == SerializeType::RocketMq,
            );
        }
    };
}

const PROPERTIES: &str =
    "KEYS\u{1}k1 k2\u{2}TAGS\u{1}TagA\u{2}UNIQ_KEY\u{1}7F00000100002A9F4B3C000000000001\u{2}WAIT\u{1}true";

fn send_header() -> SendMessageRequestHeader<'static> {
    SendMessageRequestHeader {
        producer_group: "PG".into(),
        topic: "TopicTest".into(),
        default_topic: "TBW102".into(),
        default_topic_queue_nums: 4,
        queue_id: 1,
        sys_flag: 0,
        born_timestamp: TIME,
        flag: 7,
        properties: Some(PROPERTIES.into()),
        reconsume_times: Some(0),
        unit_mode: Some(false),
        batch: Some(false),
        max_reconsume_times: Some(16),
    }
}

#[test]
fn send_headers_decode_and_encode_like_apaches() {
    check_borrowed!("send_v1", SendMessageRequestHeader, send_header(), Some("broker-a"), false);
    check_borrowed!(
        "send_v2",
        SendMessageRequestHeaderV2,
        SendMessageRequestHeaderV2 { broker_name: Some("broker-a".into()), ..send_header().into() },
        None,
        true
    );
    check_borrowed!(
        "send_response",
        SendMessageResponseHeader,
        SendMessageResponseHeader {
            msg_id: "C0A8010A00002A9F0000000000000123".into(),
            queue_id: 1,
            queue_offset: 99,
            transaction_id: Some("7F00000100002A9F4B3C000000000001".into()),
            batch_uniq_id: None,
            recall_handle: None,
        },
        None,
        true
    );
    check_borrowed!(
        "send_back",
        ConsumerSendMsgBackRequestHeader,
        ConsumerSendMsgBackRequestHeader {
            offset: 12_345_678_901,
            group: "CG".into(),
            delay_level: 0,
            origin_msg_id: Some("7F00000100002A9F4B3C000000000001".into()),
            origin_topic: Some("TopicTest".into()),
            unit_mode: false,
            max_reconsume_times: Some(16),
        },
        None,
        false
    );
}

#[test]
fn pull_headers_decode_and_encode_like_apaches() {
    check_borrowed!(
        "pull",
        PullMessageRequestHeader,
        PullMessageRequestHeader {
            consumer_group: "CG".into(),
            topic: "TopicTest".into(),
            lite_topic: None,
            queue_id: 3,
            queue_offset: 4_294_967_296,
            max_msg_nums: 32,
            sys_flag: 3,
            commit_offset: 4_294_967_290,
            suspend_timeout_millis: 15_000,
            subscription: Some("TagA || TagB".into()),
            sub_version: TIME,
            expression_type: Some("TAG".into()),
            max_msg_bytes: Some(262_144),
            request_source: None,
            proxy_froward_client_id: None,
        },
        Some("broker-a"),
        true
    );
    let found = PullMessageResponseHeader {
        suggest_which_broker_id: 0,
        next_begin_offset: 100,
        min_offset: 0,
        max_offset: 4_294_967_299,
        offset_delta: None,
        topic_sys_flag: Some(0),
        group_sys_flag: None,
        forbidden_type: None,
    };
    check("pull_response", &found, None, true);
    let frame = bytes(FILE, "pull_response.json");
    let command = Command::decode(&frame).unwrap();
    assert!(command.is_response() && !command.is_oneway());
    assert_eq!((command.remark.as_deref(), command.body), (Some("FOUND"), [1, 2, 3].as_slice()));
    let nothing = PullMessageResponseHeader { next_begin_offset: 0, max_offset: 0, topic_sys_flag: None, ..found };
    check("pull_not_found", &nothing, None, true);
}

#[test]
fn offset_headers_decode_and_encode_like_apaches() {
    check_borrowed!(
        "commit_offset_oneway",
        UpdateConsumerOffsetRequestHeader,
        UpdateConsumerOffsetRequestHeader {
            consumer_group: "CG".into(),
            topic: "TopicTest".into(),
            queue_id: 3,
            commit_offset: 77
        },
        Some("broker-a"),
        false
    );
    check_borrowed!(
        "query_offset",
        QueryConsumerOffsetRequestHeader,
        QueryConsumerOffsetRequestHeader {
            consumer_group: "CG".into(),
            topic: "TopicTest".into(),
            queue_id: 3,
            set_zero_if_not_found: Some(false),
        },
        None,
        false
    );
    check_borrowed!(
        "search_offset",
        SearchOffsetRequestHeader,
        SearchOffsetRequestHeader {
            topic: "TopicTest".into(),
            lite_topic: None,
            queue_id: 3,
            timestamp: TIME,
            boundary_type: Some(BoundaryType::Upper),
        },
        None,
        false
    );
    check_borrowed!(
        "max_offset",
        GetMaxOffsetRequestHeader,
        GetMaxOffsetRequestHeader { topic: "TopicTest".into(), queue_id: 3, committed: true },
        None,
        false
    );
}

#[test]
fn client_topic_and_broker_headers_decode_and_encode_like_apaches() {
    check_borrowed!(
        "unregister_client",
        UnregisterClientRequestHeader,
        UnregisterClientRequestHeader {
            client_id: "10.0.0.1@1".into(),
            producer_group: None,
            consumer_group: Some("CG".into()),
        },
        None,
        false
    );
    check_borrowed!(
        "create_topic",
        CreateTopicRequestHeader,
        CreateTopicRequestHeader {
            topic: "TopicTest".into(),
            default_topic: "TBW102".into(),
            read_queue_nums: 8,
            write_queue_nums: 8,
            perm: 6,
            topic_filter_type: "SINGLE_TAG".into(),
            topic_sys_flag: Some(0),
            order: false,
            attributes: Some("+message.type=NORMAL".into()),
            force: Some(false),
        },
        None,
        false
    );
    check_borrowed!(
        "register_broker",
        RegisterBrokerRequestHeader,
        RegisterBrokerRequestHeader {
            broker_name: "broker-a".into(),
            broker_addr: "10.0.0.1:10911".into(),
            cluster_name: "DefaultCluster".into(),
            ha_server_addr: "10.0.0.1:10912".into(),
            broker_id: 0,
            heartbeat_timeout_millis: None,
            enable_acting_master: None,
            compressed: false,
            body_crc32: 123_456,
            zone_name: None,
        },
        None,
        false
    );
    check("data_version_changed", &QueryDataVersionResponseHeader { changed: true }, None, false);
    check_borrowed!(
        "broker_heartbeat",
        BrokerHeartbeatRequestHeader,
        BrokerHeartbeatRequestHeader {
            cluster_name: "DefaultCluster".into(),
            broker_addr: "10.0.0.1:10911".into(),
            broker_name: "broker-a".into(),
            broker_id: Some(0),
            epoch: None,
            max_offset: Some(5),
            confirm_offset: None,
            heartbeat_timeout_mills: Some(10_000),
            election_priority: None,
        },
        None,
        false
    );
}

#[test]
fn text_beyond_ascii_survives_in_remarks_and_fields() {
    for (suffix, _) in ENCODINGS {
        let frame = bytes(FILE, &format!("error_unicode.{suffix}"));
        let command = Command::decode(&frame).unwrap();
        assert_eq!((command.code, command.opaque, command.flag), (1, i32::MAX, 1));
        assert_eq!(command.remark.as_deref(), Some(UNICODE));
        let frame = bytes(FILE, &format!("ext_unicode.{suffix}"));
        let command = Command::decode(&frame).unwrap();
        assert_eq!((command.code, command.opaque), (40, -5));
        assert!(command.is_oneway() && !command.is_response());
        let header: NotifyConsumerIdsChangedRequestHeader<'_> = command.header().unwrap();
        assert_eq!(header.consumer_group, UNICODE);
    }
}

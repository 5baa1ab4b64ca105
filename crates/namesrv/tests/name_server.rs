//! A name server over plain sockets.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rocketmq_codec::body::{
    ClusterInfo, DataVersion, RegisterBrokerBody, TopicConfig, TopicConfigSerializeWrapper, TopicList, TopicRouteData,
};
use rocketmq_codec::message::body_crc;
use rocketmq_codec::{
    Command, FrameWriter, Head, MAX_FRAME_BYTES, SerializeType, frame_length, json, request_code, response_code,
};
use rocketmq_env::{Clock, VirtualClock};
use rocketmq_namesrv::{NameServer, NameServerConfig};
use rocketmq_remoting::EventLoops;

const BROKER: [(&str, &str); 5] = [
    ("brokerName", "broker-a"),
    ("brokerAddr", "10.0.0.1:10911"),
    ("clusterName", "C"),
    ("haServerAddr", "10.0.0.1:10912"),
    ("brokerId", "0"),
];

struct Fixture {
    server: NameServer,
    clock: Arc<VirtualClock>,
    _loops: Arc<EventLoops>,
}

fn start() -> Fixture {
    let loops = EventLoops::new(1, "test-loop").unwrap();
    let clock = Arc::new(VirtualClock::new(1_700_000_000_000));
    let config = NameServerConfig { listen: ([127, 0, 0, 1], 0).into(), ..NameServerConfig::default() };
    let server = NameServer::start(config, &loops, clock.clone() as Arc<dyn Clock>).unwrap();
    Fixture { server, clock, _loops: loops }
}

struct Answer {
    code: i32,
    remark: String,
    ext: Vec<(String, String)>,
    body: Vec<u8>,
}

struct Peer {
    stream: TcpStream,
    version: i32,
    serialize_type: SerializeType,
}

impl Peer {
    fn connect(fixture: &Fixture) -> Self {
        let stream = TcpStream::connect(fixture.server.local_addr()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        Self { stream, version: 513, serialize_type: SerializeType::Json }
    }

    fn call(&mut self, code: i32, fields: &[(&str, &str)], body: &[u8]) -> Answer {
        let head = Head { version: self.version, ..Head::request(code, 7) };
        self.write(head, fields, body);
        let mut bytes = vec![0; 4];
        self.stream.read_exact(&mut bytes).unwrap();
        let total = frame_length(&bytes, MAX_FRAME_BYTES).unwrap().unwrap();
        bytes.resize(total, 0);
        self.stream.read_exact(&mut bytes[4..]).unwrap();
        let command = Command::decode(&bytes).unwrap();
        assert_eq!((command.opaque, command.flag, command.serialize_type), (7, 1, self.serialize_type));
        Answer {
            code: command.code,
            remark: command.remark.as_deref().unwrap_or_default().to_owned(),
            ext: command.ext.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
            body: command.body.to_vec(),
        }
    }

    fn write(&mut self, head: Head<'_>, fields: &[(&str, &str)], body: &[u8]) {
        let mut out = Vec::new();
        let mut frame = FrameWriter::begin(&mut out, self.serialize_type, head);
        for (key, value) in fields {
            frame.ext_str(key, value);
        }
        frame.begin_body().extend_from_slice(body);
        frame.finish().unwrap();
        self.stream.write_all(&out).unwrap();
    }

    fn register(&mut self, topics: &[&str], counter: i64) -> Answer {
        let body = body(topics, counter);
        let crc = body_crc(&body).to_string();
        let mut fields = BROKER.to_vec();
        fields.push(("bodyCrc32", &crc));
        self.call(request_code::REGISTER_BROKER, &fields, &body)
    }

    fn route(&mut self, topic: &str) -> Answer {
        self.call(request_code::GET_ROUTEINFO_BY_TOPIC, &[("topic", topic)], &[])
    }

    fn topics(&mut self) -> Vec<String> {
        let answer = self.call(request_code::GET_ALL_TOPIC_LIST_FROM_NAMESERVER, &[], &[]);
        json::from_slice::<TopicList>(&answer.body).unwrap().topic_list.into_iter().collect()
    }
}

fn body(topics: &[&str], counter: i64) -> Vec<u8> {
    let topic_config_table = topics
        .iter()
        .map(|name| ((*name).to_owned(), TopicConfig { topic_name: (*name).to_owned(), ..TopicConfig::default() }))
        .collect();
    json::to_vec(&RegisterBrokerBody {
        filter_server_list: Vec::new(),
        topic_config_serialize_wrapper: TopicConfigSerializeWrapper {
            data_version: DataVersion { counter, state_version: 0, timestamp: 1 },
            topic_config_table,
            ..TopicConfigSerializeWrapper::default()
        },
    })
}

fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let began = Instant::now();
    while !condition() {
        assert!(began.elapsed() < Duration::from_secs(20), "never happened: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn the_route_of_a_registered_topic_is_found_in_both_encodings() {
    let fixture = start();
    let mut broker = Peer::connect(&fixture);
    assert_eq!(broker.register(&["T", "U"], 1).code, response_code::SUCCESS);
    let mut client = Peer::connect(&fixture);
    for encoding in [SerializeType::Json, SerializeType::RocketMq] {
        client.serialize_type = encoding;
        let answer = client.route("T");
        assert_eq!(answer.code, response_code::SUCCESS);
        let route: TopicRouteData = json::from_slice(&answer.body).unwrap();
        assert_eq!(route.broker_datas[0].broker_addrs[&0], "10.0.0.1:10911");
        assert_eq!((route.queue_datas[0].write_queue_nums, route.queue_datas[0].perm), (16, 6));
    }
    let unknown = client.route("None");
    assert_eq!(unknown.code, response_code::TOPIC_NOT_EXIST);
    let remark = "No topic route info in name server for the topic: None\nSee https://rocketmq.apache.org/docs/bestPractice/06FAQ \
                  for further details.";
    assert_eq!(unknown.remark, remark);
}

#[test]
fn only_new_clients_get_routes_in_strict_json() {
    let fixture = start();
    let mut peer = Peer::connect(&fixture);
    peer.register(&["T", "U"], 1);
    peer.version = 400;
    let old = String::from_utf8(peer.route("T").body).unwrap();
    assert!(old.contains(r#""brokerAddrs":{0:"10.0.0.1:10911"}"#), "{old}");
    let asked = [("topic", "T"), ("acceptStandardJsonOnly", "true")];
    let strict = peer.call(request_code::GET_ROUTEINFO_BY_TOPIC, &asked, &[]).body;
    peer.version = 401;
    assert_eq!(peer.route("T").body, strict);
    assert!(String::from_utf8(strict).unwrap().contains(r#""brokerAddrs":{"0":"10.0.0.1:10911"}"#));
}

#[test]
fn topics_are_taken_over_when_the_data_version_changes() {
    let fixture = start();
    let mut peer = Peer::connect(&fixture);
    peer.register(&["T", "U"], 1);
    peer.register(&["V"], 2);
    assert_eq!(peer.topics(), ["T", "U", "V"], "an increment adds");
    let asked = BROKER;
    let version = br#"{"counter":2,"stateVersion":0,"timestamp":1}"#;
    let same = peer.call(request_code::QUERY_DATA_VERSION, &asked, version);
    assert_eq!(same.ext, [("changed".to_owned(), "false".to_owned())]);
    let version = br#"{"counter":3,"stateVersion":0,"timestamp":1}"#;
    let newer = peer.call(request_code::QUERY_DATA_VERSION, &asked, version);
    assert_eq!(newer.ext, [("changed".to_owned(), "true".to_owned())]);
    assert_eq!(json::from_slice::<DataVersion>(&newer.body).unwrap().counter, 2);
}

#[test]
fn registrations_that_cannot_be_right_are_refused() {
    let fixture = start();
    let mut peer = Peer::connect(&fixture);
    let first = peer.register(&["T"], 1);
    assert_eq!((first.code, first.remark.as_str()), (response_code::SYSTEM_ERROR, "register broker failed"));
    let mut fields = BROKER.to_vec();
    fields.push(("bodyCrc32", "1"));
    let damaged = peer.call(request_code::REGISTER_BROKER, &fields, &body(&["T", "U"], 1));
    assert_eq!((damaged.code, damaged.remark.as_str()), (response_code::SYSTEM_ERROR, "crc32 not match"));
    assert!(peer.topics().is_empty());
}

#[test]
fn a_silent_broker_is_forgotten_after_two_minutes() {
    let fixture = start();
    let mut broker = Peer::connect(&fixture);
    broker.register(&["T", "U"], 1);
    let mut client = Peer::connect(&fixture);
    fixture.clock.advance(Duration::from_secs(119));
    assert_eq!(client.route("T").code, response_code::SUCCESS);
    until("the scan sleeps", || fixture.clock.pending_timers() > 0);
    fixture.clock.advance(Duration::from_secs(6));
    until("the broker is forgotten", || client.route("T").code == response_code::TOPIC_NOT_EXIST);
    assert!(client.topics().is_empty());
}

#[test]
fn a_broker_whose_connection_ends_is_forgotten_at_once() {
    let fixture = start();
    let mut broker = Peer::connect(&fixture);
    broker.register(&["T", "U"], 1);
    let mut client = Peer::connect(&fixture);
    assert_eq!(client.topics(), ["T", "U"]);
    drop(broker);
    until("the broker is forgotten", || client.topics().is_empty());
}

#[test]
fn a_broker_that_takes_leave_is_forgotten() {
    let fixture = start();
    let mut peer = Peer::connect(&fixture);
    peer.register(&["T", "U"], 1);
    let info = peer.call(request_code::GET_BROKER_CLUSTER_INFO, &[], &[]);
    let info: ClusterInfo = json::from_slice(&info.body).unwrap();
    assert!(info.cluster_addr_table["C"].contains("broker-a"));
    assert_eq!(peer.call(request_code::UNREGISTER_BROKER, &BROKER, &[]).code, response_code::SUCCESS);
    let info = peer.call(request_code::GET_BROKER_CLUSTER_INFO, &[], &[]);
    assert_eq!(json::from_slice::<ClusterInfo>(&info.body).unwrap(), ClusterInfo::default());
}

#[test]
fn the_right_to_write_is_taken_from_a_broker_and_given_back() {
    let fixture = start();
    let mut peer = Peer::connect(&fixture);
    peer.register(&["T", "U"], 1);
    let mut perm = |code, count: &str| {
        let answer = peer.call(code, &[("brokerName", "broker-a")], &[]);
        assert_eq!(answer.ext[0].1, count);
        json::from_slice::<TopicRouteData>(&peer.route("T").body).unwrap().queue_datas[0].perm
    };
    assert_eq!(perm(request_code::WIPE_WRITE_PERM_OF_BROKER, "2"), 4);
    assert_eq!(perm(request_code::ADD_WRITE_PERM_OF_BROKER, "2"), 6);
}

#[test]
fn topics_are_listed_by_cluster_and_deleted() {
    let fixture = start();
    let mut peer = Peer::connect(&fixture);
    peer.register(&["T", "U"], 1);
    let mut listed = |cluster: &str| {
        let answer = peer.call(request_code::GET_TOPICS_BY_CLUSTER, &[("cluster", cluster)], &[]);
        json::from_slice::<TopicList>(&answer.body).unwrap().topic_list.len()
    };
    assert_eq!((listed("C"), listed("D")), (2, 0));
    peer.call(request_code::DELETE_TOPIC_IN_NAMESRV, &[("topic", "T"), ("clusterName", "D")], &[]);
    assert_eq!(peer.topics(), ["T", "U"]);
    peer.call(request_code::DELETE_TOPIC_IN_NAMESRV, &[("topic", "T"), ("clusterName", "C")], &[]);
    assert_eq!(peer.topics(), ["U"]);
    let system = peer.call(request_code::GET_SYSTEM_TOPIC_LIST_FROM_NS, &[], &[]);
    let system: TopicList = json::from_slice(&system.body).unwrap();
    assert!(system.topic_list.iter().eq(["C", "broker-a"]));
    assert_eq!(system.broker_addr.as_deref(), Some("10.0.0.1:10911"));
}

#[test]
fn an_unknown_request_code_is_answered_with_apaches_remark() {
    let fixture = start();
    let answer = Peer::connect(&fixture).call(9999, &[], &[]);
    assert_eq!(answer.code, response_code::REQUEST_CODE_NOT_SUPPORTED);
    assert_eq!(answer.remark, " request type 9999 not supported");
}

#[test]
fn a_frame_that_is_a_response_itself_is_not_answered() {
    let fixture = start();
    let mut peer = Peer::connect(&fixture);
    // `call` would find an answer to it before its own, which has another opaque.
    peer.write(Head::response(request_code::GET_BROKER_CLUSTER_INFO, 6), &[], &[]);
    assert_eq!(peer.call(request_code::GET_BROKER_CLUSTER_INFO, &[], &[]).code, response_code::SUCCESS);
}

//! The broker and its name servers.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::sync::Arc;

use parking_lot::Mutex;
use rocketmq_broker::{BrokerEvent, EventSink};
use rocketmq_codec::body::{
    ClusterInfo, MessageModel, QueryAssignmentRequestBody, QueryAssignmentResponseBody, TopicRouteData,
};
use rocketmq_codec::{json, request_code, response_code};
use rocketmq_env::SystemClock;
use rocketmq_namesrv::{NameServer, NameServerConfig};
use rocketmq_remoting::EventLoops;
use support::{Peer, TestBroker, block_on, parse, until};

fn name_server(loops: &Arc<EventLoops>) -> NameServer {
    let config = NameServerConfig { listen: ([127, 0, 0, 1], 0).into(), ..NameServerConfig::default() };
    NameServer::start(config, loops, Arc::new(SystemClock::new())).unwrap()
}

fn route(peer: &mut Peer, topic: &str) -> Option<TopicRouteData> {
    let answer = peer.call(request_code::GET_ROUTEINFO_BY_TOPIC, &[("topic", topic)], &[]);
    (answer.code == response_code::SUCCESS).then(|| parse(&answer.body))
}

#[test]
fn a_broker_registers_at_start_and_takes_leave_at_its_end() {
    let loops = EventLoops::new(1, "name-server").unwrap();
    let servers = [name_server(&loops), name_server(&loops)];
    let addresses = servers.iter().map(|server| server.local_addr().to_string());
    let broker = TestBroker::start_with(Arc::new(SystemClock::new()), |config| {
        config.namesrv_addrs = addresses.collect();
    });
    block_on(broker.broker.registered());
    let mut peers: Vec<_> = servers.iter().map(|server| Peer::connect(server.local_addr())).collect();
    for peer in &mut peers {
        let found = route(peer, "TBW102").expect("the template is known");
        assert_eq!(found.broker_datas[0].broker_addrs[&0], broker.broker.advertised_addr());
        assert_eq!((found.queue_datas[0].perm, found.queue_datas[0].write_queue_nums), (7, 8));
    }
    let (summary, _) = broker.stop();
    assert_eq!(summary.name_servers_told, 2);
    for peer in &mut peers {
        let answer = peer.call(request_code::GET_BROKER_CLUSTER_INFO, &[], &[]);
        assert_eq!(parse::<ClusterInfo>(&answer.body), ClusterInfo::default());
    }
}

#[test]
fn a_topic_is_routed_when_its_creation_is_answered() {
    let loops = EventLoops::new(1, "name-server").unwrap();
    let server = name_server(&loops);
    let broker = TestBroker::start_with(Arc::new(SystemClock::new()), |config| {
        config.namesrv_addrs = vec![server.local_addr().to_string()];
    });
    let mut peer = broker.connect();
    let fields = [
        ("topic", "Made"),
        ("defaultTopic", "TBW102"),
        ("readQueueNums", "3"),
        ("writeQueueNums", "2"),
        ("perm", "6"),
        ("topicFilterType", "SINGLE_TAG"),
        ("order", "false"),
        ("attributes", "+message.type=FIFO"),
    ];
    let answer = peer.call(request_code::UPDATE_AND_CREATE_TOPIC, &fields, &[]);
    assert_eq!(answer.code, response_code::SUCCESS, "{answer:?}");
    let mut asking = Peer::connect(server.local_addr());
    let found = route(&mut asking, "Made").expect("routed at once");
    assert_eq!((found.queue_datas[0].read_queue_nums, found.queue_datas[0].write_queue_nums), (3, 2));
    peer.send("Sent", 0, b"x", "");
    until("the topic made by a send is routed", || route(&mut asking, "Sent").is_some());
}

/// A broker at one name server, with the topic `Made` and a connection to each.
fn registered_with_a_topic(loops: &Arc<EventLoops>) -> (NameServer, TestBroker, Peer, Peer) {
    let server = name_server(loops);
    let broker = TestBroker::start_with(Arc::new(SystemClock::new()), |config| {
        config.namesrv_addrs = vec![server.local_addr().to_string()];
    });
    block_on(broker.broker.registered());
    let mut peer = broker.connect();
    let mut asking = Peer::connect(server.local_addr());
    create_topic(&mut peer, "Made", "2");
    assert!(route(&mut asking, "Made").is_some());
    (server, broker, peer, asking)
}

fn create_topic(broker: &mut Peer, topic: &str, queue_nums: &str) {
    let fields = [
        ("topic", topic),
        ("defaultTopic", "TBW102"),
        ("readQueueNums", queue_nums),
        ("writeQueueNums", queue_nums),
        ("perm", "6"),
        ("topicFilterType", "SINGLE_TAG"),
        ("order", "false"),
    ];
    let answer = broker.call(request_code::UPDATE_AND_CREATE_TOPIC, &fields, &[]);
    assert_eq!(answer.code, response_code::SUCCESS, "{answer:?}");
}

#[test]
fn topics_that_are_made_do_not_give_others_the_write_permission_back_that_was_wiped() {
    let loops = EventLoops::new(1, "name-server").unwrap();
    let (_server, _broker, mut peer, mut asking) = registered_with_a_topic(&loops);
    let wiped = asking.call(request_code::WIPE_WRITE_PERM_OF_BROKER, &[("brokerName", "broker-test")], &[]);
    assert_eq!(wiped.code, response_code::SUCCESS, "{wiped:?}");
    create_topic(&mut peer, "Next", "1");
    peer.send("Sent", 0, b"x", "");
    until("the topic made by a send is routed", || route(&mut asking, "Sent").is_some());
    peer.heartbeat("client", "CG", "Made");
    until("the group's retry topic is routed", || route(&mut asking, "%RETRY%CG").is_some());
    assert_eq!(route(&mut asking, "Made").unwrap().queue_datas[0].perm, 4);
    assert_eq!(route(&mut asking, "Next").unwrap().queue_datas[0].perm, 6);
    create_topic(&mut peer, "Made", "3");
    let changed = route(&mut asking, "Made").unwrap();
    assert_eq!((changed.queue_datas[0].perm, changed.queue_datas[0].write_queue_nums), (6, 3));
}

#[test]
fn a_name_server_that_forgot_the_broker_gets_all_topics_with_the_next_change() {
    let loops = EventLoops::new(1, "name-server").unwrap();
    let (_server, broker, mut peer, mut asking) = registered_with_a_topic(&loops);
    let address = broker.broker.advertised_addr();
    let fields = [
        ("brokerName", "broker-test"),
        ("brokerAddr", address.as_str()),
        ("clusterName", "DefaultCluster"),
        ("brokerId", "0"),
    ];
    asking.call(request_code::UNREGISTER_BROKER, &fields, &[]);
    assert!(route(&mut asking, "Made").is_none());
    create_topic(&mut peer, "Next", "1");
    assert!(route(&mut asking, "Made").is_some() && route(&mut asking, "Next").is_some());
}

#[test]
fn a_name_server_that_cannot_be_reached_is_reported_once_and_does_not_stop_the_broker() {
    let events = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&events);
    let broker = TestBroker::start_with(Arc::new(SystemClock::new()), |config| {
        config.namesrv_addrs = vec!["127.0.0.1:1".to_owned()];
        config.events = EventSink::new(move |event| noted.lock().push(event));
    });
    block_on(broker.broker.registered());
    assert_eq!(broker.connect().send("T", 0, b"x", "").code, response_code::SUCCESS);
    let events = events.lock();
    let [BrokerEvent::RegistrationFailed { namesrv_addr, .. }] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!(namesrv_addr, "127.0.0.1:1");
}

/// The ids of the queues that the broker gives a client; `None`: the client is to keep those it has.
fn assignment(peer: &mut Peer, client_id: &str, topic: &str, message_model: MessageModel) -> Option<Vec<i32>> {
    let asked = QueryAssignmentRequestBody {
        client_id: client_id.to_owned(),
        consumer_group: "CG".to_owned(),
        message_model: Some(message_model),
        strategy_name: "AVG".to_owned(),
        topic: topic.to_owned(),
    };
    let answer = peer.call(request_code::QUERY_ASSIGNMENT, &[], &json::to_vec(&asked));
    assert_eq!(answer.code, response_code::SUCCESS, "{answer:?}");
    let assignments = parse::<QueryAssignmentResponseBody>(&answer.body).message_queue_assignments?;
    Some(assignments.into_iter().map(|assignment| assignment.message_queue.queue_id).collect())
}

#[test]
fn the_broker_shares_out_the_queues_of_a_topic_among_the_members_of_a_group() {
    let loops = EventLoops::new(1, "name-server").unwrap();
    let (_server, broker, mut first, _asking) = registered_with_a_topic(&loops);
    create_topic(&mut first, "Five", "5");
    let mut second = broker.connect();
    first.heartbeat("c1", "CG", "Five");
    second.heartbeat("c2", "CG", "Five");
    assert_eq!(assignment(&mut first, "c1", "Five", MessageModel::Clustering), Some(vec![0, 1, 2]));
    assert_eq!(assignment(&mut second, "c2", "Five", MessageModel::Clustering), Some(vec![3, 4]));
    assert_eq!(assignment(&mut second, "c2", "Five", MessageModel::Broadcasting), Some(vec![0, 1, 2, 3, 4]));
    assert_eq!(assignment(&mut second, "stranger", "Five", MessageModel::Clustering), Some(vec![]));
    assert_eq!(assignment(&mut second, "c2", "Nowhere", MessageModel::Clustering), None);
}

//! What administrators delete, and a disk that is full.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use rocketmq_codec::{request_code, response_code};
use rocketmq_env::{Clock, DiskSpace, FaultFs, OsFs, SystemClock, VirtualClock};
use rocketmq_namesrv::{NameServer, NameServerConfig};
use rocketmq_remoting::EventLoops;
use support::{Peer, TestBroker, until};

fn commit(peer: &mut Peer, topic: &str, offset: &str) {
    let fields = [("consumerGroup", "CG"), ("topic", topic), ("queueId", "0"), ("commitOffset", offset)];
    assert_eq!(peer.call(request_code::UPDATE_CONSUMER_OFFSET, &fields, &[]).code, response_code::SUCCESS);
}

fn committed(peer: &mut Peer, topic: &str) -> i32 {
    let fields = [("consumerGroup", "CG"), ("topic", topic), ("queueId", "0"), ("setZeroIfNotFound", "false")];
    peer.call(request_code::QUERY_CONSUMER_OFFSET, &fields, &[]).code
}

fn make_topic(peer: &mut Peer, topic: &str) {
    let fields = [
        ("topic", topic),
        ("defaultTopic", "TBW102"),
        ("readQueueNums", "2"),
        ("writeQueueNums", "2"),
        ("perm", "6"),
        ("topicFilterType", "SINGLE_TAG"),
        ("order", "false"),
    ];
    assert_eq!(peer.call(request_code::UPDATE_AND_CREATE_TOPIC, &fields, &[]).code, response_code::SUCCESS);
}

fn exists(peer: &mut Peer, topic: &str) -> bool {
    peer.call(request_code::GET_TOPIC_CONFIG, &[("topic", topic)], &[]).code == response_code::SUCCESS
}

fn delete(peer: &mut Peer, topic: &str) -> i32 {
    peer.call(request_code::DELETE_TOPIC_IN_BROKER, &[("topic", topic)], &[]).code
}

#[test]
fn a_deleted_topic_is_gone_with_its_queues_offsets_and_pop_retry_topics_also_after_a_restart() {
    let server = TestBroker::start();
    let mut peer = server.connect();
    for topic in ["T", "Kept", "%RETRY%CG_PLUS_T", "%RETRY%CG_T", "%RETRY%Other_T"] {
        make_topic(&mut peer, topic);
    }
    // No administrator may give a topic the name that Apache's broker does.
    let (_, directory) = server.stop();
    let topics = directory.path().join("config/topics.json");
    let text = std::fs::read_to_string(&topics).unwrap().replace("CG_PLUS_T", "CG+T");
    std::fs::write(&topics, text).unwrap();
    let server = TestBroker::start_in(directory, Arc::new(OsFs), Arc::new(SystemClock::new()), |_| {});
    let mut peer = server.connect();
    assert!(exists(&mut peer, "%RETRY%CG+T"));
    peer.heartbeat("c1", "CG", "T");
    for topic in ["T", "Kept"] {
        for _ in 0..3 {
            peer.send(topic, 0, b"before", "");
        }
        commit(&mut peer, topic, "2");
    }
    assert_eq!(delete(&mut peer, "T"), response_code::SUCCESS);
    assert_eq!(peer.pull("T", 0, 0, "*").code, response_code::TOPIC_NOT_EXIST);
    assert!(!server.directory.path().join("consumequeue/T").exists());
    for (topic, is_there) in [("%RETRY%CG+T", false), ("%RETRY%CG_T", false), ("%RETRY%Other_T", true), ("Kept", true)]
    {
        assert_eq!(exists(&mut peer, topic), is_there, "{topic}");
    }
    assert_eq!(committed(&mut peer, "T"), response_code::QUERY_NOT_FOUND);
    let (_, directory) = server.stop();
    let server = TestBroker::start_in(directory, Arc::new(OsFs), Arc::new(SystemClock::new()), |_| {});
    let mut peer = server.connect();
    assert!(!exists(&mut peer, "T"));
    assert_eq!((committed(&mut peer, "T"), committed(&mut peer, "Kept")), (response_code::QUERY_NOT_FOUND, 0));
    assert_eq!(peer.send("T", 0, b"anew", "").number("queueOffset"), 0);
    assert_eq!(peer.send("Kept", 0, b"on", "").number("queueOffset"), 3);
}

#[test]
fn system_topics_and_blank_ones_are_not_deleted() {
    let server = TestBroker::start();
    let mut peer = server.connect();
    for topic in ["SCHEDULE_TOPIC_XXXX", "rmq_sys_wheel_timer", "DefaultCluster", " "] {
        assert_eq!(delete(&mut peer, topic), response_code::INVALID_PARAMETER, "{topic}");
    }
    assert!(exists(&mut peer, "SCHEDULE_TOPIC_XXXX"));
    assert_eq!(delete(&mut peer, "Unknown"), response_code::SUCCESS);
}

#[test]
fn a_deletion_is_answered_when_the_name_servers_were_told() {
    let loops = EventLoops::new(1, "name-server").unwrap();
    let config = NameServerConfig { listen: ([127, 0, 0, 1], 0).into(), ..NameServerConfig::default() };
    let name_server = NameServer::start(config, &loops, Arc::new(SystemClock::new())).unwrap();
    let server = TestBroker::start_with(Arc::new(SystemClock::new()), |config| {
        config.namesrv_addrs = vec![name_server.local_addr().to_string()];
    });
    let (mut peer, mut at_name_server) = (server.connect(), Peer::connect(name_server.local_addr()));
    make_topic(&mut peer, "T");
    assert_eq!(delete(&mut peer, "T"), response_code::SUCCESS);
    // As mqadmin goes on; a registration that came late would bring the topic back.
    let fields = [("topic", "T"), ("clusterName", "DefaultCluster")];
    let answer = at_name_server.call(request_code::DELETE_TOPIC_IN_NAMESRV, &fields, &[]);
    assert_eq!(answer.code, response_code::SUCCESS);
    make_topic(&mut peer, "Other");
    let mut code = |topic| at_name_server.call(request_code::GET_ROUTEINFO_BY_TOPIC, &[("topic", topic)], &[]).code;
    assert_eq!((code("T"), code("Other")), (response_code::TOPIC_NOT_EXIST, response_code::SUCCESS));
}

#[test]
fn queues_of_unknown_topics_go_on_demand() {
    let server = TestBroker::start();
    let mut peer = server.connect();
    for topic in ["Kept", "Lost"] {
        peer.send(topic, 0, b"here", "");
    }
    let (_, directory) = server.stop();
    let topics = directory.path().join("config/topics.json");
    let text = std::fs::read_to_string(&topics).unwrap().replace("\"Lost\"", "\"Found\"");
    std::fs::write(&topics, text).unwrap();
    let server = TestBroker::start_in(directory, Arc::new(OsFs), Arc::new(SystemClock::new()), |_| {});
    let mut peer = server.connect();
    let queues = server.directory.path().join("consumequeue");
    assert!(queues.join("Lost").exists());
    assert_eq!(peer.call(request_code::CLEAN_UNUSED_TOPIC, &[], &[]).code, response_code::SUCCESS);
    assert!(!queues.join("Lost").exists());
    assert_eq!(peer.pull("Kept", 0, 0, "*").records()[0].body, b"here");
}

fn virtual_broker(
    settings: impl FnOnce(&mut rocketmq_broker::BrokerConfig),
) -> (FaultFs, Arc<VirtualClock>, TestBroker) {
    let (fs, clock) = (FaultFs::new(), Arc::new(VirtualClock::new(1_700_000_000_000)));
    fs.set_clock(clock.clone());
    let directory = Arc::new(tempfile::TempDir::new().unwrap());
    let server = TestBroker::start_in(directory, fs.process(), clock.clone() as Arc<dyn Clock>, |config| {
        config.store.root = "/store".into();
        config.store.commit_log_dir = "/store/commitlog".into();
        config.store.commit_log_segment_bytes = 4096;
        settings(config);
    });
    (fs, clock, server)
}

#[test]
fn expired_files_and_then_expired_queues_go_on_demand() {
    let (_, clock, server) = virtual_broker(|config| config.store.retention.delete_when.clear());
    let mut peer = server.connect();
    peer.send("Old", 0, b"soon gone", "");
    for _ in 0..8 {
        peer.send("T", 0, &[b'x'; 1_000], "");
    }
    clock.advance(Duration::from_secs(73 * 3600));
    // The connection there was has been idle for so long that the broker closes it.
    let mut peer = server.connect();
    assert_eq!(peer.call(request_code::DELETE_EXPIRED_COMMITLOG, &[], &[]).code, response_code::SUCCESS);
    let min_offset = |peer: &mut Peer, topic: &str| {
        peer.call(request_code::GET_MIN_OFFSET, &[("topic", topic), ("queueId", "0")], &[]).number("offset")
    };
    until("the queue is empty", || {
        clock.advance(Duration::from_secs(1));
        min_offset(&mut peer, "Old") == 1
    });
    let answer = peer.pull("Old", 0, 0, "*");
    assert_eq!((answer.code, answer.number("nextBeginOffset")), (response_code::PULL_OFFSET_MOVED, 1));
    assert!(min_offset(&mut peer, "T") > 0);
    assert_eq!(peer.call(request_code::CLEAN_EXPIRED_CONSUMEQUEUE, &[], &[]).code, response_code::SUCCESS);
    assert_eq!(peer.send("Old", 0, b"anew", "").number("queueOffset"), 0);
}

#[test]
fn a_full_disk_refuses_sends_as_apaches_does_answers_pulls_and_takes_sends_again_later() {
    let (fs, clock, server) = virtual_broker(|_| {});
    let fill = |percent: u64| {
        let rest = 100 - percent;
        fs.set_disk_space(Some(DiskSpace { total_bytes: 100, free_bytes: rest, available_bytes: rest }));
    };
    let mut peer = server.connect();
    peer.send("T", 0, b"before", "");
    fill(95);
    until("sends are refused", || {
        clock.advance(Duration::from_secs(1));
        peer.send("T", 0, b"perhaps", "").code == response_code::SERVICE_NOT_AVAILABLE
    });
    let answer = peer.send("T", 0, b"refused", "");
    let apaches =
        "service not available now. It may be caused by one of the following reasons: the broker's disk is full";
    assert!(answer.remark.starts_with(apaches) && answer.remark.contains("95 %"), "{}", answer.remark);
    assert_eq!(peer.pull("T", 0, 0, "*").records()[0].body, b"before");
    let info = peer.call(request_code::GET_BROKER_RUNTIME_INFO, &[], &[]);
    let info = String::from_utf8(info.body).unwrap();
    assert!(
        info.contains(r#""commitLogDiskRatio":"0.95""#) && info.contains(r#""consumeQueueDiskRatio":"0.95""#),
        "{info}"
    );
    fill(50);
    until("sends are taken", || {
        clock.advance(Duration::from_secs(1));
        peer.send("T", 0, b"after", "").code == response_code::SUCCESS
    });
}

#[test]
fn a_topic_that_is_sent_to_while_it_is_deleted_takes_messages_again_afterwards() {
    let server = TestBroker::start();
    let (mut sender, mut administrator) = (server.connect(), server.connect());
    std::thread::scope(|scope| {
        let deletions = scope.spawn(|| {
            for _ in 0..20 {
                assert_eq!(delete(&mut administrator, "T"), response_code::SUCCESS);
            }
        });
        while !deletions.is_finished() {
            let answer = sender.send("T", 0, b"meanwhile", "");
            assert!(
                [response_code::SUCCESS, response_code::SERVICE_NOT_AVAILABLE].contains(&answer.code),
                "{answer:?}"
            );
        }
    });
    until("sends are taken", || sender.send("T", 0, b"after", "").code == response_code::SUCCESS);
    assert_eq!(delete(&mut administrator, "T"), response_code::SUCCESS);
    assert_eq!(sender.send("T", 0, b"anew", "").number("queueOffset"), 0);
}

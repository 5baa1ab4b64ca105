//! What survives a restart, and what reaches the disk.

mod support;

use std::sync::Arc;

use rocketmq_codec::{request_code, response_code};
use rocketmq_env::{OsFs, SystemClock};
use rocketmq_store::FlushDiskType;
use support::TestBroker;

const ASKED: [(&str, &str); 3] = [("consumerGroup", "CG"), ("topic", "T"), ("queueId", "0")];

#[test]
fn messages_topics_and_offsets_are_there_after_a_restart() {
    let server = TestBroker::start();
    let mut peer = server.connect();
    peer.heartbeat("c1", "CG", "T");
    peer.send("T", 0, b"kept", "");
    let mut commit = ASKED.to_vec();
    commit.push(("commitOffset", "1"));
    assert_eq!(peer.call(request_code::UPDATE_CONSUMER_OFFSET, &commit, &[]).code, response_code::SUCCESS);
    let (summary, directory) = server.stop();
    assert_eq!(summary.messages_put, 1);
    assert!(summary.commit_log_end > 0);
    let server = TestBroker::start_in(directory, Arc::new(OsFs), Arc::new(SystemClock::new()), |config| {
        config.auto_create_topic_enable = false;
    });
    let mut peer = server.connect();
    assert_eq!(peer.pull("T", 0, 0, "*").records()[0].body, b"kept");
    assert_eq!(peer.call(request_code::QUERY_CONSUMER_OFFSET, &ASKED, &[]).number("offset"), 1);
    assert_eq!(peer.send("T", 0, b"more", "").number("queueOffset"), 1, "the topic is known without creation");
}

#[test]
fn offsets_in_apaches_dialect_are_read() {
    let directory = Arc::new(tempfile::TempDir::new().unwrap());
    std::fs::create_dir_all(directory.path().join("config")).unwrap();
    let text = "{\n\t\"dataVersion\":{\n\t\t\"counter\":3,\n\t\t\"stateVersion\":0,\n\t\t\"timestamp\":1700000000000\n\t},\n\t\"offsetTable\":{\n\t\t\"T@CG\":{0:5,1:7}\n\t}\n}";
    std::fs::write(directory.path().join("config/consumerOffset.json"), text).unwrap();
    let server = TestBroker::start_in(directory, Arc::new(OsFs), Arc::new(SystemClock::new()), |_| {});
    assert_eq!(server.connect().call(request_code::QUERY_CONSUMER_OFFSET, &ASKED, &[]).number("offset"), 5);
}

#[test]
fn an_offset_that_was_never_committed_is_not_found() {
    let server = TestBroker::start();
    let mut peer = server.connect();
    assert_eq!(peer.call(request_code::QUERY_CONSUMER_OFFSET, &ASKED, &[]).code, response_code::QUERY_NOT_FOUND);
    peer.send("T", 0, b"first", "");
    assert_eq!(peer.call(request_code::QUERY_CONSUMER_OFFSET, &ASKED, &[]).number("offset"), 0, "it is in memory");
    let mut asked = ASKED.to_vec();
    asked.push(("setZeroIfNotFound", "false"));
    assert_eq!(peer.call(request_code::QUERY_CONSUMER_OFFSET, &asked, &[]).code, response_code::QUERY_NOT_FOUND);
}

#[test]
fn a_synchronous_send_is_answered_when_it_is_on_disk() {
    let server = TestBroker::start_with(Arc::new(SystemClock::new()), |config| {
        config.store.flush_disk_type = FlushDiskType::SyncFlush;
    });
    let mut peer = server.connect();
    for round in 0..3 {
        let sent = peer.send("T", 0, b"x", "WAIT\u{1}true\u{2}");
        assert_eq!((sent.code, sent.number("queueOffset")), (response_code::SUCCESS, round));
    }
    assert_eq!(peer.send("T", 0, b"x", "WAIT\u{1}false\u{2}").code, response_code::SUCCESS);
    assert_eq!(server.stop().0.messages_put, 4);
}

#[test]
fn a_stopped_store_directory_can_be_opened_by_one_broker_only() {
    let server = TestBroker::start();
    let config = support::config(server.directory.path());
    let error = rocketmq_broker::Broker::start(config, &server.loops, Arc::new(OsFs), Arc::new(SystemClock::new()));
    let error = error.err().expect("the directory is in use").to_string();
    assert!(error.contains("is in use"), "{error}");
}

//! Pulls that wait for messages.

mod support;

use std::sync::Arc;
use std::time::Duration;

use rocketmq_codec::{request_code, response_code};
use rocketmq_env::VirtualClock;
use support::{Peer, TestBroker, pull_fields, until};

/// Sends a pull that may be held and returns without waiting for its answer.
fn pull_and_wait(peer: &mut Peer, queue_id: &str, offset: &str, expression: &str, suspend_ms: &str) {
    let fields = pull_fields("T", queue_id, offset, expression, "6", suspend_ms);
    let frame = peer.frame(request_code::PULL_MESSAGE, &fields, &[]);
    peer.write(&frame);
    // Answered behind the pull, so the pull is held by then.
    peer.call(request_code::GET_MAX_OFFSET, &[("topic", "T"), ("queueId", "0")], &[]);
}

#[test]
fn a_held_pull_is_woken_by_a_message_with_its_tag() {
    let server = TestBroker::start();
    let mut producer = server.connect();
    producer.send("T", 0, b"first", "");
    let mut consumer = server.connect();
    pull_and_wait(&mut consumer, "0", "1", "TagB", "60000");
    producer.send("T", 1, b"other queue", "TAGS\u{1}TagB\u{2}");
    producer.send("T", 0, b"other tag", "TAGS\u{1}TagA\u{2}");
    producer.send("T", 0, b"wanted", "TAGS\u{1}TagB\u{2}");
    let woken = consumer.receive();
    assert_eq!((woken.code, woken.remark.as_str()), (response_code::SUCCESS, "FOUND"));
    let records = woken.records();
    assert_eq!(records.iter().map(|record| record.body).collect::<Vec<_>>(), [b"wanted"]);
    assert_eq!(woken.number("nextBeginOffset"), 3);
}

#[test]
fn one_message_wakes_all_who_wait_for_its_queue() {
    let server = TestBroker::start();
    let mut producer = server.connect();
    producer.send("T", 0, b"first", "");
    let mut consumers: Vec<_> = (0..10).map(|_| server.connect()).collect();
    for consumer in &mut consumers {
        pull_and_wait(consumer, "0", "1", "*", "60000");
    }
    producer.send("T", 0, b"second", "");
    for consumer in &mut consumers {
        assert_eq!(consumer.receive().records().len(), 1);
    }
}

#[test]
fn a_held_pull_is_answered_when_its_time_is_up() {
    let clock = Arc::new(VirtualClock::new(1_700_000_000_000));
    let server = TestBroker::start_with(clock.clone(), |_| {});
    let mut consumer = server.connect();
    consumer.send("T", 0, b"first", "");
    pull_and_wait(&mut consumer, "0", "1", "*", "15000");
    clock.advance(Duration::from_millis(14_000));
    // Still held: the next answer is that of a later request.
    let answer = consumer.call(request_code::GET_MIN_OFFSET, &[("topic", "T"), ("queueId", "0")], &[]);
    assert_eq!(answer.number("offset"), 0);
    until("the scan for pulls whose time is up sleeps again", || clock.pending_timers() > 0);
    clock.advance(Duration::from_millis(2_000));
    let expired = consumer.receive();
    assert_eq!((expired.code, expired.remark.as_str()), (response_code::PULL_NOT_FOUND, "OFFSET_OVERFLOW_ONE"));
    assert_eq!(expired.number("nextBeginOffset"), 1);
}

#[test]
fn held_pulls_are_answered_when_the_broker_stops() {
    let server = TestBroker::start();
    let mut consumer = server.connect();
    consumer.send("T", 0, b"first", "");
    pull_and_wait(&mut consumer, "0", "1", "*", "60000");
    let (summary, _) = server.stop();
    assert_eq!((summary.held_pulls_answered, summary.messages_put), (1, 1));
    assert_eq!(consumer.receive().code, response_code::PULL_NOT_FOUND);
    assert!(consumer.try_receive().is_none(), "then the connection ends");
}

#[test]
fn more_pulls_than_may_be_held_are_answered_busy() {
    let server = TestBroker::start_with(Arc::new(rocketmq_env::SystemClock::new()), |config| {
        config.max_held_pulls = 1;
    });
    let mut consumer = server.connect();
    consumer.send("T", 0, b"first", "");
    pull_and_wait(&mut consumer, "0", "1", "*", "60000");
    let refused = consumer.call(request_code::PULL_MESSAGE, &pull_fields("T", "0", "1", "*", "6", "60000"), &[]);
    assert_eq!(refused.code, response_code::SYSTEM_BUSY);
    assert!(refused.remark.starts_with("[OVERLOAD]system busy"), "{}", refused.remark);
}

#[test]
fn a_pull_carries_the_offset_to_commit() {
    let server = TestBroker::start();
    let mut consumer = server.connect();
    consumer.send("T", 0, b"first", "");
    let mut fields = pull_fields("T", "0", "0", "*", "5", "0");
    fields.retain(|(key, _)| *key != "commitOffset");
    fields.push(("commitOffset", "41"));
    consumer.call(request_code::PULL_MESSAGE, &fields, &[]);
    let asked = [("consumerGroup", "CG"), ("topic", "T"), ("queueId", "0")];
    assert_eq!(consumer.call(request_code::QUERY_CONSUMER_OFFSET, &asked, &[]).number("offset"), 41);
}

//! kill -9 of a process that puts: after the next start every acknowledged message is where it was. `KILL_ROUNDS=n` kills more
//! often.
#![allow(clippy::unwrap_used, reason = "a test that unwraps in vain fails, which is what it is for")]

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use rocketmq_codec::message::decode_record;
use rocketmq_env::{OsFs, SystemClock};
use rocketmq_store::{MessageStore, StoreConfig};

/// How often a child is killed if `KILL_ROUNDS` does not say.
const ROUNDS: usize = 200;
const THREADS: i32 = 8;

/// While a child is made, until it runs a program of its own, it has the files of this process open, locks included: nobody
/// makes one while the other test has a store.
static MAKING_CHILDREN: Mutex<()> = Mutex::new(());

/// (queue id, queue offset) -> (physical offset, body)
type Acknowledged = HashMap<(i32, i64), (i64, String)>;

/// Lets a child put until it has acknowledged `lines` messages, and kills it.
fn put_and_kill(directory: &Path, flush: &str, lines: usize, acknowledged: &mut Acknowledged) {
    let making = MAKING_CHILDREN.lock().unwrap_or_else(PoisonError::into_inner);
    let mut child = Command::new(env!("CARGO_BIN_EXE_crash_child"))
        .arg(directory)
        .arg(THREADS.to_string())
        .arg(flush)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    drop(making);
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut read = |acknowledged: &mut Acknowledged| {
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        let fields: Vec<&str> = line.trim_end_matches('\n').split(' ').collect();
        // The last line before the kill may be cut.
        if let (&[queue_id, offset, physical, body], true) = (fields.as_slice(), line.ends_with('\n')) {
            let key = (queue_id.parse().unwrap(), offset.parse().unwrap());
            let former = acknowledged.insert(key, (physical.parse().unwrap(), body.to_owned()));
            assert_eq!(former, None, "an offset was given out twice");
        }
        !line.is_empty()
    };
    for _ in 0..lines {
        assert!(read(acknowledged), "the child ended by itself");
    }
    child.kill().unwrap();
    child.wait().unwrap();
    while read(acknowledged) {}
}

fn verify(directory: &Path, acknowledged: &Acknowledged) {
    let config = StoreConfig {
        commit_log_segment_bytes: 256 * 1024,
        consume_queue_segment_bytes: 4_000,
        ..StoreConfig::new(directory)
    };
    let _no_children = MAKING_CHILDREN.lock().unwrap_or_else(PoisonError::into_inner);
    let store = MessageStore::open(config, Arc::new(OsFs), Arc::new(SystemClock::new())).unwrap();
    let mut found = 0;
    for queue_id in 0..THREADS {
        let mut offset = 0;
        while offset < store.max_offset("Crash", queue_id).unwrap() {
            let mut records = Vec::new();
            let result = store.get("Crash", queue_id, offset, 32, usize::MAX, None, &mut records).unwrap();
            let mut rest = records.as_slice();
            while !rest.is_empty() {
                let (record, size) = decode_record(rest, true).unwrap();
                assert_eq!(record.queue_offset, offset);
                if let Some((physical, body)) = acknowledged.get(&(queue_id, offset)) {
                    assert_eq!((record.physical_offset, record.body), (*physical, body.as_bytes()));
                    found += 1;
                }
                offset += 1;
                rest = &rest[size..];
            }
            assert_eq!(result.next_begin_offset, offset, "{result:?}");
        }
    }
    assert_eq!(found, acknowledged.len(), "acknowledged messages are missing");
}

/// Kills a child soon after its start or in the midst of its work, again and again.
fn kill_again_and_again(flush: &str) {
    let directory = tempfile::tempdir().unwrap();
    let mut acknowledged = Acknowledged::new();
    let rounds = std::env::var("KILL_ROUNDS").map_or(ROUNDS, |text| text.parse().unwrap());
    for round in 0..rounds {
        put_and_kill(directory.path(), flush, 1 + 37 * round % 150, &mut acknowledged);
        // The child recovers by itself; at times this process does before it.
        if round % 10 == 9 || round + 1 == rounds {
            verify(directory.path(), &acknowledged);
        }
    }
}

#[test]
fn every_message_acknowledged_under_sync_flush_survives_every_kill() {
    kill_again_and_again("sync");
}

#[test]
fn every_message_acknowledged_under_async_flush_survives_every_kill() {
    kill_again_and_again("async");
}

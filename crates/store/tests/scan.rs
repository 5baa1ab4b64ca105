//! The scan of recovery: long ones on several threads, and where it stops.
#![allow(clippy::unwrap_used, reason = "a test that unwraps in vain fails, which is what it is for")]

mod common;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use common::*;
use rocketmq_env::{FaultFs, Fs, OpenMode, OsFs, VirtualClock};
use rocketmq_store::{MessageStore, StoreConfig};

const SEGMENT_BYTES: u64 = 10 << 20;

/// Where the body of a record begins.
const BODY_AT: i64 = 88;

const QUEUE_OFFSET_AT: i64 = 20;

fn long_config(root: &Path) -> StoreConfig {
    StoreConfig {
        commit_log_segment_bytes: SEGMENT_BYTES,
        consume_queue_segment_bytes: 20_000,
        max_message_bytes: 3 << 20,
        ..small(root)
    }
}

/// A body full of what looks like the begin of a record that knows its place, wherever somebody begins to look.
fn misleading(store: &MessageStore, bytes: usize) -> Vec<u8> {
    let body_at = store.max_physical_offset() + BODY_AT;
    let mut body = vec![b'x'; bytes];
    for (index, image) in body.chunks_exact_mut(64).enumerate() {
        image[..8].copy_from_slice(&[0, 0, 0, 100, 0xDA, 0xA3, 0x20, 0xA7]);
        image[28..36].copy_from_slice(&(body_at + index as i64 * 64).to_be_bytes());
    }
    body
}

/// Puts until the log has `log_bytes`: short and long messages, each number `every` a misleading one. Physical offset, queue
/// and body of each.
fn fill(store: &MessageStore, log_bytes: i64, every: usize) -> Vec<(i64, i32, Vec<u8>)> {
    let mut put_so_far = Vec::new();
    while store.max_physical_offset() < log_bytes {
        let number = put_so_far.len();
        let body = match number {
            _ if number % every == every - 1 => misleading(store, 2_500_000),
            _ if number % 40 == 39 => vec![number as u8; 2_500_000],
            _ => vec![number as u8; 1 + number * 7_919 % 50_000],
        };
        let queue_id = number as i32 % 7;
        let (outcome, _) = put(store, "Topic", queue_id, &body).unwrap();
        put_so_far.push((outcome.physical_offset, queue_id, body));
    }
    put_so_far
}

fn check(store: &MessageStore, expected: &[(i64, i32, Vec<u8>)]) {
    for queue_id in 0..7 {
        let of_queue = expected.iter().filter(|(_, queue, _)| *queue == queue_id);
        let bodies: Vec<_> = of_queue.map(|(_, _, body)| body).collect();
        let found = read_all(store, "Topic", queue_id);
        assert_eq!(found.len(), bodies.len(), "queue {queue_id}");
        assert!(found.iter().zip(bodies).all(|(found, body)| found == body), "queue {queue_id}");
    }
}

/// Ends a store and forgets all that was known about it.
fn kill(store: Arc<MessageStore>, root: &Path) {
    drop(store);
    std::fs::remove_file(root.join("checkpoint")).unwrap();
    std::fs::remove_dir_all(root.join("consumequeue")).unwrap();
}

#[test]
fn a_long_log_gives_all_its_messages_back_whatever_their_bodies_look_like() {
    for every in [usize::MAX, 25] {
        let directory = tempfile::tempdir().unwrap();
        let store = open_os(long_config(directory.path()));
        let expected = fill(&store, 45 << 20, every);
        kill(store, directory.path());
        let store = open_os(long_config(directory.path()));
        check(&store, &expected);
        store.close().unwrap();
    }
}

#[test]
fn a_long_log_that_is_not_known_to_be_on_disk_ends_where_it_is_damaged() {
    let directory = tempfile::tempdir().unwrap();
    let store = open_os(long_config(directory.path()));
    let expected = fill(&store, 45 << 20, usize::MAX);
    let damaged = expected.len() * 2 / 3;
    let (at, _, body) = &expected[damaged];
    kill(store, directory.path());
    let base = *at as u64 - *at as u64 % SEGMENT_BYTES;
    let path = directory.path().join(format!("commitlog/{base:020}"));
    let file = OsFs.open(Path::new(&path), OpenMode::ReadWrite).unwrap();
    file.write_all_at(&[!body[0]], *at as u64 - base + BODY_AT as u64).unwrap();
    let store = open_os(long_config(directory.path()));
    assert_eq!(store.max_physical_offset(), *at);
    check(&store, &expected[..damaged]);
}

#[test]
fn a_record_that_was_not_flushed_and_has_lost_its_queue_offset_ends_the_log() {
    let open = |fs: &FaultFs| open_with(small("/store"), fs, &Arc::new(VirtualClock::new(START_MS))).unwrap();
    let open_checkpoint = |fs: &FaultFs| fs.open(Path::new("/store/checkpoint"), OpenMode::ReadWrite).unwrap();
    let overwrite = |fs: &FaultFs, at: i64, queue_offset: i64| {
        let file = fs.open(Path::new("/store/commitlog/00000000000000000000"), OpenMode::ReadWrite).unwrap();
        file.write_all_at(&queue_offset.to_be_bytes(), (at + QUEUE_OFFSET_AT) as u64).unwrap();
    };
    // Flushed are the first three. The sixth is the first of its queue.
    for (number, torn, kept) in [(4, 0, 4), (4, 9, 4), (6, 4, 6), (1, 0, 8)] {
        let fs = FaultFs::new();
        let store = open(&fs);
        let (mut puts, mut checkpoint) = (Vec::new(), [0; 4096]);
        for body in 0..8 {
            let (outcome, ticket) = put(&store, if body == 5 { "New" } else { "Topic" }, 0, &[body]).unwrap();
            if body == 2 {
                store.wait_flushed(ticket.end, Duration::from_secs(3600)).unwrap();
                open_checkpoint(&fs).read_exact_at(&mut checkpoint, 0).unwrap();
            }
            puts.push((outcome.physical_offset, ticket.end));
        }
        drop(store);
        // As if the power had failed: the drop flushes.
        open_checkpoint(&fs).write_all_at(&checkpoint, 0).unwrap();
        overwrite(&fs, puts[number].0, torn);
        let store = open(&fs);
        assert_eq!(store.max_physical_offset(), puts[kept - 1].1, "{number} {torn}");
        if kept < 8 {
            assert_eq!(store.max_offset("New", 0).unwrap(), i64::from(kept > 5));
            let of_topic: Vec<_> = (0..kept as u8).filter(|body| *body != 5).map(|body| vec![body]).collect();
            assert_eq!(read_all(&store, "Topic", 0), of_topic);
            let (outcome, _) = put(&store, "Topic", 0, b"next").unwrap();
            assert_eq!(outcome.queue_offset, of_topic.len() as i64);
        }
    }
}

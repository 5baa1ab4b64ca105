//! Opening a store only to read it.
#![allow(clippy::unwrap_used, reason = "a test that unwraps in vain fails, which is what it is for")]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::*;
use rocketmq_env::{Clock, Fs, OsFs, SystemClock};
use rocketmq_store::{MessageStore, StoreError, rebuild, verify};

fn body(number: usize) -> Vec<u8> {
    format!("message number {number}").into_bytes()
}

fn open_read_only(root: &Path) -> Result<Arc<MessageStore>, StoreError> {
    MessageStore::open_read_only(small(root), Arc::new(OsFs), Arc::new(SystemClock::new()))
}

/// Every file under a directory with its bytes.
fn snapshot(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(snapshot(&path));
        } else {
            files.insert(path.clone(), fs::read(path).unwrap());
        }
    }
    files
}

/// A store with 200 messages in two queues.
fn filled(root: &Path) -> Arc<MessageStore> {
    let store = open_os(small(root));
    for number in 0..100 {
        put(&store, "Topic", 0, &body(number)).unwrap();
        put(&store, "Topic", 1, &body(number)).unwrap();
    }
    store
}

#[test]
fn a_cleanly_stopped_store_is_served_and_not_a_byte_of_it_changes() {
    let directory = tempfile::tempdir().unwrap();
    filled(directory.path()).close().unwrap();
    let before = snapshot(directory.path());
    let store = open_read_only(directory.path()).unwrap();
    let second = open_read_only(directory.path()).unwrap();
    assert_eq!(read_all(&store, "Topic", 0), (0..100).map(body).collect::<Vec<_>>());
    assert_eq!(read_all(&second, "Topic", 1), (0..100).map(body).collect::<Vec<_>>());
    assert!(matches!(put(&store, "Topic", 0, b"no"), Err(StoreError::ReadOnly)));
    store.close().unwrap();
    drop(second);
    assert_eq!(snapshot(directory.path()), before);
}

#[test]
fn what_an_unclean_stop_left_is_recovered_in_memory_only() {
    let directory = tempfile::tempdir().unwrap();
    drop(filled(directory.path()));
    fs::remove_dir_all(directory.path().join("consumequeue")).unwrap();
    // A record that was not written to its end.
    let files: Vec<_> = snapshot(&directory.path().join("commitlog")).into_keys().collect();
    let last = files.iter().rev().find(|path| fs::read(path).unwrap().iter().any(|byte| *byte != 0)).unwrap();
    let mut bytes = fs::read(last).unwrap();
    let end = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    let record = bytes[..100].to_vec();
    if end + 100 < bytes.len() {
        bytes[end..end + 100].copy_from_slice(&record);
        fs::write(last, bytes).unwrap();
    }
    let before = snapshot(directory.path());
    let store = open_read_only(directory.path()).unwrap();
    for queue_id in 0..2 {
        assert_eq!(read_all(&store, "Topic", queue_id), (0..100).map(body).collect::<Vec<_>>());
    }
    store.close().unwrap();
    assert_eq!(snapshot(directory.path()), before);
    assert_eq!(read_all(&open_os(small(directory.path())), "Topic", 0).len(), 100);
}

#[test]
fn a_running_store_and_a_directory_without_one_are_refused_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let running = filled(directory.path());
    assert!(matches!(open_read_only(directory.path()), Err(StoreError::Locked { .. })));
    put(&running, "Topic", 0, b"still mine").unwrap();
    assert!(matches!(
        MessageStore::open(small(directory.path()), Arc::new(OsFs), Arc::new(SystemClock::new())),
        Err(StoreError::Locked { .. })
    ));
    running.close().unwrap();

    let empty = tempfile::tempdir().unwrap();
    let error = open_read_only(empty.path()).unwrap_err().to_string();
    assert!(error.contains(&empty.path().join("commitlog").display().to_string()), "{error}");
    assert!(snapshot(empty.path()).is_empty());
}

#[test]
fn a_store_opened_to_be_read_does_not_keep_a_writer_out() {
    let directory = tempfile::tempdir().unwrap();
    filled(directory.path()).close().unwrap();
    let reading = open_read_only(directory.path()).unwrap();
    let writing = open_os(small(directory.path()));
    put(&writing, "Topic", 0, b"later").unwrap();
    writing.close().unwrap();
    assert_eq!(read_all(&reading, "Topic", 0), (0..100).map(body).collect::<Vec<_>>());
}

#[test]
fn the_log_is_read_record_after_record_across_file_ends() {
    let directory = tempfile::tempdir().unwrap();
    filled(directory.path()).close().unwrap();
    let store = open_read_only(directory.path()).unwrap();
    let mut bodies = Vec::new();
    let mut at = store.min_physical_offset();
    while at < store.max_physical_offset() {
        let mut out = Vec::new();
        let read = store.records_from(at, 7, 1 << 20, &mut out).unwrap();
        let found = records(&out);
        assert_eq!(read.count, found.len());
        bodies.extend(found.into_iter().map(|(_, body)| body));
        assert!(read.next_physical_offset > at);
        at = read.next_physical_offset;
    }
    assert_eq!(bodies, (0..100).flat_map(|number| [body(number), body(number)]).collect::<Vec<_>>());
    let mut out = Vec::new();
    assert!(matches!(
        store.records_from(1, 1, 100, &mut out),
        Err(StoreError::NoRecord { physical_offset: 1, file_offset: 1, .. })
    ));
}

#[test]
fn a_store_that_was_closed_without_a_message_is_an_empty_one() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    open_os(small(root)).close().unwrap();
    let store = open_read_only(root).unwrap();
    assert_eq!((store.queues().len(), store.max_physical_offset()), (0, 0));
    drop(store);
    let (fs, clock) = (Arc::new(OsFs) as Arc<dyn Fs>, Arc::new(SystemClock::new()) as Arc<dyn Clock>);
    let mut report = verify(&small(root), &fs, |_, _| ()).unwrap();
    assert_eq!((report.records, report.fault_count, report.was_clean), (0, 0, true), "{report:?}");
    report = rebuild(&small(root), &fs, &clock, |_, _| ()).unwrap();
    assert_eq!(report.fault_count, 0, "{report:?}");
    let store = open_os(small(root));
    assert_eq!(put(&store, "Topic", 0, b"first").unwrap().0.queue_offset, 0);
}

//! Verifying a stopped store, and making its queues anew.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test that unwraps in vain fails, which is what it is for")]

mod common;

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::*;
use rocketmq_env::{Clock, FaultFs, Fs, OsFs, SystemClock, VirtualClock};
use rocketmq_store::{StoreConfig, StoreError, VerifyReport, rebuild, verify};

fn body(number: usize) -> Vec<u8> {
    format!("message number {number}").into_bytes()
}

/// 100 messages in each of two queues, closed.
fn filled(root: &Path) {
    let store = open_os(small(root));
    for number in 0..100 {
        put_tagged(&store, "Topic", 0, &body(number), "TAGS\u{1}A\u{2}").unwrap();
        put(&store, "Topic", 1, &body(number)).unwrap();
    }
    store.close().unwrap();
}

fn check(root: &Path) -> VerifyReport {
    let mut config = StoreConfig::new(root);
    config.take_file_sizes_from_disk(&OsFs).unwrap();
    let mut last = (0, 1);
    let report = verify(&config, &(Arc::new(OsFs) as Arc<dyn Fs>), |done, total| last = (done, total)).unwrap();
    assert_eq!(last.0, last.1);
    report
}

/// (file, offset) of each fault.
fn places(report: &VerifyReport) -> Vec<(PathBuf, u64)> {
    report.faults.iter().map(|fault| (fault.file.clone(), fault.offset)).collect()
}

fn flip(file: &Path, offset: u64) {
    let file = fs::OpenOptions::new().read(true).write(true).open(file).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, offset).unwrap();
    file.write_all_at(&[byte[0] ^ 0x40], offset).unwrap();
}

#[test]
fn a_sound_store_has_no_faults_and_everything_is_counted() {
    let directory = tempfile::tempdir().unwrap();
    filled(directory.path());
    let report = check(directory.path());
    assert_eq!((report.records, report.units, report.queues, report.fault_count), (200, 200, 2, 0), "{report:?}");
    assert!(report.was_clean);
}

#[test]
fn each_flipped_byte_is_named_by_file_and_offset() {
    let log = |root: &Path| root.join("commitlog/00000000000000004096");
    let queue = |root: &Path| root.join("consumequeue/Topic/0/00000000000000000200");
    // In a body; in a magic; in a unit's offset, size and tags.
    type Place<'a> = &'a dyn Fn(&Path) -> PathBuf;
    let cases: [(Place<'_>, u64, u64); 5] =
        [(&log, 90, 0), (&log, 5, 0), (&queue, 27, 20), (&queue, 31, 20), (&queue, 39, 20)];
    for (file, flipped, named) in cases {
        let directory = tempfile::tempdir().unwrap();
        filled(directory.path());
        flip(&file(directory.path()), flipped);
        let report = check(directory.path());
        assert!(places(&report).contains(&(file(directory.path()), named)), "{flipped}: {report:?}");
        assert!(report.fault_count <= 2, "{report:?}");
    }
}

#[test]
fn a_missing_file_of_the_log_and_a_missing_queue_are_faults() {
    let directory = tempfile::tempdir().unwrap();
    filled(directory.path());
    fs::remove_file(directory.path().join("commitlog/00000000000000008192")).unwrap();
    let report = check(directory.path());
    assert!(report.faults[0].what.contains("the file is missing; the next one begins at 12288"), "{report:?}");
    let directory = tempfile::tempdir().unwrap();
    filled(directory.path());
    fs::remove_dir_all(directory.path().join("consumequeue/Topic/1")).unwrap();
    let report = check(directory.path());
    assert_eq!(report.fault_count, 100);
    assert_eq!(report.faults[0].file, directory.path().join("consumequeue/Topic/1"));
}

#[test]
fn what_an_unclean_stop_left_is_no_fault() {
    let directory = tempfile::tempdir().unwrap();
    let store = open_os(small(directory.path()));
    for number in 0..100 {
        put(&store, "Topic", 0, &body(number)).unwrap();
    }
    drop(store);
    let _ = fs::remove_dir_all(directory.path().join("consumequeue"));
    let report = check(directory.path());
    assert_eq!((report.records, report.fault_count, report.was_clean), (100, 0, false), "{report:?}");
    assert_eq!(report.unfinished, 100);
}

#[test]
fn damaged_and_missing_queues_are_made_anew_from_the_log() {
    let directory = tempfile::tempdir().unwrap();
    filled(directory.path());
    flip(&directory.path().join("consumequeue/Topic/0/00000000000000000200"), 27);
    fs::remove_dir_all(directory.path().join("consumequeue/Topic/1")).unwrap();
    let (fs, clock) = (Arc::new(OsFs) as Arc<dyn Fs>, Arc::new(SystemClock::new()) as Arc<dyn Clock>);
    rebuild(&small(directory.path()), &fs, &clock, |_, _| ()).unwrap();
    let report = check(directory.path());
    assert_eq!((report.units, report.fault_count, report.was_clean), (200, 0, true), "{report:?}");
    let store = open_os(small(directory.path()));
    for queue_id in 0..2 {
        assert_eq!(read_all(&store, "Topic", queue_id), (0..100).map(body).collect::<Vec<_>>());
    }
}

#[test]
fn nothing_is_made_from_a_damaged_log() {
    let directory = tempfile::tempdir().unwrap();
    filled(directory.path());
    let damaged = directory.path().join("commitlog/00000000000000004096");
    flip(&damaged, 90);
    let (fs, clock) = (Arc::new(OsFs) as Arc<dyn Fs>, Arc::new(SystemClock::new()) as Arc<dyn Clock>);
    let error = rebuild(&small(directory.path()), &fs, &clock, |_, _| ()).unwrap_err();
    assert!(matches!(&error, StoreError::LogFaults { file, offset: 0, .. } if *file == damaged), "{error}");
    assert_eq!(check(directory.path()).fault_count, 1);
}

#[test]
fn a_power_cut_anywhere_in_a_rebuild_leaves_a_store_that_recovers() {
    let root = Path::new("/store");
    let fill = |fs: &FaultFs, clock: &Arc<VirtualClock>| {
        let store = open_with(small(root), fs, clock).unwrap();
        for number in 0..40 {
            put(&store, "Topic", 0, &body(number)).unwrap();
            put(&store, "Topic", 1, &body(number)).unwrap();
        }
        store.close().unwrap();
        // A unit that points nowhere: what the rebuild is for.
        fs.corrupt(&root.join("consumequeue/Topic/0/00000000000000000000"), 27, 0x40).unwrap();
    };
    let mut completed = false;
    let mut cuts = 0;
    while !completed {
        let (fs, clock) = (FaultFs::new(), Arc::new(VirtualClock::new(START_MS)));
        fill(&fs, &clock);
        fs.power_off_at(fs.calls() + cuts);
        let as_clock = clock.clone() as Arc<dyn Clock>;
        completed = rebuild(&small(root), &fs.process(), &as_clock, |_, _| ()).is_ok();
        fs.power_cut(cuts);
        let store = open_with(small(root), &fs, &clock).unwrap();
        for queue_id in 0..2 {
            assert_eq!(store.max_offset("Topic", queue_id), 40, "cut at call {cuts}");
        }
        assert_eq!(read_all(&store, "Topic", 1), (0..40).map(body).collect::<Vec<_>>(), "cut at call {cuts}");
        if completed {
            assert_eq!(read_all(&store, "Topic", 0), (0..40).map(body).collect::<Vec<_>>());
        }
        store.close().unwrap();
        cuts += 1;
    }
    assert!(cuts > 10, "{cuts}");
}

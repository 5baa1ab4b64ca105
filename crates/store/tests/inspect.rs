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
use rocketmq_store::{Fault, StoreConfig, StoreError, VerifyReport, rebuild, verify};

fn body(number: usize) -> Vec<u8> {
    format!("message number {number}").into_bytes()
}

fn rebuilt(root: &Path) {
    let (fs, clock) = (Arc::new(OsFs) as Arc<dyn Fs>, Arc::new(SystemClock::new()) as Arc<dyn Clock>);
    rebuild(&small(root), &fs, &clock, |_, _| ()).unwrap();
}

/// 100 messages with three keys each, and the index files, in order: 19 items in each of them, 7 slots.
fn filled_with_keys(root: &Path) -> Vec<PathBuf> {
    let store = open_os(small(root));
    for number in 0..100 {
        let properties = format!("UNIQ_KEY\u{1}ID{number:030}\u{2}KEYS\u{1}key-{number} all\u{2}");
        put_tagged(&store, "Topic", 0, &body(number), &properties).unwrap();
    }
    store.close().unwrap();
    index_files(root)
}

fn index_files(root: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(root.join("index")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
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
        // A record that is lost takes its unit and the item of its tag with it.
        assert!(report.fault_count <= 3, "{report:?}");
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
            put_tagged(&store, "Topic", 0, &body(number), &format!("KEYS\u{1}key-{number}\u{2}")).unwrap();
            put(&store, "Topic", 1, &body(number)).unwrap();
        }
        store.close().unwrap();
        // An item of another hash, a unit that points nowhere: what the rebuild is for.
        let mut names: Vec<_> = fs.read_dir(&root.join("index")).unwrap().into_iter().map(|entry| entry.name).collect();
        names.sort();
        fs.corrupt(&root.join("index").join(&names[0]), 40 + 4 * 7 + 20 + 3, 0x40).unwrap();
        fs.corrupt(&root.join("consumequeue/Topic/0/00000000000000000000"), 27, 0x40).unwrap();
    };
    let mut completed = false;
    let mut was_rebuilt = false;
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
            assert_eq!(store.max_offset("Topic", queue_id).unwrap(), 40, "cut at call {cuts}");
        }
        assert_eq!(read_all(&store, "Topic", 1), (0..40).map(body).collect::<Vec<_>>(), "cut at call {cuts}");
        if completed {
            assert_eq!(read_all(&store, "Topic", 0), (0..40).map(body).collect::<Vec<_>>());
        }
        for number in 1..40 {
            let found = store.query("Topic", &format!("key-{number}"), 9, 0, i64::MAX).unwrap().physical_offsets;
            assert_eq!(found.len(), 1, "cut at call {cuts}: key-{number}");
        }
        store.close().unwrap();
        let report = verify(&small(root), &fs.process(), |_, _| ()).unwrap();
        let is_rebuilt = report.fault_count == 0;
        assert!(is_rebuilt || !completed, "cut at call {cuts}: {report:?}");
        assert_eq!(report.index_items, if is_rebuilt { 40 } else { 39 }, "cut at call {cuts}: {report:?}");
        // Once the old files are not believed any more, every start completes the work.
        assert!(is_rebuilt || !was_rebuilt, "cut at call {cuts}: {report:?}");
        was_rebuilt = is_rebuilt;
        cuts += 1;
    }
    assert!(cuts > 10, "{cuts}");
}

#[test]
fn every_item_of_the_index_is_checked_against_the_log() {
    let directory = tempfile::tempdir().unwrap();
    let files = filled_with_keys(directory.path());
    assert_eq!(files.len(), 300_usize.div_ceil(19));
    let report = check(directory.path());
    assert_eq!((report.index_items, report.unindexed, report.fault_count), (300, 0, 0), "{report:?}");
}

#[test]
fn each_flipped_byte_of_an_index_file_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let file = filled_with_keys(directory.path()).swap_remove(5);
    let (slots, items) = (40, 40 + 4 * 7);
    let item = |number: u64| items + 20 * number;
    // (byte, where the fault is named, what it says)
    let cases = [
        (2, 0, "beginTimestamp"),
        (7 + 8, 8, "endTimestamp"),
        (7 + 16, 16, "beginPhyOffset"),
        (7 + 24, 24, "endPhyOffset"),
        (3 + 32, 32, "hashSlotCount"),
        (slots + 3, slots, "slot 0 names item"),
        (slots + 4 * 6, slots + 4 * 6, "slot 6 names item"),
        (item(4) + 3, item(4), "item 4: hash"),
        (item(4) + 11, item(4), "no such record"),
        (item(4) + 4, item(4), "no such record"),
        (item(7) + 10, item(7), "no such record"),
        (item(19) + 11, item(19), "no such record"),
        (item(4) + 15, item(4), "timeDiff"),
        (item(19) + 19, item(19), "the one before it"),
    ];
    for (flipped, named, what) in cases {
        flip(&file, flipped);
        let report = check(directory.path());
        let is_named = |fault: &Fault| fault.file == file && fault.offset == named && fault.what.contains(what);
        assert!(report.faults.iter().any(is_named), "{flipped}: {report:?}");
        assert!(report.fault_count <= 4, "{flipped}: {report:?}");
        assert!(report.faults.iter().all(|fault| fault.file == file), "{flipped}: {report:?}");
        flip(&file, flipped);
    }
    assert_eq!(check(directory.path()).fault_count, 0);
}

#[test]
fn an_index_of_fewer_items_or_another_length_is_told_and_made_anew() {
    let directory = tempfile::tempdir().unwrap();
    let files = filled_with_keys(directory.path());
    fs::remove_file(&files[5]).unwrap();
    let report = check(directory.path());
    assert_eq!((report.index_items, report.fault_count), (300 - 19, 0), "{report:?}");
    assert!((6..=8).contains(&report.unindexed), "{report:?}");
    fs::write(&files[7], [1; 100]).unwrap();
    assert_eq!(places(&check(directory.path())), [(files[7].clone(), 0)]);
    rebuilt(directory.path());
    let report = check(directory.path());
    assert_eq!((report.index_items, report.unindexed, report.fault_count), (300, 0, 0), "{report:?}");
    let store = open_os(small(directory.path()));
    assert_eq!(store.query("Topic", "all", 1_000, 0, i64::MAX).unwrap().physical_offsets.len(), 64);
}

#[test]
fn the_rest_of_the_index_is_made_by_a_rebuild_and_the_indexer_goes_on_behind_it() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    for file in filled_with_keys(root) {
        flip(&file, 40 + 4 * 7 + 20 * 3 + 3);
    }
    assert!(check(root).fault_count >= 15);
    rebuilt(root);
    let store = open_os(small(root));
    put_tagged(&store, "Topic", 0, b"later", "KEYS\u{1}later all\u{2}").unwrap();
    for key in (0..100).map(|number| format!("key-{number}")).chain(["later".to_owned()]) {
        assert_eq!(store.query("Topic", &key, 9, 0, i64::MAX).unwrap().physical_offsets.len(), 1, "{key}");
    }
    store.close().unwrap();
    let report = check(root);
    assert_eq!((report.index_items, report.unindexed, report.fault_count), (302, 0, 0), "{report:?}");
}

#[test]
fn an_index_that_a_kill_left_unfinished_is_no_fault() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    filled_with_keys(root);
    fs::write(root.join("abort"), b"1").unwrap();
    let last = index_files(root).pop().unwrap();
    flip(&last, 40 + 4 * 7 + 20 + 3);
    let report = check(root);
    assert_eq!((report.fault_count, report.was_clean), (0, false), "{report:?}");
    assert!(report.unfinished > 0);
    flip(&index_files(root)[0], 40 + 4 * 7 + 20 + 3);
    assert!(check(root).fault_count > 0, "full files that the checkpoint knows must be sound");
}

#[test]
fn slots_and_items_of_index_files_are_found_out() {
    for (slots, items) in [(7, 20), (1_000, 4_000), (13, 500)] {
        let directory = tempfile::tempdir().unwrap();
        let config = StoreConfig { max_hash_slot_num: slots, max_index_num: items, ..small(directory.path()) };
        let store = open_os(config);
        put_tagged(&store, "Topic", 0, b"x", "KEYS\u{1}a b c\u{2}").unwrap();
        store.close().unwrap();
        let mut found = StoreConfig::new(directory.path());
        found.take_file_sizes_from_disk(&OsFs).unwrap();
        assert_eq!((found.max_hash_slot_num, found.max_index_num), (slots, items));
    }
}

fn sizes(root: &Path) -> StoreConfig {
    let mut found = StoreConfig::new(root);
    found.take_file_sizes_from_disk(&OsFs).unwrap();
    found
}

fn set_len(file: &Path, len: u64) {
    fs::OpenOptions::new().write(true).create(true).truncate(false).open(file).unwrap().set_len(len).unwrap();
}

#[test]
fn an_index_file_without_a_whole_header_tells_no_sizes_and_is_made_anew() {
    for len in [0, 39, 40] {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        let files = filled_with_keys(root);
        set_len(&files[0], len);
        assert_eq!(sizes(root).max_index_num, 20, "the next file tells");
        assert_eq!(places(&check(root)), [(files[0].clone(), 0)], "{len}");
        let config = StoreConfig { commit_log_segment_bytes: 4096, ..sizes(root) };
        let store = open_os(config);
        store.close().unwrap();
        assert_eq!(check(root).fault_count, 0, "{len}");
    }
}

#[test]
fn files_have_the_length_that_most_of_them_have() {
    // Damaged files with the length they are given, and whether it is the usual one that is told nevertheless.
    for (log, queue) in [(9, 7), (3_000, 100), (5_000, 300)] {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        filled(root);
        set_len(&root.join("commitlog/00000000000000000000"), log);
        set_len(&root.join("consumequeue/Topic/0/00000000000000000000"), queue);
        let found = sizes(root);
        assert_eq!((found.commit_log_segment_bytes, found.consume_queue_segment_bytes), (4096, 200), "{log} {queue}");
    }
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir_all(directory.path().join("commitlog")).unwrap();
    set_len(&directory.path().join("commitlog/00000000000000000000"), 4_000);
    set_len(&directory.path().join("commitlog/00000000000000004096"), 4_096);
    assert_eq!(sizes(directory.path()).commit_log_segment_bytes, 4_096);
}

#[test]
fn a_file_for_which_the_next_start_refuses_the_store_is_named() {
    // (file, its length, byte that is named)
    let cases = [
        ("commitlog/00000000000000000000", 1_000, 1_000),
        ("commitlog/00000000000000004096", 0, 0),
        ("commitlog/00000000000000004096", 5_000, 4_096),
        ("commitlog/foo", 5, 0),
        ("commitlog/123", 5, 0),
        ("consumequeue/Topic/0/00000000000000000200", 0, 0),
        ("consumequeue/Topic/0/00000000000000000200", 100, 100),
        ("consumequeue/Topic/0/00000000000000000200", 300, 200),
        ("consumequeue/Topic/0/foo", 5, 0),
        ("consumequeue/Topic/0/123", 5, 0),
    ];
    for (name, len, named) in cases {
        for clean in [true, false] {
            let directory = tempfile::tempdir().unwrap();
            let root = directory.path();
            filled(root);
            if !clean {
                fs::write(root.join("abort"), b"1").unwrap();
            }
            let file = root.join(name);
            set_len(&file, len);
            let report = check(root);
            assert_eq!(places(&report)[0], (file.clone(), named), "{name} {len}: {report:?}");
            let refusals = report.faults.iter().filter(|fault| fault.what.contains(name)).count();
            assert_eq!(refusals, 1, "{name} {len}: {report:?}");
            let opened = rocketmq_store::MessageStore::open(sizes(root), Arc::new(OsFs), Arc::new(SystemClock::new()));
            assert!(opened.is_err(), "{name} {len}");
        }
    }
}

#[test]
fn after_an_unclean_stop_what_the_next_start_does_not_put_right_is_a_fault() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    filled(root);
    fs::write(root.join("abort"), b"1").unwrap();
    let hole = root.join("consumequeue/Topic/0/00000000000000000400");
    fs::OpenOptions::new().write(true).open(&hole).unwrap().write_all_at(&[0; 100], 40).unwrap();
    let report = check(root);
    let expected: Vec<_> = (2..7).map(|unit| (hole.clone(), unit * 20)).collect();
    assert_eq!((places(&report), report.unfinished), (expected, 0), "{report:?}");
    open_os(small(root)).close().unwrap();
    assert_eq!(check(root).fault_count, 5, "the start left them");
    rebuilt(root);
    assert_eq!(check(root).fault_count, 0);
}

#[test]
fn a_queue_without_its_first_file_lacks_units_and_the_log_is_not_blamed() {
    let first = "consumequeue/Topic/0/00000000000000000000";
    for clean in [true, false] {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        filled(root);
        fs::remove_file(root.join(first)).unwrap();
        if !clean {
            fs::write(root.join("abort"), b"1").unwrap();
        }
        let report = check(root);
        let missing: Vec<_> = (0..10).map(|unit| (root.join(first), unit * 20)).collect();
        // The next start makes them again in any case, but after a clean stop nothing should be missing.
        assert_eq!((places(&report), report.unfinished), if clean { (missing, 0) } else { (vec![], 10) }, "{report:?}");
        open_os(small(root)).close().unwrap();
        let report = check(root);
        assert_eq!((report.units, report.fault_count), (200, 0), "{report:?}");
    }
}

#[test]
fn a_record_that_says_another_queue_offset_is_named_and_no_other() {
    for with_units in [true, false] {
        for mask_at in [20 + 7, 20 + 6, 20 + 3, 20] {
            let directory = tempfile::tempdir().unwrap();
            let root = directory.path();
            filled(root);
            let size = {
                let log = fs::read(root.join("commitlog/00000000000000000000")).unwrap();
                u64::from(u32::from_be_bytes(*log.first_chunk().unwrap()))
            };
            let log = root.join("commitlog/00000000000000004096");
            flip(&log, mask_at);
            if !with_units {
                fs::remove_dir_all(root.join("consumequeue")).unwrap();
            }
            let report = check(root);
            let in_log: Vec<_> =
                places(&report).into_iter().filter(|(file, _)| file.starts_with(root.join("commitlog"))).collect();
            assert_eq!(in_log, [(log, 0)], "byte {mask_at} of a record of {size}: {report:?}");
            if with_units {
                assert_eq!(report.fault_count, 1, "{report:?}");
            }
        }
    }
}

/// A directory as Apache's broker leaves it that deleted a topic, and got messages for it again in `anew` rounds.
fn deleted_by_apache(root: &Path, anew: usize) {
    let store = open_os(small(root));
    for round in 0..=anew {
        for number in 0..3 + round {
            put(&store, "Topic", 0, &body(number)).unwrap();
            put(&store, "Topic", 1, &body(number)).unwrap();
            put(&store, "Other", 0, &body(number)).unwrap();
        }
        if round < anew || anew == 0 {
            store.delete_topics(&["Topic"]).unwrap();
        }
    }
    store.close().unwrap();
    for name in ["deletedTopics.json", "deletedTopics.json.bak"] {
        let _there_may_be_none = fs::remove_file(root.join("config").join(name));
    }
    apache_stores(&OsFs, root);
}

#[test]
fn messages_of_a_topic_that_apache_deleted_are_no_faults_and_not_taken_for_those_of_the_topic_made_anew() {
    for anew in 0..2 {
        let directory = tempfile::tempdir().unwrap();
        deleted_by_apache(directory.path(), anew);
        assert_eq!(check(directory.path()).faults, [], "made anew {anew} times");
    }
    let directory = tempfile::tempdir().unwrap();
    deleted_by_apache(directory.path(), 1);
    rebuilt(directory.path());
    assert_eq!(check(directory.path()).faults, []);
    let store = open_os(small(directory.path()));
    for queue_id in 0..2 {
        assert_eq!(read_all(&store, "Topic", queue_id), (0..4).map(body).collect::<Vec<_>>());
    }
}

#[test]
fn a_topic_that_was_deleted_twice_is_not_made_anew_by_guessing() {
    let directory = tempfile::tempdir().unwrap();
    deleted_by_apache(directory.path(), 2);
    assert_eq!(check(directory.path()).faults, []);
    let (fs, clock) = (Arc::new(OsFs) as Arc<dyn Fs>, Arc::new(SystemClock::new()) as Arc<dyn Clock>);
    let error = rebuild(&small(directory.path()), &fs, &clock, |_, _| ()).unwrap_err();
    assert!(error.to_string().contains("a queue of Topic begins for the third time"), "{error}");
    let store = open_os(small(directory.path()));
    assert_eq!(read_all(&store, "Topic", 0), (0..5).map(body).collect::<Vec<_>>());
}

//! Messages are found by their keys: at once, over many files, after every kind of stop, and in spite of broken disks.
#![allow(clippy::unwrap_used, reason = "a test that unwraps in vain fails, which is what it is for")]

mod common;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::*;
use rocketmq_env::{Fault, FaultFs, Fs, OpenMode, Operation, VirtualClock};
use rocketmq_store::{MessageStore, RetentionConfig, StoreConfig, StoreError};

const EIO: i32 = 5;
const NOTHING: [i64; 0] = [];

struct Fixture {
    fs: FaultFs,
    clock: Arc<VirtualClock>,
}

impl Fixture {
    fn new() -> Self {
        Self { fs: FaultFs::new(), clock: Arc::new(VirtualClock::new(START_MS)) }
    }

    fn open(&self) -> Arc<MessageStore> {
        open_with(small("/store"), &self.fs, &self.clock).unwrap()
    }

    /// Names of the index files, in order.
    fn files(&self) -> Vec<String> {
        let entries = self.fs.read_dir(Path::new("/store/index")).unwrap_or_default();
        let mut names: Vec<_> = entries.into_iter().map(|entry| entry.name.into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn fail(&self, operation: Operation, times: u64) {
        self.fs.inject(Fault { operation, path_contains: "/index".to_owned(), after: 0, times, os_error: Some(EIO) });
    }
}

/// Puts messages that each have a unique key, two keys and a tag; 19 items fit into a file. Returns where they are.
fn put_keyed(store: &MessageStore, numbers: std::ops::Range<usize>) -> Vec<i64> {
    let put = |number: usize| {
        let properties = format!(
            "UNIQ_KEY\u{1}ID{number:030}\u{2}WAIT\u{1}true\u{2}KEYS\u{1}order-{number}  größe-{number}\u{2}TAGS\u{1}tag-{number}\u{2}"
        );
        put_tagged(store, "Topic", 0, format!("body {number}").as_bytes(), &properties).unwrap().0.physical_offset
    };
    numbers.map(put).collect()
}

fn find(store: &MessageStore, key: &str) -> Vec<i64> {
    store.query("Topic", key, 64, 0, i64::MAX).unwrap().physical_offsets
}

fn assert_found(store: &MessageStore, places: &[i64]) {
    for (number, place) in places.iter().enumerate() {
        for key in
            [format!("ID{number:030}"), format!("order-{number}"), format!("größe-{number}"), format!("T#tag-{number}")]
        {
            assert_eq!(find(store, &key), [*place], "{key}");
        }
    }
    assert_eq!(find(store, &format!("order-{}", places.len())), NOTHING);
}

fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let began = Instant::now();
    while !condition() {
        assert!(began.elapsed() < Duration::from_secs(60), "never happened: {what}");
        std::thread::yield_now();
    }
}

#[test]
fn a_message_is_found_by_each_of_its_keys_as_soon_as_it_is_put() {
    let fixture = Fixture::new();
    let store = fixture.open();
    for number in 0..30 {
        let places = put_keyed(&store, number..number + 1);
        assert_eq!(find(&store, &format!("order-{number}")), places);
    }
    assert_eq!(store.query("Other", "order-1", 64, 0, i64::MAX).unwrap().physical_offsets, NOTHING);
    assert!(fixture.files().len() >= 6, "120 items make more files than {:?}", fixture.files());
}

#[test]
fn everything_is_found_once_after_clean_stops_and_after_kills() {
    let fixture = Fixture::new();
    let mut places = Vec::new();
    for round in 0..8 {
        let store = fixture.open();
        assert_found(&store, &places);
        let next = places.len();
        places.extend(put_keyed(&store, next..next + 7 + round));
        if round % 3 == 0 {
            assert_found(&store, &places);
        }
        if round % 2 == 0 {
            store.close().unwrap();
        } else {
            fixture.fs.kill_process();
        }
    }
    assert_found(&fixture.open(), &places);
}

#[test]
fn a_query_returns_the_newest_of_a_time_range_and_tells_how_far_the_index_is() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let mut places = Vec::new();
    for _ in 0..100 {
        fixture.clock.advance(Duration::from_secs(1));
        places.push(put_tagged(&store, "Topic", 0, b"body", "KEYS\u{1}same\u{2}").unwrap().0.physical_offset);
    }
    let result = store.query("Topic", "same", 1_000, 0, i64::MAX).unwrap();
    assert_eq!(result.physical_offsets, places[36..], "at most maxMsgsNumBatch");
    assert_eq!(result.index_last_update_timestamp, START_MS + 100_000);
    assert_eq!(result.index_last_update_phy_offset, places[99]);
    assert_eq!(store.query("Topic", "same", 3, 0, i64::MAX).unwrap().physical_offsets, places[97..]);
    let within = |begin: i64, end: i64| {
        store.query("Topic", "same", 64, START_MS + begin, START_MS + end).unwrap().physical_offsets
    };
    assert_eq!(within(22_000, 25_000), places[21..25]);
    assert_eq!(within(200_000, 300_000), NOTHING);
    assert_eq!(store.query("Topic", "same", 0, 0, i64::MAX).unwrap().physical_offsets, NOTHING);
}

#[test]
fn keys_are_indexed_behind_the_puts_without_being_asked_for() {
    let fixture = Fixture::new();
    let store = fixture.open();
    put_keyed(&store, 0..20);
    assert_eq!(fixture.files(), [""; 0], "a put has nothing to do with the index");
    until("the index files are written", || {
        fixture.clock.advance(Duration::from_millis(200));
        fixture.files().len() == 5
    });
}

#[test]
fn a_store_that_is_not_to_index_finds_what_was_indexed_before_and_makes_up_for_the_rest_later() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let mut places = put_keyed(&store, 0..10);
    store.close().unwrap();
    let config = StoreConfig { message_index_enable: false, ..small("/store") };
    let store = open_with(config, &fixture.fs, &fixture.clock).unwrap();
    places.extend(put_keyed(&store, 10..20));
    assert_eq!(find(&store, "order-9"), places[9..10]);
    assert_eq!(find(&store, "order-10"), NOTHING);
    store.close().unwrap();
    assert_found(&fixture.open(), &places);
}

#[test]
fn after_an_unclean_stop_full_files_stay_and_the_last_is_made_again() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let mut places = Vec::new();
    for number in 0..20 {
        fixture.clock.advance(Duration::from_secs(1));
        places.extend(put_keyed(&store, number..number + 1));
        assert_eq!(find(&store, &format!("order-{number}")).len(), 1);
    }
    let before = fixture.files();
    fixture.fs.kill_process();
    fixture.clock.advance(Duration::from_secs(1));
    // Not to be indexed, so that what the start leaves is seen.
    let config = StoreConfig { message_index_enable: false, ..small("/store") };
    let store = open_with(config, &fixture.fs, &fixture.clock).unwrap();
    assert_eq!(fixture.files(), before[..4]);
    drop(store);
    assert_found(&fixture.open(), &places);
}

#[test]
fn index_files_of_another_length_or_with_a_damaged_header_are_made_again() {
    type Damage = fn(&dyn Fs, &Path);
    let damages: [(&str, Damage); 4] = [
        ("short", |fs, path| fs.open(path, OpenMode::ReadWrite).unwrap().set_len(100).unwrap()),
        ("empty", |fs, path| fs.open(path, OpenMode::ReadWrite).unwrap().set_len(0).unwrap()),
        ("garbage", |fs, path| fs.open(path, OpenMode::ReadWrite).unwrap().write_all_at(&[0xA5; 300], 0).unwrap()),
        ("place", |fs, path| fs.open(path, OpenMode::ReadWrite).unwrap().write_all_at(&[0, 9, 9, 9], 28).unwrap()),
    ];
    for (name, damage) in damages {
        for index in 0..4 {
            let fixture = Fixture::new();
            let store = fixture.open();
            let places = put_keyed(&store, 0..18);
            store.close().unwrap();
            damage(&fixture.fs, &Path::new("/store/index").join(&fixture.files()[index]));
            fixture.fs.create_dir_all(Path::new("/store/index/1")).unwrap();
            fixture.fs.open(Path::new("/store/index/README"), OpenMode::CreateNew).unwrap();
            let store = fixture.open();
            assert_found(&store, &places);
            assert_eq!(fixture.files().len(), 6, "{name} {index}: two are none of ours");
        }
    }
}

#[test]
fn a_log_that_lost_its_end_takes_index_files_that_reach_behind_it_with_it() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let mut places = put_keyed(&store, 0..20);
    assert_found(&store, &places);
    store.close().unwrap();
    // As if the log's last pages had not reached the disk, though the index files did.
    let cut = places[10];
    let segment = cut / 4096 * 4096;
    let path = format!("/store/commitlog/{segment:020}");
    let file = fixture.fs.open(Path::new(&path), OpenMode::ReadWrite).unwrap();
    file.zero_range((cut - segment) as u64, (4096 - (cut - segment)) as u64).unwrap();
    for later in (segment + 4096..=places[19]).step_by(4096) {
        fixture.fs.remove_file(Path::new(&format!("/store/commitlog/{later:020}"))).unwrap();
    }
    let store = fixture.open();
    places.truncate(10);
    assert_found(&store, &places);
    places.extend(put_keyed(&store, 10..12));
    assert_found(&store, &places);
    fixture.fs.kill_process();
    assert_found(&fixture.open(), &places);
}

#[test]
fn an_index_that_cannot_be_written_falls_behind_and_catches_up() {
    for operation in [Operation::Open, Operation::SetLen, Operation::Write, Operation::CreateDir] {
        let fixture = Fixture::new();
        let store = fixture.open();
        fixture.fail(operation, u64::MAX);
        let mut places = put_keyed(&store, 0..10);
        assert_eq!(find(&store, "order-9"), NOTHING, "{operation:?}");
        fixture.clock.advance(Duration::from_secs(1));
        let error = store.query("Topic", "order-9", 64, 0, i64::MAX);
        assert!(error.is_ok(), "{operation:?}: a query answers with what there is");
        fixture.fs.heal();
        places.extend(put_keyed(&store, 10..20));
        assert_found(&store, &places);
        store.close().unwrap();
        assert_found(&fixture.open(), &places);
    }
}

#[test]
fn a_clean_stop_tells_of_an_index_that_cannot_be_written() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let places = put_keyed(&store, 0..10);
    fixture.fail(Operation::Write, u64::MAX);
    let error = store.close().unwrap_err();
    assert!(matches!(error, StoreError::Log(_)), "{error:?}");
    fixture.fs.heal();
    drop(store);
    assert_found(&fixture.open(), &places);
}

#[test]
fn a_file_whose_fsync_failed_is_made_again_by_the_next_start() {
    for operation in [Operation::Sync, Operation::SyncDir] {
        let fixture = Fixture::new();
        let store = fixture.open();
        put_keyed(&store, 0..1);
        assert_eq!(find(&store, "order-0").len(), 1, "the directory is there");
        fixture.fail(operation, 1);
        let mut places = vec![0];
        places.extend(put_keyed(&store, 1..20));
        assert_found(&store, &places);
        let before = fixture.files();
        let error = store.close().unwrap_err();
        assert!(matches!(error, StoreError::Poisoned { .. }), "{operation:?}: {error:?}");
        drop(store);
        let config = StoreConfig { message_index_enable: false, ..small("/store") };
        drop(open_with(config, &fixture.fs, &fixture.clock).unwrap());
        assert_eq!(fixture.files(), [""; 0], "{operation:?}: of {before:?} none is known to be on disk");
        assert_found(&fixture.open(), &places);
    }
}

#[test]
fn index_files_go_with_the_messages_they_know() {
    let fixture = Fixture::new();
    let retention = RetentionConfig { max_log_bytes: Some(8192), ..RetentionConfig::default() };
    let store = open_with(StoreConfig { retention, ..small("/store") }, &fixture.fs, &fixture.clock).unwrap();
    let places = put_keyed(&store, 0..100);
    assert_eq!(find(&store, "order-99"), places[99..]);
    let before = fixture.files();
    until("the log's first files are deleted, and index files after them", || {
        fixture.clock.advance(Duration::from_secs(1));
        store.min_physical_offset() >= 8192 && fixture.files().len() < before.len()
    });
    let kept = fixture.files();
    assert_eq!(kept, before[before.len() - kept.len()..], "the first ones go");
    assert_eq!(find(&store, "order-0"), NOTHING);
    assert_eq!(find(&store, "order-99"), places[99..]);
    // A file stays as long as the log has a message it knows.
    let first_kept = places.iter().position(|place| *place >= store.min_physical_offset()).unwrap();
    assert_eq!(find(&store, &format!("order-{first_kept}")), places[first_kept..=first_kept]);
}

#[test]
fn a_store_that_is_only_read_finds_keys_and_writes_no_index() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let places = put_keyed(&store, 0..20);
    drop(store);
    fixture.fs.kill_process();
    let clock: Arc<VirtualClock> = Arc::clone(&fixture.clock);
    let before = fixture.files();
    let store = MessageStore::open_read_only(small("/store"), fixture.fs.process(), clock).unwrap();
    assert_found(&store, &places);
    store.close().unwrap();
    assert_eq!(fixture.files(), before);
}

#[test]
fn names_of_files_are_local_time_and_ascend_when_the_clock_is_put_back() {
    let fixture = Fixture::new();
    fixture.clock.set_utc_offset_ms(2 * 3_600_000);
    let store = fixture.open();
    let mut places = put_keyed(&store, 0..10);
    assert_eq!(find(&store, "order-9").len(), 1);
    // 2023-11-14T22:13:20Z.
    assert_eq!(fixture.files(), ["20231115001320000", "20231115001320001", "20231115001320002"]);
    fixture.clock.set_utc_offset_ms(3_600_000);
    places.extend(put_keyed(&store, 10..15));
    assert_eq!(find(&store, "order-14").len(), 1);
    assert_eq!(fixture.files()[3], "20231115001320003");
    store.close().unwrap();
    assert_found(&fixture.open(), &places);
}

#[test]
fn a_setting_that_makes_no_index_file_is_refused_by_name() {
    for (slots, items, name) in
        [(0, 20, "maxHashSlotNum"), (7, 1, "maxIndexNum"), (5_000_000, 107_000_000, "maxIndexNum")]
    {
        let config = StoreConfig { max_hash_slot_num: slots, max_index_num: items, ..small("/store") };
        let error = open_with(config, &FaultFs::new(), &Arc::new(VirtualClock::new(START_MS))).unwrap_err();
        assert!(error.to_string().starts_with(name), "{error}");
    }
}

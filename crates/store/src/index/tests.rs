//! Index files that Apache's `IndexFile` wrote, written again to the same bytes and searched; the golden file comes from
//! `__test__/interop/java/GoldenGenerator.java`.

use std::path::PathBuf;

use rocketmq_env::{FaultFs, Fs};

use super::*;

const FILE: &str = include_str!("../../../testkit/golden/index.txt");
const LAYOUT: Layout = Layout { slots: 5, items: 12 };

/// (name, rest) of each line.
fn lines() -> impl Iterator<Item = (&'static str, &'static str)> {
    FILE.lines().filter(|line| !line.starts_with('#')).map(|line| line.split_once(' ').unwrap())
}

fn bytes(name: &str) -> Vec<u8> {
    let (_, hex) = lines().find(|(found, _)| *found == name).unwrap();
    let byte = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap();
    hex.as_bytes().chunks(2).map(byte).collect()
}

/// (hash, key) of the keys, in the order in which they were put.
fn keys() -> Vec<(i32, &'static str)> {
    let hashes = lines().filter(|(name, _)| *name == "hash");
    hashes.map(|(_, rest)| rest.split_once(' ').unwrap()).map(|(hash, key)| (hash.parse().unwrap(), key)).collect()
}

/// What the generator put.
fn entry(number: usize) -> Entry {
    let late = if number >= 11 { 5_000 } else { 0 };
    Entry {
        hash: keys()[number].0,
        physical_offset: number as i64 * 100,
        store_timestamp: 1_700_000_000_000 + number as i64 * 700 + late,
    }
}

fn path(name: &str) -> PathBuf {
    PathBuf::from("/index").join(name)
}

fn write(fs: &FaultFs, name: &str, before: Option<Header>, numbers: std::ops::Range<usize>) -> Header {
    let mut file = ActiveFile::create(fs, path(name), LAYOUT, before).unwrap();
    let entries: Vec<_> = numbers.map(entry).collect();
    assert_eq!(file.append_all(&entries), entries.len());
    file.write().unwrap();
    *file.header()
}

#[test]
fn keys_have_the_hashes_that_apache_gives_them() {
    for (hash, key) in keys() {
        assert_eq!(key_hash("Topic", key), hash, "{key}");
    }
    // Java's Math.abs leaves this one negative.
    assert_eq!(rocketmq_codec::message::properties::java_string_hash("polygenelubricants"), i32::MIN);
    let hash_of_topic = |rest: &str| key_hash("polygenelubricants", rest);
    assert!(hash_of_topic("x") >= 0);
}

#[test]
fn files_have_the_bytes_that_apache_gives_them() {
    let fs = FaultFs::new();
    let first = write(&fs, "first", None, 0..11);
    write(&fs, "second", Some(first), 11..17);
    for name in ["first", "second"] {
        assert_eq!(fs.read(&path(name), 1 << 20).unwrap(), bytes(name), "{name}");
    }
}

#[test]
fn a_file_that_apache_left_is_gone_on_with_and_searched() {
    let fs = FaultFs::new();
    fs.create_dir_all(&path("")).unwrap();
    let file = fs.open(&path("second"), rocketmq_env::OpenMode::CreateNew).unwrap();
    file.write_all_at(&bytes("second"), 0).unwrap();
    let loaded = IndexFile::load(path("second"), file, LAYOUT).unwrap();
    assert_eq!((loaded.is_full(), loaded.items_of_last_message().unwrap()), (false, 1));
    let mut active = ActiveFile::resume(loaded.clone()).unwrap();
    assert_eq!(active.append_all(&[Entry { hash: entry(12).hash, physical_offset: 9_999, ..entry(16) }]), 1);
    let search = |hash| Search { hash, begin: 0, end: i64::MAX, max_count: 9, found: Vec::new() };
    for number in 11..17 {
        let Entry { hash, physical_offset, .. } = entry(number);
        let (mut in_file, mut in_active) = (search(hash), search(hash));
        loaded.search(&mut in_file).unwrap();
        active.search(&mut in_active).unwrap();
        assert_eq!(in_file.found, [physical_offset]);
        let expected = if number == 12 { vec![9_999, physical_offset] } else { vec![physical_offset] };
        assert_eq!(in_active.found, expected);
    }
}

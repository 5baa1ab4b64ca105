use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::FaultFs;

fn below() -> FaultFs {
    let below = FaultFs::new();
    below.create_dir_all(Path::new("/store")).unwrap();
    let file = below.open(Path::new("/store/log"), OpenMode::CreateNew).unwrap();
    file.write_all_at(&[7; 10_000], 0).unwrap();
    below
}

#[test]
fn every_kind_of_change_is_seen_through_it_and_makes_no_call_below() {
    let below = below();
    let calls = below.calls();
    let overlay = OverlayFs::new(Arc::new(below.clone()));
    let log = overlay.open(Path::new("/store/log"), OpenMode::ReadWrite).unwrap();
    log.write_all_at(b"new", 4_095).unwrap();
    log.zero_range(9_000, 1_000).unwrap();
    log.zero_range(10, 20).unwrap();
    log.sync_all().unwrap();
    overlay.create_dir_all_durably(Path::new("/store/queue/0")).unwrap();
    overlay.open(Path::new("/store/queue/0/file"), OpenMode::CreateNew).unwrap().write_all_at(b"unit", 2).unwrap();
    overlay.rename(Path::new("/store/queue/0/file"), Path::new("/store/queue/0/other")).unwrap();
    assert!(overlay.try_lock(Path::new("/store/lock")).unwrap().is_some());

    let mut bytes = overlay.read(Path::new("/store/log"), 10_000).unwrap();
    assert_eq!(bytes.split_off(9_000), [0; 1_000]);
    assert_eq!(bytes[..10], [7; 10]);
    assert_eq!(bytes[10..30], [0; 20]);
    assert_eq!(&bytes[4_094..4_099], b"\x07new\x07");
    assert_eq!(overlay.read(Path::new("/store/queue/0/other"), 10).unwrap(), b"\0\0unit");
    assert!(!overlay.exists(Path::new("/store/queue/0/file")).unwrap());
    let mut names: Vec<_> =
        overlay.read_dir(Path::new("/store")).unwrap().into_iter().map(|entry| entry.name).collect();
    names.sort();
    assert_eq!(names, ["lock", "log", "queue"]);

    assert_eq!(below.calls(), calls);
    assert_eq!(below.read(Path::new("/store/log"), 10_000).unwrap(), [7; 10_000]);
    assert_eq!(below.read_dir(Path::new("/store")).unwrap().len(), 1);
}

#[test]
fn a_file_that_was_cut_and_grew_again_reads_as_zero_where_it_was_cut() {
    let overlay = OverlayFs::new(Arc::new(below()));
    let log = overlay.open(Path::new("/store/log"), OpenMode::ReadWrite).unwrap();
    log.set_len(100).unwrap();
    log.set_len(5_000).unwrap();
    log.write_all_at(&[9], 200).unwrap();
    let again = overlay.open(Path::new("/store/log"), OpenMode::Read).unwrap();
    let mut bytes = vec![1; 5_000];
    again.read_exact_at(&mut bytes, 0).unwrap();
    assert_eq!(bytes[..100], [7; 100]);
    assert_eq!(bytes[200], 9);
    assert!(bytes[100..200].iter().chain(&bytes[201..]).all(|byte| *byte == 0));
}

#[test]
fn a_removed_file_is_gone_and_may_be_made_anew() {
    let below = below();
    let overlay = OverlayFs::new(Arc::new(below.clone()));
    overlay.remove_file(Path::new("/store/log")).unwrap();
    assert!(overlay.open(Path::new("/store/log"), OpenMode::Read).is_err());
    assert!(overlay.read_dir(Path::new("/store")).unwrap().is_empty());
    overlay.remove_dir(Path::new("/store")).unwrap();
    assert!(!overlay.exists(Path::new("/store")).unwrap());
    overlay.create_dir_all(Path::new("/store")).unwrap();
    let log = overlay.open(Path::new("/store/log"), OpenMode::CreateNew).unwrap();
    assert_eq!(log.len().unwrap(), 0);
    assert!(below.exists(Path::new("/store/log")).unwrap());
}

#[test]
fn it_tells_of_a_lock_below_and_takes_none() {
    let below = below();
    let overlay = OverlayFs::new(Arc::new(below.clone()));
    let path = Path::new("/store/lock");
    let held = below.try_lock(path).unwrap();
    assert!(overlay.is_locked(path).unwrap());
    drop(held);
    assert!(!overlay.is_locked(path).unwrap());
    let _own = overlay.try_lock(path).unwrap().unwrap();
    assert!(below.try_lock(path).unwrap().is_some());
}

#[test]
fn what_is_written_over_itself_is_not_kept() {
    let below = below();
    let overlay = OverlayFs::new(Arc::new(below.clone()));
    let log = overlay.open(Path::new("/store/log"), OpenMode::ReadWrite).unwrap();
    log.write_again(0, 10_000).unwrap();
    below.corrupt(Path::new("/store/log"), 5_000, 1).unwrap();
    assert_eq!(overlay.read(Path::new("/store/log"), 10_000).unwrap()[5_000], 6, "a copy is read");
}

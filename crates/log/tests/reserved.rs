//! Logs whose space is reserved ahead, on the real file system.
#![allow(clippy::unwrap_used, reason = "a test that unwraps in vain fails, which is what it is for")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use rocketmq_env::{DiskSpace, Fault, FaultFs, Operation, OsFs};
use rocketmq_log::{AppendCursor, SegmentedLog};

const SEGMENT_BYTES: u64 = 1 << 20;

/// Bytes that tell their place.
fn pattern(at: u64, len: usize) -> Vec<u8> {
    (at..at + len as u64).map(|at| (at * 31 + at / 251) as u8).collect()
}

#[test]
fn what_is_appended_in_pieces_of_all_sizes_is_read_back_and_is_in_the_files() {
    for (mapped, ahead) in [(false, false), (false, true), (true, false), (true, true)] {
        let directory = tempfile::tempdir().unwrap();
        let log = SegmentedLog::open(Arc::new(OsFs), directory.path().to_owned(), SEGMENT_BYTES).unwrap();
        let log = log.with_space_reserved(mapped);
        let mut cursor = AppendCursor::default();
        let mut end = 0;
        let mut length = 1;
        while end < 3 * SEGMENT_BYTES {
            // 1, 7, 49 ... 40,353: many across the ends of windows.
            length = if length > 40_000 { 1 } else { length * 7 };
            let room = SEGMENT_BYTES - end % SEGMENT_BYTES;
            let bytes = pattern(end, length.min(room as usize));
            log.append(&mut cursor, end, &bytes).unwrap();
            end += bytes.len() as u64;
            log.publish(end);
            if ahead {
                log.prepare_spare().unwrap();
                log.reserve_spare().unwrap();
                log.reserve_ahead().unwrap();
            }
        }
        log.remove_spare().unwrap();
        let mut read = vec![0; end as usize];
        assert!(log.read(0, &mut read).unwrap());
        assert!(read == pattern(0, end as usize), "mapped {mapped}, ahead {ahead}");
        for segment in log.segments() {
            let bytes = std::fs::read(segment.path()).unwrap();
            let written = (end - segment.base()).min(SEGMENT_BYTES) as usize;
            assert!(bytes[..written] == pattern(segment.base(), written), "{}", segment.path().display());
        }
    }
}

#[test]
fn a_log_that_was_cut_within_its_reserved_space_is_written_to_again() {
    let directory = tempfile::tempdir().unwrap();
    let log = SegmentedLog::open(Arc::new(OsFs), directory.path().to_owned(), SEGMENT_BYTES).unwrap();
    let mut log = log.with_space_reserved(true);
    let mut cursor = AppendCursor::default();
    log.append(&mut cursor, 0, &[1; 1_000]).unwrap();
    log.publish(1_000);
    log.truncate(500).unwrap();
    cursor = AppendCursor::default();
    log.append(&mut cursor, 500, &[2; 100]).unwrap();
    log.publish(600);
    let bytes = std::fs::read(log.segments()[0].path()).unwrap();
    let expected = [vec![1; 500], vec![2; 100], vec![0; SEGMENT_BYTES as usize - 600]].concat();
    assert!(bytes == expected);
}

#[test]
fn what_prepares_the_space_ahead_never_touches_what_was_appended() {
    for mapped in [false, true] {
        let directory = tempfile::tempdir().unwrap();
        let log = SegmentedLog::open(Arc::new(OsFs), directory.path().to_owned(), 8 * SEGMENT_BYTES).unwrap();
        let log = log.with_space_reserved(mapped);
        let done = AtomicBool::new(false);
        let end = 24 * SEGMENT_BYTES;
        thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    log.reserve_ahead().unwrap();
                }
            });
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    log.prepare_spare().unwrap();
                    log.reserve_spare().unwrap();
                }
            });
            let (mut at, mut cursor) = (0, AppendCursor::default());
            while at < end {
                let bytes = pattern(at, 1_024);
                log.append(&mut cursor, at, &bytes).unwrap();
                at += bytes.len() as u64;
                log.publish(at);
            }
            done.store(true, Ordering::Relaxed);
        });
        let mut read = vec![0; end as usize];
        assert!(log.read(0, &mut read).unwrap());
        assert!(read == pattern(0, end as usize), "mapped {mapped}");
    }
}

#[test]
fn a_sync_that_fails_for_those_who_prepare_fails_for_those_who_wait_as_well() {
    let prepare: [fn(&SegmentedLog) -> bool; 2] =
        [|log| log.reserve_ahead().is_err(), |log| log.prepare_spare().is_err()];
    for (way, prepare) in prepare.into_iter().enumerate() {
        let fs = FaultFs::new();
        let open =
            || SegmentedLog::open(fs.process(), "/log".into(), SEGMENT_BYTES).unwrap().with_space_reserved(false);
        let mut log = open();
        if way == 1 {
            // A file that somebody else made may have no entry yet.
            log.append(&mut AppendCursor::default(), 0, b"first").unwrap();
            log = open();
            log.truncate(0).unwrap();
        }
        let mut cursor = AppendCursor::default();
        log.append(&mut cursor, 0, &[1; 8 * 1_024]).unwrap();
        log.publish(8 * 1_024);
        let path_contains = "/log/0".to_owned();
        fs.inject(Fault { operation: Operation::Sync, path_contains, after: 0, times: 1, os_error: Some(5) });
        assert!(prepare(&log), "{way}: nothing was synced");
        let outcome = log.sync(0, log.end());
        assert!(outcome.is_err_and(|error| error.is_sync_failure()), "{way}");
    }
}

#[test]
fn what_an_earlier_process_could_not_sync_is_written_again() {
    let fs = FaultFs::new();
    let open = || SegmentedLog::open(fs.process(), "/log".into(), SEGMENT_BYTES).unwrap();
    let bytes = pattern(0, 3 * SEGMENT_BYTES as usize / 2);
    {
        let log = open();
        for (at, part) in (0..).step_by(SEGMENT_BYTES as usize).zip(bytes.chunks(SEGMENT_BYTES as usize)) {
            log.write(at, part).unwrap();
        }
        log.publish(bytes.len() as u64);
        fs.inject(Fault {
            operation: Operation::Sync,
            path_contains: String::new(),
            after: 0,
            times: 2,
            os_error: Some(5),
        });
        assert!(log.sync(0, SEGMENT_BYTES).is_err() && log.sync(SEGMENT_BYTES, 2 * SEGMENT_BYTES).is_err());
    }
    fs.kill_process();
    let log = open();
    log.write_again(0, bytes.len() as u64).unwrap();
    log.sync(0, log.end()).unwrap();
    drop(log);
    fs.power_cut(1);
    let mut found = vec![0; bytes.len()];
    assert!(open().read(0, &mut found).unwrap());
    assert!(found == bytes);
}

#[test]
fn a_power_cut_leaves_no_empty_file_before_the_last_though_none_was_made_ahead() {
    for seed in 0..64 {
        let fs = FaultFs::new();
        let log = SegmentedLog::open(fs.process(), "/log".into(), 4096).unwrap();
        let mut cursor = AppendCursor::default();
        for base in [0, 4096, 8192, 12_288] {
            log.append(&mut cursor, base, &[1; 4096]).unwrap();
            log.publish(base + 4096);
        }
        drop(log);
        fs.power_cut(seed);
        let reopened = SegmentedLog::open(fs.process(), "/log".into(), 4096);
        assert!(reopened.is_ok(), "{seed}: {reopened:?}");
    }
}

#[test]
fn the_file_made_ahead_is_reserved_as_a_whole_when_a_quarter_is_written_and_the_disk_has_room_for_eight() {
    for (free_files, written, is_reserved) in
        [(8, SEGMENT_BYTES / 4, true), (8, SEGMENT_BYTES / 4 - 1, false), (7, SEGMENT_BYTES / 4, false)]
    {
        let fs = FaultFs::new();
        let log = SegmentedLog::open(fs.process(), "/log".into(), SEGMENT_BYTES).unwrap().with_space_reserved(true);
        let bytes = free_files * SEGMENT_BYTES;
        let space = DiskSpace { total_bytes: 2 * bytes, free_bytes: bytes, available_bytes: bytes };
        fs.set_disk_space(Some(space));
        let mut cursor = AppendCursor::default();
        log.append(&mut cursor, 0, &vec![1; written as usize]).unwrap();
        log.publish(written);
        log.reserve_spare().unwrap();
        log.prepare_spare().unwrap();
        let before = fs.calls_of(Operation::Allocate);
        log.reserve_spare().unwrap();
        log.reserve_spare().unwrap();
        let reserved = fs.calls_of(Operation::Allocate) - before;
        assert_eq!(reserved, u64::from(is_reserved), "{free_files} files, {written} bytes");
        log.append(&mut cursor, written, &vec![1; (SEGMENT_BYTES - written) as usize]).unwrap();
        log.publish(SEGMENT_BYTES);
        let before = fs.calls_of(Operation::Allocate);
        log.append(&mut cursor, SEGMENT_BYTES, &vec![2; SEGMENT_BYTES as usize]).unwrap();
        assert_eq!(fs.calls_of(Operation::Allocate) == before, is_reserved, "{free_files} files, {written} bytes");
    }
}

#[test]
fn much_is_written_back_in_parts_before_it_is_synced_and_a_part_that_is_lost_fails_the_sync() {
    let fs = FaultFs::new();
    let log = SegmentedLog::open(fs.process(), "/log".into(), 1 << 26).unwrap().with_space_reserved(true);
    let mut cursor = AppendCursor::default();
    let mut at = 0;
    let mut append = |len: u64| {
        log.append(&mut cursor, at, &vec![1; len as usize]).unwrap();
        at += len;
        log.publish(at);
        at
    };
    let end = append(16 << 20);
    log.sync(0, end).unwrap();
    assert_eq!(fs.calls_of(Operation::WriteBack), 0, "that is little");
    let much = append((16 << 20) + 1);
    log.sync(end, much).unwrap();
    // Three parts, and as one is begun the one before is waited for.
    assert_eq!(fs.calls_of(Operation::WriteBack), 5);
    let path_contains = "/log/0".to_owned();
    fs.inject(Fault { operation: Operation::WriteBack, path_contains, after: 2, times: 1, os_error: Some(5) });
    let outcome = log.sync(much, append(30 << 20));
    assert!(outcome.is_err_and(|error| error.is_sync_failure()));
}

#[test]
fn a_sync_of_nothing_makes_a_cut_durable() {
    for seed in 0..64 {
        let fs = FaultFs::new();
        let open = || SegmentedLog::open(fs.process(), "/log".into(), SEGMENT_BYTES).unwrap();
        let mut log = open();
        log.write(0, &[1; 4096]).unwrap();
        log.publish(4096);
        log.sync(0, 4096).unwrap();
        log.truncate(1024).unwrap();
        log.sync(1024, 1024).unwrap();
        drop(log);
        fs.power_cut(seed);
        let mut found = vec![9; 4096];
        assert!(open().read(0, &mut found).unwrap());
        assert!(found == [vec![1; 1024], vec![0; 3072]].concat(), "{seed}");
    }
}

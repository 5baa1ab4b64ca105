use std::path::PathBuf;

use super::*;
use crate::fs::WriteMap;

fn file_in(fs: &FaultFs, name: &str) -> (PathBuf, Arc<dyn File>) {
    let root = Path::new("/data");
    fs.create_dir_all_durably(root).unwrap();
    let path = root.join(name);
    let file = fs.open(&path, OpenMode::CreateNew).unwrap();
    (path, file)
}

#[test]
fn synced_data_in_a_synced_directory_survives_every_power_cut() {
    for seed in 0..50 {
        let fs = FaultFs::new();
        let (path, file) = file_in(&fs, "a");
        file.write_all_at(&[9; 5_000], 0).unwrap();
        file.sync_data().unwrap();
        fs.sync_dir(Path::new("/data")).unwrap();
        fs.power_cut(seed);
        assert_eq!(fs.read(&path, 10_000).unwrap(), vec![9; 5_000]);
    }
}

#[test]
fn unsynced_sectors_and_entries_survive_by_chance_only() {
    let (mut lost_entry, mut torn, mut whole) = (0, 0, 0);
    for seed in 0..100 {
        let fs = FaultFs::new();
        let (path, file) = file_in(&fs, "a");
        file.set_len(1_024).unwrap();
        file.sync_all().unwrap();
        file.write_all_at(&[9; 1_024], 0).unwrap();
        fs.power_cut(seed);
        match fs.read(&path, 10_000) {
            Err(error) => {
                assert_eq!(error.kind(), io::ErrorKind::NotFound);
                lost_entry += 1;
            }
            Ok(bytes) if bytes.iter().all(|&byte| byte == 9) => whole += 1,
            Ok(_) => torn += 1,
        }
        assert!(file.write_at(b"x", 0).is_err(), "handles of the former life are dead");
    }
    assert!(lost_entry > 20 && torn > 5 && whole > 0, "{lost_entry} {torn} {whole}");
}

#[test]
fn a_full_disk_writes_what_fits_and_then_refuses_new_sectors_only() {
    let fs = FaultFs::new();
    let (_, file) = file_in(&fs, "a");
    fs.set_free_bytes(Some(1_024));
    assert_eq!(file.write_at(&[1; 2_000], 0).unwrap(), 1_024);
    assert_eq!(file.write_at(&[1; 10], 1_024).unwrap_err().kind(), io::ErrorKind::StorageFull);
    assert_eq!(file.write_at(&[2; 10], 100).unwrap(), 10);
}

#[test]
fn the_planned_call_fails_and_the_next_one_does_not() {
    let fs = FaultFs::new();
    let (_, file) = file_in(&fs, "a");
    let os_error = Some(5);
    fs.inject(Fault { operation: Operation::Write, path_contains: "a".into(), after: 1, times: 1, os_error });
    assert!(file.write_at(b"1", 0).is_ok());
    assert_eq!(file.write_at(b"2", 0).unwrap_err().raw_os_error(), Some(5));
    assert!(file.write_at(b"3", 0).is_ok());
}

#[test]
fn what_a_failed_sync_did_not_write_no_later_one_writes_and_each_handle_tells_of_it_once() {
    let fs = FaultFs::new();
    let (path, file) = file_in(&fs, "file");
    let other = fs.open(&path, OpenMode::ReadWrite).unwrap();
    fs.sync_dir(Path::new("/data")).unwrap();
    file.sync_data().unwrap();
    file.write_all_at(&[1; 512], 0).unwrap();
    let (path_contains, os_error) = (String::new(), Some(5));
    fs.inject(Fault { operation: Operation::Sync, path_contains, after: 0, times: 1, os_error });
    assert!(file.sync_data().is_err());
    file.sync_data().unwrap();
    assert!(other.sync_data().is_err());
    other.sync_data().unwrap();
    file.write_all_at(&[2; 512], 512).unwrap();
    file.sync_data().unwrap();
    let mut bytes = [9; 1_024];
    file.read_exact_at(&mut bytes, 0).unwrap();
    assert!(bytes == [[1; 512], [2; 512]].concat()[..], "it can be read");
    fs.power_cut(1);
    fs.open(&path, OpenMode::Read).unwrap().read_exact_at(&mut bytes, 0).unwrap();
    assert!(bytes == [[0; 512], [2; 512]].concat()[..]);
}

#[test]
fn after_the_power_is_off_nothing_works_until_restart() {
    let fs = FaultFs::new();
    let (path, file) = file_in(&fs, "a");
    fs.power_off_at(fs.calls() + 1);
    assert!(file.write_at(b"1", 0).is_err());
    assert!(file.sync_data().is_err());
    assert!(fs.open(&path, OpenMode::Read).is_err());
    assert_eq!(fs.last_call(), Some((Operation::Write, path)));
    fs.power_cut(1);
    assert!(fs.read_dir(Path::new("/data")).is_ok());
}

#[test]
fn a_file_is_as_old_as_its_last_write() {
    let fs = FaultFs::new();
    let clock = Arc::new(crate::VirtualClock::new(1_000));
    fs.set_clock(clock.clone());
    let (path, file) = file_in(&fs, "a");
    clock.set_wall_ms(2_000);
    file.write_all_at(b"1", 0).unwrap();
    clock.set_wall_ms(3_000);
    file.sync_all().unwrap();
    assert_eq!(fs.metadata(&path).unwrap().modified_ms, 2_000);
}

#[test]
fn the_disk_is_as_full_as_told() {
    let fs = FaultFs::new();
    let root = Path::new("/");
    assert_eq!(fs.disk_space(root).unwrap().available_bytes, fs.disk_space(root).unwrap().total_bytes);
    let told = DiskSpace { total_bytes: 100, free_bytes: 20, available_bytes: 10 };
    fs.set_disk_space(Some(told));
    assert_eq!(fs.disk_space(root).unwrap(), told);
    assert!(fs.disk_space(Path::new("/no")).is_err());
}

#[test]
fn the_call_in_which_a_process_is_killed_happens_whatever_it_is() {
    let fs = FaultFs::new();
    let (path, file) = file_in(&fs, "a");
    let renamed = Path::new("/data/b");
    fs.power_off_at(fs.calls() + 1);
    assert!(file.write_at(b"1", 0).is_err());
    fs.kill_process();
    let file = fs.open(&path, OpenMode::ReadWrite).unwrap();
    fs.power_off_at(fs.calls() + 1);
    assert!(file.set_len(2).is_err());
    fs.kill_process();
    fs.power_off_at(fs.calls() + 1);
    assert!(fs.rename(&path, renamed).is_err());
    fs.kill_process();
    fs.power_off_at(fs.calls() + 1);
    assert!(fs.open(&path, OpenMode::CreateNew).is_err());
    fs.kill_process();
    assert_eq!(fs.read(renamed, 10).unwrap(), b"1\0");
    assert!(fs.exists(&path).unwrap());
}

#[test]
fn a_directory_made_by_a_process_that_died_before_syncing_it_is_synced_by_the_next() {
    for seed in 0..20 {
        let fs = FaultFs::new();
        let path = Path::new("/data");
        fs.create_dir_all(path).unwrap();
        fs.kill_process();
        fs.create_dir_all_durably(path).unwrap();
        fs.power_cut(seed);
        assert!(fs.exists(path).unwrap(), "seed {seed}");
    }
}

/// A file of 128 KiB, its length synced, with its first 64 KiB reserved and mapped.
fn mapped_in(fs: &FaultFs, name: &str) -> (PathBuf, Arc<dyn File>, WriteMap) {
    let (path, file) = file_in(fs, name);
    file.set_len(128 * 1024).unwrap();
    file.sync_all().unwrap();
    fs.sync_dir(Path::new("/data")).unwrap();
    assert!(file.allocate(0, 64 * 1024).unwrap());
    let map = file.map_for_writing().unwrap().unwrap();
    (path, file, map)
}

fn write(map: &WriteMap, offset: usize, bytes: &[u8]) {
    // SAFETY: nobody else has the file.
    assert!(unsafe { map.write(offset, bytes) });
}

#[test]
fn what_is_written_through_a_mapping_is_in_the_file_and_durable_once_that_is_synced() {
    let (mut lost, mut torn) = (0, 0);
    for seed in 0..50 {
        let fs = FaultFs::new();
        let (path, file, map) = mapped_in(&fs, "a");
        write(&map, 1_000, &[7; 5_000]);
        file.sync_data().unwrap();
        write(&map, 6_000, &[9; 5_000]);
        let mut bytes = vec![0; 10_000];
        file.read_exact_at(&mut bytes, 1_000).unwrap();
        assert_eq!(bytes, [[7; 5_000], [9; 5_000]].concat());
        fs.power_cut(seed);
        let after = fs.read(&path, 200_000).unwrap();
        assert_eq!(after[1_000..6_000], [7; 5_000]);
        lost += i32::from(after[6_000..11_000] == [0; 5_000]);
        torn += i32::from(after[6_000..11_000].contains(&0) && after[6_000..11_000].contains(&9));
        write(&map, 0, b"of a dead process");
        assert_eq!(fs.read(&path, 200_000).unwrap(), after);
    }
    assert!(torn > 25 && lost < 25, "{lost} {torn}");
}

#[test]
fn a_write_through_a_mapping_of_space_that_is_not_reserved_is_caught() {
    let fs = FaultFs::new();
    let (_, file, map) = mapped_in(&fs, "a");
    // SAFETY: outside of the mapping, nothing is written.
    assert!(!unsafe { map.write(128 * 1024 - 1, b"xx") });
    let is_caught = |offset, len| {
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| write(&map, offset, &vec![1; len])));
        outcome.is_err()
    };
    assert!(!is_caught(64 * 1024 - 10, 10));
    assert!(is_caught(64 * 1024 - 10, 11));
    file.zero_range(10_000, 10_000).unwrap();
    assert!(is_caught(15_000, 10), "in a hole");
    assert!(!is_caught(10_000, 10), "a hole has whole sectors only");
    file.write_all_at(&[1; 512], 100_352).unwrap();
    assert!(!is_caught(100_352, 512), "what was written has its space");
}

#[test]
fn reserved_space_reads_as_before_and_never_runs_out() {
    let fs = FaultFs::new();
    let (path, file) = file_in(&fs, "a");
    file.write_all_at(&[3; 1_000], 0).unwrap();
    file.set_len(10_240).unwrap();
    fs.set_free_bytes(Some(8_192));
    assert!(file.allocate(0, 5_120).unwrap());
    let before = [vec![3; 1_000], vec![0; 9_240]].concat();
    assert_eq!(fs.read(&path, 20_000).unwrap(), before);
    // 4,096 of the bytes were new. Of the next reservation what fits stays.
    assert_eq!(file.allocate(5_120, 5_120).unwrap_err().kind(), io::ErrorKind::StorageFull);
    let (_, other) = file_in(&fs, "b");
    assert_eq!(other.write_at(b"x", 0).unwrap_err().kind(), io::ErrorKind::StorageFull);
    file.write_all_at(&[4; 9_216], 0).unwrap();
    assert_eq!(file.write_at(&[4; 512], 9_216).unwrap_err().kind(), io::ErrorKind::StorageFull);
    file.zero_range(0, 1_024).unwrap();
    assert_eq!(other.write_at(&[1; 2_000], 0).unwrap(), 1_024, "a hole gives its space back");
}

#[test]
fn reservations_and_mappings_fail_or_are_unsupported_as_planned() {
    let fs = FaultFs::new();
    let (_, file, map) = mapped_in(&fs, "a");
    let plan = |operation, os_error| {
        fs.inject(Fault { operation, path_contains: "a".into(), after: 0, times: 1, os_error });
    };
    plan(Operation::Allocate, Some(5));
    assert_eq!(file.allocate(0, 10).unwrap_err().raw_os_error(), Some(5));
    plan(Operation::Allocate, None);
    assert!(!file.allocate(0, 10).unwrap());
    plan(Operation::MapForWriting, Some(12));
    assert_eq!(file.map_for_writing().unwrap_err().raw_os_error(), Some(12));
    plan(Operation::MapForWriting, None);
    assert!(file.map_for_writing().unwrap().is_none());
    plan(Operation::BringIn, Some(5));
    assert_eq!(map.bring_in(0..10).unwrap_err().raw_os_error(), Some(5));
    plan(Operation::BringIn, None);
    assert!(!map.bring_in(0..10).unwrap());
    assert!(map.bring_in(0..10).unwrap());
    assert_eq!((fs.calls_of(Operation::Allocate), fs.calls_of(Operation::MapForWriting)), (3, 3));
}

#[test]
fn the_power_goes_off_in_the_middle_of_a_write_through_a_mapping_and_later_ones_do_nothing() {
    let mut copied = std::collections::BTreeSet::new();
    for others in 0..20 {
        let fs = FaultFs::new();
        let (path, _, map) = mapped_in(&fs, "a");
        fs.power_off_in(Operation::MappedWrite, "/a", others);
        (0..others).for_each(|_| write(&map, 0, b"other"));
        write(&map, 100, &[7; 1_000]);
        assert_eq!(fs.last_call(), Some((Operation::MappedWrite, path.clone())));
        write(&map, 2_000, b"later");
        fs.kill_process();
        write(&map, 2_000, b"of a dead process");
        let after = fs.read(&path, 200_000).unwrap();
        assert_eq!(after[2_000..2_020], [0; 20]);
        copied.insert(after[100..1_100].iter().position(|byte| *byte == 0).unwrap_or(1_000));
    }
    assert!(copied.len() > 10, "{copied:?}");
}

use std::path::PathBuf;

use super::*;

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

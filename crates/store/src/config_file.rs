//! Configuration files (JSON under `config/`): replaced atomically, the previous version beside them as `.bak`.
//! (`ConfigManager#persist`, `#load`)

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};

use rocketmq_env::{Fs, OpenMode};

/// Most bytes a configuration file may have.
const MAX_BYTES: u64 = 1 << 30;

/// What `parse` makes of the file at `path`, or of its `.bak` when the file is missing, empty or refused by `parse`; `None`
/// if neither exists. An error of `parse` is returned (as `InvalidData`) when no readable version is left.
pub fn load<T, E>(fs: &dyn Fs, path: &Path, parse: impl Fn(&[u8]) -> Result<T, E>) -> io::Result<Option<T>>
where
    E: Error + Send + Sync + 'static,
{
    let mut refused = None;
    for path in [path.to_owned(), with_suffix(path, ".bak")] {
        let bytes = match fs.read(&path, MAX_BYTES) {
            Ok(bytes) if bytes.is_empty() => continue,
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        match parse(&bytes) {
            Ok(value) => return Ok(Some(value)),
            Err(error) => {
                refused.get_or_insert(io::Error::new(io::ErrorKind::InvalidData, error));
            }
        }
    }
    refused.map_or(Ok(None), Err)
}

/// Replaces the file at `path` by `bytes`. A crash at any point leaves the old or the new content, and the version before
/// as `.bak`. Directories are made as needed.
pub fn persist(fs: &dyn Fs, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    fs.create_dir_all_durably(directory)?;
    write_durably(fs, &with_suffix(path, ".tmp"), bytes)?;
    // The old content is copied, not renamed: at no time is there no file at `path`.
    match fs.read(path, MAX_BYTES) {
        Ok(old) if !old.is_empty() => {
            let copy = with_suffix(path, ".bak.tmp");
            write_durably(fs, &copy, &old)?;
            fs.rename(&copy, &with_suffix(path, ".bak"))?;
        }
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    fs.rename(&with_suffix(path, ".tmp"), path)?;
    fs.sync_dir(directory)
}

fn write_durably(fs: &dyn Fs, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let file = fs.open(path, OpenMode::CreateTruncate)?;
    file.write_all_at(bytes, 0)?;
    file.sync_all()
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

#[cfg(test)]
mod tests {
    use rocketmq_env::{Fault, FaultFs, Operation};

    use super::*;

    fn text(bytes: &[u8]) -> Result<String, std::string::FromUtf8Error> {
        String::from_utf8(bytes.to_vec())
    }

    #[test]
    fn a_power_cut_at_any_call_leaves_the_old_or_the_new_content() {
        let path = Path::new("/store/config/topics.json");
        for call in 1..30 {
            for seed in 0..5 {
                let fs = FaultFs::new();
                persist(&fs, path, b"one").unwrap();
                persist(&fs, path, b"two").unwrap();
                fs.power_off_at(fs.calls() + call);
                let outcome = persist(&fs, path, b"three");
                fs.power_cut(seed);
                let found = load(&fs, path, text).unwrap().unwrap();
                assert!(found == "three" || (outcome.is_err() && found == "two"), "call {call} seed {seed}: {found}");
                persist(&fs, path, b"four").unwrap();
                assert_eq!(load(&fs, path, text).unwrap().unwrap(), "four");
            }
        }
    }

    #[test]
    fn whichever_call_fails_the_old_or_the_new_content_is_there() {
        use Operation::{CreateDir, Open, Rename, SetLen, Sync, SyncDir, Write};
        let path = Path::new("/store/config/topics.json");
        for operation in [CreateDir, Open, Rename, SetLen, Sync, SyncDir, Write] {
            for times in [1, u64::MAX] {
                for after in 0.. {
                    let fs = FaultFs::new();
                    persist(&fs, path, b"one").unwrap();
                    persist(&fs, path, b"two").unwrap();
                    fs.inject(Fault { operation, path_contains: String::new(), after, times, os_error: Some(5) });
                    let outcome = persist(&fs, path, b"three");
                    let context = format!("{operation:?} number {after}, {times} times: {outcome:?}");
                    let happened = times == u64::MAX || !fs.has_failures_left();
                    fs.heal();
                    fs.power_cut(after);
                    let found = load(&fs, path, text).unwrap().unwrap();
                    assert!(found == "three" || (outcome.is_err() && found == "two"), "{context}: {found}");
                    persist(&fs, path, b"four").unwrap();
                    assert_eq!(load(&fs, path, text).unwrap().unwrap(), "four", "{context}");
                    if !happened || outcome.is_ok() {
                        break;
                    }
                }
            }
        }
    }

    #[test]
    fn an_unreadable_file_falls_back_to_its_previous_version() {
        let fs = FaultFs::new();
        let path = Path::new("/store/config/topics.json");
        assert_eq!(load(&fs, path, text).unwrap(), None);
        persist(&fs, path, b"one").unwrap();
        persist(&fs, path, b"two").unwrap();
        fs.open(path, OpenMode::ReadWrite).unwrap().write_all_at(&[0xFF, 0xFF], 0).unwrap();
        assert_eq!(load(&fs, path, text).unwrap().unwrap(), "one");
        fs.remove_file(Path::new("/store/config/topics.json.bak")).unwrap();
        assert_eq!(load(&fs, path, text).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}

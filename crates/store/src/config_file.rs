//! Configuration files (JSON under `config/`): replaced atomically, the previous version beside them as `.bak`.
//! (`ConfigManager#persist`, `#load`)

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rocketmq_env::{Fs, OpenMode};

/// Most bytes a configuration file may have.
const MAX_BYTES: u64 = 1 << 30;

/// A configuration file with its previous version.
#[derive(Debug)]
pub struct ConfigFile {
    fs: Arc<dyn Fs>,
    path: PathBuf,
    /// What is at `path` was refused when it was loaded.
    is_damaged: AtomicBool,
}

/// What a [`ConfigFile`] held.
#[derive(Debug)]
pub struct Loaded<T> {
    /// What was made of it.
    pub value: T,
    /// Why it is the previous version, if it is: what is wrong with the newest.
    pub fallback: Option<String>,
}

/// One of the two versions, of which nothing can be made.
struct Unusable {
    why: String,
    /// It is there and not empty.
    is_damaged: bool,
}

impl ConfigFile {
    /// The file at `path`, which need not exist.
    pub fn new(fs: Arc<dyn Fs>, path: PathBuf) -> Self {
        Self { fs, path, is_damaged: AtomicBool::new(false) }
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What `parse` makes of the file, or of its `.bak` when the file is missing, empty or refused by `parse`; `None` if
    /// neither exists. Writes nothing.
    ///
    /// # Errors
    /// `InvalidData`, with what to do, when no readable version is left; else that of a call that failed.
    pub fn load<T, E: Error>(&self, parse: impl Fn(&[u8]) -> Result<T, E>) -> io::Result<Option<Loaded<T>>> {
        let newest = match self.version(&self.path, &parse)? {
            Ok(value) => return Ok(Some(Loaded { value, fallback: None })),
            Err(unusable) => unusable,
        };
        self.is_damaged.store(newest.is_damaged, Ordering::Relaxed);
        let backup = self.beside(".bak");
        let previous = match self.version(&backup, &parse)? {
            Ok(value) => return Ok(Some(Loaded { value, fallback: Some(newest.why) })),
            Err(unusable) => unusable,
        };
        if !newest.is_damaged && !previous.is_damaged {
            return Ok(None);
        }
        let what = format!(
            "{}; nor can its previous version be used, {}: {}. Bring either back from a copy, or move both away to start \
             without what they held",
            newest.why,
            backup.display(),
            previous.why
        );
        Err(io::Error::new(io::ErrorKind::InvalidData, what))
    }

    fn version<T, E: Error>(
        &self,
        path: &Path,
        parse: impl Fn(&[u8]) -> Result<T, E>,
    ) -> io::Result<Result<T, Unusable>> {
        let nothing = |why: &str| Ok(Err(Unusable { why: why.to_owned(), is_damaged: false }));
        match self.fs.read(path, MAX_BYTES) {
            Ok(bytes) if bytes.is_empty() => nothing("it is empty"),
            Ok(bytes) => Ok(parse(&bytes).map_err(|error| Unusable { why: error.to_string(), is_damaged: true })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => nothing("it is missing"),
            Err(error) => Err(error),
        }
    }

    /// Replaces the file by `bytes`. A crash at any point leaves the old or the new content, and the version before as
    /// `.bak`. Directories are made as needed.
    ///
    /// A file that was refused when it was loaded never becomes the `.bak`, which is what was loaded in its place: it is kept
    /// as `.damaged`. (Apache's broker deletes it.)
    pub fn persist(&self, bytes: &[u8]) -> io::Result<()> {
        let directory = self.path.parent().unwrap_or(Path::new("."));
        self.fs.create_dir_all_durably(directory)?;
        if self.is_damaged.load(Ordering::Relaxed) {
            // From here on there is no file at `path`, and the `.bak` is loaded, until the new one is.
            self.fs.rename(&self.path, &self.beside(".damaged"))?;
            self.is_damaged.store(false, Ordering::Relaxed);
        }
        self.write_durably(&self.beside(".tmp"), bytes)?;
        // The old content is copied, not renamed: at no time is there no file at `path`.
        match self.fs.read(&self.path, MAX_BYTES) {
            Ok(old) if !old.is_empty() => {
                let copy = self.beside(".bak.tmp");
                self.write_durably(&copy, &old)?;
                self.fs.rename(&copy, &self.beside(".bak"))?;
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        self.fs.rename(&self.beside(".tmp"), &self.path)?;
        self.fs.sync_dir(directory)
    }

    fn write_durably(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let file = self.fs.open(path, OpenMode::CreateTruncate)?;
        file.write_all_at(bytes, 0)?;
        file.sync_all()
    }

    fn beside(&self, suffix: &str) -> PathBuf {
        let mut name = self.path.as_os_str().to_owned();
        name.push(suffix);
        name.into()
    }
}

#[cfg(test)]
mod tests {
    use rocketmq_env::{Fault, FaultFs, Operation};

    use super::*;

    const PATH: &str = "/store/config/topics.json";

    /// The file as a process started now sees it.
    fn file(fs: &FaultFs) -> ConfigFile {
        ConfigFile::new(Arc::new(fs.clone()), PATH.into())
    }

    fn persist(fs: &FaultFs, bytes: &[u8]) -> io::Result<()> {
        file(fs).persist(bytes)
    }

    fn load(fs: &FaultFs) -> Option<String> {
        load_with(&file(fs)).unwrap().map(|loaded| loaded.value)
    }

    fn load_with(file: &ConfigFile) -> io::Result<Option<Loaded<String>>> {
        file.load(|bytes| String::from_utf8(bytes.to_vec()))
    }

    fn damage(fs: &FaultFs, path: &str) {
        fs.open(Path::new(path), OpenMode::ReadWrite).unwrap().write_all_at(&[0xFF, 0xFF], 0).unwrap();
    }

    #[test]
    fn a_power_cut_at_any_call_leaves_the_old_or_the_new_content() {
        for call in 1..30 {
            for seed in 0..5 {
                let fs = FaultFs::new();
                persist(&fs, b"one").unwrap();
                persist(&fs, b"two").unwrap();
                fs.power_off_at(fs.calls() + call);
                let outcome = persist(&fs, b"three");
                fs.power_cut(seed);
                let found = load(&fs).unwrap();
                assert!(found == "three" || (outcome.is_err() && found == "two"), "call {call} seed {seed}: {found}");
                persist(&fs, b"four").unwrap();
                assert_eq!(load(&fs).unwrap(), "four");
            }
        }
    }

    #[test]
    fn whichever_call_fails_the_old_or_the_new_content_is_there() {
        use Operation::{CreateDir, Open, Rename, SetLen, Sync, SyncDir, Write};
        for operation in [CreateDir, Open, Rename, SetLen, Sync, SyncDir, Write] {
            for times in [1, u64::MAX] {
                for after in 0.. {
                    let fs = FaultFs::new();
                    persist(&fs, b"one").unwrap();
                    persist(&fs, b"two").unwrap();
                    fs.inject(Fault { operation, path_contains: String::new(), after, times, os_error: Some(5) });
                    let outcome = persist(&fs, b"three");
                    let context = format!("{operation:?} number {after}, {times} times: {outcome:?}");
                    let happened = times == u64::MAX || !fs.has_failures_left();
                    fs.heal();
                    fs.power_cut(after);
                    let found = load(&fs).unwrap();
                    assert!(found == "three" || (outcome.is_err() && found == "two"), "{context}: {found}");
                    persist(&fs, b"four").unwrap();
                    assert_eq!(load(&fs).unwrap(), "four", "{context}");
                    if !happened || outcome.is_ok() {
                        break;
                    }
                }
            }
        }
    }

    /// "one" as `.bak` of a file with damage, all of it on disk.
    fn with_damage() -> FaultFs {
        let fs = FaultFs::new();
        persist(&fs, b"one").unwrap();
        persist(&fs, b"two").unwrap();
        damage(&fs, PATH);
        fs.open(Path::new(PATH), OpenMode::ReadWrite).unwrap().sync_all().unwrap();
        fs
    }

    #[test]
    fn an_unreadable_file_falls_back_to_its_previous_version() {
        let fs = FaultFs::new();
        assert_eq!(load(&fs), None);
        let fs = with_damage();
        let loaded = load_with(&file(&fs)).unwrap().unwrap();
        assert_eq!(loaded.value, "one");
        let why = loaded.fallback.unwrap();
        assert!(why.contains("invalid utf-8"), "{why}");
    }

    #[test]
    fn wherever_everything_ends_after_a_fallback_a_readable_version_is_there() {
        let mut ends = 0;
        for call in 1.. {
            let mut ended = false;
            for seed in 0..6 {
                let fs = with_damage();
                fs.power_off_at(fs.calls() + call);
                let process = file(&fs);
                let first = load_with(&process).unwrap().unwrap();
                assert_eq!(first.value, "one");
                let outcomes = [process.persist(b"three"), process.persist(b"four")];
                ended |= outcomes[1].is_err();
                // The last seed stands for a kill, which loses nothing.
                if seed == 5 {
                    fs.kill_process()
                } else {
                    fs.power_cut(seed)
                }
                let found = load(&fs);
                let possible = match outcomes {
                    [Err(_), _] => ["one", "three"].as_slice(),
                    [Ok(()), Err(_)] => &["three", "four"],
                    [Ok(()), Ok(())] => &["four"],
                };
                assert!(found.as_deref().is_some_and(|found| possible.contains(&found)), "call {call}: {found:?}");
                persist_after_load(&fs, b"five");
                assert_eq!(load(&fs).unwrap(), "five");
            }
            if !ended {
                break;
            }
            ends = call;
        }
        assert!(ends > 10, "only {ends} places");
    }

    fn persist_after_load(fs: &FaultFs, bytes: &[u8]) {
        let next = file(fs);
        load_with(&next).unwrap();
        next.persist(bytes).unwrap();
    }

    #[test]
    fn a_damaged_file_is_kept_and_never_replaces_its_previous_version() {
        let fs = with_damage();
        persist_after_load(&fs, b"three");
        let content = |suffix: &str| fs.read(Path::new(&format!("{PATH}{suffix}")), MAX_BYTES).unwrap();
        assert_eq!((content(""), content(".bak")), (b"three".to_vec(), b"one".to_vec()));
        assert_eq!(content(".damaged"), [0xFF, 0xFF, b'o']);
    }

    #[test]
    fn without_any_readable_version_the_error_says_what_to_do() {
        let fs = with_damage();
        fs.remove_file(Path::new("/store/config/topics.json.bak")).unwrap();
        let error = load_with(&file(&fs)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        let text = error.to_string();
        assert!(text.contains("topics.json.bak: it is missing. Bring either back"), "{text}");
        assert!(text.contains("move both away"), "{text}");
    }
}

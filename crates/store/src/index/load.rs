//! Which index files of a directory a start goes on with. (`IndexService#load`)

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rocketmq_env::{Fs, OpenMode};
use rocketmq_log::{LogError, SegmentedLog};

use super::file::{IndexFile, fail};
use super::layout::Layout;
use crate::read;

/// What a start must know to judge index files.
#[derive(Debug)]
pub(crate) struct Judge<'a> {
    /// The recovered log.
    pub(crate) log: &'a SegmentedLog,
    /// Whether the last stop was clean.
    pub(crate) was_clean: bool,
    /// `indexMsgTimestamp` of the checkpoint.
    pub(crate) index_msg_timestamp: i64,
}

/// The files of a directory.
#[derive(Debug, Default)]
pub(super) struct Loaded {
    /// Those that agree with the log, in order.
    pub(super) good: Vec<Arc<IndexFile>>,
    /// The rest: the first that does not agree, and all behind it.
    pub(super) bad: Vec<PathBuf>,
}

/// Reads the headers of all index files. What is no index file by its name is ignored, as Apache does.
pub(super) fn load(fs: &dyn Fs, directory: &Path, layout: Layout, judge: &Judge<'_>) -> Result<Loaded, LogError> {
    let mut loaded = Loaded::default();
    for path in list(fs, directory)? {
        if loaded.bad.is_empty()
            && let Some(file) = open(fs, &path, layout, OpenMode::ReadWrite)?
            && judge.is_good(&file, loaded.good.last().map(|file| &**file))?
        {
            loaded.good.push(Arc::new(file));
        } else {
            loaded.bad.push(path);
        }
    }
    Ok(loaded)
}

pub(super) fn list(fs: &dyn Fs, directory: &Path) -> Result<Vec<PathBuf>, LogError> {
    if !fs.exists(directory).map_err(|source| fail("stat", directory, 0, source))? {
        return Ok(Vec::new());
    }
    let entries = fs.read_dir(directory).map_err(|source| fail("read directory", directory, 0, source))?;
    let is_number = |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit());
    let files = entries.into_iter().filter(|entry| !entry.is_dir && entry.name.to_str().is_some_and(is_number));
    let mut paths: Vec<_> = files.map(|entry| directory.join(entry.name)).collect();
    paths.sort();
    Ok(paths)
}

/// `None` if the file has another length than the configured one.
pub(super) fn open(fs: &dyn Fs, path: &Path, layout: Layout, mode: OpenMode) -> Result<Option<IndexFile>, LogError> {
    let len = fs.metadata(path).map_err(|source| fail("stat", path, 0, source))?.len;
    if len != layout.file_bytes() {
        return Ok(None);
    }
    let file = fs.open(path, mode).map_err(|source| fail("open", path, 0, source))?;
    IndexFile::load(path.to_owned(), file, layout).map(Some)
}

impl Judge<'_> {
    /// Whether a file behind `before` can be used. An empty one is of no use, and would hide those before it from queries.
    fn is_good(&self, file: &IndexFile, before: Option<&IndexFile>) -> Result<bool, LogError> {
        let header = &file.header;
        let is_sane = header.next_item > 1
            && header.next_item <= file.layout.items
            && header.begin_physical_offset <= header.end_physical_offset
            && before.is_none_or(|before| before.header.end_physical_offset <= header.begin_physical_offset);
        let Self { was_clean, index_msg_timestamp, .. } = *self;
        Ok(is_sane
            && is_on_disk(file, before, was_clean, index_msg_timestamp)
            && self.is_of_log(header.end_physical_offset)?)
    }

    /// A file that ends behind the log's end has places of messages that are not there, or will be others; one that ends at
    /// no message is not of this log.
    fn is_of_log(&self, end_physical_offset: i64) -> Result<bool, LogError> {
        let is_expired = self.log.first_offset().is_some_and(|first| end_physical_offset < first as i64);
        Ok(is_expired || read::record_head(&mut self.log.reader(), end_physical_offset)?.is_some())
    }
}

/// After an unclean stop only what the checkpoint vouches for is known to be on disk: full files, of those that end in the
/// same millisecond the first.
pub(super) fn is_on_disk(
    file: &IndexFile,
    before: Option<&IndexFile>,
    was_clean: bool,
    index_msg_timestamp: i64,
) -> bool {
    let end = file.header.end_timestamp;
    let is_claimed = end < index_msg_timestamp
        || end == index_msg_timestamp && before.is_none_or(|before| before.header.end_timestamp < end);
    was_clean || (file.is_full() && is_claimed)
}

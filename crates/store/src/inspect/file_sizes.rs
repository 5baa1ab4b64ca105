//! All files of a kind have the same length, so a directory tells with what settings it was written.

use std::io;
use std::path::Path;

use rocketmq_env::Fs;

use crate::index::{Layout, layout_on_disk};
use crate::{StoreConfig, StoreError};

impl StoreConfig {
    /// Sets the lengths of commit log, consume queue and ext files, and slots and items of index files, to those of the files
    /// that are there, if there are any; has ext files written if there are. Where files differ, most of them tell, so that
    /// those that are damaged are named by whoever opens them.
    ///
    /// # Errors
    /// [`StoreError::Io`] if a directory cannot be read.
    pub fn take_file_sizes_from_disk(&mut self, fs: &dyn Fs) -> Result<(), StoreError> {
        if let Some(bytes) = usual_length(fs, &self.commit_log_dir, 0)? {
            self.commit_log_segment_bytes = bytes;
        }
        if let Some(bytes) = usual_length(fs, &self.root.join("consumequeue"), 2)? {
            self.consume_queue_segment_bytes = bytes;
        }
        if let Some(bytes) = usual_length(fs, &self.root.join("consumequeue_ext"), 2)? {
            self.consume_queue_ext_segment_bytes = bytes;
            self.enable_consume_queue_ext = true;
        }
        let usual = Layout { slots: self.max_hash_slot_num, items: self.max_index_num };
        if let Some(found) = layout_on_disk(fs, &self.root.join("index"), usual)? {
            self.max_hash_slot_num = found.slots;
            self.max_index_num = found.items;
        }
        Ok(())
    }
}

/// So many files of one length tell what the length of all is.
const ENOUGH: usize = 3;

/// Length of the files, so many directories down, that are named by an offset: that of most of them, and of as many the
/// longest, for files are cut short more often than made longer. One by which the names can be divided comes first.
fn usual_length(fs: &dyn Fs, directory: &Path, down: u32) -> Result<Option<u64>, StoreError> {
    let mut files = Vec::new();
    collect(fs, directory, down, &mut files)?;
    let fits = |length: u64| files.iter().all(|(base, _)| base % length == 0);
    let lengths = files.iter().map(|(_, length)| *length);
    Ok(lengths.max_by_key(|length| (fits(*length), count_of(&files, *length), *length)))
}

/// Collects first offset and length of files that are not empty, until enough of them have the same.
fn collect(fs: &dyn Fs, directory: &Path, down: u32, files: &mut Vec<(u64, u64)>) -> Result<(), StoreError> {
    let fail = |source| StoreError::Io { op: "read directory", path: directory.to_owned(), source };
    let entries = match fs.read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(fail)?,
    };
    for entry in entries {
        let path = directory.join(&entry.name);
        if down > 0 && entry.is_dir {
            collect(fs, &path, down - 1, files)?;
        } else if down == 0 && !entry.is_dir && entry.name.len() == 20 {
            let Some(base) = entry.name.to_str().and_then(|name| name.parse().ok()) else { continue };
            let length = fs.metadata(&path).map_err(fail)?.len;
            files.extend((length > 0).then_some((base, length)));
        }
        if files.last().is_some_and(|(_, length)| count_of(files, *length) >= ENOUGH) {
            break;
        }
    }
    Ok(())
}

fn count_of(files: &[(u64, u64)], length: u64) -> usize {
    files.iter().filter(|(_, other)| *other == length).count()
}

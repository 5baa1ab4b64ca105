//! All files of a kind have the same length, so a directory tells with what settings it was written.

use std::io;
use std::path::Path;

use rocketmq_env::Fs;

use crate::index::{Layout, layout_on_disk};
use crate::{StoreConfig, StoreError};

impl StoreConfig {
    /// Sets the lengths of commit log, consume queue and ext files, and slots and items of index files, to those of the files
    /// that are there, if there are any; has ext files written if there are.
    ///
    /// # Errors
    /// [`StoreError::Io`] if a directory cannot be read.
    pub fn take_file_sizes_from_disk(&mut self, fs: &dyn Fs) -> Result<(), StoreError> {
        if let Some(bytes) = first_length(fs, &self.commit_log_dir, 0)? {
            self.commit_log_segment_bytes = bytes;
        }
        if let Some(bytes) = first_length(fs, &self.root.join("consumequeue"), 2)? {
            self.consume_queue_segment_bytes = bytes;
        }
        if let Some(bytes) = first_length(fs, &self.root.join("consumequeue_ext"), 2)? {
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

/// Length of the first file, so many directories down, that is named by an offset and not empty.
fn first_length(fs: &dyn Fs, directory: &Path, down: u32) -> Result<Option<u64>, StoreError> {
    let fail = |source| StoreError::Io { op: "read directory", path: directory.to_owned(), source };
    let entries = match fs.read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        entries => entries.map_err(fail)?,
    };
    for entry in entries {
        let path = directory.join(&entry.name);
        let is_segment =
            entry.name.len() == 20 && entry.name.to_string_lossy().bytes().all(|byte| byte.is_ascii_digit());
        let found = match (down, entry.is_dir) {
            (0, false) if is_segment => Some(fs.metadata(&path).map_err(fail)?.len).filter(|len| *len > 0),
            (1.., true) => first_length(fs, &path, down - 1)?,
            _ => None,
        };
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

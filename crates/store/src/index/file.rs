//! Reading index files.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rocketmq_env::File;
use rocketmq_log::LogError;

use super::layout::{HEADER_BYTES, Header, ITEM_BYTES, Item, Layout, SLOT_BYTES};

/// An index file that does not change any more.
#[derive(Debug, Clone)]
pub(super) struct IndexFile {
    pub(super) path: PathBuf,
    pub(super) file: Arc<dyn File>,
    pub(super) layout: Layout,
    pub(super) header: Header,
}

/// What a query looks for in a file, and what it has found so far.
#[derive(Debug)]
pub(super) struct Search {
    pub(super) hash: i32,
    pub(super) begin: i64,
    pub(super) end: i64,
    pub(super) max_count: usize,
    /// Places of messages, the newest of each file first.
    pub(super) found: Vec<i64>,
}

impl IndexFile {
    /// Reads the header of an open file.
    pub(super) fn load(path: PathBuf, file: Arc<dyn File>, layout: Layout) -> Result<Self, LogError> {
        let mut bytes = [0; HEADER_BYTES];
        file.read_exact_at(&mut bytes, 0).map_err(|source| fail("read", &path, 0, source))?;
        Ok(Self { path, file, layout, header: Header::decode(&bytes) })
    }

    pub(super) fn name(&self) -> OsString {
        self.path.file_name().unwrap_or_default().to_owned()
    }

    /// Whether no item fits any more.
    pub(super) fn is_full(&self) -> bool {
        self.header.next_item >= self.layout.items
    }

    /// How many of the last items belong to the last message.
    pub(super) fn items_of_last_message(&self) -> Result<usize, LogError> {
        let mut count = 0;
        for number in (1..self.header.next_item).rev() {
            if self.item(number)?.physical_offset != self.header.end_physical_offset {
                break;
            }
            count += 1;
        }
        Ok(count)
    }

    pub(super) fn search(&self, search: &mut Search) -> Result<(), LogError> {
        search.run(&self.header, self.slot(self.layout.slot_of(search.hash))?, |number| self.item(number))
    }

    pub(super) fn slot(&self, slot: u32) -> Result<u32, LogError> {
        let mut bytes = [0; SLOT_BYTES];
        self.read(&mut bytes, self.layout.slot_position(slot))?;
        Ok(u32::try_from(i32::from_be_bytes(bytes)).unwrap_or(0))
    }

    pub(super) fn item(&self, number: u32) -> Result<Item, LogError> {
        let mut bytes = [0; ITEM_BYTES];
        self.read(&mut bytes, self.layout.item_position(number))?;
        Ok(Item::decode(&bytes))
    }

    pub(super) fn read(&self, bytes: &mut [u8], offset: u64) -> Result<(), LogError> {
        self.file.read_exact_at(bytes, offset).map_err(|source| fail("read", &self.path, offset, source))
    }

    pub(super) fn write(&self, bytes: &[u8], offset: u64) -> Result<(), LogError> {
        self.file.write_all_at(bytes, offset).map_err(|source| fail("write", &self.path, offset, source))
    }
}

impl Search {
    /// Whether an older file may have more. (`IndexService#queryOffset`)
    pub(super) fn goes_on_before(&self, header: &Header) -> bool {
        header.begin_timestamp >= self.begin && self.found.len() < self.max_count
    }

    /// Follows the items of a slot, from its last one. (`IndexFile#selectPhyOffset`)
    pub(super) fn run(
        &mut self,
        header: &Header,
        last_of_slot: u32,
        item: impl Fn(u32) -> Result<Item, LogError>,
    ) -> Result<(), LogError> {
        if !header.matches(self.begin, self.end) {
            return Ok(());
        }
        let mut number = last_of_slot;
        // Items point to older ones only, so that a damaged file cannot lead round in circles.
        let mut below = header.next_item;
        while number > 0 && number < below && self.found.len() < self.max_count {
            let item = item(number)?;
            if item.time_diff < 0 {
                break;
            }
            let time = header.begin_timestamp.saturating_add(i64::from(item.time_diff) * 1_000);
            if item.hash == self.hash && self.begin <= time && time <= self.end {
                self.found.push(item.physical_offset);
            }
            if time < self.begin {
                break;
            }
            below = number;
            number = item.previous;
        }
        Ok(())
    }
}

pub(super) fn fail(op: &'static str, path: &Path, offset: u64, source: io::Error) -> LogError {
    LogError::Io { op, path: path.to_owned(), offset, source }
}

//! The index file that is being written.
//!
//! After an unclean stop a file that is not full is dropped and made again from the log, so nothing of it needs to be on disk
//! before it is full or the store ends. Its slots are kept in memory and written once, then; items are written in large
//! runs. That makes one sequential write of what would be a read and a write of a page in another place for every key.

use std::path::{Path, PathBuf};
use std::ptr;
use std::sync::Arc;

use rocketmq_env::{Fs, OpenMode, prefetch};
use rocketmq_log::LogError;

use super::file::{IndexFile, Search, fail};
use super::keys::Entry;
use super::layout::{Header, ITEM_BYTES, Item, Layout, SLOT_BYTES};

/// Items in memory at most; this many are written at once.
const TAIL_ITEMS: usize = 65_536;
/// How many items ahead memory is asked for their slots.
const EXPECTED: usize = 8;
/// Slots are written in pages of so many.
const PAGE_SLOTS: usize = 1_024;
/// Pages written at once at most.
const RUN_PAGES: usize = 256;

/// An index file that takes more items.
#[derive(Debug)]
pub(super) struct ActiveFile {
    file: IndexFile,
    /// Number of the last item of each slot. Zeroed memory, of which the system only gives the pages in use.
    slots: Vec<u32>,
    /// Which pages of slots differ from the file.
    dirty: Vec<bool>,
    /// Items that are not written yet, as bytes.
    tail: Vec<u8>,
    /// Number of the first of them.
    tail_item: u32,
}

impl ActiveFile {
    /// Makes a file behind one that ends as `before` does. On failure none is left.
    pub(super) fn create(fs: &dyn Fs, path: PathBuf, layout: Layout, before: Option<Header>) -> Result<Self, LogError> {
        let directory = path.parent().unwrap_or(Path::new("."));
        let made = fs.create_dir_all_durably(directory);
        made.map_err(|source| fail("create directory", directory, 0, source))?;
        let file = fs.open(&path, OpenMode::CreateNew).map_err(|source| fail("create", &path, 0, source))?;
        let header = Header::behind(before);
        let filled = file.set_len(layout.file_bytes()).and_then(|()| file.write_all_at(&header.encode(), 0));
        if let Err(source) = filled {
            let error = fail("write", &path, 0, source);
            // What is left of it the next start drops.
            let _ = fs.remove_file(&path);
            return Err(error);
        }
        let slots = vec![0; layout.slots as usize];
        Ok(Self::new(IndexFile { path, file, layout, header }, slots))
    }

    /// Goes on with a file that is not full.
    pub(super) fn resume(file: IndexFile) -> Result<Self, LogError> {
        let mut slots = vec![0; file.layout.slots as usize];
        let mut bytes = vec![0; PAGE_SLOTS * SLOT_BYTES];
        for (page, slots) in slots.chunks_mut(PAGE_SLOTS).enumerate() {
            let bytes = bytes.get_mut(..slots.len() * SLOT_BYTES).unwrap_or_default();
            file.read(bytes, page_position(file.layout, page))?;
            for (slot, bytes) in slots.iter_mut().zip(bytes.as_chunks::<SLOT_BYTES>().0) {
                let number = u32::try_from(i32::from_be_bytes(*bytes)).unwrap_or(0);
                // Writing zeros would take memory for nothing.
                if number > 0 && number < file.header.next_item {
                    *slot = number;
                }
            }
        }
        Ok(Self::new(file, slots))
    }

    fn new(file: IndexFile, slots: Vec<u32>) -> Self {
        let dirty = vec![false; slots.len().div_ceil(PAGE_SLOTS)];
        Self { tail_item: file.header.next_item, file, slots, dirty, tail: Vec::new() }
    }

    pub(super) fn header(&self) -> &Header {
        &self.file.header
    }

    pub(super) fn is_full(&self) -> bool {
        self.file.is_full()
    }

    /// Whether items must be written before more are appended.
    pub(super) fn tail_is_full(&self) -> bool {
        self.tail.len() >= TAIL_ITEMS * ITEM_BYTES
    }

    /// Adds items as long as there is room in the file and in memory. Returns how many.
    pub(super) fn append_all(&mut self, entries: &[Entry]) -> usize {
        let mut taken = 0;
        for (at, entry) in entries.iter().enumerate() {
            if self.is_full() || self.tail_is_full() {
                break;
            }
            // Slots lie anywhere in megabytes.
            if let Some(later) = entries.get(at + EXPECTED)
                && let Some(slot) = self.slots.get(self.file.layout.slot_of(later.hash) as usize)
            {
                prefetch(ptr::from_ref(slot).cast());
            }
            self.append(entry);
            taken += 1;
        }
        taken
    }

    /// (`IndexFile#putKey`)
    fn append(&mut self, entry: &Entry) {
        let header = &mut self.file.header;
        let slot = self.file.layout.slot_of(entry.hash) as usize;
        let number = header.next_item;
        let (Some(last), Some(dirty)) = (self.slots.get_mut(slot), self.dirty.get_mut(slot / PAGE_SLOTS)) else {
            return;
        };
        let item = Item {
            hash: entry.hash,
            physical_offset: entry.physical_offset,
            time_diff: header.time_diff(entry.store_timestamp),
            previous: *last,
        };
        self.tail.extend_from_slice(&item.encode());
        header.slot_count += u32::from(*last == 0);
        (*last, *dirty) = (number, true);
        if number == 1 {
            header.begin_physical_offset = entry.physical_offset;
            header.begin_timestamp = entry.store_timestamp;
        }
        header.next_item = number + 1;
        header.end_physical_offset = entry.physical_offset;
        header.end_timestamp = entry.store_timestamp;
    }

    /// Writes the items, and a header that tells Apache's store to drop the file after an unclean stop, as this one does.
    pub(super) fn write_items(&mut self) -> Result<(), LogError> {
        self.file.write(&self.tail, self.file.layout.item_position(self.tail_item))?;
        self.tail_item = self.file.header.next_item;
        self.tail.clear();
        self.file.write(&self.file.header.encode(), 0)
    }

    /// Writes everything that is not in the file yet.
    pub(super) fn write(&mut self) -> Result<(), LogError> {
        let pages = self.dirty.len();
        let mut page = 0;
        let mut bytes = Vec::new();
        while page < pages {
            let is_dirty = |page: &usize| self.dirty.get(*page).copied().unwrap_or(false);
            let end = (page..pages.min(page + RUN_PAGES)).find(|page| !is_dirty(page));
            let end = end.unwrap_or(pages.min(page + RUN_PAGES));
            if end == page {
                page += 1;
                continue;
            }
            bytes.clear();
            let slots = self.slots.get(page * PAGE_SLOTS..self.slots.len().min(end * PAGE_SLOTS)).unwrap_or_default();
            bytes.extend(slots.iter().flat_map(|number| number.to_be_bytes()));
            self.file.write(&bytes, page_position(self.file.layout, page))?;
            self.dirty.get_mut(page..end).unwrap_or_default().fill(false);
            page = end;
        }
        self.write_items()
    }

    /// Makes what is written durable, the file's name included.
    pub(super) fn sync(&self, fs: &dyn Fs) -> Result<(), LogError> {
        let path = &self.file.path;
        self.file.file.sync_all().map_err(|source| fail("fsync", path, 0, source))?;
        let directory = path.parent().unwrap_or(Path::new("."));
        fs.sync_dir(directory).map_err(|source| fail("fsync", directory, 0, source))
    }

    /// What is left of it once it is written.
    pub(super) fn into_file(self) -> Arc<IndexFile> {
        Arc::new(self.file)
    }

    pub(super) fn search(&self, search: &mut Search) -> Result<(), LogError> {
        let last = self.slots.get(self.file.layout.slot_of(search.hash) as usize).copied().unwrap_or(0);
        search.run(&self.file.header, last, |number| self.item(number))
    }

    fn item(&self, number: u32) -> Result<Item, LogError> {
        let in_tail = number
            .checked_sub(self.tail_item)
            .and_then(|index| self.tail.as_chunks::<ITEM_BYTES>().0.get(index as usize));
        in_tail.map_or_else(|| self.file.item(number), |bytes| Ok(Item::decode(bytes)))
    }
}

fn page_position(layout: Layout, page: usize) -> u64 {
    layout.slot_position((page * PAGE_SLOTS) as u32)
}

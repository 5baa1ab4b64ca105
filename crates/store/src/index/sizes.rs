//! With which settings index files were written: their length tells it only together with what is in them.

use std::path::Path;

use rocketmq_env::{Fs, OpenMode};

use super::file::{IndexFile, fail};
use super::layout::{HEADER_BYTES, ITEM_BYTES, Layout, SLOT_BYTES};
use super::load;
use crate::StoreError;

/// So many numbers of slots are tried on a file of unusual length, which takes a second at most: a file that was cut is not
/// worth more.
const MOST_GUESSES: usize = 1_000_000;

/// Slots and items of the files in `directory`: `usual` if that fits, else what the first file with items says. `None` if
/// there is no such file, or it fits no settings.
pub(crate) fn layout_on_disk(fs: &dyn Fs, directory: &Path, usual: Layout) -> Result<Option<Layout>, StoreError> {
    for path in load::list(fs, directory)? {
        let len = fs.metadata(&path).map_err(|source| fail("stat", &path, 0, source))?.len;
        if len == usual.file_bytes() {
            return Ok(Some(usual));
        }
        // In words of four bytes: a slot has one, an item five.
        let words = len.checked_sub(HEADER_BYTES as u64).map(|bytes| u32::try_from(bytes / SLOT_BYTES as u64));
        let Some(Ok(words)) = words else { continue };
        let file = fs.open(&path, OpenMode::Read).map_err(|source| fail("open", &path, 0, source))?;
        let mut file = IndexFile::load(path, file, usual)?;
        let words_of_item = (ITEM_BYTES / SLOT_BYTES) as u32;
        let Some(most_slots) = words.checked_sub(file.header.next_item.saturating_mul(words_of_item)) else { continue };
        let as_usual = words / (1 + words_of_item * 4);
        let others = (1..=most_slots).filter(|slots| slots % words_of_item == words % words_of_item);
        for slots in std::iter::once(as_usual).filter(|slots| *slots > 0).chain(others.take(MOST_GUESSES)) {
            file.layout = Layout { slots, items: (words - slots) / words_of_item };
            if file.layout.file_bytes() == len && holds_items(&file)? {
                return Ok(Some(file.layout));
            }
        }
    }
    Ok(None)
}

/// Whether the first and the last item are those of the header, the last one is in its slot, and so many slots are in use as
/// the header says.
fn holds_items(file: &IndexFile) -> Result<bool, StoreError> {
    let header = &file.header;
    let last = header.next_item - 1;
    if last == 0 || header.next_item > file.layout.items {
        return Ok(false);
    }
    // Else zeros, where nothing is, could be an item at the log's start.
    let is_item = |number, place| file.item(number).map(|item| item.physical_offset == place && item.hash != 0);
    if !is_item(1, header.begin_physical_offset)? || !is_item(last, header.end_physical_offset)? {
        return Ok(false);
    }
    if file.slot(file.layout.slot_of(file.item(last)?.hash))? != last {
        return Ok(false);
    }
    let mut used = 0;
    for slot in 0..file.layout.slots {
        used += u32::from(file.slot(slot)? != 0);
    }
    Ok(used == header.slot_count)
}

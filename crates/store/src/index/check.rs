//! Whether index files are right: every item against the record it points to, and the slots and headers against the items.
//!
//! Items stand in the order of the log (`IndexService#buildIndex` passes over what lies before the last one), so one walk over
//! the log sees them all: the items of each record are the next ones. Of the slots nothing is believed: they are made anew
//! from the items, and then compared, which finds items out of reach and chains that lead elsewhere.

use std::collections::VecDeque;
use std::path::PathBuf;

use rocketmq_codec::message::MessageRecord;
use rocketmq_env::{Fs, OpenMode};

use super::file::IndexFile;
use super::keys::{Entry, TopicHash, push_entries};
use super::layout::{Header, ITEM_BYTES, Item, Layout, SLOT_BYTES};
use super::load::{self, is_on_disk};
use crate::checkpoint::CheckpointValues;
use crate::{StoreConfig, StoreError};

/// Items, or slots, read together.
const CHUNK: u32 = 4_096;

/// Something wrong in an index file.
pub(crate) struct IndexFault {
    pub(crate) file: PathBuf,
    /// Byte of the file.
    pub(crate) offset: u64,
    pub(crate) what: String,
    /// Whether the next start makes the file anew, because an unclean stop left it unfinished.
    pub(crate) is_unfinished: bool,
}

/// Looks at the index files while a walk over the log shows the records.
pub(crate) struct IndexCheck {
    current: Option<FileCheck>,
    files: VecDeque<FileCheck>,
    log_start: i64,
    /// Places of the first and last message that are indexed.
    range: (i64, i64),
    topics: TopicHash,
    entries: Vec<Entry>,
    faults: Vec<IndexFault>,
    /// Items that are right.
    pub(crate) items: u64,
    /// Messages within what is indexed of which a key is not.
    pub(crate) unindexed: u64,
}

struct FileCheck {
    file: IndexFile,
    before: Option<Header>,
    is_unfinished: bool,
    /// The item to look at next.
    number: u32,
    chunk: Vec<u8>,
    chunk_first: u32,
    /// Number of the last item of each slot, and how many have one.
    slots: Vec<u32>,
    used: u32,
    /// Place of the last message that an item was right about.
    last_offset: i64,
}

impl IndexCheck {
    /// Lists the files. One of another length than the settings give is a fault.
    pub(crate) fn open(
        fs: &dyn Fs,
        config: &StoreConfig,
        log_start: i64,
        was_clean: bool,
        checkpoint: CheckpointValues,
    ) -> Result<Self, StoreError> {
        let layout = Layout { slots: config.max_hash_slot_num, items: config.max_index_num };
        let (mut files, mut faults) = (VecDeque::<FileCheck>::new(), Vec::new());
        for path in load::list(fs, &config.root.join("index"))? {
            let Some(file) = load::open(fs, &path, layout, OpenMode::Read)? else {
                let what = format!(
                    "the file has another length than maxHashSlotNum={} and maxIndexNum={} give, {} bytes",
                    layout.slots,
                    layout.items,
                    layout.file_bytes()
                );
                faults.push(IndexFault { file: path, offset: 0, what, is_unfinished: !was_clean });
                continue;
            };
            let before = files.back().map(|before| &before.file);
            let is_unfinished = !is_on_disk(&file, before, was_clean, checkpoint.index_msg_timestamp);
            let before = before.map(|before| before.header);
            files.push_back(FileCheck::new(file, before, is_unfinished));
        }
        let first = files.front().map_or(i64::MAX, |file| file.file.header.begin_physical_offset);
        let last = files.back().map_or(0, |file| file.file.header.end_physical_offset);
        let (topics, entries) = (TopicHash::default(), Vec::new());
        let (range, current) = ((first, last), files.pop_front());
        Ok(Self { current, files, log_start, range, topics, entries, faults, items: 0, unindexed: 0 })
    }

    /// What was found since the last call.
    pub(crate) fn take_faults(&mut self) -> Vec<IndexFault> {
        std::mem::take(&mut self.faults)
    }

    /// The next record of the log.
    pub(crate) fn record(&mut self, record: &MessageRecord<'_>) -> Result<(), StoreError> {
        self.entries.clear();
        push_entries(record, &mut self.topics, &mut self.entries);
        let place = record.physical_offset;
        let mut wanted = self.entries.len();
        while let Some((item, behind)) = self.next_item()? {
            let Some(file) = &mut self.current else { break };
            if item.physical_offset > place && !file.is_astray(&item, behind) {
                break;
            }
            if item.physical_offset != place {
                self.faults.extend(file.wrong_place(&item, self.log_start));
            } else if !self.entries.iter().any(|entry| entry.hash == item.hash) {
                self.faults.push(file.wrong_item(format!("hash {} is no key's of the record at {place}", item.hash)));
            } else {
                wanted = wanted.saturating_sub(1);
                self.items += 1;
                file.last_offset = place;
                self.faults.extend(file.wrong_time(&item, record.store_timestamp));
            }
            self.faults.extend(file.settle(&item));
        }
        if wanted > 0 && (self.range.0..self.range.1).contains(&place) {
            self.unindexed += 1;
        }
        Ok(())
    }

    /// The log has ended: what is left of the items points nowhere.
    pub(crate) fn finish(&mut self) -> Result<(), StoreError> {
        while let Some((item, _)) = self.next_item()? {
            let Some(file) = &mut self.current else { break };
            self.faults.extend(file.wrong_place(&item, self.log_start));
            self.faults.extend(file.settle(&item));
        }
        Ok(())
    }

    /// The item to look at, and where the one behind it points to; ends the files that have no more.
    fn next_item(&mut self) -> Result<Option<(Item, Option<i64>)>, StoreError> {
        while let Some(file) = &mut self.current {
            if let Some(item) = file.item(file.number)? {
                let behind = file.item(file.number + 1)?;
                return Ok(Some((item, behind.map(|item| item.physical_offset))));
            }
            file.finish(&mut self.faults)?;
            self.current = self.files.pop_front();
        }
        Ok(None)
    }
}

impl FileCheck {
    fn new(file: IndexFile, before: Option<Header>, is_unfinished: bool) -> Self {
        let (number, chunk, chunk_first, used) = (1, Vec::new(), 0, 0);
        let last_offset = before.map_or(0, |before| before.end_physical_offset);
        Self { file, before, is_unfinished, number, chunk, chunk_first, slots: Vec::new(), used, last_offset }
    }

    /// How many items there are, and one more.
    fn end(&self) -> u32 {
        self.file.header.next_item.min(self.file.layout.items)
    }

    fn item(&mut self, number: u32) -> Result<Option<Item>, StoreError> {
        if number >= self.end() {
            return Ok(None);
        }
        let index = number.checked_sub(self.chunk_first).map(|index| index as usize);
        if let Some(found) = index.and_then(|index| self.chunk.as_chunks::<ITEM_BYTES>().0.get(index)) {
            return Ok(Some(Item::decode(found)));
        }
        // The item before it stays, for whoever looks back.
        self.chunk_first = number.saturating_sub(1).max(1);
        let count = (self.end() - self.chunk_first).min(CHUNK);
        self.chunk.resize(count as usize * ITEM_BYTES, 0);
        self.file.read(&mut self.chunk, self.file.layout.item_position(self.chunk_first))?;
        let index = (number - self.chunk_first) as usize;
        Ok(self.chunk.as_chunks().0.get(index).map(Item::decode))
    }

    /// Whether an item that points further than the walk is will never be right: it leaves the file's range, or it is the
    /// one that breaks the order.
    fn is_astray(&self, item: &Item, behind: Option<i64>) -> bool {
        let place = item.physical_offset;
        place > self.file.header.end_physical_offset
            || behind.is_some_and(|behind| behind < place && behind >= self.last_offset)
    }

    fn wrong_place(&self, item: &Item, log_start: i64) -> Option<IndexFault> {
        let place = item.physical_offset;
        // The log lost its head since.
        let is_expired = place < log_start && place >= self.last_offset;
        (!is_expired).then(|| self.wrong_item(format!("points to {place}, where no such record is")))
    }

    fn wrong_time(&self, item: &Item, timestamp: i64) -> Option<IndexFault> {
        let header = self.file.header;
        let of_header = |offset, name, have| {
            let what = format!("{name} of the header is {have}, its record was stored at {timestamp}");
            (have != timestamp).then(|| self.fault(offset, what))
        };
        let wrong_begin = (self.number == 1).then(|| of_header(0, "beginTimestamp", header.begin_timestamp)).flatten();
        let is_last = self.number + 1 == self.end();
        let wrong_end = || is_last.then(|| of_header(8, "endTimestamp", header.end_timestamp)).flatten();
        if let Some(wrong) = wrong_begin.or_else(wrong_end) {
            return Some(wrong);
        }
        // That of the first item is counted from the end of the file before.
        let base = if self.number == 1 { Header::behind(Some(self.before?)) } else { header };
        let want = base.time_diff(timestamp);
        (item.time_diff != want).then(|| self.wrong_item(format!("timeDiff is {}, should be {want}", item.time_diff)))
    }

    /// Ends with an item: puts it into its slot.
    fn settle(&mut self, item: &Item) -> Option<IndexFault> {
        if self.slots.is_empty() {
            self.slots = vec![0; self.file.layout.slots as usize];
        }
        let slot = self.file.layout.slot_of(item.hash);
        let expected = std::mem::replace(self.slots.get_mut(slot as usize)?, self.number);
        self.used += u32::from(expected == 0);
        let wrong = (item.previous != expected).then(|| {
            let what = format!("the one before it in slot {slot} is {}, should be {expected}", item.previous);
            self.wrong_item(what)
        });
        self.number += 1;
        wrong
    }

    /// Compares slots and header with the items.
    fn finish(&mut self, faults: &mut Vec<IndexFault>) -> Result<(), StoreError> {
        let (header, layout) = (self.file.header, self.file.layout);
        let mut wrong = |offset, name: &str, have: i64, want: i64| {
            if have != want {
                faults.push(self.fault(offset, format!("{name} of the header is {have}, should be {want}")));
            }
        };
        if header.next_item > layout.items {
            wrong(36, "indexCount", i64::from(header.next_item), i64::from(layout.items));
        }
        wrong(32, "hashSlotCount", i64::from(header.slot_count), i64::from(self.used));
        let (first, last) = (self.item(1)?, self.item(self.end() - 1)?);
        let ends = [
            (16, "beginPhyOffset", header.begin_physical_offset, first),
            (24, "endPhyOffset", header.end_physical_offset, last),
        ];
        for (offset, name, have, item) in ends {
            if let Some(item) = item.filter(|item| item.physical_offset != have) {
                let what = format!("{name} of the header is {have}, its item points to {}", item.physical_offset);
                faults.push(self.fault(offset, what));
            }
        }
        let mut bytes = Vec::new();
        for first in (0..layout.slots).step_by(CHUNK as usize) {
            bytes.resize((layout.slots - first).min(CHUNK) as usize * SLOT_BYTES, 0);
            self.file.read(&mut bytes, layout.slot_position(first))?;
            for (slot, found) in (first..).zip(bytes.as_chunks().0) {
                let (found, want) = (i32::from_be_bytes(*found), self.slots.get(slot as usize).copied().unwrap_or(0));
                if i64::from(found) != i64::from(want) {
                    let what = format!("slot {slot} names item {found}, should be {want}");
                    faults.push(self.fault(layout.slot_position(slot), what));
                }
            }
        }
        Ok(())
    }

    /// A fault of the item that is looked at.
    fn wrong_item(&self, what: String) -> IndexFault {
        let number = self.number;
        self.fault(self.file.layout.item_position(number), format!("item {number}: {what}"))
    }

    fn fault(&self, offset: u64, what: String) -> IndexFault {
        IndexFault { file: self.file.path.clone(), offset, what, is_unfinished: self.is_unfinished }
    }
}

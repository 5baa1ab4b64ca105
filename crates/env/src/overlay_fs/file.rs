//! A file whose changes stay in memory.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::fs::{File, Map};

const PAGE_BYTES: u64 = 4096;

type Page = Box<[u8; PAGE_BYTES as usize]>;

/// What was changed of a file.
#[derive(Debug)]
pub(super) struct Changes {
    len: u64,
    /// Bytes from here on are not those of the file below; they are zero where no page says otherwise.
    cut: u64,
    pages: BTreeMap<u64, Page>,
}

impl Changes {
    pub(super) fn of_new_file() -> Self {
        Self { len: 0, cut: 0, pages: BTreeMap::new() }
    }

    pub(super) fn to_file_of(len: u64) -> Self {
        Self { len, cut: len, pages: BTreeMap::new() }
    }

    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Whether the file below has anything to say.
    pub(super) fn is_from_below(&self) -> bool {
        self.cut > 0
    }

    /// Makes everything from `offset` on zero.
    fn cut_at(&mut self, offset: u64) {
        self.cut = self.cut.min(offset);
        drop(self.pages.split_off(&offset.div_ceil(PAGE_BYTES)));
        if let Some(page) = self.pages.get_mut(&(offset / PAGE_BYTES)) {
            page.iter_mut().skip((offset % PAGE_BYTES) as usize).for_each(|byte| *byte = 0);
        }
    }
}

/// An open file.
#[derive(Debug)]
pub(super) struct OverlayFile {
    pub(super) below: Option<Arc<dyn File>>,
    pub(super) changes: Arc<Mutex<Changes>>,
}

impl OverlayFile {
    /// Reads what the file below has before the cut; zeros behind it.
    fn read_below(&self, changes: &Changes, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let from_below =
            usize::try_from(changes.cut.saturating_sub(offset)).map_or(buffer.len(), |n| n.min(buffer.len()));
        let (head, tail) = buffer.split_at_mut(from_below);
        tail.fill(0);
        match &self.below {
            Some(below) if !head.is_empty() => below.read_exact_at(head, offset),
            _ => Ok(()),
        }
    }
}

impl File for OverlayFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let changes = self.changes.lock();
        let left = usize::try_from(changes.len.saturating_sub(offset)).unwrap_or(usize::MAX);
        let count = buffer.len().min(left);
        let (buffer, _) = buffer.split_at_mut(count);
        self.read_below(&changes, buffer, offset)?;
        let end = offset + count as u64;
        for (index, page) in changes.pages.range(offset / PAGE_BYTES..end.div_ceil(PAGE_BYTES)) {
            let start = index * PAGE_BYTES;
            let (from, to) = (start.max(offset), (start + PAGE_BYTES).min(end));
            let target = buffer.get_mut((from - offset) as usize..(to - offset) as usize);
            let source = page.get((from - start) as usize..(to - start) as usize);
            if let (Some(target), Some(source)) = (target, source) {
                target.copy_from_slice(source);
            }
        }
        Ok(count)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let mut changes = self.changes.lock();
        let index = offset / PAGE_BYTES;
        if !changes.pages.contains_key(&index) {
            let mut page: Page = Box::new([0; PAGE_BYTES as usize]);
            self.read_below(&changes, &mut *page, index * PAGE_BYTES)?;
            changes.pages.insert(index, page);
        }
        let Some(page) = changes.pages.get_mut(&index) else { return Ok(0) };
        let room = page.get_mut((offset % PAGE_BYTES) as usize..).unwrap_or_default();
        let count = room.len().min(bytes.len());
        for (to, from) in room.iter_mut().zip(bytes) {
            *to = *from;
        }
        changes.len = changes.len.max(offset + count as u64);
        Ok(count)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.changes.lock().len)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut changes = self.changes.lock();
        if len < changes.len {
            changes.cut_at(len);
        }
        changes.len = len;
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn sync_all(&self) -> io::Result<()> {
        Ok(())
    }

    /// Nothing of this file comes to a disk.
    fn write_again(&self, _: u64, _: u64) -> io::Result<()> {
        Ok(())
    }

    /// The file below, as long as nothing was written to this one. Bytes that were zeroed since show as they are below, which
    /// is right for a log: nobody reads behind its end.
    fn map(&self) -> io::Result<Option<Map>> {
        match &self.below {
            Some(below) if self.changes.lock().pages.is_empty() => below.map(),
            _ => Ok(None),
        }
    }

    fn zero_range(&self, offset: u64, len: u64) -> io::Result<()> {
        let mut changes = self.changes.lock();
        if offset.saturating_add(len) >= changes.len {
            changes.cut_at(offset);
            return Ok(());
        }
        drop(changes);
        self.write_zeros(offset, len)
    }
}

//! The ext files of a queue: tags code and store time of each message, to which the queue's units then only point.
//!
//! ```text
//! 0      2          10             18           20
//! | size | tagsCode | msgStoreTime | bitMapSize | bit map |
//! ```
//!
//! All big endian; this store writes no bit maps. A file ends with the size -1. (`ConsumeQueueExt`)

use std::sync::Arc;

use rocketmq_log::{LogError, SegmentedLog};

/// Length of a unit without bit map.
const UNIT_BYTES: usize = 20;

/// A unit up to its tags code.
const HEAD_BYTES: usize = 10;

/// So much of a file stays free for its end (`END_BLANK_DATA_LENGTH`).
const END_BYTES: usize = 4;

/// Smallest file: one unit.
pub(crate) const MIN_SEGMENT_BYTES: u64 = (UNIT_BYTES + END_BYTES) as u64;

/// Tags codes up to here are addresses (`MAX_ADDR`).
const MAX_ADDRESS: i64 = i32::MIN as i64 - 1;

/// Read at once: messages that lie one behind the other have their units here so, too.
const WINDOW_BYTES: usize = 4096;

/// Whether what a unit has as its tags code is the place of the tags code instead. (`isExtAddr`)
pub(crate) fn is_address(tags_code: i64) -> bool {
    tags_code <= MAX_ADDRESS
}

/// (`unDecorate`)
fn position_of(address: i64) -> i64 {
    address.wrapping_sub(i64::MIN)
}

/// The files, and what is to be written to them.
#[derive(Debug)]
pub(crate) struct Ext {
    files: Arc<SegmentedLog>,
    tail_position: i64,
    tail: Vec<u8>,
    synced_position: i64,
}

/// Bytes to be written, and where.
pub(super) struct Unwritten {
    files: Arc<SegmentedLog>,
    position: i64,
    bytes: Vec<u8>,
}

/// Bytes that were read last.
#[derive(Debug, Default)]
pub(crate) struct Window {
    position: i64,
    bytes: Vec<u8>,
}

impl Ext {
    /// What is in the files counts once [`settle`](Ext::settle) has found the end.
    pub(crate) fn new(files: SegmentedLog) -> Self {
        Self { files: Arc::new(files), tail_position: 0, tail: Vec::new(), synced_position: 0 }
    }

    fn end(&self) -> i64 {
        self.tail_position + self.tail.len() as i64
    }

    /// Appends a unit; returns what stands for the tags code. (`#put`)
    pub(super) fn push(&mut self, tags_code: i64, store_timestamp: i64) -> i64 {
        let segment_bytes = self.files.segment_bytes() as i64;
        let left = usize::try_from(segment_bytes - self.end() % segment_bytes).unwrap_or(usize::MAX);
        if left < UNIT_BYTES + END_BYTES {
            self.tail.extend((-1_i16).to_be_bytes().into_iter().chain(std::iter::repeat(0)).take(left));
        }
        let address = self.end().wrapping_add(i64::MIN);
        if !is_address(address) {
            // All addresses are given out (`MAX_REAL_OFFSET`).
            return tags_code;
        }
        self.tail.extend_from_slice(&(UNIT_BYTES as i16).to_be_bytes());
        self.tail.extend_from_slice(&tags_code.to_be_bytes());
        self.tail.extend_from_slice(&store_timestamp.to_be_bytes());
        self.tail.extend_from_slice(&0_i16.to_be_bytes());
        address
    }

    pub(super) fn tail_bytes(&self) -> usize {
        self.tail.len()
    }

    pub(super) fn unwritten(&self) -> Unwritten {
        Unwritten { files: Arc::clone(&self.files), position: self.tail_position, bytes: self.tail.clone() }
    }

    /// What was [`unwritten`](Ext::unwritten) is in the files.
    pub(super) fn written(&mut self, unwritten: &Unwritten) {
        self.tail.drain(..unwritten.bytes.len());
        if self.tail.is_empty() {
            self.tail = Vec::new();
        }
        self.tail_position = unwritten.position + unwritten.bytes.len() as i64;
    }

    /// Lets go of the files.
    pub(super) fn release(&self) {
        self.files.release();
    }

    /// The files and what of them is to be synced.
    pub(super) fn unsynced(&self) -> (Arc<SegmentedLog>, i64, i64) {
        (Arc::clone(&self.files), self.synced_position, self.tail_position)
    }

    pub(super) fn synced(&mut self, position: i64) {
        self.synced_position = position;
    }

    /// Files and bytes of the tail at the place that an address means.
    pub(super) fn look_at(&self, position: i64) -> (Arc<SegmentedLog>, Vec<u8>) {
        let in_tail = usize::try_from(position - self.tail_position).ok().and_then(|from| self.tail.get(from..));
        let in_tail = in_tail.unwrap_or_default();
        (Arc::clone(&self.files), in_tail.get(..in_tail.len().min(WINDOW_BYTES)).unwrap_or_default().to_vec())
    }

    /// Cuts what is behind the unit at `last`, the last address that a unit of the queue has. Without any, what is there is
    /// followed to its end. Nobody else has the queue yet. (`#recover`, `#truncateByMaxAddress`)
    pub(super) fn settle(&mut self, last: Option<i64>) -> Result<(), LogError> {
        let files_end = self.files.segments().last().map_or(0, |last| last.base() + self.files.segment_bytes()) as i64;
        let limit = files_end.max(self.end());
        let known = last.filter(|last| is_address(*last)).map(position_of).filter(|position| *position < limit);
        let end = match known {
            // The place of a unit that was lost is not given out again.
            Some(position) => position + i64::from(self.size_at(position)?.max(UNIT_BYTES as i16)),
            None => self.follow()?,
        };
        let in_tail = usize::try_from(end - self.tail_position).unwrap_or(0);
        self.tail.truncate(in_tail);
        if self.tail.is_empty() {
            self.files_mut()?.truncate(end as u64)?;
            (self.tail_position, self.synced_position) = (end, 0);
        }
        Ok(())
    }

    /// Removes all units.
    pub(super) fn clear(&mut self) -> Result<(), LogError> {
        self.files_mut()?.clear()?;
        self.tail = Vec::new();
        (self.tail_position, self.synced_position) = (0, 0);
        Ok(())
    }

    fn files_mut(&mut self) -> Result<&mut SegmentedLog, LogError> {
        let directory = self.files.directory().to_owned();
        Arc::get_mut(&mut self.files).ok_or(LogError::InUse { directory })
    }

    /// Where the units of the last file end.
    fn follow(&self) -> Result<i64, LogError> {
        let Some(last) = self.files.segments().last().map(|last| last.base() as i64) else { return Ok(0) };
        let file_end = last + self.files.segment_bytes() as i64;
        let mut end = last;
        let mut window = Window::default();
        while end < file_end {
            let size = self
                .with_bytes(&mut window, end, 2, |bytes| bytes.first_chunk().map(|size| i16::from_be_bytes(*size)))?;
            match size.flatten() {
                Some(size @ 1..) if end + i64::from(size) <= file_end => end += i64::from(size),
                _ => break,
            }
        }
        Ok(end)
    }

    fn size_at(&self, position: i64) -> Result<i16, LogError> {
        let mut window = Window::default();
        let size = self
            .with_bytes(&mut window, position, 2, |bytes| bytes.first_chunk().map(|size| i16::from_be_bytes(*size)))?;
        Ok(size.flatten().unwrap_or(0))
    }

    fn with_bytes<R>(
        &self,
        window: &mut Window,
        position: i64,
        len: usize,
        read: impl FnOnce(&[u8]) -> R,
    ) -> Result<Option<R>, LogError> {
        if window.at(position, len).is_none() {
            let (files, tail) = self.look_at(position);
            window.fill(&files, position, tail)?;
        }
        Ok(window.at(position, len).map(read))
    }

    /// Removes the files before the unit at an address, never the last. (`#truncateByMinAddress`)
    pub(super) fn remove_before(files: &SegmentedLog, address: i64) -> Result<(), LogError> {
        if is_address(address) {
            files.remove_before(position_of(address) as u64)?;
        }
        Ok(())
    }

    /// Forgets everything and removes the files.
    pub(super) fn files_to_destroy(&mut self) -> Arc<SegmentedLog> {
        self.tail = Vec::new();
        (self.tail_position, self.synced_position) = (0, 0);
        Arc::clone(&self.files)
    }
}

impl Unwritten {
    pub(super) fn write(&self) -> Result<(), LogError> {
        let sync_last = |file_start: u64| self.files.sync(file_start - self.files.segment_bytes(), file_start);
        super::write_out(&self.files, self.position as u64, &self.bytes, sync_last).map(drop)
    }
}

impl Window {
    fn at(&self, position: i64, len: usize) -> Option<&[u8]> {
        let from = usize::try_from(position.checked_sub(self.position)?).ok()?;
        self.bytes.get(from..from.checked_add(len)?)
    }

    /// Takes the bytes of the tail from `position` on, or else those of the file.
    fn fill(&mut self, files: &SegmentedLog, position: i64, tail: Vec<u8>) -> Result<(), LogError> {
        self.position = position;
        self.bytes = tail;
        let Ok(from) = u64::try_from(position) else { return Ok(()) };
        if self.bytes.is_empty() && from < files.end() {
            let left = (files.segment_bytes() - from % files.segment_bytes()).min(files.end() - from);
            self.bytes.resize(usize::try_from(left).map_or(WINDOW_BYTES, |left| left.min(WINDOW_BYTES)), 0);
            if !files.read(from, &mut self.bytes)? {
                self.bytes.clear();
            }
        }
        Ok(())
    }

    /// The tags code that a unit means; its own where it is one, and where the ext unit is not there.
    /// (`ConsumeQueue.ConsumeQueueIterator#next`)
    pub(super) fn tags_code(
        &mut self,
        tags_code: i64,
        look: impl FnOnce(i64) -> Option<(Arc<SegmentedLog>, Vec<u8>)>,
    ) -> Result<i64, LogError> {
        if !is_address(tags_code) {
            return Ok(tags_code);
        }
        let position = position_of(tags_code);
        if self.at(position, HEAD_BYTES).is_none() {
            let Some((files, tail)) = look(position) else { return Ok(tags_code) };
            self.fill(&files, position, tail)?;
        }
        let code = self.at(position, HEAD_BYTES).and_then(|head| {
            let (size, code) = head.split_first_chunk()?;
            (i16::from_be_bytes(*size) > 0).then_some(i64::from_be_bytes(*code.first_chunk()?))
        });
        Ok(code.unwrap_or(tags_code))
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use rocketmq_env::FaultFs;

    use super::*;

    fn ext(fs: &FaultFs) -> Ext {
        Ext::new(SegmentedLog::open(fs.process(), PathBuf::from("/store/ext"), 64).unwrap())
    }

    fn code(ext: &Ext, address: i64) -> i64 {
        Window::default().tags_code(address, |position| Some(ext.look_at(position))).unwrap()
    }

    fn write(ext: &mut Ext) {
        let unwritten = ext.unwritten();
        unwritten.write().unwrap();
        ext.written(&unwritten);
    }

    #[test]
    fn a_unit_that_would_not_leave_the_end_of_a_file_free_goes_into_the_next() {
        let fs = FaultFs::new();
        let mut ext = ext(&fs);
        let addresses: Vec<_> = (0..5).map(|number| ext.push(number, 7)).collect();
        assert_eq!(addresses, [0, 20, 40, 64, 84].map(|position| i64::MIN + position));
        let end_of_file = ext.tail.get(60..64).unwrap().to_vec();
        assert_eq!(end_of_file, [0xFF, 0xFF, 0, 0]);
        write(&mut ext);
        addresses.into_iter().zip(0..).for_each(|(address, number)| assert_eq!(code(&ext, address), number));
    }

    #[test]
    fn an_address_where_nothing_is_stays_what_it_is() {
        let fs = FaultFs::new();
        let mut ext = ext(&fs);
        let address = ext.push(5, 7);
        for tags_code in [3, -1, i64::from(i32::MIN), i64::MIN + 20, i64::MIN + 1_000, i64::from(i32::MIN) - 1] {
            assert_eq!(code(&ext, tags_code), tags_code);
        }
        assert_eq!(code(&ext, address), 5);
    }

    #[test]
    fn what_is_behind_the_last_address_is_cut_and_lost_places_are_not_given_out_again() {
        let fs = FaultFs::new();
        let mut ext = ext(&fs);
        let addresses: Vec<_> = (0..5).map(|number| ext.push(number, 7)).collect();
        write(&mut ext);
        let reopened = |last| {
            let mut ext = self::ext(&fs);
            ext.settle(last).unwrap();
            ext
        };
        assert_eq!(reopened(None).end(), 104, "followed");
        assert_eq!(reopened(Some(7)).end(), 104, "a hash tells nothing");
        assert_eq!(reopened(Some(i64::MIN + 5_000)).end(), 104, "no such file");
        assert_eq!(reopened(Some(i64::MIN + 84)).end(), 104);
        assert_eq!(reopened(addresses.get(1).copied()).push(9, 9), i64::MIN + 40);
        assert_eq!(reopened(Some(i64::MIN + 40)).push(9, 9), i64::MIN + 64, "the place of what was lost");
    }
}

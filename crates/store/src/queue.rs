//! One consume queue: units of 20 bytes that say where in the commit log each message of a queue lies.
//!
//! Units are readable as soon as they are appended: the newest are in a tail in memory, which a background thread writes to
//! the files. What a crash takes from the tail is rebuilt from the commit log. (`ConsumeQueue`)

mod expire;
pub(crate) mod ext;
mod recovery;

use std::ops::Range;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicPtr, Ordering};

use parking_lot::{Mutex, MutexGuard};
use rocketmq_env::{prefetch, prefetch_bytes};
use rocketmq_log::{LogError, SegmentedLog};
use smol_str::SmolStr;

pub(crate) use recovery::{Head, Kept, Known};

use crate::queue::ext::{Ext, Window};
use crate::unit::{UNIT_BYTES, Unit};

/// A tail of this length asks for the background thread.
pub(crate) const TAIL_FULL_BYTES: usize = 64 * 1024;

/// At this length whoever appends writes the tail out, so that memory is bounded whatever the background thread does. That may
/// wait for a disk for a second when a file is full, as that is synced then: here is room for 800,000 messages.
pub(crate) const TAIL_LIMIT_BYTES: usize = 16 * 1024 * 1024;

/// So much of a tail is written at a time: it is copied for that, while nobody can append.
const TAIL_PART_BYTES: usize = 1024 * 1024;

/// Room of a new tail: growing costs more than that memory.
const FIRST_TAIL_BYTES: usize = 8 * UNIT_BYTES;

/// A record without body, topic and properties.
pub(crate) const SMALLEST_RECORD_BYTES: i64 = 91;

/// One consume queue. Handles come from [`MessageStore::queue`](crate::MessageStore::queue) and may be kept.
#[derive(Debug)]
pub struct Queue {
    /// In the queue itself, unless it is long: one access to memory less for a put to a queue that is in no cache.
    topic: SmolStr,
    queue_id: i32,
    /// Offset of the next message; changed under the append lock only.
    next_offset: AtomicI64,
    /// The topic was deleted; changed under the append lock only.
    is_closed: AtomicBool,
    state: Mutex<State>,
    /// Where in memory the next unit will be written, as far as known: a hint for the processor.
    tail_end: AtomicPtr<u8>,
    /// One writer of the files at a time.
    writing: Mutex<()>,
    /// One sync of the files at a time. Who writes may wait for that, not the other way round.
    syncing: Mutex<()>,
    /// Whether the background thread has this queue on its list of tails to write.
    pub(crate) has_tail: AtomicBool,
    /// Whether it has it on its list of files to sync.
    pub(crate) is_unsynced: AtomicBool,
    /// The same of those with a file that is full.
    pub(crate) has_full_file: AtomicBool,
}

#[derive(Debug)]
struct State {
    files: Arc<SegmentedLog>,
    /// First readable unit, as a byte position.
    min_position: i64,
    /// Where the tail starts: everything below is in the files.
    tail_position: i64,
    tail: Vec<u8>,
    /// End in the commit log of the last message.
    max_physical_offset: i64,
    synced_position: i64,
    /// Where the tags codes stand instead of in the units, if they do.
    ext: Option<Box<Ext>>,
    /// The files are gone: what is still dispatched is dropped.
    is_destroyed: bool,
}

/// What became of an appended unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Appended {
    /// It is in the tail now.
    Added,
    /// The queue has it already, or is destroyed.
    Repeat,
    /// Units before it are missing.
    Gap,
    /// Its offset cannot be right: no checksum covers that part of a record.
    Impossible,
}

impl Queue {
    pub(crate) fn new(topic: SmolStr, queue_id: i32, files: SegmentedLog, ext: Option<Ext>) -> Self {
        let state = State {
            files: Arc::new(files),
            min_position: 0,
            tail_position: 0,
            tail: Vec::new(),
            max_physical_offset: -1,
            synced_position: 0,
            ext: ext.map(Box::new),
            is_destroyed: false,
        };
        Self {
            topic,
            queue_id,
            next_offset: AtomicI64::new(0),
            is_closed: AtomicBool::new(false),
            state: Mutex::new(state),
            tail_end: AtomicPtr::new(ptr::null_mut()),
            writing: Mutex::new(()),
            syncing: Mutex::new(()),
            has_tail: AtomicBool::new(false),
            is_unsynced: AtomicBool::new(false),
            has_full_file: AtomicBool::new(false),
        }
    }

    /// Its topic.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// Its number within the topic.
    pub fn queue_id(&self) -> i32 {
        self.queue_id
    }

    /// Tells the processor that a message is on its way to this queue. Where there are many queues, none of them is in its
    /// caches. A put tells it as well: this is for who knows earlier.
    pub fn expect(self: &Arc<Self>) {
        prefetch_bytes(Arc::as_ptr(self).cast(), size_of::<Self>());
    }

    /// The same for what the queue points to; reads the queue, so it is to be called when that is there.
    pub(crate) fn expect_parts(&self) {
        prefetch(self.topic.as_ptr());
        prefetch(self.tail_end.load(Ordering::Relaxed));
    }

    /// Takes the next offset; under the append lock.
    pub(crate) fn take_slot(&self) -> i64 {
        let offset = self.next_offset.load(Ordering::Relaxed);
        self.next_offset.store(offset + 1, Ordering::Relaxed);
        prefetch(self.tail_end.load(Ordering::Relaxed));
        offset
    }

    /// Gives back the offset taken last; under the same append lock.
    pub(crate) fn release_slot(&self, offset: i64) {
        self.next_offset.store(offset, Ordering::Relaxed);
    }

    /// First readable offset.
    pub fn min_offset(&self) -> i64 {
        self.state.lock().min_position / UNIT_BYTES as i64
    }

    /// One more than the last readable offset; 0 if it never held a message.
    pub fn max_offset(&self) -> i64 {
        self.state.lock().end() / UNIT_BYTES as i64
    }

    /// Both, as of one moment.
    pub(crate) fn offsets(&self) -> (i64, i64) {
        let state = self.state.lock();
        (state.min_position / UNIT_BYTES as i64, state.end() / UNIT_BYTES as i64)
    }

    /// End in the commit log of its last message, -1 without one.
    pub(crate) fn max_physical_offset(&self) -> i64 {
        self.state.lock().max_physical_offset
    }

    /// Units per file.
    pub(crate) fn units_per_file(&self) -> i64 {
        self.state.lock().files.segment_bytes() as i64 / UNIT_BYTES as i64
    }

    /// The queue, held for appends.
    pub(crate) fn appends(&self) -> Appends<'_> {
        let state = self.state.lock();
        Appends { queue: self, tail_before: state.tail.len(), state }
    }

    /// Copies units from `offset` on, at most as many as `buffer` holds, not crossing into the next file. Returns how many.
    pub(crate) fn read(&self, offset: i64, buffer: &mut [[u8; UNIT_BYTES]]) -> Result<usize, LogError> {
        let state = self.state.lock();
        let position = offset.saturating_mul(UNIT_BYTES as i64);
        if position < state.min_position || position >= state.end() {
            return Ok(0);
        }
        let segment_bytes = state.files.segment_bytes() as i64;
        let file_end = position - position % segment_bytes + segment_bytes;
        let wanted = buffer.as_flattened_mut();
        let available = usize::try_from(file_end.min(state.end()) - position).unwrap_or(0);
        let wanted = wanted.get_mut(..wanted.len().min(available)).unwrap_or_default();
        let units = wanted.len() / UNIT_BYTES;
        let in_files = usize::try_from(state.tail_position - position).unwrap_or(0).min(wanted.len());
        let (from_files, from_tail) = wanted.split_at_mut(in_files);
        let tail_from = usize::try_from(position + in_files as i64 - state.tail_position).unwrap_or(0);
        let tail = state.tail.get(tail_from..).unwrap_or_default();
        if !from_tail.is_empty() {
            from_tail.copy_from_slice(tail.get(..from_tail.len()).unwrap_or_default());
        }
        let files = Arc::clone(&state.files);
        drop(state);
        let found = from_files.is_empty() || files.read(position as u64, from_files)?;
        Ok(if found { units } else { 0 })
    }

    /// The tags code that a unit's one means, which may be in the ext files; `window` is for units that follow.
    pub(crate) fn tags_code(&self, tags_code: i64, window: &mut Window) -> Result<i64, LogError> {
        window.tags_code(tags_code, |position| self.state.lock().ext.as_ref().map(|ext| ext.look_at(position)))
    }

    /// The unit at `offset`.
    pub(crate) fn unit_at(&self, offset: i64) -> Result<Option<Unit>, LogError> {
        let mut buffer = [[0; UNIT_BYTES]];
        Ok((self.read(offset, &mut buffer)? == 1).then(|| Unit::decode(&buffer[0])))
    }

    /// Writes the tail to the files. `written` is called after each part, while nobody else can write, and told whether that is
    /// in another file than the one before. Before a file is begun all but the last are synced, so that recovery finds holes in
    /// the last two only.
    pub(crate) fn write_tail(&self, written: impl Fn(bool)) -> Result<(), LogError> {
        let _one_at_a_time = self.writing.lock();
        let (end, ext) = {
            let state = self.state.lock();
            if state.tail.is_empty() {
                return Ok(());
            }
            (state.end(), state.ext.as_ref().map(|ext| ext.unwritten()))
        };
        // What units point to goes first.
        if let Some(unwritten) = ext {
            unwritten.write()?;
            if let Some(ext) = &mut self.state.lock().ext {
                ext.written(&unwritten);
            }
        }
        while let Some(has_begun_file) = self.write_tail_part(end)? {
            written(has_begun_file);
        }
        Ok(())
    }

    /// Writes what a part of the tail holds below `end`, and tells whether that began a file; `None` if nothing is left.
    fn write_tail_part(&self, end: i64) -> Result<Option<bool>, LogError> {
        let (files, position, part) = {
            let state = self.state.lock();
            let len = usize::try_from(end - state.tail_position).unwrap_or(0).min(TAIL_PART_BYTES);
            let part = state.tail.get(..len).unwrap_or(&state.tail).to_owned();
            (Arc::clone(&state.files), state.tail_position, part)
        };
        if part.is_empty() {
            return Ok(None);
        }
        let mut has_begun_file = false;
        let at = write_out(&files, position as u64, &part, |file_start| {
            has_begun_file = true;
            self.sync_before((file_start - files.segment_bytes()) as i64)
        })?;
        let mut state = self.state.lock();
        state.tail.drain(..part.len());
        if state.tail.is_empty() {
            // Of 40,000 queues most have nothing to say for a while.
            state.tail = Vec::new();
        }
        state.tail_position = at as i64;
        Ok(Some(has_begun_file))
    }

    /// Sees to it that everything before `position` is on disk. As a rule it is, as somebody synced the file when it was full.
    fn sync_before(&self, position: i64) -> Result<(), LogError> {
        let is_synced = || self.state.lock().synced_position >= position;
        if is_synced() {
            return Ok(());
        }
        let one_at_a_time = self.syncing.lock();
        if is_synced() { Ok(()) } else { self.sync_as_the_one(&one_at_a_time) }
    }

    /// Makes the files durable.
    pub(crate) fn sync(&self) -> Result<(), LogError> {
        self.sync_as_the_one(&self.syncing.lock())
    }

    fn sync_as_the_one(&self, _one_at_a_time: &MutexGuard<'_, ()>) -> Result<(), LogError> {
        let (files, from, to, ext) = {
            let state = self.state.lock();
            let ext = state.ext.as_ref().map(|ext| ext.unsynced());
            (Arc::clone(&state.files), state.synced_position, state.tail_position, ext)
        };
        if let Some((files, from, to)) = ext {
            files.sync(from as u64, to.max(from + 1) as u64)?;
            if let Some(ext) = &mut self.state.lock().ext {
                ext.synced(to);
            }
        }
        // A queue that was cut at the start of a file has that to sync, though nothing is in it.
        files.sync(from as u64, to.max(from + 1) as u64)?;
        self.synced(to);
        Ok(())
    }

    /// Lets go of the files, which are not used any more.
    pub(crate) fn release(&self) {
        let state = self.state.lock();
        state.files.release();
        if let Some(ext) = &state.ext {
            ext.release();
        }
    }

    /// Everything below is in the files.
    pub(crate) fn written(&self) -> i64 {
        self.state.lock().tail_position
    }

    /// The files are on disk up to `position`.
    pub(crate) fn synced(&self, position: i64) {
        let mut state = self.state.lock();
        state.synced_position = state.synced_position.max(position);
    }

    /// Bytes that wait to be written to the files.
    pub(crate) fn tail_bytes(&self) -> usize {
        let state = self.state.lock();
        state.tail.len() + state.ext.as_ref().map_or(0, |ext| ext.tail_bytes())
    }
}

/// A queue held by whoever appends to it.
pub(crate) struct Appends<'q> {
    queue: &'q Queue,
    /// Bytes in the tail at first.
    tail_before: usize,
    state: MutexGuard<'q, State>,
}

impl Appends<'_> {
    /// From how many bytes to how many the tail has grown.
    pub(crate) fn grown(&self) -> Range<usize> {
        self.tail_before..self.state.tail.len()
    }

    /// Appends the unit of a message, idempotently. A queue without units may start anywhere; in one with units a gap is
    /// filled with blanks if `fill_gap` (they are gone for good) and reported otherwise.
    /// (`ConsumeQueue#putMessagePositionInfo`, `#fillPreBlank`)
    pub(crate) fn append(
        &mut self,
        queue_offset: i64,
        mut unit: Unit,
        store_timestamp: i64,
        fill_gap: bool,
    ) -> Appended {
        let state = &mut *self.state;
        let position = queue_offset.saturating_mul(UNIT_BYTES as i64);
        let end = state.end();
        if unit.end() <= state.max_physical_offset || position < end || state.is_destroyed {
            return Appended::Repeat;
        }
        if position > end {
            if !state.can_skip_to(position, unit.physical_offset) {
                return Appended::Impossible;
            }
            if !fill_gap {
                return Appended::Gap;
            }
            state.skip_to(position);
        }
        if let Some(ext) = &mut state.ext {
            unit.tags_code = ext.push(unit.tags_code, store_timestamp);
        }
        if state.tail.capacity() == 0 {
            state.tail.reserve(FIRST_TAIL_BYTES);
        }
        state.tail.extend_from_slice(&unit.encode());
        state.max_physical_offset = unit.end();
        Appended::Added
    }
}

impl Drop for Appends<'_> {
    fn drop(&mut self) {
        let tail = &mut self.state.tail;
        self.queue.tail_end.store(tail.as_mut_ptr().wrapping_add(tail.len()), Ordering::Relaxed);
    }
}

/// Writes bytes at `position` and publishes them; returns where they end. `before_file` is called before another file is begun,
/// with its start.
fn write_out(
    files: &SegmentedLog,
    position: u64,
    bytes: &[u8],
    mut before_file: impl FnMut(u64) -> Result<(), LogError>,
) -> Result<u64, LogError> {
    files.start_at(position);
    let segment_bytes = files.segment_bytes();
    let mut at = position;
    let mut rest = bytes;
    while !rest.is_empty() {
        let room = segment_bytes - at % segment_bytes;
        let (now, later) = rest.split_at(usize::try_from(room).map_or(rest.len(), |room| room.min(rest.len())));
        if at.is_multiple_of(segment_bytes) && at > 0 {
            before_file(at)?;
        }
        files.write(at, now)?;
        at += now.len() as u64;
        rest = later;
    }
    files.publish(at);
    Ok(at)
}

impl State {
    /// The files, to be cut; nobody may be reading them.
    fn files_mut(&mut self) -> Result<&mut SegmentedLog, LogError> {
        let directory = self.files.directory().to_owned();
        Arc::get_mut(&mut self.files).ok_or(LogError::InUse { directory })
    }

    fn end(&self) -> i64 {
        self.tail_position + self.tail.len() as i64
    }

    /// Whether the units that are missing before `position` may have been those of messages that lay in the log before
    /// `physical_offset`. Without that check one flipped bit would fill memory and disk with blanks.
    fn can_skip_to(&self, position: i64, physical_offset: i64) -> bool {
        if self.end() == 0 {
            return position <= i64::MAX / 2;
        }
        let missing = (position - self.end()) / UNIT_BYTES as i64;
        missing <= (physical_offset - self.max_physical_offset) / SMALLEST_RECORD_BYTES
    }

    /// Makes `position` the end of a queue that has no units below it: blanks before it in the same file.
    fn skip_to(&mut self, position: i64) {
        let segment_bytes = self.files.segment_bytes() as i64;
        if self.end() == 0 {
            self.tail_position = position - position % segment_bytes;
            self.synced_position = self.tail_position;
            self.min_position = position;
        }
        while self.end() < position {
            self.tail.extend_from_slice(&Unit::BLANK.encode());
        }
    }
}

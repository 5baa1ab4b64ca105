//! One consume queue: units of 20 bytes that say where in the commit log each message of a queue lies.
//!
//! Units are readable as soon as they are appended: the newest are in a tail in memory, which a background thread writes to
//! the files. What a crash takes from the tail is rebuilt from the commit log. (`ConsumeQueue`)

mod expire;
pub(crate) mod ext;
mod handle;
mod recovery;

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use parking_lot::{Mutex, MutexGuard};
use rocketmq_env::prefetch;
use rocketmq_log::{LogError, SegmentedLog};
use smol_str::SmolStr;

pub use handle::QueueHandle;
pub(crate) use recovery::{Head, Kept, Known};

use crate::queue::ext::{Ext, Window};
use crate::seat::Seat;
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

/// One consume queue.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct Queue {
    /// At the start, for its first part to lie in one line of the processor's caches.
    state: Mutex<State>,
    topic: SmolStr,
    queue_id: i32,
    seat: Seat,
    /// One writer of the files at a time.
    writing: Mutex<()>,
    /// One sync of the files at a time. Who writes may wait for that, not the other way round.
    syncing: Mutex<()>,
    /// Whether the background thread has this queue on its list of files to sync.
    pub(crate) is_unsynced: AtomicBool,
    /// The same of those with a file that is full.
    pub(crate) has_full_file: AtomicBool,
}

#[derive(Debug)]
#[repr(C)]
struct State {
    // With the lock before it, what an append needs is 64 bytes.
    tail: Vec<u8>,
    /// Where the tail starts: everything below is in the files.
    tail_position: i64,
    /// End in the commit log of the last message.
    max_physical_offset: i64,
    /// Where the tags codes stand instead of in the units, if they do.
    ext: Option<Box<Ext>>,
    /// The files are gone: what is still dispatched is dropped.
    is_destroyed: bool,
    /// The background thread has this queue on its list of tails to write, or will.
    is_listed: bool,
    /// First readable unit, as a byte position.
    min_position: i64,
    synced_position: i64,
    files: Arc<SegmentedLog>,
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
            tail: Vec::new(),
            tail_position: 0,
            max_physical_offset: -1,
            ext: ext.map(Box::new),
            is_destroyed: false,
            is_listed: false,
            min_position: 0,
            synced_position: 0,
            files: Arc::new(files),
        };
        Self {
            state: Mutex::new(state),
            topic,
            queue_id,
            seat: Seat::default(),
            writing: Mutex::new(()),
            syncing: Mutex::new(()),
            is_unsynced: AtomicBool::new(false),
            has_full_file: AtomicBool::new(false),
        }
    }

    /// The same in its seat.
    pub(crate) fn at(self, seat: Seat) -> Self {
        Self { seat, ..self }
    }

    /// Its topic.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// Its number within the topic.
    pub fn queue_id(&self) -> i32 {
        self.queue_id
    }

    /// Where puts find what they need of it.
    pub(crate) fn seat(&self) -> Seat {
        self.seat
    }

    /// Tells the processor that a unit will be appended.
    pub(crate) fn expect(self: &Arc<Self>) {
        prefetch(Arc::as_ptr(self).cast());
    }

    /// First readable offset.
    pub(crate) fn min_offset(&self) -> i64 {
        self.state.lock().min_position / UNIT_BYTES as i64
    }

    /// One more than the last readable offset; 0 if it never held a message.
    pub(crate) fn max_offset(&self) -> i64 {
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
        Appends { tail_before: state.tail.len(), state }
    }

    /// Notes that the queue is on the list of tails to write, or is not any more. Whether that is new.
    pub(crate) fn set_listed(&self, is_listed: bool) -> bool {
        std::mem::replace(&mut self.state.lock().is_listed, is_listed) != is_listed
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
    /// Bytes in the tail at first.
    tail_before: usize,
    state: MutexGuard<'q, State>,
}

impl Appends<'_> {
    /// Ends them.
    pub(crate) fn end(mut self) -> Grown {
        let tail = &self.state.tail;
        let (bytes, end) = (self.tail_before..tail.len(), tail.as_ptr_range().end.cast_mut());
        let to_list = !bytes.is_empty() && !std::mem::replace(&mut self.state.is_listed, true);
        Grown { bytes, to_list, end }
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

/// What appends made of a queue's tail.
pub(crate) struct Grown {
    /// From how many bytes to how many it has grown.
    pub(crate) bytes: Range<usize>,
    /// It is to be put on the list of tails to write.
    pub(crate) to_list: bool,
    /// Where in memory the next unit goes.
    pub(crate) end: *mut u8,
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

#[cfg(test)]
mod tests {
    use rocketmq_env::FaultFs;

    use super::*;
    use crate::StoreConfig;
    use crate::queues::Queues;

    #[test]
    fn what_an_append_needs_of_a_queue_is_one_line_of_memory() {
        let queues = Queues::load(FaultFs::new().process(), &StoreConfig::new("/store")).unwrap();
        let queue = queues.get("Topic", 0).unwrap();
        let state = queue.state.lock();
        assert_eq!(Arc::as_ptr(&queue).addr() % 64, 0);
        assert!(std::ptr::from_ref(&state.is_listed).addr() < Arc::as_ptr(&queue).addr() + 64);
    }
}

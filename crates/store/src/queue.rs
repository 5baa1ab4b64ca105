//! One consume queue: units of 20 bytes that say where in the commit log each message of a queue lies.
//!
//! Units are readable as soon as they are appended: the newest are in a tail in memory, which a background thread writes to
//! the files. What a crash takes from the tail is rebuilt from the commit log. (`ConsumeQueue`)

mod expire;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use parking_lot::Mutex;
use rocketmq_log::{LogError, SegmentedLog};

use crate::message::Arrival;
use crate::unit::{UNIT_BYTES, Unit};

/// A tail of this length asks for the background thread.
pub(crate) const TAIL_FULL_BYTES: usize = 64 * 1024;

/// At this length whoever appends writes the tail out, so that memory is bounded whatever the background thread does.
pub(crate) const TAIL_LIMIT_BYTES: usize = 1024 * 1024;

/// One consume queue. Handles come from [`MessageStore::queue`](crate::MessageStore::queue) and may be kept.
#[derive(Debug)]
pub struct Queue {
    topic: Arc<str>,
    queue_id: i32,
    /// Offset of the next message; changed under the append lock only.
    next_offset: AtomicI64,
    /// The topic was deleted; changed under the append lock only.
    is_closed: AtomicBool,
    state: Mutex<State>,
    /// One writer of the files at a time.
    writing: Mutex<()>,
    /// Whether the background thread has this queue on its list of tails to write.
    pub(crate) has_tail: AtomicBool,
    /// Whether it has it on its list of files to sync.
    pub(crate) is_unsynced: AtomicBool,
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
    /// The files are gone: what is still dispatched is dropped.
    is_destroyed: bool,
}

/// What became of an appended unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Appended {
    /// The tail now has this many bytes.
    Tail(usize),
    /// The queue has it already, or is destroyed.
    Repeat,
    /// Units before it are missing.
    Gap,
}

impl Queue {
    pub(crate) fn new(topic: Arc<str>, queue_id: i32, files: SegmentedLog) -> Self {
        let state = State {
            files: Arc::new(files),
            min_position: 0,
            tail_position: 0,
            tail: Vec::new(),
            max_physical_offset: -1,
            synced_position: 0,
            is_destroyed: false,
        };
        Self {
            topic,
            queue_id,
            next_offset: AtomicI64::new(0),
            is_closed: AtomicBool::new(false),
            state: Mutex::new(state),
            writing: Mutex::new(()),
            has_tail: AtomicBool::new(false),
            is_unsynced: AtomicBool::new(false),
        }
    }

    /// Its topic.
    pub fn topic(&self) -> &Arc<str> {
        &self.topic
    }

    /// Its number within the topic.
    pub fn queue_id(&self) -> i32 {
        self.queue_id
    }

    /// Takes the next offset; under the append lock.
    pub(crate) fn take_slot(&self) -> i64 {
        let offset = self.next_offset.load(Ordering::Relaxed);
        self.next_offset.store(offset + 1, Ordering::Relaxed);
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

    /// Appends the unit of a message, idempotently. A queue without units may start anywhere; in one with units a gap is
    /// filled with blanks if `fill_gap` (they are gone for good) and reported otherwise.
    /// (`ConsumeQueue#putMessagePositionInfo`, `#fillPreBlank`)
    pub(crate) fn append(&self, arrival: &Arrival, fill_gap: bool) -> Appended {
        let mut state = self.state.lock();
        let unit = Unit { physical_offset: arrival.physical_offset, size: arrival.size, tags_code: arrival.tags_code };
        let position = arrival.queue_offset.saturating_mul(UNIT_BYTES as i64);
        let end = state.end();
        if unit.end() <= state.max_physical_offset || position < end || state.is_destroyed {
            return Appended::Repeat;
        }
        if position > end {
            if !fill_gap {
                return Appended::Gap;
            }
            state.skip_to(position);
        }
        state.tail.extend_from_slice(&unit.encode());
        state.max_physical_offset = unit.end();
        Appended::Tail(state.tail.len())
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

    /// The unit at `offset`.
    pub(crate) fn unit_at(&self, offset: i64) -> Result<Option<Unit>, LogError> {
        let mut buffer = [[0; UNIT_BYTES]];
        Ok((self.read(offset, &mut buffer)? == 1).then(|| Unit::decode(&buffer[0])))
    }

    /// Writes the tail to the files. A file is synced when the queue moves on to the next, so that recovery finds holes in
    /// the last two only.
    pub(crate) fn write_tail(&self) -> Result<bool, LogError> {
        let _one_at_a_time = self.writing.lock();
        let (files, position, tail) = {
            let state = self.state.lock();
            if state.tail.is_empty() {
                return Ok(false);
            }
            (Arc::clone(&state.files), state.tail_position, state.tail.clone())
        };
        files.start_at(position as u64);
        let segment_bytes = files.segment_bytes();
        let mut at = position as u64;
        let mut rest = tail.as_slice();
        while !rest.is_empty() {
            let room = segment_bytes - at % segment_bytes;
            let (now, later) = rest.split_at(usize::try_from(room).map_or(rest.len(), |room| room.min(rest.len())));
            if at.is_multiple_of(segment_bytes) && at > 0 {
                files.sync(at - segment_bytes, at)?;
            }
            files.write(at, now)?;
            at += now.len() as u64;
            rest = later;
        }
        files.publish(at);
        let mut state = self.state.lock();
        state.tail.drain(..tail.len());
        state.tail_position = at as i64;
        Ok(true)
    }

    /// Makes the files durable.
    pub(crate) fn sync(&self) -> Result<(), LogError> {
        let _one_at_a_time = self.writing.lock();
        let (files, from, to) = {
            let state = self.state.lock();
            (Arc::clone(&state.files), state.synced_position, state.tail_position)
        };
        files.sync(from as u64, to as u64)?;
        self.state.lock().synced_position = to;
        Ok(())
    }
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

/// Recovery; nobody else has the queue yet.
impl Queue {
    /// Finds the last unit in the files, starting at the third last, and cuts what is behind it. (`ConsumeQueue#recover`)
    pub(crate) fn recover(&self) -> Result<(), LogError> {
        let mut state = self.state.lock();
        let state = &mut *state;
        let files = Arc::clone(&state.files);
        let segments = files.segments();
        let Some(first) = segments.first() else { return Ok(()) };
        let start = segments.iter().rev().take(3).next_back().unwrap_or(first).base();
        let mut end = start;
        let mut last = None;
        let mut buffer = vec![0; TAIL_FULL_BYTES / UNIT_BYTES * UNIT_BYTES];
        'scan: while end < files.end() {
            let left = usize::try_from(files.end() - end).map_or(buffer.len(), |left| left.min(buffer.len()));
            if !files.read(end, &mut buffer[..left])? {
                break;
            }
            for bytes in buffer[..left].as_chunks().0 {
                let unit = Unit::decode(bytes);
                let follows = last.is_none_or(|last: Unit| unit.physical_offset >= last.end() || last == Unit::BLANK);
                if !unit.is_valid() || !follows {
                    break 'scan;
                }
                last = Some(unit);
                end += UNIT_BYTES as u64;
            }
        }
        let first = first.base();
        if end == start && start > first {
            // The third last file is empty: not left by any crash, but its predecessor may still be whole.
            last = read_unit(&files, end - UNIT_BYTES as u64)?.filter(|unit| unit.is_valid());
        }
        drop((files, segments));
        if end == 0 {
            // Its first file was hardly made: made again, its entry and that of its directory are sure to be synced.
            state.files_mut()?.clear()?;
        } else {
            state.files_mut()?.truncate(end)?;
        }
        state.tail_position = end as i64;
        state.synced_position = start as i64;
        state.min_position = first as i64;
        state.max_physical_offset = last.filter(|last| *last != Unit::BLANK).map_or(-1, Unit::end);
        Ok(())
    }

    /// Cuts all units of messages at or behind `physical_offset`; whether there were any.
    /// (`ConsumeQueue#truncateDirtyLogicFiles`)
    pub(crate) fn truncate(&self, physical_offset: i64) -> Result<bool, LogError> {
        let (min, max) = self.offsets();
        let cut = self.first_at_or_behind(physical_offset, min, max)?;
        if cut == max {
            return Ok(false);
        }
        let last = if cut > min { self.unit_at(cut - 1)? } else { None };
        let mut state = self.state.lock();
        let state = &mut *state;
        let position = cut * UNIT_BYTES as i64;
        let in_tail = usize::try_from(position - state.tail_position).unwrap_or(0);
        state.tail.truncate(in_tail);
        if position < state.tail_position {
            state.files_mut()?.truncate(position as u64)?;
            state.tail_position = position;
            state.synced_position = state.synced_position.min(position);
        }
        if last.is_none_or(|last| last == Unit::BLANK) {
            // Nothing but blanks is left: the queue starts anew where the log says.
            state.files_mut()?.clear()?;
            state.tail.clear();
            (state.tail_position, state.synced_position, state.min_position) = (0, 0, 0);
        }
        state.max_physical_offset = last.filter(|last| *last != Unit::BLANK).map_or(-1, Unit::end);
        Ok(true)
    }

    /// Moves the min offset to the first message at or behind `physical_offset`, the start of the commit log.
    /// (`ConsumeQueue#correctMinOffset`)
    pub(crate) fn correct_min_offset(&self, physical_offset: i64) -> Result<(), LogError> {
        let (min, max) = self.offsets();
        let first = self.first_at_or_behind(physical_offset, min, max)?;
        let mut state = self.state.lock();
        state.min_position = state.min_position.max(first * UNIT_BYTES as i64);
        Ok(())
    }

    /// First offset in `low..high` whose message starts at or behind `physical_offset` (blanks lie before everything).
    fn first_at_or_behind(&self, physical_offset: i64, mut low: i64, mut high: i64) -> Result<i64, LogError> {
        while low < high {
            let middle = low + (high - low) / 2;
            let before = match self.unit_at(middle)? {
                Some(unit) => unit == Unit::BLANK || unit.physical_offset < physical_offset,
                None => false,
            };
            if before {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(low)
    }

    /// Sets the offset of the next message to what the units say.
    pub(crate) fn settle_next_offset(&self) {
        self.next_offset.store(self.max_offset(), Ordering::Relaxed);
    }
}

fn read_unit(files: &SegmentedLog, position: u64) -> Result<Option<Unit>, LogError> {
    let mut bytes = [0; UNIT_BYTES];
    Ok(files.read(position, &mut bytes)?.then(|| Unit::decode(&bytes)))
}

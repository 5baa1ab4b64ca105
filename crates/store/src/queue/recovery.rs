//! A queue's files after a start: where its units end, and what of them is to be cut.

use std::sync::Arc;

use rocketmq_log::{LogError, SegmentedLog};

use super::{Queue, SMALLEST_RECORD_BYTES, State};
use crate::unit::{UNIT_BYTES, Unit};

/// Read at once where the end of the units is likely: a block of a file, in whole units.
const NEAR_BYTES: usize = 4096 / UNIT_BYTES * UNIT_BYTES;

/// Read at once when all is read.
const CHUNK_BYTES: usize = 64 * 1024 / UNIT_BYTES * UNIT_BYTES;

/// What is known of the files of all queues before they are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Known {
    /// This store was closed: units from the first to the last, zeros behind.
    Closed,
    /// The units of all records that start below this physical offset are on disk; those of others may be, in any part.
    Below(i64),
    /// Nothing; the last three files may have holes.
    Nothing,
}

/// What a queue with a gap between its files keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kept {
    /// There is no gap.
    All,
    /// The files behind it: the records of the missing units are gone as well.
    Behind,
    /// None: the units are to be made again from the log.
    Nothing,
}

/// What a queue's files begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    /// The unit's number, not 0.
    pub(crate) queue_offset: i64,
    pub(crate) unit: Unit,
}

impl Head {
    /// Whether a record at these offsets is one of those missing before it. No checksum covers a record's queue offset: there
    /// must be room in the log for the messages between.
    pub(crate) fn is_behind(&self, queue_offset: i64, physical_offset: i64) -> bool {
        let (missing, bytes) = (self.queue_offset - queue_offset, self.unit.physical_offset - physical_offset);
        queue_offset >= 0 && missing > 0 && missing <= bytes / SMALLEST_RECORD_BYTES
    }
}

/// The last unit and where it ends.
struct End {
    position: u64,
    last: Option<Unit>,
}

/// Nobody else has the queue yet.
impl Queue {
    /// Finds the last unit in the files, and cuts what is behind it. With the files in order that takes a few reads, however
    /// long they are; `is_unit_of` tells whether the log has the record of the unit at an offset. A unit that reaches behind
    /// `log_end` is damaged, or its record is gone. (`ConsumeQueue#recover`)
    pub(crate) fn recover(
        &self,
        known: Known,
        log_end: i64,
        is_unit_of: impl FnOnce(i64, Unit) -> Result<bool, LogError>,
    ) -> Result<(), LogError> {
        let mut state = self.state.lock();
        let state = &mut *state;
        let files = Arc::clone(&state.files);
        let Some(first) = files.first_offset() else {
            drop(files);
            return state.start_anew();
        };
        let end = match known {
            Known::Nothing => scan(&files, |unit| unit == Unit::BLANK || unit.end() <= log_end)?,
            Known::Closed => search(&files, |unit| unit == Unit::BLANK || unit.end() <= log_end)?.0,
            Known::Below(physical_offset) => {
                let is_below = |unit: Unit| unit.physical_offset < physical_offset;
                let (end, is_near) = search(&files, is_below)?;
                // What is behind may be anything, so a search that went far may have been led astray.
                let is_certain = match end.last {
                    Some(last) if !is_near => is_unit_of(end.position as i64 / UNIT_BYTES as i64 - 1, last)?,
                    _ => true,
                };
                if is_certain { end } else { scan(&files, is_below)? }
            }
        };
        let last = end.last.filter(|last| *last != Unit::BLANK);
        drop(files);
        let files = state.files_mut()?;
        if known == Known::Closed {
            files.remove_behind(end.position)?;
        } else if end.position == 0 && known == Known::Nothing {
            // Its first file was hardly made: made again, its entry and that of its directory are sure to be synced.
            files.clear()?;
        } else {
            files.truncate(end.position)?;
        }
        state.tail_position = end.position as i64;
        let segment_bytes = state.files.segment_bytes() as i64;
        let recent = if known == Known::Nothing { 3 * segment_bytes } else { state.tail_position % segment_bytes };
        state.synced_position = (state.tail_position - recent).max(first as i64);
        state.min_position = first as i64;
        state.max_physical_offset = last.map_or(-1, Unit::end);
        if matches!(known, Known::Below(_)) && end.last == Some(Unit::BLANK) {
            // Nothing but blanks is left.
            state.start_anew()?;
        }
        state.settle_ext(end.last)
    }

    /// The first unit in the files, unless it is number 0 or stands for none.
    pub(crate) fn head(&self) -> Result<Option<Head>, LogError> {
        let files = Arc::clone(&self.state.lock().files);
        let Some(first) = files.first_offset().filter(|first| *first > 0) else { return Ok(None) };
        let unit = read_unit(&files, first)?.filter(|unit| unit.is_valid() && *unit != Unit::BLANK);
        Ok(unit.map(|unit| Head { queue_offset: first as i64 / UNIT_BYTES as i64, unit }))
    }

    /// Closes a gap between the files, which no crash leaves, if there is one: see [`Kept`]. `log_start` is the start of the
    /// commit log; nothing is removed yet if all must go.
    pub(crate) fn close_gap(&self, log_start: i64) -> Result<Kept, LogError> {
        let mut state = self.state.lock();
        let Some((_, behind)) = state.files.last_gap() else { return Ok(Kept::All) };
        let unit = read_unit(&state.files, behind)?;
        if unit.is_some_and(|unit| unit.is_valid() && unit != Unit::BLANK && unit.physical_offset <= log_start) {
            state.files_mut()?.remove_before(behind)?;
            return Ok(Kept::Behind);
        }
        Ok(Kept::Nothing)
    }

    /// Removes all units; the queue starts anew where the log says.
    pub(crate) fn clear(&self) -> Result<(), LogError> {
        let mut state = self.state.lock();
        state.max_physical_offset = -1;
        state.start_anew()
    }

    /// Cuts all units of messages at or behind `physical_offset`; whether there were any.
    /// (`ConsumeQueue#truncateDirtyLogicFiles`)
    pub(crate) fn truncate(&self, physical_offset: i64) -> Result<bool, LogError> {
        let (min, max) = self.offsets();
        if self.max_physical_offset() <= physical_offset {
            return Ok(false);
        }
        let cut = self.first_at_or_behind(physical_offset, min, max)?;
        if cut == max {
            // The last unit is damaged. It must not make later messages seem to be older ones.
            self.state.lock().max_physical_offset = physical_offset;
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
        let last = last.filter(|last| *last != Unit::BLANK);
        state.max_physical_offset = last.map_or(-1, Unit::end);
        if last.is_none() {
            // Nothing but blanks is left.
            state.start_anew()?;
        }
        state.settle_ext(last)?;
        Ok(true)
    }

    /// Moves the min offset to the first message at or behind `physical_offset`, the start of the commit log.
    /// (`ConsumeQueue#correctMinOffset`)
    pub(crate) fn correct_min_offset(&self, physical_offset: i64) -> Result<(), LogError> {
        let (min, max) = self.offsets();
        let is_first = |unit: Unit| unit != Unit::BLANK && unit.physical_offset >= physical_offset;
        if min == max || self.unit_at(min)?.is_some_and(is_first) {
            return Ok(());
        }
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
}

impl State {
    fn start_anew(&mut self) -> Result<(), LogError> {
        self.files_mut()?.clear()?;
        self.tail.clear();
        (self.tail_position, self.synced_position, self.min_position) = (0, 0, 0);
        self.ext.as_mut().map_or(Ok(()), |ext| ext.clear())
    }

    fn settle_ext(&mut self, last: Option<Unit>) -> Result<(), LogError> {
        let has_units = self.end() > 0;
        let ext = self.ext.as_mut().filter(|_| has_units);
        ext.map_or(Ok(()), |ext| ext.settle(last.map(|last| last.tags_code)))
    }
}

/// Reads on from the start of the third last file, to the first unit that does not follow the one before or is not
/// `accepted`.
fn scan(files: &SegmentedLog, accepted: impl Fn(Unit) -> bool) -> Result<End, LogError> {
    let segments = files.segments();
    let first = segments.first().map_or(0, |first| first.base());
    let start = segments.iter().rev().take(3).next_back().map_or(first, |start| start.base());
    let mut end = follow(files, start, CHUNK_BYTES, &accepted)?;
    if end.position == start && start > first {
        // The third last file is empty: not left by any crash, but its predecessor may still be whole.
        end.last = read_unit(files, start - UNIT_BYTES as u64)?.filter(|unit| unit.is_valid());
        if end.last.is_some_and(|last| !accepted(last)) {
            end = follow(files, first, CHUNK_BYTES, &accepted)?;
        }
    }
    Ok(end)
}

/// Goes from unit to unit, `chunk_bytes` at a time.
fn follow(
    files: &SegmentedLog,
    start: u64,
    chunk_bytes: usize,
    accepted: impl Fn(Unit) -> bool,
) -> Result<End, LogError> {
    let mut end = End { position: start, last: None };
    let mut buffer = vec![0; chunk_bytes];
    while end.position < files.end() {
        let left = files.end() - end.position;
        let left = usize::try_from(left).map_or(buffer.len(), |left| left.min(buffer.len()));
        let bytes = buffer.get_mut(..left).unwrap_or_default();
        if !files.read(end.position, bytes)? {
            break;
        }
        if !follow_in(bytes, &mut end, &accepted) {
            break;
        }
    }
    Ok(end)
}

/// Moves `end` over the units in `bytes`; false if it met one that does not belong there.
fn follow_in(bytes: &[u8], end: &mut End, accepted: impl Fn(Unit) -> bool) -> bool {
    for bytes in bytes.as_chunks().0 {
        let unit = Unit::decode(bytes);
        // Not behind its end: where a length is damaged, that message alone is.
        let follows = end.last.is_none_or(|last| unit.physical_offset > last.physical_offset || last == Unit::BLANK);
        if !unit.is_valid() || !follows || !accepted(unit) {
            return false;
        }
        end.last = Some(unit);
        end.position += UNIT_BYTES as u64;
    }
    true
}

/// Finds the end of the `accepted` units where no accepted one is behind it, and whether it is so near to the start of a file
/// that all units between were read.
fn search(files: &SegmentedLog, accepted: impl Fn(Unit) -> bool) -> Result<(End, bool), LogError> {
    let accepted = |unit: Unit| unit.is_valid() && accepted(unit);
    let mut first = 0;
    for segment in files.segments().iter().rev() {
        first = segment.base();
        files.expect_random_reads(first, true)?;
        let found = search_file(files, first, accepted)?;
        files.expect_random_reads(first, false)?;
        match found {
            Found::End(end, is_near) => return Ok((end, is_near)),
            Found::Nothing => {}
            Found::Short => break,
        }
    }
    Ok((End { position: first, last: None }, true))
}

/// What [`search`] found in one file.
enum Found {
    End(End, bool),
    /// No unit.
    Nothing,
    /// Less than a block.
    Short,
}

/// Looks near the start of the file that starts at `first`, then by halves.
fn search_file(files: &SegmentedLog, first: u64, accepted: impl Fn(Unit) -> bool) -> Result<Found, LogError> {
    let segment_bytes = files.segment_bytes();
    let mut near = [0; NEAR_BYTES];
    let len = usize::try_from(segment_bytes).map_or(NEAR_BYTES, |len| len.min(NEAR_BYTES));
    let near = near.get_mut(..len).unwrap_or_default();
    if !files.read(first, near)? {
        return Ok(Found::Short);
    }
    let mut end = End { position: first, last: None };
    let goes_on = follow_in(near, &mut end, &accepted);
    if end.last.is_none() {
        return Ok(Found::Nothing);
    }
    if !goes_on {
        return Ok(Found::End(end, true));
    }
    let unit_bytes = UNIT_BYTES as u64;
    let (mut low, mut high) = (end.position / unit_bytes, (first + segment_bytes) / unit_bytes);
    let is_near = low == high;
    while low < high {
        let middle = low + (high - low) / 2;
        let position = middle * unit_bytes;
        let unit = if files.may_have_data(position)? { read_unit(files, position)? } else { None };
        match unit.filter(|unit| accepted(*unit)) {
            Some(unit) => {
                end.last = Some(unit);
                low = middle + 1;
            }
            None => high = middle,
        }
    }
    end.position = low * unit_bytes;
    Ok(Found::End(end, is_near))
}

fn read_unit(files: &SegmentedLog, position: u64) -> Result<Option<Unit>, LogError> {
    let mut bytes = [0; UNIT_BYTES];
    Ok(files.read(position, &mut bytes)?.then(|| Unit::decode(&bytes)))
}

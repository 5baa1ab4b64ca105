//! Reading: by queue offset, by commit log offset, by time.

use rocketmq_codec::message::{MAGIC_V1, MAGIC_V2, RecordParts, sys_flag};
use rocketmq_log::{LogError, Reader, SegmentedLog};

use crate::get::{Boundary, GetResult, GetStatus, Reads, TagFilter};
use crate::light::is_light;
use crate::queue::Queue;
use crate::queue::ext::Window;
use crate::unit::{UNIT_BYTES, Unit};
use crate::{StoreConfig, StoreError};

/// Units read from a queue at a time.
const CHUNK_UNITS: usize = 64;

/// Records lie far from each other, so the processor is told of those that follow: of how many units ahead, and how many bytes.
#[derive(Debug, Clone, Copy)]
struct Prefetch {
    units: usize,
    bytes: usize,
}

/// What lies behind the head, if it is read at all, the processor finds by itself.
const PREFETCH_HEADS: Prefetch = Prefetch { units: 6, bytes: 128 };

/// No more, as each is several lines, of which the processor fetches only so many at a time.
const PREFETCH_WHOLE: Prefetch = Prefetch { units: 4, bytes: 512 };

/// Bytes from the start of a record to the end of its store timestamp, with the longest born host.
const HEAD_BYTES: usize = 76;

/// Where a record has its queue's number, its queue offset and its physical offset.
const QUEUE_ID_AT: usize = 12;
const QUEUE_OFFSET_AT: usize = 20;
const PHYSICAL_OFFSET_AT: usize = 28;

/// Most bytes a get may return whatever is configured or asked (`DefaultMessageStore#MAX_PULL_MSG_SIZE`).
const MAX_PULL_BYTES: usize = 128 << 20;

/// What a get asks for.
pub(crate) struct Get<'a> {
    pub(crate) offset: i64,
    pub(crate) max_count: usize,
    pub(crate) max_bytes: usize,
    pub(crate) filter: Option<&'a TagFilter>,
    pub(crate) reads: Reads,
}

/// Where the loop over the units stands.
struct Loop<'a> {
    log: &'a SegmentedLog,
    queue: &'a Queue,
    status: GetStatus,
    next: i64,
    count: usize,
    bytes: usize,
    /// After a record that is gone: units of the same commit log file are skipped.
    skip_below: i64,
    max_count: usize,
    max_bytes: usize,
    filter: Option<&'a TagFilter>,
    /// For a filter.
    ext: Window,
}

/// Shows messages to `each`, who says whether it can use them ([`is_whole`]). (`DefaultMessageStore#getMessage`)
pub(crate) fn get(
    log: &SegmentedLog,
    config: &StoreConfig,
    queue: &Queue,
    get: &Get<'_>,
    mut each: impl FnMut(&[u8]) -> bool,
) -> Result<GetResult, StoreError> {
    let (min_offset, max_offset) = queue.offsets();
    let result = |status, next_begin_offset, count, bytes| GetResult {
        status,
        next_begin_offset,
        min_offset,
        max_offset,
        count,
        bytes,
    };
    let offset = get.offset;
    if max_offset == 0 {
        return Ok(result(GetStatus::NoMessageInQueue, 0, 0, 0));
    } else if offset < min_offset {
        return Ok(result(GetStatus::OffsetTooSmall, min_offset, 0, 0));
    } else if offset == max_offset {
        return Ok(result(GetStatus::OffsetOverflowOne, offset, 0, 0));
    } else if offset > max_offset {
        return Ok(result(GetStatus::OffsetOverflowBadly, max_offset, 0, 0));
    }
    let mut state = Loop {
        log,
        queue,
        status: GetStatus::NoMatchedMessage,
        next: offset,
        count: 0,
        bytes: 0,
        skip_below: i64::MIN,
        max_count: get.max_count.min(config.max_transfer_count),
        max_bytes: get.max_bytes.clamp(100, MAX_PULL_BYTES).min(config.max_transfer_bytes),
        filter: get.filter,
        ext: Window::default(),
    };
    let mut reader = log.reader();
    let scan_units = config.max_filter_message_bytes.max(get.max_count.saturating_mul(UNIT_BYTES)).div_ceil(UNIT_BYTES);
    let units_per_file = queue.units_per_file();
    let file_end = offset - offset % units_per_file + units_per_file;
    let scan_end = offset.saturating_add(i64::try_from(scan_units).unwrap_or(i64::MAX)).min(file_end).min(max_offset);
    let mut buffer = [[0; UNIT_BYTES]; CHUNK_UNITS];
    // A filter passes most records over by their units.
    let prefetch = if get.reads == Reads::Whole && get.filter.is_none() { PREFETCH_WHOLE } else { PREFETCH_HEADS };
    'chunks: while state.next < scan_end && !state.has_all() {
        // Without a filter no unit is read in vain.
        let wanted = if get.filter.is_none() { (state.max_count - state.count).max(1) } else { CHUNK_UNITS };
        let wanted = wanted.min(CHUNK_UNITS).min(usize::try_from(scan_end - state.next).unwrap_or(CHUNK_UNITS));
        let read = queue.read(state.next, &mut buffer[..wanted])?;
        if read == 0 {
            return Ok(result(GetStatus::OffsetFoundNull, file_end, state.count, state.bytes));
        }
        for (index, bytes) in buffer[..read].iter().enumerate() {
            // Of those behind the first only now, as the reader knows the file since that.
            let from = if index == 1 { 2 } else { index + prefetch.units };
            let to = index + 1 + prefetch.units;
            for ahead in &buffer[from.min(read)..to.min(read)] {
                let unit = Unit::decode(ahead);
                let (at, len) = (u64::try_from(unit.physical_offset), usize::try_from(unit.size));
                reader.prefetch(at.unwrap_or(u64::MAX), len.unwrap_or(0).min(prefetch.bytes));
            }
            if !state.take(&mut reader, Unit::decode(bytes), &mut each)? {
                break 'chunks;
            }
        }
    }
    Ok(result(state.status, state.next, state.count, state.bytes))
}

impl Loop<'_> {
    /// Whether as many messages are there as were asked for; one always may be.
    fn has_all(&self) -> bool {
        self.count > 0 && self.count >= self.max_count
    }

    /// Handles the unit at `next`; false when the result is full before it.
    fn take(
        &mut self,
        reader: &mut Reader<'_>,
        unit: Unit,
        each: &mut impl FnMut(&[u8]) -> bool,
    ) -> Result<bool, LogError> {
        let size = usize::try_from(unit.size).unwrap_or(0);
        if self.has_all() || self.count > 0 && self.bytes + size > self.max_bytes {
            return Ok(false);
        }
        self.next += 1;
        if unit.physical_offset < self.skip_below {
            return Ok(true);
        }
        if let Some(filter) = self.filter
            && !filter.matches(self.queue.tags_code(unit.tags_code, &mut self.ext)?)
        {
            self.pass_over();
            return Ok(true);
        }
        let offset = self.next - 1;
        let mut is_wanted = true;
        let show = |record: &[u8]| {
            if !self.is_its_own(record, offset) {
                return false;
            }
            is_wanted = self.filter.is_none_or(|filter| filter.matches_record(record));
            !is_wanted || each(record)
        };
        if show_record(reader, unit, show)? {
            if !is_wanted {
                self.pass_over();
                return Ok(true);
            }
            self.status = GetStatus::Found;
            self.skip_below = i64::MIN;
            self.count += 1;
            self.bytes += size;
            return Ok(true);
        }
        if self.count == 0 {
            self.status = GetStatus::MessageWasRemoving;
        }
        let log_start = self.log.first_offset().unwrap_or(0);
        if let Ok(physical_offset) = u64::try_from(unit.physical_offset)
            && physical_offset < log_start
        {
            self.skip_below = reader.next_segment(physical_offset) as i64;
        }
        // Else the unit or its record is damaged: that says nothing of others.
        Ok(true)
    }

    /// The message at `next` did not match the filter.
    fn pass_over(&mut self) {
        if self.count == 0 {
            self.status = GetStatus::NoMatchedMessage;
        }
    }

    /// Whether the record's head says that it is the message at `offset`. Those of light queues are of another queue.
    fn is_its_own(&self, record: &[u8], offset: i64) -> bool {
        let is_here = i32_at(record, QUEUE_ID_AT) == Some(self.queue.queue_id())
            && i64_at(record, QUEUE_OFFSET_AT) == Some(offset);
        is_here || is_light(self.queue.topic())
    }
}

/// Shows the record of a unit, if one is there; whether `show` wants it. A unit or a record that is damaged must not make the
/// answer unreadable, nor return another message.
fn show_record(reader: &mut Reader<'_>, unit: Unit, show: impl FnOnce(&[u8]) -> bool) -> Result<bool, LogError> {
    let (Ok(offset), Ok(size)) = (u64::try_from(unit.physical_offset), usize::try_from(unit.size)) else {
        return Ok(false);
    };
    let shown = reader.with_bytes(offset, size, |record| {
        i32_at(record, 0) == Some(unit.size)
            && matches!(i32_at(record, 4), Some(MAGIC_V1 | MAGIC_V2))
            && i64_at(record, PHYSICAL_OFFSET_AT) == Some(unit.physical_offset)
            && show(record)
    })?;
    Ok(shown.unwrap_or(false))
}

/// Whether the parts of a record fit, and it is one of `topic`, as far as it says so itself: those in light queues name the topic
/// that they were sent to. Both lie at the far end of it, which costs little where all of it is copied next.
pub fn is_whole(record: &[u8], topic: &str) -> bool {
    RecordParts::of(record).is_ok_and(|parts| *parts.topic == *topic.as_bytes() || is_light(topic))
}

/// Appends a record to `out` if its parts fit: whoever reads several from there finds the next behind it.
pub(crate) fn copy_whole(record: &[u8], out: &mut Vec<u8>) -> bool {
    let is_whole = RecordParts::of(record).is_ok();
    out.extend_from_slice(if is_whole { record } else { &[] });
    is_whole
}

/// What the fixed part of a record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RecordHead {
    pub(crate) size: i32,
    pub(crate) store_timestamp: i64,
}

/// Reads the head of the record that starts at `offset`; `None` if no record does. (`CommitLog#pickupStoreTimestamp`)
pub(crate) fn record_head(reader: &mut Reader<'_>, offset: i64) -> Result<Option<RecordHead>, LogError> {
    let Ok(at) = u64::try_from(offset) else { return Ok(None) };
    let head = reader.with_bytes(at, HEAD_BYTES, |bytes| {
        let size = i32_at(bytes, 0)?;
        let is_record = matches!(i32_at(bytes, 4)?, MAGIC_V1 | MAGIC_V2);
        let is_v6 = i32_at(bytes, 36)? & sys_flag::BORN_HOST_V6 != 0;
        let store_timestamp = i64_at(bytes, if is_v6 { 68 } else { 56 })?;
        (is_record && i64_at(bytes, PHYSICAL_OFFSET_AT)? == offset).then_some(RecordHead { size, store_timestamp })
    })?;
    Ok(head.flatten())
}

/// Appends the record that starts at `offset` to `out`; false if no record does. (`DefaultMessageStore#lookMessageByOffset`)
pub(crate) fn record_at(log: &SegmentedLog, offset: i64, out: &mut Vec<u8>) -> Result<bool, StoreError> {
    let mut reader = log.reader();
    let Some(head) = record_head(&mut reader, offset)? else { return Ok(false) };
    let unit = Unit { physical_offset: offset, size: head.size, tags_code: 0 };
    Ok(show_record(&mut reader, unit, |record| copy_whole(record, out))?)
}

/// Store timestamp of the message at `offset` of the queue.
pub(crate) fn store_timestamp_at(log: &SegmentedLog, queue: &Queue, offset: i64) -> Result<Option<i64>, StoreError> {
    let Some(unit) = queue.unit_at(offset)? else { return Ok(None) };
    Ok(record_head(&mut log.reader(), unit.physical_offset)?.map(|head| head.store_timestamp))
}

/// When the message of a unit was stored.
enum Found {
    At(i64),
    /// Its file was deleted: it was stored before all that are left.
    Gone,
    /// No record begins where the unit points; the next ones tell.
    Damaged,
}

fn timestamp_of(log: &SegmentedLog, reader: &mut Reader<'_>, queue: &Queue, offset: i64) -> Result<Found, LogError> {
    let Some(unit) = queue.unit_at(offset)? else { return Ok(Found::Gone) };
    let head = record_head(reader, unit.physical_offset)?;
    // After the look, as files may be deleted meanwhile.
    let is_gone = || log.first_offset().is_none_or(|first| unit.physical_offset < first as i64);
    Ok(head
        .map_or_else(|| if is_gone() { Found::Gone } else { Found::Damaged }, |head| Found::At(head.store_timestamp)))
}

/// The offset a time stands for. Timestamps never fall along a queue, so one binary search over all its units gives what
/// Apache finds by choosing a file first. (`ConsumeQueue#getOffsetInQueueByTime`)
pub(crate) fn offset_by_time(
    log: &SegmentedLog,
    queue: &Queue,
    timestamp: i64,
    boundary: Boundary,
) -> Result<i64, StoreError> {
    let (min, max) = queue.offsets();
    let mut reader = log.reader();
    let (mut low, mut high) = (min, max);
    while low < high {
        let middle = low + (high - low) / 2;
        let (mut at, mut found) = (middle, Found::Damaged);
        while at < high && matches!(found, Found::Damaged) {
            found = timestamp_of(log, &mut reader, queue, at)?;
            at += 1;
        }
        let is_before = match (found, boundary) {
            (Found::At(stored), Boundary::Lower) => stored < timestamp,
            (Found::At(stored), Boundary::Upper) => stored <= timestamp,
            (Found::Gone, _) => true,
            (Found::Damaged, _) => false,
        };
        if is_before {
            low = at;
        } else {
            high = middle;
        }
    }
    Ok(match boundary {
        Boundary::Lower => low,
        Boundary::Upper => (low - 1).max(min),
    })
}

fn i32_at(bytes: &[u8], at: usize) -> Option<i32> {
    bytes.get(at..)?.first_chunk().map(|bytes| i32::from_be_bytes(*bytes))
}

fn i64_at(bytes: &[u8], at: usize) -> Option<i64> {
    bytes.get(at..)?.first_chunk().map(|bytes| i64::from_be_bytes(*bytes))
}

//! From record to record through a commit log that may be damaged anywhere.

use rocketmq_codec::message::{BLANK_MAGIC, MessageRecord, RecordError, decode_record};
use rocketmq_log::{LogError, Reader, SegmentedLog};

/// What the walk comes upon.
pub(super) enum Found<'a> {
    /// A record; it stands at its `physical_offset` and its parts fit together.
    Record(&'a MessageRecord<'a>),
    /// Bytes that are wrong, and how. The walk goes on behind them.
    Fault { at: u64, what: String },
    /// Bytes behind the last record that are not zero.
    Tail { at: u64 },
}

const CHUNK_BYTES: u64 = 64 * 1024;
/// How often progress is told.
const PROGRESS_BYTES: u64 = 4 * 1024 * 1024;

/// Calls `found` for everything in the log, in order, and `progress` with the bytes done. Returns the end of the last record.
pub(super) fn walk(
    log: &SegmentedLog,
    mut progress: impl FnMut(u64),
    mut found: impl FnMut(Found<'_>) -> Result<(), crate::StoreError>,
) -> Result<u64, crate::StoreError> {
    let Some(first) = log.first_offset() else { return Ok(0) };
    let mut reader = log.reader();
    let (mut at, mut end, mut told) = (first, first, first);
    while at < reader.end() {
        if at - told >= PROGRESS_BYTES {
            progress(at - first);
            told = at;
        }
        let file_end = at - at % log.segment_bytes() + log.segment_bytes();
        if log.segment_at(at).is_none() {
            let next = log.segments().iter().map(|segment| segment.base()).find(|base| *base > at).unwrap_or(at);
            found(Found::Fault { at, what: format!("the file is missing; the next one begins at {next}") })?;
            at = next;
            continue;
        }
        match look_at(&mut reader, at, file_end, &mut found)? {
            Look::Whole(size) => {
                at += size;
                end = at;
            }
            Look::Blank(length) => {
                if length != file_end - at {
                    let what = format!("blank record of {length} bytes, {} are left in the file", file_end - at);
                    found(Found::Fault { at, what })?;
                }
                at = file_end;
            }
            Look::Wrong(why) => match next_record(log, &mut reader, at + 1)? {
                Some(next) => {
                    found(Found::Fault { at, what: format!("{why}; the next record begins at {next}") })?;
                    at = next;
                }
                None => {
                    if let Some(at) = first_byte_set(log, &mut reader, at)? {
                        found(Found::Tail { at })?;
                    }
                    break;
                }
            },
        }
    }
    progress(reader.end() - first);
    Ok(end)
}

enum Look {
    Whole(u64),
    Blank(u64),
    Wrong(String),
}

fn look_at(
    reader: &mut Reader<'_>,
    at: u64,
    file_end: u64,
    found: &mut impl FnMut(Found<'_>) -> Result<(), crate::StoreError>,
) -> Result<Look, crate::StoreError> {
    let size = match head(reader, at)? {
        Some((size, BLANK_MAGIC)) => return Ok(Look::Blank(u64::try_from(size).unwrap_or(0))),
        Some((size, _)) => u64::try_from(size).unwrap_or(0),
        None => return Ok(Look::Wrong("fewer than 8 bytes are left".to_owned())),
    };
    if size < 8 || at + size > file_end {
        return Ok(Look::Wrong(format!("no record: length {size}")));
    }
    let look = reader.with_bytes(at, size as usize, |bytes| {
        let mut bad_crc = None;
        let decoded = decode_record(bytes, true).or_else(|error| match error {
            RecordError::Crc { .. } => {
                bad_crc = Some(error.to_string());
                decode_record(bytes, false)
            }
            other => Err(other),
        });
        let record = match decoded {
            Err(error) => return Ok(Look::Wrong(format!("no record: {error}"))),
            Ok((record, _)) if record.physical_offset != at as i64 => {
                return Ok(Look::Wrong(format!("a record that belongs to {}", record.physical_offset)));
            }
            Ok((record, _)) => record,
        };
        if let Some(what) = bad_crc {
            found(Found::Fault { at, what })?;
        }
        found(Found::Record(&record))?;
        Ok(Look::Whole(size))
    })?;
    look.unwrap_or_else(|| Ok(Look::Wrong("the record leaves its file".to_owned())))
}

fn head(reader: &mut Reader<'_>, at: u64) -> Result<Option<(i32, i32)>, LogError> {
    let head = reader.with_bytes(at, 8, |bytes| {
        let (parts, _) = bytes.as_chunks::<4>();
        if let [size, magic] = parts { Some((i32::from_be_bytes(*size), i32::from_be_bytes(*magic))) } else { None }
    })?;
    Ok(head.flatten())
}

/// The next place from `from` on where a record stands that knows its own place.
fn next_record(log: &SegmentedLog, reader: &mut Reader<'_>, from: u64) -> Result<Option<u64>, LogError> {
    const MAGIC_PREFIX: [u8; 3] = [0xDA, 0xA3, 0x20];
    let mut candidates = Vec::new();
    for segment in log.segments().iter().filter(|segment| segment.base() + log.segment_bytes() > from) {
        let file_end = segment.base() + log.segment_bytes();
        let mut at = segment.base().max(from);
        while at < file_end {
            let len = CHUNK_BYTES.min(file_end - at);
            candidates.clear();
            reader.with_bytes(at, len as usize, |bytes| {
                if bytes.iter().any(|byte| *byte != 0) {
                    let found = bytes.windows(3).enumerate().filter(|(_, window)| *window == MAGIC_PREFIX);
                    candidates.extend(found.map(|(index, _)| (at + index as u64).saturating_sub(4)));
                }
            })?;
            for candidate in candidates.iter().copied().filter(|candidate| *candidate >= from) {
                let Some((size, _)) = head(reader, candidate)? else { continue };
                let fits = |size: &u64| candidate + *size <= file_end;
                let Some(size) = u64::try_from(size).ok().filter(fits) else { continue };
                let is_record = reader.with_bytes(candidate, size as usize, |bytes| {
                    decode_record(bytes, false).is_ok_and(|(record, _)| record.physical_offset == candidate as i64)
                })?;
                if is_record == Some(true) {
                    return Ok(Some(candidate));
                }
            }
            // Overlaps, so that a magic across the border is seen.
            at += if len == CHUNK_BYTES { len - 2 } else { len };
        }
    }
    Ok(None)
}

fn first_byte_set(log: &SegmentedLog, reader: &mut Reader<'_>, from: u64) -> Result<Option<u64>, LogError> {
    for segment in log.segments() {
        let file_end = segment.base() + log.segment_bytes();
        let mut at = segment.base().max(from);
        while at < file_end {
            let len = CHUNK_BYTES.min(file_end - at);
            let set = reader.with_bytes(at, len as usize, |bytes| bytes.iter().position(|byte| *byte != 0))?;
            if let Some(index) = set.flatten() {
                return Ok(Some(at + index as u64));
            }
            at += len;
        }
    }
    Ok(None)
}

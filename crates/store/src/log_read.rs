//! Reading the commit log itself, record after record, whatever queue they belong to.

use rocketmq_codec::message::BLANK_MAGIC;
use rocketmq_log::SegmentedLog;

use crate::StoreError;
use crate::read::{copy_whole, record_head};

/// What [`MessageStore::records_from`](crate::MessageStore::records_from) found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogRead {
    /// How many records were appended.
    pub count: usize,
    /// Where the next read goes on; the end of the log when there is no more.
    pub next_physical_offset: i64,
}

/// Appends records from `from` on, or from the log's start if that is later, up to the first that is damaged.
pub(crate) fn records_from(
    log: &SegmentedLog,
    from: i64,
    max_count: usize,
    max_bytes: usize,
    out: &mut Vec<u8>,
) -> Result<LogRead, StoreError> {
    let mut reader = log.reader();
    let mut at = u64::try_from(from).unwrap_or(0).max(log.first_offset().unwrap_or(0));
    let start = out.len();
    let mut count = 0;
    let no_record = |at: u64| {
        let segment = log.segment_at(at);
        Err(StoreError::NoRecord {
            physical_offset: at as i64,
            file: segment.as_ref().map(|segment| segment.path().to_owned()).unwrap_or_default(),
            file_offset: segment.map_or(0, |segment| at - segment.base()),
        })
    };
    while at < reader.end() && count < max_count {
        let size = match record_head(&mut reader, at as i64)? {
            Some(head) => usize::try_from(head.size).unwrap_or(0),
            None if is_blank(&mut reader, at)? => {
                at = reader.next_segment(at);
                continue;
            }
            None if count == 0 => return no_record(at),
            // The next read names the place.
            None => break,
        };
        if count > 0 && out.len() - start + size > max_bytes {
            break;
        }
        let is_whole = reader.with_bytes(at, size, |record| copy_whole(record, out))?;
        if is_whole != Some(true) {
            if count == 0 {
                return no_record(at);
            }
            break;
        }
        at += size as u64;
        count += 1;
    }
    Ok(LogRead { count, next_physical_offset: at.max(from.max(0) as u64) as i64 })
}

fn is_blank(reader: &mut rocketmq_log::Reader<'_>, at: u64) -> Result<bool, StoreError> {
    let blank = reader.with_bytes(at, 8, |bytes| bytes.get(4..8) == Some(&BLANK_MAGIC.to_be_bytes()))?;
    Ok(blank.unwrap_or(false))
}

//! A pulled body made ready for lazy reading: bodies inflated, unwanted tags dropped, and a table of positions.

use std::collections::HashSet;

use super::record::mark_inflated;
use super::{
    MAGIC_V2, MessageRecord, RecordError, RecordFields, RecordParts, batch, body_crc, decode_record, encode_record,
    patch_record, properties, sys_flag,
};
use crate::bytes::{i32_at, text};
use crate::compression;

/// Tags a consumer wants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TagSet(HashSet<Box<str>>);

impl<T: Into<Box<str>>> FromIterator<T> for TagSet {
    fn from_iter<I: IntoIterator<Item = T>>(tags: I) -> Self {
        Self(tags.into_iter().map(Into::into).collect())
    }
}

impl TagSet {
    /// Whether a message with these properties is wanted: its tag is one of the set. The broker has only compared hashes
    /// (`PullAPIWrapper.java#processPullResult`).
    pub fn matches(&self, properties: &str) -> bool {
        properties::get(properties, properties::name::TAGS).is_some_and(|tag| self.0.contains(tag))
    }

    /// Whether a stored record is wanted, by the tag that it has itself. One that cannot be read is: whoever decodes it hears
    /// why not.
    pub fn matches_record(&self, record: &[u8]) -> bool {
        let Ok(parts) = RecordParts::of(record) else { return true };
        let [tag] = properties::bytes_of_each(parts.properties, [properties::name::TAGS]);
        tag.is_some_and(|tag| self.0.contains(&*text(tag)))
    }
}

/// What a pulled body may grow to.
#[derive(Clone, Copy, Debug)]
pub struct PullLimits {
    /// One inflated body.
    pub max_body_bytes: usize,
    /// The whole of `out`; positions in the table are 32 bits, so more than [`u32::MAX`] is never made.
    pub max_total_bytes: usize,
}

/// Where one message lies in the output. The record there is a stored record in every respect, only never compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct PulledMessage {
    /// First byte of the record.
    pub record_start: u32,
    /// Bytes of the record.
    pub record_length: u32,
    /// First byte of the body.
    pub body_start: u32,
    /// Bytes of the body.
    pub body_length: u32,
    /// First byte of the topic.
    pub topic_start: u32,
    /// Bytes of the topic.
    pub topic_length: u32,
    /// First byte of the property string.
    pub properties_start: u32,
    /// Bytes of the property string.
    pub properties_length: u32,
    /// Offset in the queue.
    pub queue_offset: i64,
}

/// A pulled body that is wrong from some point on; what came before is in the table.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("pulled body is bad at byte {offset}: {source}")]
pub struct PulledError {
    /// Where the bad record begins in the pulled body.
    pub offset: usize,
    /// What is wrong with it.
    #[source]
    pub source: RecordError,
}

/// Whether [`decode_pulled`] would give this stored record as it is, if it wants all tags: it is whole, its body is not
/// compressed, and it is no batch to be unwrapped. Its text is not looked at.
pub fn is_plain(record: &[u8]) -> bool {
    RecordParts::of(record).is_ok_and(|parts| {
        parts.record.len() == record.len() && parts.sys_flag & (sys_flag::COMPRESSED | sys_flag::INNER_BATCH) == 0
    })
}

/// Decodes a pulled body, records one behind the other, into `out` and `table`, appending to both.
///
/// Records whose tag is not in `tags` are left out; compressed bodies come out inflated, with lengths and sysFlag to match (the body CRC
/// stays that of the stored body); a batch to be unwrapped (sysFlag 0x40 and 0x80) becomes its messages, with consecutive offsets.
///
/// # Errors
/// [`PulledError`] names the first bad record; the messages before it are in `out` and `table`, of the bad one there is nothing.
pub fn decode_pulled(
    body: &[u8],
    tags: Option<&TagSet>,
    limits: PullLimits,
    out: &mut Vec<u8>,
    table: &mut Vec<PulledMessage>,
) -> Result<(), PulledError> {
    let max_total_bytes = limits.max_total_bytes.min(u32::MAX as usize);
    let limits = PullLimits { max_total_bytes, ..limits };
    let mut offset = 0;
    while let Some(rest) = body.get(offset..).filter(|rest| !rest.is_empty()) {
        let (out_mark, table_mark) = (out.len(), table.len());
        match decode_one(rest, tags, limits, out, table) {
            Ok(length) => offset += length,
            Err(source) => {
                out.truncate(out_mark);
                table.truncate(table_mark);
                return Err(PulledError { offset, source });
            }
        }
    }
    Ok(())
}

fn decode_one(
    rest: &[u8],
    tags: Option<&TagSet>,
    limits: PullLimits,
    out: &mut Vec<u8>,
    table: &mut Vec<PulledMessage>,
) -> Result<usize, RecordError> {
    let (record, length) = decode_record(rest, false)?;
    const WRAPPED: i32 = sys_flag::NEED_UNWRAP | sys_flag::INNER_BATCH;
    if record.sys_flag & WRAPPED == WRAPPED {
        unwrap_batch(&record, tags, limits, out, table)?;
        return Ok(length);
    }
    if tags.is_some_and(|tags| !tags.matches(&record.properties)) {
        return Ok(length);
    }
    let start = out.len();
    let body_start = start + record.body_offset;
    let stored = rest.get(..length).unwrap_or_default();
    let body_length = match compression::from_sys_flag(record.sys_flag)? {
        None => {
            check_total(out, length, limits)?;
            out.extend_from_slice(stored);
            record.body.len()
        }
        Some(kind) => {
            let (before, after) = stored.split_at(record.body_offset);
            let behind = after.get(record.body.len()..).unwrap_or_default();
            out.extend_from_slice(before);
            compression::decompress_into(kind, record.body, limits.max_body_bytes, out)?;
            let body_length = out.len() - body_start;
            out.extend_from_slice(behind);
            check_total(out, 0, limits)?;
            let inflated = out.get_mut(start..).unwrap_or_default();
            mark_inflated(inflated, record.sys_flag, record.body_offset, body_length);
            body_length
        }
    };
    table.push(locate(out, start, record.body_offset, body_length, record.queue_offset));
    Ok(length)
}

fn check_total(out: &[u8], more: usize, limits: PullLimits) -> Result<(), RecordError> {
    let total = out.len() + more;
    if total > limits.max_total_bytes {
        return Err(RecordError::Length { field: "pulled messages", length: total as i64 });
    }
    Ok(())
}

/// The table entry of the well-formed record that ends `out`.
fn locate(out: &[u8], start: usize, body_offset: usize, body_length: usize, queue_offset: i64) -> PulledMessage {
    let record = out.get(start..).unwrap_or_default();
    let topic_length_at = body_offset + body_length;
    let wide = i32_at(record, 4) == Some(MAGIC_V2);
    let u8_at = |at: usize| record.get(at).copied().unwrap_or_default();
    let u16_at = |at: usize| usize::from(u16::from_be_bytes([u8_at(at), u8_at(at + 1)]));
    let (topic_at, topic_length) = if wide {
        (topic_length_at + 2, u16_at(topic_length_at))
    } else {
        (topic_length_at + 1, usize::from(u8_at(topic_length_at)))
    };
    let properties_at = topic_at + topic_length + 2;
    // All positions lie in `out`, whose length fits 32 bits.
    PulledMessage {
        record_start: start as u32,
        record_length: record.len() as u32,
        body_start: (start + body_offset) as u32,
        body_length: body_length as u32,
        topic_start: (start + topic_at) as u32,
        topic_length: topic_length as u32,
        properties_start: (start + properties_at) as u32,
        properties_length: (record.len() - properties_at) as u32,
        queue_offset,
    }
}

/// `MessageDecoder.java#decodeMessage(MessageExt, List)`: each inner message becomes a record of its own, with the outer's host and
/// times.
fn unwrap_batch(
    outer: &MessageRecord<'_>,
    tags: Option<&TagSet>,
    limits: PullLimits,
    out: &mut Vec<u8>,
    table: &mut Vec<PulledMessage>,
) -> Result<(), RecordError> {
    let mut inflated = Vec::new();
    let mut body = outer.body;
    if let Some(kind) = compression::from_sys_flag(outer.sys_flag)? {
        compression::decompress_into(kind, body, limits.max_body_bytes, &mut inflated)?;
        body = &inflated;
    }
    for (message, queue_offset) in batch::iter(body).zip(outer.queue_offset..) {
        let message = message?;
        if tags.is_some_and(|tags| !tags.matches(&message.properties)) {
            continue;
        }
        let start = out.len();
        let layout = encode_record(
            out,
            &RecordFields {
                topic: &outer.topic,
                queue_id: outer.queue_id,
                flag: message.flag,
                sys_flag: outer.sys_flag & !(sys_flag::COMPRESSED | sys_flag::NEED_UNWRAP | sys_flag::INNER_BATCH),
                born_timestamp: outer.born_timestamp,
                born_host: outer.born_host,
                store_host: outer.store_host,
                reconsume_times: outer.reconsume_times,
                prepared_transaction_offset: outer.prepared_transaction_offset,
                body: message.body,
                body_crc: body_crc(message.body),
                properties: &message.properties,
            },
        )?;
        check_total(out, 0, limits)?;
        let record = out.get_mut(start..).unwrap_or_default();
        patch_record(record, queue_offset, outer.physical_offset, outer.store_timestamp);
        table.push(locate(out, start, layout.body_offset, message.body.len(), queue_offset));
    }
    Ok(())
}

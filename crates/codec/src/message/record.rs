//! The stored record: one message in the commit log.

use std::borrow::Cow;

use super::{HostAddr, host, sys_flag};
use crate::bytes::{Reader, i32_at, i64_at, overwrite, text};

/// Magic of a record whose topic length is one byte.
pub const MAGIC_V1: i32 = -626_843_481;
/// Magic of a record whose topic length is two bytes.
pub const MAGIC_V2: i32 = -626_843_477;
/// Magic of the filler at the end of a commit log file.
pub const BLANK_MAGIC: i32 = -875_286_124;
/// Longest property string, in bytes.
pub const MAX_PROPERTIES_BYTES: usize = i16::MAX as usize;
/// Longest topic, in bytes.
pub const MAX_TOPIC_BYTES: usize = i16::MAX as usize;

const QUEUE_OFFSET_AT: usize = 20;
const PHYSICAL_OFFSET_AT: usize = 28;
const SYS_FLAG_AT: usize = 36;
const BORN_HOST_AT: usize = 48;
/// Bytes of a V1 record without hosts, body, topic and properties.
const FIXED_BYTES: usize = 75;

/// A stored record, borrowing from its bytes. Text that is not UTF-8 is shown with replacement characters, as Java does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageRecord<'a> {
    /// Bytes of the whole record.
    pub total_size: usize,
    /// [`MAGIC_V1`] or [`MAGIC_V2`].
    pub magic: i32,
    /// CRC-32 of the stored body without the top bit.
    pub body_crc: i32,
    /// Queue.
    pub queue_id: i32,
    /// The user's flag.
    pub flag: i32,
    /// Offset in the queue.
    pub queue_offset: i64,
    /// Offset in the commit log.
    pub physical_offset: i64,
    /// [`sys_flag`] bits.
    pub sys_flag: i32,
    /// Milliseconds since the epoch at the producer.
    pub born_timestamp: i64,
    /// The producer.
    pub born_host: HostAddr,
    /// Milliseconds since the epoch at the broker.
    pub store_timestamp: i64,
    /// The broker.
    pub store_host: HostAddr,
    /// How often it was consumed in vain.
    pub reconsume_times: i32,
    /// Commit log offset of the half message.
    pub prepared_transaction_offset: i64,
    /// Body, as stored: maybe compressed.
    pub body: &'a [u8],
    /// Topic.
    pub topic: Cow<'a, str>,
    /// Property string, see [`super::properties`].
    pub properties: Cow<'a, str>,
    /// Where the body begins in the record.
    pub body_offset: usize,
}

impl MessageRecord<'_> {
    /// The offset message id.
    pub fn offset_message_id(&self) -> super::message_id::IdText {
        super::message_id::offset_id(&self.store_host, self.physical_offset)
    }
}

/// Bytes that are no record, or fields that make none.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum RecordError {
    /// More bytes are needed.
    #[error("record is cut short: need {need} bytes, have {have}")]
    Short {
        /// Bytes needed, as far as known.
        need: usize,
        /// Bytes that are there.
        have: usize,
    },
    /// The filler at the end of a file, `length` bytes that hold nothing.
    #[error("blank filler of {length} bytes")]
    Blank {
        /// Bytes from the filler's begin to the end of the file.
        length: i32,
    },
    /// Neither a record nor a filler.
    #[error("bad magic {magic:#010x}")]
    Magic {
        /// What is in its place.
        magic: i32,
    },
    /// A length does not fit the others.
    #[error("bad {field} length {length}")]
    Length {
        /// Which length.
        field: &'static str,
        /// Its value.
        length: i64,
    },
    /// The parts are shorter than the whole.
    #[error("record of {total} bytes has parts of {parts} bytes")]
    Parts {
        /// The length in front.
        total: usize,
        /// The length of all parts.
        parts: usize,
    },
    /// The body is not the one stored.
    #[error("body has CRC {actual:#010x}, record says {expected:#010x}")]
    Crc {
        /// CRC in the record.
        expected: i32,
        /// CRC of the body.
        actual: i32,
    },
    /// The body does not inflate.
    #[error(transparent)]
    Compression(#[from] crate::compression::CompressionError),
}

/// CRC-32 of a body without the top bit, which is what records and register requests carry (`UtilAll.java#crc32`).
pub fn body_crc(body: &[u8]) -> i32 {
    (crc32fast::hash(body) & 0x7FFF_FFFF).cast_signed()
}

/// Decodes the record at the start of `buf` and says how many bytes it takes.
///
/// # Errors
/// [`RecordError`]; [`RecordError::Blank`] for the filler at the end of a file.
pub fn decode_record(buf: &[u8], check_crc: bool) -> Result<(MessageRecord<'_>, usize), RecordError> {
    let parts = RecordParts::of(buf)?;
    let message = parts.decode()?;
    if check_crc {
        let actual = body_crc(message.body);
        if actual != message.body_crc {
            return Err(RecordError::Crc { expected: message.body_crc, actual });
        }
    }
    Ok((message, parts.record.len()))
}

/// A stored record that is whole, with its lengths looked at and nothing else: for whoever needs little of it.
#[derive(Clone, Copy, Debug)]
pub struct RecordParts<'a> {
    /// The record.
    pub record: &'a [u8],
    /// [`MAGIC_V1`] or [`MAGIC_V2`].
    pub magic: i32,
    /// [`sys_flag`] bits.
    pub sys_flag: i32,
    /// Body, as stored: maybe compressed.
    pub body: &'a [u8],
    /// Topic, not known to be UTF-8.
    pub topic: &'a [u8],
    /// Property string, not known to be UTF-8.
    pub properties: &'a [u8],
    /// Where the body begins in the record.
    pub body_offset: usize,
}

impl<'a> RecordParts<'a> {
    /// Those of the record at the start of `buf`.
    ///
    /// # Errors
    /// Those of [`decode_record`] without a check of the CRC.
    pub fn of(buf: &'a [u8]) -> Result<Self, RecordError> {
        let have = buf.len();
        let (Some(length), Some(magic)) = (i32_at(buf, 0), i32_at(buf, 4)) else {
            return Err(RecordError::Short { need: 8, have });
        };
        match magic {
            MAGIC_V1 | MAGIC_V2 => {}
            BLANK_MAGIC => return Err(RecordError::Blank { length }),
            _ => return Err(RecordError::Magic { magic }),
        }
        let bad_length = RecordError::Length { field: "record", length: length.into() };
        let Some(total) = usize::try_from(length).ok().filter(|total| *total >= FIXED_BYTES) else {
            return Err(bad_length);
        };
        let record = buf.get(..total).ok_or(RecordError::Short { need: total, have })?;
        // Unlike a missing rest of the buffer, parts that leave the record can never become right.
        let cut = || RecordError::Parts { total, parts: total + 1 };
        let sys_flag = i32_at(record, SYS_FLAG_AT).ok_or_else(cut)?;
        let [born_host, store_host] = [sys_flag::BORN_HOST_V6, sys_flag::STORE_HOST_V6];
        let hosts = host::encoded_len(sys_flag & born_host != 0) + host::encoded_len(sys_flag & store_host != 0);
        let body_offset = FIXED_BYTES - 3 + hosts;
        let mut reader = Reader::new(record.get(body_offset - 4..).ok_or_else(cut)?);
        let body_length = reader.i32().ok_or_else(cut)?;
        let body = part(&mut reader, "body", body_length.into())?;
        let topic_length =
            if magic == MAGIC_V1 { reader.u8().map(|byte| byte.cast_signed().into()) } else { reader.i16() };
        let topic = part(&mut reader, "topic", topic_length.ok_or_else(cut)?.into())?;
        let properties_length = reader.i16().ok_or_else(cut)?;
        let properties = part(&mut reader, "properties", properties_length.into())?;
        if reader.remaining() != 0 {
            return Err(RecordError::Parts { total, parts: total - reader.remaining() });
        }
        Ok(Self { record, magic, sys_flag, body, topic, properties, body_offset })
    }

    /// Offset in the commit log.
    pub fn physical_offset(&self) -> i64 {
        i64_at(self.record, PHYSICAL_OFFSET_AT).unwrap_or_default()
    }

    /// Milliseconds since the epoch at the broker.
    pub fn store_timestamp(&self) -> i64 {
        i64_at(self.record, store_timestamp_at(self.sys_flag)).unwrap_or_default()
    }

    fn decode(&self) -> Result<MessageRecord<'a>, RecordError> {
        let Self { record, magic, sys_flag, body, topic, properties, body_offset } = *self;
        let total = record.len();
        let cut = || RecordError::Parts { total, parts: total + 1 };
        let mut reader = Reader::new(record.get(8..).unwrap_or_default());
        Ok(MessageRecord {
            total_size: total,
            magic,
            body_crc: reader.i32().ok_or_else(cut)?,
            queue_id: reader.i32().ok_or_else(cut)?,
            flag: reader.i32().ok_or_else(cut)?,
            queue_offset: reader.i64().ok_or_else(cut)?,
            physical_offset: reader.i64().ok_or_else(cut)?,
            sys_flag: reader.i32().ok_or_else(cut)?,
            born_timestamp: reader.i64().ok_or_else(cut)?,
            born_host: HostAddr::read(&mut reader, sys_flag & sys_flag::BORN_HOST_V6 != 0).ok_or_else(cut)?,
            store_timestamp: reader.i64().ok_or_else(cut)?,
            store_host: HostAddr::read(&mut reader, sys_flag & sys_flag::STORE_HOST_V6 != 0).ok_or_else(cut)?,
            reconsume_times: reader.i32().ok_or_else(cut)?,
            prepared_transaction_offset: reader.i64().ok_or_else(cut)?,
            body,
            topic: text(topic),
            properties: text(properties),
            body_offset,
        })
    }
}

fn part<'a>(reader: &mut Reader<'a>, field: &'static str, length: i64) -> Result<&'a [u8], RecordError> {
    let bytes = usize::try_from(length).ok().and_then(|length| reader.bytes(length));
    bytes.ok_or(RecordError::Length { field, length })
}

/// What a record is made of; queue offset, physical offset and store timestamp come later, by [`patch_record`].
#[derive(Clone, Copy, Debug)]
pub struct RecordFields<'a> {
    /// Topic; above 127 bytes it makes a V2 record.
    pub topic: &'a str,
    /// Queue.
    pub queue_id: i32,
    /// The user's flag.
    pub flag: i32,
    /// [`sys_flag`] bits; those of the hosts are set from the hosts.
    pub sys_flag: i32,
    /// Milliseconds since the epoch at the producer.
    pub born_timestamp: i64,
    /// The producer.
    pub born_host: HostAddr,
    /// The broker.
    pub store_host: HostAddr,
    /// How often it was consumed in vain.
    pub reconsume_times: i32,
    /// Commit log offset of the half message.
    pub prepared_transaction_offset: i64,
    /// Body, as to be stored.
    pub body: &'a [u8],
    /// Its [`body_crc`].
    pub body_crc: i32,
    /// Property string.
    pub properties: &'a str,
}

/// Where things are in an encoded record, relative to its first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordLayout {
    /// Bytes of the whole record.
    pub total_size: usize,
    /// Begin of the body.
    pub body_offset: usize,
    /// Begin of the property string.
    pub properties_offset: usize,
}

/// Appends a record; queue offset, physical offset and store timestamp are zero until [`patch_record`].
///
/// # Errors
/// [`RecordError::Length`] for a topic, body or property string that the format cannot hold; nothing is appended then.
pub fn encode_record(out: &mut Vec<u8>, fields: &RecordFields<'_>) -> Result<RecordLayout, RecordError> {
    let (topic, body, properties) = (fields.topic.as_bytes(), fields.body, fields.properties.as_bytes());
    let too_long = |field, bytes: &[u8]| RecordError::Length { field, length: bytes.len() as i64 };
    let topic_length = i16::try_from(topic.len()).map_err(|_large| too_long("topic", topic))?;
    let properties_length = i16::try_from(properties.len()).map_err(|_large| too_long("properties", properties))?;
    // Java decides by UTF-16 units and then cannot hold a longer topic in the one signed byte; bytes are what counts.
    let short_topic = u8::try_from(topic_length).ok().filter(|length| *length <= 127);
    let hosts = fields.born_host.encoded_len() + fields.store_host.encoded_len();
    let body_offset = FIXED_BYTES - 3 + hosts;
    let topic_offset = body_offset + body.len() + if short_topic.is_some() { 1 } else { 2 };
    let properties_offset = topic_offset + topic.len() + 2;
    let total_size = properties_offset + properties.len();
    let total = i32::try_from(total_size).map_err(|_large| too_long("body", body))?;

    let mut flag = fields.sys_flag & !(sys_flag::BORN_HOST_V6 | sys_flag::STORE_HOST_V6);
    flag |= if fields.born_host.ip.is_ipv6() { sys_flag::BORN_HOST_V6 } else { 0 };
    flag |= if fields.store_host.ip.is_ipv6() { sys_flag::STORE_HOST_V6 } else { 0 };

    out.reserve(total_size);
    let start = out.len();
    let mut head = [0; BORN_HOST_AT];
    overwrite(&mut head, 0, &total.to_be_bytes());
    overwrite(&mut head, 4, &if short_topic.is_some() { MAGIC_V1 } else { MAGIC_V2 }.to_be_bytes());
    overwrite(&mut head, 8, &fields.body_crc.to_be_bytes());
    overwrite(&mut head, 12, &fields.queue_id.to_be_bytes());
    overwrite(&mut head, 16, &fields.flag.to_be_bytes());
    overwrite(&mut head, SYS_FLAG_AT, &flag.to_be_bytes());
    overwrite(&mut head, 40, &fields.born_timestamp.to_be_bytes());
    out.extend_from_slice(&head);
    fields.born_host.write(out);
    out.extend_from_slice(&[0; 8]);
    fields.store_host.write(out);
    out.extend_from_slice(&fields.reconsume_times.to_be_bytes());
    out.extend_from_slice(&fields.prepared_transaction_offset.to_be_bytes());
    out.extend_from_slice(&(body.len() as u32).to_be_bytes());
    out.extend_from_slice(body);
    match short_topic {
        Some(length) => out.push(length),
        None => out.extend_from_slice(&topic_length.to_be_bytes()),
    }
    out.extend_from_slice(topic);
    out.extend_from_slice(&properties_length.to_be_bytes());
    out.extend_from_slice(properties);
    debug_assert_eq!(out.len() - start, total_size);
    Ok(RecordLayout { total_size, body_offset, properties_offset })
}

/// Fills in what only the append knows. `record` is a whole record; the place of the store timestamp depends on its sysFlag.
pub fn patch_record(record: &mut [u8], queue_offset: i64, physical_offset: i64, store_timestamp: i64) {
    let store_timestamp_at = store_timestamp_at(i32_at(record, SYS_FLAG_AT).unwrap_or_default());
    overwrite(record, QUEUE_OFFSET_AT, &queue_offset.to_be_bytes());
    overwrite(record, PHYSICAL_OFFSET_AT, &physical_offset.to_be_bytes());
    overwrite(record, store_timestamp_at, &store_timestamp.to_be_bytes());
}

fn store_timestamp_at(sys_flag: i32) -> usize {
    BORN_HOST_AT + host::encoded_len(sys_flag & sys_flag::BORN_HOST_V6 != 0)
}

/// Turns the record at `start..` of `out`, whose compressed body begins `body_offset` in and has been replaced by `body_length` plain
/// bytes, into one that says so.
pub(super) fn mark_inflated(record: &mut [u8], flag: i32, body_offset: usize, body_length: usize) {
    let total = record.len() as u32;
    overwrite(record, 0, &total.to_be_bytes());
    overwrite(record, SYS_FLAG_AT, &(flag & !sys_flag::COMPRESSED).to_be_bytes());
    overwrite(record, body_offset - 4, &(body_length as u32).to_be_bytes());
}

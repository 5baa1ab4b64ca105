//! The property string: `name 0x01 value 0x02`, repeated (`MessageDecoder.java#string2messageProperties`).
//!
//! Reading is as tolerant as Java's: the last separator may be absent, and an entry without name, without value or without 0x01 is
//! passed over. Of equal names the last counts.

use std::ops::Range;

use crate::bytes::{each_place, text};

/// Between name and value.
pub const NAME_VALUE_SEPARATOR: char = '\u{1}';
/// Behind each value.
pub const PROPERTY_SEPARATOR: char = '\u{2}';

/// Names of properties (`MessageConst.java`).
pub mod name {
    /// Tag of the message.
    pub const TAGS: &str = "TAGS";
    /// Keys, joined by a blank.
    pub const KEYS: &str = "KEYS";
    /// Whether the sender waits for the store.
    pub const WAIT: &str = "WAIT";
    /// Delay level.
    pub const DELAY: &str = "DELAY";
    /// Topic of a message on its way through a retry topic.
    pub const RETRY_TOPIC: &str = "RETRY_TOPIC";
    /// Topic of a delayed or half message.
    pub const REAL_TOPIC: &str = "REAL_TOPIC";
    /// Queue of a delayed or half message.
    pub const REAL_QUEUE_ID: &str = "REAL_QID";
    /// Marks a half message.
    pub const TRANSACTION_PREPARED: &str = "TRAN_MSG";
    /// Producer group of a half message.
    pub const PRODUCER_GROUP: &str = "PGROUP";
    /// First offset of the queue when pulled.
    pub const MIN_OFFSET: &str = "MIN_OFFSET";
    /// Last offset of the queue when pulled.
    pub const MAX_OFFSET: &str = "MAX_OFFSET";
    /// Offset id of the message a retry came from.
    pub const ORIGIN_MESSAGE_ID: &str = "ORIGIN_MESSAGE_ID";
    /// Region of the broker.
    pub const MSG_REGION: &str = "MSG_REGION";
    /// Whether the broker wants traces.
    pub const TRACE_SWITCH: &str = "TRACE_ON";
    /// The client's unique id.
    pub const UNIQ_KEY: &str = "UNIQ_KEY";
    /// How often it was consumed in vain.
    pub const RECONSUME_TIME: &str = "RECONSUME_TIME";
    /// Limit of attempts.
    pub const MAX_RECONSUME_TIMES: &str = "MAX_RECONSUME_TIMES";
    /// When its consumption began.
    pub const CONSUME_START_TIMESTAMP: &str = "CONSUME_START_TIME";
    /// Messages in an inner batch.
    pub const INNER_NUM: &str = "INNER_NUM";
    /// First queue offset of an inner batch.
    pub const INNER_BASE: &str = "INNER_BASE";
    /// Cluster of the broker.
    pub const CLUSTER: &str = "CLUSTER";
    /// Handle of a popped message.
    pub const POP_CK: &str = "POP_CK";
    /// Key that picks the queue of an ordered message.
    pub const SHARDING_KEY: &str = "__SHARDINGKEY";
    /// Instance of the client.
    pub const INSTANCE_ID: &str = "INSTANCE_ID";
    /// Seconds to wait.
    pub const TIMER_DELAY_SEC: &str = "TIMER_DELAY_SEC";
    /// Milliseconds to wait.
    pub const TIMER_DELAY_MS: &str = "TIMER_DELAY_MS";
    /// When to deliver.
    pub const TIMER_DELIVER_MS: &str = "TIMER_DELIVER_MS";
    /// Client that waits for a reply to this request; a reply has it too.
    pub const REPLY_TO_CLIENT: &str = "REPLY_TO_CLIENT";
    /// What request and reply have in common.
    pub const CORRELATION_ID: &str = "CORRELATION_ID";
    /// `reply` in a reply.
    pub const MESSAGE_TYPE: &str = "MSG_TYPE";
    /// CRC over the record.
    pub const CRC32: &str = "__CRC32#";
    /// Topic of a dead letter.
    pub const DLQ_ORIGIN_TOPIC: &str = "DLQ_ORIGIN_TOPIC";
    /// Offset id of a dead letter.
    pub const DLQ_ORIGIN_MESSAGE_ID: &str = "DLQ_ORIGIN_MESSAGE_ID";
}

/// Names and values in order.
pub fn iter(properties: &str) -> impl Iterator<Item = (&str, &str)> {
    properties.split(PROPERTY_SEPARATOR).filter_map(|entry| {
        let (name, value) = entry.split_once(NAME_VALUE_SEPARATOR)?;
        (!name.is_empty() && !value.is_empty()).then_some((name, value))
    })
}

/// The value of a property, the last if there are several. Only looks at names that fit, so is cheaper than [`iter`].
pub fn get<'a>(properties: &'a str, name: &str) -> Option<&'a str> {
    let [value] = get_each(properties, [name]);
    value
}

/// The values of several properties in one look, each the last if there are several. A name must not be empty.
pub fn get_each<'a, const N: usize>(properties: &'a str, names: [&str; N]) -> [Option<&'a str>; N] {
    find_each(properties.as_bytes(), names).map(|found| properties.get(found?))
}

/// As [`get_each`], of bytes that need not be text.
pub fn bytes_of_each<'a, const N: usize>(properties: &'a [u8], names: [&str; N]) -> [Option<&'a [u8]>; N] {
    find_each(properties, names).map(|found| properties.get(found?))
}

/// Inlined where names are known, whose lengths are then, too: each message passes here twice.
#[inline]
fn find_each<const N: usize>(properties: &[u8], names: [&str; N]) -> [Option<Range<usize>>; N] {
    let (mut start, mut found) = (0, [const { None }; N]);
    each_place(properties, PROPERTY_SEPARATOR as u8, |end| {
        let entry = properties.get(start..end).unwrap_or_default();
        for (name, found) in names.iter().zip(&mut found) {
            let value = start + name.len() + 1..end;
            if has_name(entry, name.as_bytes()) && !value.is_empty() {
                *found = Some(value);
            }
        }
        start = end + 1;
    });
    found
}

#[inline]
fn has_name(entry: &[u8], name: &[u8]) -> bool {
    // Two bytes tell most others apart.
    entry.first() == name.first()
        && entry.get(name.len()) == Some(&(NAME_VALUE_SEPARATOR as u8))
        && entry.starts_with(name)
}

/// Appends a property, with the separator that may be missing before it.
pub fn append(properties: &mut String, name: &str, value: &str) {
    if !properties.is_empty() && !properties.ends_with(PROPERTY_SEPARATOR) {
        properties.push(PROPERTY_SEPARATOR);
    }
    properties.push_str(name);
    properties.push(NAME_VALUE_SEPARATOR);
    properties.push_str(value);
    properties.push(PROPERTY_SEPARATOR);
}

/// Takes all properties of that name away; whether there were any.
pub fn remove(properties: &mut String, name: &str) -> bool {
    if get(properties, name).is_none() {
        return false;
    }
    let mut kept = String::with_capacity(properties.len());
    for (other, value) in iter(properties).filter(|(other, _)| *other != name) {
        append(&mut kept, other, value);
    }
    *properties = kept;
    true
}

/// Sets a property, replacing what it was.
pub fn set(properties: &mut String, name: &str, value: &str) {
    remove(properties, name);
    append(properties, name, value);
}

/// `String.hashCode` of Java: over UTF-16 units.
pub fn java_string_hash(text: &str) -> i32 {
    java_string_hash_on(0, text)
}

/// The Java hash of a string that goes on with `text` behind a part of that `hash`.
pub fn java_string_hash_on(hash: i32, text: &str) -> i32 {
    if text.is_ascii() { ascii_hash_on(hash, text.as_bytes()) } else { text.encode_utf16().fold(hash, hash_step) }
}

/// The same for bytes that need not be text: what is not UTF-8 counts as what Java reads instead.
pub fn java_bytes_hash_on(hash: i32, bytes: &[u8]) -> i32 {
    if bytes.is_ascii() { ascii_hash_on(hash, bytes) } else { java_string_hash_on(hash, &text(bytes)) }
}

fn ascii_hash_on(hash: i32, bytes: &[u8]) -> i32 {
    // Four at a time: one multiplication waits for the one before, not four.
    let (fours, rest) = bytes.as_chunks::<4>();
    let hash = fours.iter().fold(hash, |hash, [a, b, c, d]| {
        let low = i32::from(*a) * 29_791 + i32::from(*b) * 961 + i32::from(*c) * 31 + i32::from(*d);
        hash.wrapping_mul(923_521).wrapping_add(low)
    });
    rest.iter().fold(hash, |hash, byte| hash_step(hash, (*byte).into()))
}

fn hash_step(hash: i32, unit: u16) -> i32 {
    hash.wrapping_mul(31).wrapping_add(unit.into())
}

/// The code a consume queue keeps of a message's tag: its Java hash, 0 without one
/// (`MessageExtBrokerInner.java#tagsString2tagsCode`).
pub fn tags_code(properties: &str) -> i64 {
    get(properties, name::TAGS).map_or(0, |tags| java_string_hash(tags).into())
}

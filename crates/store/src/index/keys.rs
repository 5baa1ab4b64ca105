//! Which keys a message is found by. (`IndexService#buildIndex`)
//!
//! Its unique key, each of its keys (separated by blanks), and its tag: as `topic#key`, and `topic#T#tag` for the tag. A
//! message that rolls a transaction back has none.

use rocketmq_codec::message::properties::{self, java_bytes_hash_on, java_string_hash_on, name};
use rocketmq_codec::message::{MessageRecord, RecordParts, sys_flag};

/// Between the parts of an indexed key.
const SEPARATOR: &str = "#";
/// Between the keys of a message (`MessageConst#KEY_SEPARATOR`).
const KEY_SEPARATOR: u8 = b' ';
/// Before a tag (`MessageConst#INDEX_TAG_TYPE`).
const TAG_PREFIX: &str = "T#";

/// One key of one message on its way into a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    /// See [`key_hash`].
    pub(super) hash: i32,
    /// Place of the message.
    pub(super) physical_offset: i64,
    /// Its store timestamp.
    pub(super) store_timestamp: i64,
}

/// The hash a key of a topic is found by. (`IndexFile#indexKeyHashMethod`)
pub(super) fn key_hash(topic: &str, key: &str) -> i32 {
    positive(java_string_hash_on(topic_hash(topic.as_bytes()), key))
}

fn topic_hash(topic: &[u8]) -> i32 {
    java_string_hash_on(java_bytes_hash_on(0, topic), SEPARATOR)
}

fn positive(hash: i32) -> i32 {
    hash.checked_abs().unwrap_or(0)
}

/// Hashes topics; neighbours in the log often have the same.
#[derive(Debug, Default)]
pub(super) struct TopicHash {
    topic: Vec<u8>,
    hash: i32,
}

impl TopicHash {
    fn of(&mut self, topic: &[u8]) -> i32 {
        if self.topic != topic || topic.is_empty() {
            self.topic.clear();
            self.topic.extend_from_slice(topic);
            self.hash = topic_hash(topic);
        }
        self.hash
    }
}

/// What the entries of a message are made of. Text may be any bytes: hashing does with them what Java does.
#[derive(Debug)]
pub(super) struct Indexed<'a> {
    sys_flag: i32,
    topic: &'a [u8],
    properties: &'a [u8],
    physical_offset: i64,
    store_timestamp: i64,
}

impl<'a> From<&RecordParts<'a>> for Indexed<'a> {
    fn from(record: &RecordParts<'a>) -> Self {
        Self {
            sys_flag: record.sys_flag,
            topic: record.topic,
            properties: record.properties,
            physical_offset: record.physical_offset(),
            store_timestamp: record.store_timestamp(),
        }
    }
}

impl<'a> From<&'a MessageRecord<'_>> for Indexed<'a> {
    fn from(record: &'a MessageRecord<'_>) -> Self {
        Self {
            sys_flag: record.sys_flag,
            topic: record.topic.as_bytes(),
            properties: record.properties.as_bytes(),
            physical_offset: record.physical_offset,
            store_timestamp: record.store_timestamp,
        }
    }
}

/// Appends the entries of a message to `entries`.
pub(super) fn push_entries<'a>(record: impl Into<Indexed<'a>>, topics: &mut TopicHash, entries: &mut Vec<Entry>) {
    let record = record.into();
    if sys_flag::transaction_type(record.sys_flag) == sys_flag::TRANSACTION_ROLLBACK {
        return;
    }
    let wanted = [name::UNIQ_KEY, name::KEYS, name::TAGS];
    let [unique_key, keys, tag] = properties::bytes_of_each(record.properties, wanted);
    if unique_key.is_none() && keys.is_none() && tag.is_none() {
        return;
    }
    let topic_hash = topics.of(record.topic);
    let Indexed { physical_offset, store_timestamp, .. } = record;
    let mut push = |hash: i32| entries.push(Entry { hash: positive(hash), physical_offset, store_timestamp });
    if let Some(key) = unique_key {
        push(java_bytes_hash_on(topic_hash, key));
    }
    for key in keys.into_iter().flat_map(|keys| keys.split(|byte| *byte == KEY_SEPARATOR)).filter(|key| !key.is_empty())
    {
        push(java_bytes_hash_on(topic_hash, key));
    }
    if let Some(tag) = tag {
        push(java_bytes_hash_on(java_string_hash_on(topic_hash, TAG_PREFIX), tag));
    }
}

//! Which keys a message is found by. (`IndexService#buildIndex`)
//!
//! Its unique key, each of its keys (separated by blanks), and its tag: as `topic#key`, and `topic#T#tag` for the tag. A
//! message that rolls a transaction back has none.

use std::borrow::Cow;

use rocketmq_codec::message::properties::{self, java_string_hash_on, name};
use rocketmq_codec::message::{MessageRecord, sys_flag};

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
    positive(java_string_hash_on(topic_hash(topic), key))
}

fn topic_hash(topic: &str) -> i32 {
    java_string_hash_on(java_string_hash_on(0, topic), SEPARATOR)
}

fn positive(hash: i32) -> i32 {
    hash.checked_abs().unwrap_or(0)
}

/// Hashes topics; neighbours in the log often have the same.
#[derive(Debug, Default)]
pub(super) struct TopicHash {
    topic: String,
    hash: i32,
}

impl TopicHash {
    fn of(&mut self, topic: &str) -> i32 {
        if self.topic != topic || topic.is_empty() {
            self.topic.clear();
            self.topic.push_str(topic);
            self.hash = topic_hash(topic);
        }
        self.hash
    }
}

/// Appends the entries of a message to `entries`.
pub(super) fn push_entries(record: &MessageRecord<'_>, topics: &mut TopicHash, entries: &mut Vec<Entry>) {
    if sys_flag::transaction_type(record.sys_flag) == sys_flag::TRANSACTION_ROLLBACK {
        return;
    }
    let properties: &Cow<'_, str> = &record.properties;
    let [unique_key, keys, tag] = properties::get_each(properties, [name::UNIQ_KEY, name::KEYS, name::TAGS]);
    if unique_key.is_none() && keys.is_none() && tag.is_none() {
        return;
    }
    let topic_hash = topics.of(&record.topic);
    let mut push = |hash: i32| {
        entries.push(Entry {
            hash: positive(hash),
            physical_offset: record.physical_offset,
            store_timestamp: record.store_timestamp,
        });
    };
    if let Some(key) = unique_key {
        push(java_string_hash_on(topic_hash, key));
    }
    for key in keys.into_iter().flat_map(|keys| keys.split(KEY_SEPARATOR as char)).filter(|key| !key.is_empty()) {
        push(java_string_hash_on(topic_hash, key));
    }
    if let Some(tag) = tag {
        push(java_string_hash_on(java_string_hash_on(topic_hash, TAG_PREFIX), tag));
    }
}

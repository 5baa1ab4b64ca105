//! Messages encoded ahead of a put, outside of all locks.

use std::ops::Range;

use rocketmq_codec::message::{
    MAX_PROPERTIES_BYTES, MAX_TOPIC_BYTES, RecordError, RecordFields, body_crc, decode_record, encode_record,
    properties, sys_flag,
};

use crate::commit_log::BLANK_BYTES;
use crate::light::{self, names_light_queue};
use crate::message::{Arrival, PutMessage, PutOutcome};
use crate::tags::TagsCode;
use crate::{MessageStore, PutError};

/// How much larger than its body a record may be (`MessageExtEncoder#encode`).
const RECORD_OVERHEAD_BYTES: usize = 64 * 1024;

/// Messages on their way into the store, as encoded records. A connection keeps one and reuses its memory.
#[derive(Debug, Default)]
pub struct PutBatch {
    pub(crate) bytes: Vec<u8>,
    pub(crate) entries: Vec<Entry>,
}

/// What the append needs to know of a record.
#[derive(Debug)]
pub(crate) struct Entry {
    /// What it will arrive as; the append fills in where.
    pub(crate) arrival: Arrival,
    pub(crate) record: Range<usize>,
    pub(crate) tags_code: TagsCode,
    /// Prepared and rollback messages take no offset of the queue and get no unit.
    pub(crate) takes_slot: bool,
    /// Must lie in the same file as the record before it.
    pub(crate) joined: bool,
}

impl PutBatch {
    /// An empty batch.
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets the messages, keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.entries.clear();
    }

    /// How many messages it holds.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Bytes of its records.
    pub fn byte_len(&self) -> usize {
        self.bytes.len()
    }

    /// Encodes a message with its CRC and returns its index, for [`outcome`](PutBatch::outcome). On error nothing is added.
    pub fn push(&mut self, store: &MessageStore, message: &PutMessage<'_>) -> Result<usize, PutError> {
        self.encode(store, message, false)
    }

    /// As [`push`](PutBatch::push), for the second and later messages of one batch request: its record lies in the same
    /// commit log file as that of the message before (`CommitLog#asyncPutMessages`).
    pub fn push_joined(&mut self, store: &MessageStore, message: &PutMessage<'_>) -> Result<usize, PutError> {
        self.encode(store, message, true)
    }

    /// Forgets the messages from index `len` on: a batch request of which one message is refused is refused whole.
    pub fn truncate(&mut self, len: usize) {
        if let Some(first) = self.entries.get(len) {
            self.bytes.truncate(first.record.start);
            self.entries.truncate(len);
        }
    }

    /// Where message `index` went, after a successful put. `None` if there is no such message.
    pub fn outcome(&self, index: usize) -> Option<PutOutcome> {
        let Arrival { queue_offset, physical_offset, store_timestamp, .. } = self.entries.get(index)?.arrival;
        Some(PutOutcome { queue_offset, physical_offset, store_timestamp })
    }

    /// The topic of a message, as its record has it.
    pub(crate) fn topic_of(&self, entry: &Entry) -> String {
        let record = self.bytes.get(entry.record.clone()).and_then(|record| decode_record(record, false).ok());
        record.map(|(record, _)| record.topic.into_owned()).unwrap_or_default()
    }

    /// What arrives in queues once it is stored.
    pub(crate) fn arrivals(&self) -> impl Iterator<Item = &Arrival> + Clone {
        self.entries.iter().filter(|entry| entry.takes_slot).map(|entry| &entry.arrival)
    }

    fn encode(&mut self, store: &MessageStore, message: &PutMessage<'_>, joined: bool) -> Result<usize, PutError> {
        store.hints.expect(message.queue.seat());
        let config = store.config();
        check_len(message.body.len(), config.max_message_bytes)?;
        if message.properties.as_bytes().contains(&0) {
            let at = message.properties.bytes().position(|byte| byte == 0).unwrap_or_default();
            return Err(PutError::ZeroInProperties { at });
        }
        let body_crc = body_crc(message.body);
        let names = [properties::name::TAGS, properties::name::INNER_NUM, light::QUEUES];
        let [tags, inner_num, light_queues] = properties::get_each(message.properties, names);
        check_kind(message, inner_num, light_queues)?;
        let tags = TagsCode::of_tags(tags);
        let start = self.bytes.len();
        let fields = RecordFields {
            topic: message.queue.topic(),
            queue_id: message.queue.queue_id(),
            flag: message.flag,
            sys_flag: message.sys_flag,
            born_timestamp: message.born_timestamp,
            born_host: message.born_host,
            store_host: message.store_host,
            reconsume_times: message.reconsume_times,
            prepared_transaction_offset: message.prepared_transaction_offset,
            body: message.body,
            body_crc,
            properties: message.properties,
        };
        encode_record(&mut self.bytes, &fields).map_err(|error| refused(&error, message))?;
        let size = self.bytes.len() - start;
        let room = usize::try_from(config.commit_log_segment_bytes).map_or(usize::MAX, |bytes| bytes - BLANK_BYTES);
        if let Err(error) = check_len(size, room.min(config.max_message_bytes + RECORD_OVERHEAD_BYTES)) {
            self.bytes.truncate(start);
            return Err(error);
        }
        self.entries.push(Entry {
            arrival: Arrival {
                seat: message.queue.seat(),
                queue_offset: 0,
                tags_code: 0,
                physical_offset: 0,
                size: i32::try_from(size).unwrap_or(i32::MAX),
                store_timestamp: 0,
            },
            record: start..start + size,
            tags_code: tags.in_topic(message.queue.topic(), message.properties, &config.message_delay_levels),
            takes_slot: takes_slot(message.sys_flag),
            joined: joined && start > 0,
        });
        Ok(self.entries.len() - 1)
    }
}

/// Whether a message with this sysFlag gets an offset and a unit in its queue.
pub(crate) fn takes_slot(flag: i32) -> bool {
    matches!(sys_flag::transaction_type(flag), 0 | sys_flag::TRANSACTION_COMMIT)
}

/// Refuses what goes to queues that this store does not write: stored as if it were plain, it would not arrive there.
fn check_kind(message: &PutMessage<'_>, inner_num: Option<&str>, light_queues: Option<&str>) -> Result<(), PutError> {
    let topic = || message.queue.topic().to_string();
    if inner_num.is_some() || message.sys_flag & (sys_flag::INNER_BATCH | sys_flag::NEED_UNWRAP) != 0 {
        return Err(PutError::InnerBatch { topic: topic() });
    }
    match light_queues.filter(|names| names_light_queue(message.queue.topic(), names)) {
        Some(names) => Err(PutError::LightQueues { topic: topic(), names: names.to_owned() }),
        None => Ok(()),
    }
}

fn check_len(need: usize, have: usize) -> Result<(), PutError> {
    if need > have { Err(PutError::MessageSizeExceeded { need, have }) } else { Ok(()) }
}

fn refused(error: &RecordError, message: &PutMessage<'_>) -> PutError {
    match error {
        RecordError::Length { field: "properties", .. } => {
            PutError::PropertiesSizeExceeded { need: message.properties.len(), have: MAX_PROPERTIES_BYTES }
        }
        RecordError::Length { field: "topic", .. } => {
            PutError::TopicTooLong { need: message.queue.topic().len(), have: MAX_TOPIC_BYTES }
        }
        _ => PutError::MessageSizeExceeded { need: message.body.len(), have: i32::MAX as usize },
    }
}

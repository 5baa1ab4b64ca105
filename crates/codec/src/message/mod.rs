//! Messages as they lie in the commit log and travel in bodies (`MessageDecoder.java`, `MessageExtEncoder.java`).

pub mod batch;
mod host;
pub mod message_id;
pub mod properties;
mod pulled;
mod record;
pub mod sys_flag;

pub use host::HostAddr;
pub use properties::{java_string_hash, tags_code};
pub use pulled::{PullLimits, PulledError, PulledMessage, TagSet, decode_pulled, is_plain};
pub use record::{
    BLANK_MAGIC, MAGIC_V1, MAGIC_V2, MAX_PROPERTIES_BYTES, MAX_TOPIC_BYTES, MessageRecord, RecordError, RecordFields,
    RecordLayout, RecordParts, body_crc, decode_record, encode_record, patch_record,
};

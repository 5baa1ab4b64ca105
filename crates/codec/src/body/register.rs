//! What a broker registers with: JSON, or the compressed form.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{JavaEnum, TopicConfig, TopicConfigSerializeWrapper, TopicFilterType, TopicQueueMappingInfo};
use crate::bytes::Reader;
use crate::compression::{self, CompressionError, CompressionType};
use crate::json::{self, JsonError};

/// Version V5_0_0, from which on the compressed form ends with the mappings of static topics.
const V5_0_0: i32 = 413;

/// Body of REGISTER_BROKER (103), `RegisterBrokerBody.java`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RegisterBrokerBody {
    /// Filter servers of the broker.
    pub filter_server_list: Vec<String>,
    /// Its topics.
    pub topic_config_serialize_wrapper: TopicConfigSerializeWrapper,
}

/// A register body that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RegisterBodyError {
    /// It does not inflate.
    #[error("cannot inflate the register body: {0}")]
    Compression(#[from] CompressionError),
    /// A part of it, or all, is no JSON.
    #[error("cannot read {part} of the register body: {source}")]
    Json {
        /// Which part.
        part: &'static str,
        /// What is wrong with it.
        #[source]
        source: JsonError,
    },
    /// It ends early or has a bad length in it.
    #[error("register body is cut short in {part}")]
    Short {
        /// Where.
        part: &'static str,
    },
    /// A topic line is malformed.
    #[error("malformed topic in the register body: {0:?}")]
    Topic(String),
}

impl RegisterBrokerBody {
    /// Reads the body as the request header says: `compressed`, and `version` of the broker (in the frame). Inflating beyond
    /// `max_bytes` is an error.
    ///
    /// # Errors
    /// [`RegisterBodyError`] naming the part that cannot be read.
    pub fn decode(body: &[u8], compressed: bool, version: i32, max_bytes: usize) -> Result<Self, RegisterBodyError> {
        if !compressed {
            return part_json("all", body);
        }
        let inflated = compression::decompress(CompressionType::Zlib, body, max_bytes)?;
        let mut reader = Reader::new(&inflated);
        let mut next = |part| reader.i32_prefixed().ok_or(RegisterBodyError::Short { part });
        let data_version = part_json("data version", next("data version")?)?;
        let mut wrapper = TopicConfigSerializeWrapper { data_version, ..TopicConfigSerializeWrapper::default() };
        let short = |part| RegisterBodyError::Short { part };
        for _ in 0..reader.i32().ok_or(short("topic count"))? {
            let topic = parse_topic(reader.i32_prefixed().ok_or(short("topic"))?)?;
            wrapper.topic_config_table.insert(topic.topic_name.clone(), topic);
        }
        let filter_server_list = part_json("filter servers", reader.i32_prefixed().ok_or(short("filter servers"))?)?;
        if version >= V5_0_0 {
            let mut mappings = BTreeMap::new();
            for _ in 0..reader.i32().ok_or(short("mapping count"))? {
                let info: TopicQueueMappingInfo = part_json("mapping", reader.i32_prefixed().ok_or(short("mapping"))?)?;
                mappings.insert(info.topic.clone(), info);
            }
            wrapper.topic_queue_mapping_info_map = Some(mappings);
        }
        Ok(Self { filter_server_list, topic_config_serialize_wrapper: wrapper })
    }
}

fn part_json<T: serde::de::DeserializeOwned>(part: &'static str, bytes: &[u8]) -> Result<T, RegisterBodyError> {
    json::from_slice(bytes).map_err(|source| RegisterBodyError::Json { part, source })
}

/// `TopicConfig.java#decode`: name, read queues, write queues, permissions, filter type, attributes as JSON, with blanks between.
fn parse_topic(line: &[u8]) -> Result<TopicConfig, RegisterBodyError> {
    let text = String::from_utf8_lossy(line);
    let mut parts = text.splitn(6, ' ');
    let malformed = || RegisterBodyError::Topic(text.clone().into_owned());
    let mut topic = TopicConfig { topic_name: parts.next().unwrap_or_default().to_owned(), ..TopicConfig::default() };
    let mut number = || parts.next().and_then(|part| part.parse().ok()).ok_or_else(malformed);
    topic.read_queue_nums = number()?;
    topic.write_queue_nums = number()?;
    topic.perm = number()?;
    topic.topic_filter_type = Some(parts.next().and_then(TopicFilterType::from_name).ok_or_else(malformed)?);
    if let Some(attributes) = parts.next().filter(|attributes| !attributes.is_empty()) {
        topic.attributes = part_json("topic attributes", attributes.as_bytes())?;
    }
    Ok(topic)
}

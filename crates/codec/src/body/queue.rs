//! A queue, as a value and as a map key.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::json;

/// One queue of a topic on a broker, `MessageQueue.java`. Orders by topic, broker name, queue id, as Java's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MessageQueue {
    /// Topic.
    pub topic: String,
    /// Broker name.
    pub broker_name: String,
    /// Number of the queue, from 0.
    pub queue_id: i32,
}

/// The members, alphabetical; apart from [`MessageQueue`] because its order of comparison is another.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Out<'a> {
    broker_name: &'a str,
    queue_id: i32,
    topic: &'a str,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct In {
    broker_name: String,
    queue_id: i32,
    topic: String,
}

impl Serialize for MessageQueue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Out { broker_name: &self.broker_name, queue_id: self.queue_id, topic: &self.topic }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for MessageQueue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        In::deserialize(deserializer).map(MessageQueue::from)
    }
}

impl From<In> for MessageQueue {
    fn from(read: In) -> Self {
        Self { topic: read.topic, broker_name: read.broker_name, queue_id: read.queue_id }
    }
}

/// A [`MessageQueue`] as map key: written as a raw object, `{{"brokerName":"b","queueId":0,"topic":"T"}:10}`, which is no JSON but what
/// Apache exchanges; read as that or as a string holding the object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MessageQueueKey(pub MessageQueue);

impl Serialize for MessageQueueKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut text = String::from(json::RAW_KEY);
        text.push_str(&String::from_utf8_lossy(&json::to_vec(&self.0)));
        serializer.serialize_str(&text)
    }
}

impl<'de> Deserialize<'de> for MessageQueueKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        json::from_slice(text.as_bytes()).map(Self).map_err(serde::de::Error::custom)
    }
}

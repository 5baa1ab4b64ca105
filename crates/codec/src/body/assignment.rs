//! Which queues a consumer gets when a broker shares them out.

use serde::{Deserialize, Serialize};

use super::{MessageModel, MessageQueue, java_enum, known_or_null};

java_enum! {
    /// How a consumer gets the messages of a queue (`MessageRequestMode.java`).
    pub enum MessageRequestMode {
        /// It keeps offsets and has the queue for itself.
        Pull = "PULL",
        /// Members share the queue and acknowledge each message.
        Pop = "POP",
    }
}

/// Body of QUERY_ASSIGNMENT (400), `QueryAssignmentRequestBody.java`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct QueryAssignmentRequestBody {
    /// Who asks.
    pub client_id: String,
    /// Its group.
    pub consumer_group: String,
    /// Whether the queues are shared out or everybody gets all.
    #[serde(deserialize_with = "known_or_null", skip_serializing_if = "Option::is_none")]
    pub message_model: Option<MessageModel>,
    /// How they are shared out: `AVG`, `AVG_BY_CIRCLE`.
    pub strategy_name: String,
    /// Topic.
    pub topic: String,
}

/// Response body of 400, `QueryAssignmentResponseBody.java`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct QueryAssignmentResponseBody {
    /// The queues; `None` when they cannot be told, so that the client keeps those it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_queue_assignments: Option<Vec<MessageQueueAssignment>>,
}

/// One queue of a consumer's, `MessageQueueAssignment.java`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MessageQueueAssignment {
    /// The queue.
    pub message_queue: MessageQueue,
    /// How to get its messages.
    pub mode: MessageRequestMode,
}

//! Clients and groups: 35, 38, 40. HEART_BEAT (34), LOCK_BATCH_MQ (41), UNLOCK_BATCH_MQ (42) and CHECK_CLIENT_CONFIG (46) have no fields
//! of their own.

use std::borrow::Cow;

use super::headers;

headers! {
    /// Request header of UNREGISTER_CLIENT (35), `UnregisterClientRequestHeader.java`.
    pub struct UnregisterClientRequestHeader<'a> {
        /// Client id.
        client_id: Cow<'a, str> = "clientID",
        /// Producer group that goes away.
        producer_group: Option<Cow<'a, str>> = "producerGroup",
        /// Consumer group that goes away.
        consumer_group: Option<Cow<'a, str>> = "consumerGroup",
    }

    /// Request header of GET_CONSUMER_LIST_BY_GROUP (38), `GetConsumerListByGroupRequestHeader.java`.
    pub struct GetConsumerListByGroupRequestHeader<'a> {
        /// Consumer group.
        consumer_group: Cow<'a, str> = "consumerGroup",
    }

    /// Request header of NOTIFY_CONSUMER_IDS_CHANGED (40), broker to client, `NotifyConsumerIdsChangedRequestHeader.java`.
    pub struct NotifyConsumerIdsChangedRequestHeader<'a> {
        /// Consumer group.
        consumer_group: Cow<'a, str> = "consumerGroup",
    }

    /// Response fields of HEART_BEAT (34) (`ClientManageProcessor.java#heartBeat`).
    pub struct HeartbeatResponseHeader {
        /// Whether the broker understands fingerprints.
        support_heartbeat_v2: Option<bool> = "IS_SUPPORT_HEART_BEAT_V2",
        /// Whether the broker wants the subscriptions again.
        sub_change: Option<bool> = "IS_SUB_CHANGE",
    }
}

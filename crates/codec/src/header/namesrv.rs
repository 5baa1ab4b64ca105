//! Brokers at the name server: 103, 104, 322, 904, and topic lists: 224. GET_BROKER_CLUSTER_INFO (106) and
//! GET_ALL_TOPIC_LIST_FROM_NAMESERVER (206) have no fields.

use std::borrow::Cow;

use super::headers;

headers! {
    /// Request header of REGISTER_BROKER (103), `RegisterBrokerRequestHeader.java`.
    pub struct RegisterBrokerRequestHeader<'a> {
        /// Broker name.
        broker_name: Cow<'a, str> = "brokerName",
        /// `host:port` clients connect to.
        broker_addr: Cow<'a, str> = "brokerAddr",
        /// Cluster.
        cluster_name: Cow<'a, str> = "clusterName",
        /// `host:port` slaves connect to.
        ha_server_addr: Cow<'a, str> = "haServerAddr",
        /// 0 for the master.
        broker_id: i64 = "brokerId",
        /// After how many milliseconds without word the broker is taken for dead.
        heartbeat_timeout_millis: Option<i64> = "heartbeatTimeoutMillis",
        /// Whether a slave may act as master.
        enable_acting_master: Option<bool> = "enableActingMaster",
        /// Whether the body is compressed.
        compressed: bool = "compressed" or false,
        /// CRC-32 of the body without its top bit; 0 means unchecked.
        body_crc32: i32 = "bodyCrc32" or 0,
        /// Zone of the broker.
        zone_name: Option<Cow<'a, str>> = "__ZONE_NAME",
    }

    /// Response header of 103, `RegisterBrokerResponseHeader.java`.
    pub struct RegisterBrokerResponseHeader<'a> {
        /// The master's address for slaves.
        ha_server_addr: Option<Cow<'a, str>> = "haServerAddr",
        /// The master's address.
        master_addr: Option<Cow<'a, str>> = "masterAddr",
    }

    /// Request header of UNREGISTER_BROKER (104), `UnRegisterBrokerRequestHeader.java`.
    pub struct UnRegisterBrokerRequestHeader<'a> {
        /// Broker name.
        broker_name: Cow<'a, str> = "brokerName",
        /// `host:port` clients connect to.
        broker_addr: Cow<'a, str> = "brokerAddr",
        /// Cluster.
        cluster_name: Cow<'a, str> = "clusterName",
        /// 0 for the master.
        broker_id: i64 = "brokerId",
    }

    /// Request header of QUERY_DATA_VERSION (322), `QueryDataVersionRequestHeader.java`.
    pub struct QueryDataVersionRequestHeader<'a> {
        /// Broker name.
        broker_name: Cow<'a, str> = "brokerName",
        /// `host:port` clients connect to.
        broker_addr: Cow<'a, str> = "brokerAddr",
        /// Cluster.
        cluster_name: Cow<'a, str> = "clusterName",
        /// 0 for the master.
        broker_id: i64 = "brokerId",
    }

    /// Response header of 322, `QueryDataVersionResponseHeader.java`.
    pub struct QueryDataVersionResponseHeader {
        /// Whether the broker must register anew.
        changed: bool = "changed",
    }

    /// Request header of BROKER_HEARTBEAT (904), `BrokerHeartbeatRequestHeader.java`.
    pub struct BrokerHeartbeatRequestHeader<'a> {
        /// Cluster.
        cluster_name: Cow<'a, str> = "clusterName",
        /// `host:port` clients connect to.
        broker_addr: Cow<'a, str> = "brokerAddr",
        /// Broker name.
        broker_name: Cow<'a, str> = "brokerName",
        /// 0 for the master.
        broker_id: Option<i64> = "brokerId",
        /// Epoch of the master.
        epoch: Option<i32> = "epoch",
        /// End of the commit log.
        max_offset: Option<i64> = "maxOffset",
        /// End of what is replicated.
        confirm_offset: Option<i64> = "confirmOffset",
        /// After how many milliseconds without word the broker is taken for dead (the spelling is Apache's).
        heartbeat_timeout_mills: Option<i64> = "heartbeatTimeoutMills",
        /// Who becomes master first.
        election_priority: Option<i32> = "electionPriority",
    }

    /// Request header of GET_TOPICS_BY_CLUSTER (224), `GetTopicsByClusterRequestHeader.java`.
    pub struct GetTopicsByClusterRequestHeader<'a> {
        /// Cluster.
        cluster: Cow<'a, str> = "cluster",
    }
}

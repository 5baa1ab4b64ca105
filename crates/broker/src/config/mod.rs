//! Settings of a broker, with Apache's names and defaults, and their reading from a `broker.conf`.

mod apache_keys;
mod file;
mod properties;

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::path::PathBuf;

use rocketmq_codec::body::perm;
use rocketmq_store::StoreConfig;

pub use file::{BrokerConfigFile, ConfigError};

use crate::event::EventSink;

/// Settings of a broker. Names in the docs are those of Apache's `broker.conf`; defaults are Apache's unless said
/// otherwise (`common/BrokerConfig.java`).
#[derive(Debug, Clone)]
pub struct BrokerConfig {
    /// `brokerClusterName`, default `DefaultCluster`.
    pub broker_cluster_name: String,
    /// `brokerName`, default the host's name.
    pub broker_name: String,
    /// `brokerId`; 0 is the master, the only kind there is here.
    pub broker_id: i64,
    /// `bindAddress`; default 127.0.0.1 (Apache: 0.0.0.0), so that nothing is open to the network by accident.
    pub bind_address: IpAddr,
    /// `listenPort`, default 10911; 0 takes any free port.
    pub listen_port: u16,
    /// `brokerIP1`: the host that clients are told to connect to. Default: the bound address, or for 0.0.0.0 the
    /// address of the interface with the default route.
    pub broker_ip1: Option<String>,
    /// The port that clients are told to connect to, where it differs from the one listened on (port forwarding).
    pub advertised_port: Option<u16>,
    /// `namesrvAddr`: name servers as `host:port`; in the file separated by `;`.
    pub namesrv_addrs: Vec<String>,
    /// `brokerPermission`, bits of [`perm`], default 6.
    pub broker_permission: i32,
    /// `defaultTopicQueueNums`, queues of TBW102, default 8.
    pub default_topic_queue_nums: i32,
    /// `autoCreateTopicEnable`, default true.
    pub auto_create_topic_enable: bool,
    /// `autoCreateSubscriptionGroup`, default true.
    pub auto_create_subscription_group: bool,
    /// `clusterTopicEnable`, default true.
    pub cluster_topic_enable: bool,
    /// `brokerTopicEnable`, default true.
    pub broker_topic_enable: bool,
    /// `traceTopicEnable`, default false.
    pub trace_topic_enable: bool,
    /// `msgTraceTopicName`, default `RMQ_SYS_TRACE_TOPIC`.
    pub msg_trace_topic_name: String,
    /// `traceOn`, told to producers in every reply, default true.
    pub trace_on: bool,
    /// `regionId`, default `DefaultRegion`.
    pub region_id: String,
    /// `reviveQueueNum`, queues of the revive topic, default 8.
    pub revive_queue_num: i32,
    /// `timerWheelEnable`, whether the timer topic is created, default true.
    pub timer_wheel_enable: bool,
    /// `startAcceptSendRequestTimeStamp`, ms since the epoch before which sends are refused, default 0.
    pub start_accept_send_request_timestamp: i64,
    /// `longPollingEnable`, default true.
    pub long_polling_enable: bool,
    /// `shortPollingTimeMills`, how long a pull is held when long polling is off, default 1,000.
    pub short_polling_time_mills: i64,
    /// `litePullMessageEnable`, default true.
    pub lite_pull_message_enable: bool,
    /// `notifyConsumerIdsChangedEnable`, default true.
    pub notify_consumer_ids_changed_enable: bool,
    /// `channelExpiredTimeout`, ms after which a client without heartbeat is forgotten, default 120,000.
    pub channel_expired_timeout: i64,
    /// `flushConsumerOffsetInterval`, ms, default 5,000.
    pub flush_consumer_offset_interval: u64,
    /// `consumerOffsetUpdateVersionStep`, commits after which the offsets' data version advances, default 500.
    pub consumer_offset_update_version_step: u64,
    /// `registerNameServerPeriod`, ms, kept between 10,000 and 60,000, default 30,000.
    pub register_name_server_period: u64,
    /// `registerBrokerTimeoutMills`, default 24,000.
    pub register_broker_timeout_mills: u64,
    /// `syncFlushTimeout`, ms that a synchronous send waits for its flush, default 5,000.
    pub sync_flush_timeout: u64,
    /// `haListenPort`, only told to name servers, default 10912.
    pub ha_listen_port: u16,
    /// `validateSystemTopicWhenUpdateTopic`, default true.
    pub validate_system_topic_when_update_topic: bool,
    /// `clearRetryTopicWhenDeleteTopic`, whether pop retry topics of a deleted topic go with it, default true.
    pub clear_retry_topic_when_delete_topic: bool,
    /// `defaultQueryMaxNum`, most messages that a query by unique key returns, default 32.
    pub default_query_max_num: usize,
    /// Pulls held at the same time by all clients; further ones are answered SYSTEM_BUSY. Default 65,536.
    pub max_held_pulls: usize,
    /// Bytes of replies that wait for a synchronous flush; further sends are answered SYSTEM_BUSY. Default 64 MiB.
    pub max_deferred_reply_bytes: usize,
    /// The message store under the broker.
    pub store: StoreConfig,
    /// Who hears of failures and changes; nobody by default.
    pub events: EventSink,
}

impl Default for BrokerConfig {
    /// Apache's defaults, with the store in `~/store`.
    fn default() -> Self {
        Self::new(home_directory().join("store"))
    }
}

impl BrokerConfig {
    /// Apache's defaults, with the store under `store_root`.
    pub fn new(store_root: impl Into<PathBuf>) -> Self {
        Self {
            broker_cluster_name: "DefaultCluster".to_owned(),
            broker_name: host_name(),
            broker_id: 0,
            bind_address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            listen_port: 10911,
            broker_ip1: None,
            advertised_port: None,
            namesrv_addrs: Vec::new(),
            broker_permission: perm::READ | perm::WRITE,
            default_topic_queue_nums: 8,
            auto_create_topic_enable: true,
            auto_create_subscription_group: true,
            cluster_topic_enable: true,
            broker_topic_enable: true,
            trace_topic_enable: false,
            msg_trace_topic_name: "RMQ_SYS_TRACE_TOPIC".to_owned(),
            trace_on: true,
            region_id: "DefaultRegion".to_owned(),
            revive_queue_num: 8,
            timer_wheel_enable: true,
            start_accept_send_request_timestamp: 0,
            long_polling_enable: true,
            short_polling_time_mills: 1_000,
            lite_pull_message_enable: true,
            notify_consumer_ids_changed_enable: true,
            channel_expired_timeout: 120_000,
            flush_consumer_offset_interval: 5_000,
            consumer_offset_update_version_step: 500,
            register_name_server_period: 30_000,
            register_broker_timeout_mills: 24_000,
            sync_flush_timeout: 5_000,
            ha_listen_port: 10912,
            validate_system_topic_when_update_topic: true,
            clear_retry_topic_when_delete_topic: true,
            default_query_max_num: 32,
            max_held_pulls: 65_536,
            max_deferred_reply_bytes: 64 * 1024 * 1024,
            store: StoreConfig::new(store_root),
            events: EventSink::default(),
        }
    }

    /// The host that clients are told, see [`BrokerConfig::broker_ip1`].
    pub fn advertised_host(&self) -> String {
        match (&self.broker_ip1, self.bind_address) {
            (Some(host), _) => host.clone(),
            (None, address) if !address.is_unspecified() => address.to_string(),
            (None, _) => local_address().to_string(),
        }
    }
}

/// The address of the interface with the default route (`common/utils/NetworkUtil.java#getLocalAddress`); the loopback
/// address when there is none. Connecting a datagram socket sends nothing.
fn local_address() -> IpAddr {
    UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))
        .and_then(|socket| {
            socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9))?;
            socket.local_addr()
        })
        .map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |address: SocketAddr| address.ip())
}

/// The host's name, as `BrokerConfig.java` does; `DEFAULT_BROKER` where it cannot be told.
fn host_name() -> String {
    let from_environment = || std::env::var("HOSTNAME").or_else(|_| std::env::var("COMPUTERNAME")).ok();
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .ok()
        .or_else(from_environment)
        .map(|name| name.trim().to_owned())
        .filter(|name| crate::names::validate_topic(name).is_ok())
        .unwrap_or_else(|| "DEFAULT_BROKER".to_owned())
}

fn home_directory() -> PathBuf {
    std::env::home_dir().unwrap_or_default()
}

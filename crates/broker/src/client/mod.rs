//! Clients that are connected, as their heartbeats describe them.

pub mod consumer;
pub mod producer;
pub mod rebalance_lock;

use std::sync::Arc;

use rocketmq_remoting::Connection;

/// One client on one connection (`broker/client/ClientChannelInfo.java`).
#[derive(Debug, Clone)]
pub struct ClientChannelInfo {
    /// Its connection.
    pub connection: Arc<Connection>,
    /// What it calls itself, like `10.0.0.1@12345#7`.
    pub client_id: String,
    /// Language code.
    pub language: u8,
    /// Protocol version.
    pub version: i32,
    /// Wall clock ms of its last heartbeat.
    pub last_update_ms: i64,
}

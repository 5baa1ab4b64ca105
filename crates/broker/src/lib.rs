//! The broker: takes messages from producers, keeps them in a message store and gives them to consumers
//! (`org.apache.rocketmq.broker`).
//!
//! [`Broker::start`] opens the store and serves. One file under `processor` for each family of requests, one under
//! `service` for each long-lived duty; tables (topics, groups, offsets, clients, locks, held pulls) in files of their own.
//!
//! The path of a message: the sends of one read burst are collected into a batch of the connection's session, stored by
//! one put, and answered together; the thread that stored them then answers the pulls that waited for them.

mod attributes;
mod broker;
mod client;
mod config;
mod consumer_offset;
mod error;
mod event;
mod filter;
mod long_polling;
mod memory;
mod names;
mod persist;
mod processor;
mod service;
mod stats;
mod subscription_group;
mod topic;

pub use broker::{Broker, ShutdownSummary};
pub use config::{BrokerConfig, BrokerConfigFile, ConfigError};
pub use error::BrokerError;
pub use event::{BrokerEvent, EventSink};

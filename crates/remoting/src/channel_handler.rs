//! Who is told of a channel's requests, and why a request may end without an answer.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rocketmq_codec::Command;

use crate::channel::Channel;
use crate::connection::{Connection, Limits};
use crate::tls::TlsClient;

/// What is told of a channel's requests. Called on event loops (and on the submitter's thread for what fails at once), so
/// it must not block.
pub trait ChannelHandler: Send + Sync + 'static {
    /// What stands for a request until it ends.
    type Pending: Send + 'static;

    /// The answer to a request.
    fn completed(&self, pending: Self::Pending, response: &Command<'_>);
    /// A request that ended without an answer.
    fn failed(&self, pending: Self::Pending, failure: Failure);
    /// A request of the peer's.
    fn requested(&self, channel: &Arc<Channel<Self>>, connection: &Arc<Connection>, request: &Command<'_>)
    where
        Self: Sized;
    /// A connection that stood has ended.
    fn closed(&self, address: &str, reason: &str);
    /// No more calls for now: a batch of completions is whole.
    fn batch_ended(&self) {}
}

/// Why a request ended without an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// No connection could be made; the request was not sent.
    ConnectFailed,
    /// The connection ended before the answer came; the request may have been carried out.
    ConnectionLost,
    /// The deadline passed; the request may have been carried out.
    TimedOut,
    /// Too many requests or bytes are waiting already; the request was not sent.
    TooManyRequests,
    /// The request does not fit a frame; it was not sent.
    Unsendable,
    /// The channels were closed by their owner.
    Closed,
}

/// A request's end without an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Which kind of end.
    pub kind: FailureKind,
    /// For people: address and cause.
    pub message: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// Limits of a set of channels, and how they connect.
#[derive(Debug, Clone)]
pub struct ChannelOptions {
    /// What one connection may cost.
    pub limits: Limits,
    /// How long making a connection may take, with the handshake of TLS. Default 3 s, as Apache's `connectTimeoutMillis`.
    pub connect_timeout: Duration,
    /// Requests that may wait for answers, over all channels. Default 65,535, as `clientAsyncSemaphoreValue`.
    pub max_pending_requests: usize,
    /// Bytes that may wait for one socket. Default 128 MiB.
    pub max_pending_bytes: usize,
    /// Connect with TLS. Default: plain TCP.
    pub tls: Option<TlsClient>,
}

impl Default for ChannelOptions {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            connect_timeout: Duration::from_secs(3),
            max_pending_requests: 65_535,
            max_pending_bytes: 128 * 1024 * 1024,
            tls: None,
        }
    }
}

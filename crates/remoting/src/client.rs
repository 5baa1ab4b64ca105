//! Requests as futures, for the server's own calls: a broker to its name servers.

use std::sync::Arc;
use std::time::Duration;

use rocketmq_codec::{Command, EncodeHeader, FrameWriter, Head, SerializeType, response_code};
use rocketmq_env::Clock;
use tokio::sync::oneshot;

use crate::channel::Channel;
use crate::channel_handler::{ChannelHandler, ChannelOptions, Failure, FailureKind};
use crate::channels::Channels;
use crate::connection::Connection;
use crate::event_loops::EventLoops;

/// A response that owns its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnedCommand {
    /// Response code.
    pub code: i32,
    /// Version of the peer.
    pub version: i32,
    /// The reason of an error, as a rule.
    pub remark: Option<String>,
    /// Header fields.
    pub ext: Vec<(String, String)>,
    /// Body, empty when there is none.
    pub body: Vec<u8>,
}

impl OwnedCommand {
    /// Copies a command out of its buffer.
    pub fn from_command(command: &Command<'_>) -> Self {
        Self {
            code: command.code,
            version: command.version,
            remark: command.remark.as_deref().map(str::to_owned),
            ext: command.ext.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
            body: command.body.to_vec(),
        }
    }

    /// The value of a header field.
    pub fn ext_field(&self, name: &str) -> Option<&str> {
        self.ext.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

type Waiter = oneshot::Sender<Result<OwnedCommand, Failure>>;

#[derive(Debug)]
struct WakeFutures;

impl ChannelHandler for WakeFutures {
    type Pending = Waiter;

    fn completed(&self, waiter: Waiter, response: &Command<'_>) {
        // The future may have been dropped; then nobody wants the answer.
        let _ = waiter.send(Ok(OwnedCommand::from_command(response)));
    }

    fn failed(&self, waiter: Waiter, failure: Failure) {
        let _ = waiter.send(Err(failure));
    }

    fn requested(&self, _: &Arc<Channel<Self>>, connection: &Arc<Connection>, request: &Command<'_>) {
        if !request.is_oneway() {
            let mut reply = Vec::new();
            let head = Head {
                remark: Some("a server takes no requests on the connections it made itself"),
                ..Head::response(response_code::REQUEST_CODE_NOT_SUPPORTED, request.opaque)
            };
            match FrameWriter::begin(&mut reply, request.serialize_type, head).finish() {
                Ok(()) => connection.send(&reply),
                Err(error) => connection.close(&error.to_string()),
            }
        }
    }

    fn closed(&self, _: &str, _: &str) {}
}

/// Calls other servers.
pub struct Client {
    channels: Channels<WakeFutures>,
}

impl Client {
    /// A client without connections; they are made as addresses are used.
    pub fn new(loops: Arc<EventLoops>, clock: Arc<dyn Clock>, options: ChannelOptions) -> Self {
        Self { channels: Channels::new(Arc::new(WakeFutures), loops, clock, options) }
    }

    /// Sends a request to `address` (`host:port`) and waits for the answer, whatever its code.
    pub async fn invoke(
        &self,
        address: &str,
        code: i32,
        header: &impl EncodeHeader,
        body: &[u8],
        timeout: Duration,
    ) -> Result<OwnedCommand, Failure> {
        let (waiter, answer) = oneshot::channel();
        self.channels.channel(address).submit(|submission| {
            submission.request(waiter, timeout, |out, opaque| {
                let mut frame = FrameWriter::begin(out, SerializeType::Json, Head::request(code, opaque));
                frame.header(header);
                frame.begin_body().extend_from_slice(body);
                frame.finish()
            });
        });
        answer.await.unwrap_or_else(|_| {
            Err(Failure { kind: FailureKind::Closed, message: "the client was shut down".to_owned() })
        })
    }

    /// Fails what waits and closes every connection.
    pub fn close(&self) {
        self.channels.close();
    }
}

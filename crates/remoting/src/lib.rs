//! Sockets under the remoting protocol: event loops, connections, the server's accept loop, the client's channels and their TLS.
//!
//! Both ends drive a [`Connection`] with a [`Service`]: the service sees all whole frames that one read brought
//! (a [`Burst`]) and its replies go out in one write. Nothing here waits on a clock to make a write fuller; the work in
//! progress is the batching window.
//!
//! Back-pressure: a connection whose peer does not read is not read from either ([`Limits::max_outbound_bytes`]), and a
//! frame's length is checked before memory is allocated for it.

mod burst;
mod channel;
mod channel_handler;
mod channels;
mod client;
mod connection;
mod event_loops;
mod input;
mod pending;
mod server;
mod tls;

pub use burst::Burst;
pub use channel::{Channel, Submission};
pub use channel_handler::{ChannelHandler, ChannelOptions, Failure, FailureKind};
pub use channels::Channels;
pub use client::{Client, OwnedCommand};
pub use connection::{Connection, Limits, Service};
pub use event_loops::EventLoops;
pub use server::{Server, ServerOptions};
pub use tls::{TlsClient, TlsClientOptions, TlsError, Verification};

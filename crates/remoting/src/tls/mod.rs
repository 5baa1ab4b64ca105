//! TLS on the client's side. Verification is on unless its options say otherwise by name.
//!
//! Apache's servers have TLS and plain text on one port and tell them apart by the first byte
//! (`NettyRemotingServer.java`, `HandshakeHandler`), so a client needs nothing but a handshake in front of its frames.

mod client;
mod explain;
mod session;
mod verifier;

pub use client::{TlsClient, TlsClientOptions, TlsError, Verification};
pub(crate) use explain::explain;
pub(crate) use session::TlsSession;

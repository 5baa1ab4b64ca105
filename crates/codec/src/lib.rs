//! Bytes to values and back: remoting frames, headers, JSON bodies, message records, ids and compression.
//!
//! No I/O, no clock, no async. Every decoder takes bytes from strangers: lengths are checked against what is there before anything
//! is read or allocated, nesting is bounded, inflation is capped, and no input panics.
//!
//! - [`frame_length`] finds the end of a frame in a read buffer, [`Command::decode`] reads it, [`FrameWriter`] writes one;
//! - [`header`] has the typed `extFields` of each request and response code, [`body`] the JSON bodies, [`json`] Apache's JSON dialect;
//! - [`message`] has the stored record, batch bodies, properties and message ids; [`compression`] inflates and deflates bodies.
#![deny(clippy::indexing_slicing)]

pub mod body;
mod bytes;
mod codes;
pub mod compression;
mod frame;
pub mod header;
pub mod json;
pub mod message;

pub use codes::{language_code, request_code, response_code};
pub use frame::{
    Command, ExtFields, FLAG_ONEWAY, FLAG_RESPONSE, FrameError, FrameWriter, Head, MAX_FRAME_BYTES, SerializeType,
    Signer, VERSION, frame_length,
};
pub use header::{EncodeHeader, Header, HeaderError};

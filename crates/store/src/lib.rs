//! The message store: commit log, consume queues, offsets by time, configuration files.
//!
//! Files, names and bytes are those of Apache RocketMQ 5.5.0; a directory written by either opens in the other.

mod config;
pub mod config_file;
mod error;
mod get;
mod message;
mod queue;
mod store;

pub use config::{FlushDiskType, StoreConfig};
pub use error::{FlushError, PutError, StoreError};
pub use get::{Boundary, GetResult, GetStatus, TagFilter};
pub use message::{Arrival, PutMessage, PutOutcome, PutTicket};
pub use queue::Queue;
pub use store::{ArrivalListener, FlushDone, MessageStore, PutBatch};

//! The message store: commit log, consume queues, index, offsets by time, configuration files.
//!
//! Files, names and bytes are those of Apache RocketMQ 5.5.0; a directory written by either opens in the other.
//!
//! A put encodes its records and their CRCs outside of all locks ([`PutBatch`]); under one lock they get their offsets and
//! are written at once; then their consume queue units are appended in memory, and whoever holds pulls hears of them.
//! A flush thread makes the log durable, a housekeeping thread the consume queues, which can be made from the log again, and
//! an index thread reads the log behind the puts for the keys in it.

mod ahead;
mod background;
mod batch;
mod checkpoint;
mod commit_log;
mod config;
pub mod config_file;
mod deletion;
mod directory;
mod disk;
mod dispatch;
mod error;
mod get;
mod index;
mod inspect;
mod light;
mod log_read;
mod message;
mod queue;
mod queue_syncer;
mod queues;
mod read;
mod recover;
mod recovery_progress;
mod retention;
mod seat;
mod store;
mod tags;
mod unit;
mod worker;

pub use batch::PutBatch;
pub use config::{FlushDiskType, RetentionConfig, StoreConfig};
pub use disk::DiskUsage;
pub use dispatch::ArrivalListener;
pub use error::{PutError, StoreError};
pub use get::{Boundary, GetResult, GetStatus, Reads, TagFilter};
pub use index::QueryResult;
pub use inspect::{Fault, VerifyReport, rebuild, verify};
pub use log_read::LogRead;
pub use message::{Arrival, PutMessage, PutOutcome, PutTicket};
pub use queue::{Queue, QueueHandle};
pub use read::is_whole;
pub use recovery_progress::{RecoveryListener, RecoveryPhase, RecoveryProgress};
pub use rocketmq_codec::message::HostAddr;
pub use rocketmq_log::{FlushDone, FlushError};
pub use store::MessageStore;

//! Segmented append-only files that know nothing of messages.
//!
//! A log is a directory of files of one length. Each is named by the offset of its first byte (20 digits) and is created
//! at its full length, zero-filled, so Apache finds exactly the files it would have made. [`SegmentedLog`] reads and writes
//! them, [`Flusher`] makes what was written durable, one fdatasync for all who wait.

mod append_window;
mod error;
mod flusher;
mod gathered;
mod reader;
mod regroup;
mod segment;
mod segmented;

pub use append_window::AppendCursor;
pub use error::LogError;
pub use flusher::{FlushDone, FlushError, Flusher, FlusherOptions};
pub use reader::Reader;
pub use segment::Segment;
pub use segmented::{ListedFiles, SegmentedLog};

//! Segmented append-only files that know nothing of messages.

mod error;

pub use error::LogError;

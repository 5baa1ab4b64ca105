//! Errors of the crates below as JavaScript gets them.

use std::fmt::Write as _;

use napi::{Error, Status};

/// An error with all its causes in one line.
pub fn failure(error: &dyn std::error::Error) -> Error {
    with_status(Status::GenericFailure, error)
}

/// The same for what the caller gave.
pub fn invalid(error: &dyn std::error::Error) -> Error {
    with_status(Status::InvalidArg, error)
}

fn with_status(status: Status, error: &dyn std::error::Error) -> Error {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let _ = write!(text, ": {cause}");
        source = cause.source();
    }
    Error::new(status, text)
}

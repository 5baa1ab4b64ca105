//! Long-lived duties of the broker, one a file.

pub mod deferred;
pub mod housekeeping;
pub mod registration;

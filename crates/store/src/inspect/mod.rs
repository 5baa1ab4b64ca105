//! Looking at the files of a stopped store: what sizes they have, whether all of it fits together, and making anew what
//! can be made from the commit log.

mod file_sizes;
mod queue_units;
mod rebuild;
mod verify;
mod walk;

pub use rebuild::rebuild;
pub use verify::{Fault, VerifyReport, verify};

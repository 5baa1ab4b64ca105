//! What the fuzz targets do with bytes, each panicking where something is wrong: here, and not in `fuzz/`, so that every build
//! compiles them and `cargo test` runs them on their seeds.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a fuzz target fails by panicking")]

mod derived;
mod frame;
mod record;
mod recovery;

pub use derived::derived;
pub use frame::frame;
pub use record::record;
pub use recovery::recovery;

//! What the fuzz targets do with bytes, each panicking where something is wrong: here, and not in `fuzz/`, so that every build
//! compiles them and `cargo test` runs them on their seeds.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a fuzz target fails by panicking")]

mod derived;
mod frame;
mod record;
mod recovery;

use std::path::Path;

use rocketmq_env::{Fs, OpenMode};

pub use derived::derived;
pub use frame::frame;
pub use record::record;
pub use recovery::recovery;

/// Makes a file, and the directories above it.
fn write_file(fs: &dyn Fs, path: &Path, bytes: &[u8]) {
    fs.create_dir_all(path.parent().unwrap()).unwrap();
    fs.open(path, OpenMode::CreateTruncate).unwrap().write_all_at(bytes, 0).unwrap();
}

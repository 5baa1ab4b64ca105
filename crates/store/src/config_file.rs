//! Configuration files (JSON under `config/`): replaced atomically, with the previous version beside them as `.bak`.
use std::io;
use std::path::Path;

use rocketmq_env::Fs;

/// The bytes of `path`, or of its `.bak` when the file is missing, empty or refused by `parse`; `None` if neither exists.
/// (`ConfigManager#load`)
pub fn load<T, E>(fs: &dyn Fs, path: &Path, parse: impl Fn(&[u8]) -> Result<T, E>) -> io::Result<Option<T>>
where
    E: std::error::Error + Send + Sync + 'static,
{
    let _ = (fs, path, parse);
    unimplemented!()
}

/// Replaces `path` by `bytes` so that a crash at any point leaves the old or the new content. (`ConfigManager#persist`)
pub fn persist(fs: &dyn Fs, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let _ = (fs, path, bytes);
    unimplemented!()
}

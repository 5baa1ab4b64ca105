//! What the store can be told, with Apache's defaults.

use std::path::PathBuf;
use std::time::Duration;

/// Settings of a [`MessageStore`](crate::MessageStore). Apache's names (`MessageStoreConfig`) stand in brackets.
#[derive(Debug, Clone)]
pub struct StoreConfig {
    /// Directory of the store \[`storePathRootDir`\].
    pub root: PathBuf,
    /// Directory of the commit log; default `{root}/commitlog` \[`storePathCommitLog`\].
    pub commit_log_dir: PathBuf,
    /// Length of a commit log file in bytes, default 1 GiB \[`mappedFileSizeCommitLog`\].
    pub commit_log_segment_bytes: u64,
    /// Length of a consume queue file in bytes, default 6,000,000; rounded up to whole units of 20 bytes
    /// \[`mappedFileSizeConsumeQueue`\].
    pub consume_queue_segment_bytes: u64,
    /// How many consume queue files are open at once, default 512: there may be more of them than a process may open. Apache
    /// maps them all.
    pub max_open_consume_queue_files: usize,
    /// When the broker acknowledges, default [`FlushDiskType::AsyncFlush`] \[`flushDiskType`\].
    pub flush_disk_type: FlushDiskType,
    /// How often the commit log is flushed when nobody asks, default 500 ms \[`flushIntervalCommitLog`\].
    pub flush_interval_commit_log: Duration,
    /// How often consume queue tails are written out, default 1 s \[`flushIntervalConsumeQueue`\].
    pub flush_interval_consume_queue: Duration,
    /// How often consume queues are fsynced and the checkpoint moves over them, default 60 s
    /// \[`flushConsumeQueueThoroughInterval`\].
    pub flush_consume_queue_thorough_interval: Duration,
    /// Largest body in bytes, default 4 MiB; a whole record may have 64 KiB more \[`maxMessageSize`\].
    pub max_message_bytes: usize,
    /// Most bytes one get returns, default 262,144; the first message is always returned
    /// \[`maxTransferBytesOnMessageInMemory`\].
    pub max_transfer_bytes: usize,
    /// Most messages one get returns, default 32 \[`maxTransferCountOnMessageInMemory`\].
    pub max_transfer_count: usize,
    /// How many bytes of consume queue units one get scans for a filter, default 16,000 \[`maxFilterMessageSize`\].
    pub max_filter_message_bytes: usize,
}

/// When a message counts as stored \[`flushDiskType`\].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FlushDiskType {
    /// Once it is in the page cache; the disk follows every `flush_interval_commit_log`.
    #[default]
    AsyncFlush,
    /// Once an fdatasync covers it.
    SyncFlush,
}

impl StoreConfig {
    /// Apache's defaults under `root`.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        let root = root.into();
        Self {
            commit_log_dir: root.join("commitlog"),
            root,
            commit_log_segment_bytes: 1 << 30,
            consume_queue_segment_bytes: 6_000_000,
            max_open_consume_queue_files: 512,
            flush_disk_type: FlushDiskType::AsyncFlush,
            flush_interval_commit_log: Duration::from_millis(500),
            flush_interval_consume_queue: Duration::from_secs(1),
            flush_consume_queue_thorough_interval: Duration::from_secs(60),
            max_message_bytes: 4 << 20,
            max_transfer_bytes: 262_144,
            max_transfer_count: 32,
            max_filter_message_bytes: 16_000,
        }
    }
}

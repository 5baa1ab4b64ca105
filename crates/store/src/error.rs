//! What can go wrong.

use std::io;
use std::path::{Path, PathBuf};

use rocketmq_log::LogError;

/// Why the store as a whole could not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Another process, or another store of this one, has the directory open.
    #[error("{} is in use: another broker holds the lock on {}", root.display(), root.join("lock").display())]
    Locked {
        /// The store's directory.
        root: PathBuf,
    },
    /// A file of the commit log or a consume queue could not be opened, written, read or synced.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A file beside them could not.
    #[error("cannot {op} {}", path.display())]
    Io {
        /// What was tried.
        op: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A whole record follows damaged bytes: cutting the log there would lose messages that were acknowledged.
    #[error(
        "commit log is damaged at {damaged_at} ({}, byte {file_offset}) but a whole record follows at {record_at}: \
         not cutting stored messages", file.display()
    )]
    DamagedLog {
        /// Physical offset of the damage.
        damaged_at: i64,
        /// File with the damage.
        file: PathBuf,
        /// Offset of the damage in that file.
        file_offset: u64,
        /// Physical offset of the whole record behind it.
        record_at: i64,
    },
    /// The topic's consume queues are those of inner batches (`queue.type=BatchCQ`), which are kept but neither read nor written.
    #[error("{} holds consume queues of inner batches (queue.type=BatchCQ): this store cannot read or write them", directory.display())]
    BatchConsumeQueue {
        /// Where they are.
        directory: PathBuf,
    },
    /// A setting that cannot work.
    #[error("{name} = {value}: {why}")]
    Config {
        /// Apache's name of the setting.
        name: &'static str,
        /// Its value.
        value: u64,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The store was closed.
    #[error("the message store is closed")]
    Closed,
    /// The store was opened to be read ([`MessageStore::open_read_only`](crate::MessageStore::open_read_only)).
    #[error("the message store was opened read-only")]
    ReadOnly,
    /// An earlier flush failed, so nobody knows what the disk holds: reads go on, writes do not (until restart).
    #[error("an earlier flush failed, writes are refused until restart: {reason}")]
    Poisoned {
        /// The failure.
        reason: String,
    },
    /// Consume queues cannot be written at the moment (disk full, say); retried every second, writes go on then.
    #[error("consume queues cannot be written: {reason}")]
    ConsumeQueuesBehind {
        /// The failure.
        reason: String,
    },
    /// No record begins at a place of the commit log, or it is damaged.
    #[error("no record begins at {physical_offset} of the commit log ({}, byte {file_offset})", file.display())]
    NoRecord {
        /// The place.
        physical_offset: i64,
        /// File with the place.
        file: PathBuf,
        /// The place in that file.
        file_offset: u64,
    },
    /// The disk is too full for further messages: reads go on, and writes do once there is room again.
    #[error(
        "the disk is {used_percent} % full, writes are refused above {limit_percent} % (diskSpaceWarningLevelRatio) until \
         there is room again: delete something, lower fileReservedTime, or set diskFullRatio{}", cleaning.as_deref().unwrap_or_default()
    )]
    DiskFull {
        /// Use of the fuller of the commit log's disk and the consume queues'.
        used_percent: u32,
        /// The limit.
        limit_percent: u32,
        /// Why deleting files made no room, if it was tried.
        cleaning: Option<String>,
    },
    /// The topic was deleted after the handle of its queue was taken; a new handle is one of a new, empty queue.
    #[error("topic {topic:?} was deleted")]
    TopicDeleted {
        /// The topic.
        topic: String,
    },
    /// Records of the commit log are damaged, so nothing is made from it.
    #[error("the commit log has {count} faults, the first in {} at byte {offset}: {what}", file.display())]
    LogFaults {
        /// How many.
        count: u64,
        /// File of the first.
        file: PathBuf,
        /// Byte of that file.
        offset: u64,
        /// What is wrong there.
        what: String,
    },
    /// A topic that cannot be the name of a directory.
    #[error("illegal topic {topic:?}: no name of a directory")]
    IllegalTopic {
        /// The topic.
        topic: String,
    },
    /// A batch whose messages must lie in one file does not fit into one.
    #[error("a batch of {need} bytes does not fit into a commit log file of {have} bytes")]
    BatchTooLarge {
        /// Its length.
        need: u64,
        /// Room in an empty file.
        have: u64,
    },
}

impl StoreError {
    /// The file or directory that it is about, and the byte of it; `root` where it is about all of the store.
    pub(crate) fn place<'a>(&'a self, root: &'a Path) -> (&'a Path, u64) {
        match self {
            Self::Log(error) => error.place(),
            Self::Io { path, .. } => (path, 0),
            Self::DamagedLog { file, file_offset, .. } => (file, *file_offset),
            _ => (root, 0),
        }
    }
}

/// Why one message cannot be stored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PutError {
    /// Body above `maxMessageSize`, or record above that plus 64 KiB (Apache: MESSAGE_SIZE_EXCEEDED).
    #[error("message of {need} bytes is above the limit of {have}")]
    MessageSizeExceeded {
        /// Bytes of the body or record.
        need: usize,
        /// The limit.
        have: usize,
    },
    /// Properties above 32,767 bytes (Apache: PROPERTIES_SIZE_EXCEEDED).
    #[error("properties of {need} bytes are above the limit of {have}")]
    PropertiesSizeExceeded {
        /// Bytes of the properties.
        need: usize,
        /// The limit.
        have: usize,
    },
    /// Properties with a zero byte: of the end of a record, which no checksum covers, a lost write leaves zeros, and recovery
    /// could not tell the two apart. (Apache stores them.)
    #[error("properties have a zero byte at {at}")]
    ZeroInProperties {
        /// Offset of the first.
        at: usize,
    },
    /// An inner batch, or what says that it is one (property INNER_NUM, sysFlag 0x80 or 0x40): queues of these are not written.
    /// (Apache: MESSAGE_ILLEGAL, unless the topic has such queues; `DefaultMessageStore#asyncPutMessage`)
    #[error(
        "topic {topic}: inner batches (property INNER_NUM, sysFlag 0x80 or 0x40) cannot be stored, put their messages one by one"
    )]
    InnerBatch {
        /// Topic of the message.
        topic: String,
    },
    /// The property INNER_MULTI_DISPATCH names light queues (LMQ), which are not put into.
    #[error("topic {topic}: light queues cannot be put into, leave out the property INNER_MULTI_DISPATCH={names}")]
    LightQueues {
        /// Topic of the message.
        topic: String,
        /// The names, joined by commas.
        names: String,
    },
    /// Topic longer than a record can carry.
    #[error("topic of {need} bytes is above the limit of {have}")]
    TopicTooLong {
        /// Bytes of the topic.
        need: usize,
        /// The limit.
        have: usize,
    },
}

/// An error with its causes, as one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}

//! What the store can be told, with Apache's defaults.

use std::path::PathBuf;
use std::time::Duration;

use crate::StoreError;
use crate::queue::ext;
use crate::recovery_progress::RecoveryListener;
use crate::unit::UNIT_BYTES;

/// Smallest commit log file; no use but in tests.
const MIN_SEGMENT_BYTES: u64 = 1024;

const DELAY_LEVEL_SECONDS: [u64; 18] =
    [1, 5, 10, 30, 60, 120, 180, 240, 300, 360, 420, 480, 540, 600, 1_200, 1_800, 3_600, 7_200];

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
    /// Whether tags code and store time of each message are written to ext files beside the consume queue, default false;
    /// without, a get by tags returns all messages that have theirs there, for the consumer to filter
    /// \[`enableConsumeQueueExt`\].
    pub enable_consume_queue_ext: bool,
    /// Length of an ext file in bytes, default 48 MiB \[`mappedFileSizeConsumeQueueExt`\].
    pub consume_queue_ext_segment_bytes: u64,
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
    /// Delays of the levels 1, 2, ...: in the units of the schedule topic stands when to deliver a message. Default
    /// 1s 5s 10s 30s 1m 2m 3m 4m 5m 6m 7m 8m 9m 10m 20m 30m 1h 2h \[`messageDelayLevel`\].
    pub message_delay_levels: Vec<Duration>,
    /// Whether messages are indexed by their keys, default true; without, queries find what was indexed before
    /// \[`messageIndexEnable`\].
    pub message_index_enable: bool,
    /// Hash slots of an index file, default 5,000,000; the file being written has 4 bytes of memory for each one used, in
    /// pages. Files made with another number are dropped and made again from the log \[`maxHashSlotNum`\].
    pub max_hash_slot_num: u32,
    /// One more than the items an index file holds, default 20,000,000; see `max_hash_slot_num` \[`maxIndexNum`\].
    pub max_index_num: u32,
    /// Most messages that one query by key returns, default 64 \[`maxMsgsNumBatch`\].
    pub max_msgs_num_batch: usize,
    /// When files are deleted and writes refused.
    pub retention: RetentionConfig,
    /// Hears how far recovery is, when a phase begins and then at most every 200 ms, on the threads that open the store. Default: nobody does.
    pub on_recovery: Option<RecoveryListener>,
}

/// When commit log files are deleted, oldest first and never the last, and when writes are refused for want of room.
#[derive(Debug, Clone)]
pub struct RetentionConfig {
    /// Hours of the day, local time, at which expired files are deleted, default 4 \[`deleteWhen`, separated by `;`\].
    pub delete_when: Vec<u8>,
    /// A file expires so long after its last write, default 72 hours \[`fileReservedTime`, in hours\].
    pub file_reserved_time: Duration,
    /// Above this use of the disk in percent expired files are deleted at any hour, default 75, kept between 10 and 95
    /// \[`diskMaxUsedSpaceRatio`\].
    pub disk_max_used_space_ratio: u8,
    /// Above this use of the disk in percent files are deleted whatever their age, default 85, kept between 30 and 85
    /// \[`diskSpaceCleanForciblyRatio`\].
    pub disk_space_clean_forcibly_ratio: u8,
    /// Above this use of the disk in percent writes are refused, until it is at most `disk_space_clean_forcibly_ratio`
    /// again; default 90, kept between 35 and 90 \[`diskSpaceWarningLevelRatio`\].
    pub disk_space_warning_level_ratio: u8,
    /// Above this use of the disk in percent writes are refused, and at it or below they are not, instead of what
    /// `disk_space_warning_level_ratio` says; with 100 only a write that fails tells of a full disk. Default `None`. Apache has
    /// no such setting.
    pub disk_full_ratio: Option<u8>,
    /// Whether files may be deleted before they expire because of `disk_space_clean_forcibly_ratio`, default true
    /// \[`cleanFileForciblyEnable`\].
    pub clean_file_forcibly_enable: bool,
    /// Files are deleted whatever their age while the disk has fewer bytes available than this; default `None`. Apache has
    /// no such setting.
    pub min_free_bytes: Option<u64>,
    /// Files are deleted whatever their age while the commit log's files have more bytes than this together; default
    /// `None`. Looked at every `clean_resource_interval`, so what is written meanwhile comes on top. Apache has no such
    /// setting.
    pub max_log_bytes: Option<u64>,
    /// How often all this is looked at, default 10 s; files are deleted from one minute after the start on
    /// \[`cleanResourceInterval`\].
    pub clean_resource_interval: Duration,
    /// Pause between two deletions, default 100 ms \[`deleteCommitLogFilesInterval`\].
    pub delete_commit_log_files_interval: Duration,
    /// Most files deleted each time because of age or use of the disk, default 10 \[`deleteFileBatchMax`\].
    pub delete_file_batch_max: usize,
}

impl Default for RetentionConfig {
    /// Apache's defaults.
    fn default() -> Self {
        Self {
            delete_when: vec![4],
            file_reserved_time: Duration::from_secs(72 * 3600),
            disk_max_used_space_ratio: 75,
            disk_space_clean_forcibly_ratio: 85,
            disk_space_warning_level_ratio: 90,
            disk_full_ratio: None,
            clean_file_forcibly_enable: true,
            min_free_bytes: None,
            max_log_bytes: None,
            clean_resource_interval: Duration::from_secs(10),
            delete_commit_log_files_interval: Duration::from_millis(100),
            delete_file_batch_max: 10,
        }
    }
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
            enable_consume_queue_ext: false,
            consume_queue_ext_segment_bytes: 48 << 20,
            max_open_consume_queue_files: 512,
            flush_disk_type: FlushDiskType::AsyncFlush,
            flush_interval_commit_log: Duration::from_millis(500),
            flush_interval_consume_queue: Duration::from_secs(1),
            flush_consume_queue_thorough_interval: Duration::from_secs(60),
            max_message_bytes: 4 << 20,
            max_transfer_bytes: 262_144,
            max_transfer_count: 32,
            max_filter_message_bytes: 16_000,
            message_delay_levels: DELAY_LEVEL_SECONDS.map(Duration::from_secs).to_vec(),
            message_index_enable: true,
            max_hash_slot_num: 5_000_000,
            max_index_num: 20_000_000,
            max_msgs_num_batch: 64,
            retention: RetentionConfig::default(),
            on_recovery: None,
        }
    }

    /// Refuses what no store can be made of, and rounds what can.
    pub(crate) fn check(&mut self) -> Result<(), StoreError> {
        let bytes = self.commit_log_segment_bytes;
        let wrong = |why| Err(StoreError::Config { name: "mappedFileSizeCommitLog", value: bytes, why });
        if bytes < MIN_SEGMENT_BYTES {
            return wrong("less than 1024 bytes");
        } else if bytes > i32::MAX as u64 {
            return wrong("a blank record could not tell its length");
        }
        self.check_index()?;
        let (name, value) = ("mappedFileSizeConsumeQueueExt", self.consume_queue_ext_segment_bytes);
        if value < ext::MIN_SEGMENT_BYTES {
            return Err(StoreError::Config { name, value, why: "less than one unit" });
        } else if value > i32::MAX as u64 {
            return Err(StoreError::Config { name, value, why: "Apache keeps it in an int" });
        }
        let unit_bytes = UNIT_BYTES as u64;
        self.consume_queue_segment_bytes = self.consume_queue_segment_bytes.max(1).next_multiple_of(unit_bytes);
        Ok(())
    }

    /// Apache keeps both numbers and the length of an index file in an int.
    fn check_index(&self) -> Result<(), StoreError> {
        let (slots, items) = (u64::from(self.max_hash_slot_num), u64::from(self.max_index_num));
        let wrong = |name, value, why| Err(StoreError::Config { name, value, why });
        if slots == 0 {
            wrong("maxHashSlotNum", slots, "an index file needs a slot")
        } else if items < 2 {
            wrong("maxIndexNum", items, "an index file of n items holds n - 1")
        } else if 40 + 4 * slots + 20 * items > i32::MAX as u64 {
            wrong("maxIndexNum", items, "an index file would be longer than 2,147,483,647 bytes")
        } else {
            Ok(())
        }
    }
}

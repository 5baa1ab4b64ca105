//! A `broker.conf` in Apache's form.

use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use rocketmq_store::{FlushDiskType, RetentionConfig};

use super::BrokerConfig;
use super::apache_keys::APACHE_KEYS;
use super::properties::{nearest, parse_properties};

/// A configuration file that was understood.
#[derive(Debug)]
pub struct BrokerConfigFile {
    /// The settings, defaults where the file says nothing.
    pub config: BrokerConfig,
    /// One line for each key that is unknown or has no effect here.
    pub warnings: Vec<String>,
}

/// Why a configuration file cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The value is not of the kind that the key takes.
    #[error("{key}={value}: {expected} expected")]
    BadValue {
        /// The key.
        key: String,
        /// What the file says.
        value: String,
        /// What could stand there.
        expected: &'static str,
    },
    /// Apache's broker can do this, this one cannot.
    #[error("{key}={value} is not supported: only {key}={supported} is")]
    NotSupported {
        /// The key.
        key: String,
        /// What the file says.
        value: String,
        /// The only value there is here.
        supported: &'static str,
    },
}

/// Keys for things that are not there: any other value than this one would be a promise that is not kept.
const ONLY_VALUES: &[(&str, &str)] = &[
    ("aclEnable", "false"),
    ("authenticationEnabled", "false"),
    ("authorizationEnabled", "false"),
    ("brokerId", "0"),
    ("brokerRole", "ASYNC_MASTER"),
    ("configManagerVersion", "v1"),
    ("duplicationEnable", "false"),
    ("enableControllerMode", "false"),
    ("enableDLegerCommitLog", "false"),
    ("enableLmq", "false"),
    ("enableMultiDispatch", "false"),
    ("enableSlaveActingMaster", "false"),
    ("enabledAppendPropCRC", "false"),
    ("haMasterAddress", ""),
    ("indexFileReadEnable", "true"),
    ("indexFileWriteEnable", "true"),
    ("indexRocksDBEnable", "false"),
    ("messageStorePlugIn", ""),
    ("metricsExporterType", "DISABLE"),
    ("rejectTransactionMessage", "false"),
    ("rocksdbCQDoubleWriteEnable", "false"),
    ("storeType", "default"),
    ("timerRocksDBEnable", "false"),
    ("transRocksDBEnable", "false"),
];

impl BrokerConfigFile {
    /// Reads the text of a `broker.conf`. A value that cannot be honoured is an error; a key without effect a warning.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let mut file = Self { config: BrokerConfig::default(), warnings: Vec::new() };
        let pairs = parse_properties(text);
        // The commit log's directory follows the root, unless it is named itself.
        for (key, value) in pairs.iter().filter(|(key, _)| key == "storePathRootDir") {
            let root: PathBuf = self::text(key, value.trim())?.into();
            file.config.store.commit_log_dir = root.join("commitlog");
            file.config.store.root = root;
        }
        for (key, value) in pairs.iter().filter(|(key, _)| key != "storePathRootDir") {
            file.apply(key, value.trim())?;
        }
        Ok(file)
    }

    fn apply(&mut self, key: &str, value: &str) -> Result<(), ConfigError> {
        if let Some((_, supported)) = ONLY_VALUES.iter().find(|(name, _)| *name == key) {
            return if value.eq_ignore_ascii_case(supported) {
                Ok(())
            } else {
                Err(ConfigError::NotSupported { key: key.to_owned(), value: value.to_owned(), supported })
            };
        }
        if self.apply_broker(key, value)? || self.apply_store(key, value)? {
            return Ok(());
        }
        if key == "enablePropertyFilter" && value.eq_ignore_ascii_case("true") {
            // Many a broker.conf has it without a consumer that needs it; one that does is refused by name.
            self.warnings
                .push("enablePropertyFilter: SQL92 filters are not there, consumers that use one are refused".into());
            return Ok(());
        }
        self.warnings.push(if APACHE_KEYS.split(' ').any(|name| name == key) {
            format!("{key}: a setting of Apache's broker that has no effect on this one")
        } else {
            match nearest(key, APACHE_KEYS.split(' ')) {
                Some(name) => format!("{key}: no such setting; did you mean {name}?"),
                None => format!("{key}: no such setting"),
            }
        });
        Ok(())
    }

    /// Whether the key is one of the broker's.
    fn apply_broker(&mut self, key: &str, value: &str) -> Result<bool, ConfigError> {
        let config = &mut self.config;
        match key {
            "brokerClusterName" => config.broker_cluster_name = text(key, value)?,
            "brokerName" => config.broker_name = text(key, value)?,
            "bindAddress" => config.bind_address = parse::<IpAddr>(key, value, "an IP address")?,
            "listenPort" => config.listen_port = parse(key, value, "a port")?,
            "brokerIP1" => config.broker_ip1 = Some(text(key, value)?),
            "namesrvAddr" => {
                let addresses = value.split(';').map(str::trim).filter(|address| !address.is_empty());
                config.namesrv_addrs = addresses.map(str::to_owned).collect();
            }
            "brokerPermission" => config.broker_permission = parse(key, value, "permission bits")?,
            "defaultTopicQueueNums" => config.default_topic_queue_nums = number(key, value)?,
            "autoCreateTopicEnable" => config.auto_create_topic_enable = flag(key, value)?,
            "autoCreateSubscriptionGroup" => config.auto_create_subscription_group = flag(key, value)?,
            "clusterTopicEnable" => config.cluster_topic_enable = flag(key, value)?,
            "brokerTopicEnable" => config.broker_topic_enable = flag(key, value)?,
            "defaultQueryMaxNum" => config.default_query_max_num = number(key, value)?,
            "traceTopicEnable" => config.trace_topic_enable = flag(key, value)?,
            "msgTraceTopicName" => config.msg_trace_topic_name = text(key, value)?,
            "traceOn" => config.trace_on = flag(key, value)?,
            "regionId" => config.region_id = text(key, value)?,
            "reviveQueueNum" => config.revive_queue_num = number(key, value)?,
            "timerWheelEnable" => config.timer_wheel_enable = flag(key, value)?,
            "startAcceptSendRequestTimeStamp" => config.start_accept_send_request_timestamp = number(key, value)?,
            "longPollingEnable" => config.long_polling_enable = flag(key, value)?,
            "shortPollingTimeMills" => config.short_polling_time_mills = number(key, value)?,
            "litePullMessageEnable" => config.lite_pull_message_enable = flag(key, value)?,
            "notifyConsumerIdsChangedEnable" => config.notify_consumer_ids_changed_enable = flag(key, value)?,
            "channelExpiredTimeout" => config.channel_expired_timeout = number(key, value)?,
            "flushConsumerOffsetInterval" => config.flush_consumer_offset_interval = number(key, value)?,
            "consumerOffsetUpdateVersionStep" => config.consumer_offset_update_version_step = number(key, value)?,
            "registerNameServerPeriod" => config.register_name_server_period = number(key, value)?,
            "registerBrokerTimeoutMills" => config.register_broker_timeout_mills = number(key, value)?,
            "syncFlushTimeout" => config.sync_flush_timeout = number(key, value)?,
            "haListenPort" => config.ha_listen_port = parse(key, value, "a port")?,
            "validateSystemTopicWhenUpdateTopic" => {
                config.validate_system_topic_when_update_topic = flag(key, value)?;
            }
            "clearRetryTopicWhenDeleteTopic" => config.clear_retry_topic_when_delete_topic = flag(key, value)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Whether the key is one of the store's.
    fn apply_store(&mut self, key: &str, value: &str) -> Result<bool, ConfigError> {
        let store = &mut self.config.store;
        match key {
            "storePathCommitLog" if value.contains(',') => {
                return Err(bad(key, value, "one directory"));
            }
            "storePathCommitLog" => store.commit_log_dir = text(key, value)?.into(),
            "mappedFileSizeCommitLog" => store.commit_log_segment_bytes = number(key, value)?,
            "mappedFileSizeConsumeQueue" => store.consume_queue_segment_bytes = number(key, value)?,
            "enableConsumeQueueExt" => store.enable_consume_queue_ext = flag(key, value)?,
            "mappedFileSizeConsumeQueueExt" => store.consume_queue_ext_segment_bytes = number(key, value)?,
            "flushDiskType" => {
                store.flush_disk_type = match value {
                    "ASYNC_FLUSH" => FlushDiskType::AsyncFlush,
                    "SYNC_FLUSH" => FlushDiskType::SyncFlush,
                    _ => return Err(bad(key, value, "ASYNC_FLUSH or SYNC_FLUSH")),
                };
            }
            "flushIntervalCommitLog" => store.flush_interval_commit_log = millis(key, value)?,
            "flushIntervalConsumeQueue" => store.flush_interval_consume_queue = millis(key, value)?,
            "flushConsumeQueueThoroughInterval" => {
                store.flush_consume_queue_thorough_interval = millis(key, value)?;
            }
            "maxMessageSize" => store.max_message_bytes = number(key, value)?,
            "maxTransferBytesOnMessageInMemory" => store.max_transfer_bytes = number(key, value)?,
            "maxTransferCountOnMessageInMemory" => store.max_transfer_count = number(key, value)?,
            "maxFilterMessageSize" => store.max_filter_message_bytes = number(key, value)?,
            "messageDelayLevel" => store.message_delay_levels = delay_levels(key, value)?,
            "messageIndexEnable" => store.message_index_enable = flag(key, value)?,
            "maxHashSlotNum" => store.max_hash_slot_num = number(key, value)?,
            "maxIndexNum" => store.max_index_num = number(key, value)?,
            "maxMsgsNumBatch" => store.max_msgs_num_batch = number(key, value)?,
            _ => return apply_retention(&mut store.retention, key, value),
        }
        Ok(true)
    }
}

/// Whether the key says when files are deleted. `diskFullRatio`, `commitLogMaxBytes` and
/// `diskMinFreeBytes` are not Apache's.
fn apply_retention(retention: &mut RetentionConfig, key: &str, value: &str) -> Result<bool, ConfigError> {
    match key {
        "deleteWhen" => retention.delete_when = hours(key, value)?,
        "fileReservedTime" => {
            let hours: u32 = number(key, value)?;
            retention.file_reserved_time = Duration::from_secs(u64::from(hours) * 3600);
        }
        "diskMaxUsedSpaceRatio" => retention.disk_max_used_space_ratio = number(key, value)?,
        "diskSpaceCleanForciblyRatio" => retention.disk_space_clean_forcibly_ratio = number(key, value)?,
        "diskSpaceWarningLevelRatio" => retention.disk_space_warning_level_ratio = number(key, value)?,
        "diskFullRatio" => retention.disk_full_ratio = Some(number(key, value)?),
        "cleanFileForciblyEnable" => retention.clean_file_forcibly_enable = flag(key, value)?,
        "cleanResourceInterval" => retention.clean_resource_interval = millis(key, value)?,
        "deleteCommitLogFilesInterval" => retention.delete_commit_log_files_interval = millis(key, value)?,
        "deleteFileBatchMax" => retention.delete_file_batch_max = number(key, value)?,
        "commitLogMaxBytes" => retention.max_log_bytes = Some(number(key, value)?),
        "diskMinFreeBytes" => retention.min_free_bytes = Some(number(key, value)?),
        _ => return Ok(false),
    }
    Ok(true)
}

fn hours(key: &str, value: &str) -> Result<Vec<u8>, ConfigError> {
    let hours = value.split(';').map(|hour| hour.trim().parse().ok().filter(|hour| *hour < 24));
    hours.collect::<Option<_>>().ok_or_else(|| bad(key, value, "hours from 00 to 23, separated by ;,"))
}

/// (`DefaultMessageStore#parseDelayLevel`)
fn delay_levels(key: &str, value: &str) -> Result<Vec<Duration>, ConfigError> {
    let level = |level: &str| {
        let unit_seconds = match level.chars().last()? {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            _ => return None,
        };
        let count: u64 = level.get(..level.len() - 1)?.parse().ok()?;
        // A time of delivery is kept in milliseconds in a long.
        count.checked_mul(unit_seconds).filter(|seconds| *seconds <= i64::MAX as u64 / 1_000).map(Duration::from_secs)
    };
    let levels = value.split(' ').map(level).collect::<Option<_>>();
    levels.ok_or_else(|| bad(key, value, "times such as 30s, 5m, 2h or 1d, separated by one blank,"))
}

fn bad(key: &str, value: &str, expected: &'static str) -> ConfigError {
    ConfigError::BadValue { key: key.to_owned(), value: value.to_owned(), expected }
}

fn parse<T: FromStr>(key: &str, value: &str, expected: &'static str) -> Result<T, ConfigError> {
    value.parse().ok().ok_or_else(|| bad(key, value, expected))
}

fn number<T: FromStr + Default + PartialOrd>(key: &str, value: &str) -> Result<T, ConfigError> {
    let number: T = parse(key, value, "a number")?;
    if number < T::default() { Err(bad(key, value, "a number from 0")) } else { Ok(number) }
}

fn millis(key: &str, value: &str) -> Result<Duration, ConfigError> {
    number(key, value).map(Duration::from_millis)
}

fn flag(key: &str, value: &str) -> Result<bool, ConfigError> {
    match value {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(bad(key, value, "true or false")),
    }
}

fn text(key: &str, value: &str) -> Result<String, ConfigError> {
    if value.is_empty() { Err(bad(key, value, "a value")) } else { Ok(value.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_apache_broker_conf_is_understood() {
        let file = BrokerConfigFile::parse(
            "brokerClusterName = C\nbrokerName=b-1\nbrokerId=0\nnamesrvAddr=10.0.0.1:9876;10.0.0.2:9876\n\
             brokerIP1=10.0.0.3\nlistenPort=20911\nstorePathRootDir=/data/rmq\nflushDiskType=SYNC_FLUSH\n\
             brokerRole=ASYNC_MASTER\nautoCreateTopicEnable=false\nsendMessageThreadPoolNums=4\n",
        )
        .unwrap();
        let config = file.config;
        assert_eq!(config.broker_cluster_name, "C");
        assert_eq!(config.broker_name, "b-1");
        assert_eq!(config.namesrv_addrs, ["10.0.0.1:9876", "10.0.0.2:9876"]);
        assert_eq!(config.advertised_host(), "10.0.0.3");
        assert_eq!(config.listen_port, 20911);
        assert_eq!(config.store.root.to_str(), Some("/data/rmq"));
        assert!(matches!(config.store.flush_disk_type, FlushDiskType::SyncFlush));
        assert!(!config.auto_create_topic_enable);
        assert_eq!(
            file.warnings,
            ["sendMessageThreadPoolNums: a setting of Apache's broker that has no effect on this one"]
        );
    }

    #[test]
    fn what_is_deleted_when_is_understood() {
        let file = BrokerConfigFile::parse(
            "deleteWhen=04;16\nfileReservedTime=48\ndiskMaxUsedSpaceRatio=60\ndeleteFileBatchMax=3\n\
             cleanResourceInterval=5000\ncommitLogMaxBytes=5000000000\n",
        )
        .unwrap();
        let retention = file.config.store.retention;
        assert_eq!(retention.delete_when, [4, 16]);
        assert_eq!(retention.file_reserved_time, Duration::from_secs(48 * 3600));
        assert_eq!((retention.disk_max_used_space_ratio, retention.delete_file_batch_max), (60, 3));
        assert_eq!(retention.clean_resource_interval, Duration::from_secs(5));
        assert_eq!((retention.max_log_bytes, retention.min_free_bytes), (Some(5_000_000_000), None));
        assert!(file.warnings.is_empty());
        for line in ["deleteWhen=24", "deleteWhen=", "deleteWhen=4,5", "diskMaxUsedSpaceRatio=300"] {
            assert!(matches!(BrokerConfigFile::parse(line), Err(ConfigError::BadValue { .. })), "{line}");
        }
    }

    #[test]
    fn delay_levels_are_understood_and_what_apache_would_stop_reading_at_is_refused() {
        let file = BrokerConfigFile::parse("messageDelayLevel=1s 5m 2h 3d 0s\n").unwrap();
        let seconds = [1, 300, 7_200, 259_200, 0].map(Duration::from_secs);
        assert_eq!((file.config.store.message_delay_levels.as_slice(), file.warnings), (seconds.as_slice(), vec![]));
        for value in ["", "1s  5s", "5", "s", "1w", "-1s", "1s,5s", "1é", "99999999999999999999s", "9999999999999999d"]
        {
            let error = BrokerConfigFile::parse(&format!("messageDelayLevel={value}")).unwrap_err();
            assert!(matches!(error, ConfigError::BadValue { .. }), "{value}: {error}");
        }
    }

    #[test]
    fn consume_queue_ext_files_can_be_asked_for() {
        let file = BrokerConfigFile::parse("enableConsumeQueueExt=true\nmappedFileSizeConsumeQueueExt=2000\n").unwrap();
        let store = file.config.store;
        assert_eq!((store.enable_consume_queue_ext, store.consume_queue_ext_segment_bytes), (true, 2000));
        assert!(file.warnings.is_empty());
    }

    #[test]
    fn an_unknown_key_is_a_warning_with_the_nearest_name() {
        let file = BrokerConfigFile::parse("listenPorts=1\n").unwrap();
        assert_eq!(file.warnings, ["listenPorts: no such setting; did you mean listenPort?"]);
    }

    #[test]
    fn what_this_broker_cannot_do_is_an_error() {
        for line in ["brokerRole=SLAVE", "enableDLegerCommitLog=true", "storeType=defaultRocksDB", "brokerId=1"] {
            let error = BrokerConfigFile::parse(line).unwrap_err();
            assert!(matches!(error, ConfigError::NotSupported { .. }), "{line}: {error}");
        }
        let error = BrokerConfigFile::parse("listenPort=many").unwrap_err();
        assert_eq!(error.to_string(), "listenPort=many: a port expected");
    }
}

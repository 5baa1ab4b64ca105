//! Names of topics and groups: what is allowed, what is reserved (`common/topic/TopicValidator.java`,
//! `common/MixAll.java`).

/// Prefix of a group's retry topic.
pub const RETRY_GROUP_TOPIC_PREFIX: &str = "%RETRY%";
/// Prefix of a group's dead letter topic.
pub const DLQ_GROUP_TOPIC_PREFIX: &str = "%DLQ%";
/// Template from which a topic is created when a producer sends to one that does not exist.
pub const AUTO_CREATE_TOPIC_KEY_TOPIC: &str = "TBW102";
/// Where messages of a delay level wait.
pub const RMQ_SYS_SCHEDULE_TOPIC: &str = "SCHEDULE_TOPIC_XXXX";
/// Where timer messages wait.
pub const TIMER_TOPIC: &str = "rmq_sys_wheel_timer";
/// Prefix of topics that belong to the system.
pub const SYSTEM_TOPIC_PREFIX: &str = "rmq_sys_";
/// Prefix of the system's own consumer groups.
pub const CID_RMQ_SYS_PREFIX: &str = "CID_RMQ_SYS_";

/// Apache's hint at the end of many error remarks (`common/help/FAQUrl.java#suggestTodo`).
pub const SUGGEST_TODO: &str = "\nSee https://rocketmq.apache.org/docs/bestPractice/06FAQ for further details.";

const TOPIC_MAX_LENGTH: usize = 127;
const GROUP_MAX_LENGTH: usize = 120;
const RETRY_OR_DLQ_TOPIC_MAX_LENGTH: usize = 255;

const SYSTEM_TOPICS: [&str; 12] = [
    AUTO_CREATE_TOPIC_KEY_TOPIC,
    RMQ_SYS_SCHEDULE_TOPIC,
    "BenchmarkTest",
    "RMQ_SYS_TRANS_HALF_TOPIC",
    "RMQ_SYS_TRACE_TOPIC",
    "RMQ_SYS_TRANS_OP_HALF_TOPIC",
    "TRANS_CHECK_MAX_TIME_TOPIC",
    "SELF_TEST_TOPIC",
    "OFFSET_MOVED_EVENT",
    "CHECKPOINT_TOPIC",
    "RMQ_SYS_ROCKSDB_TRANS_HALF_TOPIC",
    "RMQ_SYS_ROCKSDB_TRANS_OP_HALF_TOPIC",
];

const NOT_ALLOWED_SEND_TOPICS: [&str; 8] = [
    RMQ_SYS_SCHEDULE_TOPIC,
    "RMQ_SYS_TRANS_HALF_TOPIC",
    "RMQ_SYS_TRANS_OP_HALF_TOPIC",
    "TRANS_CHECK_MAX_TIME_TOPIC",
    "SELF_TEST_TOPIC",
    "OFFSET_MOVED_EVENT",
    "RMQ_SYS_ROCKSDB_TRANS_HALF_TOPIC",
    "RMQ_SYS_ROCKSDB_TRANS_OP_HALF_TOPIC",
];

/// The retry topic of a consumer group.
pub fn retry_topic(group: &str) -> String {
    format!("{RETRY_GROUP_TOPIC_PREFIX}{group}")
}

/// The dead letter topic of a consumer group.
pub fn dlq_topic(group: &str) -> String {
    format!("{DLQ_GROUP_TOPIC_PREFIX}{group}")
}

/// Whether a topic belongs to every broker, whatever its names (`TopicValidator#isSystemTopic`; the topics called after
/// the broker and its cluster are added by the topic table).
pub fn is_system_topic(topic: &str) -> bool {
    SYSTEM_TOPICS.contains(&topic) || topic.starts_with(SYSTEM_TOPIC_PREFIX)
}

/// Whether clients may not send to a topic (`TopicValidator#isNotAllowedSendTopic`).
pub fn is_not_allowed_send_topic(topic: &str) -> bool {
    NOT_ALLOWED_SEND_TOPICS.contains(&topic)
}

fn has_illegal_characters(name: &str) -> bool {
    !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'%' | b'-' | b'_' | b'|'))
}

/// Checks a topic name; the error is Apache's remark (`TopicValidator#validateTopic`).
pub fn validate_topic(topic: &str) -> Result<(), String> {
    if topic.trim().is_empty() {
        return Err("The specified topic is blank.".to_owned());
    }
    if has_illegal_characters(topic) {
        return Err(format!(
            "The specified topic: {topic}, contains illegal characters, allowing only ^[%|a-zA-Z0-9_-]+$"
        ));
    }
    if topic.starts_with(RETRY_GROUP_TOPIC_PREFIX) || topic.starts_with(DLQ_GROUP_TOPIC_PREFIX) {
        if topic.len() > RETRY_OR_DLQ_TOPIC_MAX_LENGTH {
            return Err(format!(
                "The specified topic is DLQ or Retry topic: {topic}, and it's longer than topic max length: \
                 {RETRY_OR_DLQ_TOPIC_MAX_LENGTH}"
            ));
        }
    } else if topic.len() > TOPIC_MAX_LENGTH {
        return Err(format!("The specified topic: {topic}, is longer than topic max length: {TOPIC_MAX_LENGTH}"));
    }
    Ok(())
}

/// Checks a group name; the error is Apache's remark (`TopicValidator#validateGroup`).
pub fn validate_group(group: &str) -> Result<(), String> {
    if group.trim().is_empty() {
        return Err("The specified group is blank.".to_owned());
    }
    if has_illegal_characters(group) {
        return Err(format!(
            "The specified group: {group}, contains illegal characters, allowing only ^[%|a-zA-Z0-9_-]+$"
        ));
    }
    if group.len() > GROUP_MAX_LENGTH {
        return Err(format!("The specified group: {group}, is longer than group max length: {GROUP_MAX_LENGTH}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_topic_may_have_127_characters_and_a_retry_topic_255() {
        assert!(validate_topic(&"t".repeat(127)).is_ok());
        assert!(validate_topic(&"t".repeat(128)).is_err());
        assert!(validate_topic(&retry_topic(&"g".repeat(248))).is_ok());
        assert!(validate_topic(&retry_topic(&"g".repeat(249))).is_err());
    }

    #[test]
    fn names_allow_letters_digits_and_four_signs() {
        assert!(validate_topic("aZ09_-%|").is_ok());
        for bad in ["", " ", "a b", "a.b", "a@b", "тема"] {
            assert!(validate_topic(bad).is_err(), "{bad:?}");
            assert!(validate_group(bad).is_err(), "{bad:?}");
        }
    }
}

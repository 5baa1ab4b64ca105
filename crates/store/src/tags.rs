//! The tags code of a unit: the hash of the message's tags, or the time to deliver a message of the schedule topic at.
//! (`CommitLog#checkMessageAndReturnSize`)

use std::time::Duration;

use rocketmq_codec::message::properties;

/// Where delayed messages wait (`TopicValidator#RMQ_SYS_SCHEDULE_TOPIC`).
pub(crate) const SCHEDULE_TOPIC: &str = "SCHEDULE_TOPIC_XXXX";

/// The tags code of a message that may have no store timestamp yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TagsCode {
    Hash(i64),
    /// Milliseconds from storing to delivery.
    Delay(i64),
}

impl TagsCode {
    /// That of a message with these properties. Levels above the last count as the last; 0, negative ones and what is no
    /// number are none.
    pub(crate) fn of(topic: &str, properties: &str, delay_levels: &[Duration]) -> Self {
        Self::of_tags(properties::get(properties, properties::name::TAGS)).in_topic(topic, properties, delay_levels)
    }

    /// That of a message with these tags, wherever it goes, until [`in_topic`](TagsCode::in_topic) is told.
    pub(crate) fn of_tags(tags: Option<&str>) -> Self {
        Self::Hash(tags.map_or(0, |tags| properties::java_string_hash(tags).into()))
    }

    /// The same in a topic, which may be that of delayed messages.
    pub(crate) fn in_topic(self, topic: &str, properties: &str, delay_levels: &[Duration]) -> Self {
        if topic == SCHEDULE_TOPIC
            && let Some(level) = properties::get(properties, properties::name::DELAY)
            && let Ok(level @ 1..) = level.parse::<i32>()
            && let Some(last) = delay_levels.len().checked_sub(1)
        {
            let delay = delay_levels.get((level as usize - 1).min(last)).copied().unwrap_or_default();
            return Self::Delay(i64::try_from(delay.as_millis()).unwrap_or(i64::MAX));
        }
        self
    }

    /// What the unit says, now that the message is stored.
    pub(crate) fn stored_at(self, store_timestamp: i64) -> i64 {
        match self {
            Self::Hash(hash) => hash,
            Self::Delay(delay) => store_timestamp.saturating_add(delay),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(topic: &str, properties: &str) -> i64 {
        TagsCode::of(topic, properties, &[1, 5, 30].map(Duration::from_secs)).stored_at(1_000_000)
    }

    #[test]
    fn the_schedule_topic_has_the_time_of_delivery_for_a_level_and_all_others_the_hash_of_the_tags() {
        assert_eq!(code(SCHEDULE_TOPIC, "TAGS\u{1}a\u{2}DELAY\u{1}2\u{2}"), 1_005_000);
        assert_eq!(code(SCHEDULE_TOPIC, "DELAY\u{1}99\u{2}"), 1_030_000, "the last level");
        for level in ["0", "-1", "soon", "99999999999"] {
            assert_eq!(code(SCHEDULE_TOPIC, &format!("TAGS\u{1}a\u{2}DELAY\u{1}{level}\u{2}")), 97, "level {level}");
        }
        assert_eq!(code("Orders", "TAGS\u{1}a\u{2}DELAY\u{1}2\u{2}"), 97);
    }
}

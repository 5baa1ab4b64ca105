//! Light queues: more queues that a record of Apache's belongs to, named in its properties. This store does not put into
//! them, but keeps and rebuilds the units of those that are there. (`ConsumeQueue#multiDispatchLmqQueue`)

use rocketmq_codec::message::properties;

/// The property with the names of the queues, and the one with the offsets there, each joined by commas (`MessageConst`).
pub(crate) const QUEUES: &str = "INNER_MULTI_DISPATCH";
const OFFSETS: &str = "INNER_MULTI_QUEUE_OFFSET";

/// What names of light queues begin with (`MixAll#LMQ_PREFIX`); their number is 0.
const PREFIX: &str = "%LMQ%";

/// Whether the name is that of a light queue. (`MixAll#isLmq`)
pub(crate) fn is_light(name: &str) -> bool {
    name.starts_with(PREFIX)
}

/// Whether units of the topic's messages are made in light queues as well, if they name some.
/// (`MultiDispatchUtils#isNeedHandleMultiDispatch`)
fn may_have_light_queues(topic: &str) -> bool {
    !topic.starts_with("%RETRY%") && !topic.starts_with("rmq_sys_") && topic != crate::tags::SCHEDULE_TOPIC
}

/// Whether a message of the topic with these `names` as its [`QUEUES`] is to be put into a light queue.
/// Not of dead letters, which keep the property. (`MessageExtBrokerInner#needDispatchLMQ`, `MixAll#topicAllowsLMQ`)
pub(crate) fn names_light_queue(topic: &str, names: &str) -> bool {
    may_have_light_queues(topic) && !topic.starts_with("%DLQ%") && names.split(',').any(is_light)
}

/// Names of the light queues of a record and its offset in each. Names of other queues have no offset.
pub(crate) fn light_queues<'a>(topic: &str, text: &'a str) -> impl Iterator<Item = (&'a str, i64)> {
    let names = properties::get(text, QUEUES).filter(|_| may_have_light_queues(topic));
    let offsets = names.and_then(|_| properties::get(text, OFFSETS));
    let pairs = names.unwrap_or_default().split(',').zip(offsets.unwrap_or_default().split(','));
    pairs.filter_map(|(name, offset)| Some((name, offset.parse().ok()?))).filter(|(name, _)| is_light(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tags::SCHEDULE_TOPIC;

    #[test]
    fn a_record_names_its_light_queues_and_other_queues_are_passed_over() {
        let text = "INNER_MULTI_DISPATCH\u{1}%LMQ%a,other,%LMQ%b\u{2}INNER_MULTI_QUEUE_OFFSET\u{1}3,,0\u{2}";
        assert_eq!(light_queues("Orders", text).collect::<Vec<_>>(), [("%LMQ%a", 3), ("%LMQ%b", 0)]);
        for topic in ["%RETRY%group", "rmq_sys_any", SCHEDULE_TOPIC] {
            assert_eq!(light_queues(topic, text).count(), 0, "{topic}");
        }
        assert_eq!(light_queues("Orders", "INNER_MULTI_DISPATCH\u{1}%LMQ%a\u{2}").count(), 0, "no offsets");
    }

    #[test]
    fn only_light_queues_count_and_not_those_of_retries_dead_letters_and_system_topics() {
        assert!(names_light_queue("Orders", "other,%LMQ%a") && !names_light_queue("Orders", "other,LMQ"));
        for topic in ["%RETRY%group", "%DLQ%group", "rmq_sys_any", SCHEDULE_TOPIC] {
            assert!(!names_light_queue(topic, "%LMQ%a"), "{topic}");
        }
    }
}

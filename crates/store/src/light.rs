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

/// Names of the light queues of a record and its offset in each. Names of other queues have no offset.
pub(crate) fn light_queues<'a>(topic: &str, text: &'a str) -> impl Iterator<Item = (&'a str, i64)> {
    let never = topic.starts_with("%RETRY%") || topic.starts_with("rmq_sys_") || topic == crate::tags::SCHEDULE_TOPIC;
    let names = if never { None } else { properties::get(text, QUEUES) };
    let offsets = names.and_then(|_| properties::get(text, OFFSETS));
    let pairs = names.unwrap_or_default().split(',').zip(offsets.unwrap_or_default().split(','));
    pairs.filter_map(|(name, offset)| Some((name, offset.parse().ok()?))).filter(|(name, _)| is_light(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_names_its_light_queues_and_other_queues_are_passed_over() {
        let text = "INNER_MULTI_DISPATCH\u{1}%LMQ%a,other,%LMQ%b\u{2}INNER_MULTI_QUEUE_OFFSET\u{1}3,,0\u{2}";
        assert_eq!(light_queues("Orders", text).collect::<Vec<_>>(), [("%LMQ%a", 3), ("%LMQ%b", 0)]);
        for topic in ["%RETRY%group", "rmq_sys_any", "SCHEDULE_TOPIC_XXXX"] {
            assert_eq!(light_queues(topic, text).count(), 0, "{topic}");
        }
        assert_eq!(light_queues("Orders", "INNER_MULTI_DISPATCH\u{1}%LMQ%a\u{2}").count(), 0, "no offsets");
    }
}

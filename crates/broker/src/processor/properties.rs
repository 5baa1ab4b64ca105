//! What the broker changes in the properties of a message that is sent to it
//! (`SendMessageProcessor#sendMessage`, `AbstractSendMessageProcessor#buildMsgContext`).

use std::ops::Range;

use rocketmq_codec::message::properties::{NAME_VALUE_SEPARATOR, PROPERTY_SEPARATOR, name};

const LITE_TOPIC: &str = "__LITE_TOPIC";
/// Property that picks the queue by a number.
pub(super) const PRIORITY: &str = "_SYS_MSG_PRIORITY_";

/// What the properties say that decides how a message is handled.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Traits {
    /// Where UNIQ_KEY's value is in the edited text; `None` when the message has none.
    pub(crate) uniq_key: Option<Range<usize>>,
    /// DELAY, 0 when absent or not a number.
    pub(crate) delay_level: i32,
    /// One of the timer properties is there.
    pub(crate) is_timer: bool,
    /// TRAN_MSG=true: half message of a transaction.
    pub(crate) is_half: bool,
    /// WAIT=false: the answer does not wait for the disk.
    pub(crate) no_wait: bool,
    /// For a light-weight topic.
    pub(crate) is_lite: bool,
    /// REPLY_TO_CLIENT is there.
    pub(crate) wants_reply: bool,
    /// CORRELATION_ID is there.
    pub(crate) has_correlation_id: bool,
    /// MSG_TYPE=reply.
    pub(crate) is_reply: bool,
    /// INNER_NUM is there.
    pub(crate) has_inner_num: bool,
    /// Has a sharding key, so it is an ordered message.
    pub(crate) is_ordered: bool,
    /// `_SYS_MSG_PRIORITY_`, when it is a number from 0.
    pub(crate) priority: Option<i32>,
}

/// What every message gets: region, trace switch, cluster.
#[derive(Debug)]
pub(crate) struct BrokerProperties {
    text: String,
}

impl BrokerProperties {
    pub(crate) fn new(region: &str, trace_on: bool, cluster: &str) -> Self {
        let mut text = String::new();
        for (name, value) in [
            (name::MSG_REGION, region),
            (name::TRACE_SWITCH, if trace_on { "true" } else { "false" }),
            (name::CLUSTER, cluster),
        ] {
            push(&mut text, name, value);
        }
        Self { text }
    }

    /// Writes the properties as they are stored into `out`, which is emptied first: the producer's without those that only
    /// the broker sets, then the broker's. A missing UNIQ_KEY is left to the caller.
    pub(crate) fn edit(&self, source: &str, out: &mut String) -> Traits {
        let mut traits = Traits::default();
        out.clear();
        out.reserve(source.len() + self.text.len() + 64);
        for entry in source.split(PROPERTY_SEPARATOR) {
            // Entries that Java's reader drops are dropped here too.
            let Some((name, value)) = entry.split_once(NAME_VALUE_SEPARATOR) else { continue };
            if name.is_empty() || value.is_empty() {
                continue;
            }
            if traits.note(name, value, out.len() + name.len() + 1) {
                out.push_str(entry);
                out.push(PROPERTY_SEPARATOR);
            }
        }
        out.push_str(&self.text);
        traits
    }
}

impl Traits {
    /// A request whose sender waits for a reply.
    pub(crate) fn is_request(&self) -> bool {
        self.wants_reply && self.has_correlation_id && !self.is_reply
    }

    /// Takes note of a property; false when it is not to be stored. `value_at` is where its value will be.
    fn note(&mut self, name: &str, value: &str, value_at: usize) -> bool {
        match name {
            name::POP_CK | name::MSG_REGION | name::TRACE_SWITCH | name::CLUSTER => return false,
            name::UNIQ_KEY => self.uniq_key = Some(value_at..value_at + value.len()),
            name::WAIT => self.no_wait = !value.eq_ignore_ascii_case("true"),
            name::DELAY => self.delay_level = value.parse().unwrap_or_default(),
            name::TIMER_DELIVER_MS | name::TIMER_DELAY_MS | name::TIMER_DELAY_SEC => self.is_timer = true,
            name::TRANSACTION_PREPARED => self.is_half = value.eq_ignore_ascii_case("true"),
            name::REPLY_TO_CLIENT => self.wants_reply = true,
            name::CORRELATION_ID => self.has_correlation_id = true,
            name::MESSAGE_TYPE => self.is_reply = value == "reply",
            name::INNER_NUM => self.has_inner_num = true,
            name::SHARDING_KEY => self.is_ordered = true,
            LITE_TOPIC => self.is_lite = true,
            PRIORITY => {
                self.priority = value.parse().ok().filter(|priority| *priority >= 0);
                return self.priority.is_some();
            }
            _ => {}
        }
        true
    }
}

/// Appends a property to text that is empty or ends with a separator.
pub(crate) fn push(text: &mut String, name: &str, value: &str) {
    text.push_str(name);
    text.push(NAME_VALUE_SEPARATOR);
    text.push_str(value);
    text.push(PROPERTY_SEPARATOR);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edit(source: &str) -> (String, Traits) {
        let mut out = "left over".to_owned();
        let traits = BrokerProperties::new("R", true, "C").edit(source, &mut out);
        (out, traits)
    }

    #[test]
    fn the_broker_adds_its_own_and_removes_what_only_it_may_set() {
        let source = "UNIQ_KEY\u{1}ABC\u{2}POP_CK\u{1}x\u{2}CLUSTER\u{1}other\u{2}TAGS\u{1}TagA\u{2}empty\u{1}\u{2}";
        let (out, traits) = edit(source);
        assert_eq!(
            out,
            "UNIQ_KEY\u{1}ABC\u{2}TAGS\u{1}TagA\u{2}MSG_REGION\u{1}R\u{2}TRACE_ON\u{1}true\u{2}CLUSTER\u{1}C\u{2}"
        );
        assert_eq!(traits.uniq_key.map(|range| &out[range]), Some("ABC"));
    }

    #[test]
    fn the_last_property_may_lack_its_separator() {
        let (out, traits) = edit("WAIT\u{1}false\u{2}DELAY\u{1}3");
        assert!(out.starts_with("WAIT\u{1}false\u{2}DELAY\u{1}3\u{2}MSG_REGION\u{1}"), "{out:?}");
        assert_eq!((traits.delay_level, traits.no_wait), (3, true));
    }

    #[test]
    fn what_decides_the_handling_is_noticed() {
        let (_, traits) = edit("TRAN_MSG\u{1}true\u{2}TIMER_DELAY_SEC\u{1}5\u{2}_SYS_MSG_PRIORITY_\u{1}2\u{2}");
        assert!(traits.is_half && traits.is_timer);
        assert_eq!(traits.priority, Some(2));
        assert_eq!(edit("").1, Traits::default());
        let request = "CORRELATION_ID\u{1}id\u{2}REPLY_TO_CLIENT\u{1}client\u{2}";
        assert!(edit(request).1.is_request());
        assert!(!edit("CORRELATION_ID\u{1}id\u{2}").1.is_request());
        assert!(!edit(&format!("{request}MSG_TYPE\u{1}reply\u{2}")).1.is_request());
    }
}

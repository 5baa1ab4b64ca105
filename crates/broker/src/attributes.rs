//! Changes to the attributes of a topic or group (`common/attribute/AttributeUtil.java`, `AttributeParser.java`,
//! `common/TopicAttributes.java`). Errors are Apache's remarks.

use std::collections::BTreeMap;

/// Attribute values by name.
pub type Attributes = BTreeMap<String, String>;

/// Kinds of messages a topic may be marked for (`TopicMessageType.java`); LITE needs light-weight topics, which are not
/// there.
const MESSAGE_TYPES: [&str; 6] = ["UNSPECIFIED", "NORMAL", "FIFO", "DELAY", "TRANSACTION", "PRIORITY"];

/// Reads `+key=value,-key` (`AttributeParser#parseToMap`). Keys keep their sign.
pub fn parse(text: &str) -> Result<Attributes, String> {
    let mut attributes = Attributes::new();
    for change in text.split(',').filter(|change| !change.is_empty()) {
        let (key, value) = match change.split_once('=') {
            Some((key, _)) if !key.contains('+') => {
                return Err(format!("add/alter attribute format is wrong: {key}"));
            }
            Some((key, value)) => (key, value),
            None if !change.contains('-') => return Err(format!("delete attribute format is wrong: {change}")),
            None => (change, ""),
        };
        if attributes.insert(key.to_owned(), value.to_owned()).is_some() {
            return Err(format!("key duplication: {key}"));
        }
    }
    Ok(attributes)
}

/// The attributes of a topic after `changes`; `current` is `None` for a topic that is being created
/// (`AttributeUtil#alterCurrentAttributes`).
pub fn alter_topic_attributes(current: Option<Attributes>, changes: &Attributes) -> Result<Attributes, String> {
    alter(current, changes, verify_topic_attribute)
}

/// The attributes of a subscription group after `changes`. Apache's only ones belong to light-weight topics.
pub fn alter_group_attributes(current: Option<Attributes>, changes: &Attributes) -> Result<Attributes, String> {
    alter(current, changes, |key, _, _| Err(format!("unsupported key: {key}")))
}

/// `verify(key, value, is_new)`; the value is absent for a deletion.
fn alter(
    current: Option<Attributes>,
    changes: &Attributes,
    verify: impl Fn(&str, Option<&str>, bool) -> Result<(), String>,
) -> Result<Attributes, String> {
    let is_new = current.is_none();
    let mut attributes = current.unwrap_or_default();
    for (signed_key, value) in changes {
        let key = signed_key.get(1..).filter(|key| !key.is_empty() && !key.contains(['+', '-']));
        let key = key.ok_or("kv string format wrong.")?;
        if signed_key.starts_with('+') {
            verify(key, Some(value), is_new)?;
            attributes.insert(key.to_owned(), value.clone());
        } else if is_new {
            return Err(format!("only add attribute is supported while creating topic. key: {key}"));
        } else if signed_key.starts_with('-') {
            if attributes.remove(key).is_none() {
                return Err(format!("attempt to delete a nonexistent key: {key}"));
            }
            verify(key, None, is_new)?;
        } else {
            return Err(format!("wrong format key: {key}"));
        }
    }
    Ok(attributes)
}

fn verify_topic_attribute(key: &str, value: Option<&str>, is_new: bool) -> Result<(), String> {
    let one_of = |allowed: &[&str]| match value {
        Some(value) if !allowed.contains(&value) => Err(format!("value is not in set: {allowed:?}")),
        _ => Ok(()),
    };
    match key {
        "queue.type" | "cleanup.policy" if !is_new => {
            Err(format!("attempt to update an unchangeable attribute. key: {key}"))
        }
        "queue.type" if value == Some("BatchCQ") => {
            Err("queue.type=BatchCQ is not supported by this broker".to_owned())
        }
        "queue.type" => one_of(&["SimpleCQ"]),
        "cleanup.policy" if value == Some("COMPACTION") => {
            Err("cleanup.policy=COMPACTION is not supported by this broker".to_owned())
        }
        "cleanup.policy" => one_of(&["DELETE"]),
        "message.type" => one_of(&MESSAGE_TYPES),
        "reserve.time" => Err("Update topic reserveTime not supported".to_owned()),
        _ => Err(format!("unsupported key: {key}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attributes(pairs: &[(&str, &str)]) -> Attributes {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_new_topic_takes_additions_and_an_old_one_changes() {
        let created = alter_topic_attributes(None, &parse("+message.type=FIFO").unwrap()).unwrap();
        assert_eq!(created, attributes(&[("message.type", "FIFO")]));
        let changed = alter_topic_attributes(Some(created.clone()), &parse("+message.type=DELAY").unwrap()).unwrap();
        assert_eq!(changed, attributes(&[("message.type", "DELAY")]));
        assert!(alter_topic_attributes(Some(created), &parse("-message.type").unwrap()).unwrap().is_empty());
        assert!(alter_topic_attributes(None, &parse("-message.type").unwrap()).is_err());
    }

    #[test]
    fn kinds_of_topics_that_are_not_there_are_refused() {
        for change in ["+queue.type=BatchCQ", "+cleanup.policy=COMPACTION", "+message.type=LITE", "+colour=red"] {
            assert!(alter_topic_attributes(None, &parse(change).unwrap()).is_err(), "{change}");
        }
        assert!(parse("message.type=FIFO").is_err(), "a change without its sign");
    }
}

//! What a consumer wants of a topic (`remoting/protocol/filter/FilterAPI.java`, `broker/filter/ExpressionMessageFilter.java`).

use rocketmq_codec::body::SubscriptionData;
use rocketmq_store::TagFilter;

/// A subscription with its filter made ready.
#[derive(Debug)]
pub struct Subscription {
    /// As the consumer sent it.
    pub data: SubscriptionData,
    /// `None` lets everything through.
    pub filter: Option<TagFilter>,
}

impl Subscription {
    /// Makes the filter of a subscription from a heartbeat.
    pub fn new(data: SubscriptionData) -> Self {
        let everything = data.sub_string == SubscriptionData::SUB_ALL
            || data.class_filter_mode
            || !is_tag_type(&data.expression_type);
        let filter = (!everything).then(|| TagFilter::new(data.code_set.iter().copied()));
        Self { data, filter }
    }

    /// The subscription of a pull that brings its own expression (`FilterAPI#build`). `None` when it cannot be parsed.
    pub fn parse(topic: &str, expression: &str, expression_type: Option<&str>) -> Option<Self> {
        match expression_type {
            Some(other) if other != SubscriptionData::TAG => {
                let data = SubscriptionData {
                    topic: topic.to_owned(),
                    sub_string: expression.to_owned(),
                    expression_type: other.to_owned(),
                    ..SubscriptionData::default()
                };
                (!expression.is_empty()).then(|| Self::new(data))
            }
            _ => SubscriptionData::by_tags(topic, expression, 0).map(Self::new),
        }
    }

    /// Whether it filters by tags, the only kind there is here.
    pub fn is_tag_type(&self) -> bool {
        is_tag_type(&self.data.expression_type)
    }
}

/// `common/filter/ExpressionType.java#isTagType`.
pub fn is_tag_type(expression_type: &str) -> bool {
    expression_type.is_empty() || expression_type == SubscriptionData::TAG
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_expression_becomes_the_hash_codes_of_its_tags() {
        let subscription = Subscription::parse("T", "TagA || TagB", None).unwrap();
        assert!(subscription.data.tags_set.iter().eq(["TagA", "TagB"]));
        let filter = subscription.filter.unwrap();
        assert!(filter.matches(2_598_919), "String.hashCode of TagA");
        assert!(!filter.matches(0));
        assert!(Subscription::parse("T", "*", Some("TAG")).unwrap().filter.is_none());
        assert!(Subscription::parse("T", "||", None).is_none());
    }
}

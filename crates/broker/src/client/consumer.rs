//! Consumer groups that are connected (`broker/client/ConsumerManager.java`, `ConsumerGroupInfo.java`).

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use parking_lot::RwLock;
use rocketmq_codec::body::{ConsumeFromWhere, ConsumeType, ConsumerData, MessageModel, SubscriptionData};
use rocketmq_remoting::Connection;

use super::ClientChannelInfo;
use crate::filter::Subscription;

/// One connected group.
#[derive(Debug)]
struct ConsumerGroupInfo {
    consume_type: Option<ConsumeType>,
    message_model: Option<MessageModel>,
    consume_from_where: Option<ConsumeFromWhere>,
    subscriptions: HashMap<String, Arc<Subscription>>,
    channels: HashMap<u64, ClientChannelInfo>,
}

impl ConsumerGroupInfo {
    fn is_clustering(&self) -> bool {
        self.message_model != Some(MessageModel::Broadcasting)
    }

    fn connections(&self) -> Vec<Arc<Connection>> {
        self.channels.values().map(|client| Arc::clone(&client.connection)).collect()
    }

    /// Takes over what a heartbeat subscribes to; true when a topic was added or dropped. A higher version of a known
    /// topic replaces it silently.
    fn update_subscriptions(&mut self, wanted: &[SubscriptionData]) -> bool {
        let mut changed = false;
        for subscription in wanted {
            match self.subscriptions.get(&subscription.topic) {
                Some(known) if known.data.sub_version >= subscription.sub_version => {}
                known => {
                    changed |= known.is_none();
                    let compiled = Arc::new(Subscription::new(subscription.clone()));
                    self.subscriptions.insert(subscription.topic.clone(), compiled);
                }
            }
        }
        let before = self.subscriptions.len();
        self.subscriptions.retain(|topic, _| wanted.iter().any(|subscription| subscription.topic == *topic));
        changed || self.subscriptions.len() != before
    }
}

/// Members of a group to be told that its members changed.
#[derive(Debug)]
pub struct Change {
    /// The group.
    pub group: String,
    /// Who is in it now.
    pub members: Vec<Arc<Connection>>,
}

/// Why a group has no subscription that a pull could use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoSubscription {
    /// No member of the group is connected.
    NoGroup,
    /// No member subscribes to the topic.
    NoTopic,
}

/// What a group looks like to an administrator (203).
#[derive(Debug)]
pub struct GroupView {
    /// Members.
    pub channels: Vec<ClientChannelInfo>,
    /// How it consumes.
    pub consume_type: Option<ConsumeType>,
    /// Clustering or broadcasting.
    pub message_model: Option<MessageModel>,
    /// Where it starts.
    pub consume_from_where: Option<ConsumeFromWhere>,
    /// Topic to subscription.
    pub subscriptions: BTreeMap<String, SubscriptionData>,
}

/// Which consumers of which group are connected.
#[derive(Debug, Default)]
pub struct ConsumerManager {
    groups: RwLock<HashMap<String, ConsumerGroupInfo>>,
}

impl ConsumerManager {
    /// Takes over one group of a heartbeat (`#registerConsumer`; `without_sub` is `#registerConsumerWithoutSub`). The
    /// change is to be told to the members when the group wants that; broadcasting groups never do.
    pub fn register(&self, data: &ConsumerData, client: &ClientChannelInfo, without_sub: bool) -> Option<Change> {
        let mut groups = self.groups.write();
        let info = groups.entry(data.group_name.clone()).or_insert_with(|| ConsumerGroupInfo {
            consume_type: data.consume_type,
            message_model: data.message_model,
            consume_from_where: data.consume_from_where,
            subscriptions: HashMap::new(),
            channels: HashMap::new(),
        });
        info.consume_type = data.consume_type;
        info.message_model = data.message_model;
        info.consume_from_where = data.consume_from_where;
        let known = info.channels.insert(client.connection.id(), client.clone());
        let mut changed = known.is_none();
        if !without_sub {
            changed |= info.update_subscriptions(&data.subscription_data_set);
        }
        (changed && info.is_clustering())
            .then(|| Change { group: data.group_name.clone(), members: info.connections() })
    }

    /// Removes a consumer that said goodbye (`#unregisterConsumer`).
    pub fn unregister(&self, group: &str, connection: &Connection) -> Option<Change> {
        let mut groups = self.groups.write();
        let info = groups.get_mut(group)?;
        info.channels.remove(&connection.id());
        let change = info.is_clustering().then(|| Change { group: group.to_owned(), members: info.connections() });
        if info.channels.is_empty() {
            groups.remove(group);
        }
        change
    }

    /// Removes everything that came over a connection (`#doChannelCloseEvent`).
    pub fn disconnected(&self, connection: &Connection) -> Vec<Change> {
        let mut changes = Vec::new();
        self.groups.write().retain(|group, info| {
            if info.channels.remove(&connection.id()).is_some() && info.is_clustering() {
                changes.push(Change { group: group.clone(), members: info.connections() });
            }
            !info.channels.is_empty()
        });
        changes
    }

    /// Removes consumers without a heartbeat since `oldest_ms` and returns their connections; like Apache's
    /// `#scanNotActiveChannel` this tells nobody, the others learn it when the connection ends.
    pub fn remove_expired(&self, oldest_ms: i64) -> Vec<Arc<Connection>> {
        let mut expired = Vec::new();
        self.groups.write().retain(|_, info| {
            info.channels.retain(|_, client| {
                let lives = client.last_update_ms >= oldest_ms;
                if !lives {
                    expired.push(Arc::clone(&client.connection));
                }
                lives
            });
            !info.channels.is_empty()
        });
        expired
    }

    /// What the group subscribes to on the topic.
    pub fn subscription(&self, group: &str, topic: &str) -> Result<Arc<Subscription>, NoSubscription> {
        let groups = self.groups.read();
        let info = groups.get(group).ok_or(NoSubscription::NoGroup)?;
        info.subscriptions.get(topic).cloned().ok_or(NoSubscription::NoTopic)
    }

    /// Whether the group is connected and subscribes to topics, but not to this one.
    pub fn subscribes_only_to_others(&self, group: &str, topic: &str) -> bool {
        let groups = self.groups.read();
        groups.get(group).is_some_and(|info| !info.subscriptions.is_empty() && !info.subscriptions.contains_key(topic))
    }

    /// Whether the group is connected and broadcasting.
    pub fn is_broadcasting(&self, group: &str) -> bool {
        self.groups.read().get(group).is_some_and(|info| !info.is_clustering())
    }

    /// Client ids of the group's members; empty when none is connected.
    pub fn client_ids(&self, group: &str) -> Vec<String> {
        let groups = self.groups.read();
        groups
            .get(group)
            .map(|info| info.channels.values().map(|client| client.client_id.clone()).collect())
            .unwrap_or_default()
    }

    /// Connected groups that subscribe to the topic (`#queryTopicConsumeByWho`).
    pub fn groups_subscribing(&self, topic: &str) -> Vec<String> {
        let groups = self.groups.read();
        groups
            .iter()
            .filter(|(_, info)| info.subscriptions.contains_key(topic))
            .map(|(group, _)| group.clone())
            .collect()
    }

    /// The group as an administrator sees it; `None` when no member is connected.
    pub fn view(&self, group: &str) -> Option<GroupView> {
        let groups = self.groups.read();
        let info = groups.get(group)?;
        Some(GroupView {
            channels: info.channels.values().cloned().collect(),
            consume_type: info.consume_type,
            message_model: info.message_model,
            consume_from_where: info.consume_from_where,
            subscriptions: info
                .subscriptions
                .iter()
                .map(|(topic, subscription)| (topic.clone(), subscription.data.clone()))
                .collect(),
        })
    }
}

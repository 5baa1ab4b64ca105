//! Producer groups that are connected (`broker/client/ProducerManager.java`).

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use rocketmq_remoting::Connection;

use super::ClientChannelInfo;

/// Group to connection id to client.
type Groups = HashMap<String, HashMap<u64, ClientChannelInfo>>;

/// Which producers of which group are connected.
#[derive(Debug, Default)]
pub struct ProducerManager {
    groups: Mutex<Groups>,
}

impl ProducerManager {
    /// Adds a producer or notes that it lives.
    pub fn register(&self, group: &str, client: &ClientChannelInfo) {
        let mut groups = self.groups.lock();
        let channels = match groups.get_mut(group) {
            Some(channels) => channels,
            None => groups.entry(group.to_owned()).or_default(),
        };
        channels
            .entry(client.connection.id())
            .and_modify(|known| known.last_update_ms = client.last_update_ms)
            .or_insert_with(|| client.clone());
    }

    /// Removes a producer that said goodbye.
    pub fn unregister(&self, group: &str, connection: &Connection) {
        let mut groups = self.groups.lock();
        if let Some(channels) = groups.get_mut(group) {
            channels.remove(&connection.id());
            if channels.is_empty() {
                groups.remove(group);
            }
        }
    }

    /// Removes everything that came over a connection.
    pub fn disconnected(&self, connection: &Connection) {
        self.groups.lock().retain(|_, channels| {
            channels.remove(&connection.id());
            !channels.is_empty()
        });
    }

    /// Removes producers without a heartbeat since `oldest_ms` and returns their connections (`#scanNotActiveChannel`).
    pub fn remove_expired(&self, oldest_ms: i64) -> Vec<Arc<Connection>> {
        let mut expired = Vec::new();
        self.groups.lock().retain(|_, channels| {
            channels.retain(|_, client| {
                let lives = client.last_update_ms >= oldest_ms;
                if !lives {
                    expired.push(Arc::clone(&client.connection));
                }
                lives
            });
            !channels.is_empty()
        });
        expired
    }

    /// The producers of a group; `None` when none is connected.
    pub fn channels(&self, group: &str) -> Option<Vec<ClientChannelInfo>> {
        self.groups.lock().get(group).map(|channels| channels.values().cloned().collect())
    }
}

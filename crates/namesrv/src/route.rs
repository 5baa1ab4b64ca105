//! Brokers, clusters and the queues of topics (`namesrv/routeinfo/RouteInfoManager.java`).

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use rocketmq_codec::body::{
    BrokerData, ClusterInfo, DataVersion, MASTER_ID, QueueData, RegisterBrokerBody, TopicConfig, TopicList,
    TopicQueueMappingInfo, TopicRouteData, perm,
};
use rocketmq_remoting::Connection;

/// A broker that says nothing for so long is forgotten, unless it asked for another time.
const DEFAULT_BROKER_CHANNEL_EXPIRED: Duration = Duration::from_secs(120);

/// Cluster and address: what a broker process is known by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct BrokerAddrInfo {
    cluster_name: String,
    broker_addr: String,
}

impl BrokerAddrInfo {
    pub(crate) fn new(cluster_name: &str, broker_addr: &str) -> Self {
        Self { cluster_name: cluster_name.to_owned(), broker_addr: broker_addr.to_owned() }
    }
}

/// A broker process that registered.
#[derive(Debug)]
struct BrokerLiveInfo {
    last_update: Duration,
    timeout: Duration,
    data_version: DataVersion,
    connection: Arc<Connection>,
    ha_server_addr: String,
}

/// What a broker says of itself (103).
pub(crate) struct Registration<'a> {
    pub(crate) cluster_name: &'a str,
    pub(crate) broker_addr: &'a str,
    pub(crate) broker_name: &'a str,
    pub(crate) broker_id: i64,
    pub(crate) ha_server_addr: &'a str,
    pub(crate) zone_name: Option<&'a str>,
    /// Milliseconds; `None` is the default of 120 s.
    pub(crate) timeout: Option<i64>,
    pub(crate) enable_acting_master: Option<bool>,
    pub(crate) body: RegisterBrokerBody,
}

/// Where a registered slave finds its master.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct MasterOf {
    pub(crate) ha_server_addr: Option<String>,
    pub(crate) master_addr: Option<String>,
}

/// Everything the name server knows.
#[derive(Debug, Default)]
pub(crate) struct RouteTables {
    /// Topic to broker name to queues.
    topics: HashMap<String, BTreeMap<String, QueueData>>,
    brokers: BTreeMap<String, BrokerData>,
    clusters: BTreeMap<String, BTreeSet<String>>,
    live: HashMap<BrokerAddrInfo, BrokerLiveInfo>,
    filter_servers: HashMap<BrokerAddrInfo, Vec<String>>,
    /// Topic to broker name to the mapping of a static topic.
    mappings: HashMap<String, BTreeMap<String, TopicQueueMappingInfo>>,
}

impl RouteTables {
    /// Takes over a broker's registration. `None`: refused, because a broker that is not known yet came with exactly one
    /// topic, which must be an increment to a registration that got lost.
    pub(crate) fn register_broker(
        &mut self,
        registration: Registration<'_>,
        connection: &Arc<Connection>,
        now: Duration,
    ) -> Option<MasterOf> {
        let Registration { cluster_name, broker_addr, broker_name, broker_id, .. } = registration;
        let address = BrokerAddrInfo::new(cluster_name, broker_addr);
        let wrapper = registration.body.topic_config_serialize_wrapper;
        if self.is_older_than_registered(cluster_name, broker_name, broker_id, broker_addr, &wrapper.data_version) {
            self.live.remove(&address);
            return Some(MasterOf::default());
        }
        let known = self.brokers.get(broker_name).and_then(|broker| broker.broker_addrs.get(&broker_id));
        if known.is_none() && wrapper.topic_config_table.len() == 1 {
            return None;
        }
        self.clusters.entry(cluster_name.to_owned()).or_default().insert(broker_name.to_owned());
        let broker = self.brokers.entry(broker_name.to_owned()).or_insert_with(|| BrokerData {
            cluster: cluster_name.to_owned(),
            broker_name: broker_name.to_owned(),
            ..BrokerData::default()
        });
        broker.enable_acting_master = registration.enable_acting_master.unwrap_or(false);
        broker.zone_name = registration.zone_name.map(str::to_owned);
        // A slave that became master: one address must have one id only.
        broker.broker_addrs.retain(|id, address| address != broker_addr || *id == broker_id);
        let previous = broker.broker_addrs.insert(broker_id, broker_addr.to_owned());
        let register_first = previous.is_none_or(|address| address.is_empty());
        let is_master = broker_id == MASTER_ID;
        let is_prime_slave = registration.enable_acting_master.is_some()
            && !is_master
            && broker.broker_addrs.keys().next() == Some(&broker_id);
        if is_master || is_prime_slave {
            let wipe_write_perm = is_prime_slave && broker.enable_acting_master;
            let changed =
                register_first || self.live.get(&address).is_none_or(|live| live.data_version != wrapper.data_version);
            for config in wrapper.topic_config_table.values() {
                let unknown =
                    || !self.topics.get(&config.topic_name).is_some_and(|queues| queues.contains_key(broker_name));
                if changed || unknown() {
                    self.put_queue_data(broker_name, config, wipe_write_perm);
                }
            }
            if changed {
                for (topic, mapping) in wrapper.topic_queue_mapping_info_map.unwrap_or_default() {
                    self.mappings.entry(topic).or_default().insert(mapping.bname.clone(), mapping);
                }
            }
        }
        let timeout = registration.timeout.and_then(|ms| u64::try_from(ms).ok()).map(Duration::from_millis);
        let live = BrokerLiveInfo {
            last_update: now,
            timeout: timeout.unwrap_or(DEFAULT_BROKER_CHANNEL_EXPIRED),
            data_version: wrapper.data_version,
            connection: Arc::clone(connection),
            ha_server_addr: registration.ha_server_addr.to_owned(),
        };
        self.live.insert(address.clone(), live);
        match registration.body.filter_server_list {
            servers if servers.is_empty() => drop(self.filter_servers.remove(&address)),
            servers => drop(self.filter_servers.insert(address, servers)),
        }
        Some(if is_master { MasterOf::default() } else { self.master_of(cluster_name, broker_name) })
    }

    /// Whether another address holds the broker's id with a higher state version: a former master that does not know yet.
    fn is_older_than_registered(
        &self,
        cluster_name: &str,
        broker_name: &str,
        broker_id: i64,
        broker_addr: &str,
        version: &DataVersion,
    ) -> bool {
        self.brokers
            .get(broker_name)
            .and_then(|broker| broker.broker_addrs.get(&broker_id))
            .filter(|address| *address != broker_addr)
            .and_then(|address| self.live.get(&BrokerAddrInfo::new(cluster_name, address)))
            .is_some_and(|live| live.data_version.state_version > version.state_version)
    }

    fn master_of(&self, cluster_name: &str, broker_name: &str) -> MasterOf {
        let master_addr = self.brokers.get(broker_name).and_then(|broker| broker.broker_addrs.get(&MASTER_ID));
        let live = master_addr.and_then(|address| self.live.get(&BrokerAddrInfo::new(cluster_name, address)));
        match (master_addr, live) {
            (Some(address), Some(live)) => {
                MasterOf { ha_server_addr: Some(live.ha_server_addr.clone()), master_addr: Some(address.clone()) }
            }
            _ => MasterOf::default(),
        }
    }

    fn put_queue_data(&mut self, broker_name: &str, config: &TopicConfig, wipe_write_perm: bool) {
        let queue_data = QueueData {
            broker_name: broker_name.to_owned(),
            perm: if wipe_write_perm { config.perm & !perm::WRITE } else { config.perm },
            read_queue_nums: config.read_queue_nums,
            write_queue_nums: config.write_queue_nums,
            topic_sys_flag: config.topic_sys_flag,
        };
        self.topics.entry(config.topic_name.clone()).or_default().insert(broker_name.to_owned(), queue_data);
    }

    /// Adds the queues of one topic (217), unless they name a broker that is not registered.
    pub(crate) fn register_topic(&mut self, topic: &str, queue_datas: Vec<QueueData>) {
        if queue_datas.is_empty() || queue_datas.iter().any(|data| !self.brokers.contains_key(&data.broker_name)) {
            return;
        }
        let queues = self.topics.entry(topic.to_owned()).or_default();
        for data in queue_datas {
            queues.insert(data.broker_name.clone(), data);
        }
    }

    /// Forgets a topic, everywhere or on the brokers of one cluster.
    pub(crate) fn delete_topic(&mut self, topic: &str, cluster: Option<&str>) {
        let Some(cluster) = cluster else {
            self.topics.remove(topic);
            return;
        };
        let Some(brokers) = self.clusters.get(cluster) else { return };
        if let Some(queues) = self.topics.get_mut(topic) {
            queues.retain(|broker_name, _| !brokers.contains(broker_name));
            if queues.is_empty() {
                self.topics.remove(topic);
            }
        }
    }

    /// Notes that a broker lives and returns the version it registered with.
    pub(crate) fn touch_broker(&mut self, address: &BrokerAddrInfo, now: Duration) -> Option<DataVersion> {
        let live = self.live.get_mut(address)?;
        live.last_update = now;
        Some(live.data_version.clone())
    }

    /// Removes or restores the right to write of all topics on a broker. Returns how many those are.
    pub(crate) fn change_write_perm(&mut self, broker_name: &str, add: bool) -> i32 {
        let mut count = 0;
        for data in self.topics.values_mut().filter_map(|queues| queues.get_mut(broker_name)) {
            data.perm = if add { perm::READ | perm::WRITE } else { data.perm & !perm::WRITE };
            count += 1;
        }
        count
    }

    /// Forgets a broker process, and its name and queues when it was the last of that name.
    pub(crate) fn unregister_broker(&mut self, address: &BrokerAddrInfo, broker_name: &str) {
        self.live.remove(address);
        self.filter_servers.remove(address);
        let Some(broker) = self.brokers.get_mut(broker_name) else { return };
        broker.broker_addrs.retain(|_, known| *known != address.broker_addr);
        let no_master = !broker.broker_addrs.contains_key(&MASTER_ID);
        if !broker.broker_addrs.is_empty() {
            if broker.enable_acting_master && no_master {
                self.change_write_perm(broker_name, false);
            }
            return;
        }
        self.brokers.remove(broker_name);
        if let Some(names) = self.clusters.get_mut(&address.cluster_name) {
            names.remove(broker_name);
            if names.is_empty() {
                self.clusters.remove(&address.cluster_name);
            }
        }
        self.topics.retain(|_, queues| {
            queues.remove(broker_name);
            !queues.is_empty()
        });
    }

    /// Forgets the brokers that registered over a connection.
    pub(crate) fn connection_ended(&mut self, connection_id: u64) {
        self.forget(|live| live.connection.id() == connection_id);
    }

    /// Forgets the brokers that are silent for too long and returns their connections.
    pub(crate) fn expire(&mut self, now: Duration) -> Vec<Arc<Connection>> {
        self.forget(|live| live.last_update + live.timeout < now)
    }

    fn forget(&mut self, gone: impl Fn(&BrokerLiveInfo) -> bool) -> Vec<Arc<Connection>> {
        let addresses: Vec<_> =
            self.live.iter().filter(|(_, live)| gone(live)).map(|(address, _)| address.clone()).collect();
        let mut connections = Vec::with_capacity(addresses.len());
        for address in addresses {
            let owner = self.brokers.iter().find(|(_, broker)| {
                broker.cluster == address.cluster_name
                    && broker.broker_addrs.values().any(|known| *known == address.broker_addr)
            });
            let owner = owner.map(|(name, _)| name.clone()).unwrap_or_default();
            if let Some(live) = self.live.get(&address) {
                connections.push(Arc::clone(&live.connection));
            }
            self.unregister_broker(&address, &owner);
        }
        connections
    }

    /// Where the topic is (105); `None` when no registered broker has it.
    pub(crate) fn pickup_topic_route_data(&self, topic: &str) -> Option<TopicRouteData> {
        let queues = self.topics.get(topic)?;
        let broker_datas: Vec<_> = queues.keys().filter_map(|name| self.brokers.get(name)).cloned().collect();
        if broker_datas.is_empty() {
            return None;
        }
        let mut filter_server_table = BTreeMap::new();
        if !self.filter_servers.is_empty() {
            for broker in &broker_datas {
                for address in broker.broker_addrs.values() {
                    if let Some(servers) = self.filter_servers.get(&BrokerAddrInfo::new(&broker.cluster, address)) {
                        filter_server_table.insert(address.clone(), servers.clone());
                    }
                }
            }
        }
        Some(TopicRouteData {
            broker_datas,
            filter_server_table,
            order_topic_conf: None,
            queue_datas: queues.values().cloned().collect(),
            topic_queue_mapping_by_broker: self.mappings.get(topic).cloned(),
        })
    }

    /// All clusters with their brokers (106).
    pub(crate) fn cluster_info(&self) -> ClusterInfo {
        ClusterInfo { broker_addr_table: self.brokers.clone(), cluster_addr_table: self.clusters.clone() }
    }

    /// All topics (206).
    pub(crate) fn all_topics(&self) -> TopicList {
        TopicList { broker_addr: None, topic_list: self.topics.keys().cloned().collect() }
    }

    /// Topics with queues on a broker of the cluster (224); none for an unknown cluster.
    pub(crate) fn topics_of_cluster(&self, cluster: &str) -> TopicList {
        let brokers = self.clusters.get(cluster);
        let has_queues = |queues: &BTreeMap<String, QueueData>| {
            brokers.is_some_and(|brokers| queues.keys().any(|name| brokers.contains(name)))
        };
        let topics = self.topics.iter().filter(|(_, queues)| has_queues(queues)).map(|(topic, _)| topic.clone());
        TopicList { broker_addr: None, topic_list: topics.collect() }
    }

    /// Names of clusters and brokers, which are topics too, and one broker's address (304).
    pub(crate) fn system_topics(&self) -> TopicList {
        let names = self.clusters.iter().flat_map(|(cluster, brokers)| std::iter::once(cluster).chain(brokers));
        TopicList {
            broker_addr: self.brokers.values().find_map(|broker| broker.broker_addrs.values().next().cloned()),
            topic_list: names.cloned().collect(),
        }
    }
}

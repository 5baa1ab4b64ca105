//! Consumer groups as configured (`broker/subscription/SubscriptionGroupManager.java`).

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use rocketmq_codec::body::{DataVersion, SubscriptionGroupConfig, SubscriptionGroupWrapper};
use rocketmq_codec::json;

use crate::config::BrokerConfig;
use crate::error::BrokerError;
use crate::names;
use crate::persist::{TableFile, Then};

/// Groups that every broker knows (`SubscriptionGroupManager#init`).
const SYSTEM_GROUPS: [&str; 8] = [
    "TOOLS_CONSUMER",
    "FILTERSRV_CONSUMER",
    "SELF_TEST_C_GROUP",
    "CID_ONS-HTTP-PROXY",
    "CID_ONSAPI_PULL",
    "CID_ONSAPI_PERMISSION",
    "CID_ONSAPI_OWNER",
    "CID_RMQ_SYS_TRANS",
];

/// All configured consumer groups, in memory and in `config/subscriptionGroup.json`.
#[derive(Debug)]
pub struct SubscriptionGroupManager {
    table: RwLock<HashMap<String, Arc<SubscriptionGroupConfig>>>,
    /// Group to topic to bits of what is forbidden.
    forbidden: BTreeMap<String, BTreeMap<String, i32>>,
    data_version: Mutex<DataVersion>,
    /// Held over check and change.
    changes: Mutex<()>,
    file: TableFile,
    auto_create: bool,
}

impl SubscriptionGroupManager {
    /// The system groups, and over them what `config/subscriptionGroup.json` holds.
    pub fn load(config: &BrokerConfig, file: TableFile) -> Result<Self, BrokerError> {
        let mut table: HashMap<String, Arc<SubscriptionGroupConfig>> = HashMap::new();
        for group in SYSTEM_GROUPS {
            table.insert(group.to_owned(), Arc::new(plain(group)));
        }
        let mut data_version = DataVersion { timestamp: file.file().now_ms(), ..DataVersion::default() };
        let mut forbidden = BTreeMap::new();
        if let Some(stored) = file.file().load::<SubscriptionGroupWrapper>()? {
            for (name, group) in stored.subscription_group_table {
                table.insert(name, Arc::new(group));
            }
            forbidden = stored.forbidden_table;
            data_version = stored.data_version;
        }
        Ok(Self {
            table: RwLock::new(table),
            forbidden,
            data_version: Mutex::new(data_version),
            changes: Mutex::new(()),
            file,
            auto_create: config.auto_create_subscription_group,
        })
    }

    /// The group's configuration; a group that is not there is created when that is allowed
    /// (`#findSubscriptionGroupConfig`).
    pub fn find(&self, group: &str) -> Option<Arc<SubscriptionGroupConfig>> {
        if let Some(config) = self.get(group) {
            return Some(config);
        }
        let may_create = self.auto_create || group.starts_with(names::CID_RMQ_SYS_PREFIX);
        if !may_create || names::validate_group(group).is_err() {
            return None;
        }
        let _changing = self.changes.lock();
        Some(self.get(group).unwrap_or_else(|| self.put(plain(group))))
    }

    /// The group's configuration, if it is there.
    pub fn get(&self, group: &str) -> Option<Arc<SubscriptionGroupConfig>> {
        self.table.read().get(group).cloned()
    }

    /// Whether reading the topic is forbidden to the group (`#getForbidden` with `INDEX_PERM_READ`).
    pub fn is_read_forbidden(&self, group: &str, topic: &str) -> bool {
        const READ_BIT: i32 = 1 << 2;
        let bits = self.forbidden.get(group).and_then(|topics| topics.get(topic)).copied().unwrap_or_default();
        bits > 0 && bits & READ_BIT != 0
    }

    /// Creates or replaces a group; `config.attributes` are changes. The error is Apache's remark.
    pub fn update(&self, mut config: SubscriptionGroupConfig) -> Result<(), String> {
        let _changing = self.changes.lock();
        let current = self.get(&config.group_name).map(|current| current.attributes.clone());
        config.attributes = crate::attributes::alter_group_attributes(current, &config.attributes)?;
        self.put(config);
        Ok(())
    }

    /// Forgets a group.
    pub fn delete(&self, group: &str) {
        let _changing = self.changes.lock();
        if self.table.write().remove(group).is_some() {
            self.changed();
        }
    }

    /// Everything, as code 201 and the file have it.
    pub fn wrapper(&self) -> SubscriptionGroupWrapper {
        let table = self.table.read();
        SubscriptionGroupWrapper {
            subscription_group_table: table.iter().map(|(name, group)| (name.clone(), (**group).clone())).collect(),
            forbidden_table: self.forbidden.clone(),
            data_version: self.data_version.lock().clone(),
        }
    }

    /// Runs `then` when all changes so far are in the file, see [`TableFile::when_written`].
    pub fn when_written(&self, then: Then) {
        self.file.when_written(then);
    }

    /// Puts a group into the table; `changes` is held.
    fn put(&self, config: SubscriptionGroupConfig) -> Arc<SubscriptionGroupConfig> {
        let config = Arc::new(config);
        self.table.write().insert(config.group_name.clone(), Arc::clone(&config));
        self.changed();
        config
    }

    fn changed(&self) {
        self.data_version.lock().next(0, self.file.file().now_ms());
        self.file.changed();
    }

    /// Writes `config/subscriptionGroup.json` if anything changed since.
    pub fn persist(&self) {
        self.file.write(|| {
            let (version, content) = {
                let _unchanged = self.changes.lock();
                (self.file.newest(), self.wrapper())
            };
            (version, json::to_vec_pretty(&content))
        });
    }
}

fn plain(group: &str) -> SubscriptionGroupConfig {
    SubscriptionGroupConfig { group_name: group.to_owned(), ..SubscriptionGroupConfig::default() }
}

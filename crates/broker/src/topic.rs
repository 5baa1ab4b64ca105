//! The topic table (`broker/topic/TopicConfigManager.java`).

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::{Mutex, RwLock};
use rocketmq_codec::body::{DataVersion, TopicConfig, TopicConfigSerializeWrapper, perm};
use rocketmq_codec::json;
use rocketmq_env::prefetch_bytes;
use rocketmq_store::{MessageStore, QueueHandle};
use smol_str::SmolStr;

use crate::config::BrokerConfig;
use crate::error::BrokerError;
use crate::names;
use crate::persist::{TableFile, Then};

/// Most queues of a topic whose handles are kept with it. How many a topic has is whatever a client or a file says, up to
/// `i32::MAX`, and must not become memory.
const KEPT_QUEUES: usize = 1024;

/// How many of them, those with the lowest ids, lie in the topic itself: where there are so many topics that none is in a cache,
/// each access to memory counts that has to wait for the one before.
const INLINE_QUEUES: usize = 4;

/// One version of a topic's configuration with handles of its queues. A change of the configuration makes a new one.
#[derive(Debug)]
pub struct Topic {
    config: TopicConfig,
    /// Version of the table that the topic came with: once it is written a restart knows the topic.
    since: u64,
    /// Those with the lowest ids, from the first use on.
    queues: [OnceLock<QueueHandle>; INLINE_QUEUES],
    /// Those behind.
    more_queues: OnceLock<Box<[OnceLock<QueueHandle>]>>,
}

impl Topic {
    fn new(config: TopicConfig, since: u64) -> Self {
        Self { config, since, queues: Default::default(), more_queues: OnceLock::new() }
    }

    /// The configuration.
    pub fn config(&self) -> &TopicConfig {
        &self.config
    }

    /// The topic's name.
    pub fn name(&self) -> &str {
        &self.config.topic_name
    }

    /// A queue's handle; `None` for an id beyond both queue counts, and for a name that cannot be a directory's.
    pub fn queue(&self, store: &MessageStore, queue_id: i32) -> Option<Cow<'_, QueueHandle>> {
        let index = usize::try_from(queue_id).ok()?;
        if let Some(queue) = self.kept_queue(index) {
            return Some(Cow::Borrowed(queue));
        }
        let count = usize::try_from(self.config.read_queue_nums.max(self.config.write_queue_nums)).ok()?;
        if index >= count {
            return None;
        }
        let queue = store.queue(&self.config.topic_name, queue_id).ok()?;
        let slot = self.queues.get(index).or_else(|| {
            let more = || (INLINE_QUEUES..count.min(KEPT_QUEUES)).map(|_| OnceLock::new()).collect();
            self.more_queues.get_or_init(more).get(index - INLINE_QUEUES)
        });
        Some(match slot {
            Some(slot) => Cow::Borrowed(slot.get_or_init(|| queue)),
            None => Cow::Owned(queue),
        })
    }

    /// Tells the processor that a message is on its way to a queue.
    pub fn expect_queue(&self, queue_id: i32) {
        if let Some(queue) = usize::try_from(queue_id).ok().and_then(|index| self.kept_queue(index)) {
            queue.expect();
        }
    }

    fn kept_queue(&self, index: usize) -> Option<&QueueHandle> {
        match self.queues.get(index) {
            Some(slot) => slot.get(),
            None => self.more_queues.get()?.get(index - INLINE_QUEUES)?.get(),
        }
    }
}

/// All topics of the broker, in memory and in `config/topics.json`.
#[derive(Debug)]
pub struct TopicConfigManager {
    /// Names stand in the table itself, unless they are long.
    table: RwLock<HashMap<SmolStr, Arc<Topic>>>,
    /// Advances with every change of the table; lets a connection keep a topic without asking again.
    generation: AtomicU64,
    data_version: Mutex<DataVersion>,
    /// Held over check and change.
    changes: Mutex<()>,
    file: TableFile,
    auto_create_topic_enable: bool,
    own_system_topics: Vec<String>,
}

/// How a topic came out of [`TopicConfigManager::create_in_send_message`] and its kin.
#[derive(Debug)]
pub struct Created {
    /// The topic.
    pub topic: Arc<Topic>,
    /// It was not there before, so name servers do not know it yet.
    pub is_new: bool,
}

impl TopicConfigManager {
    /// The system topics, and over them what `config/topics.json` holds.
    pub fn load(config: &BrokerConfig, file: TableFile) -> Result<Self, BrokerError> {
        let system = system_topics(config);
        let own_system_topics = system.iter().map(|topic| topic.topic_name.clone()).collect();
        let mut table: HashMap<SmolStr, Arc<Topic>> = HashMap::new();
        for topic in system {
            table.insert(SmolStr::from(&topic.topic_name), Arc::new(Topic::new(topic, 0)));
        }
        let mut data_version = DataVersion { timestamp: file.file().now_ms(), ..DataVersion::default() };
        if let Some(stored) = file.file().load::<TopicConfigSerializeWrapper>()? {
            for (name, topic) in stored.topic_config_table {
                table.insert(SmolStr::from(name), Arc::new(Topic::new(topic, 0)));
            }
            data_version = stored.data_version;
        }
        Ok(Self {
            table: RwLock::new(table),
            generation: AtomicU64::new(1),
            data_version: Mutex::new(data_version),
            changes: Mutex::new(()),
            file,
            auto_create_topic_enable: config.auto_create_topic_enable,
            own_system_topics,
        })
    }

    /// The topic's current version.
    pub fn select(&self, topic: &str) -> Option<Arc<Topic>> {
        let table = self.table.read();
        let found = table.get(topic)?;
        // All of it at once, not line by line as it is used.
        prefetch_bytes(Arc::as_ptr(found).cast(), size_of::<Topic>());
        Some(Arc::clone(found))
    }

    /// Whether the topic exists.
    pub fn contains(&self, topic: &str) -> bool {
        self.table.read().contains_key(topic)
    }

    /// Changes whenever any topic changes.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Whether the topic is marked as ordered.
    pub fn is_order_topic(&self, topic: &str) -> bool {
        self.table.read().get(topic).is_some_and(|topic| topic.config.order)
    }

    /// Whether the name is a system topic of this broker (`TopicValidator#isSystemTopic`).
    pub fn is_system_topic(&self, topic: &str) -> bool {
        names::is_system_topic(topic) || self.own_system_topics.iter().any(|own| own == topic)
    }

    /// All configurations with the version they belong to.
    pub fn snapshot(&self) -> (BTreeMap<String, TopicConfig>, DataVersion) {
        let (topics, data_version, _) = self.current();
        (configs(&topics), data_version)
    }

    fn current(&self) -> (Vec<Arc<Topic>>, DataVersion, u64) {
        let _unchanged = self.changes.lock();
        (self.table.read().values().cloned().collect(), self.data_version(), self.file.newest())
    }

    /// The version of the table.
    pub fn data_version(&self) -> DataVersion {
        self.data_version.lock().clone()
    }

    /// Whether a restart knows the topic.
    pub fn is_on_disk(&self, topic: &Topic) -> bool {
        self.file.is_written(topic.since)
    }

    /// Runs `then` when all changes so far are in the file, see [`TableFile::when_written`].
    pub fn when_written(&self, then: Then) {
        self.file.when_written(then);
    }

    /// Makes the topic after a template that may be inherited from, as a producer's first send to it does
    /// (`#createTopicInSendMessageMethod`). `None` when the template does not allow it.
    pub fn create_in_send_message(
        &self,
        topic: &str,
        default_topic: &str,
        client_default_topic_queue_nums: i32,
        topic_sys_flag: i32,
    ) -> Option<Created> {
        let _changing = self.changes.lock();
        if let Some(topic) = self.select(topic) {
            return Some(Created { topic, is_new: false });
        }
        if default_topic == names::AUTO_CREATE_TOPIC_KEY_TOPIC && !self.auto_create_topic_enable {
            return None;
        }
        let template = self.select(default_topic)?;
        if template.config.perm & perm::INHERIT == 0 {
            return None;
        }
        let queue_nums = client_default_topic_queue_nums.min(template.config.write_queue_nums).max(0);
        let created = self.put(TopicConfig {
            read_queue_nums: queue_nums,
            write_queue_nums: queue_nums,
            perm: template.config.perm & !perm::INHERIT,
            topic_sys_flag,
            topic_filter_type: template.config.topic_filter_type,
            ..plain(topic, queue_nums, perm::READ | perm::WRITE)
        });
        Some(Created { topic: created, is_new: true })
    }

    /// Makes a retry or dead letter topic (`#createTopicInSendMessageBackMethod`).
    pub fn create_in_send_message_back(
        &self,
        topic: &str,
        queue_nums: i32,
        is_order: bool,
        topic_sys_flag: i32,
    ) -> Created {
        if let Some(existing) = self.select(topic).filter(|existing| existing.config.order == is_order) {
            return Created { topic: existing, is_new: false };
        }
        let _changing = self.changes.lock();
        match self.select(topic) {
            Some(existing) if existing.config.order == is_order => Created { topic: existing, is_new: false },
            Some(existing) => {
                let topic = self.put(TopicConfig { order: is_order, ..existing.config.clone() });
                Created { topic, is_new: false }
            }
            None => {
                let config = TopicConfig {
                    order: is_order,
                    topic_sys_flag,
                    ..plain(topic, queue_nums, perm::READ | perm::WRITE)
                };
                Created { topic: self.put(config), is_new: true }
            }
        }
    }

    /// Creates or replaces a topic. `config.attributes` are changes (`+key` sets, `-key` deletes) against those it has.
    /// Returns whether anything changed; the error is Apache's remark.
    pub fn update(&self, mut config: TopicConfig) -> Result<bool, String> {
        let _changing = self.changes.lock();
        let current = self.select(&config.topic_name);
        if current.as_ref().is_some_and(|current| current.config == config) {
            return Ok(false);
        }
        let attributes = current.as_ref().map(|current| current.config.attributes.clone());
        config.attributes = crate::attributes::alter_topic_attributes(attributes, &config.attributes)?;
        self.put(config);
        Ok(true)
    }

    /// Gives up the handles of a topic's queues: those of queues that were deleted take no messages any more.
    pub fn forget_queues(&self, topic: &str) {
        let _changing = self.changes.lock();
        if let Some(topic) = self.table.write().get_mut(topic) {
            *topic = Arc::new(Topic::new(topic.config.clone(), topic.since));
        }
        self.generation.fetch_add(1, Ordering::Release);
    }

    /// Removes a topic; whether it was there (`#deleteTopicConfig`).
    pub fn delete(&self, topic: &str) -> bool {
        let _changing = self.changes.lock();
        let was_there = self.table.write().remove(topic).is_some();
        if was_there {
            self.file.changed();
            self.changed();
        }
        was_there
    }

    /// Marks topics as ordered that a name server says are (`#updateOrderTopicConfig`).
    pub fn mark_order_topics<'a>(&self, topics: impl Iterator<Item = &'a str>) {
        let _changing = self.changes.lock();
        for topic in topics {
            if let Some(existing) = self.select(topic).filter(|existing| !existing.config.order) {
                self.put(TopicConfig { order: true, ..existing.config.clone() });
            }
        }
    }

    /// Puts a configuration into the table; `changes` is held.
    fn put(&self, config: TopicConfig) -> Arc<Topic> {
        // Before the topic can be seen: who sends to it must not take an older version for the one that has it.
        let version = self.file.changed();
        let since = self.select(&config.topic_name).map_or(version, |existing| existing.since);
        let topic = Arc::new(Topic::new(config, since));
        self.table.write().insert(SmolStr::from(topic.name()), Arc::clone(&topic));
        self.changed();
        topic
    }

    fn changed(&self) {
        self.data_version.lock().next(0, self.file.file().now_ms());
        self.generation.fetch_add(1, Ordering::Release);
    }

    /// Writes `config/topics.json` if anything changed since.
    pub fn persist(&self) {
        self.file.write(|| {
            let (topics, data_version, version) = self.current();
            let content = TopicConfigSerializeWrapper {
                topic_config_table: configs(&topics),
                data_version,
                ..TopicConfigSerializeWrapper::default()
            };
            (version, json::to_vec_pretty(&content))
        });
    }
}

fn configs(topics: &[Arc<Topic>]) -> BTreeMap<String, TopicConfig> {
    topics.iter().map(|topic| (topic.name().to_owned(), topic.config.clone())).collect()
}

fn plain(name: &str, queue_nums: i32, perm: i32) -> TopicConfig {
    TopicConfig {
        topic_name: name.to_owned(),
        read_queue_nums: queue_nums,
        write_queue_nums: queue_nums,
        perm,
        ..TopicConfig::default()
    }
}

/// What every broker has from the start (`TopicConfigManager#init`).
fn system_topics(config: &BrokerConfig) -> Vec<TopicConfig> {
    const READ_WRITE: i32 = perm::READ | perm::WRITE;
    let named_after = |name: &str, queue_nums: i32, enabled: bool| {
        plain(name, queue_nums, if enabled { perm::INHERIT | READ_WRITE } else { perm::INHERIT })
    };
    let cluster = &config.broker_cluster_name;
    let mut topics = vec![
        plain("SELF_TEST_TOPIC", 1, READ_WRITE),
        plain("BenchmarkTest", 1024, READ_WRITE),
        named_after(cluster, 16, config.cluster_topic_enable),
        named_after(&config.broker_name, 1, config.broker_topic_enable),
        plain("OFFSET_MOVED_EVENT", 1, READ_WRITE),
        plain(names::RMQ_SYS_SCHEDULE_TOPIC, 18, READ_WRITE),
        plain(&format!("{cluster}_REPLY_TOPIC"), 1, READ_WRITE),
        plain(&format!("rmq_sys_REVIVE_LOG_{cluster}"), config.revive_queue_num, READ_WRITE),
        plain(&format!("rmq_sys_SYNC_BROKER_MEMBER_{}", config.broker_name), 1, perm::INHERIT),
        plain("RMQ_SYS_TRANS_HALF_TOPIC", 1, READ_WRITE),
        plain("RMQ_SYS_TRANS_OP_HALF_TOPIC", 1, READ_WRITE),
        plain("RMQ_SYS_ROCKSDB_TRANS_HALF_TOPIC", 1, READ_WRITE),
        plain("RMQ_SYS_ROCKSDB_TRANS_OP_HALF_TOPIC", 1, READ_WRITE),
    ];
    if config.auto_create_topic_enable {
        let queue_nums = config.default_topic_queue_nums;
        topics.push(plain(names::AUTO_CREATE_TOPIC_KEY_TOPIC, queue_nums, perm::INHERIT | READ_WRITE));
    }
    if config.trace_topic_enable {
        topics.push(plain(&config.msg_trace_topic_name, 1, READ_WRITE));
    }
    if config.timer_wheel_enable {
        topics.push(plain(names::TIMER_TOPIC, 1, READ_WRITE));
    }
    topics
}

//! Registration with the name servers (`BrokerController#registerBrokerAll`, `broker/out/BrokerOuterAPI.java`).

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::Mutex;
use rocketmq_codec::body::{DataVersion, KVTable, RegisterBrokerBody, TopicConfigSerializeWrapper, perm};
use rocketmq_codec::header::{
    QueryDataVersionRequestHeader, RegisterBrokerRequestHeader, UnRegisterBrokerRequestHeader,
};
use rocketmq_codec::message::body_crc;
use rocketmq_codec::{EncodeHeader, json, request_code, response_code};
use rocketmq_env::{Clock, sleep};
use rocketmq_remoting::{Client, OwnedCommand};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::config::BrokerConfig;
use crate::event::BrokerEvent;
use crate::persist::Then;
use crate::topic::TopicConfigManager;

/// How long a name server has to take the farewell.
const UNREGISTER_TIMEOUT: Duration = Duration::from_secs(3);

/// Asks for registrations; the work is done by a [`Registrar`].
#[derive(Clone)]
pub struct Registration {
    requests: mpsc::UnboundedSender<Option<Then>>,
    rounds: watch::Receiver<u64>,
}

impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registration").field("rounds", &*self.rounds.borrow()).finish()
    }
}

impl Registration {
    /// The handle and what the registrar needs to hear it.
    pub(crate) fn new() -> (Self, RegistrationRequests) {
        let (requests, asked) = mpsc::unbounded_channel();
        let (rounds_done, rounds) = watch::channel(0);
        (Self { requests, rounds }, RegistrationRequests { asked, rounds_done })
    }

    /// Topics are new or changed: name servers are told at once.
    pub fn topics_changed(&self) {
        // An error means that the broker is stopping; it registers no more.
        let _ = self.requests.send(None);
    }

    /// As [`Registration::topics_changed`]; `then` runs when all name servers have answered or failed to.
    pub fn topics_changed_then(&self, then: Then) {
        if let Err(unsent) = self.requests.send(Some(then))
            && let Some(then) = unsent.0
        {
            then();
        }
    }

    /// Waits for the end of the first round.
    pub async fn first_round(&self) {
        // An error means that the broker is stopping.
        let _ = self.rounds.clone().wait_for(|rounds| *rounds > 0).await;
    }
}

/// The registrar's end of a [`Registration`].
pub(crate) struct RegistrationRequests {
    asked: mpsc::UnboundedReceiver<Option<Then>>,
    rounds_done: watch::Sender<u64>,
}

/// What a round of registrations tells.
struct Round {
    whole: RegisterBrokerBody,
    whole_body: OnceLock<Vec<u8>>,
    /// `None` when nothing changed since the round before, and when a topic went: what is left out of a registration stays
    /// as it is.
    increment: Option<Increment>,
}

/// The topics that changed since the round before. A name server takes over every topic of a registration with a new
/// version, so that one that brings all topics undoes `wipeWritePerm` for all of them
/// (`BrokerController#registerIncrementBrokerData`, `RouteInfoManager#registerBroker`).
struct Increment {
    /// The version of the round before; for a name server that has another one this is not enough.
    since: DataVersion,
    body: Vec<u8>,
}

impl Round {
    fn new(wrapper: TopicConfigSerializeWrapper, told: Option<&Round>) -> Self {
        let increment = told.and_then(|told| Increment::new(&told.whole.topic_config_serialize_wrapper, &wrapper));
        Self { whole: register_body(wrapper), whole_body: OnceLock::new(), increment }
    }

    fn whole_body(&self) -> &[u8] {
        self.whole_body.get_or_init(|| json::to_vec(&self.whole))
    }
}

impl Increment {
    fn new(before: &TopicConfigSerializeWrapper, now: &TopicConfigSerializeWrapper) -> Option<Self> {
        if before.topic_config_table.keys().any(|topic| !now.topic_config_table.contains_key(topic)) {
            return None;
        }
        let changed =
            now.topic_config_table.iter().filter(|(name, topic)| before.topic_config_table.get(*name) != Some(*topic));
        let topic_config_table: BTreeMap<_, _> = changed.map(|(name, topic)| (name.clone(), topic.clone())).collect();
        if topic_config_table.is_empty() {
            return None;
        }
        let changes = TopicConfigSerializeWrapper {
            data_version: now.data_version.clone(),
            mapping_data_version: now.mapping_data_version.clone(),
            topic_config_table,
            topic_queue_mapping_detail_map: now.topic_queue_mapping_detail_map.clone(),
            topic_queue_mapping_info_map: now.topic_queue_mapping_info_map.clone(),
        };
        Some(Self { since: before.data_version.clone(), body: json::to_vec(&register_body(changes)) })
    }
}

fn register_body(topic_config_serialize_wrapper: TopicConfigSerializeWrapper) -> RegisterBrokerBody {
    RegisterBrokerBody { filter_server_list: Vec::new(), topic_config_serialize_wrapper }
}

/// Registers the broker with every name server, in parallel.
pub(crate) struct Registrar {
    config: Arc<BrokerConfig>,
    topics: Arc<TopicConfigManager>,
    broker_addr: String,
    ha_server_addr: String,
    client: Arc<Client>,
    clock: Arc<dyn Clock>,
    /// Whether the last registration with each name server worked, so that only changes are told.
    works: Mutex<HashMap<String, bool>>,
}

impl Registrar {
    pub(crate) fn new(
        config: Arc<BrokerConfig>,
        topics: Arc<TopicConfigManager>,
        broker_addr: String,
        ha_server_addr: String,
        client: Arc<Client>,
        clock: Arc<dyn Clock>,
    ) -> Arc<Self> {
        let works = Mutex::default();
        Arc::new(Self { config, topics, broker_addr, ha_server_addr, client, clock, works })
    }

    /// Registers at once, then every `registerNameServerPeriod` and when asked. Runs until dropped.
    pub(crate) async fn run(self: Arc<Self>, mut requests: RegistrationRequests) {
        let period = Duration::from_millis(self.config.register_name_server_period.clamp(10_000, 60_000));
        let mut waiting: Vec<Then> = Vec::new();
        let mut told = None;
        loop {
            // What was asked for meanwhile is in the tables already, so one round does for all.
            while let Ok(then) = requests.asked.try_recv() {
                waiting.extend(then);
            }
            told = self.register_all(told).await;
            requests.rounds_done.send_modify(|rounds| *rounds += 1);
            for then in waiting.drain(..) {
                then();
            }
            tokio::select! {
                () = sleep(&self.clock, period) => {}
                asked = requests.asked.recv() => match asked {
                    Some(then) => waiting.extend(then),
                    None => return,
                },
            }
        }
    }

    /// One round. Takes and returns what the name servers were told, which the next round compares with.
    async fn register_all(self: &Arc<Self>, told: Option<Arc<Round>>) -> Option<Arc<Round>> {
        if self.config.namesrv_addrs.is_empty() {
            return None;
        }
        let round = Arc::new(Round::new(self.wrapper(), told.as_deref()));
        let mut registrations = JoinSet::new();
        for address in &self.config.namesrv_addrs {
            let (this, address, round) = (Arc::clone(self), address.clone(), Arc::clone(&round));
            registrations.spawn(async move {
                let outcome = this.tell(&address, &round).await;
                this.note_outcome(address, outcome);
            });
        }
        while registrations.join_next().await.is_some() {}
        Some(round)
    }

    fn wrapper(&self) -> TopicConfigSerializeWrapper {
        let (mut topic_config_table, data_version) = self.topics.snapshot();
        let permission = self.config.broker_permission;
        if permission & (perm::READ | perm::WRITE) != perm::READ | perm::WRITE {
            for topic in topic_config_table.values_mut() {
                topic.perm &= permission;
            }
        }
        TopicConfigSerializeWrapper {
            data_version,
            mapping_data_version: Some(Default::default()),
            topic_config_table,
            topic_queue_mapping_detail_map: Some(Default::default()),
            topic_queue_mapping_info_map: Some(Default::default()),
        }
    }

    async fn tell(&self, address: &str, round: &Round) -> Result<(), String> {
        match &round.increment {
            Some(increment) if self.has_version(address, &increment.since).await? => {
                self.register(address, &increment.body).await
            }
            _ => self.register(address, round.whole_body()).await,
        }
    }

    /// Whether the name server took the table of this version and still has it: not one that missed a round, that was
    /// started anew or that forgot this broker. (`BrokerOuterAPI#needRegister`)
    async fn has_version(&self, address: &str, version: &DataVersion) -> Result<bool, String> {
        let header = QueryDataVersionRequestHeader {
            broker_name: self.config.broker_name.as_str().into(),
            broker_addr: self.broker_addr.as_str().into(),
            cluster_name: self.config.broker_cluster_name.as_str().into(),
            broker_id: self.config.broker_id,
        };
        let answer = self.call(address, request_code::QUERY_DATA_VERSION, &header, &json::to_vec(version)).await?;
        Ok(answer.code == response_code::SUCCESS && answer.ext_field("changed") == Some("false"))
    }

    async fn register(&self, address: &str, body: &[u8]) -> Result<(), String> {
        let header = RegisterBrokerRequestHeader {
            broker_name: self.config.broker_name.as_str().into(),
            broker_addr: self.broker_addr.as_str().into(),
            cluster_name: self.config.broker_cluster_name.as_str().into(),
            ha_server_addr: self.ha_server_addr.as_str().into(),
            broker_id: self.config.broker_id,
            heartbeat_timeout_millis: None,
            enable_acting_master: Some(false),
            compressed: false,
            body_crc32: body_crc(body),
            zone_name: None,
        };
        let answer = self.call(address, request_code::REGISTER_BROKER, &header, body).await?;
        if answer.code != response_code::SUCCESS {
            return Err(format!("code {}: {}", answer.code, answer.remark.unwrap_or_default()));
        }
        if !answer.body.is_empty() {
            let order: KVTable = json::from_slice(&answer.body).map_err(|error| error.to_string())?;
            self.topics.mark_order_topics(order.table.keys().map(String::as_str));
        }
        Ok(())
    }

    async fn call(
        &self,
        address: &str,
        code: i32,
        header: &impl EncodeHeader,
        body: &[u8],
    ) -> Result<OwnedCommand, String> {
        let timeout = Duration::from_millis(self.config.register_broker_timeout_mills);
        self.client.invoke(address, code, header, body, timeout).await.map_err(|failure| failure.to_string())
    }

    fn note_outcome(&self, namesrv_addr: String, outcome: Result<(), String>) {
        let before = self.works.lock().insert(namesrv_addr.clone(), outcome.is_ok());
        match outcome {
            Ok(()) if before != Some(true) => self.config.events.emit(BrokerEvent::Registered { namesrv_addr }),
            Err(cause) if before != Some(false) => {
                self.config.events.emit(BrokerEvent::RegistrationFailed { namesrv_addr, cause });
            }
            _ => {}
        }
    }

    /// Takes leave of every name server. Returns how many of them took note.
    pub(crate) async fn unregister_all(self: &Arc<Self>) -> usize {
        let mut farewells = JoinSet::new();
        for address in self.config.namesrv_addrs.clone() {
            let this = Arc::clone(self);
            farewells.spawn(async move {
                let header = UnRegisterBrokerRequestHeader {
                    broker_name: this.config.broker_name.as_str().into(),
                    broker_addr: this.broker_addr.as_str().into(),
                    cluster_name: this.config.broker_cluster_name.as_str().into(),
                    broker_id: this.config.broker_id,
                };
                let code = request_code::UNREGISTER_BROKER;
                this.client.invoke(&address, code, &header, &[], UNREGISTER_TIMEOUT).await.is_ok()
            });
        }
        let mut taken = 0;
        while let Some(farewell) = farewells.join_next().await {
            taken += usize::from(matches!(farewell, Ok(true)));
        }
        self.client.close();
        taken
    }
}

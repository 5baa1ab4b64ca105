//! A broker from start to stop.

use std::collections::HashMap;
use std::future::Future;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use rocketmq_codec::message::HostAddr;
use rocketmq_codec::message::message_id::UniqueIdGenerator;
use rocketmq_env::{Clock, Fs, Parker, Unparker, sleep};
use rocketmq_remoting::{ChannelOptions, Client, EventLoops, Server, ServerOptions};
use rocketmq_store::{FlushDiskType, MessageStore};
use tokio::sync::{oneshot, watch};

use crate::client::consumer::ConsumerManager;
use crate::client::producer::ProducerManager;
use crate::client::rebalance_lock::RebalanceLockManager;
use crate::config::BrokerConfig;
use crate::consumer_offset::ConsumerOffsetManager;
use crate::error::BrokerError;
use crate::event::BrokerEvent;
use crate::long_polling::PullRequestHoldService;
use crate::memory;
use crate::names;
use crate::persist::{ConfigFile, TableFile};
use crate::processor::properties::BrokerProperties;
use crate::service::deferred::DeferredReplies;
use crate::service::housekeeping::{Persister, expire_held_pulls, sample_stats, scan_not_active_channels};
use crate::service::registration::{Registrar, Registration};
use crate::stats::{StoreStats, Totals};
use crate::subscription_group::SubscriptionGroupManager;
use crate::topic::TopicConfigManager;

/// How long a stop waits for replies to be taken by their readers and for messages to reach the disk.
const STOP_GRACE: Duration = Duration::from_secs(3);

/// What all requests and duties of a broker share.
#[derive(Debug)]
pub(crate) struct BrokerState {
    pub(crate) config: Arc<BrokerConfig>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) store: Arc<MessageStore>,
    pub(crate) topics: Arc<TopicConfigManager>,
    pub(crate) groups: SubscriptionGroupManager,
    pub(crate) offsets: ConsumerOffsetManager,
    pub(crate) consumers: ConsumerManager,
    pub(crate) producers: ProducerManager,
    pub(crate) locks: RebalanceLockManager,
    pub(crate) holds: Arc<PullRequestHoldService>,
    pub(crate) deferred: Arc<DeferredReplies>,
    pub(crate) registration: Registration,
    /// Calls the name servers. The registrar's: it has the event loops, which would never end if the connections on them,
    /// which have this state, kept them.
    pub(crate) client: Weak<Client>,
    pub(crate) broker_properties: BrokerProperties,
    pub(crate) unique_ids: UniqueIdGenerator,
    /// Group to fingerprint of its last heartbeat.
    pub(crate) heartbeat_fingerprints: Mutex<HashMap<String, i32>>,
    /// Known once the port is.
    pub(crate) advertised: OnceLock<Advertised>,
    pub(crate) sync_flush: bool,
    /// Bytes of newest messages that count as being in memory; `None` for all.
    pub(crate) memory_for_messages: Option<i64>,
    pub(crate) started_ms: i64,
    pub(crate) stopping: AtomicBool,
    pub(crate) store_failed: AtomicBool,
    pub(crate) next_opaque: AtomicI32,
    pub(crate) stats: StoreStats,
}

/// What a broker did and how it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShutdownSummary {
    /// Messages stored since the start.
    pub messages_put: u64,
    /// Messages given to consumers since the start.
    pub messages_got: u64,
    /// Pulls that were held and got an answer at the end.
    pub held_pulls_answered: usize,
    /// Connections that were open and closed at the end.
    pub connections_closed: usize,
    /// Name servers that took note of the end.
    pub name_servers_told: usize,
    /// End of the commit log, all of which is on disk.
    pub commit_log_end: i64,
    /// How long the shutdown took, in milliseconds.
    pub took_ms: u64,
}

/// A running broker. Dropping it stops accepting and its duties, but only [`Broker::shutdown`] ends it in good order.
pub struct Broker {
    state: Arc<BrokerState>,
    server: Server,
    registrar: Arc<Registrar>,
    persister: Persister,
    stop: watch::Sender<bool>,
}

impl Broker {
    /// Opens the store, binds and serves; registration with the name servers goes on behind it, see
    /// [`Broker::registered`]. Blocks while the store recovers.
    pub fn start(
        config: BrokerConfig,
        loops: &Arc<EventLoops>,
        fs: Arc<dyn Fs>,
        clock: Arc<dyn Clock>,
    ) -> Result<Broker, BrokerError> {
        check_names(&config)?;
        let store = MessageStore::open(config.store.clone(), Arc::clone(&fs), Arc::clone(&clock))?;
        Self::start_on(config, loops, &fs, clock, Arc::clone(&store)).inspect_err(|_error| {
            // The first error is the one to tell; what the store cannot write now it recovers from its log.
            let _ = store.close();
        })
    }

    fn start_on(
        config: BrokerConfig,
        loops: &Arc<EventLoops>,
        fs: &Arc<dyn Fs>,
        clock: Arc<dyn Clock>,
        store: Arc<MessageStore>,
    ) -> Result<Broker, BrokerError> {
        let (registration, requests) = Registration::new();
        let client = Arc::new(Client::new(Arc::clone(loops), Arc::clone(&clock), ChannelOptions::default()));
        let parker = Parker::new(&clock);
        let (calls, writer) = (Arc::downgrade(&client), parker.unparker());
        let state = Arc::new(BrokerState::load(config, fs, &clock, store, registration, calls, &writer)?);
        let config = &state.config;
        let address = SocketAddr::new(config.bind_address, config.listen_port);
        let server = Server::bind(address, ServerOptions::default(), Arc::clone(&state), loops, Arc::clone(&clock))
            .map_err(|source| BrokerError::Bind { address, source })?;
        let advertised = Advertised::new(config, server.local_addr());
        let registrar = Registrar::new(
            Arc::clone(config),
            Arc::clone(&state.topics),
            advertised.address(advertised.port),
            advertised.address(config.ha_listen_port),
            client,
            clock,
        );
        // Set once here; requests that came in since the bind wait for it.
        let _ = state.advertised.set(advertised);
        let persister = Persister::start(Arc::clone(&state), parker)
            .map_err(|source| BrokerError::Thread { name: Persister::THREAD, source })?;
        let (stop, stopped) = watch::channel(false);
        let duties = Duties { loops, stopped };
        duties.spawn(expire_held_pulls(Arc::clone(&state)));
        duties.spawn(scan_not_active_channels(Arc::clone(&state)));
        duties.spawn(sample_stats(Arc::clone(&state)));
        duties.spawn(Arc::clone(&state.deferred).run_timeouts());
        duties.spawn(Arc::clone(&registrar).run(requests));
        Ok(Broker { state, server, registrar, persister, stop })
    }

    /// Where the broker listens, with the port that was given for port 0.
    pub fn local_addr(&self) -> SocketAddr {
        self.server.local_addr()
    }

    /// What clients are told to connect to, `host:port`.
    pub fn advertised_addr(&self) -> String {
        let advertised = self.state.advertised();
        advertised.address(advertised.port)
    }

    /// Waits until every name server has answered the first registration or failed to; then clients find the broker.
    pub async fn registered(&self) {
        self.state.registration.first_round().await;
    }

    /// Ends the broker: no new connections and sends, name servers told, held pulls answered, waiting replies sent,
    /// connections closed, offsets written, store flushed and closed. The error is the store's: then something that was
    /// not flushed may be missing after the next start.
    pub async fn shutdown(&self) -> Result<ShutdownSummary, BrokerError> {
        let state = &self.state;
        let began = state.clock.uptime();
        state.stopping.store(true, Ordering::Release);
        self.server.stop_accepting();
        let name_servers_told = self.registrar.unregister_all().await;
        let held = state.holds.take_all();
        let held_pulls_answered = held.len();
        let (mut records, mut out) = (Vec::new(), Vec::new());
        for pull in held {
            state.answer_held_pull(pull, &mut records, &mut out);
        }
        tokio::select! {
            () = state.deferred.drained() => {}
            () = sleep(&state.clock, STOP_GRACE) => {}
        }
        let connections_closed = self.server.shutdown(STOP_GRACE, &state.clock).await;
        let _ = self.stop.send(true);
        self.close_files().await?;
        let Totals { messages_put, messages_got, .. } = state.stats.totals();
        Ok(ShutdownSummary {
            messages_put,
            messages_got,
            held_pulls_answered,
            connections_closed,
            name_servers_told,
            commit_log_end: state.store.max_physical_offset(),
            took_ms: u64::try_from((state.clock.uptime() - began).as_millis()).unwrap_or(u64::MAX),
        })
    }

    /// Writes the offsets and closes the store, off the event loops because both wait for the disk.
    async fn close_files(&self) -> Result<(), BrokerError> {
        self.persister.stop();
        let (done, closed) = oneshot::channel();
        let state = Arc::clone(&self.state);
        std::thread::Builder::new()
            .name("rocketmq-close".to_owned())
            .spawn(move || {
                state.offsets.persist();
                // Nobody listens any more only if the shutdown was given up.
                let _ = done.send(state.store.close());
            })
            .map_err(|source| BrokerError::Thread { name: "rocketmq-close", source })?;
        match closed.await {
            Ok(closed) => closed.map_err(BrokerError::Store),
            Err(_gone) => Err(BrokerError::Store(rocketmq_store::StoreError::Closed)),
        }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.state.stopping.store(true, Ordering::Release);
        let _ = self.stop.send(true);
        self.persister.stop();
    }
}

/// Runs duties until the broker stops.
struct Duties<'a> {
    loops: &'a Arc<EventLoops>,
    stopped: watch::Receiver<bool>,
}

impl Duties<'_> {
    fn spawn(&self, duty: impl Future<Output = ()> + Send + 'static) {
        let mut stopped = self.stopped.clone();
        self.loops.spawn(async move {
            tokio::select! {
                () = duty => {}
                // An error means that the broker was dropped, which is a stop as well.
                _ = stopped.wait_for(|stop| *stop) => {}
            }
        });
    }
}

/// How clients and records name this broker.
#[derive(Debug)]
pub(crate) struct Advertised {
    pub(crate) host: String,
    pub(crate) port: u16,
    /// Address in stored records and message ids; a host name is resolved once.
    pub(crate) store_host: HostAddr,
}

impl Advertised {
    fn new(config: &BrokerConfig, local: SocketAddr) -> Self {
        let host = config.advertised_host();
        let port = config.advertised_port.unwrap_or(local.port());
        let resolved = (host.as_str(), port).to_socket_addrs().ok().and_then(|mut addresses| addresses.next());
        let store_host = resolved.unwrap_or(SocketAddr::new(local.ip(), port)).into();
        Self { host, port, store_host }
    }

    /// `host:port`, with brackets around an IPv6 address.
    fn address(&self, port: u16) -> String {
        let host = &self.host;
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }
}

impl BrokerState {
    fn load(
        config: BrokerConfig,
        fs: &Arc<dyn Fs>,
        clock: &Arc<dyn Clock>,
        store: Arc<MessageStore>,
        registration: Registration,
        client: Weak<Client>,
        writer: &Unparker,
    ) -> Result<Self, BrokerError> {
        let config = Arc::new(config);
        if let Some(cause) = store.deleted_topics_fallback() {
            let cause = cause.to_owned();
            config.events.emit(BrokerEvent::PreviousVersionLoaded { file: "deletedTopics.json", cause });
        }
        let file = |name| ConfigFile::new(fs, clock, &config.events, &config.store.root, name);
        let table_file = |name| TableFile::new(file(name), writer.clone());
        let topics = Arc::new(TopicConfigManager::load(&config, table_file("topics.json"))?);
        let groups = SubscriptionGroupManager::load(&config, table_file("subscriptionGroup.json"))?;
        let offsets = ConsumerOffsetManager::load(&config, file("consumerOffset.json"))?;
        topics.persist();
        groups.persist();
        let holds = Arc::new(PullRequestHoldService::new(config.max_held_pulls));
        let noting = Arc::clone(&holds);
        store.set_arrival_listener(Arc::new(move |arrivals| noting.note_arrivals(arrivals)));
        let sync_flush_timeout = Duration::from_millis(config.sync_flush_timeout);
        let loader = std::process::id().cast_signed() ^ (clock.now_ms() & 0x7FFF_FFFF) as i32;
        Ok(Self {
            clock: Arc::clone(clock),
            topics,
            groups,
            offsets,
            consumers: ConsumerManager::default(),
            producers: ProducerManager::default(),
            locks: RebalanceLockManager::new(Arc::clone(clock)),
            holds,
            deferred: DeferredReplies::new(Arc::clone(clock), sync_flush_timeout, config.max_deferred_reply_bytes),
            registration,
            client,
            broker_properties: BrokerProperties::new(&config.region_id, config.trace_on, &config.broker_cluster_name),
            unique_ids: UniqueIdGenerator::new(config.bind_address, std::process::id(), loader),
            heartbeat_fingerprints: Mutex::default(),
            advertised: OnceLock::new(),
            sync_flush: config.store.flush_disk_type == FlushDiskType::SyncFlush,
            // `accessMessageInMemoryMaxRatio`, 40 %.
            memory_for_messages: memory::physical_bytes().map(|bytes| bytes / 5 * 2),
            started_ms: clock.now_ms(),
            stopping: AtomicBool::new(false),
            store_failed: AtomicBool::new(false),
            next_opaque: AtomicI32::new(0),
            stats: StoreStats::new(&**clock),
            store,
            config,
        })
    }

    /// How clients and records name this broker.
    pub(crate) fn advertised(&self) -> &Advertised {
        self.advertised.wait()
    }
}

/// Broker and cluster are topics too, so their names must be topic names.
fn check_names(config: &BrokerConfig) -> Result<(), BrokerError> {
    let named = [("brokerName", &config.broker_name), ("brokerClusterName", &config.broker_cluster_name)];
    for (key, value) in named {
        names::validate_topic(value).map_err(|remark| BrokerError::BadName { key, value: value.clone(), remark })?;
    }
    Ok(())
}

//! Name server and broker in this process.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use napi::bindgen_prelude::{AsyncTask, Function};
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi::{Env, Error, Result, Status, Task};
use napi_derive::napi;
use parking_lot::Mutex;
use rocketmq_broker::{Broker, BrokerConfigFile, EventSink, ShutdownSummary};
use rocketmq_env::{Clock, OsFs, SystemClock};
use rocketmq_namesrv::{NameServer, NameServerConfig};
use rocketmq_remoting::EventLoops;
use rocketmq_store::RecoveryListener;

use crate::failure::failure;
use crate::recovery::{NativeRecoveryProgress, recovery_listener};

type ServerThreads = (Arc<EventLoops>, Arc<dyn Clock>);

/// The event loops of all servers of this process, and their clock; they start with the first server.
static SERVERS: Mutex<Option<ServerThreads>> = Mutex::new(None);

fn threads() -> Result<ServerThreads> {
    let mut servers = SERVERS.lock();
    if let Some((loops, clock)) = &*servers {
        return Ok((Arc::clone(loops), Arc::clone(clock)));
    }
    let loops = EventLoops::new(EventLoops::default_count(), "rocketmq-server").map_err(|error| failure(&error))?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    Ok(servers.insert((loops, clock)).clone())
}

/// A name server.
#[napi]
pub struct NativeNameServer {
    server: Arc<NameServer>,
    loops: Arc<EventLoops>,
}

#[napi]
impl NativeNameServer {
    /// `host:port` it listens on.
    #[napi(getter)]
    pub fn address(&self) -> String {
        self.server.local_addr().to_string()
    }

    /// Ends it; resolves to the number of connections closed.
    #[napi(ts_return_type = "Promise<number>")]
    pub fn shutdown(&self) -> AsyncTask<StopNameServer> {
        AsyncTask::new(StopNameServer { server: Arc::clone(&self.server), loops: Arc::clone(&self.loops) })
    }
}

/// Starts a name server.
#[napi(ts_return_type = "Promise<NativeNameServer>")]
pub fn start_name_server(host: String, port: u16) -> AsyncTask<StartNameServer> {
    AsyncTask::new(StartNameServer { host, port })
}

pub struct StartNameServer {
    host: String,
    port: u16,
}

impl Task for StartNameServer {
    type Output = NativeNameServer;
    type JsValue = NativeNameServer;

    fn compute(&mut self) -> Result<NativeNameServer> {
        let ip: IpAddr = self.host.parse().map_err(|_error| {
            Error::new(Status::InvalidArg, format!("host {} is not an IP address to listen on", self.host))
        })?;
        let (loops, clock) = threads()?;
        let config = NameServerConfig { listen: SocketAddr::new(ip, self.port), ..NameServerConfig::default() };
        let server = NameServer::start(config, &loops, clock).map_err(|error| failure(&error))?;
        Ok(NativeNameServer { server: Arc::new(server), loops })
    }

    fn resolve(&mut self, _: Env, output: NativeNameServer) -> Result<NativeNameServer> {
        Ok(output)
    }
}

pub struct StopNameServer {
    server: Arc<NameServer>,
    loops: Arc<EventLoops>,
}

impl Task for StopNameServer {
    type Output = u32;
    type JsValue = u32;

    fn compute(&mut self) -> Result<u32> {
        let closed = self.loops.first().block_on(self.server.shutdown());
        Ok(u32::try_from(closed).unwrap_or(u32::MAX))
    }

    fn resolve(&mut self, _: Env, output: u32) -> Result<u32> {
        Ok(output)
    }
}

/// A broker.
#[napi]
pub struct NativeBroker {
    broker: Arc<Broker>,
    loops: Arc<EventLoops>,
    warnings: Vec<String>,
}

#[napi]
impl NativeBroker {
    /// `host:port` it listens on.
    #[napi(getter)]
    pub fn address(&self) -> String {
        self.broker.local_addr().to_string()
    }

    /// What clients are told to connect to, `host:port`.
    #[napi(getter)]
    pub fn advertised_address(&self) -> String {
        self.broker.advertised_addr()
    }

    /// What in its configuration is unknown or has no effect.
    #[napi(getter)]
    pub fn warnings(&self) -> Vec<String> {
        self.warnings.clone()
    }

    /// Ends it in good order.
    #[napi(ts_return_type = "Promise<NativeShutdownSummary>")]
    pub fn shutdown(&self) -> AsyncTask<StopBroker> {
        AsyncTask::new(StopBroker { broker: Arc::clone(&self.broker), loops: Arc::clone(&self.loops) })
    }
}

/// What whoever starts a broker has to know of its configuration beforehand.
#[napi(object)]
pub struct NativeBrokerConf {
    /// IP address to listen on.
    pub bind_address: String,
    /// Directory of the store.
    pub store_path_root_dir: String,
    /// `host:port` of each name server to register with.
    pub namesrv_addrs: Vec<String>,
}

/// Reads a configuration in the form of Apache's broker.conf; starts nothing.
#[napi]
pub fn read_broker_conf(conf: String) -> Result<NativeBrokerConf> {
    let config = BrokerConfigFile::parse(&conf).map_err(|error| failure(&error))?.config;
    Ok(NativeBrokerConf {
        bind_address: config.bind_address.to_string(),
        store_path_root_dir: config.store.root.display().to_string(),
        namesrv_addrs: config.namesrv_addrs,
    })
}

type Events = ThreadsafeFunction<String, (), String, Status, false, true>;

/// Starts a broker from a configuration in the form of Apache's broker.conf.
#[napi(ts_return_type = "Promise<NativeBroker>")]
pub fn start_broker(
    conf: String,
    on_event: Function<'_, String, ()>,
    on_recovery: Function<'_, NativeRecoveryProgress, ()>,
) -> Result<AsyncTask<StartBroker>> {
    let events: Events = on_event.build_threadsafe_function::<String>().weak::<true>().build()?;
    let recovery = recovery_listener(&on_recovery)?;
    Ok(AsyncTask::new(StartBroker { conf, callbacks: Some((events, recovery)) }))
}

pub struct StartBroker {
    conf: String,
    callbacks: Option<(Events, RecoveryListener)>,
}

impl Task for StartBroker {
    type Output = NativeBroker;
    type JsValue = NativeBroker;

    fn compute(&mut self) -> Result<NativeBroker> {
        let BrokerConfigFile { mut config, warnings } =
            BrokerConfigFile::parse(&self.conf).map_err(|error| failure(&error))?;
        if let Some((events, recovery)) = self.callbacks.take() {
            config.events = EventSink::new(move |event| {
                events.call(event.to_string(), ThreadsafeFunctionCallMode::NonBlocking);
            });
            config.store.on_recovery = Some(recovery);
        }
        let (loops, clock) = threads()?;
        let broker = Broker::start(config, &loops, Arc::new(OsFs), clock).map_err(|error| failure(&error))?;
        loops.first().block_on(broker.registered());
        Ok(NativeBroker { broker: Arc::new(broker), loops, warnings })
    }

    fn resolve(&mut self, _: Env, output: NativeBroker) -> Result<NativeBroker> {
        Ok(output)
    }
}

pub struct StopBroker {
    broker: Arc<Broker>,
    loops: Arc<EventLoops>,
}

impl Task for StopBroker {
    type Output = ShutdownSummary;
    type JsValue = NativeShutdownSummary;

    fn compute(&mut self) -> Result<ShutdownSummary> {
        self.loops.first().block_on(self.broker.shutdown()).map_err(|error| failure(&error))
    }

    #[expect(clippy::cast_precision_loss, reason = "counts and offsets are exact in a double up to 2^53")]
    fn resolve(&mut self, _: Env, summary: ShutdownSummary) -> Result<NativeShutdownSummary> {
        Ok(NativeShutdownSummary {
            messages_put: summary.messages_put as f64,
            messages_got: summary.messages_got as f64,
            held_pulls_answered: u32::try_from(summary.held_pulls_answered).unwrap_or(u32::MAX),
            connections_closed: u32::try_from(summary.connections_closed).unwrap_or(u32::MAX),
            name_servers_told: u32::try_from(summary.name_servers_told).unwrap_or(u32::MAX),
            commit_log_end: summary.commit_log_end as f64,
            took_ms: summary.took_ms as f64,
        })
    }
}

/// What a broker did until it stopped.
#[napi(object)]
pub struct NativeShutdownSummary {
    /// Messages stored since the start.
    pub messages_put: f64,
    /// Messages given to consumers since the start.
    pub messages_got: f64,
    /// Pulls that were held and got an answer at the end.
    pub held_pulls_answered: u32,
    /// Connections that were open and closed at the end.
    pub connections_closed: u32,
    /// Name servers that took note of the end.
    pub name_servers_told: u32,
    /// End of the commit log, all of which is on disk.
    pub commit_log_end: f64,
    /// How long the shutdown took, in milliseconds.
    pub took_ms: f64,
}

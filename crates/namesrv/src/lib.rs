//! The name server: which brokers there are and which of them have queues of which topic
//! (`org.apache.rocketmq.namesrv`).
//!
//! Brokers register every 30 s with all their topics (103); clients ask for the route of a topic (105). Everything is in
//! memory and comes back with the next registration. A broker whose connection ends is forgotten at once, one that is
//! silent for 120 s with the next scan.

mod processor;
mod reply;
mod route;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rocketmq_env::{Clock, sleep};
use rocketmq_remoting::{EventLoops, Server, ServerOptions};
use tokio::sync::watch;

use processor::NameServerService;

/// Settings of a name server (`common/namesrv/NamesrvConfig.java`).
#[derive(Debug, Clone)]
pub struct NameServerConfig {
    /// Where to listen; port 0 takes any free one. Default 127.0.0.1:9876.
    pub listen: SocketAddr,
    /// `scanNotActiveBrokerInterval`, default 5 s.
    pub scan_not_active_broker_interval: Duration,
    /// `enableAllTopicList`: whether 206 is answered, default true.
    pub enable_all_topic_list: bool,
    /// `enableTopicList`: whether 224 is answered, default true.
    pub enable_topic_list: bool,
    /// How connections are treated.
    pub server: ServerOptions,
}

impl Default for NameServerConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 9876)),
            scan_not_active_broker_interval: Duration::from_secs(5),
            enable_all_topic_list: true,
            enable_topic_list: true,
            server: ServerOptions::default(),
        }
    }
}

/// Why a name server does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NameServerError {
    /// The address cannot be listened on.
    #[error("name server cannot listen on {address}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// The operating system's reason.
        #[source]
        source: io::Error,
    },
}

/// A running name server. Dropping it stops accepting; [`NameServer::shutdown`] ends it in good order.
pub struct NameServer {
    server: Server,
    clock: Arc<dyn Clock>,
    stop: watch::Sender<bool>,
}

impl NameServer {
    /// Binds and serves.
    pub fn start(
        config: NameServerConfig,
        loops: &Arc<EventLoops>,
        clock: Arc<dyn Clock>,
    ) -> Result<NameServer, NameServerError> {
        let (address, interval, options) = (config.listen, config.scan_not_active_broker_interval, config.server);
        let service = Arc::new(NameServerService::new(config, Arc::clone(&clock)));
        let server = Server::bind(address, options, Arc::clone(&service), loops, Arc::clone(&clock))
            .map_err(|source| NameServerError::Bind { address, source })?;
        let (stop, mut stopped) = watch::channel(false);
        let scan_clock = Arc::clone(&clock);
        loops.spawn(async move {
            loop {
                tokio::select! {
                    () = sleep(&scan_clock, interval) => service.scan_not_active_broker(),
                    // An error means that the name server was dropped, which is a stop as well.
                    _ = stopped.changed() => return,
                }
            }
        });
        Ok(NameServer { server, clock, stop })
    }

    /// Where it listens, with the port that was given for port 0.
    pub fn local_addr(&self) -> SocketAddr {
        self.server.local_addr()
    }

    /// Stops accepting, lets replies go out for up to a second, closes all connections. Returns how many those were.
    pub async fn shutdown(&self) -> usize {
        let _ = self.stop.send(true);
        self.server.shutdown(Duration::from_secs(1), &self.clock).await
    }
}

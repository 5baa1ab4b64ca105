//! Accepting connections and ending them in good order.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use rocketmq_env::{Clock, sleep};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};

use crate::burst::Burst;
use crate::connection::{Connection, Limits, Service, uptime_ms};
use crate::event_loops::EventLoops;

/// [`Limits::busy_poll`] of servers. Of 30, 60 and 100 us the shortest did best: one send at a time takes 37 us instead of 74,
/// with 34 us of the broker's processor time instead of 20, and 14 instead of 31 of the thread that sends.
const BUSY_POLL: Duration = Duration::from_micros(30);

/// How a server treats its connections.
#[derive(Debug, Clone, Copy)]
pub struct ServerOptions {
    /// What one connection may cost. By default with a `busy_poll` of 30 us, on more than one processor.
    pub limits: Limits,
    /// Further connections are closed as soon as they are accepted. Default 65,536.
    pub max_connections: usize,
    /// A connection on which nothing moved for so long is closed. Default 120 s, as Apache's
    /// `serverChannelMaxIdleTimeSeconds`.
    pub max_idle: Duration,
    /// Length of the kernel's queue of connections not accepted yet. Default 1,024, as `serverSocketBacklog`.
    pub backlog: i32,
}

impl Default for ServerOptions {
    fn default() -> Self {
        // With one processor the peer on this machine could not go on.
        let busy_poll = if EventLoops::default_count() > 1 { BUSY_POLL } else { Duration::ZERO };
        let limits = Limits { busy_poll, ..Limits::default() };
        Self { limits, max_connections: 65_536, max_idle: Duration::from_secs(120), backlog: 1024 }
    }
}

/// How often idle connections are looked for.
const IDLE_SCAN: Duration = Duration::from_secs(10);

/// A listening server. [`Server::shutdown`] ends it; dropping it only stops accepting.
pub struct Server {
    local: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    connections: Mutex<HashMap<u64, Arc<Connection>>>,
    emptied: Notify,
    /// Becomes true once; the accept loop and the idle scan end by it.
    stopping: watch::Sender<bool>,
    accept_ended: AtomicBool,
}

/// The user's service, with the list of connections kept beside it.
struct Tracked<S> {
    service: Arc<S>,
    shared: Arc<Shared>,
}

impl<S: Service> Service for Tracked<S> {
    type Session = S::Session;

    fn serve(&self, connection: &Arc<Connection>, session: &mut S::Session, burst: &mut Burst<'_>) {
        self.service.serve(connection, session, burst);
    }

    fn after_burst(&self, connection: &Arc<Connection>, session: &mut S::Session) {
        self.service.after_burst(connection, session);
    }

    fn disconnected(&self, connection: &Arc<Connection>, reason: &str) {
        self.service.disconnected(connection, reason);
        let mut connections = self.shared.connections.lock();
        connections.remove(&connection.id());
        if connections.is_empty() {
            self.shared.emptied.notify_waiters();
        }
    }
}

impl Server {
    /// Binds `address` (port 0 for any free one) and starts to accept. The error is the operating system's.
    pub fn bind<S: Service>(
        address: SocketAddr,
        options: ServerOptions,
        service: Arc<S>,
        loops: &Arc<EventLoops>,
        clock: Arc<dyn Clock>,
    ) -> io::Result<Server> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        // On Windows SO_REUSEADDR would let a second process take the port.
        #[cfg(not(windows))]
        socket.set_reuse_address(true)?;
        socket.bind(&address.into())?;
        socket.listen(options.backlog)?;
        socket.set_nonblocking(true)?;
        let listener: std::net::TcpListener = socket.into();
        let local = listener.local_addr()?;
        let shared = Arc::new(Shared {
            connections: Mutex::default(),
            emptied: Notify::new(),
            stopping: watch::channel(false).0,
            accept_ended: AtomicBool::new(false),
        });
        let tracked = Arc::new(Tracked { service, shared: Arc::clone(&shared) });
        let accepting = Arc::clone(&shared);
        let accept_loops = Arc::clone(loops);
        let accept_clock = Arc::clone(&clock);
        let listener = {
            let _in_runtime = loops.first().enter();
            TcpListener::from_std(listener)?
        };
        loops.spawn(async move {
            accept(listener, options, tracked, &accept_loops, accept_clock).await;
            accepting.accept_ended.store(true, Ordering::Release);
            accepting.emptied.notify_waiters();
        });
        let scanned = Arc::clone(&shared);
        loops.spawn(async move { close_idle(scanned, options.max_idle, clock).await });
        Ok(Server { local, shared })
    }

    /// Where the server listens, with the port that was given for port 0.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Connections that are open now.
    pub fn connection_count(&self) -> usize {
        self.shared.connections.lock().len()
    }

    /// Stops accepting; connections stay.
    pub fn stop_accepting(&self) {
        self.shared.stopping.send_replace(true);
    }

    /// Stops accepting, lets every connection finish its replies, closes after `grace` those whose readers are
    /// too slow, and waits for the end of all. Returns how many connections were closed.
    pub async fn shutdown(&self, grace: Duration, clock: &Arc<dyn Clock>) -> usize {
        self.stop_accepting();
        let open: Vec<_> = self.shared.connections.lock().values().cloned().collect();
        for connection in &open {
            connection.finish();
        }
        tokio::select! {
            () = self.shared.emptied() => {}
            () = sleep(clock, grace) => {
                for connection in self.shared.connections.lock().values() {
                    connection.close("the server is shutting down");
                }
                self.shared.emptied().await;
            }
        }
        open.len()
    }
}

impl Shared {
    /// Resolves once nothing is accepted any more and no connection is left.
    async fn emptied(&self) {
        loop {
            let emptied = self.emptied.notified();
            tokio::pin!(emptied);
            // Registered before the check, so that no notification falls between the two.
            emptied.as_mut().enable();
            if self.accept_ended.load(Ordering::Acquire) && self.connections.lock().is_empty() {
                return;
            }
            emptied.await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop_accepting();
    }
}

async fn accept<S: Service>(
    listener: TcpListener,
    options: ServerOptions,
    tracked: Arc<Tracked<S>>,
    loops: &Arc<EventLoops>,
    clock: Arc<dyn Clock>,
) {
    let shared = Arc::clone(&tracked.shared);
    let mut stopping = shared.stopping.subscribe();
    loop {
        let accepted = tokio::select! {
            biased;
            _ = stopping.wait_for(|stop| *stop) => return,
            accepted = listener.accept() => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(_) => {
                // Out of file handles as a rule: connections that end give some back. Errors of a single connection
                // (it was reset before it was accepted) come here too and cost one pause.
                sleep(&clock, Duration::from_millis(20)).await;
                continue;
            }
        };
        if shared.connections.lock().len() >= options.max_connections {
            continue;
        }
        // The connection lives on a loop of its own choice: registered here, it would be woken through this one.
        let Ok(stream) = stream.into_std() else { continue };
        let (tracked, clock, limits) = (Arc::clone(&tracked), Arc::clone(&clock), options.limits);
        loops.next().spawn(async move {
            let connection = TcpStream::from_std(stream).and_then(|stream| Connection::new(stream, None, clock));
            // An error here means that the peer is gone already.
            let Ok(connection) = connection else { return };
            tracked.shared.connections.lock().insert(connection.id(), Arc::clone(&connection));
            if *tracked.shared.stopping.borrow() {
                connection.close("the server is shutting down");
            }
            connection.run(tracked, limits).await;
        });
    }
}

async fn close_idle(shared: Arc<Shared>, max_idle: Duration, clock: Arc<dyn Clock>) {
    let max_idle_ms = u64::try_from(max_idle.as_millis()).unwrap_or(u64::MAX);
    let mut stopping = shared.stopping.subscribe();
    loop {
        tokio::select! {
            () = sleep(&clock, IDLE_SCAN.min(max_idle)) => {}
            _ = stopping.wait_for(|stop| *stop) => return,
        }
        let now = uptime_ms(&clock);
        for connection in shared.connections.lock().values() {
            if now.saturating_sub(connection.last_active_ms()) >= max_idle_ms {
                connection.close("idle");
            }
        }
    }
}

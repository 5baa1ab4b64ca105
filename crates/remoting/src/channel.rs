//! The client side: one channel an address, connected when first used, requests matched with answers by opaque.
//!
//! A channel never makes its caller wait: requests made before the connection stands are sent when it does, and every
//! request ends exactly once, by its answer, by its deadline or with the connection. Who is told, and how, is up to a
//! [`ChannelHandler`]: the addon packs completions for JavaScript, [`crate::Client`] wakes futures.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use parking_lot::Mutex;
use rocketmq_codec::FrameError;
use rocketmq_codec::response_code::GO_AWAY;
use rocketmq_env::sleep;
use tokio::net::TcpStream;

use crate::burst::Burst;
use crate::channel_handler::{ChannelHandler, Failure, FailureKind};
use crate::channels::Shared;
use crate::connection::{Connection, PEER_CLOSED_UNHEARD, Service, uptime_ms};
use crate::pending::{Entry, PendingTable};
use crate::tls::TlsSession;

/// A submission of so much is written by the connection's event loop: the system call takes 20 to 50 us then, in which
/// the caller makes the next requests. A smaller one goes out faster without another thread.
const HAND_OVER_BYTES: usize = 16 * 1024;

/// The way to one address.
pub struct Channel<H: ChannelHandler> {
    address: String,
    shared: Arc<Shared<H>>,
    state: Mutex<State<H::Pending>>,
    collected: Mutex<Collected<H::Pending>>,
}

/// A shorter silence is no sign of a dead connection: a peer that collects garbage is as silent.
const MIN_SILENCE_MS: u64 = 500;

struct State<P> {
    phase: Phase,
    /// Counts the connections that were left.
    generation: u32,
    /// Connections that were left, with their generation, as long as the peer has something to answer on them.
    left: Vec<(Arc<Connection>, u32)>,
    pending: PendingTable<P>,
    /// When the first request was made that timed out on a connection that has been silent since.
    unanswered_since_ms: u64,
}

/// What a submission collects; kept between them for its memory.
struct Collected<P> {
    frames: Vec<u8>,
    /// The requests in them, by opaque.
    requests: Vec<(i32, Entry<P>)>,
    /// Opaques that nobody else uses.
    opaques: Vec<i32>,
}

impl<P> Default for Collected<P> {
    fn default() -> Self {
        Self { frames: Vec::new(), requests: Vec::new(), opaques: Vec::new() }
    }
}

enum Phase {
    Idle,
    Connecting { backlog: Vec<u8> },
    Open(Arc<Connection>),
}

/// Requests being added to a channel. What was added is sent, in one write as a rule, when the submission ends.
///
/// Their frames are written without the channel's lock, which each answer needs as well.
pub struct Submission<'a, H: ChannelHandler> {
    channel: &'a Channel<H>,
    collected: Collected<H::Pending>,
    refused: Vec<(H::Pending, Option<FrameError>)>,
    now_ms: u64,
    room_bytes: usize,
    earliest_ms: u64,
}

impl<H: ChannelHandler> Submission<'_, H> {
    /// Adds a request: `write` appends its frame, which must carry the opaque given, or nothing and says why.
    pub fn request(
        &mut self,
        pending: H::Pending,
        timeout: Duration,
        write: impl FnOnce(&mut Vec<u8>, i32) -> Result<(), FrameError>,
    ) {
        let shared = &*self.channel.shared;
        let full = shared.pending_requests.load(Ordering::Relaxed) >= shared.options.max_pending_requests;
        if full || self.collected.frames.len() >= self.room_bytes {
            self.refused.push((pending, None));
            return;
        }
        let opaque = self.opaque();
        if let Err(error) = write(&mut self.collected.frames, opaque) {
            self.refused.push((pending, Some(error)));
            return;
        }
        shared.pending_requests.fetch_add(1, Ordering::Relaxed);
        let deadline_ms = self.now_ms + u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX / 4).max(1);
        self.earliest_ms = self.earliest_ms.min(deadline_ms);
        let entry = Entry { pending, started_ms: self.now_ms, deadline_ms, generation: 0 };
        self.collected.requests.push((opaque, entry));
    }

    /// Adds a request that nobody answers. False: refused, too many bytes wait already or it does not fit a frame.
    pub fn oneway(&mut self, write: impl FnOnce(&mut Vec<u8>, i32) -> Result<(), FrameError>) -> bool {
        if self.collected.frames.len() >= self.room_bytes {
            return false;
        }
        let opaque = self.opaque();
        write(&mut self.collected.frames, opaque).is_ok()
    }

    fn opaque(&mut self) -> i32 {
        let Collected { requests, opaques, .. } = &mut self.collected;
        if opaques.is_empty() {
            // A single request takes one, many take them by the dozen.
            let count = requests.len().clamp(1, 64);
            self.channel.state.lock().pending.reserve(count, opaques);
        }
        opaques.pop().unwrap_or_default()
    }
}

impl<H: ChannelHandler> Channel<H> {
    /// A channel without a connection.
    pub(crate) fn new(address: &str, shared: Arc<Shared<H>>) -> Self {
        let state = State {
            phase: Phase::Idle,
            generation: 0,
            left: Vec::new(),
            pending: PendingTable::default(),
            unanswered_since_ms: 0,
        };
        Self { address: address.to_owned(), shared, state: Mutex::new(state), collected: Mutex::default() }
    }

    /// `host:port` as given.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Adds requests and sends them together. Connects first if there is no connection.
    pub fn submit(self: &Arc<Self>, fill: impl FnOnce(&mut Submission<'_, H>)) {
        let shared = &*self.shared;
        let waiting = match &self.state.lock().phase {
            Phase::Idle => 0,
            Phase::Connecting { backlog } => backlog.len(),
            Phase::Open(connection) => connection.outbound_bytes(),
        };
        let closed = shared.closed.load(Ordering::Acquire);
        let mut submission = Submission {
            channel: self,
            collected: std::mem::take(&mut *self.collected.lock()),
            refused: Vec::new(),
            now_ms: uptime_ms(&shared.clock),
            room_bytes: if closed { 0 } else { shared.options.max_pending_bytes.saturating_sub(waiting) },
            earliest_ms: u64::MAX,
        };
        fill(&mut submission);
        let Submission { mut collected, mut refused, earliest_ms, .. } = submission;
        let closed = self.send(&mut collected, &mut refused);
        collected.frames.clear();
        if collected.frames.capacity() <= 1024 * 1024 {
            *self.collected.lock() = collected;
        }
        shared.sweep_no_later_than(earliest_ms);
        self.refuse(refused, closed);
    }

    /// Lets the requests wait for their answers and sends them, unless the client is closed, which is returned: they are
    /// refused then.
    fn send(
        self: &Arc<Self>,
        collected: &mut Collected<H::Pending>,
        refused: &mut Vec<(H::Pending, Option<FrameError>)>,
    ) -> bool {
        let Collected { frames, requests, .. } = collected;
        let mut guard = self.state.lock();
        let state = &mut *guard;
        // Under the lock, which whoever closes the client takes afterwards to fail what waits.
        if self.shared.closed.load(Ordering::Acquire) {
            self.shared.pending_requests.fetch_sub(requests.len(), Ordering::Relaxed);
            refused.extend(requests.drain(..).map(|(_, entry)| (entry.pending, None)));
            return true;
        }
        let generation = state.generation;
        for (opaque, entry) in requests.drain(..) {
            state.pending.insert(opaque, Entry { generation, ..entry });
        }
        let open = match &mut state.phase {
            Phase::Open(connection) => Some(Arc::clone(connection)),
            Phase::Connecting { backlog } => {
                backlog.extend_from_slice(frames);
                None
            }
            Phase::Idle if frames.is_empty() => None,
            Phase::Idle => {
                state.phase = Phase::Connecting { backlog: frames.clone() };
                let channel = Arc::clone(self);
                self.shared.loops.next().spawn(async move { channel.connect().await });
                None
            }
        };
        drop(guard);
        if let Some(connection) = open {
            if frames.len() < HAND_OVER_BYTES { connection.send(frames) } else { connection.hand_over(frames) }
        }
        false
    }

    fn refuse(&self, refused: Vec<(H::Pending, Option<FrameError>)>, closed: bool) {
        if refused.is_empty() {
            return;
        }
        for (pending, error) in refused {
            let (kind, message) = match error {
                Some(error) => (FailureKind::Unsendable, format!("cannot be sent to {}: {error}", self.address)),
                None if closed => (FailureKind::Closed, "the client was shut down".to_owned()),
                None => {
                    let message = format!("too many requests wait already, none more to {}", self.address);
                    (FailureKind::TooManyRequests, message)
                }
            };
            self.shared.handler.failed(pending, Failure { kind, message });
        }
        self.shared.handler.batch_ended();
    }

    async fn connect(self: Arc<Self>) {
        let shared = Arc::clone(&self.shared);
        let connected = tokio::select! {
            connected = self.dial() => connected,
            () = sleep(&shared.clock, shared.options.connect_timeout) => {
                Err(format!("no connection within {} ms", shared.options.connect_timeout.as_millis()))
            }
        };
        let connection = match connected {
            Ok(connection) => connection,
            Err(cause) => {
                return self.end(FailureKind::ConnectFailed, &format!("cannot connect to {}: {cause}", self.address));
            }
        };
        {
            let mut state = self.state.lock();
            // Closed meanwhile: the waiting requests were failed then.
            let Phase::Connecting { backlog } = &mut state.phase else { return };
            let backlog = std::mem::take(backlog);
            state.phase = Phase::Open(Arc::clone(&connection));
            // Under the lock, so that nothing submitted later overtakes what waited.
            connection.send(&backlog);
        }
        let service = Arc::new(ChannelService { channel: self });
        connection.run(service, shared.options.limits).await;
    }

    /// A connection, with the TLS handshake done if there is to be TLS; the error goes on after "cannot connect to address: ".
    async fn dial(&self) -> Result<Arc<Connection>, String> {
        let stream = TcpStream::connect(self.address.as_str()).await.map_err(|error| error.to_string())?;
        let tls = match &self.shared.options.tls {
            Some(client) => Some(TlsSession::connect(client, &self.address, &stream).await?),
            None => None,
        };
        Connection::new(stream, tls, Arc::clone(&self.shared.clock)).map_err(|error| error.to_string())
    }

    /// Leaves the channel unconnected, failing what waits.
    pub(crate) fn end(&self, kind: FailureKind, message: &str) {
        let waiting = {
            let mut state = self.state.lock();
            if let Phase::Open(connection) = std::mem::replace(&mut state.phase, Phase::Idle) {
                connection.close(message);
            }
            if kind == FailureKind::Closed {
                state.left.drain(..).for_each(|(connection, _)| connection.close(message));
                state.pending.take_all()
            } else {
                let generation = state.generation;
                state.pending.take_generation(generation)
            }
        };
        self.fail(waiting, kind, message);
    }

    fn fail(&self, waiting: Vec<Entry<H::Pending>>, kind: FailureKind, message: &str) {
        self.shared.pending_requests.fetch_sub(waiting.len(), Ordering::Relaxed);
        for entry in waiting {
            self.shared.handler.failed(entry.pending, Failure { kind, message: message.to_owned() });
        }
        self.shared.handler.batch_ended();
    }

    /// Leaves the connection there is, if there is one, because of `reason`: what was sent is still answered there, then it is
    /// closed. What is submitted from now on makes a new connection.
    pub fn leave(&self, reason: &str) {
        let open = match &self.state.lock().phase {
            Phase::Open(connection) => Some(Arc::clone(connection)),
            Phase::Idle | Phase::Connecting { .. } => None,
        };
        if let Some(connection) = open {
            self.leave_connection(&connection, reason);
            self.close_left();
            self.shared.handler.batch_ended();
        }
    }

    fn leave_connection(&self, connection: &Arc<Connection>, reason: &str) {
        let mut state = self.state.lock();
        if !matches!(&state.phase, Phase::Open(open) if open.id() == connection.id()) {
            return;
        }
        state.phase = Phase::Idle;
        let generation = state.generation;
        state.generation = generation.wrapping_add(1);
        state.left.push((Arc::clone(connection), generation));
        drop(state);
        self.shared.handler.closed(&self.address, reason);
    }

    /// Closes connections that were left and have nothing more to answer.
    fn close_left(&self) {
        let mut state = self.state.lock();
        let State { left, pending, .. } = &mut *state;
        left.retain(|(connection, generation)| {
            let waits = pending.has_generation(*generation);
            if !waits {
                connection.close("it was left and has nothing more to answer");
            }
            waits
        });
    }

    /// Takes out what waits for a connection that was left and has ended.
    fn take_left(&self, connection: &Arc<Connection>) -> Vec<Entry<H::Pending>> {
        let mut state = self.state.lock();
        let State { left, pending, .. } = &mut *state;
        let found = left.iter().position(|(one, _)| one.id() == connection.id());
        found.map_or_else(Vec::new, |index| pending.take_generation(left.swap_remove(index).1))
    }

    /// Fails what is due; returns the next deadline. A connection that was silent since before a request that timed out
    /// was made is taken for dead and closed, so that the next attempt makes a new one; not before [`MIN_SILENCE_MS`], as others
    /// use it too.
    pub(crate) fn expire(&self, now_ms: u64) -> Option<u64> {
        let (due, next, is_open) = {
            let mut state = self.state.lock();
            let state = &mut *state;
            let (due, next) = state.pending.expire(now_ms);
            if let Phase::Open(connection) = &state.phase {
                let last_read_ms = connection.last_read_ms();
                let unanswered =
                    due.iter().map(|entry| entry.started_ms).filter(|started_ms| *started_ms > last_read_ms);
                if let Some(started_ms) = unanswered.min() {
                    if state.unanswered_since_ms <= last_read_ms {
                        state.unanswered_since_ms = started_ms;
                    }
                    if now_ms - state.unanswered_since_ms.min(started_ms) >= MIN_SILENCE_MS {
                        connection.close("it was silent for the whole time of a request that timed out");
                    }
                }
            }
            (due, next, matches!(state.phase, Phase::Open(_)))
        };
        self.close_left();
        self.shared.pending_requests.fetch_sub(due.len(), Ordering::Relaxed);
        let any = !due.is_empty();
        for entry in due {
            let waited = entry.deadline_ms - entry.started_ms;
            let what = if is_open { "answer from" } else { "connection to" };
            let message = format!("no {what} {} within {waited} ms", self.address);
            self.shared.handler.failed(entry.pending, Failure { kind: FailureKind::TimedOut, message });
        }
        if any {
            self.shared.handler.batch_ended();
        }
        next
    }
}

/// Serves a channel's connection: answers to those who wait, requests to the handler.
struct ChannelService<H: ChannelHandler> {
    channel: Arc<Channel<H>>,
}

impl<H: ChannelHandler> Service for ChannelService<H> {
    type Session = ();

    fn serve(&self, connection: &Arc<Connection>, _: &mut (), burst: &mut Burst<'_>) {
        let shared = &self.channel.shared;
        let mut any_left = false;
        while let Some(command) = burst.next_command() {
            if !command.is_response() {
                shared.handler.requested(&self.channel, connection, &command);
                continue;
            }
            if command.code == GO_AWAY {
                // The peer is about to go (`NettyRemotingClient.java#invokeImpl`).
                self.channel.leave_connection(connection, "the peer asked for another connection (GO_AWAY)");
            }
            let entry = {
                let mut state = self.channel.state.lock();
                any_left |= !state.left.is_empty();
                state.pending.take(command.opaque)
            };
            // Nobody waits for it any more: it timed out.
            let Some(entry) = entry else { continue };
            shared.pending_requests.fetch_sub(1, Ordering::Relaxed);
            shared.handler.completed(entry.pending, &command);
        }
        if any_left {
            self.channel.close_left();
        }
        shared.handler.batch_ended();
    }

    fn disconnected(&self, connection: &Arc<Connection>, reason: &str) {
        let ours = matches!(&self.channel.state.lock().phase, Phase::Open(open) if open.id() == connection.id());
        let message = format!("connection to {} lost: {reason}", connection.peer());
        if ours {
            let advice = match reason {
                PEER_CLOSED_UNHEARD if self.channel.shared.options.tls.is_none() => {
                    " (if it demands TLS, give the option tls)"
                }
                _ => "",
            };
            let (reason, message) = (&format!("{reason}{advice}"), format!("{message}{advice}"));
            self.channel.shared.handler.closed(&self.channel.address, reason);
            self.channel.end(FailureKind::ConnectionLost, &message);
        } else {
            let waiting = self.channel.take_left(connection);
            self.channel.fail(waiting, FailureKind::ConnectionLost, &message);
        }
    }
}

//! One TCP connection, the same for both ends: bursts in, coalesced writes out.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rocketmq_codec::MAX_FRAME_BYTES;
use rocketmq_env::Clock;
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::sync::Notify;

use crate::burst::Burst;
use crate::input::{Input, KEEP_BYTES, PEER_CLOSED};
use crate::tls::{TlsSession, explain};

/// What one connection may cost.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// A larger frame ends the connection before memory is allocated for it. Default 16 MiB, as Apache's
    /// `com.rocketmq.remoting.frameMaxLength`.
    pub max_frame_bytes: usize,
    /// While more bytes than this wait for the peer to read them, nothing is read from it. Default 4 MiB.
    pub max_outbound_bytes: usize,
    /// How long the event loop goes on looking for what comes next when little came: waking a thread that sleeps takes about
    /// as long. Other connections are served meanwhile. Default 0.
    pub busy_poll: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_frame_bytes: MAX_FRAME_BYTES, max_outbound_bytes: 4 * 1024 * 1024, busy_poll: Duration::ZERO }
    }
}

/// Little, for [`Limits::busy_poll`]: some requests of a peer that waits for their answers. One that sends without waiting
/// sends more at a time.
const LITTLE_BYTES: usize = 1024;

/// What is done with the frames of a connection.
pub trait Service: Send + Sync + 'static {
    /// State of one connection that only its event loop touches, say a buffer to reuse.
    type Session: Default + Send + 'static;

    /// Handles all whole frames that one read brought: `while let Some(command) = burst.next_command()`. Frames
    /// appended to `burst.reply` are written once, afterwards; replies that come later go through [`Connection::send`].
    fn serve(&self, connection: &Arc<Connection>, session: &mut Self::Session, burst: &mut Burst<'_>);

    /// Called after the replies of a burst went to the socket, for work that nobody waits for.
    fn after_burst(&self, connection: &Arc<Connection>, session: &mut Self::Session) {
        let _ = (connection, session);
    }

    /// The connection is gone. Called once; `reason` says why in a few words.
    fn disconnected(&self, connection: &Arc<Connection>, reason: &str) {
        let _ = (connection, reason);
    }
}

/// How the reason begins when the socket takes nothing more.
const WRITE_FAILED: &str = "write failed";
/// The same when it had not sent a single byte.
pub(crate) const PEER_CLOSED_UNHEARD: &str = "the peer closed the connection before it sent anything";

/// Bytes that the socket did not take yet, and what encrypts them.
#[derive(Debug, Default)]
struct Outbound {
    /// Behind those that the event loop took.
    bytes: Vec<u8>,
    /// The event loop is writing bytes that it took out of here: without the lock, so that nobody waits for the system call.
    taken: bool,
    /// Both directions of the TLS, if there is any: its keys belong together.
    tls: Option<Box<TlsSession>>,
}

/// What the event loop took of the outbound bytes, and how much of that the socket has.
#[derive(Debug, Default)]
struct Writing {
    bytes: Vec<u8>,
    sent: usize,
}

impl Writing {
    fn rest(&self) -> &[u8] {
        self.bytes.get(self.sent..).unwrap_or_default()
    }
}

/// One TCP connection, with TLS or without. Sending is possible from every thread; reading happens on the connection's event loop.
#[derive(Debug)]
pub struct Connection {
    id: u64,
    peer: SocketAddr,
    local: SocketAddr,
    stream: TcpStream,
    encrypted: bool,
    outbound: Mutex<Outbound>,
    /// How many bytes wait, those that the event loop took included.
    outbound_bytes: AtomicUsize,
    /// There are outbound bytes for the loop to write, or the connection is to be closed.
    changed: Notify,
    closed: AtomicBool,
    /// To be closed once the peer has taken what waits.
    finishing: AtomicBool,
    close_reason: Mutex<Option<String>>,
    clock: Arc<dyn Clock>,
    last_read_ms: AtomicU64,
    last_write_ms: AtomicU64,
}

static NEXT_ID: AtomicU64 = AtomicU64::new(1);

impl Connection {
    /// A connection over `stream`, on which `tls` has shaken hands.
    pub(crate) fn new(stream: TcpStream, tls: Option<TlsSession>, clock: Arc<dyn Clock>) -> io::Result<Arc<Self>> {
        stream.set_nodelay(true)?;
        let now = uptime_ms(&clock);
        Ok(Arc::new(Self {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            peer: stream.peer_addr()?,
            local: stream.local_addr()?,
            stream,
            encrypted: tls.is_some(),
            outbound: Mutex::new(Outbound { tls: tls.map(Box::new), ..Outbound::default() }),
            outbound_bytes: AtomicUsize::new(0),
            changed: Notify::new(),
            closed: AtomicBool::new(false),
            finishing: AtomicBool::new(false),
            close_reason: Mutex::new(None),
            clock,
            last_read_ms: AtomicU64::new(now),
            last_write_ms: AtomicU64::new(now),
        }))
    }

    /// A number that no other connection of this process has or had.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The other end.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// This end.
    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// False once the connection is closed or about to be.
    pub fn is_open(&self) -> bool {
        !self.closed.load(Ordering::Acquire)
    }

    /// Bytes that wait for the peer to read.
    pub fn outbound_bytes(&self) -> usize {
        self.outbound_bytes.load(Ordering::Acquire)
    }

    /// Milliseconds of uptime at which the last bytes came in.
    pub fn last_read_ms(&self) -> u64 {
        self.last_read_ms.load(Ordering::Relaxed)
    }

    /// Milliseconds of uptime at which bytes last moved in either direction.
    pub fn last_active_ms(&self) -> u64 {
        self.last_read_ms().max(self.last_write_ms.load(Ordering::Relaxed))
    }

    /// Sends whole frames: to the socket at once when it takes them, else behind what already waits. On a closed
    /// connection the frames are dropped; who waits for an answer learns it from the connection's end.
    pub fn send(&self, frames: &[u8]) {
        if frames.is_empty() || !self.is_open() {
            return;
        }
        if self.encrypted {
            return self.send_encrypted(frames);
        }
        let mut outbound = self.outbound.lock();
        let mut written = 0;
        if outbound.bytes.is_empty() && !outbound.taken {
            match self.write_some(frames) {
                Ok(count) => written = count,
                Err(error) => {
                    drop(outbound);
                    self.close(&format!("{WRITE_FAILED}: {error}"));
                    return;
                }
            }
        }
        if let Some(rest) = frames.get(written..).filter(|rest| !rest.is_empty()) {
            outbound.bytes.extend_from_slice(rest);
            self.outbound_bytes.fetch_add(rest.len(), Ordering::AcqRel);
            drop(outbound);
            self.changed.notify_one();
        }
    }

    /// As [`send`](Connection::send), but the connection's event loop writes them. Leaves memory in `frames`, which may hold
    /// anything.
    pub(crate) fn hand_over(&self, frames: &mut Vec<u8>) {
        if frames.is_empty() || self.encrypted || !self.is_open() {
            return self.send(frames);
        }
        let mut outbound = self.outbound.lock();
        self.outbound_bytes.fetch_add(frames.len(), Ordering::AcqRel);
        if outbound.bytes.is_empty() {
            std::mem::swap(&mut outbound.bytes, frames);
        } else {
            outbound.bytes.extend_from_slice(frames);
        }
        drop(outbound);
        self.changed.notify_one();
    }

    /// The same through TLS. Records are encrypted in the order in which they go to the socket, hence under the lock.
    fn send_encrypted(&self, frames: &[u8]) {
        let sent = self.encrypt_and_write(|tls, out| tls.encrypt(frames, out));
        match sent {
            Ok(true) => {}
            Ok(false) => self.changed.notify_one(),
            Err(error) => self.close(&format!("{WRITE_FAILED}: {error}")),
        }
    }

    /// Puts what `encrypt` appends behind what waits, and writes as far as the socket takes it. Whether nothing is left.
    fn encrypt_and_write(
        &self,
        encrypt: impl FnOnce(&mut TlsSession, &mut Vec<u8>) -> io::Result<()>,
    ) -> io::Result<bool> {
        let mut outbound = self.outbound.lock();
        let Outbound { bytes, taken, tls: Some(tls) } = &mut *outbound else { return Ok(true) };
        let before = bytes.len();
        encrypt(tls, bytes)?;
        self.outbound_bytes.fetch_add(bytes.len() - before, Ordering::AcqRel);
        if !*taken {
            let written = self.write_some(bytes)?;
            bytes.drain(..written);
            self.outbound_bytes.fetch_sub(written, Ordering::AcqRel);
        }
        Ok(bytes.is_empty() && !*taken)
    }

    /// Closes the connection; of what waits in its outbound buffer the peer gets what the socket takes at once. The first
    /// reason given is the one reported.
    pub fn close(&self, reason: &str) {
        if !self.closed.swap(true, Ordering::AcqRel) {
            *self.close_reason.lock() = Some(reason.to_owned());
        }
        self.changed.notify_one();
    }

    /// Reads nothing more and closes the connection once the peer has taken all replies, those to the burst being served
    /// included.
    pub(crate) fn finish(&self) {
        self.finishing.store(true, Ordering::Release);
        self.changed.notify_one();
    }

    /// Writes until the socket takes no more. Returns the bytes taken.
    fn write_some(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut written = 0;
        while let Some(rest) = bytes.get(written..).filter(|rest| !rest.is_empty()) {
            match self.stream.try_write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => written += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        if written > 0 {
            self.last_write_ms.store(uptime_ms(&self.clock), Ordering::Relaxed);
        }
        Ok(written)
    }

    /// Writes what waits, as far as the socket takes it, and once what was added meanwhile.
    fn flush(&self, writing: &mut Writing) -> io::Result<()> {
        for _ in 0..2 {
            if writing.rest().is_empty() && !self.take_outbound(writing) {
                return Ok(());
            }
            let written = self.write_some(writing.rest())?;
            writing.sent += written;
            self.outbound_bytes.fetch_sub(written, Ordering::AcqRel);
            if !writing.rest().is_empty() {
                return Ok(());
            }
        }
        let mut outbound = self.outbound.lock();
        outbound.taken = !outbound.bytes.is_empty();
        Ok(())
    }

    /// Takes what waits in place of what was written; whether there is anything.
    fn take_outbound(&self, writing: &mut Writing) -> bool {
        writing.sent = 0;
        writing.bytes.clear();
        if writing.bytes.capacity() > KEEP_BYTES {
            writing.bytes = Vec::new();
        }
        let mut outbound = self.outbound.lock();
        std::mem::swap(&mut outbound.bytes, &mut writing.bytes);
        outbound.taken = !writing.bytes.is_empty();
        outbound.taken
    }

    /// Reads and serves until the connection ends, then tells the service.
    pub(crate) async fn run<S: Service>(self: Arc<Self>, service: Arc<S>, limits: Limits) {
        let mut writing = Writing::default();
        let reason = match self.drive(&*service, limits, &mut writing).await {
            Ok(()) => self.close_reason.lock().take().unwrap_or_else(|| "closed".to_owned()),
            Err(reason) => reason,
        };
        let reason = self.end(reason, &mut writing);
        self.closed.store(true, Ordering::Release);
        service.disconnected(&self, &reason);
    }

    /// Writes what was handed over and not written yet: who submitted a oneway request has no other way to know that it left.
    /// Through TLS takes leave of the peer, and prefers its words to ours for why the connection ends.
    fn end(&self, reason: String, writing: &mut Writing) -> String {
        if self.encrypted && reason.starts_with(WRITE_FAILED) {
            let mut outbound = self.outbound.lock();
            let last_words = outbound.tls.as_mut().and_then(|tls| tls.last_words(&self.stream));
            return last_words.unwrap_or(reason);
        }
        // The connection ends either way, and for the reason that is known; good manners only.
        let _ = self.flush(writing);
        let _ = self.encrypt_and_write(TlsSession::end);
        reason
    }

    async fn drive<S: Service>(
        self: &Arc<Self>,
        service: &S,
        limits: Limits,
        writing: &mut Writing,
    ) -> Result<(), String> {
        let mut session = S::Session::default();
        let mut input = Input::default();
        let mut reply = Vec::new();
        let mut heard = false;
        let mut little_came = false;
        while self.is_open() {
            let waiting = self.outbound_bytes();
            let finishing = self.finishing.load(Ordering::Acquire);
            // A peer that does not read what it asked for is not asked for more.
            let interest = match waiting {
                0 if finishing => return Ok(()),
                0 => Interest::READABLE,
                n if finishing || n > limits.max_outbound_bytes => Interest::WRITABLE,
                _ => Interest::READABLE | Interest::WRITABLE,
            };
            let ready = tokio::select! {
                biased;
                () = self.changed.notified() => continue,
                ready = self.stream.ready(interest) => ready.map_err(|error| format!("socket failed: {error}"))?,
            };
            if waiting > 0 && ready.is_writable() {
                self.flush(writing).map_err(|error| format!("{WRITE_FAILED}: {error}"))?;
            }
            if interest.is_readable() && ready.is_readable() {
                let read = match self.encrypted {
                    false => input.read(&self.stream, limits.max_frame_bytes),
                    true => input.read_encrypted(&self.stream, limits.max_frame_bytes, |cipher, plain| {
                        self.decrypt(cipher, plain)
                    }),
                };
                match read {
                    Ok(true) => heard = true,
                    Ok(false) => {
                        if std::mem::take(&mut little_came) && !limits.busy_poll.is_zero() {
                            self.poll_busily(limits.busy_poll).await;
                        }
                        continue;
                    }
                    Err(reason) if reason == PEER_CLOSED && !heard => return Err(PEER_CLOSED_UNHEARD.to_owned()),
                    Err(reason) => return Err(reason),
                }
                self.last_read_ms.store(uptime_ms(&self.clock), Ordering::Relaxed);
                let mut burst = Burst::new(input.unread(), limits.max_frame_bytes, &mut reply);
                service.serve(self, &mut session, &mut burst);
                let (consumed, error) = burst.finish();
                input.consume(consumed);
                little_came = consumed < LITTLE_BYTES;
                self.send(&reply);
                reply.clear();
                if reply.capacity() > KEEP_BYTES {
                    reply = Vec::new();
                }
                service.after_burst(self, &mut session);
                if let Some(error) = error {
                    return Err(format!("malformed frame: {error}"));
                }
                if input.ended {
                    return Err(PEER_CLOSED.to_owned());
                }
            }
        }
        Ok(())
    }

    /// Waits until there is something to read, at most so long, and keeps the event loop from sleeping. (Of a virtual clock
    /// nothing would be saved.)
    async fn poll_busily(&self, time: Duration) {
        let end = Instant::now() + time;
        std::future::poll_fn(|context| {
            if self.stream.poll_read_ready(context).is_ready() || Instant::now() >= end {
                return Poll::Ready(());
            }
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }

    /// Appends to `plain` what there is in `cipher`. True: the peer sends nothing more.
    fn decrypt(&self, cipher: &[u8], plain: &mut Vec<u8>) -> Result<bool, String> {
        let mut outbound = self.outbound.lock();
        let ended = outbound.tls.as_mut().map(|tls| tls.decrypt(cipher, plain));
        ended.unwrap_or(Ok(true)).map_err(|error| explain(&error))
    }
}

/// Milliseconds of a clock's uptime.
pub(crate) fn uptime_ms(clock: &Arc<dyn Clock>) -> u64 {
    u64::try_from(clock.uptime().as_millis()).unwrap_or(u64::MAX)
}

//! A TLS server that echoes the bodies of requests.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rocketmq_codec::{Command, FrameWriter, Head, SerializeType, frame_length};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, SupportedProtocolVersion};
use time::OffsetDateTime;

use crate::certificates::{Authority, days};

type Make = dyn Fn(OffsetDateTime, OffsetDateTime) -> (Vec<CertificateDer<'static>>, PrivatePkcs8KeyDer<'static>);

/// What a server is to be like.
pub struct ServerSettings {
    make: Box<Make>,
    from: OffsetDateTime,
    to: OffsetDateTime,
    versions: Vec<&'static SupportedProtocolVersion>,
    clients: Option<CertificateDer<'static>>,
    piece_bytes: usize,
    leaves_at: usize,
    manner: Manner,
}

/// What a server does beside answering.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Manner {
    Plain,
    NewKeys,
    LeavesWithAnswer,
    HoldsBack,
}

impl ServerSettings {
    pub fn new(make: Box<Make>) -> Self {
        Self {
            make,
            from: days(-1),
            to: days(1),
            versions: rustls::ALL_VERSIONS.to_vec(),
            clients: None,
            piece_bytes: usize::MAX,
            leaves_at: usize::MAX,
            manner: Manner::Plain,
        }
    }

    /// Takes new keys, and wants new ones of the client, before each answer.
    pub fn changing_keys(self) -> Self {
        Self { manner: Manner::NewKeys, ..self }
    }

    /// Answers two requests together but for the last bytes, which it sends when the third request comes, and does not answer that.
    pub fn holding_back(self) -> Self {
        Self { manner: Manner::HoldsBack, ..self }
    }

    /// Ends the TLS in the same breath as it answers.
    pub fn leaving_with_the_answer(self) -> Self {
        Self { manner: Manner::LeavesWithAnswer, ..self }
    }

    /// Speaks this version alone.
    pub fn config(self, version: &'static SupportedProtocolVersion) -> Self {
        Self { versions: vec![version], ..self }
    }

    /// Its certificate is good between these times.
    pub fn valid(self, from: OffsetDateTime, to: OffsetDateTime) -> Self {
        Self { from, to, ..self }
    }

    pub fn expired(self) -> Self {
        self.valid(days(-3), days(-1))
    }

    /// Wants a certificate that this authority has signed.
    pub fn demanding(self, authority: &Authority) -> Self {
        Self { clients: Some(authority.der()), ..self }
    }

    /// Writes so many bytes at a time.
    pub fn in_pieces_of(self, piece_bytes: usize) -> Self {
        Self { piece_bytes, ..self }
    }

    /// Instead of answering the request of this number, counted from 1, ends the TLS and waits for the client to close.
    pub fn leaving_at(self, leaves_at: usize) -> Self {
        Self { leaves_at, ..self }
    }
}

#[derive(Default)]
struct Seen {
    connections: AtomicUsize,
    requests: AtomicUsize,
    goodbye: AtomicBool,
}

pub struct TlsServer {
    pub address: String,
    seen: Arc<Seen>,
}

impl TlsServer {
    pub fn start(settings: ServerSettings) -> Self {
        let (chain, key) = (settings.make)(settings.from, settings.to);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
        let builder = builder.with_protocol_versions(&settings.versions).unwrap();
        let builder = match settings.clients {
            None => builder.with_no_client_auth(),
            Some(authority) => {
                let mut roots = RootCertStore::empty();
                roots.add(authority).unwrap();
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                builder.with_client_cert_verifier(verifier.build().unwrap())
            }
        };
        let config = Arc::new(builder.with_single_cert(chain, PrivateKeyDer::Pkcs8(key)).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let seen = Arc::new(Seen::default());
        let shared = Arc::clone(&seen);
        let (piece_bytes, leaves_at, manner) = (settings.piece_bytes, settings.leaves_at, settings.manner);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
                let stream = Pieces { stream: stream.unwrap(), piece_bytes };
                shared.connections.fetch_add(1, Ordering::Relaxed);
                let seen = Arc::clone(&shared);
                // A handshake or connection that fails is the client's to judge.
                std::thread::spawn(move || {
                    serve(rustls::StreamOwned::new(connection, stream), &seen, leaves_at, manner)
                });
            }
        });
        Self { address, seen }
    }

    pub fn connections(&self) -> usize {
        self.seen.connections.load(Ordering::Relaxed)
    }

    pub fn requests(&self) -> usize {
        self.seen.requests.load(Ordering::Relaxed)
    }

    /// Whether a client ended its TLS in good order, now or within a while.
    pub fn heard_goodbye(&self) -> bool {
        let end = Instant::now() + Duration::from_secs(20);
        while !self.seen.goodbye.load(Ordering::Acquire) && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(1));
        }
        self.seen.goodbye.load(Ordering::Acquire)
    }
}

struct Pieces {
    stream: TcpStream,
    piece_bytes: usize,
}

impl Read for Pieces {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.stream.read(into)
    }
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.piece_bytes < usize::MAX {
            // Each a packet of its own.
            self.stream.set_nodelay(true)?;
        }
        self.stream.write(&bytes[..bytes.len().min(self.piece_bytes)])
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

fn serve(
    mut stream: rustls::StreamOwned<ServerConnection, Pieces>,
    seen: &Seen,
    leaves_at: usize,
    manner: Manner,
) -> io::Result<()> {
    let (mut answered, mut held) = (0, Vec::new());
    loop {
        let mut frame = vec![0; 4];
        match stream.read(&mut frame[..1])? {
            0 => {
                seen.goodbye.store(true, Ordering::Release);
                return Ok(());
            }
            _ => stream.read_exact(&mut frame[1..])?,
        }
        let total = frame_length(&frame, usize::MAX).unwrap().unwrap();
        frame.resize(total, 0);
        stream.read_exact(&mut frame[4..])?;
        if seen.requests.fetch_add(1, Ordering::Relaxed) + 1 == leaves_at {
            stream.conn.send_close_notify();
            stream.flush()?;
            let _ = stream.sock.read(&mut [0; 64]);
            return Ok(());
        }
        let request = Command::decode(&frame).unwrap();
        let mut out = Vec::new();
        let mut answer = FrameWriter::begin(&mut out, SerializeType::Json, Head::response(0, request.opaque));
        answer.begin_body().extend_from_slice(request.body);
        answer.finish().unwrap();
        match manner {
            Manner::Plain => stream.write_all(&out)?,
            Manner::NewKeys => {
                stream.conn.refresh_traffic_keys().map_err(io::Error::other)?;
                stream.write_all(&out)?;
            }
            Manner::HoldsBack => {
                answered += 1;
                let ready = held.len().saturating_sub(10);
                match answered {
                    1 => held = out,
                    2 => {
                        held.append(&mut out);
                        let ready = held.len() - 10;
                        stream.write_all(&held[..ready])?;
                    }
                    _ => stream.write_all(&held[ready..])?,
                }
            }
            Manner::LeavesWithAnswer => {
                stream.conn.writer().write_all(&out)?;
                stream.conn.send_close_notify();
            }
        }
        stream.flush()?;
    }
}

//! What the server promises its peers, over raw sockets.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is how these tests fail")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rocketmq_codec::{Command, FrameWriter, Head, SerializeType, frame_length};
use rocketmq_env::{Clock, SystemClock, VirtualClock};
use rocketmq_remoting::{Burst, Connection, EventLoops, Limits, Server, ServerOptions, Service};

/// Answers every request with its own body, as often as its code says.
#[derive(Default)]
struct Echo {
    served: AtomicUsize,
    disconnected: AtomicUsize,
}

impl Service for Echo {
    type Session = ();

    fn serve(&self, _: &Arc<Connection>, _: &mut (), burst: &mut Burst<'_>) {
        while let Some(command) = burst.next_command() {
            self.served.fetch_add(1, Ordering::SeqCst);
            for _ in 0..command.code {
                let mut frame =
                    FrameWriter::begin(burst.reply, SerializeType::RocketMq, Head::response(0, command.opaque));
                frame.begin_body().extend_from_slice(command.body);
                frame.finish().unwrap();
            }
        }
    }

    fn disconnected(&self, _: &Arc<Connection>, _: &str) {
        self.disconnected.fetch_add(1, Ordering::SeqCst);
    }
}

struct Fixture {
    server: Server,
    echo: Arc<Echo>,
    loops: Arc<EventLoops>,
    clock: Arc<dyn Clock>,
}

fn start(options: ServerOptions, clock: Arc<dyn Clock>) -> Fixture {
    let loops = EventLoops::new(2, "test").unwrap();
    let echo = Arc::new(Echo::default());
    let address = SocketAddr::from(([127, 0, 0, 1], 0));
    let server = Server::bind(address, options, Arc::clone(&echo), &loops, Arc::clone(&clock)).unwrap();
    Fixture { server, echo, loops, clock }
}

fn started() -> Fixture {
    start(ServerOptions::default(), Arc::new(SystemClock::new()))
}

impl Fixture {
    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.server.local_addr()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream
    }

    fn shutdown(&self) -> usize {
        self.loops.first().block_on(self.server.shutdown(Duration::from_secs(5), &self.clock))
    }
}

fn request(code: i32, opaque: i32, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut frame = FrameWriter::begin(&mut out, SerializeType::RocketMq, Head::request(code, opaque));
    frame.begin_body().extend_from_slice(body);
    frame.finish().unwrap();
    out
}

fn read_frame(stream: &mut TcpStream) -> (i32, Vec<u8>) {
    let mut bytes = vec![0; 4];
    stream.read_exact(&mut bytes).unwrap();
    let total = frame_length(&bytes, usize::MAX).unwrap().unwrap();
    bytes.resize(total, 0);
    stream.read_exact(&mut bytes[4..]).unwrap();
    let command = Command::decode(&bytes).unwrap();
    (command.opaque, command.body.to_vec())
}

fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(20), "never: {what}");
        std::thread::yield_now();
    }
}

#[test]
fn many_requests_in_one_write_are_all_answered_in_order() {
    let fixture = started();
    let mut stream = fixture.connect();
    let requests: Vec<u8> = (0..1000).flat_map(|n: i32| request(1, n, &n.to_be_bytes())).collect();
    stream.write_all(&requests).unwrap();
    for n in 0..1000_i32 {
        assert_eq!(read_frame(&mut stream), (n, n.to_be_bytes().to_vec()));
    }
}

#[test]
fn a_request_that_comes_byte_by_byte_is_answered_once_whole() {
    let fixture = started();
    let mut stream = fixture.connect();
    stream.set_nodelay(true).unwrap();
    for byte in request(1, 7, b"slow") {
        stream.write_all(&[byte]).unwrap();
    }
    assert_eq!(read_frame(&mut stream), (7, b"slow".to_vec()));
    assert_eq!(fixture.echo.served.load(Ordering::SeqCst), 1);
}

#[test]
fn a_malformed_frame_ends_its_connection_only_and_what_came_before_it_is_answered() {
    let fixture = started();
    let mut good = fixture.connect();
    let mut bad = fixture.connect();
    let mut bytes = request(1, 1, b"before");
    bytes.extend_from_slice(&[0, 0, 0, 8, 9, 0, 0, 4, 0xFF, 0xFF, 0xFF, 0xFF]);
    bad.write_all(&bytes).unwrap();
    assert_eq!(read_frame(&mut bad), (1, b"before".to_vec()));
    assert_eq!(bad.read(&mut [0]).unwrap(), 0);
    good.write_all(&request(1, 2, b"unharmed")).unwrap();
    assert_eq!(read_frame(&mut good), (2, b"unharmed".to_vec()));
}

#[test]
fn a_frame_above_the_limit_is_refused_by_its_length_alone() {
    let fixture = started();
    let mut stream = fixture.connect();
    stream.write_all(&(16_777_216_u32).to_be_bytes()).unwrap();
    assert_eq!(stream.read(&mut [0]).unwrap(), 0);
    assert_eq!(fixture.echo.served.load(Ordering::SeqCst), 0);
}

#[test]
fn while_one_connection_is_polled_busily_the_others_of_its_loop_are_served() {
    let limits = Limits { busy_poll: Duration::from_secs(3600), ..Limits::default() };
    let fixture = start(ServerOptions { limits, ..ServerOptions::default() }, Arc::new(SystemClock::new()));
    // Two on each loop.
    let mut streams = [(); 4].map(|()| fixture.connect());
    for n in 0..3 {
        for stream in &mut streams {
            stream.write_all(&request(1, n, b"little")).unwrap();
            assert_eq!(read_frame(stream), (n, b"little".to_vec()));
        }
    }
}

#[test]
fn a_peer_that_does_not_read_is_not_read_from_until_it_does() {
    let limits = Limits { max_outbound_bytes: 64 * 1024, ..Limits::default() };
    let fixture = start(ServerOptions { limits, ..ServerOptions::default() }, Arc::new(SystemClock::new()));
    let mut stream = fixture.connect();
    let mut writer = stream.try_clone().unwrap();
    let body = vec![7; 64 * 1024];
    let sender = std::thread::spawn(move || {
        for n in 0..2000 {
            writer.write_all(&request(1, n, &body)).unwrap();
        }
    });
    // 128 MB are asked for and none is read: the server must stop serving long before the end.
    let mut before = 0;
    eventually("the server stops reading", || {
        std::thread::sleep(Duration::from_millis(50));
        let now = fixture.echo.served.load(Ordering::SeqCst);
        std::mem::replace(&mut before, now) == now && now > 0
    });
    assert!(before < 1000, "{before} requests were served for a peer that reads nothing");
    for n in 0..2000 {
        assert_eq!(read_frame(&mut stream).0, n);
    }
    sender.join().unwrap();
}

#[test]
fn an_idle_connection_is_closed_after_two_minutes_and_one_in_use_is_not() {
    let clock = Arc::new(VirtualClock::new(0));
    let fixture = start(ServerOptions::default(), Arc::clone(&clock) as Arc<dyn Clock>);
    let mut idle = fixture.connect();
    let mut used = fixture.connect();
    for _ in 0..13 {
        used.write_all(&request(1, 1, b"x")).unwrap();
        read_frame(&mut used);
        clock.advance(Duration::from_secs(10));
    }
    eventually("the idle one is closed", || {
        clock.advance(Duration::from_millis(1));
        fixture.echo.disconnected.load(Ordering::SeqCst) == 1
    });
    assert_eq!(idle.read(&mut [0]).unwrap(), 0);
    used.write_all(&request(1, 2, b"y")).unwrap();
    assert_eq!(read_frame(&mut used), (2, b"y".to_vec()));
}

#[test]
fn shutdown_delivers_replies_that_wait_then_closes_everything() {
    let fixture = started();
    let mut stream = fixture.connect();
    stream.write_all(&request(3, 5, &vec![1; 2_000_000])).unwrap();
    eventually("served", || fixture.echo.served.load(Ordering::SeqCst) == 1);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            for _ in 0..3 {
                assert_eq!(read_frame(&mut stream).1.len(), 2_000_000);
            }
            assert_eq!(stream.read(&mut [0]).unwrap(), 0);
        });
        assert_eq!(fixture.shutdown(), 1);
        reader.join().unwrap();
    });
    assert!(TcpStream::connect(fixture.server.local_addr()).is_err());
}

#[test]
fn connections_beyond_the_limit_are_closed_at_once() {
    let options = ServerOptions { max_connections: 1, ..ServerOptions::default() };
    let fixture = start(options, Arc::new(SystemClock::new()));
    let mut first = fixture.connect();
    first.write_all(&request(1, 1, b"a")).unwrap();
    read_frame(&mut first);
    let mut second = fixture.connect();
    assert_eq!(second.read(&mut [0]).unwrap_or(0), 0);
    first.write_all(&request(1, 2, b"b")).unwrap();
    assert_eq!(read_frame(&mut first).0, 2);
}

//! What a client's channels promise their callers, against scripted servers.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is how these tests fail")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rocketmq_codec::{Command, EncodeHeader, FrameWriter, Head, SerializeType, frame_length, response_code};
use rocketmq_env::{Clock, SystemClock, VirtualClock};
use rocketmq_remoting::{ChannelOptions, Client, EventLoops, FailureKind};

/// A header without fields.
struct NoHeader;

impl EncodeHeader for NoHeader {
    fn encode(&self, _: &mut FrameWriter<'_>) {}
}

struct Fixture {
    client: Arc<Client>,
    loops: Arc<EventLoops>,
    listener: TcpListener,
    address: String,
}

fn start(clock: Arc<dyn Clock>, options: ChannelOptions) -> Fixture {
    let loops = EventLoops::new(1, "test").unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    Fixture { client: Arc::new(Client::new(Arc::clone(&loops), clock, options)), loops, listener, address }
}

fn started() -> Fixture {
    start(Arc::new(SystemClock::new()), ChannelOptions::default())
}

impl Fixture {
    fn invoke(&self, code: i32, timeout: Duration) -> Result<i32, FailureKind> {
        let answer = self.loops.first().block_on(self.client.invoke(&self.address, code, &NoHeader, b"", timeout));
        answer.map(|command| command.code).map_err(|failure| failure.kind)
    }

    async fn send(&self, code: i32, body: Vec<u8>) -> Result<i32, FailureKind> {
        let answer = self.client.invoke(&self.address, code, &NoHeader, &body, LONG).await;
        answer.map(|command| command.code).map_err(|failure| failure.kind)
    }

    fn accept(&self) -> TcpStream {
        self.listener.accept().unwrap().0
    }

    /// The server's end of a connection that stands.
    fn connected(&self) -> TcpStream {
        std::thread::scope(|scope| {
            let first = scope.spawn(|| self.invoke(0, LONG));
            let mut stream = self.accept();
            let (code, opaque) = read_request(&mut stream);
            respond(&mut stream, code, opaque);
            assert_eq!(first.join().unwrap(), Ok(0));
            stream
        })
    }
}

const LONG: Duration = Duration::from_secs(20);

fn read_request(stream: &mut TcpStream) -> (i32, i32) {
    let mut bytes = vec![0; 4];
    stream.read_exact(&mut bytes).unwrap();
    let total = frame_length(&bytes, usize::MAX).unwrap().unwrap();
    bytes.resize(total, 0);
    stream.read_exact(&mut bytes[4..]).unwrap();
    let command = Command::decode(&bytes).unwrap();
    (command.code, command.opaque)
}

fn respond(stream: &mut TcpStream, code: i32, opaque: i32) {
    let mut out = Vec::new();
    FrameWriter::begin(&mut out, SerializeType::Json, Head::response(code, opaque)).finish().unwrap();
    stream.write_all(&out).unwrap();
}

#[test]
fn requests_made_before_the_connection_stands_are_sent_when_it_does() {
    let fixture = started();
    std::thread::scope(|scope| {
        let calls: Vec<_> = (0..10)
            .map(|code| {
                scope.spawn({
                    let f = &fixture;
                    move || f.invoke(code, LONG)
                })
            })
            .collect();
        let mut stream = fixture.accept();
        for _ in 0..10 {
            let (code, opaque) = read_request(&mut stream);
            respond(&mut stream, code + 100, opaque);
        }
        for (code, call) in (0..).zip(calls) {
            assert_eq!(call.join().unwrap(), Ok(code + 100));
        }
    });
}

#[test]
fn answers_find_their_requests_in_any_order_and_unknown_ones_are_dropped() {
    let fixture = started();
    std::thread::scope(|scope| {
        let first = scope.spawn(|| fixture.invoke(1, LONG));
        let mut stream = fixture.accept();
        let (code, opaque) = read_request(&mut stream);
        let second = scope.spawn(|| fixture.invoke(2, LONG));
        let (second_code, second_opaque) = read_request(&mut stream);
        respond(&mut stream, 99, 123_456);
        respond(&mut stream, second_code + 100, second_opaque);
        respond(&mut stream, code + 100, opaque);
        assert_eq!(first.join().unwrap(), Ok(101));
        assert_eq!(second.join().unwrap(), Ok(102));
    });
}

#[test]
fn requests_of_all_sizes_reach_the_server_in_the_order_in_which_they_were_made() {
    let fixture = started();
    std::thread::scope(|scope| {
        let mut stream = fixture.connected();
        let calls = scope.spawn(|| {
            let call = |code, bytes| fixture.send(code, vec![7; bytes]);
            fixture.loops.first().block_on(async {
                tokio::join!(
                    call(1, 10),
                    call(2, 3_000_000),
                    call(3, 10),
                    call(4, 20_000),
                    call(5, 40_000),
                    call(6, 10)
                )
            })
        });
        for expected in 1..=6 {
            let (code, opaque) = read_request(&mut stream);
            assert_eq!(code, expected);
            respond(&mut stream, code, opaque);
        }
        assert_eq!(calls.join().unwrap(), (Ok(1), Ok(2), Ok(3), Ok(4), Ok(5), Ok(6)));
    });
}

#[test]
fn a_large_request_still_leaves_when_the_client_is_closed_at_once() {
    let fixture = started();
    let mut stream = fixture.connected();
    let (client, address) = (Arc::clone(&fixture.client), fixture.address.clone());
    // On the event loop, which therefore cannot write in between.
    fixture.loops.spawn(async move {
        let body = vec![7; 20_000];
        let call = client.invoke(&address, 1, &NoHeader, &body, LONG);
        tokio::select! {
            biased;
            answer = call => panic!("{answer:?} before it was sent"),
            () = std::future::ready(()) => client.close(),
        }
    });
    assert_eq!(read_request(&mut stream).0, 1);
}

#[test]
fn a_request_without_an_answer_fails_at_its_deadline_and_a_silent_connection_is_replaced() {
    let clock = Arc::new(VirtualClock::new(0));
    let fixture = start(Arc::clone(&clock) as Arc<dyn Clock>, ChannelOptions::default());
    clock.advance(Duration::from_secs(1));
    std::thread::scope(|scope| {
        let call = scope.spawn(|| fixture.invoke(1, Duration::from_secs(3)));
        let mut stream = fixture.accept();
        let (_, opaque) = read_request(&mut stream);
        clock.advance(Duration::from_millis(2999));
        assert!(!call.is_finished());
        clock.advance(Duration::from_millis(1));
        assert_eq!(call.join().unwrap(), Err(FailureKind::TimedOut));
        // The late answer finds nobody.
        respond(&mut stream, 0, opaque);
    });
}

#[test]
fn an_impatient_request_does_not_end_the_connection_of_others_but_a_longer_silence_does() {
    let clock = Arc::new(VirtualClock::new(0));
    let fixture = start(Arc::clone(&clock) as Arc<dyn Clock>, ChannelOptions::default());
    clock.advance(Duration::from_secs(1));
    std::thread::scope(|scope| {
        let patient = scope.spawn(|| fixture.invoke(1, LONG));
        let mut stream = fixture.accept();
        read_request(&mut stream);
        clock.advance(Duration::from_millis(1));
        let mut impatient = |ms| {
            let fixture = &fixture;
            let call = scope.spawn(move || fixture.invoke(2, Duration::from_millis(ms)));
            read_request(&mut stream);
            clock.advance(Duration::from_millis(ms));
            assert_eq!(call.join().unwrap(), Err(FailureKind::TimedOut));
        };
        impatient(20);
        impatient(479);
        assert!(!patient.is_finished());
        impatient(1);
        assert_eq!(patient.join().unwrap(), Err(FailureKind::ConnectionLost));
    });
}

#[test]
fn a_lost_connection_fails_its_requests_and_the_next_request_connects_again() {
    let fixture = started();
    std::thread::scope(|scope| {
        let call = scope.spawn(|| fixture.invoke(1, LONG));
        let mut stream = fixture.accept();
        read_request(&mut stream);
        drop(stream);
        assert_eq!(call.join().unwrap(), Err(FailureKind::ConnectionLost));
        let again = scope.spawn(|| fixture.invoke(2, LONG));
        let mut stream = fixture.accept();
        let (_, opaque) = read_request(&mut stream);
        respond(&mut stream, 0, opaque);
        assert_eq!(again.join().unwrap(), Ok(0));
    });
}

#[test]
fn half_a_frame_and_a_reset_fail_the_request() {
    let fixture = started();
    std::thread::scope(|scope| {
        let call = scope.spawn(|| fixture.invoke(1, LONG));
        let mut stream = fixture.accept();
        read_request(&mut stream);
        stream.write_all(&[0, 0, 1, 0, 0]).unwrap();
        drop(stream);
        assert_eq!(call.join().unwrap(), Err(FailureKind::ConnectionLost));
    });
}

#[test]
fn an_answer_that_is_no_frame_ends_the_connection() {
    let fixture = started();
    std::thread::scope(|scope| {
        let call = scope.spawn(|| fixture.invoke(1, LONG));
        let mut stream = fixture.accept();
        read_request(&mut stream);
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
        assert_eq!(call.join().unwrap(), Err(FailureKind::ConnectionLost));
        assert_eq!(stream.read(&mut [0]).unwrap_or(0), 0);
    });
}

#[test]
fn nobody_listening_fails_at_once() {
    let mut fixture = started();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    fixture.address = free.to_string();
    let start = Instant::now();
    assert_eq!(fixture.invoke(1, LONG), Err(FailureKind::ConnectFailed));
    assert!(start.elapsed() < LONG);
}

#[test]
fn requests_beyond_the_limit_fail_at_once_and_the_rest_is_unharmed() {
    let options = ChannelOptions { max_pending_requests: 1, ..ChannelOptions::default() };
    let fixture = start(Arc::new(SystemClock::new()), options);
    std::thread::scope(|scope| {
        let call = scope.spawn(|| fixture.invoke(1, LONG));
        let mut stream = fixture.accept();
        let (_, opaque) = read_request(&mut stream);
        assert_eq!(fixture.invoke(2, LONG), Err(FailureKind::TooManyRequests));
        respond(&mut stream, 0, opaque);
        assert_eq!(call.join().unwrap(), Ok(0));
    });
}

#[test]
fn closing_the_client_fails_what_waits() {
    let fixture = started();
    std::thread::scope(|scope| {
        let call = scope.spawn(|| fixture.invoke(1, LONG));
        let mut stream = fixture.accept();
        read_request(&mut stream);
        fixture.client.close();
        assert_eq!(call.join().unwrap(), Err(FailureKind::Closed));
        assert_eq!(fixture.invoke(2, LONG), Err(FailureKind::Closed));
    });
}

#[test]
fn a_connection_that_asks_to_be_left_gets_no_more_requests_and_is_closed_when_it_has_answered_all() {
    let fixture = started();
    std::thread::scope(|scope| {
        let first = scope.spawn(|| fixture.invoke(1, LONG));
        let mut old = fixture.accept();
        let first_request = read_request(&mut old);
        let second = scope.spawn(|| fixture.invoke(2, LONG));
        let second_request = read_request(&mut old);
        respond(&mut old, response_code::GO_AWAY, first_request.1);
        assert_eq!(first.join().unwrap(), Ok(response_code::GO_AWAY));
        let third = scope.spawn(|| fixture.invoke(3, LONG));
        let mut new = fixture.accept();
        let (code, opaque) = read_request(&mut new);
        respond(&mut new, code + 100, opaque);
        assert_eq!(third.join().unwrap(), Ok(103));
        assert!(!second.is_finished());
        respond(&mut old, 102, second_request.1);
        assert_eq!(second.join().unwrap(), Ok(102));
        assert_eq!(old.read(&mut [0]).unwrap(), 0);
    });
}

#[test]
fn a_connection_that_was_left_takes_only_its_own_requests_with_it() {
    let fixture = started();
    std::thread::scope(|scope| {
        let first = scope.spawn(|| fixture.invoke(1, LONG));
        let mut old = fixture.accept();
        let (_, first_opaque) = read_request(&mut old);
        let second = scope.spawn(|| fixture.invoke(2, LONG));
        read_request(&mut old);
        respond(&mut old, response_code::GO_AWAY, first_opaque);
        first.join().unwrap().unwrap();
        let third = scope.spawn(|| fixture.invoke(3, LONG));
        let mut new = fixture.accept();
        let (code, opaque) = read_request(&mut new);
        drop(old);
        assert_eq!(second.join().unwrap(), Err(FailureKind::ConnectionLost));
        assert!(!third.is_finished());
        respond(&mut new, code + 100, opaque);
        assert_eq!(third.join().unwrap(), Ok(103));
    });
}

//! TLS of a client's channels, against scripted servers. Certificates are made as the tests run.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is how these tests fail")]

mod certificates;
mod server;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

use certificates::{Authority, days};
use rocketmq_codec::{EncodeHeader, FrameWriter};
use rocketmq_env::{Clock, SystemClock, VirtualClock};
use rocketmq_remoting::{
    ChannelOptions, Client, EventLoops, Failure, FailureKind, OwnedCommand, TlsClient, TlsClientOptions, Verification,
};
use server::TlsServer;

/// A header without fields.
struct NoHeader;

impl EncodeHeader for NoHeader {
    fn encode(&self, _: &mut FrameWriter<'_>) {}
}

const LONG: Duration = Duration::from_secs(20);

struct Caller {
    client: Client,
    loops: Arc<EventLoops>,
}

impl Caller {
    fn new(options: TlsClientOptions<'_>) -> Self {
        Self::with_clock(options, Arc::new(SystemClock::new()))
    }

    fn with_clock(options: TlsClientOptions<'_>, clock: Arc<dyn Clock>) -> Self {
        Self::of(ChannelOptions { tls: Some(TlsClient::new(options).unwrap()), ..ChannelOptions::default() }, clock)
    }

    fn of(options: ChannelOptions, clock: Arc<dyn Clock>) -> Self {
        let loops = EventLoops::new(1, "test").unwrap();
        Self { client: Client::new(Arc::clone(&loops), clock, options), loops }
    }

    fn invoke(&self, address: &str, body: &[u8]) -> Result<OwnedCommand, Failure> {
        self.loops.first().block_on(self.client.invoke(address, 1, &NoHeader, body, LONG))
    }

    /// The text of a connection that cannot be made.
    fn refusal(&self, address: &str) -> String {
        let failure = self.invoke(address, b"").unwrap_err();
        assert_eq!(failure.kind, FailureKind::ConnectFailed, "{failure}");
        assert!(failure.message.contains(address), "{failure}");
        failure.message
    }
}

fn trusting(pem: &str) -> TlsClientOptions<'_> {
    TlsClientOptions { authorities: pem.as_bytes(), ..TlsClientOptions::default() }
}

fn body(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|i| (i * 7 % 251) as u8).collect()
}

#[test]
fn requests_and_answers_of_every_size_travel_through_tls_in_both_versions() {
    let authority = Authority::new();
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let server = TlsServer::start(authority.server(&["127.0.0.1"]).config(version));
        let caller = Caller::new(trusting(&authority.pem));
        for bytes in [0, 1, 100, 16_383, 16_384, 16_385, 70_000, 4_000_000] {
            let answer = caller.invoke(&server.address, &body(bytes)).unwrap();
            assert!(answer.body == body(bytes), "{bytes} bytes with {version:?}");
        }
        assert_eq!(server.connections(), 1);
    }
}

#[test]
fn records_that_come_in_pieces_are_put_together() {
    let authority = Authority::new();
    let server = TlsServer::start(authority.server(&["127.0.0.1"]).in_pieces_of(5));
    let caller = Caller::new(trusting(&authority.pem));
    for bytes in [3, 20_000] {
        assert!(caller.invoke(&server.address, &body(bytes)).unwrap().body == body(bytes));
    }
}

#[test]
fn the_last_bytes_of_an_answer_that_come_alone_complete_it() {
    let authority = Authority::new();
    let server = TlsServer::start(authority.server(&["127.0.0.1"]).holding_back());
    let caller = Caller::new(trusting(&authority.pem));
    std::thread::scope(|scope| {
        let calls = [(); 2].map(|()| scope.spawn(|| caller.invoke(&server.address, &body(1_000)).unwrap().body));
        while !calls.iter().any(std::thread::ScopedJoinHandle::is_finished) {
            std::thread::yield_now();
        }
        scope.spawn(|| caller.invoke(&server.address, b"the rest, please").unwrap_err());
        for call in calls {
            assert!(call.join().unwrap() == body(1_000));
        }
        caller.client.close();
    });
}

#[test]
fn many_requests_of_many_threads_share_a_connection() {
    let authority = Authority::new();
    let server = TlsServer::start(authority.server(&["127.0.0.1"]).config(&rustls::version::TLS13));
    let caller = Caller::new(trusting(&authority.pem));
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (caller, address) = (&caller, &server.address);
            scope.spawn(move || {
                for i in 0..50 {
                    let sent = body(thread * 50_000 + i * 3_001);
                    assert!(caller.invoke(address, &sent).unwrap().body == sent);
                }
            });
        }
    });
    assert_eq!(server.connections(), 1);
}

#[test]
fn a_server_signed_by_an_unknown_authority_is_refused() {
    let server = TlsServer::start(Authority::new().server(&["127.0.0.1"]));
    let other = Authority::new();
    let refusal = Caller::new(trusting(&other.pem)).refusal(&server.address);
    assert!(refusal.contains("none of the trusted authorities has signed it"), "{refusal}");
    assert!(refusal.contains("tls.ca"), "{refusal}");
    let pretender = TlsServer::start(other.pretender().server(&["127.0.0.1"]));
    let refusal = Caller::new(trusting(&other.pem)).refusal(&pretender.address);
    assert!(refusal.contains("has not signed it"), "{refusal}");
    assert_eq!(server.requests() + pretender.requests(), 0);
}

#[test]
fn a_server_with_another_name_is_refused_unless_that_name_is_expected_or_names_are_ignored() {
    let authority = Authority::new();
    let server = TlsServer::start(authority.server(&["broker.example"]));
    let options = trusting(&authority.pem);
    let refusal = Caller::new(options).refusal(&server.address);
    assert!(refusal.contains("broker.example") && refusal.contains("tls.servername"), "{refusal}");
    let wrong = TlsClientOptions { server_name: Some("other.example"), ..options };
    assert!(Caller::new(wrong).refusal(&server.address).contains("other.example"));
    let right = TlsClientOptions { server_name: Some("broker.example"), ..options };
    assert!(Caller::new(right).invoke(&server.address, b"").is_ok());
    let ignored = TlsClientOptions { verification: Verification::NameIgnored, ..options };
    assert!(Caller::new(ignored).invoke(&server.address, b"").is_ok());
}

#[test]
fn names_that_are_ignored_make_no_authority_trusted() {
    let server = TlsServer::start(Authority::new().server(&["broker.example"]));
    let other = Authority::new();
    let options = TlsClientOptions { verification: Verification::NameIgnored, ..trusting(&other.pem) };
    Caller::new(options).refusal(&server.address);
}

#[test]
fn whoever_answers_is_believed_when_verification_is_off() {
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let server = TlsServer::start(Authority::new().server(&["broker.example"]).expired().config(version));
        let options = TlsClientOptions { verification: Verification::None, ..TlsClientOptions::default() };
        assert!(Caller::new(options).invoke(&server.address, b"").is_ok());
    }
}

#[test]
fn certificates_out_of_their_time_are_refused() {
    let authority = Authority::new();
    let expired = TlsServer::start(authority.server(&["127.0.0.1"]).expired());
    let refusal = Caller::new(trusting(&authority.pem)).refusal(&expired.address);
    assert!(refusal.contains("expired"), "{refusal}");
    let early = TlsServer::start(authority.server(&["127.0.0.1"]).valid(days(1), days(2)));
    let refusal = Caller::new(trusting(&authority.pem)).refusal(&early.address);
    assert!(refusal.contains("not valid yet"), "{refusal}");
}

#[test]
fn a_certificate_that_is_itself_an_authority_is_good_when_it_is_trusted_and_only_then() {
    let authority = Authority::named(&["127.0.0.1"]);
    let server = TlsServer::start(authority.itself());
    assert!(Caller::new(trusting(&authority.pem)).invoke(&server.address, b"").is_ok());
    let other = Authority::named(&["127.0.0.1"]);
    let refusal = Caller::new(trusting(&other.pem)).refusal(&server.address);
    assert!(refusal.contains("tls.ca"), "{refusal}");

    let elsewhere = Authority::named(&["broker.example"]);
    let server = TlsServer::start(elsewhere.itself());
    let refusal = Caller::new(trusting(&elsewhere.pem)).refusal(&server.address);
    assert!(refusal.contains("tls.servername"), "{refusal}");
    let expired = Authority::expired(&["127.0.0.1"]);
    let server = TlsServer::start(expired.itself());
    let refusal = Caller::new(trusting(&expired.pem)).refusal(&server.address);
    assert!(refusal.contains("expired"), "{refusal}");
}

#[test]
fn a_server_that_wants_a_certificate_gets_it_and_misses_it_otherwise() {
    let authority = Authority::new();
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let server = TlsServer::start(authority.server(&["127.0.0.1"]).config(version).demanding(&authority));
        let (certificate, key) = authority.client();
        let options = trusting(&authority.pem);
        let own = TlsClientOptions { certificate: Some(certificate.as_bytes()), private_key: Some(&key), ..options };
        assert!(Caller::new(own).invoke(&server.address, b"").is_ok(), "{version:?}");
        // TLS 1.3 lets the client speak before it has looked at its certificate.
        let failure = Caller::new(options).invoke(&server.address, b"").unwrap_err();
        assert!(failure.message.contains("tls.cert"), "{version:?}: {failure}");
        let (foreign, key) = Authority::new().client();
        let foreign = TlsClientOptions { certificate: Some(foreign.as_bytes()), private_key: Some(&key), ..options };
        let failure = Caller::new(foreign).invoke(&server.address, b"").unwrap_err();
        assert!(failure.message.contains("tls.cert"), "{version:?}: {failure}");
    }
}

#[test]
fn options_that_cannot_work_are_refused_by_name() {
    let authority = Authority::new();
    let refused = |options: TlsClientOptions<'_>| TlsClient::new(options).unwrap_err().to_string();
    assert!(refused(TlsClientOptions::default()).contains("no certificate among the authorities"));
    let bad = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    assert!(refused(trusting(&format!("{}{bad}", authority.pem))).contains("certificate 2 of the authorities"));
    let lenient = format!("{}{bad}", authority.pem);
    assert!(TlsClient::new(TlsClientOptions { lenient: true, ..trusting(&lenient) }).is_ok());
    let name = TlsClientOptions { server_name: Some("no name"), ..trusting(&authority.pem) };
    assert!(refused(name).contains("no name"));
    let (certificate, _) = authority.client();
    let half = TlsClientOptions { certificate: Some(certificate.as_bytes()), ..trusting(&authority.pem) };
    assert!(refused(half).contains("needs its key"));
    let (_, key) = Authority::new().client();
    let mismatch = TlsClientOptions {
        certificate: Some(certificate.as_bytes()),
        private_key: Some(&key),
        ..trusting(&authority.pem)
    };
    assert!(refused(mismatch).contains("certificate of the client"));
}

/// A server without TLS: reads something, answers with `answer`, and closes.
fn plain_server(answer: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        // So that nothing unread makes the end a reset.
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(answer);
    });
    address
}

#[test]
fn a_server_without_tls_is_told_apart() {
    let authority = Authority::new();
    let caller = || Caller::new(trusting(&authority.pem));
    let answers = caller().refusal(&plain_server(b"HTTP/1.1 400 Bad Request\r\n\r\n"));
    assert!(answers.contains("it does not speak TLS"), "{answers}");
    let closes = caller().refusal(&plain_server(b""));
    assert!(closes.contains("closed the connection in the TLS handshake"), "{closes}");
    // The beginning of a handshake record, and then nothing more.
    let breaks_off = caller().refusal(&plain_server(&[22, 3, 3, 0, 100, 2, 0, 0, 96, 3, 3]));
    assert!(breaks_off.contains("closed the connection in the TLS handshake"), "{breaks_off}");
}

#[test]
fn a_reset_in_the_middle_of_the_handshake_fails_the_request() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let authority = Authority::new();
    let caller = Caller::new(trusting(&authority.pem));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let (stream, _) = listener.accept().unwrap();
            let mut first = [0];
            (&stream).read_exact(&mut first).unwrap();
            (&stream).write_all(&[22, 3, 3]).unwrap();
            // Closing with bytes unread resets the connection.
            drop(stream);
        });
        caller.refusal(&address);
    });
}

#[test]
fn a_handshake_that_takes_too_long_ends_with_the_time_to_connect() {
    let clock = Arc::new(VirtualClock::new(0));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let authority = Authority::new();
    let caller = Caller::with_clock(trusting(&authority.pem), Arc::clone(&clock) as Arc<dyn Clock>);
    std::thread::scope(|scope| {
        let call = scope.spawn(|| caller.refusal(&address));
        let (mut stream, _) = listener.accept().unwrap();
        stream.read_exact(&mut [0]).unwrap();
        clock.advance(Duration::from_millis(2_999));
        assert!(!call.is_finished());
        clock.advance(Duration::from_millis(1));
        let refusal = call.join().unwrap();
        assert!(refusal.contains("no connection within 3000 ms"), "{refusal}");
        // And the connection is given up: what is left to read is the rest of the first message, then the end.
        let _ = stream.read_to_end(&mut Vec::new());
    });
}

#[test]
fn a_server_that_says_goodbye_fails_what_waits_and_is_connected_to_again() {
    let authority = Authority::new();
    let server = TlsServer::start(authority.server(&["127.0.0.1"]).leaving_at(2));
    let caller = Caller::new(trusting(&authority.pem));
    assert!(caller.invoke(&server.address, b"one").is_ok());
    let failure = caller.invoke(&server.address, b"two").unwrap_err();
    assert_eq!(failure.kind, FailureKind::ConnectionLost, "{failure}");
    assert!(failure.message.contains("the peer closed the connection"), "{failure}");
    assert!(caller.invoke(&server.address, b"three").is_ok());
    assert_eq!(server.connections(), 2);
}

#[test]
fn an_answer_that_comes_with_the_goodbye_is_delivered() {
    let authority = Authority::new();
    let server = TlsServer::start(authority.server(&["127.0.0.1"]).leaving_with_the_answer());
    let caller = Caller::new(trusting(&authority.pem));
    assert!(caller.invoke(&server.address, b"one").unwrap().body == b"one");
    // The server would go on to listen; it is the client that must not use the connection any more.
    let end = Instant::now() + LONG;
    while server.connections() < 2 && Instant::now() < end {
        let _ = caller.invoke(&server.address, b"again");
    }
    assert_eq!(server.connections(), 2);
}

#[test]
fn keys_may_change_under_way() {
    let authority = Authority::new();
    let server = TlsServer::start(authority.server(&["127.0.0.1"]).config(&rustls::version::TLS13).changing_keys());
    let caller = Caller::new(trusting(&authority.pem));
    for bytes in [10, 100_000, 20] {
        assert!(caller.invoke(&server.address, &body(bytes)).unwrap().body == body(bytes));
    }
    assert_eq!(server.connections(), 1);
}

#[test]
fn a_client_that_is_closed_says_goodbye() {
    let authority = Authority::new();
    let server = TlsServer::start(authority.server(&["127.0.0.1"]));
    let caller = Caller::new(trusting(&authority.pem));
    assert!(caller.invoke(&server.address, b"").is_ok());
    caller.client.close();
    assert!(server.heard_goodbye());
}

#[test]
fn a_plain_client_that_a_server_turns_away_hears_of_tls() {
    let caller = Caller::of(ChannelOptions::default(), Arc::new(SystemClock::new()));
    let failure = caller.invoke(&plain_server(b""), b"").unwrap_err();
    assert_eq!(failure.kind, FailureKind::ConnectionLost);
    assert!(failure.message.contains("if it demands TLS, give the option tls"), "{failure}");
}

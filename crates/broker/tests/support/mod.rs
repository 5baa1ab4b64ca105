//! A broker in a temporary directory and a client that speaks frames over a plain socket.
#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rocketmq_broker::{Broker, BrokerConfig, ShutdownSummary};
use rocketmq_codec::message::{MessageRecord, decode_record};
use rocketmq_codec::{Command, FrameWriter, Head, MAX_FRAME_BYTES, SerializeType, frame_length, json, request_code};
use rocketmq_env::{Clock, Fs, OsFs, SystemClock};
use rocketmq_remoting::EventLoops;
use tempfile::TempDir;

/// How long a test waits for what must happen.
const PATIENCE: Duration = Duration::from_secs(20);

/// A broker that is not registered anywhere, with its directory.
pub struct TestBroker {
    pub broker: Broker,
    pub loops: Arc<EventLoops>,
    pub directory: Arc<TempDir>,
}

impl TestBroker {
    pub fn start() -> Self {
        Self::start_with(Arc::new(SystemClock::new()), |_| {})
    }

    pub fn start_with(clock: Arc<dyn Clock>, settings: impl FnOnce(&mut BrokerConfig)) -> Self {
        Self::start_in(Arc::new(TempDir::new().unwrap()), Arc::new(OsFs), clock, settings)
    }

    pub fn start_in(
        directory: Arc<TempDir>,
        fs: Arc<dyn Fs>,
        clock: Arc<dyn Clock>,
        settings: impl FnOnce(&mut BrokerConfig),
    ) -> Self {
        let mut config = config(directory.path());
        settings(&mut config);
        let loops = EventLoops::new(2, "test-loop").unwrap();
        let broker = Broker::start(config, &loops, fs, clock).unwrap();
        Self { broker, loops, directory }
    }

    pub fn connect(&self) -> Peer {
        Peer::connect(self.broker.local_addr())
    }

    /// Ends it in good order and leaves the directory.
    pub fn stop(self) -> (ShutdownSummary, Arc<TempDir>) {
        let summary = block_on(self.broker.shutdown()).unwrap();
        (summary, self.directory)
    }
}

pub fn config(directory: &Path) -> BrokerConfig {
    let mut config = BrokerConfig::new(directory);
    config.broker_name = "broker-test".to_owned();
    config.listen_port = 0;
    config.store.commit_log_segment_bytes = 16 * 1024 * 1024;
    config.store.consume_queue_segment_bytes = 20 * 1024;
    config.store.max_hash_slot_num = 1_000;
    config.store.max_index_num = 4_000;
    config
}

/// Runs a future to its end.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

/// Waits until `condition` holds.
pub fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let began = Instant::now();
    while !condition() {
        assert!(began.elapsed() < PATIENCE, "never happened: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A response or a request of the broker's.
#[derive(Debug)]
pub struct Received {
    pub serialize_type: SerializeType,
    pub code: i32,
    pub opaque: i32,
    pub flag: i32,
    pub remark: String,
    pub ext: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Received {
    pub fn field(&self, name: &str) -> &str {
        let found = self.ext.iter().find(|(key, _)| key == name);
        found.unwrap_or_else(|| panic!("no field {name} in {self:?}")).1.as_str()
    }

    pub fn number(&self, name: &str) -> i64 {
        self.field(name).parse().unwrap()
    }

    /// The records of a pull's body.
    pub fn records(&self) -> Vec<MessageRecord<'_>> {
        let mut rest = self.body.as_slice();
        let mut records = Vec::new();
        while !rest.is_empty() {
            let (record, size) = decode_record(rest, true).unwrap();
            records.push(record);
            rest = &rest[size..];
        }
        records
    }
}

/// One connection to a server.
pub struct Peer {
    pub stream: TcpStream,
    input: Vec<u8>,
    next_opaque: i32,
    pub serialize_type: SerializeType,
}

impl Peer {
    pub fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { stream, input: Vec::new(), next_opaque: 0, serialize_type: SerializeType::Json }
    }

    /// A request frame with the next opaque.
    pub fn frame(&mut self, code: i32, fields: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        self.next_opaque += 1;
        let mut frame = FrameWriter::begin(&mut out, self.serialize_type, Head::request(code, self.next_opaque));
        for (key, value) in fields {
            frame.ext_str(key, value);
        }
        frame.begin_body().extend_from_slice(body);
        frame.finish().unwrap();
        out
    }

    pub fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// Sends a request and returns its answer; requests of the broker's that come meanwhile are dropped.
    pub fn call(&mut self, code: i32, fields: &[(&str, &str)], body: &[u8]) -> Received {
        let frame = self.frame(code, fields, body);
        let opaque = self.next_opaque;
        self.write(&frame);
        loop {
            let received = self.receive();
            if received.flag & 1 == 1 {
                assert_eq!(received.opaque, opaque);
                assert_eq!(received.serialize_type, self.serialize_type, "answered in the request's encoding");
                return received;
            }
        }
    }

    /// The next frame.
    pub fn receive(&mut self) -> Received {
        self.try_receive().expect("the connection ended")
    }

    /// The next frame, or `None` when the connection ends before.
    pub fn try_receive(&mut self) -> Option<Received> {
        let mut chunk = vec![0; 64 * 1024];
        loop {
            if let Some(total) = frame_length(&self.input, MAX_FRAME_BYTES).unwrap()
                && self.input.len() >= total
            {
                let frame: Vec<u8> = self.input.drain(..total).collect();
                return Some(owned(&Command::decode(&frame).unwrap()));
            }
            match self.stream.read(&mut chunk) {
                Ok(0) => return None,
                Ok(count) => self.input.extend_from_slice(&chunk[..count]),
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return None,
                Err(error) => panic!("nothing came: {error}"),
            }
        }
    }

    /// Sends one message by code 310.
    pub fn send(&mut self, topic: &str, queue_id: i32, body: &[u8], properties: &str) -> Received {
        let queue_id = queue_id.to_string();
        self.call(request_code::SEND_MESSAGE_V2, &send_fields(topic, &queue_id, properties), body)
    }

    /// Pulls from a queue for group CG, which needs no heartbeat as it brings its own subscription.
    pub fn pull(&mut self, topic: &str, queue_id: i32, offset: i64, expression: &str) -> Received {
        let (queue_id, offset) = (queue_id.to_string(), offset.to_string());
        self.call(request_code::PULL_MESSAGE, &pull_fields(topic, &queue_id, &offset, expression, "4", "0"), &[])
    }

    pub fn heartbeat(&mut self, client_id: &str, group: &str, topic: &str) -> Received {
        let body = format!(
            r#"{{"clientID":"{client_id}","consumerDataSet":[{{"consumeFromWhere":"CONSUME_FROM_LAST_OFFSET","consumeType":"CONSUME_PASSIVELY","groupName":"{group}","messageModel":"CLUSTERING","subscriptionDataSet":[{{"classFilterMode":false,"codeSet":[],"expressionType":"TAG","subString":"*","subVersion":1,"tagsSet":[],"topic":"{topic}"}}],"unitMode":false}}],"heartbeatFingerprint":0,"producerDataSet":[{{"groupName":"PG"}}],"withoutSub":false}}"#
        );
        self.call(request_code::HEART_BEAT, &[], body.as_bytes())
    }
}

pub fn send_fields<'a>(topic: &'a str, queue_id: &'a str, properties: &'a str) -> Vec<(&'a str, &'a str)> {
    let mut fields = vec![
        ("a", "PG"),
        ("b", topic),
        ("c", "TBW102"),
        ("d", "4"),
        ("e", queue_id),
        ("f", "0"),
        ("g", "1700000000000"),
        ("h", "7"),
        ("j", "0"),
        ("k", "false"),
        ("m", "false"),
    ];
    if !properties.is_empty() {
        fields.push(("i", properties));
    }
    fields
}

pub fn pull_fields<'a>(
    topic: &'a str,
    queue_id: &'a str,
    offset: &'a str,
    expression: &'a str,
    sys_flag: &'a str,
    suspend_ms: &'a str,
) -> Vec<(&'a str, &'a str)> {
    vec![
        ("consumerGroup", "CG"),
        ("topic", topic),
        ("queueId", queue_id),
        ("queueOffset", offset),
        ("maxMsgNums", "32"),
        ("sysFlag", sys_flag),
        ("commitOffset", "0"),
        ("suspendTimeoutMillis", suspend_ms),
        ("subscription", expression),
        ("subVersion", "0"),
        ("expressionType", "TAG"),
    ]
}

fn owned(command: &Command<'_>) -> Received {
    Received {
        serialize_type: command.serialize_type,
        code: command.code,
        opaque: command.opaque,
        flag: command.flag,
        remark: command.remark.as_deref().unwrap_or_default().to_owned(),
        ext: command.ext.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
        body: command.body.to_vec(),
    }
}

/// A JSON body.
pub fn parse<T: serde::de::DeserializeOwned>(body: &[u8]) -> T {
    json::from_slice(body).unwrap()
}

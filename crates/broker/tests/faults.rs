//! Disks that are full, broken or slow.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use rocketmq_broker::{BrokerEvent, EventSink};
use rocketmq_codec::{request_code, response_code};
use rocketmq_env::{
    DirEntry, DiskSpace, Fault, FaultFs, File, Fs, Map, Metadata, OpenMode, Operation, OsFs, SystemClock, VirtualClock,
};
use rocketmq_store::FlushDiskType;
use support::{TestBroker, until};

/// A broker on a faulty file system, and what it tells its operator.
fn start_on(faults: &FaultFs, sync_flush: bool) -> (TestBroker, Arc<Mutex<Vec<BrokerEvent>>>) {
    start_in(Arc::new(tempfile::TempDir::new().unwrap()), faults, sync_flush)
}

fn start_in(
    directory: Arc<tempfile::TempDir>,
    faults: &FaultFs,
    sync_flush: bool,
) -> (TestBroker, Arc<Mutex<Vec<BrokerEvent>>>) {
    let events = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&events);
    let server = TestBroker::start_in(directory, faults.process(), Arc::new(SystemClock::new()), |config| {
        config.events = EventSink::new(move |event| noted.lock().push(event));
        if sync_flush {
            config.store.flush_disk_type = FlushDiskType::SyncFlush;
        }
    });
    (server, events)
}

#[test]
fn a_full_disk_refuses_messages_until_there_is_room_again() {
    let faults = FaultFs::new();
    let (server, events) = start_on(&faults, false);
    let mut peer = server.connect();
    assert_eq!(peer.send("T", 0, b"before", "").code, response_code::SUCCESS);
    faults.set_free_bytes(Some(0));
    // More than is reserved since the first message.
    let body = [7; 200_000];
    for _ in 0..2 {
        let refused = peer.send("T", 0, &body, "");
        assert_eq!(refused.code, response_code::SERVICE_NOT_AVAILABLE, "{refused:?}");
        assert!(refused.remark.starts_with("service not available now."), "{}", refused.remark);
    }
    let failures = events.lock().iter().filter(|event| matches!(event, BrokerEvent::StoreFailed { .. })).count();
    assert_eq!(failures, 1, "the operator hears of it once");
    assert_eq!(peer.pull("T", 0, 0, "*").records().len(), 1, "reading goes on");
    faults.set_free_bytes(None);
    until("there is room again", || peer.send("T", 0, &body, "").code == response_code::SUCCESS);
}

#[test]
fn a_send_whose_flush_fails_is_not_acknowledged_and_none_after_it() {
    let faults = FaultFs::new();
    let (server, _) = start_on(&faults, true);
    let mut peer = server.connect();
    assert_eq!(peer.send("T", 0, b"safe", "").code, response_code::SUCCESS);
    faults.inject(Fault {
        operation: Operation::Sync,
        path_contains: "commitlog".to_owned(),
        after: 0,
        times: 1,
        os_error: Some(5),
    });
    let lost = peer.send("T", 0, b"lost?", "");
    assert_eq!(lost.code, response_code::SERVICE_NOT_AVAILABLE, "{lost:?}");
    assert_eq!(peer.send("T", 0, b"later", "").code, response_code::SERVICE_NOT_AVAILABLE);
    assert_eq!(peer.pull("T", 0, 0, "*").code, response_code::SUCCESS, "reading goes on");
}

#[test]
fn a_send_whose_flush_takes_too_long_is_answered_so_with_its_place() {
    let directory = Arc::new(tempfile::TempDir::new().unwrap());
    let gate = Arc::new(Gate::default());
    let clock = Arc::new(VirtualClock::new(1_700_000_000_000));
    let fs = Arc::new(GatedFs::new(&gate, ""));
    let server = TestBroker::start_in(directory, fs, clock.clone(), |config| {
        config.store.flush_disk_type = FlushDiskType::SyncFlush;
    });
    let mut peer = server.connect();
    assert_eq!(peer.send("T", 0, b"quick", "").code, response_code::SUCCESS);
    gate.set(true);
    let frame = peer.frame(request_code::SEND_MESSAGE_V2, &support::send_fields("T", "0", ""), b"slow");
    peer.write(&frame);
    // A message that does not wait for the disk is answered meanwhile, so the other one waits by then.
    let frame = peer.frame(request_code::SEND_MESSAGE_V2, &support::send_fields("T", "0", "WAIT\u{1}false\u{2}"), b"x");
    peer.write(&frame);
    assert_eq!(peer.receive().number("queueOffset"), 2);
    clock.advance(Duration::from_millis(5_000));
    let late = peer.receive();
    assert_eq!((late.code, late.number("queueOffset")), (response_code::FLUSH_DISK_TIMEOUT, 1));
    assert_eq!((late.field("msgId").len(), late.field("MSG_REGION")), (32, "DefaultRegion"));
    gate.set(false);
    server.stop();
}

#[test]
fn nobody_but_who_makes_topics_waits_for_the_write_of_topics_json_and_they_share_it() {
    let directory = Arc::new(tempfile::TempDir::new().unwrap());
    let gate = Arc::new(Gate::default());
    let fs = Arc::new(GatedFs::new(&gate, "/config/"));
    let server = TestBroker::start_in(directory, fs.clone(), Arc::new(SystemClock::new()), |_| {});
    let mut peer = server.connect();
    assert_eq!(peer.send("T", 0, b"x", "").number("queueOffset"), 0);
    let _open_at_end = OpenAtEnd(&gate);
    gate.set(true);
    let writes_before = fs.topic_writes.load(Ordering::Relaxed);
    let mut makers = Vec::new();
    for number in 0..50 {
        let topic = format!("New{number}");
        makers.extend(peer.frame(request_code::SEND_MESSAGE_V2, &support::send_fields(&topic, "0", ""), b"x"));
    }
    let topic = [
        ("topic", "Made"),
        ("defaultTopic", "TBW102"),
        ("readQueueNums", "1"),
        ("writeQueueNums", "1"),
        ("perm", "6"),
        ("topicFilterType", "SINGLE_TAG"),
        ("order", "false"),
    ];
    makers.extend(peer.frame(request_code::UPDATE_AND_CREATE_TOPIC, &topic, &[]));
    makers.extend(peer.frame(request_code::DELETE_TOPIC_IN_BROKER, &[("topic", "Gone")], &[]));
    let code = request_code::UPDATE_AND_CREATE_SUBSCRIPTIONGROUP;
    makers.extend(peer.frame(code, &[], br#"{"groupName":"MadeGroup"}"#));
    peer.write(&makers);
    // Whoever comes behind them, on their connection too, is answered while none of them is.
    assert_eq!(peer.send("T", 0, b"x", "").number("queueOffset"), 1);
    assert_eq!(server.connect().heartbeat("c1", "NewGroup", "T").code, response_code::SUCCESS);
    assert_eq!(server.connect().send("T", 0, b"x", "").number("queueOffset"), 2);
    // One who sends to such a topic is told no sooner that it is stored.
    let mut other = server.connect();
    let second = other.frame(request_code::SEND_MESSAGE_V2, &support::send_fields("New7", "0", ""), b"x");
    other.write(&second);
    assert_eq!(other.pull("T", 0, 0, "*").records().len(), 3);
    gate.set(false);
    for _ in 0..53 {
        let answer = peer.receive();
        assert_eq!(answer.code, response_code::SUCCESS, "{answer:?}");
    }
    assert_eq!(other.receive().number("queueOffset"), 1);
    let writes = fs.topic_writes.load(Ordering::Relaxed) - writes_before;
    assert!(writes <= 2, "{writes} writes: the one that was held up, and one for all others");
    let config = server.directory.path().join("config");
    let [topics, groups] =
        ["topics.json", "subscriptionGroup.json"].map(|name| std::fs::read_to_string(config.join(name)).unwrap());
    assert!(
        (0..50).all(|number| topics.contains(&format!("\"New{number}\""))) && topics.contains("\"Made\""),
        "{topics}"
    );
    assert!(groups.contains("\"MadeGroup\""), "{groups}");
    server.stop();
}

/// The directory of a broker that knows the topic T, stopped, with damage in a file under config/.
fn with_damaged(file: &str, faults: &FaultFs) -> Arc<tempfile::TempDir> {
    let (server, _) = start_on(faults, false);
    let mut peer = server.connect();
    for topic in ["T", "Last", "Other"] {
        assert_eq!(peer.send(topic, 0, b"x", "").code, response_code::SUCCESS);
    }
    for topic in ["Last", "Other"] {
        let deleted = peer.call(request_code::DELETE_TOPIC_IN_BROKER, &[("topic", topic)], &[]);
        assert_eq!(deleted.code, response_code::SUCCESS);
    }
    let (_, directory) = server.stop();
    faults.corrupt(&directory.path().join("config").join(file), 0, 0xFF).unwrap();
    directory
}

fn knows_topic(server: &TestBroker) -> bool {
    let asked = [("topic", "T")];
    server.connect().call(request_code::GET_TOPIC_CONFIG, &asked, &[]).code == response_code::SUCCESS
}

#[test]
fn a_start_from_the_previous_version_of_a_configuration_file_is_told() {
    for file in ["topics.json", "deletedTopics.json"] {
        let faults = FaultFs::new();
        let directory = with_damaged(file, &faults);
        let (server, events) = start_in(directory, &faults, false);
        assert!(knows_topic(&server));
        let told: Vec<String> = events.lock().iter().map(ToString::to_string).collect();
        let [event] = told.as_slice() else { panic!("{told:?}") };
        assert!(event.starts_with(&format!("config/{file} cannot be used (")), "{event}");
    }
}

#[test]
fn wherever_a_start_from_the_previous_version_ends_the_next_one_knows_the_topics() {
    for seed in 0..4 {
        for rename in 0..2 {
            let faults = FaultFs::new();
            let directory = with_damaged("topics.json", &faults);
            faults.power_off_in(Operation::Rename, "topics.json", rename);
            drop(start_in(Arc::clone(&directory), &faults, false));
            assert!(faults.last_call().is_some(), "rename {rename}");
            // The last seed stands for a kill, which loses nothing.
            if seed == 3 {
                faults.kill_process()
            } else {
                faults.power_cut(seed)
            }
            let (server, _) = start_in(directory, &faults, false);
            assert!(knows_topic(&server), "rename {rename}, seed {seed}");
        }
    }
}

/// Closed while true.
#[derive(Debug, Default)]
struct Gate {
    closed: Mutex<bool>,
    changed: Condvar,
}

impl Gate {
    fn set(&self, closed: bool) {
        *self.closed.lock() = closed;
        self.changed.notify_all();
    }

    fn pass(&self) {
        let mut closed = self.closed.lock();
        while *closed {
            self.changed.wait(&mut closed);
        }
    }
}

/// Opens the gate when a test fails, as its broker would not end else.
struct OpenAtEnd<'a>(&'a Gate);

impl Drop for OpenAtEnd<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

/// The real file system with a gate before every flush of some files.
#[derive(Debug)]
struct GatedFs {
    inner: OsFs,
    gate: Arc<Gate>,
    path_contains: &'static str,
    /// How often topics.json was replaced.
    topic_writes: AtomicU64,
}

impl GatedFs {
    fn new(gate: &Arc<Gate>, path_contains: &'static str) -> Self {
        Self { inner: OsFs, gate: Arc::clone(gate), path_contains, topic_writes: AtomicU64::new(0) }
    }
}

#[derive(Debug)]
struct GatedFile {
    inner: Arc<dyn File>,
    gate: Arc<Gate>,
}

impl Fs for GatedFs {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        let inner = self.inner.open(path, mode)?;
        if !path.to_string_lossy().contains(self.path_contains) {
            return Ok(inner);
        }
        Ok(Arc::new(GatedFile { inner, gate: Arc::clone(&self.gate) }))
    }
    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        self.inner.create_dir_all(path)
    }
    fn read_dir(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        self.inner.read_dir(path)
    }
    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.inner.remove_file(path)
    }
    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        self.inner.remove_dir(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        if to.ends_with("config/topics.json") {
            self.topic_writes.fetch_add(1, Ordering::Relaxed);
        }
        self.inner.rename(from, to)
    }
    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.inner.sync_dir(path)
    }
    fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        self.inner.metadata(path)
    }
    fn disk_space(&self, path: &Path) -> io::Result<DiskSpace> {
        self.inner.disk_space(path)
    }
    fn try_lock(&self, path: &Path) -> io::Result<Option<Arc<dyn File>>> {
        self.inner.try_lock(path)
    }
}

impl File for GatedFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.inner.read_at(buffer, offset)
    }
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.inner.write_at(bytes, offset)
    }
    fn len(&self) -> io::Result<u64> {
        self.inner.len()
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.inner.set_len(len)
    }
    fn sync_data(&self) -> io::Result<()> {
        self.gate.pass();
        self.inner.sync_data()
    }
    fn sync_all(&self) -> io::Result<()> {
        self.gate.pass();
        self.inner.sync_all()
    }
    fn map(&self) -> io::Result<Option<Map>> {
        self.inner.map()
    }
}

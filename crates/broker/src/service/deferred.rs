//! Answers that wait for the disk: for messages (SYNC_FLUSH; `CommitLog.GroupCommitService`), for the topic they made.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use rocketmq_codec::{Command, FrameWriter, Head, MAX_FRAME_BYTES, frame_length, response_code};
use rocketmq_env::{Clock, sleep};
use rocketmq_remoting::Connection;
use rocketmq_store::{FlushError, MessageStore};
use tokio::sync::Notify;

/// The answers of one burst; taken by whichever comes first, the flush or its time limit.
#[derive(Debug)]
struct Slot(Mutex<Option<Waiting>>);

#[derive(Debug)]
struct Waiting {
    connection: Arc<Connection>,
    /// Whole response frames with code SUCCESS.
    frames: Vec<u8>,
}

/// Answers that wait: they are sent by one of the ways to end it, or as timed out.
#[derive(Debug)]
pub struct Deferred {
    replies: Arc<DeferredReplies>,
    slot: Arc<Slot>,
}

impl Deferred {
    /// Sends them.
    pub fn send(self) {
        self.replies.finish(&self.slot, None);
    }

    /// Sends them once everything before `end` in the commit log is on disk; SERVICE_NOT_AVAILABLE in their place when that
    /// fails.
    pub fn send_when_flushed(self, store: &MessageStore, end: i64) {
        let Self { replies, slot } = self;
        store.when_flushed(
            end,
            Box::new(move |flushed| match flushed {
                Ok(()) => replies.finish(&slot, None),
                Err(FlushError::Timeout) => replies.finish(&slot, Some((response_code::FLUSH_DISK_TIMEOUT, None))),
                Err(error) => {
                    let remark = error.to_string();
                    replies.finish(&slot, Some((response_code::SERVICE_NOT_AVAILABLE, Some(&remark))));
                }
            }),
        );
    }
}

/// All answers that wait for the disk, bounded in bytes.
#[derive(Debug)]
pub struct DeferredReplies {
    clock: Arc<dyn Clock>,
    timeout: Duration,
    max_bytes: usize,
    bytes: AtomicUsize,
    /// In the order of their deadlines.
    slots: Mutex<VecDeque<(Duration, Arc<Slot>)>>,
    added: Notify,
    emptied: Notify,
}

impl DeferredReplies {
    /// Answers wait up to `timeout` (`syncFlushTimeout`); no more than about `max_bytes` of them.
    pub fn new(clock: Arc<dyn Clock>, timeout: Duration, max_bytes: usize) -> Arc<Self> {
        Arc::new(Self {
            clock,
            timeout,
            max_bytes,
            bytes: AtomicUsize::new(0),
            slots: Mutex::default(),
            added: Notify::new(),
            emptied: Notify::new(),
        })
    }

    /// Whether new sends should be refused.
    pub fn is_full(&self) -> bool {
        self.bytes.load(Ordering::Relaxed) >= self.max_bytes
    }

    /// Waits until no answer waits.
    pub async fn drained(&self) {
        loop {
            let emptied = self.emptied.notified();
            if self.bytes.load(Ordering::Acquire) == 0 {
                return;
            }
            emptied.await;
        }
    }

    /// Has `frames` wait until it is known what to send; when that takes too long, FLUSH_DISK_TIMEOUT goes in their place.
    pub fn defer(self: &Arc<Self>, connection: &Arc<Connection>, frames: Vec<u8>) -> Deferred {
        self.bytes.fetch_add(frames.len(), Ordering::AcqRel);
        let slot = Arc::new(Slot(Mutex::new(Some(Waiting { connection: Arc::clone(connection), frames }))));
        {
            let mut slots = self.slots.lock();
            while slots.front().is_some_and(|(_, slot)| slot.0.lock().is_none()) {
                slots.pop_front();
            }
            if slots.is_empty() {
                self.added.notify_one();
            }
            slots.push_back((self.clock.uptime() + self.timeout, Arc::clone(&slot)));
        }
        Deferred { replies: Arc::clone(self), slot }
    }

    fn finish(&self, slot: &Slot, failure: Option<(i32, Option<&str>)>) {
        let Some(waiting) = slot.0.lock().take() else { return };
        match failure {
            None => waiting.connection.send(&waiting.frames),
            Some((code, remark)) => waiting.connection.send(&with_code(&waiting.frames, code, remark)),
        }
        if self.bytes.fetch_sub(waiting.frames.len(), Ordering::AcqRel) == waiting.frames.len() {
            self.emptied.notify_waiters();
        }
    }

    /// Answers what waits for too long. Runs until dropped.
    pub async fn run_timeouts(self: Arc<Self>) {
        loop {
            let next = self.slots.lock().front().map(|(deadline, _)| *deadline);
            let Some(deadline) = next else {
                self.added.notified().await;
                continue;
            };
            sleep(&self.clock, deadline.saturating_sub(self.clock.uptime())).await;
            let now = self.clock.uptime();
            loop {
                let due = {
                    let mut slots = self.slots.lock();
                    match slots.front() {
                        Some((deadline, _)) if *deadline <= now => slots.pop_front(),
                        _ => None,
                    }
                };
                let Some((_, slot)) = due else { break };
                self.finish(&slot, Some((response_code::FLUSH_DISK_TIMEOUT, None)));
            }
        }
    }
}

/// The same answers with another code.
fn with_code(mut frames: &[u8], code: i32, remark: Option<&str>) -> Vec<u8> {
    let mut out = Vec::with_capacity(frames.len());
    while let Ok(Some(total)) = frame_length(frames, MAX_FRAME_BYTES) {
        let Some((frame, rest)) = frames.split_at_checked(total) else { break };
        frames = rest;
        if let Ok(command) = Command::decode(frame) {
            let head = Head { remark, ..Head::response(code, command.opaque) };
            let mut writer = FrameWriter::begin(&mut out, command.serialize_type, head);
            for (key, value) in command.ext.iter() {
                writer.ext_str(key, value);
            }
            // It was within the limits before.
            let _ = writer.finish();
        }
    }
    out
}

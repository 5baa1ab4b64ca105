//! What JavaScript is told: records packed one after the other, fetched by one call per batch. Little endian; read by
//! `ts/remoting/completion-reader.ts`.
//!
//! ```text
//! every record  u32 kind | u32 record bytes | u32 token | ...
//! 1 SENT        i32 code | i32 queueId | i64 queueOffset | u32 flags (1 traceOn, 2 region given) | u32 msgId len | u32 region len
//!               msgId | region
//! 2 RESPONSE    i32 code | i32 version | u32 remark len or NONE | u32 ext count | u32 body index or NONE | remark | ext*
//! 3 PULLED      i32 code | i32 suggestWhichBrokerId | i64 nextBegin | i64 min | i64 max | i64 offsetDelta | u32 message count
//!               u32 body index or NONE | u32 remark len or NONE | u32 unreadable len or NONE | remark | unreadable
//! 4 FAILED      u32 failure kind | u32 message len | message
//! 5 REQUESTED   i32 code | i32 version | u32 oneway | u32 channel | u32 remark len or NONE | u32 ext count | u32 body index or NONE
//!               remark | ext*                                                                        token: opaque
//! 6 CLOSED      u32 address len | u32 reason len | address | reason                                   token: 0
//! ext           u32 key len | u32 value len | key | value
//! ```
//! Records are padded to a multiple of four bytes. Bodies are fetched one by one, by their index.

use std::collections::HashMap;

use rocketmq_codec::Command;
use rocketmq_codec::header::{PullMessageResponseHeader, SendMessageResponseHeader};
use rocketmq_remoting::{Failure, FailureKind};

use crate::submission::NONE;

/// Completions that JavaScript has not fetched yet.
#[derive(Debug, Default)]
pub struct Completions {
    bytes: Vec<u8>,
    fetched: usize,
    bodies: HashMap<u32, Vec<u8>>,
    next_body: u32,
}

/// The messages of a pull's answer.
#[derive(Debug)]
pub struct Pulled {
    /// The records, one after the other.
    pub messages: Vec<u8>,
    /// How many they are.
    pub count: usize,
    /// Those that come as stored because their body does not inflate: `offset: cause`, several with `; ` between.
    pub unreadable: Option<String>,
}

/// A record being written; its length is filled in at the end.
struct RecordWriter<'a> {
    out: &'a mut Vec<u8>,
    start: usize,
}

impl<'a> RecordWriter<'a> {
    fn begin(out: &'a mut Vec<u8>, kind: u32, token: u32) -> Self {
        let start = out.len();
        out.extend_from_slice(&kind.to_le_bytes());
        out.extend_from_slice(&0_u32.to_le_bytes());
        out.extend_from_slice(&token.to_le_bytes());
        Self { out, start }
    }

    fn u32(&mut self, value: u32) -> &mut Self {
        self.out.extend_from_slice(&value.to_le_bytes());
        self
    }

    fn i32(&mut self, value: i32) -> &mut Self {
        self.u32(value.cast_unsigned())
    }

    fn i64(&mut self, value: i64) -> &mut Self {
        self.out.extend_from_slice(&value.to_le_bytes());
        self
    }

    fn len(&mut self, bytes: Option<&str>) -> &mut Self {
        self.u32(bytes.map_or(NONE, |bytes| length(bytes.len())))
    }

    fn text(&mut self, text: &str) -> &mut Self {
        self.out.extend_from_slice(text.as_bytes());
        self
    }

    fn ext<'e>(&mut self, fields: impl Iterator<Item = (&'e str, &'e str)>) -> &mut Self {
        for (key, value) in fields {
            self.u32(length(key.len())).u32(length(value.len())).text(key).text(value);
        }
        self
    }

    fn end(self) {
        while !self.out.len().is_multiple_of(4) {
            self.out.push(0);
        }
        let bytes = length(self.out.len() - self.start);
        if let Some(field) = self.out.get_mut(self.start + 4..self.start + 8) {
            field.copy_from_slice(&bytes.to_le_bytes());
        }
    }
}

/// Frames are limited to 2 GiB by their own length field, so every part of one fits.
fn length(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(NONE)
}

impl Completions {
    /// Whether nothing waits to be fetched.
    pub fn is_empty(&self) -> bool {
        self.fetched == self.bytes.len()
    }

    /// Copies as many whole records as fit into `into`. Returns their bytes; when not even the first fits, the bytes that it
    /// needs (more than `into` has).
    pub fn fetch(&mut self, into: &mut [u8]) -> usize {
        let waiting = self.bytes.get(self.fetched..).unwrap_or_default();
        let mut end = 0;
        while let Some(field) = waiting.get(end + 4..end + 8).and_then(|field| field.first_chunk::<4>()) {
            let next = end + u32::from_le_bytes(*field) as usize;
            if next > into.len() {
                if end == 0 {
                    return next;
                }
                break;
            }
            end = next;
        }
        if let (Some(target), Some(source)) = (into.get_mut(..end), waiting.get(..end)) {
            target.copy_from_slice(source);
        }
        self.fetched += end;
        if self.is_empty() {
            self.fetched = 0;
            self.bytes.clear();
            if self.bytes.capacity() > 4 * 1024 * 1024 {
                self.bytes = Vec::new();
            }
        }
        end
    }

    /// Takes a body out.
    pub fn take_body(&mut self, index: u32) -> Option<Vec<u8>> {
        self.bodies.remove(&index)
    }

    fn add_body(&mut self, body: Vec<u8>) -> u32 {
        if body.is_empty() {
            return NONE;
        }
        let index = self.next_body;
        self.next_body = if index + 1 == NONE { 0 } else { index + 1 };
        self.bodies.insert(index, body);
        index
    }

    /// A send's answer in its short form.
    pub fn sent(
        &mut self,
        token: u32,
        code: i32,
        header: &SendMessageResponseHeader<'_>,
        region: &str,
        trace_on: bool,
    ) {
        let region = if region == "DefaultRegion" { "" } else { region };
        let flags = u32::from(trace_on) | (u32::from(!region.is_empty()) << 1);
        let mut record = RecordWriter::begin(&mut self.bytes, 1, token);
        record.i32(code).i32(header.queue_id).i64(header.queue_offset).u32(flags);
        record.u32(length(header.msg_id.len())).u32(length(region.len())).text(&header.msg_id).text(region);
        record.end();
    }

    /// An answer as it came.
    pub fn response(&mut self, token: u32, response: &Command<'_>) {
        let body = self.add_body(response.body.to_vec());
        let mut record = RecordWriter::begin(&mut self.bytes, 2, token);
        let remark = response.remark.as_deref();
        record.i32(response.code).i32(response.version).len(remark);
        record.u32(length(response.ext.iter().count())).u32(body);
        record.text(remark.unwrap_or_default()).ext(response.ext.iter());
        record.end();
    }

    /// A pull's answer with its messages decoded.
    pub fn pulled(
        &mut self,
        token: u32,
        code: i32,
        remark: Option<&str>,
        header: &PullMessageResponseHeader,
        pulled: Pulled,
    ) {
        let Pulled { messages, count, unreadable } = pulled;
        let body = self.add_body(messages);
        let mut record = RecordWriter::begin(&mut self.bytes, 3, token);
        let suggest = i32::try_from(header.suggest_which_broker_id).unwrap_or_default();
        record.i32(code).i32(suggest).i64(header.next_begin_offset).i64(header.min_offset).i64(header.max_offset);
        record.i64(header.offset_delta.unwrap_or_default()).u32(length(count)).u32(body);
        record.len(remark).len(unreadable.as_deref());
        record.text(remark.unwrap_or_default()).text(unreadable.as_deref().unwrap_or_default());
        record.end();
    }

    /// A request's end without an answer.
    pub fn failed(&mut self, token: u32, failure: &Failure) {
        let kind = match failure.kind {
            FailureKind::ConnectFailed => 0,
            FailureKind::ConnectionLost => 1,
            FailureKind::TimedOut => 2,
            FailureKind::TooManyRequests => 3,
            FailureKind::Closed => 4,
            FailureKind::Unsendable => 6,
        };
        self.failure(token, kind, &failure.message);
    }

    /// An answer that cannot be understood.
    pub fn malformed(&mut self, token: u32, message: &str) {
        self.failure(token, 5, message);
    }

    fn failure(&mut self, token: u32, kind: u32, message: &str) {
        let mut record = RecordWriter::begin(&mut self.bytes, 4, token);
        record.u32(kind).u32(length(message.len())).text(message);
        record.end();
    }

    /// A request of the broker's.
    pub fn requested(&mut self, channel: u32, request: &Command<'_>) {
        let body = self.add_body(request.body.to_vec());
        let mut record = RecordWriter::begin(&mut self.bytes, 5, request.opaque.cast_unsigned());
        let remark = request.remark.as_deref();
        record.i32(request.code).i32(request.version).u32(u32::from(request.is_oneway())).u32(channel).len(remark);
        record.u32(length(request.ext.iter().count())).u32(body);
        record.text(remark.unwrap_or_default()).ext(request.ext.iter());
        record.end();
    }

    /// A connection's end.
    pub fn closed(&mut self, address: &str, reason: &str) {
        let mut record = RecordWriter::begin(&mut self.bytes, 6, 0);
        record.u32(length(address.len())).u32(length(reason.len())).text(address).text(reason);
        record.end();
    }
}

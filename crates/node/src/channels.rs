//! The client's channels as JavaScript drives them: submissions in, completions out, one wake-up a batch.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use napi::bindgen_prelude::{Buffer, Function, Uint8Array};
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi::{Error, Result, Status};
use napi_derive::napi;
use parking_lot::Mutex;
use rocketmq_codec::header::{PullMessageResponseHeader, SendMessageRequestHeaderV2, SendMessageResponseHeader};
use rocketmq_codec::message::{PullLimits, PulledMessage, RecordError, TagSet, decode_pulled, decode_record};
use rocketmq_codec::{
    Command, FLAG_ONEWAY, FLAG_RESPONSE, FrameError, FrameWriter, Head, SerializeType, Signer, language_code,
    request_code, response_code,
};
use rocketmq_env::{Clock, SystemClock};
use rocketmq_remoting::{
    Channel, ChannelHandler, ChannelOptions, Channels, Connection, EventLoops, Failure, Limits, Submission, TlsClient,
    TlsClientOptions, Verification,
};

use crate::completions::{Completions, Pulled};
use crate::failure::invalid;
use crate::submission::{NONE, Record, Records, SendRecord};

/// What one pull answer may grow to when its bodies are inflated.
const PULL_LIMITS: PullLimits = PullLimits { max_body_bytes: 64 * 1024 * 1024, max_total_bytes: 256 * 1024 * 1024 };

/// Limits of a client's channels, and how they connect.
#[napi(object)]
pub struct NativeChannelOptions {
    pub connect_timeout_ms: u32,
    pub json_headers: bool,
    pub max_frame_bytes: u32,
    pub max_pending_requests: u32,
    pub max_pending_bytes: u32,
    pub tls: Option<NativeTls>,
    pub credentials: Option<NativeCredentials>,
}

/// How a client speaks TLS: certificates in PEM, the key as PKCS #8 in DER.
#[napi(object)]
pub struct NativeTls {
    pub authorities: String,
    /// The authorities are those of the system: those that cannot be used are passed over.
    pub lenient: bool,
    pub certificate: Option<String>,
    pub private_key: Option<Buffer>,
    pub server_name: Option<String>,
    pub verify_certificate: bool,
    pub verify_name: bool,
}

/// Whom requests are signed for.
#[napi(object)]
pub struct NativeCredentials {
    pub access_key: String,
    pub secret_key: String,
    pub security_token: Option<String>,
}

/// The parts of a send header that stay the same from message to message.
#[napi(object)]
pub struct NativeSendTemplate {
    pub producer_group: String,
    pub topic: String,
    pub default_topic: String,
    pub default_topic_queue_nums: i32,
    pub queue_id: i32,
    pub broker_name: String,
    pub unit_mode: bool,
    pub batch: bool,
    /// SEND_REPLY_MESSAGE_V2 instead of SEND_MESSAGE_V2.
    pub reply: Option<bool>,
    pub max_reconsume_times: Option<i32>,
    /// Apache's namespace of the second kind: a field of every request (`NamespaceRpcHook.java`).
    pub namespace_v2: Option<String>,
}

/// A request that waits for its answer.
enum Pending {
    Send(u32),
    Invoke(u32),
    Pull(u32, Option<TagSet>),
}

impl Pending {
    fn token(&self) -> u32 {
        match self {
            Self::Send(token) | Self::Invoke(token) | Self::Pull(token, _) => *token,
        }
    }
}

type Wake = ThreadsafeFunction<(), (), (), Status, false, true>;

struct Handler {
    completions: Mutex<Completions>,
    channels: Mutex<Vec<Arc<Channel<Handler>>>>,
    wake: Wake,
    /// JavaScript was woken and has not fetched everything yet.
    awake: AtomicBool,
}

impl ChannelHandler for Handler {
    type Pending = Pending;

    fn completed(&self, pending: Pending, response: &Command<'_>) {
        match pending {
            Pending::Send(token) => self.completed_send(token, response),
            Pending::Invoke(token) => self.completions.lock().response(token, response),
            Pending::Pull(token, tags) => self.completed_pull(token, tags.as_ref(), response),
        }
    }

    fn failed(&self, pending: Pending, failure: Failure) {
        self.completions.lock().failed(pending.token(), &failure);
    }

    fn requested(&self, channel: &Arc<Channel<Self>>, _: &Arc<Connection>, request: &Command<'_>) {
        let index = self.channels.lock().iter().position(|known| Arc::ptr_eq(known, channel));
        let index = index.and_then(|index| u32::try_from(index).ok()).unwrap_or(NONE);
        self.completions.lock().requested(index, request);
    }

    fn closed(&self, address: &str, reason: &str) {
        self.completions.lock().closed(address, reason);
    }

    fn batch_ended(&self) {
        if !self.completions.lock().is_empty() && !self.awake.swap(true, Ordering::AcqRel) {
            self.wake.call((), ThreadsafeFunctionCallMode::NonBlocking);
        }
    }
}

impl Handler {
    fn completed_send(&self, token: u32, response: &Command<'_>) {
        let stored = matches!(
            response.code,
            response_code::SUCCESS
                | response_code::FLUSH_DISK_TIMEOUT
                | response_code::FLUSH_SLAVE_TIMEOUT
                | response_code::SLAVE_NOT_AVAILABLE
        );
        if stored
            && let Ok(header) = response.header::<SendMessageResponseHeader<'_>>()
            && header.recall_handle.is_none()
            && header.batch_uniq_id.is_none()
        {
            let region = response.ext.get("MSG_REGION").unwrap_or_default();
            let trace_on = response.ext.get("TRACE_ON").is_none_or(|on| on != "false");
            return self.completions.lock().sent(token, response.code, &header, region, trace_on);
        }
        self.completions.lock().response(token, response);
    }

    fn completed_pull(&self, token: u32, tags: Option<&TagSet>, response: &Command<'_>) {
        let Ok(mut header) = response.header::<PullMessageResponseHeader>() else {
            // Answers without offsets are errors; JavaScript reads code and remark.
            return self.completions.lock().response(token, response);
        };
        let (mut messages, mut table) = (Vec::new(), Vec::new());
        let mut unreadable = String::new();
        let mut rest = if response.code == response_code::SUCCESS { response.body } else { &[] };
        while let Err(error) = decode_pulled(rest, tags, PULL_LIMITS, &mut messages, &mut table) {
            let bad = rest.get(error.offset..).unwrap_or_default();
            if let RecordError::Compression(cause) = &error.source
                && let Ok((record, length)) = decode_record(bad, false)
            {
                // It comes as stored, with the flag in its sysFlag, so that JavaScript can fail it; the others are delivered.
                let separator = if unreadable.is_empty() { "" } else { "; " };
                let offset = record.queue_offset.wrapping_add(header.offset_delta.unwrap_or_default());
                let _ = write!(unreadable, "{separator}{offset}: {cause}");
                table.push(PulledMessage { queue_offset: record.queue_offset, ..PulledMessage::default() });
                let (stored, behind) = bad.split_at(length);
                messages.extend_from_slice(stored);
                rest = behind;
                continue;
            }
            // Where the next record begins is not known. Those before the bad one are delivered; the next pull begins at it and
            // fails loudly.
            let Some(last) = table.last() else {
                return self.completions.lock().malformed(token, &error.to_string());
            };
            header.next_begin_offset = last.queue_offset + 1;
            break;
        }
        let remark = response.remark.as_deref();
        let pulled =
            Pulled { messages, count: table.len(), unreadable: (!unreadable.is_empty()).then_some(unreadable) };
        self.completions.lock().pulled(token, response.code, remark, &header, pulled);
    }
}

/// The channels of one client.
#[napi]
pub struct NativeChannels {
    channels: Channels<Handler>,
    templates: Mutex<Vec<NativeSendTemplate>>,
    serialize_type: SerializeType,
    signer: Mutex<Option<Signer>>,
}

/// The I/O thread of all clients of this process, and their clock; they start with the first client.
static IO: Mutex<Option<IoThread>> = Mutex::new(None);

type IoThread = (Arc<EventLoops>, Arc<dyn Clock>);

fn io() -> Result<IoThread> {
    let mut io = IO.lock();
    if let Some((loops, clock)) = &*io {
        return Ok((Arc::clone(loops), Arc::clone(clock)));
    }
    let loops = EventLoops::new(1, "rocketmq-client")
        .map_err(|error| Error::new(Status::GenericFailure, format!("cannot start the I/O thread: {error}")))?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    Ok(io.insert((loops, clock)).clone())
}

#[napi]
impl NativeChannels {
    /// `wake` is called, on the main thread, when completions wait and none did since the last `fetch` that emptied them.
    #[napi(constructor)]
    pub fn new(options: NativeChannelOptions, wake: Function<'_, (), ()>) -> Result<Self> {
        let wake = wake.build_threadsafe_function::<()>().weak::<true>().build()?;
        let (loops, clock) = io()?;
        let handler = Arc::new(Handler {
            completions: Mutex::default(),
            channels: Mutex::default(),
            wake,
            awake: AtomicBool::new(false),
        });
        let limits = Limits { max_frame_bytes: options.max_frame_bytes as usize, ..Limits::default() };
        let channel_options = ChannelOptions {
            limits,
            connect_timeout: Duration::from_millis(u64::from(options.connect_timeout_ms)),
            max_pending_requests: options.max_pending_requests as usize,
            max_pending_bytes: options.max_pending_bytes as usize,
            tls: options.tls.as_ref().map(tls_client).transpose()?,
        };
        let serialize_type = if options.json_headers { SerializeType::Json } else { SerializeType::RocketMq };
        let channels = Channels::new(handler, loops, clock, channel_options);
        let signer = Mutex::new(options.credentials.as_ref().map(signer));
        Ok(Self { channels, templates: Mutex::default(), serialize_type, signer })
    }

    /// Signs what is submitted from now on for another user, or the same with another key.
    #[napi]
    pub fn set_credentials(&self, credentials: NativeCredentials) {
        *self.signer.lock() = Some(signer(&credentials));
    }

    /// The number of the channel to `address`, for `submit`. Connects when first used.
    #[napi]
    pub fn channel(&self, address: String) -> u32 {
        let channel = self.channels.channel(&address);
        let mut known = self.channels.handler().channels.lock();
        let index = known.iter().position(|one| Arc::ptr_eq(one, &channel)).unwrap_or_else(|| {
            known.push(channel);
            known.len() - 1
        });
        u32::try_from(index).unwrap_or(NONE)
    }

    /// Closes the connection of the channel when it has answered what was submitted; it connects again when it is used again.
    #[napi]
    pub fn leave(&self, channel: u32) {
        let channel = self.channels.handler().channels.lock().get(channel as usize).cloned();
        if let Some(channel) = channel {
            channel.leave("it is not needed any more");
        }
    }

    /// Registers the constant part of send headers; returns its number.
    #[napi]
    pub fn send_template(&self, template: NativeSendTemplate) -> u32 {
        let mut templates = self.templates.lock();
        templates.push(template);
        u32::try_from(templates.len() - 1).unwrap_or(NONE)
    }

    /// Sends what the first `used` bytes of `records` describe, in one write as a rule.
    #[napi]
    pub fn submit(&self, channel: u32, records: &[u8], used: u32) -> Result<()> {
        let channel = self.channels.handler().channels.lock().get(channel as usize).cloned();
        let channel = channel.ok_or_else(|| Error::new(Status::InvalidArg, "unknown channel"))?;
        let records =
            records.get(..used as usize).ok_or_else(|| Error::new(Status::InvalidArg, "used is too large"))?;
        let templates = self.templates.lock();
        let signer = self.signer.lock();
        let mut result = Ok(());
        channel.submit(|submission| {
            let mut records = Records::new(records);
            loop {
                match records.next_record() {
                    Ok(Some(record)) => self.add(submission, &templates, signer.as_ref(), record),
                    Ok(None) => break,
                    Err(error) => {
                        result = Err(error);
                        break;
                    }
                }
            }
        });
        result
    }

    /// Copies completions into `into`; returns their bytes, 0 when there are none. More than `into` has: the first needs
    /// that much room.
    #[napi]
    pub fn fetch(&self, mut into: Uint8Array) -> u32 {
        let handler = self.channels.handler();
        let mut completions = handler.completions.lock();
        if completions.is_empty() {
            handler.awake.store(false, Ordering::Release);
            return 0;
        }
        // SAFETY: the array belongs to the caller, who is blocked in this very call on the only thread that may touch it.
        let into = unsafe { into.as_mut() };
        u32::try_from(completions.fetch(into)).unwrap_or(NONE)
    }

    /// The body that a completion named; `null` when it was taken already.
    #[napi]
    pub fn take_body(&self, index: u32) -> Option<Buffer> {
        self.channels.handler().completions.lock().take_body(index).map(Buffer::from)
    }

    /// Fails what waits and closes every connection; the failures can be fetched afterwards.
    #[napi]
    pub fn close(&self) {
        self.channels.close();
        self.channels.handler().channels.lock().clear();
    }

    fn add(
        &self,
        submission: &mut Submission<'_, Handler>,
        templates: &[NativeSendTemplate],
        signer: Option<&Signer>,
        record: Record<'_>,
    ) {
        let serialize_type = self.serialize_type;
        match record {
            Record::Send(send) => self.add_send(submission, templates, signer, &send),
            Record::Invoke { token, timeout, code, remark, ext, body } => {
                let head = |opaque, flag| Head { flag, remark, ..head(code, opaque) };
                if token == NONE {
                    submission.oneway(|out, opaque| {
                        write_frame(out, serialize_type, head(opaque, FLAG_ONEWAY), signer, &ext, body)
                    });
                } else {
                    submission.request(Pending::Invoke(token), timeout, |out, opaque| {
                        write_frame(out, serialize_type, head(opaque, 0), signer, &ext, body)
                    });
                }
            }
            Record::Respond { opaque, code, remark, ext, body } => {
                submission.oneway(|out, _| {
                    let head = Head { flag: FLAG_RESPONSE, remark, ..head(code, opaque) };
                    // Only requests are signed.
                    write_frame(out, serialize_type, head, None, &ext, body)
                });
            }
            Record::Pull { token, timeout, ext, tags } => {
                let tags = (!tags.is_empty()).then(|| tags.iter().copied().collect::<TagSet>());
                submission.request(Pending::Pull(token, tags), timeout, |out, opaque| {
                    write_frame(out, serialize_type, head(request_code::PULL_MESSAGE, opaque), signer, &ext, &[])
                });
            }
        }
    }

    fn add_send(
        &self,
        submission: &mut Submission<'_, Handler>,
        templates: &[NativeSendTemplate],
        signer: Option<&Signer>,
        send: &SendRecord<'_>,
    ) {
        let Some(template) = templates.get(send.template as usize) else {
            let failure = "unknown send template";
            return self.channels.handler().completions.lock().malformed(send.token, failure);
        };
        let header = SendMessageRequestHeaderV2 {
            producer_group: template.producer_group.as_str().into(),
            topic: template.topic.as_str().into(),
            default_topic: template.default_topic.as_str().into(),
            default_topic_queue_nums: template.default_topic_queue_nums,
            queue_id: template.queue_id,
            sys_flag: send.sys_flag,
            born_timestamp: send.born_timestamp,
            flag: send.flag,
            properties: Some(send.properties.into()),
            reconsume_times: Some(send.reconsume_times),
            unit_mode: Some(template.unit_mode),
            max_reconsume_times: template.max_reconsume_times,
            batch: Some(template.batch),
            broker_name: Some(template.broker_name.as_str().into()),
        };
        let code = match (template.batch, template.reply) {
            (true, _) => request_code::SEND_BATCH_MESSAGE,
            (false, Some(true)) => request_code::SEND_REPLY_MESSAGE_V2,
            (false, _) => request_code::SEND_MESSAGE_V2,
        };
        let serialize_type = self.serialize_type;
        let write = |out: &mut Vec<u8>, opaque: i32, flag: i32| {
            let head = Head { flag, ..head(code, opaque) };
            let mut frame = FrameWriter::begin(out, serialize_type, head);
            if let Some(signer) = signer {
                frame.sign_with(signer);
            }
            frame.header(&header);
            if let Some(namespace) = &template.namespace_v2 {
                frame.ext_str("nsd", "true");
                frame.ext_str("ns", namespace);
            }
            frame.begin_body().extend_from_slice(send.body);
            frame.finish()
        };
        if send.token == NONE {
            submission.oneway(|out, opaque| write(out, opaque, FLAG_ONEWAY));
        } else {
            submission.request(Pending::Send(send.token), send.timeout, |out, opaque| write(out, opaque, 0));
        }
    }
}

fn signer(credentials: &NativeCredentials) -> Signer {
    Signer::new(&credentials.access_key, &credentials.secret_key, credentials.security_token.as_deref())
}

fn tls_client(tls: &NativeTls) -> Result<TlsClient> {
    let options = TlsClientOptions {
        authorities: tls.authorities.as_bytes(),
        lenient: tls.lenient,
        certificate: tls.certificate.as_deref().map(str::as_bytes),
        private_key: tls.private_key.as_deref(),
        server_name: tls.server_name.as_deref(),
        verification: match (tls.verify_certificate, tls.verify_name) {
            (true, true) => Verification::Full,
            (true, false) => Verification::NameIgnored,
            (false, _) => Verification::None,
        },
    };
    TlsClient::new(options).map_err(|error| invalid(&error))
}

fn head(code: i32, opaque: i32) -> Head<'static> {
    Head { language: language_code::NODE_JS, ..Head::request(code, opaque) }
}

fn write_frame(
    out: &mut Vec<u8>,
    serialize_type: SerializeType,
    head: Head<'_>,
    signer: Option<&Signer>,
    ext: &[(&str, &str)],
    body: &[u8],
) -> std::result::Result<(), FrameError> {
    let mut frame = FrameWriter::begin(out, serialize_type, head);
    if let Some(signer) = signer {
        frame.sign_with(signer);
    }
    for (key, value) in ext {
        frame.ext_str(key, value);
    }
    frame.begin_body().extend_from_slice(body);
    frame.finish()
}

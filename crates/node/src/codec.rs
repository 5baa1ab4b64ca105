//! The codec and the compression, callable from TypeScript for tests, tools and benchmarks.

use std::collections::HashMap;
use std::net::IpAddr;

use napi::bindgen_prelude::{AsyncTask, BigInt, Buffer};
use napi::{Env, Error, Result, Status, Task};
use napi_derive::napi;
use rocketmq_codec::compression::{self, CompressionType};
use rocketmq_codec::message::{
    HostAddr, PullLimits, RecordFields, body_crc, decode_pulled, decode_record, encode_record, patch_record,
};
use rocketmq_codec::{Command, FrameWriter, Head, SerializeType};

fn invalid(error: impl std::fmt::Display) -> Error {
    Error::new(Status::InvalidArg, error.to_string())
}

/// A frame, header values as text.
#[napi(object)]
pub struct NativeFrame {
    /// `JSON` or `ROCKETMQ`.
    pub serialize_type: String,
    pub code: i32,
    pub language: u8,
    pub version: i32,
    pub opaque: i32,
    pub flag: i32,
    pub remark: Option<String>,
    pub ext_fields: HashMap<String, String>,
    pub body: Buffer,
}

/// A stored message record.
#[napi(object)]
pub struct NativeRecord {
    pub topic: String,
    pub queue_id: i32,
    pub flag: i32,
    pub queue_offset: BigInt,
    pub physical_offset: BigInt,
    pub sys_flag: i32,
    pub born_timestamp: f64,
    /// IP address.
    pub born_host: String,
    pub born_port: i32,
    pub store_timestamp: f64,
    /// IP address.
    pub store_host: String,
    pub store_port: i32,
    pub reconsume_times: i32,
    pub prepared_transaction_offset: BigInt,
    /// As stored: compressed when the system flag says so.
    pub body: Buffer,
    /// `name 0x01 value 0x02` repeated.
    pub properties: String,
}

/// Encodes one frame.
#[napi]
pub fn encode_frame(frame: NativeFrame) -> Result<Buffer> {
    let serialize_type = match frame.serialize_type.as_str() {
        "JSON" => SerializeType::Json,
        "ROCKETMQ" => SerializeType::RocketMq,
        other => return Err(invalid(format_args!("serialize type {other} is neither JSON nor ROCKETMQ"))),
    };
    let head = Head {
        code: frame.code,
        language: frame.language,
        version: frame.version,
        opaque: frame.opaque,
        flag: frame.flag,
        remark: frame.remark.as_deref(),
    };
    let mut fields: Vec<_> = frame.ext_fields.iter().collect();
    fields.sort();
    let mut out = Vec::new();
    let mut writer = FrameWriter::begin(&mut out, serialize_type, head);
    for (key, value) in fields {
        writer.ext_str(key, value);
    }
    writer.begin_body().extend_from_slice(&frame.body);
    writer.finish().map_err(invalid)?;
    Ok(out.into())
}

/// Decodes exactly one frame.
#[napi]
pub fn decode_frame(bytes: &[u8]) -> Result<NativeFrame> {
    let command = Command::decode(bytes).map_err(invalid)?;
    Ok(NativeFrame {
        serialize_type: match command.serialize_type {
            SerializeType::Json => "JSON".to_owned(),
            SerializeType::RocketMq => "ROCKETMQ".to_owned(),
        },
        code: command.code,
        language: command.language,
        version: command.version,
        opaque: command.opaque,
        flag: command.flag,
        remark: command.remark.as_deref().map(str::to_owned),
        ext_fields: command.ext.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
        body: command.body.into(),
    })
}

/// Encodes a message record as the commit log has it.
#[napi]
pub fn encode_record_bytes(record: NativeRecord) -> Result<Buffer> {
    let fields = RecordFields {
        topic: &record.topic,
        queue_id: record.queue_id,
        flag: record.flag,
        sys_flag: record.sys_flag,
        born_timestamp: millis(record.born_timestamp),
        born_host: host(&record.born_host, record.born_port)?,
        store_host: host(&record.store_host, record.store_port)?,
        reconsume_times: record.reconsume_times,
        prepared_transaction_offset: record.prepared_transaction_offset.get_i64().0,
        body: &record.body,
        body_crc: body_crc(&record.body),
        properties: &record.properties,
    };
    let mut out = Vec::new();
    encode_record(&mut out, &fields).map_err(invalid)?;
    let (queue_offset, physical_offset) = (record.queue_offset.get_i64().0, record.physical_offset.get_i64().0);
    patch_record(&mut out, queue_offset, physical_offset, millis(record.store_timestamp));
    Ok(out.into())
}

/// Decodes the message record at the start of `bytes`, checking its body's CRC.
#[napi]
pub fn decode_record_bytes(bytes: &[u8]) -> Result<NativeRecord> {
    let (record, _) = decode_record(bytes, true).map_err(invalid)?;
    #[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 are exact in a double for 285,000 years")]
    Ok(NativeRecord {
        topic: record.topic.into_owned(),
        queue_id: record.queue_id,
        flag: record.flag,
        queue_offset: record.queue_offset.into(),
        physical_offset: record.physical_offset.into(),
        sys_flag: record.sys_flag,
        born_timestamp: record.born_timestamp as f64,
        born_host: record.born_host.ip.to_string(),
        born_port: record.born_host.port,
        store_timestamp: record.store_timestamp as f64,
        store_host: record.store_host.ip.to_string(),
        store_port: record.store_host.port,
        reconsume_times: record.reconsume_times,
        prepared_transaction_offset: record.prepared_transaction_offset.into(),
        body: record.body.into(),
        properties: record.properties.into_owned(),
    })
}

/// Makes the body of a pull's answer ready to be read: the records one after the other with bodies inflated, those whose tag is
/// not in `tags` (if given) left out.
#[napi]
pub fn decode_pulled_body(body: &[u8], tags: Option<Vec<String>>, max_body_bytes: u32) -> Result<Buffer> {
    let limits = PullLimits { max_body_bytes: max_body_bytes as usize, max_total_bytes: u32::MAX as usize };
    let tags = tags.map(|tags| tags.into_iter().collect());
    let (mut out, mut table) = (Vec::new(), Vec::new());
    decode_pulled(body, tags.as_ref(), limits, &mut out, &mut table).map_err(invalid)?;
    Ok(out.into())
}

/// Compresses a body; `kind` is `ZLIB`, `LZ4` or `ZSTD`.
#[napi]
pub fn compress(kind: String, level: i32, body: &[u8]) -> Result<Buffer> {
    compression::compress(compression_type(&kind)?, level, body).map(Buffer::from).map_err(invalid)
}

/// The same off the main thread. `body` is read there: leave it alone until the promise has settled.
#[napi(ts_return_type = "Promise<Buffer>")]
pub fn compress_async(kind: String, level: i32, body: Buffer) -> Result<AsyncTask<Compress>> {
    Ok(AsyncTask::new(Compress { kind: compression_type(&kind)?, level, body }))
}

pub struct Compress {
    kind: CompressionType,
    level: i32,
    body: Buffer,
}

impl Task for Compress {
    type Output = Vec<u8>;
    type JsValue = Buffer;

    fn compute(&mut self) -> Result<Vec<u8>> {
        compression::compress(self.kind, self.level, &self.body).map_err(invalid)
    }

    fn resolve(&mut self, _: Env, compressed: Vec<u8>) -> Result<Buffer> {
        Ok(compressed.into())
    }
}

/// Inflates a body; fails beyond `max_bytes`.
#[napi]
pub fn decompress(kind: String, body: &[u8], max_bytes: u32) -> Result<Buffer> {
    compression::decompress(compression_type(&kind)?, body, max_bytes as usize).map(Buffer::from).map_err(invalid)
}

/// The CRC of a message body: CRC-32 without its top bit.
#[napi]
pub fn crc32(bytes: &[u8]) -> i32 {
    rocketmq_codec::message::body_crc(bytes)
}

fn compression_type(kind: &str) -> Result<CompressionType> {
    match kind {
        "ZLIB" => Ok(CompressionType::Zlib),
        "LZ4" => Ok(CompressionType::Lz4),
        "ZSTD" => Ok(CompressionType::Zstd),
        other => Err(invalid(format_args!("compression type {other} is none of ZLIB, LZ4, ZSTD"))),
    }
}

fn host(ip: &str, port: i32) -> Result<HostAddr> {
    let ip: IpAddr = ip.parse().map_err(|error| invalid(format_args!("{ip} is no IP address: {error}")))?;
    Ok(HostAddr { ip, port })
}

#[expect(clippy::cast_possible_truncation, reason = "milliseconds since 1970 fit for the next 285,000 years")]
fn millis(value: f64) -> i64 {
    value as i64
}

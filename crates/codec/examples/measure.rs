//! Nanoseconds per operation on the hot path: `cargo run --release -p rocketmq-codec --example measure`.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measuring program prints, and stops when something is wrong"
)]

use std::hint::black_box;
use std::time::Instant;

use rocketmq_codec::header::{PullMessageResponseHeader, SendMessageRequestHeaderV2, SendMessageResponseHeader};
use rocketmq_codec::message::message_id::offset_id;
use rocketmq_codec::message::{
    HostAddr, PullLimits, RecordFields, body_crc, decode_pulled, decode_record, encode_record, patch_record, tags_code,
};
use rocketmq_codec::{Command, FrameWriter, Head, SerializeType, Signer};

const PROPERTIES: &str = "UNIQ_KEY\u{1}7F00000100002A9F4B3C000000000001\u{2}WAIT\u{1}true\u{2}TAGS\u{1}TagA\u{2}";

fn measure<T>(name: &str, mut operation: impl FnMut() -> T) {
    const ROUNDS: u32 = 200_000;
    let best = (0..10)
        .map(|_| {
            let begin = Instant::now();
            for _ in 0..ROUNDS {
                black_box(operation());
            }
            begin.elapsed().as_secs_f64() * 1e9 / f64::from(ROUNDS)
        })
        .fold(f64::INFINITY, f64::min);
    println!("{best:8.1} ns  {name}");
}

fn send_request(out: &mut Vec<u8>, serialize_type: SerializeType, signer: Option<&Signer>) {
    out.clear();
    let header = SendMessageRequestHeaderV2 {
        producer_group: "benchmark_producer".into(),
        topic: "BenchmarkTopic".into(),
        default_topic: "TBW102".into(),
        default_topic_queue_nums: 4,
        queue_id: 3,
        sys_flag: 0,
        born_timestamp: 1_700_000_000_000,
        flag: 0,
        properties: Some(PROPERTIES.into()),
        reconsume_times: Some(0),
        unit_mode: Some(false),
        max_reconsume_times: None,
        batch: Some(false),
        broker_name: Some("broker-a".into()),
    };
    let mut writer = FrameWriter::begin(out, serialize_type, Head::request(310, 77));
    if let Some(signer) = signer {
        writer.sign_with(signer);
    }
    writer.header(&header);
    writer.begin_body().extend_from_slice(&[b'x'; 128]);
    writer.finish().unwrap();
}

fn send_response(out: &mut Vec<u8>, serialize_type: SerializeType, host: &HostAddr) {
    out.clear();
    let id = offset_id(host, 123_456_789);
    let header = SendMessageResponseHeader {
        msg_id: id.as_str().into(),
        queue_id: 3,
        queue_offset: 123_456,
        transaction_id: Some("7F00000100002A9F4B3C000000000001".into()),
        batch_uniq_id: None,
        recall_handle: None,
    };
    let mut writer = FrameWriter::begin(out, serialize_type, Head::response(0, 77));
    writer.header(&header);
    writer.finish().unwrap();
}

fn main() {
    let host = HostAddr { ip: [127, 0, 0, 1].into(), port: 10_911 };
    let mut out = Vec::new();
    for serialize_type in [SerializeType::RocketMq, SerializeType::Json] {
        let signer = Signer::new("rocketmq", "12345678", None);
        measure(&format!("encode send request {serialize_type:?}"), || send_request(&mut out, serialize_type, None));
        measure(&format!("encode send request {serialize_type:?}, signed"), || {
            send_request(&mut out, serialize_type, Some(&signer));
        });
        send_request(&mut out, serialize_type, None);
        let frame = out.clone();
        measure(&format!("decode send request {serialize_type:?}, frame only"), || {
            Command::decode(&frame).unwrap().code
        });
        measure(&format!("decode send request {serialize_type:?}, with header"), || {
            let command = Command::decode(black_box(&frame)).unwrap();
            command.header::<SendMessageRequestHeaderV2<'_>>().unwrap().queue_id
        });
        measure(&format!("encode send response {serialize_type:?}"), || send_response(&mut out, serialize_type, &host));
        send_response(&mut out, serialize_type, &host);
        let response = out.clone();
        measure(&format!("decode send response {serialize_type:?}, with header"), || {
            let command = Command::decode(black_box(&response)).unwrap();
            command.header::<SendMessageResponseHeader<'_>>().unwrap().queue_offset
        });
        let pulled = PullMessageResponseHeader {
            suggest_which_broker_id: 0,
            next_begin_offset: 123_456,
            min_offset: 0,
            max_offset: 123_457,
            offset_delta: None,
            topic_sys_flag: Some(0),
            group_sys_flag: Some(0),
            forbidden_type: None,
        };
        measure(&format!("encode pull response {serialize_type:?}, no body"), || {
            out.clear();
            let mut writer =
                FrameWriter::begin(&mut out, serialize_type, Head { remark: Some("FOUND"), ..Head::response(0, 77) });
            writer.header(&pulled);
            writer.finish().unwrap();
        });
    }
    let body = [b'x'; 128];
    let fields = RecordFields {
        topic: "BenchmarkTopic",
        queue_id: 3,
        flag: 0,
        sys_flag: 0,
        born_timestamp: 1_700_000_000_000,
        born_host: host,
        store_host: host,
        reconsume_times: 0,
        prepared_transaction_offset: 0,
        body: &body,
        body_crc: body_crc(&body),
        properties: PROPERTIES,
    };
    measure("CRC of 128 bytes", || body_crc(black_box(&body)));
    measure("encode record of 128 bytes", || {
        out.clear();
        encode_record(&mut out, black_box(&fields)).unwrap().total_size
    });
    let record = out.clone();
    let mut patched = record.clone();
    measure("patch record", || patch_record(black_box(&mut patched), 1, 2, 3));
    measure("decode record, with CRC", || decode_record(black_box(&record), true).unwrap().1);
    measure("tags code", || tags_code(black_box(PROPERTIES)));
    measure("offset message id", || offset_id(black_box(&host), 123));
    let pulled = record.repeat(32);
    let limits = PullLimits { max_body_bytes: 4 << 20, max_total_bytes: 64 << 20 };
    let mut table = Vec::new();
    measure("decode pulled body of 32 records", || {
        out.clear();
        table.clear();
        decode_pulled(black_box(&pulled), None, limits, &mut out, &mut table).unwrap();
        table.len()
    });
}

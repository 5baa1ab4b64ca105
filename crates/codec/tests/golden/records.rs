use std::net::IpAddr;

use rocketmq_codec::message::{
    HostAddr, MAGIC_V1, MAGIC_V2, MessageRecord, PullLimits, PulledMessage, RecordFields, TagSet, batch, body_crc,
    decode_pulled, decode_record, encode_record, is_plain, patch_record, properties, sys_flag, tags_code,
};

use crate::{TIME, UNICODE, bytes, lines, unhex};

const FILE: &str = include_str!("../../../testkit/golden/records.txt");
const LIMITS: PullLimits = PullLimits { max_body_bytes: 1 << 20, max_total_bytes: 1 << 24 };

fn host(ip: &str, port: i32) -> HostAddr {
    HostAddr { ip: ip.parse::<IpAddr>().unwrap(), port }
}

fn records() -> impl Iterator<Item = (&'static str, Vec<u8>)> {
    lines(FILE)
        .filter(|(name, _)| !name.starts_with("deflated") && !name.starts_with("inflated") && *name != "batch")
        .map(|(name, hex)| (name, unhex(hex)))
}

fn fields<'a>(record: &'a MessageRecord<'_>) -> RecordFields<'a> {
    RecordFields {
        topic: &record.topic,
        queue_id: record.queue_id,
        flag: record.flag,
        sys_flag: record.sys_flag,
        born_timestamp: record.born_timestamp,
        born_host: record.born_host,
        store_host: record.store_host,
        reconsume_times: record.reconsume_times,
        prepared_transaction_offset: record.prepared_transaction_offset,
        body: record.body,
        body_crc: body_crc(record.body),
        properties: &record.properties,
    }
}

#[test]
fn every_record_of_apache_comes_out_byte_for_byte_when_written_again() {
    for (name, stored) in records() {
        let (record, length) = decode_record(&stored, true).unwrap();
        assert_eq!(length, stored.len(), "{name}");
        let mut out = b"before".to_vec();
        let layout = encode_record(&mut out, &fields(&record)).unwrap();
        assert_eq!(layout.total_size, stored.len(), "{name}");
        assert_eq!(layout.body_offset, record.body_offset, "{name}");
        patch_record(&mut out[6..], record.queue_offset, record.physical_offset, record.store_timestamp);
        assert_eq!(out[6..], stored, "{name}");
        assert_eq!(out[6 + layout.properties_offset..], *record.properties.as_bytes(), "{name}");
    }
}

#[test]
fn the_fields_of_a_record_are_where_apache_put_them() {
    let stored = bytes(FILE, "v1");
    let (record, _) = decode_record(&stored, true).unwrap();
    assert_eq!((record.magic, record.queue_id, record.flag), (MAGIC_V1, 3, 9));
    // Prepared and rolled back messages keep offset 0; this one got what the encoder was told.
    assert_eq!((record.queue_offset, record.physical_offset), (41, 0x01_0203_0405));
    assert_eq!((record.born_timestamp, record.store_timestamp), (TIME, TIME + 5));
    assert_eq!((record.born_host, record.store_host), (host("192.168.1.10", 50_123), host("10.0.0.1", 10_911)));
    assert_eq!((record.reconsume_times, record.prepared_transaction_offset), (2, 0x1122_3344_5566_7788));
    assert_eq!((record.body, &*record.topic), (b"hello".as_slice(), "TopicTest"));
    assert_eq!(properties::get(&record.properties, "KEYS"), Some("k1 k2"));
    assert_eq!(tags_code(&record.properties), 2_598_919);
    assert_eq!(record.offset_message_id().as_str(), "0A00000100002A9F0000000102030405");
}

#[test]
fn a_topic_above_127_bytes_makes_a_v2_record() {
    let (short, long) = (bytes(FILE, "v1_topic_127"), bytes(FILE, "v2_topic_128"));
    let (short, long) = (decode_record(&short, true).unwrap().0, decode_record(&long, true).unwrap().0);
    assert_eq!((short.magic, short.topic.len()), (MAGIC_V1, 127));
    assert_eq!((long.magic, long.topic.len()), (MAGIC_V2, 128));
}

#[test]
fn ipv6_hosts_are_told_by_the_sys_flag() {
    let stored = bytes(FILE, "v6_hosts");
    let (record, _) = decode_record(&stored, true).unwrap();
    assert_eq!((record.born_host, record.store_host), (host("2001:db8::1", 50_123), host("fe80::1234", 10_911)));
    assert_eq!(record.sys_flag, sys_flag::BORN_HOST_V6 | sys_flag::STORE_HOST_V6);
    let stored = bytes(FILE, "v6_born_host");
    let (record, _) = decode_record(&stored, true).unwrap();
    assert_eq!((record.born_host, record.store_host), (host("2001:db8::1", 50_123), host("10.0.0.1", 10_911)));
    assert_eq!(record.store_timestamp, TIME + 5);
}

#[test]
fn text_beyond_ascii_and_empty_parts_are_read() {
    let stored = bytes(FILE, "unicode");
    let (record, _) = decode_record(&stored, true).unwrap();
    assert_eq!(record.body, UNICODE.as_bytes());
    assert_eq!(properties::get(&record.properties, "emoji"), Some("\u{1F680}"));
    assert_eq!(tags_code(&record.properties), 98_768_023);
    let stored = bytes(FILE, "empty_body_no_properties");
    let (record, _) = decode_record(&stored, true).unwrap();
    assert_eq!((record.body.len(), record.body_crc, &*record.properties), (0, 0, ""));
}

fn body<'a>(out: &'a [u8], entry: &PulledMessage) -> &'a [u8] {
    &out[entry.body_start as usize..][..entry.body_length as usize]
}

#[test]
fn a_pulled_body_becomes_plain_records_and_a_table_of_positions() {
    let pulled: Vec<u8> = records().filter(|(name, _)| *name != "inner_batch").flat_map(|(_, stored)| stored).collect();
    let (mut out, mut table) = (b"before".to_vec(), Vec::new());
    decode_pulled(&pulled, None, LIMITS, &mut out, &mut table).unwrap();
    let names: Vec<_> = records().map(|(name, _)| name).filter(|name| *name != "inner_batch").collect();
    assert_eq!(table.len(), names.len());
    for (name, entry) in names.into_iter().zip(&table) {
        let (record, length) = decode_record(&out[entry.record_start as usize..], false).unwrap();
        assert_eq!(length, entry.record_length as usize, "{name}");
        assert_eq!(record.sys_flag & sys_flag::COMPRESSED, 0, "{name}");
        assert_eq!(record.body, body(&out, entry), "{name}");
        assert_eq!(
            out[entry.topic_start as usize..][..entry.topic_length as usize],
            *record.topic.as_bytes(),
            "{name}"
        );
        let properties = &out[entry.properties_start as usize..][..entry.properties_length as usize];
        assert_eq!(properties, record.properties.as_bytes(), "{name}");
        assert_eq!(entry.queue_offset, record.queue_offset, "{name}");
        if name.starts_with("compressed") {
            assert_eq!(record.body, "RocketMQ message body. ".repeat(100).as_bytes(), "{name}");
        }
    }
}

#[test]
fn pulled_messages_with_other_tags_are_left_out() {
    let (tag_a, unicode, none) = (bytes(FILE, "v1"), bytes(FILE, "unicode"), bytes(FILE, "empty_body_no_properties"));
    let pulled = [tag_a, unicode, none].concat();
    let (mut out, mut table) = (Vec::new(), Vec::new());
    let tags: TagSet = ["grüße", "Other"].into_iter().collect();
    decode_pulled(&pulled, Some(&tags), LIMITS, &mut out, &mut table).unwrap();
    assert_eq!(table.len(), 1);
    assert_eq!(body(&out, &table[0]), UNICODE.as_bytes());
}

#[test]
fn an_inner_batch_is_unwrapped_with_consecutive_offsets() {
    let pulled = bytes(FILE, "inner_batch");
    let (mut out, mut table) = (Vec::new(), Vec::new());
    decode_pulled(&pulled, None, LIMITS, &mut out, &mut table).unwrap();
    let bodies: Vec<_> = table.iter().map(|entry| body(&out, entry)).collect();
    assert_eq!(bodies, [b"body 0".as_slice(), b"body 1", b""]);
    assert_eq!(table.iter().map(|entry| entry.queue_offset).collect::<Vec<_>>(), [41, 42, 43]);
    let (record, _) = decode_record(&out[table[1].record_start as usize..], true).unwrap();
    assert_eq!((record.flag, record.sys_flag, record.store_timestamp), (1, 0, TIME + 5));
    assert_eq!(&*record.properties, "TAGS\u{1}Tag1\u{2}KEYS\u{1}key1\u{2}");
    let (mut out, mut table) = (Vec::new(), Vec::new());
    let tags: TagSet = ["Tag2"].into_iter().collect();
    decode_pulled(&pulled, Some(&tags), LIMITS, &mut out, &mut table).unwrap();
    assert_eq!(table.iter().map(|entry| entry.queue_offset).collect::<Vec<_>>(), [43]);
}

#[test]
fn a_bad_record_is_named_and_those_before_it_stay() {
    let mut pulled = [bytes(FILE, "v1"), bytes(FILE, "compressed_lz4"), bytes(FILE, "v1")].concat();
    let second = bytes(FILE, "v1").len();
    pulled[second + 100] ^= 0x55;
    let (mut out, mut table) = (Vec::new(), Vec::new());
    let error = decode_pulled(&pulled, None, LIMITS, &mut out, &mut table).unwrap_err();
    assert_eq!(error.offset, second);
    assert_eq!((table.len(), out), (1, bytes(FILE, "v1")));
}

#[test]
fn a_body_that_inflates_beyond_the_limit_is_refused() {
    for kind in ["lz4", "zstd", "zlib"] {
        let pulled = bytes(FILE, &format!("compressed_{kind}"));
        let limits = PullLimits { max_body_bytes: 2299, ..LIMITS };
        let (mut out, mut table) = (Vec::new(), Vec::new());
        let error = decode_pulled(&pulled, None, limits, &mut out, &mut table).unwrap_err();
        assert!(error.to_string().contains("above the limit of 2299 bytes"), "{error}");
        assert!(out.is_empty() && table.is_empty());
        decode_pulled(&pulled, None, PullLimits { max_body_bytes: 2300, ..LIMITS }, &mut out, &mut table).unwrap();
        let limits = PullLimits { max_total_bytes: out.len() - 1, ..LIMITS };
        decode_pulled(&pulled, None, limits, &mut Vec::new(), &mut Vec::new()).unwrap_err();
    }
}

#[test]
fn batch_bodies_are_read_and_written_like_apaches() {
    let body = bytes(FILE, "batch");
    let messages: Vec<_> = batch::iter(&body).map(Result::unwrap).collect();
    assert_eq!(messages.iter().map(|message| message.flag).collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!((messages[0].body, messages[2].body), (b"body 0".as_slice(), b"".as_slice()));
    assert_eq!(&*messages[1].properties, "TAGS\u{1}Tag1\u{2}KEYS\u{1}key1\u{2}");
    let mut out = Vec::new();
    for message in &messages {
        batch::append(&mut out, message.flag, message.body, &message.properties).unwrap();
    }
    assert_eq!(out, body);
}

#[test]
fn a_record_is_plain_if_reading_it_gives_it_back_unchanged() {
    for (name, record) in records() {
        let (mut out, mut table) = (Vec::new(), Vec::new());
        let Ok(()) = decode_pulled(&record, None, LIMITS, &mut out, &mut table) else { continue };
        let is_one = table.len() == 1 && out == record;
        assert_eq!(is_plain(&record), is_one, "{name}");
        for end in 0..record.len() {
            assert!(!is_plain(&record[..end]), "{name} cut at {end}");
        }
    }
}

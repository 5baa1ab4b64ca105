//! Records and batches from strangers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;
use rocketmq_codec::message::{
    BLANK_MAGIC, HostAddr, PullLimits, RecordError, RecordFields, batch, body_crc, decode_pulled, decode_record,
    encode_record, is_plain, patch_record,
};

fn host(v6: bool) -> HostAddr {
    let ip = if v6 { IpAddr::V6(Ipv6Addr::LOCALHOST) } else { IpAddr::V4(Ipv4Addr::new(10, 1, 2, 3)) };
    HostAddr { ip, port: 10_911 }
}

fn write_record(out: &mut Vec<u8>, topic: &str, body: &[u8], properties: &str, born_v6: bool, store_v6: bool) {
    let start = out.len();
    let fields = RecordFields {
        topic,
        queue_id: 1,
        flag: -2,
        sys_flag: 0x8,
        born_timestamp: 3,
        born_host: host(born_v6),
        store_host: host(store_v6),
        reconsume_times: 4,
        prepared_transaction_offset: -5,
        body,
        body_crc: body_crc(body),
        properties,
    };
    let layout = encode_record(out, &fields).unwrap();
    assert_eq!(layout.total_size, out.len() - start);
    assert_eq!(out[start + layout.body_offset..][..body.len()], *body);
    patch_record(&mut out[start..], 6, 7, 8);
}

const LIMITS: PullLimits = PullLimits { max_body_bytes: 1 << 16, max_total_bytes: 1 << 20 };

#[test]
fn a_record_cut_anywhere_is_short_and_says_what_it_needs() {
    let mut record = Vec::new();
    write_record(&mut record, "Topic", b"some body", "TAGS\u{1}A\u{2}", false, true);
    for have in 0..record.len() {
        let need = if have < 8 { 8 } else { record.len() };
        assert_eq!(decode_record(&record[..have], true), Err(RecordError::Short { need, have }));
        assert_eq!(decode_pulled(&record[..have], None, LIMITS, &mut Vec::new(), &mut Vec::new()).is_ok(), have == 0);
    }
}

#[test]
fn a_flipped_bit_never_changes_the_body_unnoticed() {
    let mut record = Vec::new();
    write_record(&mut record, "Topic", b"some body", "TAGS\u{1}A\u{2}", false, false);
    for bit in 0..record.len() * 8 {
        let mut flipped = record.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        if let Ok((decoded, length)) = decode_record(&flipped, true) {
            assert_eq!((decoded.body, length), (b"some body".as_slice(), record.len()), "bit {bit}");
        }
    }
}

#[test]
fn the_filler_of_a_file_and_strange_magics_are_told_apart() {
    let mut blank = 1000_i32.to_be_bytes().to_vec();
    blank.extend_from_slice(&BLANK_MAGIC.to_be_bytes());
    assert_eq!(decode_record(&blank, true), Err(RecordError::Blank { length: 1000 }));
    assert_eq!(decode_record(&[0; 100], true), Err(RecordError::Magic { magic: 0 }));
}

#[test]
fn every_length_of_a_record_may_lie() {
    let mut record = Vec::new();
    write_record(&mut record, "Topic", b"some body", "TAGS\u{1}A\u{2}", false, false);
    let body_length_at = 84;
    let topic_length_at = body_length_at + 4 + 9;
    let properties_length_at = topic_length_at + 1 + 5;
    for (at, width) in [(0, 4), (body_length_at, 4), (topic_length_at, 1), (properties_length_at, 2)] {
        for lie in [0_i32, 1, 7, 8, 74, 127, 0x7FFF, 0x7FFF_FFFF, -1, -128, -32768, i32::MIN] {
            let mut lying = record.clone();
            lying[at..at + width].copy_from_slice(&lie.to_be_bytes()[4 - width..]);
            if lying != record {
                decode_record(&lying, true).unwrap_err();
            }
        }
    }
}

#[test]
fn what_does_not_fit_a_record_is_refused() {
    let mut out = b"before".to_vec();
    let long = "x".repeat(32_768);
    let fields = |topic, properties| RecordFields {
        topic,
        queue_id: 0,
        flag: 0,
        sys_flag: 0,
        born_timestamp: 0,
        born_host: host(false),
        store_host: host(false),
        reconsume_times: 0,
        prepared_transaction_offset: 0,
        body: b"",
        body_crc: 0,
        properties,
    };
    for (topic, properties, field) in [(&*long, "", "topic"), ("T", &*long, "properties")] {
        let refused = encode_record(&mut out, &fields(topic, properties));
        assert_eq!(refused, Err(RecordError::Length { field, length: 32_768 }));
    }
    let refused = batch::append(&mut out, 0, b"", &long);
    assert_eq!(refused, Err(RecordError::Length { field: "properties", length: 32_768 }));
    assert_eq!(out, b"before");
}

#[test]
fn a_batch_with_a_lying_length_ends_in_an_error() {
    let mut body = Vec::new();
    batch::append(&mut body, 1, b"one", "a\u{1}b\u{2}").unwrap();
    let first = body.len();
    batch::append(&mut body, 2, b"two", "").unwrap();
    for at in 0..body.len() {
        let cut: Vec<_> = batch::iter(&body[..at]).collect();
        assert_eq!(cut.iter().all(Result::is_ok), at == 0 || at == first, "{at}");
    }
    for (at, lie) in [(first, 0), (first, -1), (first, 21), (first, 24), (first, 26), (first + 16, -1), (first + 16, 4)]
    {
        let mut lying = body.clone();
        lying[at..at + 4].copy_from_slice(&i32::to_be_bytes(lie));
        let read: Vec<_> = batch::iter(&lying).collect();
        assert!(read.len() == 2 && read[0].is_ok() && read[1].is_err(), "{at} {lie}");
    }
}

proptest! {
    #[test]
    fn records_survive_the_round_trip(topic in "\\PC{0,200}", body in prop::collection::vec(any::<u8>(), 0..300), text in "\\PC{0,100}", born_v6: bool, store_v6: bool, more: Vec<u8>) {
        let mut stored = Vec::new();
        write_record(&mut stored, &topic, &body, &text, born_v6, store_v6);
        let total = stored.len();
        stored.extend_from_slice(&more);
        let (record, length) = decode_record(&stored, true).unwrap();
        prop_assert_eq!(length, total);
        prop_assert_eq!((&*record.topic, record.body, &*record.properties), (&*topic, &*body, &*text));
        prop_assert_eq!((record.born_host, record.store_host), (host(born_v6), host(store_v6)));
        prop_assert_eq!((record.queue_offset, record.physical_offset, record.store_timestamp), (6, 7, 8));
        prop_assert_eq!((record.queue_id, record.flag, record.born_timestamp), (1, -2, 3));
        prop_assert_eq!((record.reconsume_times, record.prepared_transaction_offset), (4, -5));
        prop_assert_eq!(record.sys_flag, 0x8 | i32::from(born_v6) << 4 | i32::from(store_v6) << 5);
    }

    #[test]
    fn any_bytes_are_a_record_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200), v2: bool) {
        let _ = decode_record(&bytes, true);
        let mut record = (bytes.len() as u32 + 8).to_be_bytes().to_vec();
        record.extend_from_slice(&[0xDA, 0xA3, 0x20, if v2 { 0xAB } else { 0xA7 }]);
        record.extend_from_slice(&bytes);
        let _ = decode_record(&record, false);
        let mut out = Vec::new();
        let decoded = decode_pulled(&record, None, LIMITS, &mut out, &mut Vec::new());
        prop_assert!(!is_plain(&record) || decoded.is_ok() && out == record);
        let _ = batch::iter(&bytes).count();
    }
}

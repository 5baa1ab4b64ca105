use std::collections::BTreeMap;
use std::fmt::Write;

use rocketmq_codec::message::message_id::{decode_offset_id, offset_id};
use rocketmq_codec::message::{HostAddr, body_crc, java_string_hash, properties};

use crate::{text, unhex};

const FILE: &str = include_str!("../../../testkit/golden/texts.txt");

/// Arguments and result of each line of a kind.
fn cases(kind: &str) -> Vec<(Vec<&'static str>, &'static str)> {
    let words = |line: &'static str, count: usize| {
        let mut parts: Vec<_> = line.splitn(count + 2, ' ').collect();
        let result = parts.pop().unwrap();
        (parts.split_off(1), result)
    };
    let lines = FILE.split('\n').filter(|line| line.split(' ').next() == Some(kind));
    let found: Vec<_> = lines.map(|line| words(line, if kind == "offset_id" { 3 } else { 1 })).collect();
    assert!(!found.is_empty(), "{kind}");
    found
}

#[test]
fn tags_hash_like_java_strings() {
    for (arguments, tag) in cases("hash") {
        assert_eq!(java_string_hash(tag).to_string(), arguments[0], "{tag}");
    }
}

#[test]
fn offset_message_ids_are_those_of_apache() {
    for (arguments, id) in cases("offset_id") {
        let host = HostAddr { ip: arguments[0].parse().unwrap(), port: arguments[1].parse().unwrap() };
        let offset = arguments[2].parse().unwrap();
        assert_eq!(offset_id(&host, offset).as_str(), id);
        assert_eq!(decode_offset_id(id), Ok((host, offset)));
        assert_eq!(decode_offset_id(&id.to_lowercase()), Ok((host, offset)));
    }
}

#[test]
fn property_strings_are_written_like_apaches() {
    let mut written = String::new();
    properties::append(&mut written, "TAGS", "TagA");
    properties::append(&mut written, "emoji", "\u{1F680}");
    assert_eq!(written, text(FILE, "properties"));
}

#[test]
fn odd_property_strings_are_read_like_apache_reads_them() {
    for (arguments, expected) in cases("parsed") {
        let odd = String::from_utf8(unhex(arguments[0])).unwrap();
        let parsed: BTreeMap<_, _> = properties::iter(&odd).collect();
        let shown = parsed.iter().fold(String::new(), |mut shown, (name, value)| {
            write!(shown, "{name}={value};").unwrap();
            shown
        });
        assert_eq!(shown, expected, "{odd:?}");
        for (name, value) in parsed {
            assert_eq!(properties::get(&odd, name), Some(value));
        }
    }
}

#[test]
fn body_crcs_lack_the_top_bit() {
    assert_eq!(body_crc(b"hello").to_string(), cases("crc")[0].1);
    assert_eq!(body_crc(&[0xFF; 4]).to_string(), cases("crc_masked")[0].1);
}

//! Any bytes as a message record: refused or decoded, within the bytes given, and the same whether the CRC is checked or not.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rocketmq_codec::message::decode_record;

fuzz_target!(|bytes: &[u8]| {
    let unchecked = decode_record(bytes, false);
    if let Ok((record, size)) = decode_record(bytes, true) {
        assert!(size <= bytes.len());
        assert_eq!(record.total_size as usize, size);
        assert!(unchecked.is_ok_and(|(same, _)| same.body == record.body));
    }
});

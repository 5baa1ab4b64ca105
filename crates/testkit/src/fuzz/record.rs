//! Any bytes as a message record: refused or decoded, within the bytes given, and the same whether the CRC is checked or not.

use rocketmq_codec::message::decode_record;

/// Decodes them as a message record. Panics where that goes wrong.
pub fn record(bytes: &[u8]) {
    let unchecked = decode_record(bytes, false);
    if let Ok((record, size)) = decode_record(bytes, true) {
        assert!(size <= bytes.len());
        assert_eq!(record.total_size, size);
        assert!(unchecked.is_ok_and(|(same, _)| same.body == record.body));
    }
}

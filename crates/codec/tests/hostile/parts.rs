//! Compressed bodies, ids and properties from strangers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;
use rocketmq_codec::compression::{CompressionType, compress, decompress};
use rocketmq_codec::message::message_id::{MessageIdError, UniqueId, UniqueIdGenerator, decode_offset_id};
use rocketmq_codec::message::properties;

#[test]
fn a_compressed_body_with_a_flipped_bit_inflates_to_a_bounded_body_or_fails() {
    let plain = "some text, some more text, and some more".repeat(20);
    for kind in [CompressionType::Lz4, CompressionType::Zstd, CompressionType::Zlib] {
        let deflated = compress(kind, 5, plain.as_bytes()).unwrap();
        for bit in 0..deflated.len() * 8 {
            let mut flipped = deflated.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            if let Ok(inflated) = decompress(kind, &flipped, 10_000) {
                assert!(inflated.len() <= 10_000);
                assert!(kind != CompressionType::Zlib || inflated == plain.as_bytes());
            }
        }
    }
}

#[test]
fn unique_ids_say_who_made_them_and_do_not_repeat() {
    // 2023-11-14T22:13:20Z, and the first and last milliseconds of a leap February.
    for (now_ms, elapsed_ms) in [
        (1_700_000_000_000, 1_203_200_000),
        (1_706_745_600_000, 0),
        (1_709_251_199_999, 29 * 86_400_000_u32 - 1),
        (1_709_251_200_000, 0),
        (0, 0),
    ] {
        for ip in [IpAddr::V4(Ipv4Addr::new(10, 1, 2, 3)), IpAddr::V6(Ipv6Addr::LOCALHOST)] {
            let generator = UniqueIdGenerator::new(ip, 0x1_0042, -7);
            let (first, second) = (generator.next(now_ms), generator.next(now_ms));
            assert_ne!(first.as_str(), second.as_str());
            let expected = UniqueId { ip, pid: 0x42, loader: -7, elapsed_ms, counter: 1 };
            assert_eq!(UniqueId::decode(&second), Ok(expected));
        }
    }
    for text in [
        "",
        "C0A8",
        "C0A8010A00002A9F000000123456789",
        "C0A8010A00002A9F00000012345678GG",
        "é0A8010A00002A9F00000012345678G",
    ] {
        assert!(matches!(decode_offset_id(text), Err(MessageIdError { .. })), "{text}");
        UniqueId::decode(text).unwrap_err();
    }
}

#[test]
fn properties_can_be_replaced_and_taken_away() {
    let mut text = "a\u{1}1\u{2}b\u{1}2\u{2}a\u{1}3".to_owned();
    properties::append(&mut text, "c", "4");
    assert_eq!(text, "a\u{1}1\u{2}b\u{1}2\u{2}a\u{1}3\u{2}c\u{1}4\u{2}");
    properties::set(&mut text, "b", "5");
    assert_eq!(properties::iter(&text).collect::<Vec<_>>(), [("a", "1"), ("a", "3"), ("c", "4"), ("b", "5")]);
    assert!(properties::remove(&mut text, "a"));
    assert!(!properties::remove(&mut text, "a"));
    assert_eq!(text, "c\u{1}4\u{2}b\u{1}5\u{2}");
}

proptest! {
    #[test]
    fn any_bytes_inflate_within_the_limit_or_fail(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for kind in [CompressionType::Lz4, CompressionType::Zstd, CompressionType::Zlib] {
            if let Ok(inflated) = decompress(kind, &bytes, 1000) {
                prop_assert!(inflated.len() <= 1000);
            }
        }
    }

    #[test]
    fn compressed_bodies_survive_the_round_trip(pattern in prop::collection::vec(any::<u8>(), 0..300), times in 1_usize..400) {
        let plain = pattern.repeat(times);
        for kind in [CompressionType::Lz4, CompressionType::Zstd, CompressionType::Zlib] {
            let deflated = compress(kind, 5, &plain).unwrap();
            prop_assert_eq!(&decompress(kind, &deflated, plain.len()).unwrap(), &plain);
        }
    }
}

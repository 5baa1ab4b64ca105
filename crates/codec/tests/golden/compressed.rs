use rocketmq_codec::compression::{CompressionError, CompressionType, compress, decompress, from_sys_flag};

use crate::bytes;

const FILE: &str = include_str!("../../../testkit/golden/records.txt");
const KINDS: [(&str, CompressionType); 3] =
    [("lz4", CompressionType::Lz4), ("zstd", CompressionType::Zstd), ("zlib", CompressionType::Zlib)];

fn plain(name: &str) -> Vec<u8> {
    match name {
        "repetitive" => "RocketMQ message body. ".repeat(100).into_bytes(),
        "random_300" => bytes(FILE, "inflated_random_300"),
        _ => Vec::new(),
    }
}

#[test]
fn what_java_compresses_is_inflated() {
    for (suffix, kind) in KINDS {
        for name in ["repetitive", "random_300", "empty"] {
            let deflated = bytes(FILE, &format!("deflated_{suffix}_{name}"));
            assert_eq!(decompress(kind, &deflated, 4096).unwrap(), plain(name), "{suffix} {name}");
            let exact = plain(name).len();
            assert_eq!(decompress(kind, &deflated, exact).unwrap(), plain(name), "{suffix} {name}");
        }
    }
}

#[test]
fn inflating_stops_at_the_limit() {
    for (suffix, kind) in KINDS {
        for name in ["repetitive", "random_300"] {
            let deflated = bytes(FILE, &format!("deflated_{suffix}_{name}"));
            for max in [0, 1, plain(name).len() / 2, plain(name).len() - 1] {
                assert_eq!(
                    decompress(kind, &deflated, max),
                    Err(CompressionError::TooLarge { max }),
                    "{suffix} {name}"
                );
            }
        }
        let bomb = compress(kind, 9, &vec![0; 8 << 20]).unwrap();
        assert_eq!(decompress(kind, &bomb, 1 << 20), Err(CompressionError::TooLarge { max: 1 << 20 }));
        assert_eq!(decompress(kind, &bomb, 8 << 20).unwrap(), vec![0; 8 << 20]);
    }
}

#[test]
fn cut_data_is_an_error_and_not_a_shorter_body() {
    for (suffix, kind) in KINDS {
        for name in ["repetitive", "random_300", "empty"] {
            let deflated = bytes(FILE, &format!("deflated_{suffix}_{name}"));
            for length in 0..deflated.len() {
                decompress(kind, &deflated[..length], 4096).unwrap_err();
            }
        }
    }
}

#[test]
fn what_is_compressed_here_is_inflated_here_at_every_level() {
    for (_, kind) in KINDS {
        for level in [-1, 0, 1, 5, 9, 22, 100] {
            for name in ["repetitive", "random_300", "empty"] {
                let deflated = compress(kind, level, &plain(name)).unwrap();
                assert_eq!(decompress(kind, &deflated, 4096).unwrap(), plain(name));
            }
        }
    }
}

#[test]
fn the_sys_flag_tells_the_compression() {
    assert_eq!(from_sys_flag(0x300), Ok(None));
    assert_eq!(from_sys_flag(0x1), Ok(Some(CompressionType::Zlib)));
    for (_, kind) in KINDS {
        assert_eq!(from_sys_flag(0x1 | kind.sys_flag()), Ok(Some(kind)));
    }
    assert_eq!(from_sys_flag(0x701), Err(CompressionError::UnknownType(7)));
}

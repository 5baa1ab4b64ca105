//! LZ4 frames (`Lz4Compressor.java`).

use std::io::{Read, Write};

use lz4_flex::frame::{FrameDecoder, FrameEncoder};

use super::{CompressionError, CompressionType};

pub(super) fn compress(data: &[u8]) -> Result<Vec<u8>, CompressionError> {
    let mut encoder = FrameEncoder::new(Vec::with_capacity(data.len() / 2 + 64));
    let failed = |what: String| CompressionError::Compress { kind: CompressionType::Lz4, what };
    encoder.write_all(data).map_err(|error| failed(error.to_string()))?;
    encoder.finish().map_err(|error| failed(error.to_string()))
}

pub(super) fn decompress(data: &[u8], max_bytes: usize, out: &mut Vec<u8>) -> Result<(), CompressionError> {
    let mut decoder = FrameDecoder::new(data).take(max_bytes as u64 + 1);
    match decoder.read_to_end(out) {
        Ok(length) if length > max_bytes => Err(CompressionError::TooLarge { max: max_bytes }),
        Ok(_) => Ok(()),
        Err(error) => Err(CompressionError::Malformed { kind: CompressionType::Lz4, what: error.to_string() }),
    }
}

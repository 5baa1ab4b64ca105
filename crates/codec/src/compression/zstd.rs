//! Zstandard (`ZstdCompressor.java`).

use std::cell::RefCell;

use zstd::zstd_safe::{self, DCtx};

use super::{CompressionError, CompressionType, next_room};

/// `ZSTD_error_dstSize_tooSmall`: error codes are small negative numbers in a `size_t`.
const DESTINATION_TOO_SMALL: usize = 0_usize.wrapping_sub(70);

thread_local! {
    /// Decoding state is over a hundred kilobytes; one per thread serves all bodies.
    static CONTEXT: RefCell<DCtx<'static>> = RefCell::new(DCtx::create());
}

pub(super) fn compress(data: &[u8], level: i32) -> Result<Vec<u8>, CompressionError> {
    let mut out = Vec::with_capacity(zstd_safe::compress_bound(data.len()));
    zstd_safe::compress(&mut out, data, level.clamp(1, 22)).map_err(|code| CompressionError::Compress {
        kind: CompressionType::Zstd,
        what: zstd_safe::get_error_name(code).to_owned(),
    })?;
    Ok(out)
}

/// Decodes in one call into as much room as seems enough, and again into more when it was not. Other than the streaming decoder this
/// needs no window buffer, whose size the data would dictate.
pub(super) fn decompress(data: &[u8], max_bytes: usize, out: &mut Vec<u8>) -> Result<(), CompressionError> {
    let declared = match zstd_safe::get_frame_content_size(data) {
        Ok(Some(declared)) if declared > max_bytes as u64 => return Err(CompressionError::TooLarge { max: max_bytes }),
        Ok(declared) => declared.and_then(|declared| usize::try_from(declared).ok()),
        Err(_) => None,
    };
    if data.is_empty() {
        // To the library no bytes are no frames, and fine.
        let what = "it is empty".to_owned();
        return Err(CompressionError::Malformed { kind: CompressionType::Zstd, what });
    }
    let start = out.len();
    let mut room = next_room(0, data.len(), max_bytes);
    if let Some(declared) = declared {
        room = room.min(declared);
    }
    loop {
        out.resize(start + room, 0);
        let target = out.get_mut(start..).unwrap_or_default();
        match CONTEXT.with_borrow_mut(|context| context.decompress(target, data)) {
            Ok(length) if length <= max_bytes => {
                out.truncate(start + length);
                return Ok(());
            }
            Ok(_) => return Err(CompressionError::TooLarge { max: max_bytes }),
            Err(DESTINATION_TOO_SMALL) if room > max_bytes => {
                return Err(CompressionError::TooLarge { max: max_bytes });
            }
            Err(DESTINATION_TOO_SMALL) => room += next_room(room, data.len(), max_bytes),
            Err(code) => {
                let what = zstd_safe::get_error_name(code).to_owned();
                return Err(CompressionError::Malformed { kind: CompressionType::Zstd, what });
            }
        }
    }
}

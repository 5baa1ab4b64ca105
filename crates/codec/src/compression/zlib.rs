//! Deflate with the zlib wrapper (`ZlibCompressor.java`).

use std::cell::RefCell;

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use super::{CompressionError, CompressionType, next_room};

thread_local! {
    /// Inflating state is tens of kilobytes; one per thread serves all bodies.
    static INFLATE: RefCell<Decompress> = RefCell::new(Decompress::new(true));
    /// Deflating state is hundreds of kilobytes, dearer to map and clear than a small body is to compress; kept with its level.
    static DEFLATE: RefCell<Option<(u32, Compress)>> = const { RefCell::new(None) };
}

fn malformed(what: impl ToString) -> CompressionError {
    CompressionError::Malformed { kind: CompressionType::Zlib, what: what.to_string() }
}

pub(super) fn compress(data: &[u8], level: i32) -> Result<Vec<u8>, CompressionError> {
    let level = level.clamp(0, 9).unsigned_abs();
    DEFLATE.with_borrow_mut(|kept| {
        let (kept_level, state) = kept.get_or_insert_with(|| (level, Compress::new(Compression::new(level), true)));
        if *kept_level == level {
            state.reset();
        } else {
            (*kept_level, *state) = (level, Compress::new(Compression::new(level), true));
        }
        deflate(state, data)
    })
}

fn deflate(state: &mut Compress, data: &[u8]) -> Result<Vec<u8>, CompressionError> {
    let failed = |what: String| CompressionError::Compress { kind: CompressionType::Zlib, what };
    let mut out = Vec::with_capacity(data.len() / 2 + 64);
    loop {
        let consumed = usize::try_from(state.total_in()).unwrap_or(usize::MAX);
        let rest = data.get(consumed..).unwrap_or_default();
        let status =
            state.compress_vec(rest, &mut out, FlushCompress::Finish).map_err(|error| failed(error.to_string()))?;
        if status == Status::StreamEnd {
            return Ok(out);
        }
        out.reserve(out.len().max(64));
    }
}

pub(super) fn decompress(data: &[u8], max_bytes: usize, out: &mut Vec<u8>) -> Result<(), CompressionError> {
    let start = out.len();
    INFLATE.with_borrow_mut(|state| {
        state.reset(true);
        loop {
            let done = out.len() - start;
            if done > max_bytes {
                return Err(CompressionError::TooLarge { max: max_bytes });
            }
            if out.capacity() == out.len() {
                out.reserve(next_room(done, data.len(), max_bytes));
            }
            let consumed = usize::try_from(state.total_in()).unwrap_or(usize::MAX);
            let rest = data.get(consumed..).unwrap_or_default();
            let status = state.decompress_vec(rest, out, FlushDecompress::Finish).map_err(malformed)?;
            let produced = out.len() - start > done;
            match status {
                Status::StreamEnd if out.len() - start > max_bytes => {
                    return Err(CompressionError::TooLarge { max: max_bytes });
                }
                Status::StreamEnd => return Ok(()),
                _ if !produced && out.capacity() > out.len() => return Err(malformed("it ends early")),
                _ => {}
            }
        }
    })
}

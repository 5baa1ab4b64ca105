//! LZ4 frames (`Lz4Compressor.java`).
//!
//! Frames are taken apart here and only their blocks left to the library: its own frame reader allocates two buffers of the block size
//! that the frame declares, 4 MiB each for everything Java writes, however short the message.

use std::io::Write;

use lz4_flex::block::{DecompressError, decompress_into_with_dict};
use lz4_flex::frame::FrameEncoder;
use twox_hash::XxHash32;

use super::{CompressionError, CompressionType, next_room};
use crate::bytes::Reader;

const MAGIC: u32 = 0x184D_2204;
const SKIPPABLE_MAGIC: u32 = 0x184D_2A50;
/// How far back a block may refer into the ones before.
const WINDOW_BYTES: usize = 65_536;

fn malformed(what: impl ToString) -> CompressionError {
    CompressionError::Malformed { kind: CompressionType::Lz4, what: what.to_string() }
}

fn cut() -> CompressionError {
    malformed("it ends early")
}

pub(super) fn compress(data: &[u8]) -> Result<Vec<u8>, CompressionError> {
    let failed = |what: String| CompressionError::Compress { kind: CompressionType::Lz4, what };
    let mut encoder = FrameEncoder::new(Vec::with_capacity(data.len() / 2 + 64));
    encoder.write_all(data).map_err(|error| failed(error.to_string()))?;
    encoder.finish().map_err(|error| failed(error.to_string()))
}

/// Inflates one frame or several behind each other; skippable frames are skipped.
pub(super) fn decompress(data: &[u8], max_bytes: usize, out: &mut Vec<u8>) -> Result<(), CompressionError> {
    let mut reader = Reader::new(data);
    let limit = out.len().saturating_add(max_bytes);
    loop {
        match read_u32(&mut reader)? {
            MAGIC => decode_frame(&mut reader, max_bytes, limit, out)?,
            magic if magic & !0xF == SKIPPABLE_MAGIC => {
                let length = read_u32(&mut reader)? as usize;
                reader.bytes(length).ok_or_else(cut)?;
            }
            magic => return Err(malformed(format_args!("bad magic {magic:#010x}"))),
        }
        if reader.remaining() == 0 {
            return Ok(());
        }
    }
}

fn read_u32(reader: &mut Reader<'_>) -> Result<u32, CompressionError> {
    reader.array().map(u32::from_le_bytes).ok_or_else(cut)
}

/// What a frame's descriptor says.
struct Descriptor {
    linked_blocks: bool,
    block_checksums: bool,
    content_checksum: bool,
    content_bytes: Option<u64>,
    max_block_bytes: usize,
}

fn read_descriptor(reader: &mut Reader<'_>) -> Result<Descriptor, CompressionError> {
    let mut ahead = reader.clone();
    let [flags, block] = ahead.array().ok_or_else(cut)?;
    if flags & 0xC2 != 0x40 || block & 0x8F != 0 {
        return Err(malformed("unknown version or reserved bits"));
    }
    if flags & 0x01 != 0 {
        return Err(malformed("it needs a dictionary"));
    }
    let max_block_bytes = match block >> 4 {
        size @ 4..=7 => 1 << (2 * size + 8),
        _ => return Err(malformed("unknown block size")),
    };
    let has_content_bytes = flags & 0x08 != 0;
    let described = reader.bytes(if has_content_bytes { 10 } else { 2 }).ok_or_else(cut)?;
    let [_, checksum, ..] = XxHash32::oneshot(0, described).to_le_bytes();
    if reader.u8().ok_or_else(cut)? != checksum {
        return Err(malformed("bad header checksum"));
    }
    let content_bytes = described.get(2..).and_then(|bytes| bytes.first_chunk()).copied().map(u64::from_le_bytes);
    Ok(Descriptor {
        linked_blocks: flags & 0x20 == 0,
        block_checksums: flags & 0x10 != 0,
        content_checksum: flags & 0x04 != 0,
        content_bytes,
        max_block_bytes,
    })
}

fn decode_frame(
    reader: &mut Reader<'_>,
    max_bytes: usize,
    limit: usize,
    out: &mut Vec<u8>,
) -> Result<(), CompressionError> {
    let frame = read_descriptor(reader)?;
    let frame_start = out.len();
    loop {
        let mark = read_u32(reader)?;
        if mark == 0 {
            break;
        }
        let block = reader.bytes((mark & 0x7FFF_FFFF) as usize).ok_or_else(cut)?;
        if block.len() > frame.max_block_bytes {
            return Err(malformed("block is too large"));
        }
        if frame.block_checksums && read_u32(reader)? != XxHash32::oneshot(0, block) {
            return Err(malformed("bad block checksum"));
        }
        if mark >> 31 == 1 {
            out.extend_from_slice(block);
        } else {
            let history =
                if frame.linked_blocks { frame_start.max(out.len().saturating_sub(WINDOW_BYTES)) } else { out.len() };
            let room_limit = frame.max_block_bytes.min(limit.saturating_sub(out.len()).saturating_add(1));
            let whole = inflate_block(block, history, room_limit, out)?;
            if !whole && out.len() <= limit {
                return Err(malformed("block inflates to more than the frame declares"));
            }
        }
        if out.len() > limit {
            return Err(CompressionError::TooLarge { max: max_bytes });
        }
    }
    let content = out.get(frame_start..).unwrap_or_default();
    if frame.content_bytes.is_some_and(|bytes| bytes != content.len() as u64) {
        return Err(malformed("content is not as long as declared"));
    }
    if frame.content_checksum && read_u32(reader)? != XxHash32::oneshot(0, content) {
        return Err(malformed("bad content checksum"));
    }
    Ok(())
}

/// Appends an inflated block, at most `room_limit` bytes; whether that was enough.
fn inflate_block(block: &[u8], history: usize, room_limit: usize, out: &mut Vec<u8>) -> Result<bool, CompressionError> {
    let start = out.len();
    let mut room = next_room(0, block.len(), room_limit).min(room_limit);
    loop {
        out.resize(start + room, 0);
        let (before, target) = out.split_at_mut(start);
        let dictionary = before.get(history..).unwrap_or_default();
        match decompress_into_with_dict(block, target, dictionary) {
            Ok(length) => {
                out.truncate(start + length);
                return Ok(true);
            }
            Err(DecompressError::OutputTooSmall { .. }) if room < room_limit => room = (room * 2).min(room_limit),
            Err(DecompressError::OutputTooSmall { .. }) => return Ok(false),
            Err(error) => return Err(malformed(error)),
        }
    }
}

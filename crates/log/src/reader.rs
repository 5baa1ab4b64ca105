//! Reads the published bytes of a log, one file at a time.

use std::sync::Arc;

use crate::segment::Segment;
use crate::{LogError, SegmentedLog};

/// Keeps the file it read last, so that reads close to each other do not search for it again.
#[derive(Debug)]
pub struct Reader<'l> {
    log: &'l SegmentedLog,
    end: u64,
    current: Option<Arc<Segment>>,
    scratch: Vec<u8>,
}

impl<'l> Reader<'l> {
    pub(crate) fn new(log: &'l SegmentedLog) -> Self {
        Self { log, end: log.end(), current: None, scratch: Vec::new() }
    }

    /// End of what this reader may see: what was published when it was made.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// Start of the file after the one that holds `offset`.
    pub fn next_segment(&self, offset: u64) -> u64 {
        let segment_bytes = self.log.segment_bytes();
        offset - offset % segment_bytes + segment_bytes
    }

    /// Tells the processor that `len` bytes at `offset` will be read soon; a hint, without effect in another file than that
    /// of the last read.
    pub fn prefetch(&self, offset: u64, len: usize) {
        if let Some(segment) = &self.current
            && let Some(in_segment) = offset.checked_sub(segment.base())
        {
            segment.prefetch(in_segment, len);
        }
    }

    /// Runs `read` on `len` bytes at `offset`. `None` if they are not all published, in one file, and still there.
    pub fn with_bytes<R>(
        &mut self,
        offset: u64,
        len: usize,
        read: impl FnOnce(&[u8]) -> R,
    ) -> Result<Option<R>, LogError> {
        if offset.checked_add(len as u64).is_none_or(|end| end > self.end) {
            return Ok(None);
        }
        if self.log.write_out_before(offset + len as u64).is_err() {
            self.scratch.resize(len, 0);
            if self.log.copy_unwritten(offset, &mut self.scratch)? {
                return Ok(Some(read(&self.scratch)));
            }
        }
        let segment_bytes = self.log.segment_bytes();
        let is_current = |segment: &Arc<Segment>| segment.base() <= offset && offset - segment.base() < segment_bytes;
        if !self.current.as_ref().is_some_and(is_current) {
            self.current = self.log.segment_at(offset);
        }
        let Some(segment) = &self.current else { return Ok(None) };
        let in_segment = offset - segment.base();
        if in_segment + len as u64 > segment_bytes {
            return Ok(None);
        }
        // SAFETY: the range is published, so no writer touches it any more.
        unsafe { segment.with_bytes(in_segment, len, &mut self.scratch, read) }.map(Some)
    }
}

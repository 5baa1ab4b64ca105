//! Appended bytes on their way to the file. Where each append is synced, those that share a sync are written by one call:
//! a `pwrite` for each costs more than all else that a put does (measured: 1.0 us of 1.3).
//!
//! A reader that wants bytes which are still here has them written first ([`Gathered::write_out_before`]), so nobody can tell
//! the difference, unless the process is killed before: what is here then is lost. Bytes that cannot be written stay here, are
//! read from here, and are tried again; until that succeeds nothing more is taken.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::LogError;
use crate::segment::Segment;

/// So much is written at once, by who puts the last of it: the call costs little then, and the flush finds less to write. What
/// is as long by itself is not gathered at all.
const GROUP_BYTES: usize = 4 * 1024;

/// What is between the writer of a log and its files.
#[derive(Debug)]
pub(crate) struct Gathered {
    /// Everything that was appended below this is in the files.
    written: AtomicU64,
    group: Mutex<Group>,
    /// Held while a group is written, so that they come in order; what the next one is gathered in.
    writing: Mutex<Vec<u8>>,
    /// The group could not be written the last time.
    failed: AtomicBool,
}

/// Bytes that lie one behind the other in one file.
#[derive(Debug, Default)]
struct Group {
    segment: Option<Arc<Segment>>,
    start: u64,
    bytes: Vec<u8>,
}

impl Default for Gathered {
    fn default() -> Self {
        Self {
            written: AtomicU64::new(u64::MAX),
            group: Mutex::default(),
            writing: Mutex::default(),
            failed: AtomicBool::new(false),
        }
    }
}

impl Gathered {
    /// Takes bytes for `offset` of the log, which lies in `segment`; none of them on failure. For the one writer.
    pub(crate) fn push(&self, segment: &Arc<Segment>, offset: u64, bytes: &[u8]) -> Result<(), LogError> {
        if bytes.len() >= GROUP_BYTES {
            return self.write_through(segment, offset, bytes);
        }
        if self.failed.load(Ordering::Acquire) {
            self.write_out()?;
        }
        let mut group = self.group.lock();
        if !group.goes_on_at(segment, offset) {
            drop(group);
            self.write_out()?;
            group = self.group.lock();
            group.segment = Some(Arc::clone(segment));
            group.start = offset;
            self.written.store(offset, Ordering::Release);
        }
        group.bytes.extend_from_slice(bytes);
        let is_full = group.bytes.len() >= GROUP_BYTES;
        drop(group);
        if is_full { self.write_out() } else { Ok(()) }
    }

    /// Writes bytes at once, behind what is gathered. For the one writer.
    pub(crate) fn write_through(&self, segment: &Segment, offset: u64, bytes: &[u8]) -> Result<(), LogError> {
        self.write_out()?;
        segment.write(bytes, offset - segment.base())?;
        self.written.fetch_max(offset + bytes.len() as u64, Ordering::AcqRel);
        Ok(())
    }

    /// Sees to it that everything appended below `end` can be read from the files.
    pub(crate) fn write_out_before(&self, end: u64) -> Result<(), LogError> {
        if end <= self.written.load(Ordering::Acquire) { Ok(()) } else { self.write_out() }
    }

    /// Writes what is gathered.
    pub(crate) fn write_out(&self) -> Result<(), LogError> {
        let mut bytes = self.writing.lock();
        let Some((segment, start)) = self.group.lock().take(&mut bytes) else { return Ok(()) };
        let outcome = segment.write(&bytes, start - segment.base());
        match outcome {
            Ok(()) => self.written.store(start + bytes.len() as u64, Ordering::Release),
            Err(_) => self.group.lock().put_back(&segment, start, &mut bytes),
        }
        self.failed.store(outcome.is_err(), Ordering::Release);
        bytes.clear();
        outcome
    }

    /// Copies what lies at `offset`, if it is all here.
    pub(crate) fn read(&self, offset: u64, buffer: &mut [u8]) -> bool {
        let group = self.group.lock();
        let from = offset.checked_sub(group.start).and_then(|from| usize::try_from(from).ok());
        let found = from.and_then(|from| group.bytes.get(from..)?.get(..buffer.len()));
        found.map(|found| buffer.copy_from_slice(found)).is_some()
    }

    /// Lets go of the file.
    pub(crate) fn release(&self) {
        self.group.lock().segment = None;
    }

    /// Forgets what was appended at or behind `end`, whether it is written or not. For the one writer.
    pub(crate) fn cut(&self, end: u64) {
        let _nobody_writes = self.writing.lock();
        let mut group = self.group.lock();
        let kept = usize::try_from(end.saturating_sub(group.start)).unwrap_or(usize::MAX);
        group.bytes.truncate(kept);
        self.written.fetch_min(end, Ordering::AcqRel);
    }
}

impl Group {
    fn goes_on_at(&self, segment: &Arc<Segment>, offset: u64) -> bool {
        self.start + self.bytes.len() as u64 == offset
            && self.segment.as_ref().is_some_and(|own| Arc::ptr_eq(own, segment))
    }

    /// Moves its bytes to `out`, which is empty, and begins behind them. Returns where they belong.
    fn take(&mut self, out: &mut Vec<u8>) -> Option<(Arc<Segment>, u64)> {
        let segment = self.segment.as_ref().filter(|_| !self.bytes.is_empty())?;
        let taken = (Arc::clone(segment), self.start);
        std::mem::swap(&mut self.bytes, out);
        self.start += out.len() as u64;
        Some(taken)
    }

    /// Takes back bytes that `take` gave, before those that came since, which follow them: another group begins only once the
    /// one before is written.
    fn put_back(&mut self, segment: &Arc<Segment>, start: u64, bytes: &mut Vec<u8>) {
        bytes.append(&mut self.bytes);
        std::mem::swap(&mut self.bytes, bytes);
        (self.segment, self.start) = (Some(Arc::clone(segment)), start);
    }
}

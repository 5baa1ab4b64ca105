//! The part of a file that is being appended to: its space on disk is reserved before it is needed, and small writes go
//! through a mapping of it, without a system call for each.
//!
//! A mapping pays while syncs are rare: each makes the written pages read-only again, in the page tables of all cores.
//!
//! A page of a mapped file that has no space on disk ends the process when it is written and the disk is full. In a window
//! whose space is reserved that cannot happen: running out of space is an error of the reservation.

use std::io;

use parking_lot::Mutex;
use rocketmq_env::{File, WriteMap};

/// Length of the first window. The following are twice as long each, so that a log that hardly grows takes little.
const FIRST_WINDOW_BYTES: u64 = 128 * 1024;

/// Length of the longest window: some thousand messages.
const WINDOW_BYTES: u64 = 4 * 1024 * 1024;

/// Longer writes are made by a call, which then costs less than bringing in and clearing the pages.
const MAPPED_WRITE_MAX_BYTES: usize = 1024;

/// The window of one file.
#[derive(Debug, Default)]
pub(crate) struct AppendWindow {
    state: Mutex<State>,
    /// The window behind it, made ahead of the writer.
    next: Mutex<Option<Window>>,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Closed,
    Open(Window),
    /// The file system cannot reserve space.
    Unsupported,
}

#[derive(Debug)]
struct Window {
    start: u64,
    end: u64,
    map: Mapping,
}

#[derive(Debug)]
enum Mapping {
    /// No small write came yet.
    NotNeeded,
    Mapped(WriteMap),
    Unsupported,
}

impl AppendWindow {
    /// Writes `bytes` at `offset` of `file`, which has `file_bytes`, moving the window there if it is elsewhere. Small writes
    /// go through a mapping if `mapped`.
    ///
    /// # Safety
    /// Nobody may read or write the range meanwhile.
    pub(crate) unsafe fn write(
        &self,
        (file, file_bytes): (&dyn File, u64),
        bytes: &[u8],
        offset: u64,
        mapped: bool,
    ) -> io::Result<()> {
        let mut state = self.state.lock();
        let end = offset + bytes.len() as u64;
        match &*state {
            State::Open(window) if window.start <= offset && end <= window.end => {}
            State::Unsupported => {}
            _ => {
                let next = self.next.lock().take().filter(|next| next.start <= offset && end <= next.end);
                *state = match next {
                    Some(next) => State::Open(next),
                    None => {
                        let window = reserve(file, (offset, end), state.next_len(), file_bytes)?;
                        window.map_or(State::Unsupported, State::Open)
                    }
                };
            }
        }
        if let State::Open(window) = &mut *state
            && mapped
            && bytes.len() <= MAPPED_WRITE_MAX_BYTES
            && let Ok(at) = usize::try_from(offset - window.start)
            && let Some(map) = window.map(file)?
        {
            // SAFETY: the caller keeps everybody else away from the range.
            if unsafe { map.write(at, bytes) } {
                return Ok(());
            }
        }
        file.write_all_at(bytes, offset)
    }

    /// Makes the window that will be needed next, so that the writer does not wait for it: the one behind the window that is
    /// open, or one at the start of an untouched file. False if there is none, because the open one reaches the file's end.
    pub(crate) fn prepare_next(&self, file: &dyn File, file_bytes: u64, mapped: bool) -> io::Result<bool> {
        let (start, len) = {
            let state = self.state.lock();
            let start = match &*state {
                State::Closed => 0,
                State::Open(window) if window.end >= file_bytes => return Ok(false),
                // They overlap, so that a write across the border lies in one.
                State::Open(window) => window.end - WriteMap::ALIGNMENT.min(window.end - window.start),
                State::Unsupported => return Ok(true),
            };
            (start, state.next_len())
        };
        if self.next.lock().as_ref().is_some_and(|next| next.start == start) {
            return Ok(true);
        }
        if let Some(mut window) = reserve(file, (start, start), len, file_bytes)? {
            if mapped {
                window.map(file)?;
            }
            *self.next.lock() = Some(window);
        }
        Ok(true)
    }

    /// What was reserved may not be any more: a hole was made.
    pub(crate) fn close(&self) {
        *self.next.lock() = None;
        let mut state = self.state.lock();
        if matches!(*state, State::Open(_)) {
            *state = State::Closed;
        }
    }
}

impl State {
    fn next_len(&self) -> u64 {
        match self {
            Self::Open(window) => (2 * (window.end - window.start)).clamp(FIRST_WINDOW_BYTES, WINDOW_BYTES),
            _ => FIRST_WINDOW_BYTES,
        }
    }
}

impl Window {
    fn map(&mut self, file: &dyn File) -> io::Result<Option<&WriteMap>> {
        if matches!(self.map, Mapping::NotNeeded) {
            let len = usize::try_from(self.end - self.start).map_err(io::Error::other)?;
            self.map = file.map_for_writing(self.start, len)?.map_or(Mapping::Unsupported, Mapping::Mapped);
        }
        Ok(if let Mapping::Mapped(map) = &self.map { Some(map) } else { None })
    }
}

/// Reserves a window of about `len` bytes that holds `from..to`; `None` where space cannot be reserved.
fn reserve(file: &dyn File, (from, to): (u64, u64), len: u64, file_bytes: u64) -> io::Result<Option<Window>> {
    let start = from - from % WriteMap::ALIGNMENT;
    let mut end = (start + len).max(to).min(file_bytes);
    let reserved = match file.allocate(start, end - start) {
        // Space for this write may be left.
        Err(error) if error.kind() == io::ErrorKind::StorageFull => {
            end = to.min(file_bytes);
            file.allocate(start, end - start)?
        }
        other => other?,
    };
    Ok(reserved.then_some(Window { start, end, map: Mapping::NotNeeded }))
}

//! The part of a file that is being appended to: its space on disk is reserved before it is needed, and small writes go
//! through a mapping of it, without a system call for each.
//!
//! A mapping pays while syncs are rare: each makes the written pages read-only again, in the page tables of all cores. Where
//! each write is synced, zeros are written to the space ahead instead: reserved space that was never written to has no
//! place of its own on disk until the first sync, which then has to commit the file system's journal as well (measured: 165
//! us for the sync of 18 KB, 100 us with the zeros).
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
    /// The window behind it, made ahead of the writer. Locked before `state` where both are.
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
    /// Small writes came, and went through the mapping.
    map_used: bool,
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
        let end = offset + bytes.len() as u64;
        let mut state = self.state.lock();
        if !state.takes(offset, end) {
            drop(state);
            // Nobody but the one writer opens a window, so the state is the same when it is locked again.
            let mut next = self.next.lock();
            state = self.state.lock();
            *state = match next.take().filter(|next| next.start <= offset && end <= next.end) {
                Some(next) => State::Open(next),
                None => {
                    let window = reserve(file, (offset, end), state.next_len(), file_bytes)?;
                    window.map_or(State::Unsupported, State::Open)
                }
            };
        }
        if let State::Open(window) = &mut *state
            && mapped
            && bytes.len() <= MAPPED_WRITE_MAX_BYTES
            && let Ok(at) = usize::try_from(offset - window.start)
            && let Some(map) = window.map(file)?
        {
            // SAFETY: the caller keeps everybody else away from the range.
            if unsafe { map.write(at, bytes) } {
                window.map_used = true;
                return Ok(());
            }
        }
        file.write_all_at(bytes, offset)
    }

    /// Makes the window that will be needed next, so that the writer does not wait for it: the one behind the window that is
    /// open, or one at the start of an untouched file. False if there is none, because the open one reaches the file's end.
    pub(crate) fn prepare_next(&self, file: &dyn File, file_bytes: u64, mapped: bool) -> io::Result<bool> {
        // Held to the end: the writer must not get ahead of the zeros, which would wipe out what it wrote.
        let mut next = self.next.lock();
        let (start, open, len) = {
            let state = self.state.lock();
            match &*state {
                State::Closed => (0, None, state.next_len()),
                State::Open(window) if window.end >= file_bytes => return Ok(false),
                // They overlap, so that a write across the border lies in one.
                State::Open(window) => {
                    let start = window.end - WriteMap::ALIGNMENT.min(window.end - window.start);
                    (start, Some((window.end, window.map_used)), state.next_len())
                }
                State::Unsupported => return Ok(true),
            }
        };
        if next.as_ref().is_some_and(|next| next.start == start) {
            return Ok(true);
        }
        if let Some(mut window) = reserve(file, (start, start), len, file_bytes)? {
            match open {
                // Bringing the pages in costs more than calls do: only where small writes come.
                Some((_, true)) => drop(window.map(file)?),
                Some((untouched, false)) if !mapped => {
                    file.write_zeros(untouched, window.end.saturating_sub(untouched))?;
                    file.sync_data()?;
                }
                // Of a file without an open window nobody knows here what is in it, and what will come.
                _ => {}
            }
            *next = Some(window);
        }
        Ok(true)
    }

    /// What was reserved may not be any more: a hole was made.
    pub(crate) fn close(&self) {
        let mut next = self.next.lock();
        *next = None;
        let mut state = self.state.lock();
        if matches!(*state, State::Open(_)) {
            *state = State::Closed;
        }
    }
}

impl State {
    /// Whether a write to this range needs no other window.
    fn takes(&self, from: u64, to: u64) -> bool {
        match self {
            Self::Open(window) => window.start <= from && to <= window.end,
            Self::Unsupported => true,
            Self::Closed => false,
        }
    }

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
    Ok(reserved.then_some(Window { start, end, map: Mapping::NotNeeded, map_used: false }))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use std::thread;

    use rocketmq_env::Map;

    use super::*;

    const FILE_BYTES: u64 = 1 << 20;

    /// A file in memory. While zeros are written to it others get time to write as well.
    #[derive(Debug)]
    struct Memory {
        bytes: Mutex<Vec<u8>>,
        zeroing: AtomicBool,
        maps_wanted: AtomicUsize,
    }

    impl Memory {
        fn new() -> Self {
            let bytes = Mutex::new(vec![9; FILE_BYTES as usize]);
            Self { bytes, zeroing: AtomicBool::new(false), maps_wanted: AtomicUsize::new(0) }
        }
    }

    impl File for Memory {
        fn read_at(&self, _: &mut [u8], _: u64) -> io::Result<usize> {
            Err(io::ErrorKind::Unsupported.into())
        }

        fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
            if bytes.iter().all(|byte| *byte == 0) {
                self.zeroing.store(true, Ordering::Release);
                (0..1_000).for_each(|_| thread::yield_now());
            }
            self.bytes.lock()[offset as usize..][..bytes.len()].copy_from_slice(bytes);
            Ok(bytes.len())
        }

        fn len(&self) -> io::Result<u64> {
            Ok(FILE_BYTES)
        }

        fn set_len(&self, _: u64) -> io::Result<()> {
            Err(io::ErrorKind::Unsupported.into())
        }

        fn sync_data(&self) -> io::Result<()> {
            Ok(())
        }

        fn sync_all(&self) -> io::Result<()> {
            Ok(())
        }

        fn map(&self) -> io::Result<Option<Map>> {
            Ok(None)
        }

        fn allocate(&self, _: u64, _: u64) -> io::Result<bool> {
            Ok(true)
        }

        fn map_for_writing(&self, _: u64, _: usize) -> io::Result<Option<WriteMap>> {
            self.maps_wanted.fetch_add(1, Ordering::Relaxed);
            Ok(None)
        }
    }

    #[test]
    fn pages_are_only_brought_in_where_small_writes_come() {
        let (file, window) = (Memory::new(), AppendWindow::default());
        let write = |at: u64, len: usize| {
            // SAFETY: nobody else has the file.
            unsafe { window.write((&file, FILE_BYTES), &vec![7; len], at, true) }.unwrap();
        };
        let mut at = 0;
        while at + 10_000 < FILE_BYTES / 2 {
            write(at, 10_000);
            assert!(window.prepare_next(&file, FILE_BYTES, true).unwrap());
            at += 10_000;
        }
        assert_eq!(file.maps_wanted.load(Ordering::Relaxed), 0);
        write(at, 300);
        assert_eq!(file.maps_wanted.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_write_into_the_space_that_is_being_prepared_comes_after_its_zeros() {
        let (file, window) = (Memory::new(), AppendWindow::default());
        let write = |at: u64| {
            // SAFETY: nobody reads the file, and one thread at a time writes to a range.
            unsafe { window.write((&file, FILE_BYTES), &[7; 1_024], at, false) }.unwrap();
        };
        write(0);
        thread::scope(|scope| {
            scope.spawn(|| assert!(window.prepare_next(&file, FILE_BYTES, false).unwrap()));
            while !file.zeroing.load(Ordering::Acquire) {
                thread::yield_now();
            }
            write(FIRST_WINDOW_BYTES);
        });
        let bytes = file.bytes.lock();
        assert!(bytes[..1_024].iter().chain(&bytes[FIRST_WINDOW_BYTES as usize..][..1_024]).all(|byte| *byte == 7));
        assert!(bytes[FIRST_WINDOW_BYTES as usize + 1_024..][..1_024].iter().all(|byte| *byte == 0), "no zeros ahead");
    }
}

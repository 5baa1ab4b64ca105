//! The part of a file that is being appended to: its space on disk is reserved before it is needed, zeros are written to it,
//! and writes go through a mapping of the file, without a system call for each.
//!
//! Zeros are what brings the pages in at the least cost: the kernel takes them in large pieces, where a mapping alone has it
//! read, clear and reserve page by page (measured: 0.05 us instead of 0.27 for the space of a record of 291 bytes).
//!
//! The whole file is mapped once. To map and unmap parts of it as the writer moves on takes the lock of the process's address
//! space each time, and whoever brings pages in meanwhile, the writer among them, stands still until the thread that holds
//! it gets a processor again (measured: a third of the writer's time on a busy machine).
//!
//! A mapping pays while syncs are rare: each makes the written pages read-only again, in the page tables of all cores. Where
//! each write is synced, there is none and the zeros are synced: reserved space that was never written to has no place of
//! its own on disk until the first sync, which then has to commit the file system's journal as well (measured: 165 us for
//! the sync of 18 KB, 100 us with the zeros).
//!
//! A page of a mapped file that has no space on disk ends the process when it is written and the disk is full. In space that is
//! reserved that cannot happen, and the writer stays in it: running out of space is an error of the reservation. (`FaultFs`
//! panics at a write through a mapping to space that is not reserved.)

use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rocketmq_env::{File, WriteMap};

use crate::segment::Segment;

/// So much is reserved first. What follows is as long as all before it, so that a log that hardly grows takes little.
const FIRST_BYTES: u64 = 128 * 1024;

/// So much is reserved at a time at most. To reserve may mean to read from a disk that is busy (what is free, from each part of
/// it), 50 to 100 ms at a time, whatever is asked for.
const RESERVED_BYTES: u64 = 64 * 1024 * 1024;

/// So much is made ready ahead at most of a writer that uses no mapping.
const UNMAPPED_AHEAD_BYTES: u64 = 4 * 1024 * 1024;

/// So far ahead of a writer that uses a mapping all is made ready at most: some 10 ms of the fastest, as long as another thread
/// may have to wait for a processor.
const MAPPED_AHEAD_BYTES: u64 = 16 * 1024 * 1024;

/// So many zeros are written at a time, in some 0.1 ms: nobody who wants the space or the processor waits longer.
const ZEROS_BYTES: u64 = 256 * 1024;

/// Pages behind the writer are given back so many bytes at a time.
const RELEASED_BYTES: u64 = 4 * 1024 * 1024;

/// What the one writer of a log keeps from write to write ([`SegmentedLog::append`](crate::SegmentedLog::append)).
#[derive(Debug, Default)]
pub struct AppendCursor {
    pub(crate) segment: Option<Arc<Segment>>,
    pub(crate) window: OpenWindow,
}

/// Where the writer may write without asking.
#[derive(Debug, Default)]
pub(crate) enum OpenWindow {
    #[default]
    None,
    Some(Window),
    /// The file system cannot reserve space.
    Unsupported,
}

#[derive(Debug)]
pub(crate) struct Window {
    range: Range<u64>,
    map: Option<Arc<WriteMap>>,
}

/// What is ready of one file, shared by its writer and whoever works ahead of it.
#[derive(Debug, Default)]
pub(crate) struct Windows {
    shared: Mutex<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    space: Space,
    map: Mapping,
    /// Pages below are given back.
    released_to: u64,
    /// How often all of this was forgotten.
    resets: u64,
}

/// What is known of the file's space.
#[derive(Debug, Default)]
enum Space {
    /// Nobody writes here as far as is known, or nobody any more.
    #[default]
    Unknown,
    Reserved(Frontier),
    Unsupported,
}

/// How far a file is ready. Behind that nobody has written anything.
#[derive(Debug, Clone, Copy, Default)]
struct Frontier {
    start: u64,
    /// `start..ready_to` is reserved, and its pages are in place if the file is mapped.
    ready_to: u64,
    /// The same with no zeros and pages.
    reserved_to: u64,
}

#[derive(Debug, Default)]
enum Mapping {
    /// Nothing was written yet.
    #[default]
    NotNeeded,
    Mapped(Arc<WriteMap>),
    Unsupported,
}

/// A file of a log, and how its space is to be used.
#[derive(Clone, Copy)]
pub(crate) struct Target<'a> {
    pub(crate) file: &'a dyn File,
    /// Its length.
    pub(crate) file_bytes: u64,
    /// Whether it is written through a mapping.
    pub(crate) mapped: bool,
}

/// What was done ahead of the writer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Prepared {
    /// Some zeros were written; more may be wanted.
    Zeros,
    /// Nothing is left to be done for now.
    Nothing,
    /// What comes next lies in the next file.
    EndOfFile,
}

impl OpenWindow {
    /// Writes `bytes` at `offset`, through the mapping where there is one.
    ///
    /// # Safety
    /// Nobody may read or write the range meanwhile.
    pub(crate) unsafe fn write(
        &mut self,
        windows: &Windows,
        target: Target<'_>,
        bytes: &[u8],
        offset: u64,
    ) -> io::Result<()> {
        let mut offset = offset;
        let mut rest = bytes;
        while !rest.is_empty() {
            let room = self.enter(windows, target, (offset, offset + rest.len() as u64))?;
            // What crosses the end of what is ready goes in parts.
            let (part, behind) = rest.split_at_checked(room).unwrap_or((rest, &[]));
            // SAFETY: the caller keeps everybody else away from the range.
            unsafe { self.write_part(target.file, part, offset) }?;
            offset += part.len() as u64;
            rest = behind;
        }
        Ok(())
    }

    /// Sees to it that `from..to` lies in reserved space; false where none can be.
    pub(crate) fn reserve(
        &mut self,
        windows: &Windows,
        target: Target<'_>,
        (from, to): (u64, u64),
    ) -> io::Result<bool> {
        let mut from = from;
        while from < to {
            let room = self.enter(windows, target, (from, to))?;
            from = from.saturating_add(room as u64);
        }
        Ok(!matches!(self, Self::Unsupported))
    }

    /// Moves on if `from` is not in the window. Returns how many bytes there lie in it.
    fn enter(&mut self, windows: &Windows, target: Target<'_>, (from, to): (u64, u64)) -> io::Result<usize> {
        if self.room_at(from) == 0 {
            *self = Self::None;
            // If somebody is just writing zeros ahead, this waits for them.
            *self = windows.lock().window_at(target, (from, to))?;
        }
        let wanted = usize::try_from(to - from).map_err(io::Error::other)?;
        // A range that goes on behind the file does not fit into any window.
        Ok(Some(self.room_at(from)).filter(|room| *room > 0).unwrap_or(wanted))
    }

    /// # Safety
    /// That of [`write`](OpenWindow::write); the part lies in the window.
    unsafe fn write_part(&mut self, file: &dyn File, part: &[u8], offset: u64) -> io::Result<()> {
        if let Self::Some(Window { map: Some(map), .. }) = self
            && let Ok(at) = usize::try_from(offset)
            // SAFETY: that of this function.
            && unsafe { map.write(at, part) }
        {
            return Ok(());
        }
        file.write_all_at(part, offset)
    }

    /// How many bytes from `offset` on can be written without moving on.
    fn room_at(&self, offset: u64) -> usize {
        match self {
            Self::Some(Window { range, .. }) if range.contains(&offset) => {
                usize::try_from(range.end - offset).unwrap_or(usize::MAX)
            }
            Self::Some(_) | Self::None => 0,
            Self::Unsupported => usize::MAX,
        }
    }
}

impl Windows {
    /// Those of a file that was just made.
    pub(crate) fn untouched() -> Self {
        Self { shared: Mutex::new(Shared { space: Space::Reserved(Frontier::default()), ..Shared::default() }) }
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a part ready of what will be needed next, so that the writer, who has written up to `written_to`, does not wait for
    /// it: as far ahead as the writer has come, or `at_least`, within limits. A writer that comes before it goes on by itself,
    /// at its own cost.
    pub(crate) fn prepare_next(&self, target: Target<'_>, written_to: u64, at_least: u64) -> io::Result<Prepared> {
        self.release_behind(written_to);
        // Held to the end: the writer must not get ahead of the zeros, which would wipe out what it wrote.
        let mut shared = self.lock();
        let Space::Reserved(frontier) = shared.space else { return Ok(Prepared::Nothing) };
        if frontier.ready_to >= target.file_bytes {
            return Ok(Prepared::EndOfFile);
        }
        let most = if target.mapped { MAPPED_AHEAD_BYTES } else { UNMAPPED_AHEAD_BYTES };
        let ahead = written_to.saturating_sub(frontier.start).max(at_least).clamp(FIRST_BYTES, most);
        if frontier.ready_to >= written_to + ahead {
            return Ok(Prepared::Nothing);
        }
        let went_on = shared.go_on(target, frontier, frontier.ready_to, true)?;
        Ok(if went_on { Prepared::Zeros } else { Prepared::Nothing })
    }

    /// Reserves all space, holding up nobody who is at what is reserved already.
    pub(crate) fn reserve_all(&self, target: Target<'_>) -> io::Result<()> {
        let (from, resets) = {
            let shared = self.lock();
            let Space::Reserved(frontier) = shared.space else { return Ok(()) };
            (frontier.reserved_to, shared.resets)
        };
        let to = target.file_bytes;
        // Where space cannot be reserved the writer finds that out as well.
        if from >= to || !target.file.allocate(from, to - from)? {
            return Ok(());
        }
        let mut shared = self.lock();
        let is_as_it_was = shared.resets == resets;
        if let Space::Reserved(frontier) = &mut shared.space
            && is_as_it_was
        {
            frontier.reserved_to = to;
        }
        Ok(())
    }

    /// Gives the pages of the mapping back that the writer has left: a sync need not look at them any more.
    fn release_behind(&self, written_to: u64) {
        let mut shared = self.lock();
        let Mapping::Mapped(map) = &shared.map else { return };
        let (from, to) = (shared.released_to, written_to - written_to % WriteMap::ALIGNMENT);
        if to < from + RELEASED_BYTES {
            return;
        }
        let map = Arc::clone(map);
        shared.released_to = to;
        drop(shared);
        map.release(from..to);
    }

    /// Forgets everything, as the writer has left the file.
    pub(crate) fn close(&self) {
        self.lock().forget();
    }

    /// Forgets everything and makes a hole, so that what was reserved may not be any more. The writer has to have left its
    /// window, and nobody makes a new one meanwhile.
    pub(crate) fn zero(&self, file: &dyn File, offset: u64, len: u64) -> io::Result<()> {
        let mut shared = self.lock();
        shared.forget();
        file.zero_range(offset, len)
    }
}

impl Shared {
    fn forget(&mut self) {
        *self = Self { resets: self.resets + 1, ..Self::default() };
    }

    /// The window for a write to this range, or for its first part.
    fn window_at(&mut self, target: Target<'_>, (from, to): (u64, u64)) -> io::Result<OpenWindow> {
        let frontier = match self.space {
            Space::Unsupported => return Ok(OpenWindow::Unsupported),
            Space::Reserved(frontier) if (frontier.start..=frontier.ready_to).contains(&from) => Some(frontier),
            Space::Reserved(_) | Space::Unknown => None,
        };
        let is_ready = frontier.is_some_and(|frontier| from < frontier.ready_to);
        if !is_ready {
            // Where nobody knows what is in the file there are no zeros to write. Where each write is synced the writer does
            // without them, as they had to be synced as well.
            let zeros = frontier.is_some() && target.mapped;
            let start = from - from % WriteMap::ALIGNMENT;
            let frontier = frontier.unwrap_or(Frontier { start, ready_to: start, reserved_to: start });
            if !self.go_on(target, frontier, to, zeros)? {
                return Ok(OpenWindow::Unsupported);
            }
        }
        let Space::Reserved(Frontier { start, ready_to, .. }) = self.space else { return Ok(OpenWindow::None) };
        let map = if let Mapping::Mapped(map) = &self.map { Some(Arc::clone(map)) } else { None };
        Ok(OpenWindow::Some(Window { range: start..ready_to, map }))
    }

    /// Makes more ready behind `frontier`, as much as goes at a time, for a write that ends at `to`; false where no space can be
    /// reserved.
    fn go_on(&mut self, target: Target<'_>, frontier: Frontier, to: u64, zeros: bool) -> io::Result<bool> {
        let Target { file, file_bytes, mapped } = target;
        let Some(mut frontier) = frontier.reserved(file, file_bytes, to)? else {
            self.space = Space::Unsupported;
            return Ok(false);
        };
        // Syncs that come in between would each write some of the zeros and commit the journal for that.
        let step = if zeros && mapped { ZEROS_BYTES } else { UNMAPPED_AHEAD_BYTES };
        let end = frontier.reserved_to.min(frontier.ready_to.saturating_add(step));
        if zeros {
            file.write_zeros(frontier.ready_to, end - frontier.ready_to)?;
        }
        if mapped {
            self.bring_in(file, frontier.ready_to - frontier.ready_to % WriteMap::ALIGNMENT..end)?;
        }
        // Not before all of it succeeded: the next who goes on writes zeros behind `ready_to`.
        frontier.ready_to = end;
        self.space = Space::Reserved(frontier);
        Ok(true)
    }

    fn bring_in(&mut self, file: &dyn File, range: Range<u64>) -> io::Result<()> {
        if matches!(self.map, Mapping::NotNeeded) {
            let map = file.map_for_writing()?;
            self.map = map.map_or(Mapping::Unsupported, |map| Mapping::Mapped(Arc::new(map)));
            self.released_to = range.start;
        }
        if let Mapping::Mapped(map) = &self.map
            && !map.bring_in(range)?
        {
            self.map = Mapping::Unsupported;
        }
        Ok(())
    }
}

impl Frontier {
    /// With more space reserved if all of it is ready, for a write that ends at `to`; `None` where space cannot be reserved.
    fn reserved(self, file: &dyn File, file_bytes: u64, to: u64) -> io::Result<Option<Self>> {
        if self.ready_to < self.reserved_to {
            return Ok(Some(self));
        }
        let from = self.ready_to;
        let len = (from - self.start).clamp(FIRST_BYTES, RESERVED_BYTES);
        let mut end = (from + len).max(to).min(file_bytes);
        let reserved = match file.allocate(from, end - from) {
            // Space for this write may be left.
            Err(error) if error.kind() == io::ErrorKind::StorageFull && to > from => {
                end = to.min(file_bytes);
                file.allocate(from, end - from)?
            }
            other => other?,
        };
        Ok(reserved.then_some(Self { reserved_to: end, ..self }))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;

    use parking_lot::Mutex;
    use rocketmq_env::Map;

    use super::*;

    const FILE_BYTES: u64 = 1 << 20;

    /// A file in memory. While zeros are written to it others get time to write as well.
    #[derive(Debug)]
    struct Memory {
        bytes: Mutex<Vec<u8>>,
        zeroing: AtomicBool,
    }

    impl Memory {
        fn new() -> Self {
            let bytes = Mutex::new(vec![9; FILE_BYTES as usize]);
            Self { bytes, zeroing: AtomicBool::new(false) }
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
    }

    /// A file whose writer writes sevens.
    struct Written {
        file: Memory,
        windows: Windows,
        window: OpenWindow,
        mapped: bool,
    }

    impl Written {
        fn new(windows: Windows, mapped: bool) -> Self {
            Self { file: Memory::new(), windows, window: OpenWindow::None, mapped }
        }

        fn target(&self) -> Target<'_> {
            Target { file: &self.file, file_bytes: FILE_BYTES, mapped: self.mapped }
        }

        fn write(&mut self, at: u64, len: u64) {
            let target = Target { file: &self.file, file_bytes: FILE_BYTES, mapped: self.mapped };
            // SAFETY: nobody reads the file, and one thread writes to it.
            unsafe { self.window.write(&self.windows, target, &vec![7; len as usize], at) }.unwrap();
        }

        fn prepare(&self, written_to: u64, at_least: u64) -> Prepared {
            self.windows.prepare_next(self.target(), written_to, at_least).unwrap()
        }

        /// Whether each byte of the range is this one.
        fn is(&self, byte: u8, range: Range<u64>) -> bool {
            self.file.bytes.lock()[range.start as usize..range.end as usize].iter().all(|found| *found == byte)
        }
    }

    #[test]
    fn a_file_whose_content_nobody_knows_is_left_alone_until_the_writer_is_there_and_before_its_window() {
        for mapped in [false, true] {
            let mut file = Written::new(Windows::default(), mapped);
            assert_eq!(file.prepare(0, FILE_BYTES), Prepared::Nothing);
            let window = WriteMap::ALIGNMENT..WriteMap::ALIGNMENT + FIRST_BYTES;
            file.write(window.start + 1_024, 1_024);
            assert_eq!(file.prepare(window.start + 2_048, FIRST_BYTES), Prepared::Zeros);
            assert!(file.is(9, 0..window.start + 1_024) && file.is(9, window.start + 2_048..window.end));
            assert!(file.is(7, window.start + 1_024..window.start + 2_048), "mapped {mapped}");
            assert!(file.is(0, window.end..window.end + FIRST_BYTES), "mapped {mapped}");
        }
    }

    #[test]
    fn a_file_that_was_just_made_is_prepared_from_its_start_as_far_ahead_as_is_wanted() {
        for mapped in [false, true] {
            let mut file = Written::new(Windows::untouched(), mapped);
            assert_eq!(file.prepare(0, 0), Prepared::Zeros);
            assert_eq!(file.prepare(0, 0), Prepared::Nothing, "the least is there");
            assert!(file.is(0, 0..FIRST_BYTES) && file.is(9, FIRST_BYTES..FILE_BYTES));
            while file.prepare(0, FILE_BYTES) == Prepared::Zeros {}
            assert_eq!(file.prepare(0, FILE_BYTES), Prepared::EndOfFile);
            assert!(file.is(0, 0..FILE_BYTES));
            file.write(0, FILE_BYTES);
            file.windows.close();
            assert_eq!(file.prepare(0, FILE_BYTES), Prepared::Nothing, "the writer has left it");
            assert!(file.is(7, 0..FILE_BYTES), "mapped {mapped}");
        }
    }

    #[test]
    fn a_writer_that_comes_before_the_zeros_goes_on_by_itself_and_they_follow_behind_it() {
        for mapped in [false, true] {
            let mut file = Written::new(Windows::untouched(), mapped);
            file.write(0, 1_024);
            let len = 2 * FIRST_BYTES + 1_024;
            file.write(1_024, len);
            let end = 1_024 + len;
            assert_eq!(file.prepare(end, FIRST_BYTES), Prepared::Zeros);
            assert!(file.is(7, 0..end), "mapped {mapped}");
            let bytes = file.file.bytes.lock().clone();
            let zeros = bytes.iter().rposition(|byte| *byte == 0).unwrap() as u64;
            assert!(zeros > end + FIRST_BYTES, "mapped {mapped}: {zeros}");
        }
    }

    #[test]
    fn a_write_into_the_space_that_is_being_prepared_comes_after_its_zeros() {
        let mut file = Written::new(Windows::untouched(), false);
        file.write(0, 1_024);
        let (target, windows, window) =
            (Target { file: &file.file, file_bytes: FILE_BYTES, mapped: false }, &file.windows, &mut file.window);
        thread::scope(|scope| {
            let ahead = Target { ..target };
            scope.spawn(move || windows.prepare_next(ahead, 1_024, 0).unwrap());
            while !file.file.zeroing.load(Ordering::Acquire) {
                thread::yield_now();
            }
            // SAFETY: nobody reads the file, and one thread at a time writes to a range.
            unsafe { window.write(windows, target, &[7; 1_024], FIRST_BYTES) }.unwrap();
        });
        assert!(file.is(7, 0..1_024) && file.is(7, FIRST_BYTES..FIRST_BYTES + 1_024));
        assert!(file.is(0, FIRST_BYTES + 1_024..2 * FIRST_BYTES), "no zeros ahead");
    }
}

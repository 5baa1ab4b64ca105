//! The files of one log as one stream of bytes.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::{Mutex, RwLock};
use rocketmq_env::Fs;

use crate::LogError;
use crate::append_window::{AppendCursor, OpenWindow, Prepared};
use crate::gathered::Gathered;
use crate::reader::Reader;
use crate::segment::{Segment, fail};

/// A file is reserved as a whole, long before it is needed, only where there is room for so many.
const FILES_OF_ROOM: u64 = 8;

/// What is longer is written back in parts before it is synced.
const WRITTEN_BACK_BYTES: u64 = 16 * 1024 * 1024;

/// A directory of segments, appended to by one writer at a time and read by many.
///
/// Bytes below [`end`](SegmentedLog::end) are published: they never change, and readers see no others. The writer puts
/// bytes at or above it and then moves it.
#[derive(Debug)]
pub struct SegmentedLog {
    fs: Arc<dyn Fs>,
    directory: PathBuf,
    segment_bytes: u64,
    /// Whether space is reserved ahead of appends, and if so, whether they go through a mapping.
    reserve_mapped: Option<bool>,
    segments: RwLock<Vec<Arc<Segment>>>,
    /// The next file, made before it is needed.
    spare: Mutex<Option<Arc<Segment>>>,
    end: AtomicU64,
    /// Published bytes, too, that are not yet in the files.
    gathered: Gathered,
}

impl SegmentedLog {
    /// Opens the segments in `directory` (none if it does not exist); `end` is that of the last file until
    /// [`truncate`](SegmentedLog::truncate) lowers it. A last file that is empty, left by a crash between creation and
    /// extension, is extended; directories are ignored; any other file that Apache would refuse is refused
    /// (`MappedFileQueue#doLoad`).
    pub fn open(fs: Arc<dyn Fs>, directory: PathBuf, segment_bytes: u64) -> Result<Self, LogError> {
        let listed = ListedFiles::of(&*fs, &directory, segment_bytes)?;
        match listed.faults.into_iter().next() {
            None => Self::with_files(fs, directory, segment_bytes, listed.files),
            Some(fault) => Err(fault),
        }
    }

    /// As [`open`](SegmentedLog::open), but does without the files that would be refused, and tells of them: for those who
    /// look at what may be damaged.
    pub fn open_sound(
        fs: Arc<dyn Fs>,
        directory: PathBuf,
        segment_bytes: u64,
    ) -> Result<(Self, Vec<LogError>), LogError> {
        let ListedFiles { mut files, faults } = ListedFiles::of(&*fs, &directory, segment_bytes)?;
        files.retain(|(_, path, _)| !faults.iter().any(|fault| fault.place().0 == path));
        Ok((Self::with_files(fs, directory, segment_bytes, files)?, faults))
    }

    fn with_files(
        fs: Arc<dyn Fs>,
        directory: PathBuf,
        segment_bytes: u64,
        files: Vec<(u64, PathBuf, u64)>,
    ) -> Result<Self, LogError> {
        let mut segments = Vec::new();
        for (base, path, len) in files {
            segments.push(Arc::new(Segment::open(&*fs, path, base, (len == 0).then_some(segment_bytes))?));
        }
        let end = segments.last().map_or(0, |last| last.base() + segment_bytes);
        Ok(Self {
            fs,
            directory,
            segment_bytes,
            reserve_mapped: None,
            segments: RwLock::new(segments),
            spare: Mutex::new(None),
            end: AtomicU64::new(end),
            gathered: Gathered::default(),
        })
    }

    /// From now on space is reserved ahead of the appends, where the file system allows, and zeros are written to it. Appends
    /// go through a mapping of the file if `mapped`, which makes them cheaper, but not the syncs; else the zeros are synced,
    /// which makes the syncs cheaper. For a log that is always appended to.
    #[must_use]
    pub fn with_space_reserved(mut self, mapped: bool) -> Self {
        self.reserve_mapped = Some(mapped);
        self
    }

    /// Opens a log in which nobody has written yet. It has no files, or a first one that is all zero, as somebody else may
    /// have made it.
    pub fn open_new(fs: Arc<dyn Fs>, directory: PathBuf, segment_bytes: u64) -> Result<Self, LogError> {
        let mut log = Self::open(fs, directory, segment_bytes)?;
        for segment in log.segments.get_mut() {
            if segment.base() > 0 || !segment.is_zero(segment_bytes)? {
                return Err(fail("create", segment.path(), 0, io::ErrorKind::AlreadyExists.into()));
            }
        }
        *log.end.get_mut() = 0;
        Ok(log)
    }

    /// Its directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Length of each file.
    pub fn segment_bytes(&self) -> u64 {
        self.segment_bytes
    }

    /// Offset of the first byte that is kept; `None` without files.
    pub fn first_offset(&self) -> Option<u64> {
        self.segments.read().first().map(|first| first.base())
    }

    /// End of what readers may see.
    pub fn end(&self) -> u64 {
        self.end.load(Ordering::Acquire)
    }

    /// The segments as they are now, in order.
    pub fn segments(&self) -> Vec<Arc<Segment>> {
        self.segments.read().clone()
    }

    /// The file that holds `offset`.
    pub fn segment_at(&self, offset: u64) -> Option<Arc<Segment>> {
        let segments = self.segments.read();
        let after = segments.partition_point(|segment| segment.base() <= offset);
        let segment = segments.get(after.checked_sub(1)?)?;
        (offset < segment.base() + self.segment_bytes).then(|| Arc::clone(segment))
    }

    /// Gives back the mapped pages of every file of which more than `bytes` were read since the last time.
    pub fn release_maps(&self, bytes: u64) {
        for segment in self.segments.read().iter() {
            segment.release_map(bytes);
        }
    }

    /// A reader of what is published.
    pub fn reader(&self) -> Reader<'_> {
        Reader::new(self)
    }

    /// Whether reads of the file with `offset` in it are single ones here and there, until told otherwise.
    pub fn expect_random_reads(&self, offset: u64, random: bool) -> Result<(), LogError> {
        self.segment_at(offset).map_or(Ok(()), |segment| segment.expect_random_reads(random))
    }

    /// Whether anything but zeros may stand at or behind `offset` in its file; asked of the file system, where reading a hole
    /// would fill memory with its zeros.
    pub fn may_have_data(&self, offset: u64) -> Result<bool, LogError> {
        let segment = self.segment_at(offset);
        segment.map_or(Ok(false), |segment| segment.may_have_data(offset - segment.base()))
    }

    /// Reads published bytes by a system call, not through a mapping. False if the range is not (all) there.
    pub fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<bool, LogError> {
        let mut at = offset;
        let mut rest = buffer;
        if offset + rest.len() as u64 > self.end() {
            return Ok(false);
        }
        if self.write_out_before(offset + rest.len() as u64).is_err() && self.copy_unwritten(offset, rest)? {
            return Ok(true);
        }
        while !rest.is_empty() {
            let Some(segment) = self.segment_at(at) else { return Ok(false) };
            let in_segment = at - segment.base();
            let here = usize::try_from(self.segment_bytes - in_segment).map_or(rest.len(), |left| left.min(rest.len()));
            let (head, tail) = rest.split_at_mut(here);
            if let Err(error) = segment.read(head, in_segment) {
                // A file that was removed meanwhile cannot be opened again.
                return if self.holds(&segment) { Err(error) } else { Ok(false) };
            }
            at += here as u64;
            rest = tail;
        }
        Ok(true)
    }

    /// Writes unpublished bytes, which must not cross the end of a file. The file is made if missing.
    ///
    /// # Panics
    /// If `offset` is published.
    pub fn write(&self, offset: u64, bytes: &[u8]) -> Result<(), LogError> {
        assert!(offset >= self.end(), "published bytes never change");
        let segment = self.segment_to_write(offset)?;
        segment.write(bytes, offset - segment.base())
    }

    /// As [`write`](SegmentedLog::write), into space reserved ahead ([`with_space_reserved`](SegmentedLog::with_space_reserved)).
    /// One writer at a time appends, always with the same cursor, a new one after the log was cut.
    ///
    /// # Panics
    /// If `offset` is published.
    pub fn append(&self, cursor: &mut AppendCursor, offset: u64, bytes: &[u8]) -> Result<(), LogError> {
        assert!(offset >= self.end(), "published bytes never change");
        let holds = |segment: &Arc<Segment>| (segment.base()..segment.base() + self.segment_bytes).contains(&offset);
        let segment = match &mut cursor.segment {
            Some(segment) if holds(segment) => segment,
            other => {
                cursor.window = OpenWindow::None;
                let next = self.segment_to_write(offset)?;
                if let Some(left) = other.take() {
                    left.end_appends();
                }
                other.insert(next)
            }
        };
        let in_segment = offset - segment.base();
        match self.reserve_mapped {
            // SAFETY: readers see published bytes only, these are not, and there is one writer.
            Some(true) => unsafe { segment.append(&mut cursor.window, bytes, in_segment, self.segment_bytes) },
            Some(false) => {
                let range = (in_segment, in_segment + bytes.len() as u64);
                // Where space is not reserved a write may find the disk full: that has to be known before it is published.
                if segment.reserve(&mut cursor.window, range, self.segment_bytes)? {
                    self.gathered.push(segment, offset, bytes)
                } else {
                    self.gathered.write_through(segment, offset, bytes)
                }
            }
            None => segment.write(bytes, in_segment),
        }
    }

    /// Sees to it that everything appended below `end` is in the files, for a process that dies, or before a
    /// [`sync`](SegmentedLog::sync). Those who read see to it themselves.
    ///
    /// # Errors
    /// When it could not be written: it can still be read, and the next who appends, reads or calls this tries again.
    pub fn write_out_before(&self, end: u64) -> Result<(), LogError> {
        self.gathered.write_out_before(end)
    }

    /// Copies published bytes that could not be written; false if they are in the files after all.
    pub(crate) fn copy_unwritten(&self, offset: u64, buffer: &mut [u8]) -> Result<bool, LogError> {
        if self.gathered.read(offset, buffer) {
            return Ok(true);
        }
        // Somebody else may have written them meanwhile.
        self.write_out_before(offset + buffer.len() as u64)?;
        Ok(false)
    }

    fn segment_to_write(&self, offset: u64) -> Result<Arc<Segment>, LogError> {
        let segment = self.segment_at(offset);
        segment.map_or_else(|| self.add_segment(offset - offset % self.segment_bytes), Ok)
    }

    /// Lets readers see everything below `end`.
    pub fn publish(&self, end: u64) {
        self.end.store(end, Ordering::Release);
    }

    /// Zeroes unpublished bytes in `from..to` again, after an append that failed half way.
    pub fn discard(&self, cursor: &mut AppendCursor, from: u64, to: u64) -> Result<(), LogError> {
        *cursor = AppendCursor::default();
        let from = from.max(self.end());
        self.gathered.cut(from);
        for segment in self.segments().iter().filter(|segment| segment.base() < to) {
            let end = (segment.base() + self.segment_bytes).min(to);
            let start = segment.base().max(from);
            if start < end {
                segment.zero(start - segment.base(), end - start)?;
            }
        }
        Ok(())
    }

    fn add_segment(&self, base: u64) -> Result<Arc<Segment>, LogError> {
        // Held to the end, or the same file would be made ahead meanwhile.
        let mut spare = self.spare.lock();
        let segment = match spare.take() {
            Some(spare) if spare.base() == base => spare,
            _ => {
                self.sync_last_entry()?;
                self.create_segment(base)?
            }
        };
        self.segments.write().push(Arc::clone(&segment));
        Ok(segment)
    }

    /// To be done before a file is made: of those without a synced entry a power cut may leave empty files, and at most one,
    /// the last, is forgiven.
    fn sync_last_entry(&self) -> Result<(), LogError> {
        let last = self.segments.read().last().cloned();
        last.map_or(Ok(()), |last| last.sync_entry(&*self.fs))
    }

    fn create_segment(&self, base: u64) -> Result<Arc<Segment>, LogError> {
        if self.segments.read().is_empty() {
            let made = self.fs.create_dir_all_durably(&self.directory);
            made.map_err(|source| fail("create directory", &self.directory, 0, source))?;
        }
        let path = self.directory.join(format!("{base:020}"));
        let segment = Segment::create(&*self.fs, path, base, self.segment_bytes)?;
        if self.reserve_mapped.is_some() {
            // Now, as nothing is in it. Once it is, its length and entry wait until all of that is on disk, and the next file
            // waits for them, and the writer for that.
            segment.sync_entry(&*self.fs)?;
        }
        Ok(Arc::new(segment))
    }

    /// Reserves the space behind the part that is being written, in the next file too if that was made, and writes some of its
    /// zeros; true if there are more to be written. For another thread than the writer's, which does without where this comes
    /// too late.
    pub fn reserve_ahead(&self) -> Result<bool, LogError> {
        let Some(mapped) = self.reserve_mapped else { return Ok(false) };
        let Some(last) = self.segments.read().last().cloned() else { return Ok(false) };
        let how = (self.segment_bytes, mapped);
        let mut prepared = last.reserve_ahead(&*self.fs, how, self.end(), 0)?;
        // Not in the condition, which would hold the lock up to the end of the block.
        let spare = self.spare.lock().clone();
        if prepared == Prepared::EndOfFile
            && let Some(spare) = spare
        {
            // The log that fills the last one will go on in this as fast.
            prepared = spare.reserve_ahead(&*self.fs, how, self.end(), self.segment_bytes)?;
        }
        Ok(prepared == Prepared::Zeros)
    }

    /// Makes the file after the last one, if there is none yet, so that the writer does not wait for it.
    pub fn prepare_spare(&self) -> Result<(), LogError> {
        let Some(last) = self.segments.read().last().cloned() else { return Ok(()) };
        let base = last.base() + self.segment_bytes;
        self.sync_last_entry()?;
        let mut spare = self.spare.lock();
        // Meanwhile the writer may have made that file itself, and even filled it, and retention removed it.
        let is_still_last = self.segments.read().last().is_some_and(|now| Arc::ptr_eq(now, &last));
        if is_still_last && spare.as_ref().is_none_or(|spare| spare.base() != base) {
            *spare = Some(self.create_segment(base)?);
        }
        Ok(())
    }

    /// Reserves the space of the file made ahead once a quarter of the last one is written: to reserve waits for the disk where
    /// that is busy, and whoever writes to the same file then waits as well. A disk without much room is left alone.
    pub fn reserve_spare(&self) -> Result<(), LogError> {
        let Some(last) = self.segments.read().last().cloned() else { return Ok(()) };
        let Some(spare) = self.spare.lock().clone() else { return Ok(()) };
        let is_next = spare.base() == last.base() + self.segment_bytes;
        let is_soon_needed = self.end() >= last.base() + self.segment_bytes / 4;
        if self.reserve_mapped.is_none() || !is_next || !is_soon_needed {
            return Ok(());
        }
        let space = self.fs.disk_space(&self.directory);
        let space = space.map_err(|source| fail("ask for the free space of", &self.directory, 0, source))?;
        if space.available_bytes / FILES_OF_ROOM < self.segment_bytes {
            return Ok(());
        }
        spare.reserve_all(self.segment_bytes)
    }

    /// Removes the file made ahead, at a clean stop (Apache does too).
    pub fn remove_spare(&self) -> Result<(), LogError> {
        let Some(spare) = self.spare.lock().take() else { return Ok(()) };
        self.fs.remove_file(spare.path()).map_err(|source| fail("remove", spare.path(), 0, source))?;
        self.fs.sync_dir(&self.directory).map_err(|source| fail("fsync", &self.directory, 0, source))
    }

    /// Makes `from..to`, which is in the files, durable; of an empty range the file that it lies in, for what was cut there.
    pub fn sync(&self, from: u64, to: u64) -> Result<(), LogError> {
        for segment in self.segments() {
            if segment.base() < to
                && segment.base() + self.segment_bytes > from
                && let Err(error) = self.sync_part(&segment, from, to)
                && self.holds(&segment)
            {
                return Err(error);
            }
        }
        Ok(())
    }

    fn sync_part(&self, segment: &Segment, from: u64, to: u64) -> Result<(), LogError> {
        let (from, to) = (from.saturating_sub(segment.base()), (to - segment.base()).min(self.segment_bytes));
        if to.saturating_sub(from) > WRITTEN_BACK_BYTES {
            segment.write_back(from, to)?;
        }
        segment.sync(&*self.fs)
    }

    /// Writes `from..to`, which is published, over itself, so that the next sync makes it durable even if one of an earlier
    /// process failed ([`File::write_again`](rocketmq_env::File::write_again)).
    pub fn write_again(&self, from: u64, to: u64) -> Result<(), LogError> {
        for segment in self.segments() {
            let (start, end) = (from.max(segment.base()), to.min(segment.base() + self.segment_bytes));
            if start < end {
                segment.write_again(start - segment.base(), end - start)?;
            }
        }
        Ok(())
    }

    fn holds(&self, segment: &Arc<Segment>) -> bool {
        self.segments.read().iter().any(|held| Arc::ptr_eq(held, segment))
    }

    /// Cuts the log at `end`: later files are removed, the rest of the file with `end` in it becomes zero unless it is. So no
    /// old record can come back to life behind a new, shorter tail.
    pub fn truncate(&mut self, end: u64) -> Result<(), LogError> {
        self.remove_behind(end)?;
        if let Some(last) = self.segments.get_mut().last() {
            let in_segment = end.saturating_sub(last.base()).min(self.segment_bytes);
            if !last.is_known_zero(in_segment, self.segment_bytes)? {
                last.zero(in_segment, self.segment_bytes - in_segment)?;
            }
        }
        Ok(())
    }

    /// Ends the log at `end`: later files are removed. The rest of the file with `end` in it must be zero.
    pub fn remove_behind(&mut self, end: u64) -> Result<(), LogError> {
        let segments = self.segments.get_mut();
        let mut removed = false;
        while let Some(last) = segments.last().filter(|last| last.base() > 0 && last.base() >= end) {
            self.fs.remove_file(last.path()).map_err(|source| fail("remove", last.path(), 0, source))?;
            segments.pop();
            removed = true;
        }
        if removed {
            self.fs.sync_dir(&self.directory).map_err(|source| fail("fsync", &self.directory, 0, source))?;
        }
        *self.end.get_mut() = end;
        Ok(())
    }

    /// Removes the files that lie below `offset` as a whole, oldest first, each durably before the next: whenever that
    /// ends, the log only starts later. The last file always stays. Whoever reads a removed file goes on. Returns how many
    /// were removed; one that could not be is still part of the log. For one caller at a time.
    pub fn remove_before(&self, offset: u64) -> Result<usize, LogError> {
        let mut removed = 0;
        while let Some(first) = self.take_first_before(offset) {
            match self.fs.remove_file(first.path()) {
                Err(source) if source.kind() != io::ErrorKind::NotFound => {
                    let error = fail("remove", first.path(), 0, source);
                    self.segments.write().insert(0, first);
                    return Err(error);
                }
                _ => {}
            }
            self.fs.sync_dir(&self.directory).map_err(|source| fail("fsync", &self.directory, 0, source))?;
            removed += 1;
        }
        Ok(removed)
    }

    fn take_first_before(&self, offset: u64) -> Option<Arc<Segment>> {
        let mut segments = self.segments.write();
        let is_below = segments.first().is_some_and(|first| first.base() + self.segment_bytes <= offset);
        (is_below && segments.len() > 1).then(|| segments.remove(0))
    }

    /// Removes all files, oldest first, and the directory, for a log that is not used any more. Durable once the directory's
    /// parent is synced. After a failure it can be called again.
    pub fn destroy(&self) -> Result<(), LogError> {
        let ignore_missing = |outcome: io::Result<()>| match outcome {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            outcome => outcome,
        };
        let mut segments = self.segments.write();
        while let Some(first) = segments.first() {
            let removed = ignore_missing(self.fs.remove_file(first.path()));
            removed.map_err(|source| fail("remove", first.path(), 0, source))?;
            segments.remove(0);
        }
        let removed = ignore_missing(self.fs.remove_dir(&self.directory));
        removed.map_err(|source| fail("remove", &self.directory, 0, source))
    }

    /// Lets go of all files and mappings of a log that is not used any more: readers find nothing from now on. Whoever reads a
    /// file goes on, and holds it until then.
    pub fn release(&self) {
        self.gathered.release();
        *self.spare.lock() = None;
        self.segments.write().clear();
    }

    /// Fails if files are missing between the first and the last.
    pub fn check_whole(&self) -> Result<(), LogError> {
        let Some((before, behind)) = self.last_gap() else { return Ok(()) };
        let missing = self.directory.join(format!("{:020}", before + self.segment_bytes));
        Err(LogError::SegmentMissing { missing, next: self.directory.join(format!("{behind:020}")) })
    }

    /// The files on both sides of the last place where files are missing, by their first offsets.
    pub fn last_gap(&self) -> Option<(u64, u64)> {
        let segments = self.segments.read();
        let mut pairs = segments.windows(2).filter_map(|pair| match pair {
            [before, behind] => Some((before.base(), behind.base())),
            _ => None,
        });
        pairs.rfind(|(before, behind)| before + self.segment_bytes != *behind)
    }

    /// Removes all files and starts over, empty.
    pub fn clear(&mut self) -> Result<(), LogError> {
        let segments = self.segments.get_mut();
        if !segments.is_empty() {
            while let Some(last) = segments.last() {
                self.fs.remove_file(last.path()).map_err(|source| fail("remove", last.path(), 0, source))?;
                segments.pop();
            }
            self.fs.sync_dir(&self.directory).map_err(|source| fail("fsync", &self.directory, 0, source))?;
        }
        *self.end.get_mut() = 0;
        Ok(())
    }

    /// Moves the end of a log without files to `end`: it starts in the file that holds that offset.
    pub fn start_at(&self, end: u64) {
        if self.segments.read().is_empty() {
            self.publish(end);
        }
    }
}

/// The files of a log directory.
#[derive(Debug, Default)]
pub struct ListedFiles {
    /// Those with the name of a segment as (first offset, path, length), in order.
    pub files: Vec<(u64, PathBuf, u64)>,
    /// Why files are no segments: [`LogError::SegmentName`], or [`LogError::SegmentLength`] for one of `files`.
    pub faults: Vec<LogError>,
}

impl ListedFiles {
    /// Those in `directory`, none if it does not exist; directories are ignored.
    ///
    /// # Errors
    /// [`LogError::Io`] if they cannot be listed.
    pub fn of(fs: &dyn Fs, directory: &Path, segment_bytes: u64) -> Result<Self, LogError> {
        let mut listed = Self::default();
        let entries = match fs.read_dir(directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(listed),
            entries => entries.map_err(|source| fail("read directory", directory, 0, source))?,
        };
        for entry in entries.into_iter().filter(|entry| !entry.is_dir) {
            let path = directory.join(&entry.name);
            let base = entry.name.to_str().and_then(|name| name.parse::<u64>().ok());
            let Some(base) = base.filter(|base| base % segment_bytes == 0) else {
                listed.faults.push(LogError::SegmentName { path, segment_bytes });
                continue;
            };
            let len = fs.metadata(&path).map_err(|source| fail("stat", &path, 0, source))?.len;
            listed.files.push((base, path, len));
        }
        listed.files.sort();
        let last = listed.files.last().map(|(base, ..)| *base);
        for (base, path, len) in &listed.files {
            let is_left_by_crash = *len == 0 && Some(*base) == last;
            if *len != segment_bytes && !is_left_by_crash {
                listed.faults.push(LogError::SegmentLength { path: path.clone(), have: *len, need: segment_bytes });
            }
        }
        Ok(listed)
    }
}

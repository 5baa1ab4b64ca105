//! Contents and directory of the in-memory file system, each as it is now and as it would be after a power cut.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::handle::Handle;
use super::{Fault, Operation};
use crate::Clock;
use crate::fs::{DirEntry, DiskSpace, Metadata, OpenMode, WriteMap};

const SECTOR: usize = 512;
const EIO: i32 = 5;
const ENOSPC: i32 = 28;
const DISK_BYTES: u64 = 1 << 40;

#[derive(Debug, Clone)]
pub(super) struct World {
    inodes: HashMap<u64, Inode>,
    next_inode: u64,
    entries: BTreeMap<PathBuf, Entry>,
    durable_entries: BTreeMap<PathBuf, Entry>,
    /// Changes of directories since their last sync, oldest first.
    unsynced: Vec<Change>,
    locks: HashSet<PathBuf>,
    epoch: u64,
    /// The call that ended everything.
    pub(super) last_call: Option<(Operation, PathBuf)>,
    pub(super) faults: Vec<Fault>,
    pub(super) calls: u64,
    pub(super) calls_of: BTreeMap<Operation, u64>,
    pub(super) power_off_at: Option<u64>,
    pub(super) power_off_in: Option<(Operation, String, u64)>,
    pub(super) one_byte: bool,
    pub(super) whole_sectors: bool,
    pub(super) free_bytes: Option<u64>,
    pub(super) disk_space: Option<DiskSpace>,
    pub(super) clock: Option<Arc<dyn Clock>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Entry {
    File(u64),
    Dir,
}

/// One change of a directory; a rename has two steps that survive or vanish together.
#[derive(Debug, Clone)]
struct Change {
    directory: PathBuf,
    steps: Vec<(PathBuf, Option<Entry>)>,
}

/// How a call that may happen goes.
struct Call {
    /// It transfers less than asked, or is not supported.
    short: bool,
    /// The power goes off in it: it happens, though nobody hears of it and what is not synced may be lost.
    is_last: bool,
}

impl Call {
    fn done<T>(&self, value: T) -> io::Result<T> {
        if self.is_last { Err(power_is_off()) } else { Ok(value) }
    }
}

fn power_is_off() -> io::Error {
    io::Error::other("the power is off")
}

#[derive(Default, Clone)]
struct Inode {
    live: Vec<u8>,
    durable: Vec<u8>,
    /// Sectors that differ from the durable ones.
    dirty: BTreeSet<usize>,
    /// Sectors that have their space on disk.
    allocated: BTreeSet<usize>,
    /// Those of which a power cut takes it.
    allocated_since_sync: BTreeSet<usize>,
    /// How many write-backs failed. Each handle tells of it once.
    failed_write_backs: u64,
    modified_ms: i64,
}

/// SplitMix64: small, and the same everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) % bound.max(1) as u64) as usize
    }
}

impl Default for World {
    /// The root directory alone.
    fn default() -> Self {
        let root = BTreeMap::from([(PathBuf::from("/"), Entry::Dir)]);
        Self {
            inodes: HashMap::new(),
            next_inode: 0,
            entries: root.clone(),
            durable_entries: root,
            unsynced: Vec::new(),
            locks: HashSet::new(),
            epoch: 0,
            last_call: None,
            faults: Vec::new(),
            calls: 0,
            calls_of: BTreeMap::new(),
            power_off_at: None,
            power_off_in: None,
            one_byte: false,
            whole_sectors: false,
            free_bytes: None,
            disk_space: None,
            clock: None,
        }
    }
}

/// `Vec::resize` goes byte by byte where nothing is optimised.
fn set_len(content: &mut Vec<u8>, len: usize) {
    content.truncate(len);
    content.extend_from_slice(&vec![0; len - content.len()]);
}

fn parent(path: &Path) -> PathBuf {
    path.parent().unwrap_or(Path::new("")).to_owned()
}

impl World {
    /// Lets planned failures happen; a changing call is counted.
    fn enter(&mut self, operation: Operation, path: &Path, changes: bool) -> io::Result<Call> {
        if self.last_call.is_some() {
            return Err(power_is_off());
        }
        *self.calls_of.entry(operation).or_default() += 1;
        if changes {
            self.calls += 1;
            if self.is_chosen(operation, path) || self.power_off_at.is_some_and(|at| self.calls >= at) {
                self.last_call = Some((operation, path.to_owned()));
                return Ok(Call { short: false, is_last: true });
            }
        }
        let text = path.to_string_lossy();
        for fault in &mut self.faults {
            if fault.operation != operation || !text.contains(&fault.path_contains) || fault.times == 0 {
                continue;
            }
            if fault.after > 0 {
                fault.after -= 1;
                continue;
            }
            fault.times -= 1;
            let short = Call { short: true, is_last: false };
            return fault.os_error.map_or(Ok(short), |code| Err(io::Error::from_raw_os_error(code)));
        }
        let short = self.one_byte && matches!(operation, Operation::Read | Operation::Write);
        Ok(Call { short, is_last: false })
    }

    /// Whether this is the call of its kind at which the power goes off.
    fn is_chosen(&mut self, operation: Operation, path: &Path) -> bool {
        match &mut self.power_off_in {
            Some((chosen, text, after)) if *chosen == operation && path.to_string_lossy().contains(text.as_str()) => {
                *after = after.checked_sub(1).unwrap_or(u64::MAX);
                *after == u64::MAX
            }
            _ => false,
        }
    }

    pub(super) fn epoch(&self) -> u64 {
        self.epoch
    }

    fn transfer_len(&self, wanted: usize, short: bool) -> usize {
        match (short, self.one_byte) {
            (true, true) => wanted.min(1),
            (true, false) => wanted.div_ceil(2),
            (false, _) => wanted,
        }
    }

    fn change(&mut self, directory: PathBuf, steps: Vec<(PathBuf, Option<Entry>)>) {
        for (path, entry) in &steps {
            apply(&mut self.entries, path, *entry);
        }
        self.unsynced.push(Change { directory, steps });
    }

    pub(super) fn open(&mut self, path: &Path, mode: OpenMode) -> io::Result<(u64, u64)> {
        let creates = match mode {
            OpenMode::Read | OpenMode::ReadWrite => false,
            OpenMode::CreateNew => !self.entries.contains_key(path),
            OpenMode::CreateTruncate => true,
        };
        let call = self.enter(Operation::Open, path, creates)?;
        let existing = match self.entries.get(path) {
            // No inode has this number: nothing can be read or written.
            Some(Entry::Dir) if mode == OpenMode::Read => return Ok((0, self.epoch)),
            Some(Entry::Dir) => return Err(io::ErrorKind::IsADirectory.into()),
            Some(Entry::File(inode)) => Some(*inode),
            None => None,
        };
        let inode = match (mode, existing) {
            (OpenMode::Read | OpenMode::ReadWrite, None) => return Err(io::ErrorKind::NotFound.into()),
            (OpenMode::Read | OpenMode::ReadWrite, Some(inode)) => inode,
            (OpenMode::CreateNew, Some(_)) => return Err(io::ErrorKind::AlreadyExists.into()),
            (OpenMode::CreateTruncate, Some(inode)) => {
                self.resize(inode, 0);
                inode
            }
            (OpenMode::CreateNew | OpenMode::CreateTruncate, None) => self.create(path)?,
        };
        call.done((inode, self.epoch))
    }

    fn create(&mut self, path: &Path) -> io::Result<u64> {
        let directory = parent(path);
        if self.entries.get(&directory) != Some(&Entry::Dir) {
            return Err(io::ErrorKind::NotFound.into());
        }
        self.next_inode += 1;
        self.inodes.insert(self.next_inode, Inode { modified_ms: self.now_ms(), ..Inode::default() });
        self.change(directory, vec![(path.to_owned(), Some(Entry::File(self.next_inode)))]);
        Ok(self.next_inode)
    }

    pub(super) fn create_dir_all(&mut self, path: &Path) -> io::Result<()> {
        let call = self.enter(Operation::CreateDir, path, true)?;
        let mut missing: Vec<&Path> = path.ancestors().filter(|path| !self.entries.contains_key(*path)).collect();
        missing.reverse();
        for path in missing {
            self.change(parent(path), vec![(path.to_owned(), Some(Entry::Dir))]);
        }
        call.done(())
    }

    pub(super) fn read_dir(&mut self, path: &Path) -> io::Result<Vec<DirEntry>> {
        self.enter(Operation::Open, path, false)?;
        if self.entries.get(path) != Some(&Entry::Dir) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let children = self.entries.iter().filter(|(child, _)| child.parent() == Some(path));
        Ok(children
            .filter_map(|(child, entry)| {
                Some(DirEntry { name: child.file_name()?.to_owned(), is_dir: *entry == Entry::Dir })
            })
            .collect())
    }

    pub(super) fn remove(&mut self, path: &Path, is_dir: bool) -> io::Result<()> {
        let call = self.enter(Operation::Remove, path, true)?;
        match self.entries.get(path) {
            None => return Err(io::ErrorKind::NotFound.into()),
            Some(Entry::Dir) if !is_dir => return Err(io::ErrorKind::IsADirectory.into()),
            Some(Entry::File(_)) if is_dir => return Err(io::ErrorKind::NotADirectory.into()),
            Some(Entry::Dir) if self.entries.keys().any(|child| child.parent() == Some(path)) => {
                return Err(io::ErrorKind::DirectoryNotEmpty.into());
            }
            Some(_) => {}
        }
        self.change(parent(path), vec![(path.to_owned(), None)]);
        call.done(())
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let call = self.enter(Operation::Rename, to, true)?;
        let Some(entry) = self.entries.get(from).copied() else { return Err(io::ErrorKind::NotFound.into()) };
        self.change(parent(to), vec![(from.to_owned(), None), (to.to_owned(), Some(entry))]);
        call.done(())
    }

    pub(super) fn sync_dir(&mut self, path: &Path) -> io::Result<()> {
        self.enter(Operation::SyncDir, path, true)?.done(())?;
        let (synced, rest) =
            std::mem::take(&mut self.unsynced).into_iter().partition(|change| change.directory == path);
        self.unsynced = rest;
        let synced: Vec<Change> = synced;
        for (path, entry) in synced.into_iter().flat_map(|change| change.steps) {
            apply(&mut self.durable_entries, &path, entry);
        }
        Ok(())
    }

    pub(super) fn metadata(&mut self, path: &Path) -> io::Result<Metadata> {
        self.enter(Operation::Open, path, false)?;
        match self.entries.get(path) {
            None => Err(io::ErrorKind::NotFound.into()),
            Some(Entry::Dir) => Ok(Metadata { len: 0, modified_ms: 0, is_dir: true }),
            Some(Entry::File(inode)) => {
                let inode = self.inodes.get(inode).ok_or(io::ErrorKind::NotFound)?;
                Ok(Metadata { len: inode.live.len() as u64, modified_ms: inode.modified_ms, is_dir: false })
            }
        }
    }

    pub(super) fn disk_space(&mut self, path: &Path) -> io::Result<DiskSpace> {
        self.enter(Operation::Open, path, false)?;
        if !self.entries.contains_key(path) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let empty = DiskSpace { total_bytes: DISK_BYTES, free_bytes: DISK_BYTES, available_bytes: DISK_BYTES };
        Ok(self.disk_space.unwrap_or(empty))
    }

    fn now_ms(&self) -> i64 {
        self.clock.as_ref().map_or(0, |clock| clock.now_ms())
    }

    pub(super) fn try_lock(&mut self, path: &Path) -> io::Result<Option<(u64, u64)>> {
        if self.locks.contains(path) {
            return Ok(None);
        }
        let mode = if self.entries.contains_key(path) { OpenMode::ReadWrite } else { OpenMode::CreateNew };
        let opened = self.open(path, mode)?;
        self.locks.insert(path.to_owned());
        Ok(Some(opened))
    }

    pub(super) fn unlock(&mut self, path: &Path, epoch: u64) {
        if epoch == self.epoch {
            self.locks.remove(path);
        }
    }

    fn inode(&mut self, handle: &Handle) -> io::Result<&mut Inode> {
        if handle.epoch != self.epoch {
            return Err(io::Error::other("opened before the machine restarted"));
        }
        self.inodes.get_mut(&handle.inode).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    pub(super) fn read_at(&mut self, handle: &Handle, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.inode(handle)?;
        let call = self.enter(Operation::Read, &handle.path, false)?;
        let wanted = self.transfer_len(buffer.len(), call.short);
        let content = &self.inode(handle)?.live;
        let from = (offset as usize).min(content.len());
        let read = wanted.min(content.len() - from);
        buffer[..read].copy_from_slice(&content[from..from + read]);
        Ok(read)
    }

    pub(super) fn write_at(&mut self, handle: &Handle, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.inode(handle)?;
        let call = self.enter(Operation::Write, &handle.path, true)?;
        let wanted = self.transfer_len(bytes.len(), call.short);
        let fitting = self.take_space(handle.inode, offset as usize, wanted)?;
        self.store(handle.inode, &bytes[..fitting], offset as usize);
        call.done(fitting)
    }

    fn store(&mut self, inode: u64, bytes: &[u8], offset: usize) {
        let now_ms = self.now_ms();
        let Some(inode) = self.inodes.get_mut(&inode) else { return };
        let end = offset + bytes.len();
        if inode.live.len() < end {
            set_len(&mut inode.live, end);
        }
        inode.live[offset..end].copy_from_slice(bytes);
        inode.touch(offset, end, now_ms);
    }

    /// How many of `len` bytes find room on the disk.
    fn take_space(&mut self, inode: u64, offset: usize, len: usize) -> io::Result<usize> {
        let Some(inode) = self.inodes.get_mut(&inode) else { return Ok(0) };
        for sector in offset / SECTOR..(offset + len).div_ceil(SECTOR) {
            if inode.allocated.contains(&sector) {
                continue;
            }
            match &mut self.free_bytes {
                Some(free) if *free < SECTOR as u64 => {
                    let fitting = (sector * SECTOR).saturating_sub(offset);
                    let full = || io::Error::from_raw_os_error(ENOSPC);
                    return if fitting == 0 { Err(full()) } else { Ok(fitting) };
                }
                Some(free) => *free -= SECTOR as u64,
                None => {}
            }
            inode.allocated.insert(sector);
            inode.allocated_since_sync.insert(sector);
        }
        Ok(len)
    }

    pub(super) fn reserve(&mut self, handle: &Handle, offset: u64, len: u64) -> io::Result<bool> {
        self.inode(handle)?;
        let call = self.enter(Operation::Allocate, &handle.path, true)?;
        if call.short {
            return Ok(false);
        }
        let (offset, len) = (offset as usize, len as usize);
        let is_within = offset + len <= self.inode(handle)?.live.len();
        assert!(is_within, "{} would become longer by a reservation of {len} at {offset}", handle.path.display());
        if self.take_space(handle.inode, offset, len)? < len {
            return Err(io::Error::from_raw_os_error(ENOSPC));
        }
        call.done(true)
    }

    /// The length of the mapping.
    pub(super) fn map_for_writing(&mut self, handle: &Handle) -> io::Result<Option<usize>> {
        let len = self.inode(handle)?.live.len();
        let call = self.enter(Operation::MapForWriting, &handle.path, false)?;
        Ok((!call.short).then_some(len))
    }

    pub(super) fn bring_in(&mut self, handle: &Handle, range: Range<u64>) -> io::Result<bool> {
        self.inode(handle)?;
        let call = self.enter(Operation::BringIn, &handle.path, false)?;
        assert!(range.start.is_multiple_of(WriteMap::ALIGNMENT), "no page starts at {}", range.start);
        let inode = self.inode(handle)?;
        let (start, end) = (range.start as usize, range.end as usize);
        let is_safe = end <= inode.live.len()
            && (start / SECTOR..end.div_ceil(SECTOR)).all(|sector| inode.allocated.contains(&sector));
        assert!(is_safe, "{start}..{end} of {} is brought in and has no space reserved", handle.path.display());
        Ok(!call.short)
    }

    pub(super) fn write_mapped(&mut self, handle: &Handle, offset: u64, bytes: &[u8]) {
        if handle.epoch != self.epoch {
            return;
        }
        let Ok(call) = self.enter(Operation::MappedWrite, &handle.path, true) else { return };
        let Some(inode) = self.inodes.get(&handle.inode) else { return };
        let (offset, end) = (offset as usize, offset as usize + bytes.len());
        let is_safe = end <= inode.live.len()
            && (offset / SECTOR..end.div_ceil(SECTOR)).all(|sector| inode.allocated.contains(&sector));
        assert!(is_safe, "SIGBUS: {offset}..{end} of {} is mapped and has no space reserved", handle.path.display());
        let copied = if call.is_last { Random(self.calls).below(bytes.len() + 1) } else { bytes.len() };
        self.store(handle.inode, &bytes[..copied], offset);
    }

    pub(super) fn len(&mut self, handle: &Handle) -> io::Result<u64> {
        if self.last_call.is_some() {
            return Err(power_is_off());
        }
        Ok(self.inode(handle)?.live.len() as u64)
    }

    pub(super) fn set_len(&mut self, handle: &Handle, len: u64) -> io::Result<()> {
        self.inode(handle)?;
        let call = self.enter(Operation::SetLen, &handle.path, true)?;
        self.resize(handle.inode, len as usize);
        call.done(())
    }

    fn resize(&mut self, inode: u64, len: usize) {
        let now_ms = self.now_ms();
        if let Some(inode) = self.inodes.get_mut(&inode) {
            let shorter = inode.live.len().min(len);
            let longer = inode.live.len().max(len);
            set_len(&mut inode.live, len);
            inode.touch(shorter, longer, now_ms);
            let freed = inode.free_space(len.div_ceil(SECTOR)..usize::MAX);
            self.give_back(freed);
        }
    }

    fn give_back(&mut self, sectors: usize) {
        if let Some(free) = &mut self.free_bytes {
            *free += (sectors * SECTOR) as u64;
        }
    }

    pub(super) fn zero_range(&mut self, handle: &Handle, offset: u64, len: u64) -> io::Result<()> {
        self.inode(handle)?;
        let call = self.enter(Operation::ZeroRange, &handle.path, true)?;
        let now_ms = self.now_ms();
        let inode = self.inode(handle)?;
        let end = ((offset + len) as usize).min(inode.live.len());
        let offset = (offset as usize).min(end);
        inode.live[offset..end].fill(0);
        inode.touch(offset, end, now_ms);
        // A hole: whole sectors have no space any more.
        let freed = inode.free_space(offset.div_ceil(SECTOR)..end / SECTOR);
        self.give_back(freed);
        call.done(())
    }

    pub(super) fn sync(&mut self, handle: &Handle) -> io::Result<()> {
        self.inode(handle)?;
        let call = self.enter(Operation::Sync, &handle.path, true);
        self.write_everything(handle, call)?.done(())?;
        self.inode(handle)?.sync();
        Ok(())
    }

    pub(super) fn write_back(&mut self, handle: &Handle) -> io::Result<()> {
        self.inode(handle)?;
        let call = self.enter(Operation::WriteBack, &handle.path, false);
        self.write_everything(handle, call)?.done(())
    }

    /// What is written to the disk may be lost there, if the call fails, and each handle is told of that once.
    fn write_everything(&mut self, handle: &Handle, call: io::Result<Call>) -> io::Result<Call> {
        let fails = call.is_err() && self.last_call.is_none();
        let inode = self.inode(handle)?;
        if fails {
            inode.fail_write_back();
        }
        let told = handle.failures_told.swap(inode.failed_write_backs, Ordering::Relaxed);
        let call = call?;
        if told < inode.failed_write_backs { Err(io::Error::from_raw_os_error(EIO)) } else { Ok(call) }
    }

    pub(super) fn failed_write_backs(&self, inode: u64) -> u64 {
        self.inodes.get(&inode).map_or(0, |inode| inode.failed_write_backs)
    }

    pub(super) fn sync_everything(&mut self, handle: &Handle) -> io::Result<()> {
        let call = self.enter(Operation::Sync, &handle.path, true);
        if handle.epoch != self.epoch {
            return Err(io::Error::other("opened before the machine restarted"));
        }
        if call.is_err() && self.last_call.is_none() {
            self.inodes.values_mut().for_each(Inode::fail_write_back);
        }
        call?.done(())?;
        self.inodes.values_mut().for_each(Inode::sync);
        self.unsynced.clear();
        self.durable_entries = self.entries.clone();
        Ok(())
    }

    pub(super) fn may_have_data(&mut self, handle: &Handle, offset: u64) -> io::Result<bool> {
        let content = &self.inode(handle)?.live;
        let mut sectors = content.get(offset as usize..).unwrap_or_default().chunks(SECTOR);
        Ok(sectors.any(|sector| *sector != [0; SECTOR][..sector.len()]))
    }

    pub(super) fn power_cut(&mut self, seed: u64) {
        let mut random = Random(seed);
        let mut cut_directories = BTreeSet::new();
        for change in std::mem::take(&mut self.unsynced) {
            if cut_directories.contains(&change.directory) || random.below(2) == 0 {
                cut_directories.insert(change.directory);
                continue;
            }
            for (path, entry) in change.steps {
                apply(&mut self.durable_entries, &path, entry);
            }
        }
        self.entries.clear();
        for (path, entry) in &self.durable_entries {
            let directory = parent(path);
            if path.parent().is_none() || self.entries.get(&directory) == Some(&Entry::Dir) {
                self.entries.insert(path.clone(), *entry);
            }
        }
        self.durable_entries = self.entries.clone();
        let kept: HashSet<u64> = self.entries.values().filter_map(|entry| entry.inode()).collect();
        self.inodes.retain(|inode, _| kept.contains(inode));
        let mut inodes: Vec<_> = self.inodes.iter_mut().collect();
        inodes.sort_by_key(|(id, _)| **id);
        for (_, inode) in inodes {
            inode.power_cut(&mut random, self.whole_sectors);
        }
        self.kill_process();
        self.free_bytes = None;
        self.disk_space = None;
        self.faults.clear();
    }

    pub(super) fn kill_process(&mut self) {
        self.locks.clear();
        self.epoch += 1;
        self.last_call = None;
        self.power_off_at = None;
        self.power_off_in = None;
    }

    pub(super) fn corrupt(&mut self, path: &Path, offset: u64, mask: u8) -> io::Result<()> {
        let inode = self.entries.get(path).and_then(|entry| entry.inode());
        let inode = inode.and_then(|inode| self.inodes.get_mut(&inode)).ok_or(io::ErrorKind::NotFound)?;
        for content in [&mut inode.live, &mut inode.durable] {
            if let Some(byte) = content.get_mut(offset as usize) {
                *byte ^= mask;
            }
        }
        Ok(())
    }
}

impl Entry {
    fn inode(self) -> Option<u64> {
        match self {
            Entry::File(inode) => Some(inode),
            Entry::Dir => None,
        }
    }
}

/// Not the bytes: a test that fails shows the whole file system.
impl fmt::Debug for Inode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} bytes, {} sectors dirty", self.live.len(), self.dirty.len())
    }
}

impl Inode {
    fn sync(&mut self) {
        set_len(&mut self.durable, self.live.len());
        self.allocated_since_sync.clear();
        for sector in std::mem::take(&mut self.dirty) {
            let from = (sector * SECTOR).min(self.live.len());
            let end = (from + SECTOR).min(self.live.len());
            self.durable[from..end].copy_from_slice(&self.live[from..end]);
        }
    }

    /// What is dirty could not be written, and is taken for written from now on: it can be read, but no sync writes it any more.
    /// (Linux: `errseq_t`)
    fn fail_write_back(&mut self) {
        self.failed_write_backs += u64::from(!self.dirty.is_empty());
        self.dirty.clear();
    }

    fn touch(&mut self, from: usize, end: usize, now_ms: i64) {
        if from < end {
            self.modified_ms = now_ms;
            self.dirty.extend(from / SECTOR..end.div_ceil(SECTOR));
        }
    }

    /// Takes their space from whole sectors; how many had any.
    fn free_space(&mut self, sectors: std::ops::Range<usize>) -> usize {
        let before = self.allocated.len();
        if !sectors.is_empty() {
            self.allocated.retain(|sector| !sectors.contains(sector));
            self.allocated_since_sync.retain(|sector| !sectors.contains(sector));
        }
        before - self.allocated.len()
    }

    fn power_cut(&mut self, random: &mut Random, whole_sectors: bool) {
        for sector in std::mem::take(&mut self.allocated_since_sync) {
            self.allocated.remove(&sector);
        }
        if self.live.len() != self.durable.len() && random.below(2) == 0 {
            set_len(&mut self.durable, self.live.len());
        }
        for sector in std::mem::take(&mut self.dirty) {
            let from = sector * SECTOR;
            let end = (from + SECTOR).min(self.live.len()).min(self.durable.len());
            if from >= end {
                continue;
            }
            let survives = match random.below(if whole_sectors { 4 } else { 5 }) {
                0 | 1 => end - from,
                2 | 3 => 0,
                _ => random.below(end - from),
            };
            self.durable[from..from + survives].copy_from_slice(&self.live[from..from + survives]);
        }
        self.live.clone_from(&self.durable);
    }
}

fn apply(entries: &mut BTreeMap<PathBuf, Entry>, path: &Path, entry: Option<Entry>) {
    match entry {
        Some(entry) => drop(entries.insert(path.to_owned(), entry)),
        None => drop(entries.remove(path)),
    }
}

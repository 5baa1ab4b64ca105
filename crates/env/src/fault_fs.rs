//! A file system in memory that fails on command: the n-th call, short transfers, a full disk, a power cut.
//!
//! The model is the strict reading of POSIX. Written bytes are durable after an fsync of the file, directory entries after
//! an fsync of the directory. A power cut keeps any subset of the sectors written since (a sector may be torn), and any
//! prefix of each directory's unsynced changes. What survives is chosen by a seed, so a run can be repeated.
//!
//! A sync that fails is that of Linux: what was dirty can be read from then on and is never written, later syncs succeed, and
//! of other handles of the file the next sync fails as well.
//!
//! What is written through a mapping is written bytes like any others: the pages are dirty until the file is synced. Where it
//! has no space reserved the test panics, as there a process is ended by SIGBUS once the disk is full.

mod handle;
mod world;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};

use crate::Clock;
use crate::fs::{DirEntry, DiskSpace, File, Fs, Metadata, OpenMode};
pub(crate) use handle::FaultMap;
use handle::Handle;
use world::World;

/// The file system; clones share their files. Itself it is the test's view, which outlives power cuts; what is tested gets
/// the view of a [`process`](FaultFs::process), which does not.
#[derive(Debug, Clone, Default)]
pub struct FaultFs {
    world: Arc<Mutex<World>>,
    /// The life of the machine in which this view works; `None` = any.
    epoch: Option<u64>,
}

/// The kinds of calls that can be told to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "named after the calls")]
pub enum Operation {
    Open,
    Read,
    Write,
    SetLen,
    ZeroRange,
    /// `sync_data` and `sync_all`.
    Sync,
    /// As [`Operation::Sync`], but what was written back is not durable.
    WriteBack,
    SyncDir,
    CreateDir,
    Remove,
    Rename,
    Allocate,
    MapForWriting,
    /// Of pages of a mapping.
    BringIn,
    /// A write through a mapping, which cannot fail. The end of everything comes in the middle of it.
    MappedWrite,
}

/// One planned failure.
#[derive(Debug, Clone)]
pub struct Fault {
    /// Which calls.
    pub operation: Operation,
    /// Only calls on paths that contain this text.
    pub path_contains: String,
    /// How many such calls succeed first.
    pub after: u64,
    /// How many fail from then on.
    pub times: u64,
    /// The operating system's error number they fail with. For [`Operation::Write`] and [`Operation::Read`], `None` makes
    /// the transfer short instead (half of the bytes, at least one); for [`Operation::Allocate`],
    /// [`Operation::MapForWriting`] and [`Operation::BringIn`] it makes them unsupported.
    pub os_error: Option<i32>,
}

impl FaultFs {
    /// An empty file system that does not fail.
    pub fn new() -> Self {
        Self::default()
    }

    /// The view of a process started now: dead after the next power cut or kill.
    pub fn process(&self) -> Arc<dyn Fs> {
        let epoch = Some(self.world.lock().epoch());
        Arc::new(Self { world: Arc::clone(&self.world), epoch })
    }

    /// A copy of everything as it is now, apart from this one from then on.
    pub fn fork(&self) -> Self {
        Self { world: Arc::new(Mutex::new(self.world.lock().clone())), epoch: self.epoch }
    }

    fn world(&self) -> io::Result<MutexGuard<'_, World>> {
        let world = self.world.lock();
        match self.epoch {
            Some(epoch) if epoch != world.epoch() => Err(io::Error::other("this process is dead")),
            _ => Ok(world),
        }
    }

    fn handle(&self, path: &Path, (inode, epoch): (u64, u64), is_lock: bool) -> Handle {
        let failures_told = self.world.lock().failed_write_backs(inode).into();
        Handle { world: Arc::clone(&self.world), path: path.to_owned(), inode, epoch, is_lock, failures_told }
    }

    /// Plans a failure.
    ///
    /// # Panics
    /// For [`Operation::MappedWrite`].
    pub fn inject(&self, fault: Fault) {
        assert!(fault.operation != Operation::MappedWrite, "a write through a mapping cannot fail");
        self.world.lock().faults.push(fault);
    }

    /// The call at which everything ended, if it has, and its path.
    pub fn last_call(&self) -> Option<(Operation, PathBuf)> {
        self.world.lock().last_call.clone()
    }

    /// Whether a planned failure has not happened as often as planned.
    pub fn has_failures_left(&self) -> bool {
        self.world.lock().faults.iter().any(|fault| fault.times > 0)
    }

    /// Forgets all planned failures.
    pub fn heal(&self) {
        self.world.lock().faults.clear();
    }

    /// Every read and write transfers one byte.
    pub fn set_one_byte_transfers(&self, enabled: bool) {
        self.world.lock().one_byte = enabled;
    }

    /// Whether power cuts leave each sector as it was or as it became; else some are torn in the middle.
    pub fn set_whole_sectors(&self, enabled: bool) {
        self.world.lock().whole_sectors = enabled;
    }

    /// How many bytes of new sectors may still be written or reserved before the disk is full (`None` = no end). Holes give
    /// them back. A write that does not fit is short; one of which nothing fits fails with ENOSPC. So does a reservation that
    /// does not fit as a whole, of which what fits stays reserved (as ext4 and XFS leave it).
    pub fn set_free_bytes(&self, free: Option<u64>) {
        self.world.lock().free_bytes = free;
    }

    /// What [`Fs::disk_space`] tells from now on (`None`, as at first: an empty disk of 1 TiB). Bounds no write, as
    /// [`set_free_bytes`](FaultFs::set_free_bytes) does.
    pub fn set_disk_space(&self, space: Option<DiskSpace>) {
        self.world.lock().disk_space = space;
    }

    /// Where files get their time of modification from; without it they have none (0).
    pub fn set_clock(&self, clock: Arc<dyn Clock>) {
        self.world.lock().clock = Some(clock);
    }

    /// How many changing calls (writes, syncs, creations, renames, removals, reservations) were made so far.
    pub fn calls(&self) -> u64 {
        self.world.lock().calls
    }

    /// How many calls of a kind were made so far, those that failed included.
    pub fn calls_of(&self, operation: Operation) -> u64 {
        self.world.lock().calls_of.get(&operation).copied().unwrap_or(0)
    }

    /// Everything ends at the changing call with this number (as [`calls`](FaultFs::calls) counts): it happens, but it and
    /// every later call fails, until [`power_cut`](FaultFs::power_cut) decides what survives, or
    /// [`kill_process`](FaultFs::kill_process) that all does.
    pub fn power_off_at(&self, call: u64) {
        self.world.lock().power_off_at = Some(call);
    }

    /// Everything ends, as by [`power_off_at`](FaultFs::power_off_at), at a changing call of one kind on a path that contains
    /// a text, after so many others of them; or at the call chosen there, if that comes first.
    pub fn power_off_in(&self, operation: Operation, path_contains: &str, after: u64) {
        self.world.lock().power_off_in = Some((operation, path_contains.to_owned(), after));
    }

    /// The machine restarts: of what was not synced a part chosen by `seed` survives. Files and locks opened before are
    /// dead. Planned failures are forgotten.
    pub fn power_cut(&self, seed: u64) {
        self.world.lock().power_cut(seed);
    }

    /// The process dies but the machine does not: everything written survives, locks and open files are gone.
    pub fn kill_process(&self) {
        self.world.lock().kill_process();
    }

    /// Flips the bits of `mask` in one byte, in the durable content as well.
    pub fn corrupt(&self, path: &Path, offset: u64, mask: u8) -> io::Result<()> {
        self.world.lock().corrupt(path, offset, mask)
    }
}

impl Fs for FaultFs {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        let opened = self.world()?.open(path, mode)?;
        Ok(Arc::new(self.handle(path, opened, false)))
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        self.world()?.create_dir_all(path)
    }

    fn read_dir(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        self.world()?.read_dir(path)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.world()?.remove(path, false)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        self.world()?.remove(path, true)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.world()?.rename(from, to)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.world()?.sync_dir(path)
    }

    fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        self.world()?.metadata(path)
    }

    fn disk_space(&self, path: &Path) -> io::Result<DiskSpace> {
        self.world()?.disk_space(path)
    }

    fn try_lock(&self, path: &Path) -> io::Result<Option<Arc<dyn File>>> {
        let Some(locked) = self.world()?.try_lock(path)? else { return Ok(None) };
        Ok(Some(Arc::new(self.handle(path, locked, true))))
    }
}

#[cfg(test)]
mod tests;

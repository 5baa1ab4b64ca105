//! Finding messages by key: index files beside the log, in Apache's format, and the thread that writes them.
//! (`IndexService`)
//!
//! The indexer reads the commit log behind the writers, with a cursor of its own, so a put has nothing to do with it: an
//! index that cannot be written falls behind and catches up. It looks every [`INTERVAL`], and a query lets it catch up first.
//!
//! A file becomes durable when it is full, and then the checkpoint moves. After an unclean stop files that the checkpoint
//! does not vouch for are dropped, and made again from the log in the background. A file that does not agree with the log is
//! dropped too: all of it is in the log.

mod active;
mod check;
mod file;
mod keys;
mod layout;
mod load;
mod scan;
mod sizes;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use chrono::DateTime;
use parking_lot::Mutex;
use rocketmq_env::{Clock, Fs, Parker, Unparker};
use rocketmq_log::{LogError, SegmentedLog};

use crate::checkpoint::Checkpoint;
use crate::commit_log::MAPPED_READ_BYTES;
use crate::{StoreConfig, StoreError, error};
use active::ActiveFile;
pub(crate) use check::{IndexCheck, IndexFault};
use file::{IndexFile, Search, fail};
use keys::{Entry, key_hash};
use layout::Header;
pub(crate) use layout::Layout;
pub(crate) use load::Judge;
use scan::Scanner;
pub(crate) use sizes::layout_on_disk;

/// How often the indexer looks for new messages.
const INTERVAL: Duration = Duration::from_millis(200);
/// How far a query lets the indexer catch up before it answers with what there is.
const QUERY_CATCH_UP_BYTES: u64 = 32 * 1024 * 1024;
/// How far a clean stop does; the next start goes on from there.
const CLOSE_CATCH_UP_BYTES: u64 = 512 * 1024 * 1024;

/// What an index says of a key. (`QueryOffsetResult`)
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct QueryResult {
    /// Where in the commit log messages begin that have the key, ascending; among them may be some with another key of the
    /// same hash. A message with the key twice is there twice.
    pub physical_offsets: Vec<i64>,
    /// Store timestamp of the last message that is indexed, 0 without any.
    pub index_last_update_timestamp: i64,
    /// Its place in the commit log.
    pub index_last_update_phy_offset: i64,
}

/// The index files a start found.
#[derive(Debug)]
pub(crate) struct IndexFiles {
    directory: PathBuf,
    layout: Layout,
    files: Vec<Arc<IndexFile>>,
    bad: Vec<PathBuf>,
    /// How many items the last message that is indexed has in them.
    items_of_last: usize,
}

impl IndexFiles {
    /// Reads the headers of all files, changes nothing.
    pub(crate) fn load(fs: &dyn Fs, config: &StoreConfig, judge: &Judge<'_>) -> Result<Self, StoreError> {
        let directory = config.root.join("index");
        let layout = Layout { slots: config.max_hash_slot_num, items: config.max_index_num };
        let loaded = load::load(fs, &directory, layout, judge)?;
        let mut items_of_last = 0;
        let last = loaded.good.last().map(|last| last.header.end_physical_offset);
        for file in loaded.good.iter().rev().filter(|file| Some(file.header.end_physical_offset) == last) {
            items_of_last += file.items_of_last_message()?;
        }
        Ok(Self { directory, layout, files: loaded.good, bad: loaded.bad, items_of_last })
    }

    /// Removes the files that are of no use, and takes back what the checkpoint says of them, durably.
    pub(crate) fn settle(&mut self, fs: &dyn Fs, checkpoint: &Checkpoint) -> Result<(), StoreError> {
        // From the end, so that what a crash leaves is still one row of files.
        while let Some(path) = self.bad.last() {
            fs.remove_file(path).map_err(|source| fail("remove", path, 0, source))?;
            self.bad.pop();
            if self.bad.is_empty() {
                self.sync_directory(fs)?;
            }
        }
        let on_disk = self.files.iter().rev().find(|file| file.is_full());
        checkpoint.index_flushed(on_disk.map_or(0, |file| file.header.end_timestamp))
    }

    fn sync_directory(&self, fs: &dyn Fs) -> Result<(), LogError> {
        fs.sync_dir(&self.directory).map_err(|source| fail("fsync", &self.directory, 0, source))
    }
}

/// The index of a running store.
#[derive(Debug)]
pub(crate) struct Index {
    fs: Arc<dyn Fs>,
    clock: Arc<dyn Clock>,
    log: Arc<SegmentedLog>,
    checkpoint: Arc<Checkpoint>,
    directory: PathBuf,
    layout: Layout,
    max_count: usize,
    state: Mutex<State>,
    stopping: AtomicBool,
    /// The indexer, unless messages are not to be indexed.
    thread: Mutex<Option<(JoinHandle<()>, Unparker)>>,
    enabled: bool,
}

#[derive(Debug)]
struct State {
    /// Files that are not being written, in order. The last of them may have room.
    files: Vec<Arc<IndexFile>>,
    /// The one behind them.
    active: Option<ActiveFile>,
    scanner: Scanner,
    /// Entries that were scanned and are in no file yet.
    pending: Vec<Entry>,
    /// Place of the last message that earlier runs indexed, and how many entries of it are in the files.
    resumed: (i64, usize),
    /// Why a file may not be on disk: then the checkpoint must not move over it.
    sync_failure: Option<String>,
    /// The directory may belong to another store already.
    is_released: bool,
}

impl Index {
    /// Goes on where the files end, at the start of the log without any.
    pub(crate) fn start(
        fs: Arc<dyn Fs>,
        clock: Arc<dyn Clock>,
        config: &StoreConfig,
        log: Arc<SegmentedLog>,
        checkpoint: Arc<Checkpoint>,
        files: IndexFiles,
    ) -> Arc<Self> {
        // From the last message itself on: the files may lack some of its keys.
        let last = files.files.last().map_or(0, |file| file.header.end_physical_offset);
        let state = State {
            files: files.files,
            active: None,
            scanner: Scanner::new(u64::try_from(last).unwrap_or(0)),
            pending: Vec::new(),
            resumed: (last, files.items_of_last),
            sync_failure: None,
            is_released: false,
        };
        let index = Arc::new(Self {
            fs,
            clock,
            log,
            checkpoint,
            directory: files.directory,
            layout: files.layout,
            max_count: config.max_msgs_num_batch,
            state: Mutex::new(state),
            stopping: AtomicBool::new(false),
            thread: Mutex::new(None),
            enabled: config.message_index_enable,
        });
        if index.enabled {
            let parker = Parker::new(&index.clock);
            let unparker = parker.unparker();
            let thread = thread::spawn({
                let index = Arc::clone(&index);
                move || index.run(&parker)
            });
            *index.thread.lock() = Some((thread, unparker));
        }
        index
    }

    fn run(&self, parker: &Parker) {
        let is_stopping = || self.stopping.load(Ordering::Acquire);
        while !is_stopping() {
            parker.park_for(INTERVAL);
            // What fails is tried again, and told at the latest by a clean stop.
            while !is_stopping() && matches!(self.step(), Ok(Step { more: true, .. })) {
                // Housekeeping does that as well, unless it is just writing the tails of many queues.
                self.log.release_maps(MAPPED_READ_BYTES);
                // It has much to do at a time, and others only a little each, but they wait for each other.
                thread::yield_now();
            }
        }
    }

    /// Stops the indexer.
    pub(crate) fn stop(&self) -> Result<(), StoreError> {
        self.stopping.store(true, Ordering::Release);
        let Some((thread, unparker)) = self.thread.lock().take() else { return Ok(()) };
        unparker.unpark();
        if thread.thread().id() != thread::current().id() && thread.join().is_err() {
            return Err(StoreError::Poisoned { reason: "the index thread panicked".to_owned() });
        }
        Ok(())
    }

    /// Indexes what is left, and makes all files durable.
    pub(crate) fn close(&self) -> Result<(), StoreError> {
        self.catch_up(CLOSE_CATCH_UP_BYTES)?;
        let mut state = self.state.lock();
        if let Some(active) = &mut state.active {
            active.write()?;
        }
        self.seal(&mut state)?;
        match state.sync_failure.clone() {
            Some(reason) => Err(StoreError::Poisoned { reason }),
            None => Ok(()),
        }
    }

    /// Lets go of the files. A query that is under way makes none any more.
    pub(crate) fn release(&self) {
        let mut state = self.state.lock();
        state.is_released = true;
        state.files.clear();
        state.active = None;
    }

    /// Places of messages with that key, stored between `begin` and `end`. (`IndexService#queryOffset`)
    pub(crate) fn query(
        &self,
        topic: &str,
        key: &str,
        max_count: usize,
        begin: i64,
        end: i64,
    ) -> Result<QueryResult, StoreError> {
        // A disk that takes no index does not keep what is indexed from being found.
        let _ = self.catch_up(QUERY_CATCH_UP_BYTES);
        let max_count = max_count.min(self.max_count);
        let mut search = Search { hash: key_hash(topic, key), begin, end, max_count, found: Vec::new() };
        let (last, files) = self.search_active(&mut search)?;
        for file in files.iter().rev() {
            file.search(&mut search)?;
            if !search.goes_on_before(&file.header) {
                break;
            }
        }
        let mut physical_offsets = search.found;
        physical_offsets.sort_unstable();
        Ok(QueryResult {
            physical_offsets,
            index_last_update_timestamp: last.map_or(0, |last| last.end_timestamp),
            index_last_update_phy_offset: last.map_or(0, |last| last.end_physical_offset),
        })
    }

    /// Searches the file being written. Returns the last header, and the other files if they are to be searched.
    fn search_active(&self, search: &mut Search) -> Result<(Option<Header>, Vec<Arc<IndexFile>>), StoreError> {
        let state = self.state.lock();
        if let Some(active) = &state.active {
            active.search(search)?;
            if !search.goes_on_before(active.header()) {
                return Ok((Some(*active.header()), Vec::new()));
            }
        }
        Ok((state.last_header(), state.files.clone()))
    }

    /// Removes the files, never the last, that only know messages before `physical_offset`.
    /// (`IndexService#deleteExpiredFile`)
    pub(crate) fn remove_before(&self, physical_offset: i64) -> Result<(), StoreError> {
        let mut state = self.state.lock();
        let removable = if state.active.is_some() { state.files.len() } else { state.files.len().saturating_sub(1) };
        let is_expired = |file: &&Arc<IndexFile>| file.header.end_physical_offset < physical_offset;
        let expired = state.files.iter().take(removable).take_while(is_expired).count();
        let mut removed = 0;
        let outcome = state.files.iter().take(expired).try_for_each(|file| {
            self.fs.remove_file(&file.path).map_err(|source| fail("remove", &file.path, 0, source))?;
            removed += 1;
            Ok(())
        });
        state.files.drain(..removed);
        outcome.map_err(|error: LogError| error.into())
    }

    /// Indexes all that the log has now.
    pub(crate) fn build(&self) -> Result<(), StoreError> {
        self.catch_up(u64::MAX)
    }

    /// Indexes what the log has now, `max_bytes` of it at most.
    fn catch_up(&self, max_bytes: u64) -> Result<(), StoreError> {
        let end = self.log.end();
        if !self.enabled {
            return Ok(());
        }
        let start = self.state.lock().scanner.at;
        loop {
            let step = self.step()?;
            if !step.more || step.at >= end || step.at.saturating_sub(start) >= max_bytes {
                return Ok(());
            }
        }
    }

    /// Indexes about a thousand keys.
    fn step(&self) -> Result<Step, StoreError> {
        let mut state = self.state.lock();
        let state = &mut *state;
        if state.is_released {
            return Err(StoreError::Closed);
        }
        let mut more = true;
        if state.pending.is_empty() {
            more = state.scanner.scan(&self.log, &mut state.pending)?;
            state.drop_resumed();
        }
        while !state.pending.is_empty() {
            self.make_room(state)?;
            let State { active, pending, .. } = state;
            let taken = active.as_mut().map_or(0, |active| active.append_all(pending));
            pending.drain(..taken);
            if state.active.as_ref().is_some_and(ActiveFile::is_full) {
                self.finish_full(state)?;
            }
        }
        Ok(Step { more, at: state.scanner.at })
    }

    /// Sees to it that there is a file being written, with room for an item.
    fn make_room(&self, state: &mut State) -> Result<(), StoreError> {
        if state.active.as_ref().is_some_and(ActiveFile::is_full) {
            self.finish_full(state)?;
        }
        let mut active = match state.active.take() {
            Some(active) => active,
            None => self.next_file(state)?,
        };
        let written = if active.tail_is_full() { active.write_items() } else { Ok(()) };
        state.active = Some(active);
        Ok(written?)
    }

    fn next_file(&self, state: &mut State) -> Result<ActiveFile, StoreError> {
        let last = state.files.last().map(|last| &**last);
        if let Some(last) = last.filter(|last| !last.is_full()) {
            let active = ActiveFile::resume(last.clone())?;
            state.files.pop();
            return Ok(active);
        }
        let path = self.directory.join(self.name_behind(last));
        Ok(ActiveFile::create(&*self.fs, path, self.layout, state.last_header())?)
    }

    /// Local time as `yyyyMMddHHmmssSSS`, or a little more: names must ascend, whatever the clock does.
    /// (`UtilAll#timeMillisToHumanString`)
    fn name_behind(&self, last: Option<&IndexFile>) -> String {
        let now = self.clock.now_ms();
        let local = DateTime::from_timestamp_millis(now + self.clock.utc_offset_ms(now)).unwrap_or_default();
        let name = local.format("%Y%m%d%H%M%S%3f").to_string();
        let next =
            last.and_then(|last| last.name().to_str()?.parse::<u64>().ok()).map(|last| format!("{:017}", last + 1));
        next.filter(|next| *next > name).unwrap_or(name)
    }

    fn finish_full(&self, state: &mut State) -> Result<(), StoreError> {
        if let Some(active) = &mut state.active {
            active.write()?;
        }
        self.seal(state)
    }

    /// Makes the file that was written durable, and says so in the checkpoint if it is full.
    fn seal(&self, state: &mut State) -> Result<(), StoreError> {
        let Some(active) = state.active.take() else { return Ok(()) };
        if let Err(error) = active.sync(&*self.fs) {
            // Nobody knows what is on disk of it. It answers queries, and the next start makes it again.
            state.sync_failure.get_or_insert(error::chain(&error));
        }
        let file = active.into_file();
        let (is_full, end_timestamp) = (file.is_full(), file.header.end_timestamp);
        state.files.push(file);
        if is_full && state.sync_failure.is_none() {
            self.checkpoint.index_flushed(end_timestamp)?;
        }
        Ok(())
    }
}

/// How far a step came.
struct Step {
    /// Whether there may be more to index.
    more: bool,
    /// Everything before is indexed.
    at: u64,
}

impl State {
    fn last_header(&self) -> Option<Header> {
        let active = self.active.as_ref().map(|active| *active.header());
        active.or_else(|| self.files.last().map(|file| file.header))
    }

    /// Drops the entries of the first message that the files have already.
    fn drop_resumed(&mut self) {
        let (offset, count) = self.resumed;
        let first = self.pending.iter().take(count).take_while(|entry| entry.physical_offset == offset).count();
        self.pending.drain(..first);
        if first > 0 || !self.pending.is_empty() {
            self.resumed.1 = 0;
        }
    }
}

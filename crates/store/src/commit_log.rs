//! The append: one lock, one timestamp, one write for a whole batch.
//!
//! A record never spans files. It is appended if its size and 8 bytes more are left in the file; otherwise a blank record
//! (length of the rest, magic 0xCBD43194) ends the file and the record starts the next one. (`CommitLog`)

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use parking_lot::Mutex;
use rocketmq_codec::message::{BLANK_MAGIC, patch_record};
use rocketmq_env::Clock;
use rocketmq_log::{AppendCursor, LogError, SegmentedLog};

use crate::batch::PutBatch;
use crate::dispatch::{Claim, Dispatcher};
use crate::message::PutTicket;
use crate::seat::NextOffsets;
use crate::{StoreError, error};

/// Bytes of a blank record, which must stay free behind every other record.
pub(crate) const BLANK_BYTES: usize = 8;

/// Mapped pages of a file are given back when so much of it was read through them.
pub(crate) const MAPPED_READ_BYTES: u64 = 16 * 1024 * 1024;

/// The commit log's writing end.
#[derive(Debug)]
pub(crate) struct CommitLog {
    pub(crate) log: Arc<SegmentedLog>,
    clock: Arc<dyn Clock>,
    append: Mutex<AppendState>,
    /// That of the last published record; moves after the log's end does.
    last_store_timestamp: AtomicI64,
}

#[derive(Debug)]
struct AppendState {
    refusal: Option<Refusal>,
    last_store_timestamp: i64,
    cursor: AppendCursor,
    offsets: NextOffsets,
    /// Where the log rolled over within the batch: (index of the first record behind, end of the one before).
    rolls: Vec<(usize, u64)>,
}

#[derive(Debug, Clone)]
enum Refusal {
    Closed,
    ReadOnly,
    Poisoned(String),
}

impl CommitLog {
    pub(crate) fn new(
        log: Arc<SegmentedLog>,
        clock: Arc<dyn Clock>,
        last_store_timestamp: i64,
        offsets: NextOffsets,
    ) -> Self {
        let (cursor, rolls) = (AppendCursor::default(), Vec::new());
        let append = AppendState { refusal: None, last_store_timestamp, cursor, offsets, rolls };
        Self { log, clock, append: Mutex::new(append), last_store_timestamp: AtomicI64::new(last_store_timestamp) }
    }

    /// Store timestamp of a record below the log's end; all published later are at least as old.
    pub(crate) fn last_store_timestamp(&self) -> i64 {
        self.last_store_timestamp.load(Ordering::Acquire)
    }

    /// Whether a put would be refused.
    pub(crate) fn writable(&self) -> Result<(), StoreError> {
        self.append.lock().check()
    }

    /// No put succeeds from now on; those that are under way have ended when this returns.
    pub(crate) fn close(&self) {
        self.append.lock().refusal.get_or_insert(Refusal::Closed);
    }

    /// Lets go of the files, once closed.
    pub(crate) fn release(&self) {
        self.append.lock().cursor = AppendCursor::default();
        self.log.release();
    }

    /// No put succeeds: the files are only looked at.
    pub(crate) fn refuse_as_read_only(&self) {
        self.append.lock().refusal.get_or_insert(Refusal::ReadOnly);
    }

    /// Runs `work` with the end of the log, and of its queues, while nothing is appended.
    pub(crate) fn exclusively<R>(&self, work: impl FnOnce(i64, &mut NextOffsets) -> R) -> R {
        let mut state = self.append.lock();
        work(self.log.end() as i64, &mut state.offsets)
    }

    /// Appends the records, all or none, and hands them to the dispatcher. `also_check` is asked under the lock.
    pub(crate) fn append<'d>(
        &self,
        batch: &mut PutBatch,
        dispatcher: &'d Dispatcher,
        also_check: impl FnOnce() -> Result<(), StoreError>,
    ) -> Result<(PutTicket, Option<Claim<'d>>), StoreError> {
        let mut state = self.append.lock();
        let state = &mut *state;
        state.check()?;
        also_check()?;
        if let Some(deleted) = batch.entries.iter().find(|entry| !state.offsets.is_open(entry.arrival.seat)) {
            return Err(StoreError::TopicDeleted { topic: batch.topic_of(deleted) });
        }
        let start = self.log.end();
        // The search by time and recovery need timestamps that never fall, whatever the wall clock does.
        let store_timestamp = self.clock.now_ms().max(state.last_store_timestamp);
        let end = self.place(batch, start, store_timestamp, &mut state.offsets, &mut state.rolls)?;
        if let Err(error) = self.write(&mut state.cursor, batch, start, &state.rolls) {
            give_back(batch, &mut state.offsets);
            // What did get written must not come back as whole records behind the next, shorter batch.
            if let Err(error) = self.log.discard(&mut state.cursor, start, end) {
                state.refusal = Some(Refusal::Poisoned(error::chain(&error)));
            }
            return Err(error.into());
        }
        self.log.publish(end);
        state.last_store_timestamp = store_timestamp;
        self.last_store_timestamp.store(store_timestamp, Ordering::Release);
        // Under the lock, so that units come in the order of records.
        let claim = dispatcher.enqueue(batch.arrivals(), batch.len());
        Ok((PutTicket { end: end as i64, store_timestamp }, claim))
    }

    /// Gives each record its place and patches it. Returns the end of the last.
    fn place(
        &self,
        batch: &mut PutBatch,
        start: u64,
        store_timestamp: i64,
        offsets: &mut NextOffsets,
        rolls: &mut Vec<(usize, u64)>,
    ) -> Result<u64, StoreError> {
        self.find_rolls(batch, start, rolls)?;
        let mut rolls = rolls.iter().peekable();
        let mut at = start;
        for (index, entry) in batch.entries.iter_mut().enumerate() {
            if rolls.next_if(|(first_behind, _)| *first_behind == index).is_some() {
                at = at.next_multiple_of(self.log.segment_bytes());
            }
            let arrival = &mut entry.arrival;
            let queue_offset = if entry.takes_slot { offsets.take(arrival.seat) } else { 0 };
            (arrival.queue_offset, arrival.physical_offset) = (queue_offset, at as i64);
            (arrival.store_timestamp, arrival.tags_code) =
                (store_timestamp, entry.tags_code.stored_at(store_timestamp));
            if let Some(record) = batch.bytes.get_mut(entry.record.clone()) {
                patch_record(record, queue_offset, at as i64, store_timestamp);
            }
            at += entry.record.len() as u64;
        }
        Ok(at)
    }

    fn find_rolls(&self, batch: &PutBatch, start: u64, rolls: &mut Vec<(usize, u64)>) -> Result<(), StoreError> {
        rolls.clear();
        let segment_bytes = self.log.segment_bytes();
        let room = segment_bytes - start % segment_bytes;
        if (batch.bytes.len() + BLANK_BYTES) as u64 <= room {
            return Ok(());
        }
        let mut at = start;
        let mut first = 0;
        for group in batch.entries.chunk_by(|_, next| next.joined) {
            let need = group.iter().map(|entry| entry.record.len() as u64).sum::<u64>() + BLANK_BYTES as u64;
            if need > segment_bytes {
                return Err(StoreError::BatchTooLarge { need, have: segment_bytes });
            }
            // A full file is left without a byte only by Apache's own rule never; at its end `at` is the next one's start.
            if need > segment_bytes - at % segment_bytes {
                rolls.push((first, at));
                at = at.next_multiple_of(segment_bytes);
            }
            at += need - BLANK_BYTES as u64;
            first += group.len();
        }
        Ok(())
    }

    fn write(
        &self,
        cursor: &mut AppendCursor,
        batch: &PutBatch,
        start: u64,
        rolls: &[(usize, u64)],
    ) -> Result<(), LogError> {
        let mut write = |at: u64, bytes: &[u8]| {
            if bytes.is_empty() { Ok(()) } else { self.log.append(cursor, at, bytes) }
        };
        let segment_bytes = self.log.segment_bytes();
        let mut at = start;
        let mut written = 0;
        for (first_behind, end) in rolls {
            let until = batch.entries.get(*first_behind).map_or(batch.bytes.len(), |entry| entry.record.start);
            write(at, batch.bytes.get(written..until).unwrap_or_default())?;
            written = until;
            at = end.next_multiple_of(segment_bytes);
            write(*end, &blank(at - end))?;
        }
        write(at, batch.bytes.get(written..).unwrap_or_default())
    }
}

impl AppendState {
    fn check(&self) -> Result<(), StoreError> {
        match &self.refusal {
            None => Ok(()),
            Some(Refusal::Closed) => Err(StoreError::Closed),
            Some(Refusal::ReadOnly) => Err(StoreError::ReadOnly),
            Some(Refusal::Poisoned(reason)) => Err(StoreError::Poisoned { reason: reason.clone() }),
        }
    }
}

fn blank(length: u64) -> [u8; BLANK_BYTES] {
    // The length of a file is checked at open to fit.
    let length = i32::try_from(length).unwrap_or(i32::MAX).to_be_bytes();
    let magic = BLANK_MAGIC.to_be_bytes();
    let mut bytes = [0; BLANK_BYTES];
    bytes[..4].copy_from_slice(&length);
    bytes[4..].copy_from_slice(&magic);
    bytes
}

fn give_back(batch: &PutBatch, offsets: &mut NextOffsets) {
    for entry in batch.entries.iter().rev().filter(|entry| entry.takes_slot) {
        offsets.set(entry.arrival.seat, entry.arrival.queue_offset);
    }
}

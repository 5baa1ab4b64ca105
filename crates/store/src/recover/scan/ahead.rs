//! Long scans: other threads decode and check the records that this one comes to next, a chunk of the log each.
//!
//! A thread finds where the first record of its chunk begins by what records say of their own place. That is a guess until
//! the scan comes there: units count only if the records before them end where they begin. At anything but plain records the
//! scan goes on without the threads, and judges it.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use rocketmq_codec::message::MessageRecord;
use rocketmq_log::Reader;

use super::Scanner;
use crate::StoreError;
use crate::recover::records::{Found, MAGIC_AT, MAGIC_PREFIX, Records, whole_record};
use crate::recover::units::{Run, Units};

/// A log of less is scanned before the threads have started.
const WORTH_IT_BYTES: u64 = 16 * 1024 * 1024;

/// Length of a chunk; the last record that begins in it may go further.
const CHUNK_BYTES: u64 = 1024 * 1024;

/// Where in a record its own place is told.
const PHYSICAL_OFFSET_AT: usize = 28;

/// So many chunks wait for each thread or for this one: about 1 MiB of units each at most.
const CHUNKS_PER_THREAD: usize = 2;

/// A part of one file.
#[derive(Debug, Clone, Copy)]
struct Chunk {
    start: u64,
    end: u64,
    /// A record begins at its start.
    is_aligned: bool,
}

/// A thread: chunks go in, and come out in the same order; `None` for one that is not all plain records.
struct Worker {
    chunks: Sender<Chunk>,
    runs: Receiver<Result<Option<Run>, StoreError>>,
}

impl Scanner<'_> {
    /// Scans as far as there are plain records that are on disk.
    pub(super) fn run_ahead(&mut self) -> Result<(), StoreError> {
        // What may not be on disk is looked at closely, by `is_out_of_order`.
        let flushed = self.records.flushed_position().filter(|_| !self.records.was_clean);
        let until = flushed.unwrap_or(self.until);
        if until.saturating_sub(self.scan.end) < WORTH_IT_BYTES {
            return Ok(());
        }
        let records = self.records;
        let units = self.units.clone();
        let threads = thread::available_parallelism().map_or(1, usize::from);
        thread::scope(|scope| {
            let workers: Vec<Worker> = (0..threads)
                .map(|_| {
                    let (chunks, todo) = channel();
                    let (done, runs) = channel();
                    let units = &units;
                    scope.spawn(move || {
                        let mut reader = records.log.reader();
                        while let Ok(chunk) = todo.recv() {
                            if done.send(check(&records, units, &mut reader, chunk)).is_err() {
                                return;
                            }
                        }
                    });
                    Worker { chunks, runs }
                })
                .collect();
            self.dispatch(&workers, until)
        })
    }

    fn dispatch(&mut self, workers: &[Worker], until: u64) -> Result<(), StoreError> {
        let panicked = || StoreError::Poisoned { reason: "a thread that read the commit log panicked".to_owned() };
        let mut reader = self.records.log.reader();
        let segment_bytes = self.records.log.segment_bytes();
        let from = self.scan.end;
        let mut next = from;
        let (mut given, mut taken) = (workers.iter().cycle(), workers.iter().cycle());
        let mut waiting = 0;
        while !self.scan.gap {
            while waiting < CHUNKS_PER_THREAD * workers.len()
                && next < until
                && let Some(worker) = given.next()
            {
                let end = (next + CHUNK_BYTES).min(reader.next_segment(next)).min(until);
                let is_aligned = next == from || next.is_multiple_of(segment_bytes);
                worker.chunks.send(Chunk { start: next, end, is_aligned }).map_err(|_gone| panicked())?;
                next = end;
                waiting += 1;
            }
            let Some(worker) = taken.next().filter(|_| waiting > 0) else { return Ok(()) };
            let run = worker.runs.recv().map_err(|_gone| panicked())??;
            waiting -= 1;
            let Some(run) = run else { return Ok(()) };
            let is_empty = run.start == run.end;
            let is_passed = is_empty && run.start <= self.scan.end;
            if !is_passed && run.start != self.scan.end && !self.is_blank_up_to(run.start, &mut reader)? {
                return Ok(());
            }
            // Empty are those within a long record or a blank.
            if !is_empty {
                self.append(&run)?;
            }
        }
        Ok(())
    }

    /// Whether the file that is being scanned holds nothing more, and the next one starts at `start`.
    fn is_blank_up_to(&self, start: u64, reader: &mut Reader<'_>) -> Result<bool, StoreError> {
        let at = self.scan.end;
        let is_next = reader.next_segment(at) == start;
        Ok(is_next && matches!(self.records.whole_record_at(reader, at, |_, _| ())?, Found::Blank))
    }
}

/// The units of the records that begin in a chunk.
fn check(
    records: &Records<'_>,
    units: &Units<'_>,
    reader: &mut Reader<'_>,
    chunk: Chunk,
) -> Result<Option<Run>, StoreError> {
    let mut run = Run::new();
    let len = usize::try_from(chunk.end - chunk.start).unwrap_or(0);
    let all_plain = reader.with_bytes(chunk.start, len, |bytes| {
        let first = if chunk.is_aligned { Some(0) } else { first_record(bytes, chunk.start) };
        let mut rest = bytes.get(first.unwrap_or(len)..).unwrap_or_default();
        run.start = chunk.end - rest.len() as u64;
        run.end = run.start;
        while let Some(record) = whole_record(rest, run.end) {
            let (bytes, behind) = rest.split_at(record.total_size);
            if records.is_doubtful(&record, bytes) {
                return Ok(false);
            }
            units.add(&record, &mut run)?;
            rest = behind;
        }
        Ok::<_, StoreError>(true)
    })?;
    if !all_plain.transpose()?.unwrap_or(false) {
        return Ok(None);
    }
    // The last one may end in the next chunk, and there may be a blank behind it.
    while run.end < chunk.end {
        let at = run.end;
        let add = |record: &MessageRecord<'_>, bytes: &[u8]| {
            let is_plain = !records.is_doubtful(record, bytes);
            if is_plain { units.add(record, &mut run).map(|()| true) } else { Ok(false) }
        };
        match records.whole_record_at(reader, at, add)? {
            Found::Record(is_plain, _) => {
                if !is_plain? {
                    return Ok(None);
                }
            }
            Found::Blank => break,
            Found::Nothing => return Ok(None),
        }
    }
    Ok(Some(run))
}

/// Where in the bytes from `start` on the first record begins, most probably: no more is looked at than magic and place.
fn first_record(bytes: &[u8], start: u64) -> Option<usize> {
    let magics = bytes.windows(MAGIC_PREFIX.len()).enumerate().filter(|(_, window)| *window == MAGIC_PREFIX);
    let mut starts = magics.filter_map(|(at, _)| at.checked_sub(MAGIC_AT));
    starts.find(|at| {
        let place = bytes.get(at + PHYSICAL_OFFSET_AT..).and_then(|rest| rest.first_chunk());
        place.is_some_and(|place| i64::from_be_bytes(*place) == (start + *at as u64) as i64)
    })
}

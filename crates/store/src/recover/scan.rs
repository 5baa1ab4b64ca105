//! Goes from record to record through the log and appends what the queues lack.

use rocketmq_codec::message::MessageRecord;

use super::Recovery;
use super::records::{Found, Records};
use super::units::{Appendix, Run, Units};
use crate::StoreError;
use crate::batch::takes_slot;
use crate::dispatch::Progress;
use crate::queue::Appended;
use crate::queues::TAILS_LIMIT_BYTES;
use crate::recovery_progress::{RecoveryPhase, Reporter};
use crate::unit::UNIT_BYTES;

mod ahead;

/// The clock is asked once for so many bytes of the log.
const REPORT_BYTES: u64 = 1024 * 1024;

/// How a scan ended.
pub(super) struct Scan {
    pub(super) end: u64,
    pub(super) last: Progress,
    /// Stopped at bytes that are neither a record nor a blank.
    pub(super) at_damage: bool,
    /// A queue lacks units before one of the records.
    pub(super) gap: bool,
}

/// A scan on its way.
struct Scanner<'a> {
    records: Records<'a>,
    units: Units<'a>,
    /// Whether gaps are filled: the scan started with the log.
    from_first: bool,
    from: u64,
    /// Where the log probably ends.
    until: u64,
    reporter: Reporter<'a>,
    report_at: u64,
    tails_bytes: usize,
    scan: Scan,
}

impl Recovery<'_> {
    /// Scans from a record on. Stops at a gap unless `from_first`. Records up to `dispatched_to` make no queues, see [`Units`].
    pub(super) fn scan(&self, from: u64, from_first: bool, dispatched_to: i64) -> Result<Scan, StoreError> {
        let records = self.records();
        // The log's end is that of its last file; only what was not flushed yet is behind the flushed position.
        let flushed = records.flushed_position().filter(|flushed| *flushed > from);
        let mut scanner = Scanner {
            records,
            units: Units {
                queues: self.queues,
                deleted_topics: self.deleted_topics.all(),
                dispatched_to,
                config: self.config,
            },
            from_first,
            from,
            until: flushed.unwrap_or(self.log.end()),
            reporter: Reporter::new(self.config, self.clock, RecoveryPhase::CommitLog),
            report_at: from,
            tails_bytes: 0,
            scan: Scan { end: from, last: Progress::default(), at_damage: false, gap: false },
        };
        scanner.run_ahead()?;
        scanner.run()?;
        Ok(scanner.scan)
    }
}

impl Scanner<'_> {
    /// One record after the other, looking at each closely.
    fn run(&mut self) -> Result<(), StoreError> {
        let mut reader = self.records.log.reader();
        let mut run = Run::new();
        while !self.scan.gap {
            let at = self.scan.end;
            let read = |record: &MessageRecord<'_>| {
                run.clear();
                self.units.add(record, &mut run).map(|()| self.is_out_of_order(record, &run))
            };
            match self.records.record_at(&mut reader, at, read)? {
                Found::Record(is_out_of_order, _) => {
                    if is_out_of_order? {
                        self.scan.at_damage = true;
                        return Ok(());
                    }
                    self.append(&run)?;
                }
                Found::Blank => {
                    let next = reader.next_segment(at);
                    if self.records.log.segment_at(next).is_none() {
                        // The blank is written again by the next append.
                        return Ok(());
                    }
                    self.scan.end = next;
                }
                Found::Nothing => {
                    self.scan.at_damage = self.records.log.segment_at(at).is_some();
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Appends the units of records that follow the last ones.
    fn append(&mut self, run: &Run) -> Result<(), StoreError> {
        let queues = self.units.queues;
        for (queue, appendix) in run.units() {
            let Appendix { queue_offset, unit, store_timestamp, .. } = *appendix;
            let mut appends = queue.appends();
            match appends.append(queue_offset, unit, store_timestamp, self.from_first) {
                Appended::Gap => {
                    self.scan.gap = true;
                    return Ok(());
                }
                Appended::Added => {
                    if queues.tail_grew(queue, &appends.end()) {
                        queues.write_long_tail(queue);
                    }
                    queues.writable()?;
                    self.tails_bytes += UNIT_BYTES;
                }
                Appended::Repeat | Appended::Impossible => {}
            }
        }
        (self.scan.end, self.scan.last) = (run.end, run.last);
        if self.tails_bytes >= TAILS_LIMIT_BYTES {
            queues.write_tails()?;
            self.tails_bytes = 0;
        }
        if self.scan.end >= self.report_at {
            self.reporter.at(self.scan.end - self.from, self.until.max(self.scan.end) - self.from);
            self.report_at = self.scan.end + REPORT_BYTES;
        }
        Ok(())
    }

    /// Whether a record that may not have reached the disk says an offset that its queue cannot have given it: no checksum
    /// covers that field, and of a torn record it may be what is missing.
    fn is_out_of_order(&self, record: &MessageRecord<'_>, run: &Run) -> bool {
        if self.records.was_clean || self.records.flushed_position().is_none() || self.records.is_on_disk(record) {
            return false;
        }
        let Some((queue, appendix)) = run.units().next() else { return false };
        let is_its = takes_slot(record.sys_flag) && *queue.topic() == *record.topic;
        let max_offset = queue.max_offset();
        // A queue without units may start anywhere.
        is_its && max_offset > 0 && appendix.queue_offset != max_offset
    }
}

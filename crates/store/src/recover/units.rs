//! From records to the units of consume queues that they belong to.

use std::sync::Arc;

use rocketmq_codec::message::{MessageRecord, properties, sys_flag};

use crate::batch::takes_slot;
use crate::deletion::DeletedTopicsFile;
use crate::dispatch::Progress;
use crate::light::{self, light_queues};
use crate::queue::Queue;
use crate::queues::Queues;
use crate::tags::TagsCode;
use crate::unit::Unit;
use crate::{StoreConfig, StoreError};

/// Places in a run where queues that were found are looked for first.
const SLOTS: usize = 512;

/// What the units of records depend on.
#[derive(Clone)]
pub(super) struct Units<'a> {
    pub(super) queues: &'a Queues,
    pub(super) deleted_topics: DeletedTopicsFile,
    /// Records up to here, and such that were not the first of theirs, make no queues; -1 if all do.
    pub(super) dispatched_to: i64,
    pub(super) config: &'a StoreConfig,
}

/// The units of some records that follow each other.
pub(super) struct Run {
    /// Each as often as it was not found in `slots`.
    queues: Vec<Arc<Queue>>,
    /// One more than an index into `queues`, by a hash.
    slots: Box<[u32; SLOTS]>,
    units: Vec<Appendix>,
    /// Where the first record begins.
    pub(super) start: u64,
    /// Where the last one ends.
    pub(super) end: u64,
    /// The last record.
    pub(super) last: Progress,
}

/// A unit to be appended.
pub(super) struct Appendix {
    queue: usize,
    pub(super) queue_offset: i64,
    pub(super) unit: Unit,
    pub(super) store_timestamp: i64,
}

impl Run {
    pub(super) fn new() -> Self {
        Self {
            queues: Vec::new(),
            slots: Box::new([0; SLOTS]),
            units: Vec::new(),
            start: 0,
            end: 0,
            last: Progress::default(),
        }
    }

    /// Forgets the units.
    pub(super) fn clear(&mut self) {
        self.units.clear();
        if self.queues.len() > 8 * SLOTS {
            self.queues.clear();
            self.slots.fill(0);
        }
    }

    /// Queues and what is to be appended there, in the order of the log.
    pub(super) fn units(&self) -> impl Iterator<Item = (&Arc<Queue>, &Appendix)> {
        self.units.iter().filter_map(|appendix| Some((self.queues.get(appendix.queue)?, appendix)))
    }

    /// The queue's index, found by `find` if it was not before.
    fn queue(
        &mut self,
        topic: &str,
        queue_id: i32,
        find: impl FnOnce() -> Result<Arc<Queue>, StoreError>,
    ) -> Result<usize, StoreError> {
        let last = topic.as_bytes().last_chunk::<8>().map_or(0, |last| u64::from_le_bytes(*last));
        let key = (last ^ (topic.len() as u64) << 32).wrapping_add(queue_id as u64);
        let slot = self.slots.get_mut((key.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 55) as usize);
        let found = slot.as_ref().and_then(|slot| (**slot as usize).checked_sub(1));
        if let Some(index) = found
            && let Some(queue) = self.queues.get(index)
            && queue.queue_id() == queue_id
            && *queue.topic() == *topic
        {
            return Ok(index);
        }
        let index = self.queues.len();
        self.queues.push(find()?);
        if let Some(slot) = slot {
            *slot = u32::try_from(index + 1).unwrap_or_default();
        }
        Ok(index)
    }
}

impl Units<'_> {
    /// Adds the units of a record to those of the records before it.
    pub(super) fn add(&self, record: &MessageRecord<'_>, run: &mut Run) -> Result<(), StoreError> {
        run.last = Progress { physical_offset: record.physical_offset, store_timestamp: record.store_timestamp };
        run.end = record.physical_offset as u64 + record.total_size as u64;
        // Inner batches belong to queues of another kind.
        if !takes_slot(record.sys_flag) || record.sys_flag & sys_flag::INNER_BATCH != 0 {
            return Ok(());
        }
        if self.deleted_topics.covers(&record.topic, record.physical_offset) {
            return Ok(());
        }
        // The last record that a queue knows is not the last that was dispatched if that one's topic was deleted.
        let had_queue = record.physical_offset <= self.dispatched_to || record.queue_offset > 0;
        if self.dispatched_to >= 0 && had_queue && self.queues.find(&record.topic, record.queue_id).is_none() {
            return Ok(());
        }
        let [tags, light] = properties::get_each(&record.properties, [properties::name::TAGS, light::QUEUES]);
        let levels = &self.config.message_delay_levels;
        let unit = Unit {
            physical_offset: record.physical_offset,
            size: i32::try_from(record.total_size).unwrap_or(i32::MAX),
            tags_code: TagsCode::of_tags(tags)
                .in_topic(&record.topic, &record.properties, levels)
                .stored_at(record.store_timestamp),
        };
        match run.queue(&record.topic, record.queue_id, || self.queues.get(&record.topic, record.queue_id)) {
            Ok(queue) => {
                let (queue_offset, store_timestamp) = (record.queue_offset, record.store_timestamp);
                run.units.push(Appendix { queue, queue_offset, unit, store_timestamp });
            }
            // Such a record cannot have had a queue here.
            Err(StoreError::IllegalTopic { .. } | StoreError::BatchConsumeQueue { .. }) => {}
            Err(error) => return Err(error),
        }
        if light.is_none() {
            return Ok(());
        }
        for (name, queue_offset) in light_queues(&record.topic, &record.properties) {
            // Only those that Apache's store made: a client may send these properties too.
            if let Some(found) = self.queues.find(name, 0)
                && !self.deleted_topics.covers(name, record.physical_offset)
            {
                let (queue, store_timestamp) = (run.queues.len(), record.store_timestamp);
                run.units.push(Appendix { queue, queue_offset, unit, store_timestamp });
                run.queues.push(found);
            }
        }
        Ok(())
    }
}

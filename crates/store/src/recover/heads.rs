//! Queues whose first files are gone although the log still has their messages.

use std::collections::HashMap;
use std::sync::Arc;

use rocketmq_codec::message::{MessageRecord, sys_flag};
use smol_str::SmolStr;

use super::Recovery;
use super::records::Found;
use crate::StoreError;
use crate::batch::takes_slot;
use crate::light::light_queues;
use crate::queue::{Head, Queue};

/// Queues by their number, and what their files begin with.
type OfTopic = HashMap<i32, (Arc<Queue>, Head)>;

/// Queues that may have lost their head.
#[derive(Default)]
struct Suspects {
    queues: HashMap<SmolStr, OfTopic>,
    lost: Vec<Arc<Queue>>,
}

impl Suspects {
    /// Moves the queue of a record to the lost ones if the record lies before what is left of it.
    fn see(&mut self, topic: &str, queue_id: i32, queue_offset: i64, physical_offset: i64) {
        let Some(of_topic) = self.queues.get_mut(topic) else { return };
        if of_topic.get(&queue_id).is_some_and(|(_, head)| head.is_behind(queue_offset, physical_offset)) {
            self.lost.extend(of_topic.remove(&queue_id).map(|(queue, _)| queue));
        }
        if of_topic.is_empty() {
            self.queues.remove(topic);
        }
    }
}

impl Recovery<'_> {
    /// The queues that lack units of messages which lie in the log, which starts at `log_start`, before those they have.
    ///
    /// Whose first unit points to the log's start or before it lost to retention what it lacks. Of the others only the log
    /// tells, as far as the first units point: a file of a queue rarely ends where one of the log does, so there are rarely any.
    pub(super) fn lost_heads(&self, log_start: u64) -> Result<Vec<Arc<Queue>>, StoreError> {
        let mut suspects = Suspects::default();
        let mut end = log_start;
        for queue in self.queues.all() {
            if let Some(head) = queue.head()?.filter(|head| head.unit.physical_offset > log_start as i64) {
                end = end.max(head.unit.physical_offset as u64);
                let of_topic = suspects.queues.entry(queue.topic().into()).or_default();
                of_topic.insert(queue.queue_id(), (queue, head));
            }
        }
        let (records, mut reader) = (self.records(), self.log.reader());
        let mut at = log_start;
        while at < end && !suspects.queues.is_empty() {
            let see = |record: &MessageRecord<'_>, _: &[u8]| self.see_record(record, &mut suspects);
            at = match records.whole_record_at(&mut reader, at, see)? {
                Found::Record((), size) => at + size,
                Found::Blank => reader.next_segment(at),
                // What is damaged here stops the scan as well, if there is one.
                Found::Nothing => break,
            };
        }
        Ok(suspects.lost)
    }

    fn see_record(&self, record: &MessageRecord<'_>, suspects: &mut Suspects) {
        if !takes_slot(record.sys_flag) || record.sys_flag & sys_flag::INNER_BATCH != 0 {
            return;
        }
        let place = record.physical_offset;
        let mut see = |topic: &str, queue_id, queue_offset| {
            if !self.deleted_topics.covers(topic, place) {
                suspects.see(topic, queue_id, queue_offset, place);
            }
        };
        see(&record.topic, record.queue_id, record.queue_offset);
        for (name, queue_offset) in light_queues(&record.topic, &record.properties) {
            see(name, 0, queue_offset);
        }
    }
}

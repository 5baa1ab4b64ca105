//! What must be in a store whose process or machine may die at any call: the messages in the order of their puts, of which a
//! crash may take the last ones that were not acknowledged, and no others. The first ones may be gone with the files they were
//! in.

use std::collections::BTreeMap;

use rocketmq_codec::message::decode_record;
use rocketmq_store::{MessageStore, PutBatch};

use super::random::Random;
use super::read_all;

/// A message that was put, or of which nobody knows.
#[derive(Debug, Clone)]
pub struct Message {
    pub topic: &'static str,
    pub queue_id: i32,
    pub body: Vec<u8>,
    /// Queue offset and physical offset; `None` for one of a put that failed.
    pub place: Option<(i64, i64)>,
}

/// How a life of the store ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum End {
    /// The machine lost what was not synced.
    PowerCut,
    /// The process alone died: everything it had written is there.
    Kill,
    /// The store was closed.
    Close,
}

/// Bodies by topic and queue.
type Queues = BTreeMap<(&'static str, i32), Vec<Vec<u8>>>;

#[derive(Debug, Default)]
pub struct Model {
    /// Power cuts may leave a part of a sector.
    torn: bool,
    /// All messages, in the order of the log.
    messages: Vec<Message>,
    /// How many of them are known to be on disk.
    on_disk: usize,
    /// How many of them the process is known to have written.
    written: usize,
    /// Messages of the put that failed when everything ended: a first part of them may be there.
    doubtful: Vec<Message>,
}

impl Model {
    /// An empty store, on a disk whose sectors may be torn in the middle or not.
    pub fn new(torn: bool) -> Self {
        Self { torn, ..Self::default() }
    }

    pub fn len(&self) -> usize {
        self.messages.len()
    }

    /// A put succeeded.
    pub fn stored(&mut self, batch: &PutBatch, messages: Vec<Message>) {
        assert!(self.doubtful.is_empty(), "a put succeeds after one whose outcome nobody knows");
        for (index, mut message) in messages.into_iter().enumerate() {
            let outcome = batch.outcome(index).unwrap();
            message.place = Some((outcome.queue_offset, outcome.physical_offset));
            self.messages.push(message);
        }
    }

    /// A put failed because everything ended.
    pub fn in_doubt(&mut self, messages: Vec<Message>) {
        self.doubtful = messages;
    }

    /// All that is stored outlives the process.
    pub fn written(&mut self) {
        self.written = self.messages.len();
    }

    /// All that is stored is on disk.
    pub fn flushed(&mut self) {
        self.on_disk = self.messages.len();
        self.written();
    }

    /// Compares a store that was just opened with what may be there after `end`, and keeps what is: that was synced by the
    /// recovery and must stay.
    pub fn check_after(&mut self, end: End, store: &MessageStore, random: &mut Random) {
        let mut queues = Queues::new();
        let all = self.messages.iter().chain(&self.doubtful);
        for (topic, queue_id) in all.map(|message| (message.topic, message.queue_id)) {
            queues.entry((topic, queue_id)).or_insert_with(|| read_all(store, topic, queue_id));
        }
        if end == End::PowerCut && self.torn {
            self.keep_acknowledged_and_any(queues);
        } else {
            self.keep_first(end, store, queues);
        }
        self.check_some(store, random);
        self.flushed();
    }

    /// What is there must be the first so many messages of the log, without those in files that were deleted.
    fn keep_first(&mut self, end: End, store: &MessageStore, queues: Queues) {
        let deleted = self.deleted(store);
        let present: usize = deleted + queues.values().map(Vec::len).sum::<usize>();
        let needed = match end {
            End::PowerCut => self.on_disk,
            End::Kill => self.written,
            End::Close => self.messages.len(),
        };
        assert!(present >= needed, "{present} messages after {end:?}, {needed} were acknowledged");
        self.messages.append(&mut self.doubtful);
        assert!(present <= self.messages.len(), "{present} messages, {} were put", self.messages.len());
        self.messages.truncate(present);
        let mut next: BTreeMap<(&'static str, i32), usize> = BTreeMap::new();
        for (index, message) in self.messages.iter_mut().enumerate() {
            let key = (message.topic, message.queue_id);
            let offset = next.entry(key).or_default();
            if index >= deleted {
                let first = store.min_offset(message.topic, message.queue_id).unwrap() as usize;
                let found = offset.checked_sub(first).and_then(|index| queues[&key].get(index));
                assert_eq!(found, Some(&message.body), "{key:?} at {offset} after {end:?}");
            }
            let (queue_offset, _) = *message.place.get_or_insert_with(|| {
                let mut record = Vec::new();
                store.get(key.0, key.1, *offset as i64, 1, 1, None, &mut record).unwrap();
                (*offset as i64, decode_record(&record, false).unwrap().0.physical_offset)
            });
            assert_eq!(queue_offset, *offset as i64, "{key:?}");
            *offset += 1;
        }
    }

    /// How many of the first messages are gone with their files.
    fn deleted(&self, store: &MessageStore) -> usize {
        let start = store.min_physical_offset();
        self.messages.iter().take_while(|message| message.place.is_some_and(|(_, at)| (0..start).contains(&at))).count()
    }

    /// No checksum covers the head of a record. When a sector may be torn in the middle, a record that was not acknowledged
    /// may come back with zeros there, in another queue, or not at all; but each only once, and whole in its body.
    fn keep_acknowledged_and_any(&mut self, queues: Queues) {
        let mut possible = self.messages.split_off(self.on_disk);
        possible.append(&mut self.doubtful);
        for ((topic, queue_id), bodies) in queues {
            let acknowledged: Vec<_> =
                self.messages.iter().filter(|known| (known.topic, known.queue_id) == (topic, queue_id)).collect();
            for known in &acknowledged {
                let (offset, _) = known.place.unwrap();
                assert_eq!(bodies.get(offset as usize), Some(&known.body), "{topic}/{queue_id} at {offset}");
            }
            for (offset, body) in bodies.into_iter().enumerate().skip(acknowledged.len()) {
                let index = possible.iter().position(|message| message.body == body);
                let Some(index) = index else { panic!("{topic}/{queue_id} at {offset}: not put, or there twice") };
                possible.remove(index);
                self.messages.push(Message { topic, queue_id, body, place: Some((offset as i64, -1)) });
            }
        }
    }

    /// One of the messages that are there.
    pub fn any(&self, store: &MessageStore, random: &mut Random) -> Option<&Message> {
        let there = &self.messages[self.deleted(store)..];
        there.get(random.below(there.len().max(1) as u64) as usize)
    }

    /// Reads a few messages each way.
    pub fn check_some(&self, store: &MessageStore, random: &mut Random) {
        for _ in 0..3 {
            let Some(message) = self.any(store, random) else { return };
            let (offset, physical) = message.place.unwrap();
            let (_, found) = super::get(store, message.topic, message.queue_id, offset);
            assert_eq!(found.first(), Some(&(offset, message.body.clone())), "{message:?}");
            let mut record = Vec::new();
            if physical >= 0 {
                assert!(store.record_at(physical, &mut record).unwrap(), "{message:?}");
                assert_eq!(super::records(&record), [(offset, message.body.clone())]);
            }
        }
    }
}
